import type { ReplyOf, RequestOf } from "../../sdk/index.ts";
import { collect, collectNames, does, leaf } from "../command.ts";
import type { Context } from "../context.ts";
import { parsedDocument } from "../documents.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { usage } from "../failure.ts";
import { checkLines, conflictLines, counted, diffLines } from "../telling.ts";
import { assignments, readDocument, readValues } from "../values.ts";
import { shown } from "../width.ts";

interface Promoting {
  readonly version?: string;
  readonly only?: string[];
  readonly except?: string[];
  readonly flags?: string[];
  readonly vars?: string[];
  readonly set?: string[];
  readonly dryRun?: boolean;
  readonly plan?: string | boolean;
  readonly merge?: boolean;
  readonly replace?: boolean;
  readonly resolve?: string[];
  readonly force?: boolean;
  readonly forceCheck?: string[];
  readonly message?: string;
}

type Request = RequestOf<"promote">;
type Reply = ReplyOf<"promote">;

export const promote = () =>
  does<Promoting>(
    leaf("promote", {
      summary: "Bring a version from one environment to the next",
      about:
        "Shows the plan first: what changes, and what each check says with its reason and fix. Then exactly that plan is applied, or refused where anything changed since. Ends with 6 where the rules refuse it or it waits for approval",
      examples: [
        "envm promote staging production --dry-run",
        "envm promote staging production -y -m 'Weekly release'",
        "envm promote dev stage --only flows/welcome,entities/* --set API_URL=https://staging.example.com",
        "envm promote dev stage --merge",
        "envm promote staging production --force-check soak_time -m 'Hot fix' -y",
      ],
    })
      .argument("<source>", "the environment whose version travels")
      .argument("<target>", "the environment that receives it")
      .option("--version <version>", "a version that the source had, or the beginning of one")
      .option("--only <names>", "these components alone: collection/name or collection/*, separated by commas", collectNames)
      .option("--except <names>", "all components but these", collectNames)
      .option("--flags <names>", "flags whose definition travels too", collectNames)
      .option("--vars <names>", "vars whose value travels too", collectNames)
      .option(
        "--set <name=value>",
        "a variable to set in the target with it; secret by its name (- and @FILE as in `envm var set`)",
        collect,
      )
      .option("--merge", "keep the target's own changes: merge both sides")
      .option("--replace", "give the target's own changes up")
      .option("--resolve <name=how>", "settles a conflict of a merge: ours, theirs, or @FILE with the new body", collect)
      .option("--force", "skip the failed checks that the policy lets an admin skip; -m says why")
      .option("--force-check <names>", "skip these checks alone", collectNames)
      .option("--dry-run", "show the plan, and change nothing")
      .option("--plan [plan_id]", "without a value the same as --dry-run; with one, apply that plan")
      .option("-m, --message <why>", "why"),
    async (context, options, source = "", target = "") => {
      const request = await requestOf(context, options, source, target);
      const planId = typeof options.plan === "string" ? options.plan : null;
      if (planId !== null && !options.dryRun) {
        await context.confirmProduction(request.target_env, `This changes ${request.target_env}.`, { grave: true });
        return applied(context, request, planId);
      }
      const plan = await context.client.promote({ ...request, dry_run: true });
      if (options.dryRun || options.plan === true) {
        showPlan(context, plan);
        return plan.applicable === false && !waits(plan) ? EXIT.policy : EXIT.ok;
      }
      if (context.output.mode === "human") showPlan(context, plan);
      if (!leavesAsItIs(plan)) await context.confirmProduction(request.target_env, `This changes ${request.target_env}.`, { grave: true });
      return applied(context, request, plan.plan_id);
    },
  );

async function requestOf(context: Context, options: Promoting, source: string, target: string): Promise<Request> {
  const { merge, replace, force, forceCheck, message, set = [], resolve = [] } = options;
  if (merge && replace) throw usage("--merge and --replace do not go together.", "Choose one of them.");
  if ((force || forceCheck) && !message) throw usage("Skipping checks needs a reason.", "Add -m 'why': the audit log keeps it.");
  const variables = await readValues(assignments(set), { prompts: context.prompts, hidden: true });
  const chosen = {
    version: options.version,
    only: options.only,
    except: options.except,
    flags: options.flags,
    vars: options.vars,
    message,
    strategy: merge ? "merge" : replace ? "replace" : undefined,
    resolve: resolve.length === 0 ? undefined : await resolutions(resolve),
    env_variables: set.length === 0 ? undefined : variables,
    force: forceCheck !== undefined ? { checks: forceCheck, reason: message } : force ? { reason: message } : undefined,
  };
  const given = Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== undefined));
  const sides = { project_id: context.project, source_env: await context.resolve(source), target_env: await context.resolve(target) };
  // What a check may be called, and a body may hold, is the engine's to say.
  return { ...sides, ...given } as Request;
}

