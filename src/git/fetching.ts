import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { Commits } from "./commits.ts";
import { GitError, runGit } from "./run.ts";

export interface Fetch {
  readonly url: string;
  readonly branch: string;
  /** Transports that may be used. */
  readonly protocols: readonly string[];
  readonly config?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly maxBytes?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Every object is looked at before it is kept, and what trickles in too slowly is given up. */
const CONFIG: Readonly<Record<string, string>> = {
  "fetch.fsckObjects": "true",
  "transfer.fsckObjects": "true",
  // As one pack, whose size is watched, and not as a file for each object.
  "fetch.unpackLimit": "1",
  "transfer.unpackLimit": "1",
  "http.lowSpeedLimit": "1000",
  "http.lowSpeedTime": "30",
  "core.bigFileThreshold": "16m",
};

/**
 * Fetches one branch, and nothing else, into a folder that is gone when `work` ends: no tags, no submodules, no other refs.
 * @throws repository_unavailable, branch_not_found, invalid_repository, too_large
 */
export async function withBranch<Result>(fetch: Fetch, work: (commits: Commits) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), "envm-git-"));
  try {
    await runGit(["init", "--bare", "--quiet", folder], { cwd: folder });
    await fetchInto(folder, fetch);
    return await work(new Commits({ repository: folder, ...(fetch.signal !== undefined && { signal: fetch.signal }) }));
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function fetchInto(repository: string, fetch: Fetch): Promise<void> {
  const { url, branch, protocols, config = {}, env = {}, timeoutMs = LIMITS.gitFetchMs, maxBytes = LIMITS.gitFetchBytes, signal } = fetch;
  const stop = new AbortController();
  const abort = () => stop.abort();
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted) abort();
  let isTooLarge = false;
  const watch = setInterval(() => {
    void packedBytes(repository).then((bytes) => {
      if (bytes <= maxBytes) return;
      isTooLarge = true;
      stop.abort();
    });
  }, LIMITS.gitWatchMs).unref();
  try {
    const args = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--end-of-options", url];
    const ref = `+refs/heads/${branch}:refs/heads/${branch}`;
    await runGit([...args, ref], { repository, protocols, config: { ...CONFIG, ...config }, env, timeoutMs, signal: stop.signal });
    if ((await packedBytes(repository)) > maxBytes) throw tooLarge(maxBytes);
  } catch (error) {
    throw isTooLarge ? tooLarge(maxBytes) : failure(error, branch);
  } finally {
    clearInterval(watch);
    signal?.removeEventListener("abort", abort);
  }
}

async function packedBytes(repository: string): Promise<number> {
  const folder = join(repository, "objects", "pack");
  const names = await readdir(folder).catch(() => []);
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

function tooLarge(bytes: number): AppError {
  return new AppError("too_large", {
    reason: `The branch takes more than ${bytes} bytes, its history included.`,
    fix: "Keep the platform in a repository of its own, or pull from a clone with envm git pull.",
  });
}

/** What went wrong, in words of ours: what the other side wrote is not repeated, as it may be anything. */
function failure(error: unknown, branch: string): unknown {
  if (!(error instanceof GitError)) return error;
  const said = error.stderr;
  if (/couldn't find remote ref/i.test(said)) {
    return new AppError("branch_not_found", {
      reason: `The repository has no branch ${JSON.stringify(branch)}.`,
      fix: "Name a branch that it has.",
    });
  }
  if (/fsck|unpack|index-pack|corrupt|bad object|did not send all necessary objects|invalid|malformed/i.test(said)) {
    return new AppError("invalid_repository", {
      reason: "The repository is damaged: what it sent is not sound.",
      fix: "git fsck in it says what is damaged.",
      cause: error,
    });
  }
  const why =
    error.exitCode === null
      ? error.message.replace(/^git /, "")
      : /authentication|could not read (username|password)|403|401|permission denied/i.test(said)
        ? "it asks for a credential, or refuses the one that it is shown"
        : /not found|does not (exist|appear)|404/i.test(said)
          ? "there is none at that address"
          : /redirect|30\d/i.test(said)
            ? "it answers with a redirect, and redirects are not followed"
            : "it does not answer as one";
  return new AppError("repository_unavailable", { reason: `The repository cannot be fetched: ${why}.`, cause: error });
}
