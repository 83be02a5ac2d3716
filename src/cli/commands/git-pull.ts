import type { ReplyOf, RequestOf } from "../../sdk/index.ts";
import { collect, does, group, leaf } from "../command.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { usage } from "../failure.ts";
import { folderWithin, withRepository } from "../repository.ts";
import { checkLines, conflictLines, counted, diffLines, moment, names } from "../telling.ts";
import { readValue } from "../values.ts";
import { shown } from "../width.ts";
import { resolutions } from "./promote.ts";

interface Pulling {
  readonly git?: string;
  readonly branch?: string;
  readonly path?: string;
  readonly acceptRewrite?: boolean;
  readonly resolve?: string[];
  readonly dryRun?: boolean;
  readonly version?: string;
  readonly message?: string;
}

type Request = RequestOf<"pull">;
type Reply = ReplyOf<"pull">;

export const pull = () =>
  does<Pulling>(
    leaf("pull", {
      summary: "Bring a branch of a repository into an environment",
      about:
        "What changed since the last pull is merged with what the environment changed, shown as a plan with its checks, and applied as one revision that names the commit and its author. Reads the repository of the working folder, or what --git names; where the environment follows a repository (envm git source), the engine fetches that. Ends with 5 where both changed the same, and with 6 where the rules refuse it",
      examples: [
        "envm git pull --git platform-repo --branch main -e staging --dry-run",
        "envm git pull --git platform-repo --branch main -e staging -y -m 'Weekly pull'",
        "envm git pull --git platform-repo --branch main --path deploy/qa -e staging --accept-rewrite",
      ],
    })
      .option("--git <repository>", "a folder, or an address that git can fetch from")
      .option("--branch <branch>", "the branch, or a commit; what is checked out where not given")
      .option("--path <folder>", "the folder in the repository that holds platform/ and config/")
      .option("--accept-rewrite", "take a commit that does not descend from the one that was pulled last")
      .option("--resolve <name=how>", "settles a conflict: ours (the environment's), theirs, or @FILE with the new body", collect)
      .option("--version <version>", "the exact version to make")
      .option("--dry-run", "show the plan, and change nothing")
      .option("-m, --message <why>", "why; the commit's message where not given"),
    async (context, options) => {
      const { client, output } = context;
      const env = await context.env();
      const request = await requestOf(context, env, options);
      const plan = await client.pull({ ...request, dry_run: true });
      if (options.dryRun) {
        showPlan(context, plan);
        return plan.applicable === false && !plan.changes_nothing ? EXIT.policy : EXIT.ok;
      }
      if (output.mode === "human") showPlan(context, plan);
      if (!plan.changes_nothing) await context.confirmProduction(env, `This changes ${env}.`, { grave: true });
      return told(context, await client.pull({ ...request, plan_id: plan.plan_id }));
    },
  );

async function requestOf(context: Context, env: string, options: Pulling): Promise<Request> {
  const { client, project } = context;
  const { git, branch, path = "", acceptRewrite = false, resolve = [], version, message } = options;
  const known = await client.getGitSource({ project, env });
  const given = {
    project,
    env,
    ...(resolve.length > 0 && { resolve: await resolutions(resolve) }),
    ...(version !== undefined && { version }),
    ...(message !== undefined && { message }),
  };
  if (git === undefined && branch === undefined && known.source !== null) {
    if (path !== "")
      throw usage("The folder is the source's, so --path does not go with it.", "Change it with envm git source set, or name --git.");
    return { ...given, ...(acceptRewrite && { rewritten: true }) } as Request;
  }
  const before = { project, env, pulled: known.pulled, rewritten: acceptRewrite };
  const place = { branch: branch ?? "HEAD", path: folderWithin(path) };
  const { changeSince } = await import("../../git/source.ts");
  const change = await withRepository(git ?? ".", branch ?? null, (commits) => changeSince(commits, place, before));
  // Components are any JSON values, which what was parsed is.
  return { ...given, ...change } as Request;
}

function showPlan({ output }: Context, plan: Reply): void {
  if (output.mode === "json") output.json(plan);
  if (output.mode === "plain") output.line(plan.plan_id);
  if (output.mode !== "human") return;
  output.line(`${plan.commit.slice(0, 12)} → ${shown(plan.env)}, which has ${plan.pulled_before?.slice(0, 12) ?? "no commit yet"}`);
  for (const line of diffLines(plan.diff_from_previous)) output.line(`  ${line}`);
  for (const conflict of plan.conflicts ?? []) for (const line of conflictLines(conflict, SIDES)) output.line(`  ${line}`);
  if (plan.secrets_unbound.length > 0) output.line(`  ! secrets to set here: ${names(plan.secrets_unbound)}`);
  output.line("Checks:");
  for (const check of plan.checks.filter(({ status }) => status !== "skipped"))
    for (const line of checkLines(check)) output.line(`  ${line}`);
  const failures = plan.checks.filter(({ status }) => status === "failed").length;
  const verdict = plan.changes_nothing
    ? `There is nothing to pull: ${shown(plan.env)} has all of it.`
    : plan.applicable
      ? "It would be applied."
      : `It would be refused by ${counted(failures, "check")}.`;
  output.line(`Plan ${plan.plan_id}: ${verdict}`);
}

