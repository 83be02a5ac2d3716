import { randomBytes } from "node:crypto";
import { applyPlan, type PromotionResult, resultOf } from "./apply.ts";
import {
  checkMayApprove,
  checkMayDecide,
  checkOpen,
  type PendingPromotion,
  type PromotionView,
  promotionClosed,
  promotionNotFound,
  promotionView,
} from "./approvals.ts";
import { may } from "./callers.ts";
import { durationMs } from "./durations.ts";
import { AppError } from "./errors.ts";
import { documentsOf } from "./heads.ts";
import { keys } from "./keys.ts";
import type { Ledger } from "./ledger.ts";
import { LIMITS } from "./limits.ts";
import type { Caller, Environment, Page, PageRequest } from "./model.ts";
import { checkProject } from "./names.ts";
import { type BoundVariables, type Force, type PreparedPlan, type PromotionOrder, planId, preparePlan } from "./plan.ts";
import { approvalsOf, policyFor, policyOf } from "./policy.ts";
import type { Store } from "./ports.ts";
import { placeBetween, turn } from "./scan.ts";
import type { Secrets, StagedSecrets } from "./secrets.ts";
import type { Snapshots } from "./snapshots.ts";
import type { Timers } from "./timers.ts";
import { projectNotFound, type Transaction } from "./transaction.ts";
import type { Unasked, Validation, Verdicts } from "./validation.ts";

type ApprovalOutcome = { readonly result: PromotionResult } | { readonly voided: PendingPromotion };

/** Promotions that wait for people. */
export class PendingPromotions {
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #snapshots: Snapshots;
  readonly #secrets: Secrets;
  readonly #timers: Timers;
  readonly #validation: Validation;

  constructor(store: Store, ledger: Ledger, snapshots: Snapshots, secrets: Secrets, timers: Timers, validation: Validation) {
    this.#store = store;
    this.#ledger = ledger;
    this.#snapshots = snapshots;
    this.#secrets = secrets;
    this.#timers = timers;
    this.#validation = validation;
  }

