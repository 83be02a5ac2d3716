import { randomBytes } from "node:crypto";
import { checkMayApprove, checkOpen, type PendingPromotion, type PromotionView, promotionClosed, promotionView } from "./approvals.ts";
import { summary } from "./changes.ts";
import { durationMs } from "./durations.ts";
import { AppError } from "./errors.ts";
import { documentsOf } from "./heads.ts";
import { keys } from "./keys.ts";
import { type Ledger, projectNotFound, type Transaction } from "./ledger.ts";
import { nextOnLine } from "./lineage.ts";
import { canonicalJson } from "./merkle/index.ts";
import type { Caller, CheckName, Page, PageRequest } from "./model.ts";
import { checkEnvironmentName, checkProject, quoted } from "./names.ts";
import {
  type BoundVariables,
  type Force,
  findSides,
  type Plan,
  type PlanContext,
  type PreparedPlan,
  type PromotionOrder,
  preparePlan,
} from "./plan.ts";
import { approvalsOf, policyFor, policyOf } from "./policy.ts";
import type { Json, Store } from "./ports.ts";
import { REQUIRES } from "./requirements.ts";
import { appendRevision, newLabel } from "./revisions.ts";
import type { Secrets, StagedSecrets } from "./secrets.ts";
import { isSelective } from "./selection.ts";
import type { Maps, Snapshots } from "./snapshots.ts";
import { bumpOf } from "./state.ts";
import { type SortedVariables, sortVariables } from "./variables.ts";

export interface PromoteRequest extends PromotionOrder {
  readonly dry_run?: boolean | undefined;
  /** Applies only what was planned: refused where anything has changed since. */
  readonly plan_id?: string | undefined;
  /** Skips failed checks that the policy calls forceable; the reason is audited. `true` takes `message` for it. */
  readonly force?: true | { readonly checks?: readonly CheckName[] | undefined; readonly reason: string } | undefined;
  readonly message?: string | undefined;
  /** Nobody asked for it by hand. */
  readonly automatic?: boolean | undefined;
}

export interface PromotionResult extends Omit<Plan, "source" | "target" | "applicable" | "conflicts" | "warnings"> {
  readonly status: "ready_for_deploy" | "pending_approval" | "no_changes" | "planned";
  readonly environment: string;
  readonly source_env: string;
  readonly source_revision: number;
  readonly revision: number;
  readonly source_version?: string;
  readonly promotion_id?: string;
  readonly applicable?: boolean;
  readonly conflicts?: Plan["conflicts"];
  readonly warnings?: Plan["warnings"];
}

type ApprovalOutcome = { readonly result: PromotionResult } | { readonly voided: PendingPromotion };

/** Moves versions between environments: plan purely, then apply as one commit, at once or when all have agreed. */
export class Promotion {
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #snapshots: Snapshots;
  readonly #secrets: Secrets;

  constructor(store: Store, ledger: Ledger, snapshots: Snapshots, secrets: Secrets) {
    this.#store = store;
    this.#ledger = ledger;
    this.#snapshots = snapshots;
    this.#secrets = secrets;
  }

  /** Plans, and applies what the checks let through; or puts it up for approval; or, with `dry_run`, only plans. */
  promote(caller: Caller, request: PromoteRequest): Promise<PromotionResult> {
    checkRequest(request);
    return this.#ledger.once(request.project, caller, () => this.#promote(caller, request));
  }