const SIDES = ["the environment's", "the repository's"] as const;

function told({ output }: Context, reply: Reply): ExitCode {
  if (output.mode === "json") output.json(reply);
  if (reply.status === "no_changes") output.say(`Nothing changes in ${reply.env}.`);
  else output.say(`${reply.env} is ${reply.version}, revision ${reply.revision}, of commit ${reply.commit.slice(0, 12)}.`, "good");
  return EXIT.ok;
}

interface Following {
  readonly repository: string;
  readonly branch?: string;
  readonly path?: string;
  readonly username?: string;
  readonly credential?: string;
  readonly noCredential?: boolean;
  readonly rotateHook?: boolean;
}

const setSource = () =>
  does<Following>(
    leaf("set", {
      summary: "Have an environment follow a branch of a repository",
      about:
        "The engine pulls it with envm git pull, and by itself with each push that the forge's webhook tells of. The webhook's address and secret are printed once",
      examples: [
        "envm git source set https://git.example.com/platform.git --branch main --path deploy/staging -e staging",
        "envm git source set https://git.example.com/platform.git --branch main --credential @token.txt -e staging",
      ],
    })
      .argument("<repository>", "its https address")
      .requiredOption("--branch <branch>", "the branch")
      .option("--path <folder>", "the folder in it that holds platform/ and config/")
      .option("--username <name>", "who the credential belongs to; most forges take any")
      .option("--credential <token>", "a token that may read it; - reads it from standard input, @FILE from a file")
      .option("--no-credential", "take the credential away")
      .option("--rotate-hook", "make a new secret for the webhook"),
    async (context, { branch = "", path, username, credential, rotateHook }, url = "") => {
      const { client, output, project } = context;
      const env = await context.env();
      // Commander has `--no-credential` as `credential: false`, and as `true` where neither was typed.
      const typed: unknown = credential;
      const value =
        typeof typed === "string" ? (await readValue("the credential", typed, { prompts: context.prompts, hidden: true })).trim() : null;
      const reply = await client.putGitSource({
        project,
        env,
        url,
        branch,
        ...(path !== undefined && { path }),
        ...(username !== undefined && { username }),
        ...(typed === false ? { credential: null } : value !== null && { credential: value }),
        ...(rotateHook && { rotate_hook: true }),
      });
      if (output.mode === "json") return output.json(reply);
      output.say(`${env} follows ${branch} of ${shown(url)}.`, "good");
      if (reply.hook_secret === undefined) return;
      output.say("Its webhook, shown this once: content type application/json, the push event alone.");
      output.say(`  address: ${context.settings.url}/env/${project}/${env}/git/hook`);
      output.line(output.mode === "plain" ? reply.hook_secret : `  secret:  ${reply.hook_secret}`);
    },
  );

const showSource = () =>
  does(
    leaf("show", {
      summary: "Which branch an environment follows, and what was pulled last",
      examples: ["envm git source show -e staging", "envm git source show -e staging --json"],
    }),
    async (context) => {
      const { client, output, project } = context;
      const env = await context.env();
      const reply = await client.getGitSource({ project, env });
      if (output.mode === "json") return output.json(reply);
      const { source, pulled } = reply;
      output.line(
        source === null
          ? `${env} follows no repository.`
          : `${env} follows ${shown(source.branch)} of ${shown(source.url)}${source.path === "" ? "" : `, ${shown(source.path)}`}.`,
      );
      if (pulled !== null)
        output.line(
          `It has ${pulled.commit.slice(0, 12)}, revision ${pulled.revision}, pulled ${moment(pulled.at)} by ${shown(pulled.by)}.`,
        );
      if (source?.waiting) output.line("A push waits to be pulled.");
      const { outcome } = source ?? {};
      if (outcome === null || outcome === undefined) return;
      output.line(
        `The newest push, ${moment(outcome.at)}: ${outcome.status}${outcome.reason === null ? "" : `. ${shown(outcome.reason)}`}`,
      );
      if (outcome.fix !== null) output.line(`  fix: ${shown(outcome.fix)}`);
    },
  );

const removeSource = () =>
  does(
    leaf("remove", {
      summary: "Follow a repository no more",
      about: "What was pulled stays",
      aliases: ["rm"],
      examples: ["envm git source remove -e staging"],
    }),
    async (context) => {
      const env = await context.env();
      const reply = await context.client.deleteGitSource({ project: context.project, env });
      if (context.output.mode === "json") return context.output.json(reply);
      context.output.say(`${env} follows no repository any more.`, "good");
    },
  );

export const source = () => group("source", "The branch that an environment follows", [], [setSource(), showSource(), removeSource()]);