  /** Agrees. The last approval that is needed applies the promotion, re-planned, or leaves it waiting with what failed. */
  async approve(caller: Caller, request: { project: string; id: string; comment?: string | undefined }): Promise<PromotionResult> {
    const { project, id } = request;
    checkProject(project);
    const outcome = await this.#ledger.once(project, caller, async () => {
      const known = await this.#pending(project, id);
      if (known !== null) {
        checkMayDecide(known, caller);
        checkMayApprove(known, caller);
        // Before the commit: where the last approval has to wait for another check, no crash forgets that.
        await this.#tryAgain(project, id);
      }
      const verdicts = await this.#verdictsOn(known, caller, 1);
      return this.#ledger.write(project, caller, async (tx): Promise<ApprovalOutcome> => {
        const promotion = await findPromotion(tx, id);
        checkMayDecide(promotion, caller);
        checkOpen(promotion);
        checkMayApprove(promotion, caller);
        const void_ = await this.#voidReason(tx, promotion, tx);
        if (void_ !== null) return { voided: await close(tx, this.#secrets, promotion, void_.status, void_.reason) };
        const approvals = [...promotion.approvals, { by: caller.actor, at: tx.now, comment: request.comment ?? null }];
        const approved: PendingPromotion = { ...promotion, approvals };
        await tx.audit({
          action: "approve",
          environment: promotion.order.target,
          version: promotion.version,
          details: { promotion: id, comment: request.comment ?? null },
        });
        return { result: await this.#advance(tx, approved, verdicts, approved.automatic === true) };
      });
    });
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
        checkMayDecide(promotion, caller);
        checkOpen(promotion);
        const rejection = { by: caller.actor, at: tx.now, comment: request.comment ?? null };
        await close(tx, this.#secrets, { ...promotion, rejection }, "rejected", request.comment ?? `rejected by ${caller.actor}`);
        return { status: "rejected" as const, promotion_id: id, environment: promotion.order.target, version: promotion.version };
      }),
    );
  }

  /**
   * Promotions into what the caller may read, newest first; with `status`, those alone. A page looks at a bounded number
   * of them, so that a rare filter may give short pages.
   */
  async list(caller: Caller, project: string, { limit, cursor }: PageRequest, status?: string): Promise<Page<PromotionView>> {
    checkProject(project);
    const documents = documentsOf(this.#store, project);
    if (!(await documents.getAll([keys.project]))[0]) throw projectNotFound(project);
    const items: PromotionView[] = [];
    let before = cursor === null ? undefined : keys.promotion(cursor);
    let place: string | undefined;
    let size = limit;
    for (let looked = 0; looked < LIMITS.listEntries; ) {
      const range = { prefix: keys.promotionPrefix, limit: size, reverse: true };
      const entries = await this.#store.list(project, { ...range, ...(before !== undefined && { before }) });
      for (const { key, value } of entries) {
        // What was looked at last may be for others: the cursor is a place after it, and before the one before.
        place = before === undefined ? undefined : placeBetween(key, before);
        before = key;
        const promotion = value as unknown as PendingPromotion;
        if (!may(caller, "read", project, promotion.order.target)) continue;
        // Each that waits is planned anew.
        if (promotion.status === "pending") await turn();
        const view = promotionView(await this.#seen(promotion));
        if (status === undefined || view.status === status) items.push(view);
        if (items.length === limit) return { items, next_cursor: promotion.id };
      }
      if (entries.length < size) return { items, next_cursor: null };
      looked += size;
      size = Math.max(size, LIMITS.scanPage);
      await turn();
    }
    return { items, next_cursor: place?.slice(keys.promotionPrefix.length) ?? null };
  }

  /** @throws promotion_not_found, for whoever may not read its target too */
  async get(caller: Caller, project: string, id: string): Promise<PromotionView> {
    checkProject(project);
    const documents = documentsOf(this.#store, project);
    if (!(await documents.getAll([keys.project]))[0]) throw projectNotFound(project);
    const [found] = isPromotionId(id) ? await documents.getAll<PendingPromotion>([keys.promotion(id)]) : [];
    if (!found || !may(caller, "read", project, found.order.target)) throw promotionNotFound(project, id);
    return promotionView(await this.#seen(found));
  }

  /**
   * Closes what has expired or lost its ground, and applies what has all approvals and waited for a check. The sweeper's
   * part. A timer may come early, since the clock goes on and back after it is set: what is left waiting gets another.
   */
  async settle(caller: Caller, project: string, id: string): Promise<void> {
    const verdicts = await this.#verdictsOn(await this.#pending(project, id), caller, 0);
    const again = await this.#ledger.write(project, caller, async (tx) => {
      const promotion = await tx.get<PendingPromotion>(keys.promotion(id));
      if (promotion?.status !== "pending") return null;
      const void_ = await this.#voidReason(tx, promotion, tx);
      if (void_ !== null) {
        await close(tx, this.#secrets, promotion, void_.status, void_.reason);
        return null;
      }
      if (promotion.approvals.length < promotion.needed) return promotion.expires_at;
      const automatic = promotion.automatic === true || (await isHeldSince(tx, promotion));
      const { status } = await this.#advance(tx, promotion, verdicts, automatic);
      return status === "pending_approval" ? retryAfter(tx.clock) : null;
    });
    if (again !== null) await this.#timers.setFor({ project, what: `promotion:${id}` }, again);
  }

  async #pending(project: string, id: string): Promise<PendingPromotion | null> {
    if (!isPromotionId(id)) return null;
    const [found] = await documentsOf(this.#store, project).getAll<PendingPromotion>([keys.promotion(id)]);
    return found?.status === "pending" ? found : null;
  }

  /** What the Validation engine says of what may be applied now: asked before the commit, which asks nobody. */
  async #verdictsOn(promotion: PendingPromotion | null, caller: Caller, more: number): Promise<Verdicts | Unasked> {
    const inquiry = this.#validation.begin(caller.requestId);
    if (inquiry === null) return "no_engine";
    if (promotion === null || promotion.approvals.length + more < promotion.needed) return "not_now";
    const documents = documentsOf(this.#store, promotion.order.project);
    const context = {
      now: await this.#now(),
      automatic: false,
      approvedBy: [],
      requestedBy: promotion.requested_by,
      force: promotion.force,
      verdicts: inquiry,
    };
    try {
      await preparePlan(documents, this.#snapshots.draft(promotion.order.project), promotion.order, boundOf(promotion), context);
    } catch (error) {
      // What makes the plan impossible is found again, and told, within the commit.
      if (!(error instanceof AppError)) throw error;
    }
    return inquiry.recalled();
  }

  /** What has all approvals and waits for another check, such as the end of a freeze, is looked at again. */
  async #tryAgain(project: string, id: string): Promise<void> {
    await this.#timers.setFor({ project, what: `promotion:${id}` }, retryAfter(await this.#now()));
  }

  async #advance(tx: Transaction, promotion: PendingPromotion, verdicts: Verdicts | Unasked, automatic: boolean): Promise<PromotionResult> {
    const approvedBy = promotion.approvals.map(({ by }) => by);
    const context = { now: tx.clock, automatic, approvedBy, requestedBy: promotion.requested_by, force: promotion.force, verdicts };
    const maps = this.#snapshots.edit(tx);
    const prepared = await preparePlan(tx, maps, promotion.order, boundOf(promotion), context);
    if (!prepared.plan.applicable) {
      tx.put(keys.promotion(promotion.id), { ...promotion, checks: prepared.plan.checks });
      return { ...resultOf("pending_approval", prepared, prepared.target.revision), promotion_id: promotion.id };
    }
    const result = await applyPlan(tx, maps, prepared, promotion.message, promotion);
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
    const lost = await this.#voidReason({ ...documents, clock: await this.#now() }, promotion);
    return lost === null ? promotion : { ...promotion, status: lost.status, closed_reason: lost.reason };
  }

  async #voidReason(
    documents: Pick<Transaction, "project" | "clock" | "getAll">,
    promotion: PendingPromotion,
    tx?: Transaction,
  ): Promise<{ status: "voided" | "expired"; reason: string } | null> {
    if (promotion.expires_at <= documents.clock) return { status: "expired", reason: `nobody completed it before ${promotion.expires_at}` };
    const maps = this.#snapshots.draft(promotion.order.project, tx);
    const context = {
      now: documents.clock,
      automatic: false,
      approvedBy: [],
      requestedBy: promotion.requested_by,
      force: promotion.force,
      verdicts: "not_now" as const,
    };
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

  async #now(): Promise<string> {
    return (await this.#store.now()).toISOString();
  }
}

/** Names a promotion: ids order by the time at which it was asked for. */
export function newPromotionId(now: string): string {
  return `${Date.parse(now).toString(36).padStart(9, "0")}${randomBytes(5).toString("hex")}`;
}

/** Names an automatic one: the same for everybody who would put up this plan for this deployment, so that it is put up once. */
export function automaticPromotionId(deployedAt: string, planId: string): string {
  return `${Date.parse(deployedAt).toString(36).padStart(9, "0")}${planId.slice(0, 10)}`;
}

function isPromotionId(id: string): boolean {
  return /^[0-9a-z]{10,40}$/.test(id);
}

function retryAfter(now: string): string {
  return new Date(Date.parse(now) + LIMITS.promotionRetryMs).toISOString();
}

/** Whether nobody has acted on it by hand since its target was held: whoever held it has seen it waiting, and meant it too. */
async function isHeldSince(tx: Transaction, { order, approvals }: PendingPromotion): Promise<boolean> {
  const target = await tx.get<Environment>(keys.environment(order.target));
  return target !== null && target.hold !== null && target.hold.at > (approvals.at(-1)?.at ?? "");
}

function boundOf({ vars, references, fingerprint }: PendingPromotion): BoundVariables {
  return { vars: new Map(Object.entries(vars)), references: new Map(Object.entries(references)), fingerprint };
}

/** What a waiting promotion keeps of its request. */
interface PutUp {
  readonly id: string;
  readonly order: PromotionOrder;
  readonly variables: BoundVariables;
  readonly staged: StagedSecrets;
  readonly message: string | null;
  readonly force: Force | null;
  readonly automatic: boolean;
}

/** Puts a plan up for approval. */
export async function putUp(
  tx: Transaction,
  prepared: PreparedPlan,
  { id, order, variables, staged, message, force, automatic }: PutUp,
): Promise<PromotionResult> {
  // Whatever became of it, an automatic promotion is put up once.
  if ((await tx.peek([keys.promotion(id)]))[0])
    return { ...resultOf("pending_approval", prepared, prepared.target.revision), promotion_id: id };
  await staged.bind(tx);
  const { policy, revision: policyRevision } = await policyOf(tx);
  const fingerprint = ownFingerprint(id, variables);
  const plan_id = planId(order, prepared.source, prepared.target, policyRevision, fingerprint);
  const rule = approvalsOf(policyFor(policy, prepared.target.env, prepared.target.type));
  const { env_variables: _, ...kept } = order;
  const promotion: PendingPromotion = {
    id,
    status: "pending",
    plan_id,
    order: kept,
    vars: Object.fromEntries(variables.vars),
    references: Object.fromEntries(variables.references),
    fingerprint,
    force,
    ...(automatic && { automatic }),
    message,
    version: prepared.source.version,
    source_revision: prepared.source.revision,
    target_revision: prepared.target.revision,
    requested_by: tx.caller.actor,
    requested_at: tx.now,
    expires_at: new Date(Date.parse(tx.clock) + (durationMs(rule.expiresIn) ?? 0)).toISOString(),
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
      plan_id,
      source: `${prepared.source.env}@${prepared.source.revision}`,
      needed: rule.count,
      ...(message !== null && { message }),
      // Whatever becomes of it: who asked to skip which checks, and why.
      ...(force !== null && { force: { by: force.by, reason: force.reason, checks: force.checks } }),
    },
  });
  return { ...resultOf("pending_approval", prepared, prepared.target.revision), plan_id, promotion_id: id };
}

/**
 * Whoever may read a promotion sees its plan's id, and could make plans of the same with other values until one has that id: so what waits
 * with values has an id that no plan has.
 */
function ownFingerprint(id: string, { fingerprint }: BoundVariables): string | null {
  return fingerprint === null ? null : `${fingerprint} ${id}`;
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
  const found = isPromotionId(id) ? await tx.get<PendingPromotion>(keys.promotion(id)) : null;
  if (found !== null) return found;
  throw promotionNotFound(tx.project, id);
}
