import { createHash } from "node:crypto";
import { AppError } from "./errors.ts";
import { canonicalJson } from "./merkle/index.ts";
import type { JsonObject } from "./ports.ts";

/** What can be looked at first and applied afterwards, exactly as it was shown. */
type PlanKind = "env-plan" | "env-rollback" | "env-create";

/** Names what was planned, by all that it rests on. Neither time nor outcomes are part of it: applying checks everything again. */
export function planIdOf(kind: PlanKind, covered: JsonObject): string {
  return createHash("sha256").update(`${kind}\0`).update(canonicalJson(covered)).digest("hex").slice(0, 40);
}

/** Of a request that applies a plan. @throws plan_stale where that is not the plan any more */
export function checkPlan(asked: string | undefined, plan_id: string, what: string): void {
  if (asked === undefined || asked === plan_id) return;
  throw new AppError("plan_stale", {
    reason: `${what} changed since this plan was made.`,
    fix: "Plan again with dry_run:true, look at what changed, and apply the new plan_id.",
    details: { plan_id },
  });
}
