import type { Commits, LineCommit } from "../../git/commits.ts";
import { EnvmError } from "../../sdk/errors.ts";
import type { RequestOf } from "../../sdk/index.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { Failure, usage } from "../failure.ts";
import { Progress } from "../progress.ts";
import { folderWithin, withRepository } from "../repository.ts";
import { counted } from "../telling.ts";
import { shown } from "../width.ts";

/** `envm import --git`: a repository with a branch or folder for each environment becomes a project with its history. */

export interface ImportingGit {
  readonly git: string;
  readonly path?: string;
  readonly envFrom?: string;
  readonly branch?: string;
  readonly map?: readonly string[];
  readonly dryRun?: boolean;
}

/** One environment, and where it is in the repository. */
interface Target {
  readonly env: string;
  /** What people call the place. */
  readonly from: string;
  readonly tip: string;
  readonly folder: string;
}

interface Planned extends Target {
  readonly exists: boolean;
  /** The commit that was brought in last: the import goes on after it. */
  readonly since: string | null;
  readonly commits: number;
}

const ENVIRONMENT = /^[a-z0-9][a-z0-9_-]{0,62}$/;

export function importRepository(context: Context, options: ImportingGit): Promise<ExitCode> {
  // All branches have to be there.
  return withRepository(options.git, options.envFrom === "folders" ? (options.branch ?? null) : null, async (commits) => {
    if (await commits.isShallow())
      throw usage("The clone is shallow, so that its history is not there.", "Fetch the rest of it: git fetch --unshallow.");
    const targets = await targetsOf(context, commits, options);
    const plan = await Promise.all(targets.map((target) => planned(context, commits, target)));
    showPlan(context, plan);
    const total = plan.reduce((sum, { commits: count }) => sum + count, 0);
    if (options.dryRun || total === 0) {
      context.output.say(total === 0 ? "Everything is there." : "Nothing was changed.");
      return EXIT.ok;
    }
    if (context.prompts.possible) await context.confirm(`Bring ${counted(total, "commit")} into ${context.project}?`);
    return bringIn(context, commits, plan, total);
  });
}

async function targetsOf({ output }: Context, commits: Commits, { path = "", envFrom, branch, map = [] }: ImportingGit): Promise<Target[]> {
  const folder = folderWithin(path);
  const names = new Map(map.map(mapping));
  const found: Target[] = [];
  if (envFrom === "folders") {
    const tip = await commits.tip(branch ?? "HEAD");
    for (const name of await commits.folders(tip, folder)) {
      found.push({ env: names.get(name) ?? name, from: name, tip, folder: folder === "" ? name : `${folder}/${name}` });
    }
  } else if (envFrom === "branches") {
    if (branch !== undefined) throw usage("--branch does not go with --env-from branches: all of them are looked at.", "Leave it out.");
    for (const name of await commits.branches())
      found.push({ env: names.get(name) ?? name, from: name, tip: await commits.tip(name), folder });
  } else throw usage("What is an environment: a branch, or a folder?", "Say --env-from branches or --env-from folders.");
  const [good, bad] = [found.filter(({ env }) => ENVIRONMENT.test(env)), found.filter(({ env }) => !ENVIRONMENT.test(env))];
  for (const { from } of bad) output.warn(`${from} cannot name an environment and is left out; --map ${from}=NAME gives it a name.`);
  const unknown = [...names.keys()].find((name) => !found.some(({ from }) => from === name));
  if (unknown !== undefined)
    throw usage(
      `There is no ${envFrom === "folders" ? "folder" : "branch"} ${unknown} to give a name to.`,
      "git branch --list, or ls, shows what there is.",
    );
  const twice = good.find(({ env }, index) => good.findIndex((other) => other.env === env) !== index);
  if (twice !== undefined) throw usage(`Two of them would be ${twice.env}.`, "Give one another name with --map.");
  if (good.length > 0) return good;
  throw usage(
    "There is nothing to bring in.",
    "Name the folder that holds the environments (--path), and what they are made of (--env-from).",
  );
}

function mapping(text: string): readonly [string, string] {
  const at = text.lastIndexOf("=");
  if (at > 0 && at < text.length - 1) return [text.slice(0, at), text.slice(at + 1)];
  throw usage(`${text} gives nothing a name.`, "For example --map main=production.");
}

async function planned({ client, project }: Context, commits: Commits, target: Target): Promise<Planned> {
  const known = await client.getGitSource({ project, env: target.env }).catch((error: unknown) => {
    if (error instanceof EnvmError && (error.code === "project_not_found" || error.code === "environment_not_found")) return null;
    throw error;
  });
  const since = known?.pulled?.commit ?? null;
  if (known?.pulled && known.pulled.path !== target.folder) {
    throw new Failure(
      EXIT.conflict,
      "history_rewritten",
      `${target.env} was brought up to a commit's folder ${shown(known.pulled.path === "" ? "." : known.pulled.path)}, and not ${shown(target.folder === "" ? "." : target.folder)}.`,
      "Name that folder (--path), or give the environment another name (--map).",
    );
  }
  if (since !== null && (await commits.descends(target.tip, since)) !== "yes") {
    throw new Failure(
      EXIT.conflict,
      "history_rewritten",
      `${target.from} does not descend from ${since.slice(0, 12)}, which ${target.env} was brought up to.`,
      `Look at who rewrote it; where that is meant, envm git pull --accept-rewrite -e ${target.env} takes its newest commit.`,
    );
  }
  return { ...target, exists: known !== null, since, commits: await commits.length(target.tip, target.folder, since) };
}