  async #promote(caller: Caller, request: PromoteRequest): Promise<PromotionResult> {
    const force = parseForce(caller, request);
    const documents = documentsOf(this.#store, request.project);
    const context: PlanContext = { now: await this.#now(), automatic: request.automatic ?? false, approvedBy: [], force };
    const order = orderOf(request);
    const sorted = await this.#sort(order, context.now);
    const fingerprint = await this.#fingerprint(order);
    const pending = { vars: sorted.vars, references: pendingReferences(sorted), fingerprint };
    // Everything that can be refused is refused before a secret is written to the vault.
    const preview = await preparePlan(documents, this.#snapshots.draft(request.project), order, pending, context);
    if (request.dry_run) return resultOf("planned", preview, preview.target.revision);
    checkCurrent(request.plan_id, preview.plan);
    checkApplicable(preview.plan, true);
    const { policy } = await policyOf(documents);
    if (policyFor(policy, preview.target.env, preview.target.type).require_message && request.message === undefined) {
      throw new AppError("invalid_request", {
        reason: `The policy asks why: a promotion to ${quoted(request.target)} needs a message.`,
        fix: "Send a `message`.",
      });
    }
    const staged = await this.#secrets.stage(
      caller,
      request.project,
      request.target,
      new Map([...sorted.secrets].map(([name, value]) => [name, { value }])),
    );
    const variables = { vars: sorted.vars, references: staged.references, fingerprint };
    try {
      return await this.#ledger.write(request.project, caller, async (tx) => {
        const maps = this.#snapshots.edit(tx);
        const prepared = await preparePlan(tx, maps, order, variables, { ...context, now: tx.now });
        checkCurrent(request.plan_id, prepared.plan);
        checkApplicable(prepared.plan, true);
        if (isNoChange(prepared)) return resultOf("no_changes", prepared, prepared.target.revision);
        if (!prepared.plan.applicable) return putUp(tx, prepared, order, variables, staged, request.message ?? null, force);
        await staged.bind(tx);
        return apply(tx, maps, prepared, request.message ?? null);
      });
    } catch (error) {
      await staged.discard().catch(() => {}); // The sweeper does it later; the caller must hear what failed first.
      throw error;
    }
  }

  /** The plan, without asking to promote. */
  readiness(caller: Caller, order: PromotionOrder): Promise<PromotionResult> {
    return this.promote(caller, { ...order, dry_run: true });
  }

  /** Agrees. The last approval that is needed applies the promotion, re-planned, or leaves it waiting with what failed. */
  async approve(caller: Caller, request: { project: string; id: string; comment?: string | undefined }): Promise<PromotionResult> {
    const { project, id } = request;
    checkProject(project);
    const outcome = await this.#ledger.once(project, caller, () =>
      this.#ledger.write(project, caller, async (tx): Promise<ApprovalOutcome> => {
        const promotion = await findPromotion(tx, id);
        checkOpen(promotion);
        checkMayApprove(promotion, caller);
        const void_ = await this.#voidReason(tx, promotion);
        if (void_ !== null) return { voided: await close(tx, this.#secrets, promotion, void_.status, void_.reason) };
        const approvals = [...promotion.approvals, { by: caller.actor, at: tx.now, comment: request.comment ?? null }];
        const approved: PendingPromotion = { ...promotion, approvals };
        await tx.audit({
          action: "approve",
          environment: promotion.order.target,
          version: promotion.version,
          details: { promotion: id, comment: request.comment ?? null },
        });
        return { result: await this.#advance(tx, approved) };
      }),
    );
    // That a promotion was voided is committed before it is told.
    if ("voided" in outcome) throw promotionClosed(outcome.voided);
    return outcome.result;
  }

  async reject(
    caller: Caller,
    request: { project: string; id: string; comment?: string | undefined },
  ): Promise<{ status: "rejected"; promotion_id: string; environment: string; version: string }> {
    const { project, id } = request;
    checkProject(project);
    return this.#ledger.once(project, caller, () =>
      this.#ledger.write(project, caller, async (tx) => {
        const promotion = await findPromotion(tx, id);
        checkOpen(promotion);
        if (!caller.mayApprove)
          throw new AppError("forbidden", { reason: "An engine's token cannot reject a promotion.", fix: "A person must decide." });
        const rejection = { by: caller.actor, at: tx.now, comment: request.comment ?? null };
        await close(tx, this.#secrets, { ...promotion, rejection }, "rejected", request.comment ?? `rejected by ${caller.actor}`);
        return { status: "rejected" as const, promotion_id: id, environment: promotion.order.target, version: promotion.version };
      }),
    );
  }

  /** Promotions that were put up for approval, newest first; with `status`, those alone. */
  async list(project: string, { limit, cursor }: PageRequest, status?: string): Promise<Page<PromotionView>> {
    checkProject(project);
    const documents = documentsOf(this.#store, project);
    if (!(await documents.getAll([keys.project]))[0]) throw projectNotFound(project);
    const items: PromotionView[] = [];
    let before = cursor === null ? undefined : keys.promotion(cursor);
    while (items.length < limit) {
      const entries = await this.#store.list(project, {
        prefix: keys.promotionPrefix,
        limit,
        reverse: true,
        ...(before !== undefined && { before }),
      });
      for (const { key, value } of entries) {
        before = key;
        const view = promotionView(await this.#seen(value as unknown as PendingPromotion));
        if (status === undefined || view.status === status) items.push(view);
        if (items.length === limit) break;
      }
      if (entries.length < limit)
        return { items, next_cursor: items.length === limit ? (before?.slice(keys.promotionPrefix.length) ?? null) : null };
    }
    return { items, next_cursor: before?.slice(keys.promotionPrefix.length) ?? null };
  }

  /** Closes what has expired or lost its ground, and applies what has all approvals and waited for a check. The sweeper's part. */
  async settle(caller: Caller, project: string, id: string): Promise<void> {
    await this.#ledger.write(project, caller, async (tx) => {
      const promotion = await tx.get<PendingPromotion>(keys.promotion(id));
      if (promotion?.status !== "pending") return;
      const void_ = await this.#voidReason(tx, promotion);
      if (void_ !== null) await close(tx, this.#secrets, promotion, void_.status, void_.reason);
      else if (promotion.approvals.length >= promotion.needed) await this.#advance(tx, promotion);
    });
  }

  async #advance(tx: Transaction, promotion: PendingPromotion): Promise<PromotionResult> {
    const approvedBy = promotion.approvals.map(({ by }) => by);
    const context = { now: tx.now, automatic: false, approvedBy, force: promotion.force };
    const maps = this.#snapshots.edit(tx);
    const prepared = await preparePlan(tx, maps, promotion.order, boundOf(promotion), context);
    if (!prepared.plan.applicable) {
      tx.put(keys.promotion(promotion.id), { ...promotion, checks: prepared.plan.checks });
      return { ...resultOf("pending_approval", prepared, prepared.target.revision), promotion_id: promotion.id };
    }
    const result = await apply(tx, maps, prepared, promotion.message, promotion);
    const closed: PendingPromotion = {
      ...promotion,
      status: "applied",
      closed_at: tx.now,
      revision: result.revision,
      checks: prepared.plan.checks,
    };
    tx.put(keys.promotion(promotion.id), closed);
    return { ...result, promotion_id: promotion.id };
  }

  /** A waiting promotion as it stands now: one whose plan no longer holds is shown as what it will be closed as. */
  async #seen(promotion: PendingPromotion): Promise<PendingPromotion> {
    if (promotion.status !== "pending") return promotion;
    const documents = documentsOf(this.#store, promotion.order.project);
    const lost = await this.#voidReason({ ...documents, now: await this.#now() }, promotion);
    return lost === null ? promotion : { ...promotion, status: lost.status, closed_reason: lost.reason };
  }

  async #voidReason(
    documents: Pick<Transaction, "project" | "now" | "getAll">,
    promotion: PendingPromotion,
  ): Promise<{ status: "voided" | "expired"; reason: string } | null> {
    if (promotion.expires_at <= documents.now) return { status: "expired", reason: `nobody completed it before ${promotion.expires_at}` };
    const maps = this.#snapshots.draft(promotion.order.project);
    const context = { now: documents.now, automatic: false, approvedBy: [], force: promotion.force };
    try {
      const { plan } = await preparePlan(documents, maps, promotion.order, boundOf(promotion), context);
      return plan.plan_id === promotion.plan_id
        ? null
        : { status: "voided", reason: "source, target or policy changed since it was put up" };
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return { status: "voided", reason: error.message };
    }
  }

  /** What the request's variables are in the target: what is a secret there, or is declared as one, stays one. */
  async #sort(order: PromotionOrder, now: string): Promise<SortedVariables> {
    const names = Object.keys(order.env_variables ?? {});
    const { source, target } = await findSides(documentsOf(this.#store, order.project), order, now);
    const maps = this.#snapshots.read(order.project);
    const [secret, declared] = await Promise.all([
      maps.has(
        target.config,
        names.map((name) => `secrets/${name}`),
      ),
      maps.lookup(
        source.platform,
        names.map((name) => REQUIRES + name),
      ),
    ]);
    const known = new Set(
      names.filter((_, index) => secret[index] || (declared[index] as { kind?: string } | undefined)?.kind === "secret"),
    );
    return sortVariables(order.env_variables ?? {}, (name) => known.has(name));
  }

  async #fingerprint({ project, env_variables }: PromotionOrder): Promise<string | null> {
    return env_variables === undefined ? null : this.#secrets.fingerprintOf(project, canonicalJson(env_variables));
  }

  async #now(): Promise<string> {
    return (await this.#store.now()).toISOString();
  }
}

