import type { PendingPromotion } from "./approvals.ts";
import { summary } from "./changes.ts";
import { AppError, type ErrorCode } from "./errors.ts";
import { keys } from "./keys.ts";
import { nextOnLine } from "./lineage.ts";
import type { CheckResult } from "./model.ts";
import type { Plan, PreparedPlan } from "./plan.ts";
import { appendRevision, newLabel } from "./revisions.ts";
import type { Maps } from "./snapshots.ts";
import { bumpOf } from "./state.ts";
import type { Transaction } from "./transaction.ts";
import type { Validated } from "./validation.ts";

/** How a plan becomes a revision of its target, at once or when all have agreed. */

export interface PromotionResult extends Omit<Plan, "source" | "target" | "applicable" | "changes_nothing" | "conflicts" | "warnings"> {
  readonly status: "ready_for_deploy" | "pending_approval" | "no_changes" | "planned";
  readonly environment: string;
  readonly source_env: string;
  readonly source_revision: number;
  readonly revision: number;
  readonly source_version?: string;
  readonly promotion_id?: string;
  readonly applicable?: boolean;
  readonly changes_nothing?: boolean;
  readonly conflicts?: Plan["conflicts"];
  readonly warnings?: Plan["warnings"];
}

export async function applyPlan(
  tx: Transaction,
  maps: Maps,
  prepared: PreparedPlan,
  message: string | null,
  approved?: PendingPromotion,
): Promise<PromotionResult> {
  const { plan, kind, source, target, targetRevision, changes } = prepared;
  const self = { env: target.env, revision: target.revision + 1 };
  const joins = kind !== "selective";
  // What a merged or selective promotion makes is an edit of the target, and is numbered as one.
  const version =
    kind === "full" ? { link: source.version } : { create: await newLabel(tx, target.version, await bumpOf(maps, changes.platform), {}) };
  const forced = plan.checks.filter(({ details }) => details?.["forced"] === true);
  if (plan.checks.some(({ name, status }) => name === "validation" && status === "passed")) {
    tx.put(keys.validated(target.env), { platform: prepared.platform, at: tx.now } satisfies Validated);
  }
  const { head } = await appendRevision(tx, {
    head: { ...target, hold: null },
    snapshot: { platform: prepared.platform, config: prepared.config },
    action: "promote",
    version,
    message,
    parents: [{ env: target.env, revision: target.revision }, ...(joins ? [{ env: source.env, revision: source.revision }] : [])],
    lineage: nextOnLine(targetRevision.lineage, self, joins ? [source.lineage] : []),
    changes: summary(changes),
    source: { env: source.env, revision: source.revision, version: source.version },
    ...(kind !== "full" && { source_version: source.version }),
    audit: {
      plan_id: plan.plan_id,
      kind,
      source: `${source.env}@${source.revision}`,
      checks: Object.fromEntries(plan.checks.map(({ name, status }) => [name, status])),
      ...(target.hold !== null && { lifted_hold: true }),
      ...(forced.length > 0 && { forced: forced.map(({ name, reason }) => ({ name, reason })) }),
      ...(approved && { promotion: approved.id, requested_by: approved.requested_by, approved_by: approved.approvals.map(({ by }) => by) }),
    },
  });
  return { ...resultOf("ready_for_deploy", prepared, head.revision), version: head.version };
}

/** Missing approvals alone do not refuse: they are waited for. */
export function checkApplicable(plan: Plan): void {
  const failed = plan.checks.filter(({ name, status }) => status === "failed" && name !== "approvals");
  if (failed.length === 0) return;
  throw new AppError(refusalCode(plan, failed), {
    reason: `Promoting ${plan.version} from ${plan.source.env} to ${plan.target.env} is refused: ${failed.map(({ reason }) => reason).join(" ")}`,
    fix: failed.map(({ fix }) => fix).join(" "),
    details: {
      checks: plan.checks,
      plan_id: plan.plan_id,
      diff_from_previous: plan.diff_from_previous,
      ...(plan.conflicts.length > 0 && { conflicts: plan.conflicts }),
    },
  });
}

/** Where all that is in the way is an engine that is away, nothing is wrong with what was asked for. */
function refusalCode({ conflicts }: Plan, failed: readonly CheckResult[]): ErrorCode {
  if (conflicts.length > 0) return "merge_conflict";
  return failed.every(({ details }) => details?.["unavailable"] === true) ? "validation_unavailable" : "checks_failed";
}

export function resultOf(status: PromotionResult["status"], prepared: PreparedPlan, revision: number): PromotionResult {
  const { source, target, applicable, changes_nothing, conflicts, warnings, ...plan } = prepared.plan;
  return {
    status,
    environment: target.env,
    source_env: source.env,
    source_revision: source.revision,
    revision,
    ...plan,
    ...(prepared.kind !== "full" && { source_version: prepared.source.version }),
    ...(status === "planned" && { applicable, changes_nothing }),
    ...(conflicts.length > 0 && { conflicts }),
    ...(warnings.length > 0 && { warnings }),
  };
}
