import * as z from "zod";
import { LIMITS } from "../limits.ts";
import { PromoteBody } from "../schemas/promotions.ts";
import { RollbackBody } from "../schemas/versions.ts";
import type { ReplyOf, RequestOf } from "../sdk/index.ts";
import { agreed, confirming, env, howToApply, project_id } from "./members.ts";
import { type Answer, type Tool, tool, type Work } from "./tool.ts";
import { checkLines, conflictLines, counted, diffLines, lines, names, quoted } from "./words.ts";

/** Promotion and rollback: the engine makes the plan and its id, and applies it or says that it is another by now. */

const { version, strategy, resolve, only, except, flags, vars, force, message } = PromoteBody.shape;

/** As the route takes it, but for `env_variables`: values that may be secrets do not go through an assistant. */
const promotion = {
  project_id,
  source_env: env.meta({ description: "The environment whose version travels. `dev`, `stage` and `prod` stand for the usual names." }),
  target_env: env.meta({ description: "The environment that receives it." }),
  version,
  strategy,
  resolve,
  only,
  except,
  flags,
  vars,
  force,
  message,
};

type Promotion = z.output<ReturnType<typeof promotionInput>>;
const promotionInput = () => z.strictObject(promotion);

async function requestOf(work: Work, { project_id, source_env, target_env, ...choices }: Promotion): Promise<RequestOf<"promote">> {
  const project = await work.project(project_id);
  return {
    project_id: project,
    source_env: await work.env(project, source_env),
    target_env: await work.env(project, target_env),
    ...choices,
  };
}

const planPromotion = tool({
  name: "plan_promotion",
  title: "Plan a promotion",
  description: "What promoting would change, and what is in the way: every check with its reason and fix. Changes nothing.",
  input: promotionInput(),
  uses: ["promote"],
  effect: "reads",
  run: async (work, given) => planned(work, await requestOf(work, given)),
});

const promote = tool({
  name: "promote",
  title: "Promote a version",
  description:
    "Brings a version from one environment to the next. The first call shows the plan and changes nothing; called again with its plan_id and confirm, " +
    "exactly that plan is applied, or refused where anything changed since.",
  input: z.strictObject({ ...promotion, ...confirming }),
  uses: ["promote", "listPromotions"],
  effect: "changes",
  async run(work, { plan_id, confirm, ...given }) {
    const request = await requestOf(work, given);
    const word = agreed({ plan_id, confirm });
    if (word === null) return planned(work, request);
    const { idempotencyKey, ...choices } = applying(word);
    const again = await closedBefore(work, request.project_id, word.plan_id);
    const key = again === null ? idempotencyKey : `${idempotencyKey}-${again}`;
    const reply = await work.client.promote({ ...request, ...choices, idempotencyKey: key }, work.options);
    return { text: outcomeText(reply), data: reply };
  },
});

/**
 * The newest promotion of this very plan that people rejected, or let run out: to ask again is another request, though nothing of the plan
 * has changed. `null` where there is none.
 */
async function closedBefore(work: Work, project: string, plan_id: string): Promise<string | null> {
  const { items } = await work.client.listPromotions({ project, limit: LIMITS.mcpNames }, work.options);
  return items.find((promotion) => promotion.plan_id === plan_id && promotion.status !== "pending")?.id ?? null;
}

/** The id of the plan is the key by which it is known: a call whose answer was lost may be made again. */
function applying({ plan_id, name }: NonNullable<ReturnType<typeof agreed>>) {
  return { plan_id, idempotencyKey: `mcp-${plan_id}`, ...(name !== null && { confirm: name }) };
}

async function planned(work: Work, request: RequestOf<"promote">): Promise<Answer> {
  const plan = await work.client.promote({ ...request, dry_run: true }, work.options);
  return { text: planText(plan), data: plan };
}

const RELATIONS: Readonly<Record<string, string>> = {
  identical: "Both have the same.",
  source_ahead: "The source is ahead.",
  target_ahead: "The target is ahead: it has all that the source has.",
  diverged: "Both have changes that the other lacks.",
};