function checkRequest(request: PromoteRequest): void {
  checkProject(request.project);
  checkEnvironmentName(request.source);
  checkEnvironmentName(request.target);
  if (request.source === request.target) {
    throw new AppError("same_environment", {
      reason: `${quoted(request.source)} cannot be promoted onto itself.`,
      fix: "Name two different environments as source_env and target_env.",
    });
  }
  if (isSelective(request) && request.strategy === "merge") {
    throw new AppError("invalid_request", {
      reason: "A merge takes all changes, so `only` and `except` do not go with it.",
      fix: "Ask for one or the other.",
    });
  }
  if (request.resolve !== undefined && request.strategy !== "merge") {
    throw new AppError("invalid_request", {
      reason: "`resolve` settles the conflicts of a merge.",
      fix: 'Send "strategy":"merge" along with it.',
    });
  }
}

/** @throws invalid_request without a reason, forbidden without the right */
function parseForce(caller: Caller, { project, target, force, message }: PromoteRequest): Force | null {
  if (force === undefined) return null;
  const reason = (force === true ? message : force.reason)?.trim();
  if (!reason) {
    throw new AppError("invalid_request", {
      reason: "Skipping checks needs a reason.",
      fix: 'Send "force":{"reason":"…"}: the audit log keeps it.',
    });
  }
  if (!caller.mayForce(project, target)) {
    throw new AppError("forbidden", { reason: "This token may not skip checks.", fix: "Mend what the checks ask for, or ask an admin." });
  }
  return { checks: force === true ? null : (force.checks ?? null), by: caller.actor, reason };
}