/** What `--resolve` says of each component. */
export async function resolutions(texts: readonly string[]): Promise<Record<string, unknown>> {
  return Object.fromEntries(await Promise.all(texts.map(resolution)));
}

async function resolution(text: string): Promise<readonly [string, unknown]> {
  const at = text.indexOf("=");
  if (at < 1) throw usage(`${text} does not say how the conflict is settled.`, "For example --resolve flows/welcome=theirs.");
  const how = text.slice(at + 1);
  if (how === "ours" || how === "theirs") return [text.slice(0, at), how];
  if (!how.startsWith("@")) throw usage(`${how} settles no conflict.`, "Say ours, theirs, or @FILE with the new body.");
  return [text.slice(0, at), await parsedDocument(await readDocument(how), how.slice(1))];
}

async function applied(context: Context, request: Request, plan_id: string): Promise<ExitCode> {
  const { client, output } = context;
  // Whoever came here named the target, and typed it once more where it is production.
  const reply = await client.promote({ ...request, plan_id, confirm: request.target_env });
  if (output.mode === "json") output.json(reply);
  return showOutcome(context, reply);
}

/** What became of it, also of one that somebody approved. */
export function showOutcome({ output }: Context, reply: Reply): ExitCode {
  if (reply.status === "pending_approval") {
    output.say(`${reply.version} waits for approval: promotion ${reply.promotion_id}.`, "warn");
    for (const check of reply.checks.filter(({ name, status }) => name === "approvals" || status === "failed"))
      for (const line of checkLines(check)) output.say(`  ${line}`);
    output.say(`  next: somebody else types envm approve ${reply.promotion_id}`);
    return EXIT.policy;
  }
  if (reply.status === "no_changes") output.say(`Nothing changes in ${reply.environment}.`);
  else output.say(`${reply.environment} is ${reply.version}, revision ${reply.revision}: ready for deployment.`, "good");
  return EXIT.ok;
}

/** Whether nothing is in the way but somebody's word. */
function waits({ checks }: Reply): boolean {
  return checks.every(({ name, status }) => status !== "failed" || name === "approvals");
}

/** Where it changes nothing, nobody's word is asked for. */
function leavesAsItIs(plan: Reply): boolean {
  return plan.changes_nothing === true && waits(plan);
}

function showPlan({ output }: Context, plan: Reply): void {
  if (output.mode === "json") output.json(plan);
  if (output.mode === "plain") output.line(plan.plan_id);
  if (output.mode !== "human") return;
  output.line(
    `${shown(plan.source_env)} revision ${plan.source_revision} → ${shown(plan.environment)}: ${plan.version}${plan.source_version === undefined ? "" : `, with what ${plan.source_version} brings`}`,
  );
  output.line(`  ${RELATIONS[plan.relation] ?? plan.relation}`);
  for (const line of diffLines(plan.diff_from_previous)) output.line(`  ${line}`);
  for (const warning of plan.warnings ?? []) output.line(`  ! ${shown(warning)}`);
  for (const conflict of plan.conflicts ?? []) for (const line of conflictLines(conflict)) output.line(`  ${line}`);
  output.line("Checks:");
  const skipped = plan.checks.filter(({ status }) => status === "skipped");
  for (const check of plan.checks.filter(({ status }) => status !== "skipped"))
    for (const line of checkLines(check)) output.line(`  ${line}`);
  if (skipped.length > 0) output.line(output.paint(`  - not asked: ${skipped.map(({ name }) => name).join(", ")}`, "dim"));
  const failures = plan.checks.filter(({ status }) => status === "failed").length;
  const verdict = leavesAsItIs(plan)
    ? `There is nothing to promote: ${shown(plan.environment)} has all of it.`
    : plan.applicable
      ? "It would be applied."
      : waits(plan)
        ? "It would wait for approval."
        : `It would be refused by ${counted(failures, "check")}.`;
  output.line(`Plan ${plan.plan_id}: ${verdict}`);
}

const RELATIONS: Readonly<Record<string, string>> = {
  identical: "both have the same",
  source_ahead: "the source is ahead",
  target_ahead: "the target is ahead: it has all that the source has",
  diverged: "both have changes that the other lacks",
};
