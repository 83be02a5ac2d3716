import { AppError } from "../errors.ts";
import { GitError, gitText, runGit } from "../git/run.ts";
import { LIMITS } from "../limits.ts";
import type { MirrorPusher, MirrorTarget } from "../ports.ts";
import type { ProjectRepositories, SeenRepository } from "./project-repositories.ts";
import { checkRemote, openRemote, type RemoteOptions, type Way } from "./remotes.ts";

/** Pushes projects to repositories elsewhere: what is new, and over nobody's commits. */
export class Mirror implements MirrorPusher {
  readonly #repositories: ProjectRepositories;
  readonly #options: RemoteOptions;

  constructor(repositories: ProjectRepositories, options: RemoteOptions) {
    this.#repositories = repositories;
    this.#options = options;
  }

  check(target: MirrorTarget): Promise<void> {
    return checkRemote(target, this.#options);
  }

  async push(project: string, target: MirrorTarget, signal: AbortSignal): Promise<number> {
    const repository = await this.#repositories.current(project, signal);
    const way = await openRemote(target, this.#options);
    try {
      const gone = await expiredAt(repository, way, signal);
      const refspecs = ["refs/heads/*:refs/heads/*", "refs/tags/*:refs/tags/*", ...gone.map(({ ref }) => `:${ref}`)];
      const leases = gone.map(({ ref, commit }) => `--force-with-lease=${ref}:${commit}`);
      await run(["push", "--porcelain", "--no-verify", ...leases, "--end-of-options", way.url, ...refspecs], repository, way, signal);
      return repository.state.seq;
    } catch (error) {
      throw signal.aborted ? error : told(error, target);
    } finally {
      await way.close();
    }
  }
}

function run(
  args: readonly string[],
  { path }: SeenRepository,
  { protocols = [], config = {}, env = {} }: Way,
  signal: AbortSignal,
): Promise<Buffer> {
  return runGit(args, { repository: path, protocols, config, env, timeoutMs: LIMITS.mirrorPushMs, signal });
}

/** Branches of previews that are over which the remote still has as the engine pushed them. */
async function expiredAt(repository: SeenRepository, way: Way, signal: AbortSignal): Promise<{ ref: string; commit: string }[]> {
  const expired = [...repository.state.tips].filter(([, tip]) => tip.expired);
  if (expired.length === 0) return [];
  const listed = (await run(["ls-remote", "--heads", "--end-of-options", way.url], repository, way, signal)).toString("utf8");
  const there = new Map(listed.split("\n").map((line) => line.split("\t").reverse() as [string, string]));
  const found: { ref: string; commit: string }[] = [];
  for (const [env, tip] of expired) {
    const ref = `refs/heads/${env}`;
    const commit = there.get(ref);
    if (commit !== undefined && (await isAncestor(repository.path, commit, tip.commit))) found.push({ ref, commit });
  }
  return found;
}

/** A commit that is not there is nobody's ancestor. */
async function isAncestor(repository: string, commit: string, of: string): Promise<boolean> {
  return gitText(["merge-base", "--is-ancestor", commit, of], { repository }).then(
    () => true,
    (error: unknown) => {
      if (error instanceof GitError && error.exitCode !== null) return false;
      throw error;
    },
  );
}

/** What went wrong, in words of the engine's own: what the other side writes may be anything, and is not repeated. */
function told(error: unknown, { url }: MirrorTarget): unknown {
  if (!(error instanceof GitError)) return error;
  const { stdout, stderr } = error;
  const rejected = [
    ...stdout.matchAll(/^!\t(?:[^:\t]*):refs\/(?:heads|tags)\/([^\t]+)\t\[(rejected|remote rejected)\](?: \(([^)]*)\))?/gm),
  ];
  const foreign = rejected.filter(([, , kind, why]) => kind === "rejected" && why !== "atomic push failed").map(([, name]) => name);
  if (foreign.length > 0) {
    return new AppError("mirror_diverged", {
      reason: `The mirror's ${list(foreign)} ${foreign.length === 1 ? "holds" : "hold"} commits that are not the engine's, and nothing was overwritten. Rename or remove ${foreign.length === 1 ? "it" : "them"} there, or give the project an empty repository; the rest was pushed.`,
    });
  }
  if (rejected.length > 0) {
    return unavailable(
      `The mirror refuses ${list(rejected.map(([, name]) => name))}: see its rules for branches and tags, and allow the engine's account to push there.`,
    );
  }
  if (error.exitCode === null)
    return unavailable(`The mirror does not answer: ${error.message.replace(/^git /, "the push ").split(":")[0]}.`);
  return unavailable(
    WHY.find(([pattern]) => pattern.test(stderr))?.[1] ??
      `The push to the mirror at ${hostOf(url)} failed (git ended with ${error.exitCode}).`,
  );
}

const WHY: readonly (readonly [RegExp, string])[] = [
  [
    /authentication failed|could not read (username|password)|permission denied|returned error: 40[13]/i,
    "The mirror refuses the credential: set the mirror again with one that may push there.",
  ],
  [
    /host key verification failed|no matching host key/i,
    "The mirror's host shows a key that is none of its `host_keys`: compare them with what the host publishes.",
  ],
  [
    /returned error: 404|not found|does not appear to be a git repository|does not exist/i,
    "There is no repository at the mirror's address, or the credential may not see it.",
  ],
  [
    /redirect|returned error: 30\d/i,
    "The mirror's address is redirected, and redirects are not followed: give the address that it leads to.",
  ],
  [/resolve host|connect|timed out|network|connection/i, "The mirror's host cannot be reached."],
];

function list(names: readonly (string | undefined)[]): string {
  const shown = names.slice(0, LIMITS.mirrorNames).map((name) => JSON.stringify(name));
  return shown.join(", ") + (names.length > shown.length ? ` and ${names.length - shown.length} more` : "");
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : "its address";
}

function unavailable(reason: string): AppError {
  return new AppError("mirror_unavailable", { reason });
}