/** What the plan depends on, without how it is asked for. */
function orderOf(request: PromoteRequest): PromotionOrder {
  const { dry_run: _, plan_id: __, force: ___, message: ____, automatic: _____, ...order } = request;
  return order;
}

/** Stands in for references that do not exist yet, where a plan is made before the vault is written. */
function pendingReferences({ secrets }: SortedVariables): ReadonlyMap<string, Json> {
  return new Map([...secrets.keys()].map((name) => [`secrets/${name}`, null]));
}

function boundOf({ vars, references, fingerprint }: PendingPromotion): BoundVariables {
  return { vars: new Map(Object.entries(vars)), references: new Map(Object.entries(references)), fingerprint };
}

async function apply(
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

async function putUp(
  tx: Transaction,
  prepared: PreparedPlan,
  order: PromotionOrder,
  variables: BoundVariables,
  staged: StagedSecrets,
  message: string | null,
  force: Force | null,
): Promise<PromotionResult> {
  await staged.bind(tx);
  const { policy } = await policyOf(tx);
  const rule = approvalsOf(policyFor(policy, prepared.target.env, prepared.target.type));
  const id = `${Date.parse(tx.now).toString(36).padStart(9, "0")}${randomBytes(5).toString("hex")}`;
  const { env_variables: _, ...kept } = order;
  const promotion: PendingPromotion = {
    id,
    status: "pending",
    plan_id: prepared.plan.plan_id,
    order: kept,
    vars: Object.fromEntries(variables.vars),
    references: Object.fromEntries(variables.references),
    fingerprint: variables.fingerprint,
    force,
    message,
    version: prepared.source.version,
    source_revision: prepared.source.revision,
    target_revision: prepared.target.revision,
    requested_by: tx.caller.actor,
    requested_at: tx.now,
    expires_at: new Date(Date.parse(tx.now) + (durationMs(rule.expiresIn) ?? 0)).toISOString(),
    needed: rule.count,
    by: rule.by,
    approvals: [],
    rejection: null,
    closed_at: null,
    closed_reason: null,
    revision: null,
    checks: prepared.plan.checks,
    diff_from_previous: prepared.plan.diff_from_previous,
  };
  tx.put(keys.promotion(id), promotion);
  await tx.audit({
    action: "request_promotion",
    environment: prepared.target.env,
    version: prepared.source.version,
    details: {
      promotion: id,
      plan_id: promotion.plan_id,
      source: `${prepared.source.env}@${prepared.source.revision}`,
      needed: rule.count,
    },
  });
  return { ...resultOf("pending_approval", prepared, prepared.target.revision), promotion_id: id };
}

async function close(
  tx: Transaction,
  secrets: Secrets,
  promotion: PendingPromotion,
  status: "rejected" | "voided" | "expired",
  reason: string,
): Promise<PendingPromotion> {
  const closed: PendingPromotion = { ...promotion, status, closed_at: tx.now, closed_reason: reason };
  tx.put(keys.promotion(promotion.id), closed);
  secrets.release(tx, promotion.order.target, Object.values(promotion.references));
  const action = status === "rejected" ? "reject" : status === "voided" ? "void_promotion" : "expire_promotion";
  await tx.audit({ action, environment: promotion.order.target, version: promotion.version, details: { promotion: promotion.id, reason } });
  return closed;
}

async function findPromotion(tx: Transaction, id: string): Promise<PendingPromotion> {
  await tx.existingProject();
  const found = /^[0-9a-z]{10,40}$/.test(id) ? await tx.get<PendingPromotion>(keys.promotion(id)) : null;
  if (found !== null) return found;
  throw new AppError("promotion_not_found", {
    reason: `Project ${quoted(tx.project)} has no promotion ${quoted(id)}.`,
    fix: `GET /env/${tx.project}/promotions lists them.`,
  });
}

function checkCurrent(planId: string | undefined, plan: Plan): void {
  if (planId === undefined || planId === plan.plan_id) return;
  throw new AppError("plan_stale", {
    reason: "Source, target, policy or request changed since this plan was made.",
    fix: "Plan again with dry_run:true, look at what changed, and apply the new plan_id.",
    details: { plan_id: plan.plan_id },
  });
}

/** `mayWait`: missing approvals alone do not refuse, they are waited for. */
function checkApplicable(plan: Plan, mayWait: boolean): void {
  const failed = plan.checks.filter(({ name, status }) => status === "failed" && !(mayWait && name === "approvals"));
  if (failed.length === 0) return;
  throw new AppError(plan.conflicts.length > 0 ? "merge_conflict" : "checks_failed", {
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

/** The same content under another label is a change: the target runs that version from now on. */
function isNoChange({ changes, source, target, kind }: PreparedPlan): boolean {
  return changes.platform.length + changes.config.length === 0 && (kind !== "full" || source.version === target.version);
}

function resultOf(status: PromotionResult["status"], prepared: PreparedPlan, revision: number): PromotionResult {
  const { source, target, applicable, conflicts, warnings, ...plan } = prepared.plan;
  return {
    status,
    environment: target.env,
    source_env: source.env,
    source_revision: source.revision,
    revision,
    ...plan,
    ...(prepared.kind !== "full" && { source_version: prepared.source.version }),
    ...(status === "planned" && { applicable }),
    ...(conflicts.length > 0 && { conflicts }),
    ...(warnings.length > 0 && { warnings }),
  };
}
