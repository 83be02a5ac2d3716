import { personOf } from "./actors.ts";
import { forbidden, may } from "./callers.ts";
import { AppError } from "./errors.ts";
import type { Caller, CheckResult, DiffFromPrevious } from "./model.ts";
import { quoted, sentence } from "./names.ts";
import type { Force, PromotionOrder } from "./plan.ts";
import type { Json } from "./ports.ts";

/** A promotion that waits for people: its document, and who may say what about it. Pure. */

export type PendingStatus = "pending" | "applied" | "rejected" | "voided" | "expired";

interface Approval {
  readonly by: string;
  readonly at: string;
  readonly comment: string | null;
}

/** The document `promotion/<id>`. */
export interface PendingPromotion {
  readonly id: string;
  readonly status: PendingStatus;
  /** What was agreed to: any edit on either side, and any change of the policy, gives the order another plan. */
  readonly plan_id: string;
  readonly order: PromotionOrder;
  readonly vars: Readonly<Record<string, string>>;
  /** Secrets that the request gave, already in the vault. */
  readonly references: Readonly<Record<string, Json>>;
  readonly fingerprint: string | null;
  readonly force: Force | null;
  /** Nobody asked for it by hand, so that a hold keeps it out. */
  readonly automatic?: true;
  readonly message: string | null;
  readonly version: string;
  readonly source_revision: number;
  readonly target_revision: number;
  readonly requested_by: string;
  readonly requested_at: string;
  readonly expires_at: string;
  readonly needed: number;
  readonly by: readonly string[] | null;
  readonly approvals: readonly Approval[];
  readonly rejection: Approval | null;
  readonly closed_at: string | null;
  readonly closed_reason: string | null;
  /** The revision that it became. */
  readonly revision: number | null;
  readonly checks: readonly CheckResult[];
  readonly diff_from_previous: DiffFromPrevious;
}

/** One promotion as the list shows it. */
export type PromotionView = Omit<PendingPromotion, "order" | "vars" | "references" | "fingerprint" | "force" | "automatic"> & {
  readonly project_id: string;
  readonly source_env: string;
  readonly target_env: string;
  /** Who can bring it on: names, or `null` for anybody but the requester and those who have approved. */
  readonly waiting_for: readonly string[] | null;
  readonly missing: number;
};

export function promotionView(promotion: PendingPromotion): PromotionView {
  const { order, vars: _, references: __, fingerprint: ___, force: ____, automatic: _____, ...shown } = promotion;
  const open = promotion.status === "pending";
  const done = new Set([promotion.requested_by, ...promotion.approvals.map(({ by }) => by)].map(personOf));
  return {
    ...shown,
    project_id: order.project,
    source_env: order.source,
    target_env: order.target,
    waiting_for: open && promotion.by !== null ? promotion.by.filter((actor) => !done.has(personOf(actor))) : open ? null : [],
    missing: open ? Math.max(0, promotion.needed - promotion.approvals.length) : 0,
  };
}

/** @throws self_approval, forbidden, already_approved */
export function checkMayApprove(promotion: PendingPromotion, caller: Caller): void {
  const person = personOf(caller.actor);
  if (personOf(promotion.requested_by) === person) {
    throw new AppError("self_approval", {
      reason: `${quoted(caller.actor)} asked for this promotion and cannot approve it.`,
      fix: promotion.by === null ? "Ask somebody else to approve it." : `Ask one of ${promotion.by.join(", ")}.`,
    });
  }
  if (promotion.by !== null && !promotion.by.includes(caller.actor)) {
    throw new AppError("forbidden", {
      reason: `By the policy, ${quoted(caller.actor)} is not among those who approve this promotion.`,
      fix: `Ask one of ${promotion.by.join(", ")}.`,
    });
  }
  if (promotion.approvals.some(({ by }) => personOf(by) === person)) {
    throw new AppError("already_approved", {
      reason: `${quoted(caller.actor)} has approved this promotion already.`,
      fix: "Somebody else must approve it too.",
    });
  }
}

/** A promotion is its target's: nobody else sees it, and no engine agrees to anything. @throws promotion_not_found, forbidden */
export function checkMayDecide({ id, order }: PendingPromotion, caller: Caller): void {
  if (!may(caller, "read", order.project, order.target)) throw promotionNotFound(order.project, id);
  if (may(caller, "approve", order.project, order.target)) return;
  throw forbidden(
    caller,
    `approve or reject promotions to ${quoted(order.target)}`,
    "A promoter or an admin of that environment must, with a token of their own.",
  );
}

export function promotionNotFound(project: string, id: string): AppError {
  return new AppError("promotion_not_found", {
    reason: `Project ${quoted(project)} has no promotion ${quoted(id)}.`,
    fix: `GET /env/${project}/promotions lists them.`,
  });
}

/** @throws promotion_closed */
export function checkOpen(promotion: PendingPromotion): void {
  if (promotion.status !== "pending") throw promotionClosed(promotion);
}

export function promotionClosed(promotion: PendingPromotion): AppError {
  const why = promotion.closed_reason === null ? "" : `: ${promotion.closed_reason}`;
  return new AppError("promotion_closed", {
    reason: sentence(`The promotion ${quoted(promotion.id)} is ${promotion.status}${why}`),
    fix: promotion.status === "applied" ? "There is nothing left to do." : "Promote again to put up a new plan.",
    details: { status: promotion.status },
  });
}