function showPlan({ output, project }: Context, plan: readonly Planned[]): void {
  if (output.mode === "json")
    output.json({
      project_id: project,
      environments: plan.map(({ exists, tip, folder, env, since, commits }) => ({ env, exists, tip, folder, since, commits })),
    });
  if (output.mode === "plain") output.lines(plan.map(({ env, commits }) => `${env}\t${commits}`));
  if (output.mode !== "human") return;
  output.table(
    ["environment", "from", "commits", ""],
    plan.map(({ env, from, commits, exists, since }) => [
      env,
      from,
      String(commits),
      since === null ? (exists ? "exists" : "new") : `goes on after ${since.slice(0, 12)}`,
    ]),
  );
}

/** The commits of all environments in the order in which they were made, each as one revision of its own. */
async function bringIn(context: Context, commits: Commits, plan: readonly Planned[], total: number): Promise<ExitCode> {
  const { output } = context;
  const progress = new Progress(output, "Bringing in", (count) => counted(count, "commit"));
  progress.begin(total);
  const { Blobs } = await import("../../git/blobs.ts");
  const blobs = new Blobs(commits.options);
  const lines = plan.map((target) => new Line(context, commits, target));
  try {
    for (const line of lines) await line.next();
    for (let line = earliest(lines); line !== null; line = earliest(lines)) {
      await line.bring(blobs);
      progress.add(1);
      await line.next();
    }
  } finally {
    progress.end();
    blobs.close();
    for (const line of lines) await line.close();
  }
  for (const { target, revisions, revision } of lines)
    output.say(`${target.env}: ${counted(revisions, "revision")}${revision === null ? "" : `, the newest ${revision}`}.`, "good");
  return EXIT.ok;
}

function earliest(lines: readonly Line[]): Line | null {
  const open = lines.filter(({ current }) => current !== null);
  return open.reduce<Line | null>((first, line) => (first === null || line.committed < first.committed ? line : first), null);
}

/** What is left to bring into one environment. */
class Line {
  readonly target: Planned;
  readonly #context: Context;
  readonly #commits: Commits;
  readonly #rest: AsyncGenerator<LineCommit>;
  #from: string | null;
  #exists: boolean;
  #isFirst = true;
  current: LineCommit | null = null;
  revisions = 0;
  revision: number | null = null;

  constructor(context: Context, commits: Commits, target: Planned) {
    this.#context = context;
    this.#commits = commits;
    this.target = target;
    this.#rest = commits.line(target.tip, target.folder, target.since);
    this.#from = target.since;
    this.#exists = target.exists;
  }

  get committed(): number {
    return this.current?.committed ?? Number.POSITIVE_INFINITY;
  }

  async next(): Promise<void> {
    const { value, done } = await this.#rest.next();
    this.current = done ? null : value;
  }

  async bring(blobs: InstanceType<typeof import("../../git/blobs.ts").Blobs>): Promise<void> {
    if (this.current === null) return;
    const { env, folder } = this.target;
    const { client, project } = this.#context;
    const { changeOf } = await import("../../git/source.ts");
    // Where it goes on, the difference is to what is there, whichever way the history came to it.
    const changes =
      this.#isFirst && this.#from !== null ? await this.#commits.changes(this.#from, this.current.id, folder) : this.current.changes;
    this.#isFirst = false;
    const reply = await changeOf(this.#commits, blobs, folder, { ...this.current, changes }, this.#from)
      .then(async (change) => {
        // Not before its first commit can be read: nobody can delete an environment that nothing came into.
        if (!this.#exists)
          await client.createEnvironment({
            project_id: project,
            new_environment: env,
            message: `Imported from ${shown(this.target.from)}`,
          });
        this.#exists = true;
        // Components are any JSON values, which what was parsed is.
        return client.pull({ project, env, ...change } as RequestOf<"pull">);
      })
      .catch((error: unknown) => {
        throw this.#stopped(error);
      });
    this.#from = this.current.id;
    if (reply.status === "updated") this.revisions++;
    this.revision = reply.revision;
  }

  close(): Promise<unknown> {
    return this.#rest.return(undefined);
  }

  /** What was brought in stays, and the same command goes on after it. */
  #stopped(error: unknown): unknown {
    const { env, folder, from } = this.target;
    const path = folder === "" ? "" : ` --path ${shown(folder)}`;
    const first = this.#exists ? "" : `envm env create ${env}, then `;
    this.#context.output.note(
      `Stopped at ${this.current?.id.slice(0, 12)} of ${shown(from)}: the same command goes on from there. To step over commits that cannot be taken: ${first}envm git pull --git … --branch COMMIT${path} -e ${env}, with a later one that can.`,
    );
    return error;
  }
}