type Plan = ReplyOf<"promote">;

function planText(plan: Plan): string {
  const { plan_id, conflicts = [], warnings = [] } = plan;
  return lines(
    `Plan ${plan_id}: ${quoted(plan.source_env)} revision ${plan.source_revision} to ${quoted(plan.environment)}, which becomes ${plan.version}` +
      (plan.source_version === undefined ? "." : `, with what ${plan.source_version} brings.`),
    RELATIONS[plan.relation] ?? plan.relation,
    "What changes:",
    diffLines(plan.diff_from_previous),
    warnings.length === 0 ? null : `Warnings: ${names(warnings)}`,
    conflicts.length === 0 ? null : ["Conflicts, to be settled with `resolve`:", ...conflictLines(conflicts)],
    "Checks:",
    checkLines(plan.checks),
    verdictOf(plan),
  );
}

function verdictOf(plan: Plan): string {
  const failed = plan.checks.filter(({ status }) => status === "failed");
  const isOpen = failed.every(({ name }) => name === "approvals");
  if (plan.changes_nothing && isOpen) return `There is nothing to promote: ${quoted(plan.environment)} has all of it.`;
  if (plan.applicable) return `It would be applied. ${howToApply("promote", plan.plan_id)}`;
  if (isOpen) return `It would wait for approval. ${howToApply("promote", plan.plan_id)}`;
  return `It would be refused by ${counted(failed.length, "check")}. Nothing was changed.`;
}

function outcomeText(reply: Plan): string {
  const target = quoted(reply.environment);
  if (reply.status === "no_changes") return `Nothing changes in ${target}.`;
  if (reply.status === "pending_approval") {
    const waiting = reply.checks.filter(({ name, status }) => name === "approvals" || status === "failed");
    return lines(`${reply.version} waits for approval: promotion ${reply.promotion_id}. People approve it, not you.`, checkLines(waiting));
  }
  return lines(`${target} is ${reply.version}, revision ${reply.revision}: ready for deployment.`, diffLines(reply.diff_from_previous));
}

const { to, secrets } = RollbackBody.shape;

const rollback = tool({
  name: "rollback",
  title: "Roll an environment back",
  description:
    "Makes an environment what it was: platform state and config together, as a new revision. The first call shows what would change; called again with its " +
    "plan_id and confirm, exactly that is done, or refused where anything changed since.",
  input: z.strictObject({ project_id, env, to, secrets, message, ...confirming }),
  uses: ["rollback"],
  effect: "changes",
  async run(work, { plan_id, confirm, ...given }) {
    const project = await work.project(given.project_id);
    const request = {
      ...given,
      project_id: project,
      env: await work.env(project, given.env),
      to: typeof given.to === "string" && /^\d+$/.test(given.to) ? Number(given.to) : given.to,
    };
    const word = agreed({ plan_id, confirm });
    const reply = await work.client.rollback(
      word === null ? { ...request, dry_run: true } : { ...request, ...applying(word) },
      work.options,
    );
    return { text: rollbackText(reply), data: reply };
  },
});

function rollbackText(reply: ReplyOf<"rollback">): string {
  const env = quoted(reply.env);
  if (reply.status === "no_changes") return `Nothing changes: ${env} is ${reply.version} already.`;
  const changes = diffLines(reply.diff_from_previous);
  if (reply.status === "rolled_back")
    return lines(
      `${env} is ${reply.version} again, as revision ${reply.revision}. It is held: automatic promotions wait until somebody resumes it.`,
      changes,
    );
  return lines(
    `Plan ${reply.plan_id}: ${env}, at revision ${reply.revision}, returns to revision ${reply.restored_revision} (${reply.version}).`,
    "What changes:",
    changes,
    howToApply("rollback", reply.plan_id),
  );
}

export const PROMOTING: readonly Tool[] = [planPromotion, promote, rollback];
