import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { Commits } from "./commits.ts";
import { GitError, orNoRoom, runGit } from "./run.ts";
import { withScratch } from "./scratch.ts";

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
  // Each may take as much memory as one object.
  "pack.threads": "2",
};

/** What git asks the system for beyond that, it does not get: it ends instead, whether it unpacks or reads. */
const MEMORY: Readonly<Record<string, string>> = { GIT_ALLOC_LIMIT: String(LIMITS.gitObjectBytes) };

/**
 * Fetches one branch, and nothing else, into a folder that is gone when `work` ends: no tags, no submodules, no other refs.
 * @throws repository_unavailable, branch_not_found, invalid_repository, too_large
 */
export function withBranch<Result>(fetch: Fetch, work: (commits: Commits) => Promise<Result>): Promise<Result> {
  return withScratch("git", async (folder) => {
    const repository = await fetched(folder, fetch);
    return work(new Commits({ repository, env: MEMORY, ...(fetch.signal !== undefined && { signal: fetch.signal }) }));
  });
}

/** Which way commits are named cannot be asked for before: nearly all repositories have SHA-1. */
async function fetched(folder: string, fetch: Fetch): Promise<string> {
  try {
    return await fetchInto(join(folder, "sha1"), "sha1", fetch);
  } catch (error) {
    if (!(error instanceof GitError) || !isOtherFormat(error)) throw failure(error, fetch);
  }
  try {
    return await fetchInto(join(folder, "sha256"), "sha256", fetch);
  } catch (error) {
    throw failure(error, fetch);
  }
}

function isOtherFormat({ stderr }: GitError): boolean {
  return /mismatched algorithms/i.test(stderr);
}

async function fetchInto(repository: string, format: string, fetch: Fetch): Promise<string> {
  const { url, branch, protocols, config = {}, env = {}, timeoutMs = LIMITS.gitFetchMs, maxBytes = LIMITS.gitFetchBytes, signal } = fetch;
  const stop = new AbortController();
  const abort = () => stop.abort();
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted) abort();
  let isTooLarge = false;
  let isLooking = false;
  const look = async () => {
    if (isLooking) return;
    isLooking = true;
    isTooLarge ||= (await storedBytes(repository)) > maxBytes;
    isLooking = false;
    if (isTooLarge) stop.abort();
  };
  const watch = setInterval(() => void look(), LIMITS.gitWatchMs).unref();
  try {
    await runGit(["init", "--bare", "--quiet", "--template=", `--object-format=${format}`, repository]);
    const args = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--end-of-options", url];
    const ref = `+refs/heads/${branch}:refs/heads/${branch}`;
    const options = { repository, protocols, config: { ...CONFIG, ...config }, env: { ...MEMORY, ...env } };
    await runGit([...args, ref], { ...options, timeoutMs, signal: stop.signal });
    if ((await storedBytes(repository)) > maxBytes) throw tooLarge(maxBytes);
    return repository;
  } catch (error) {
    throw isTooLarge ? tooLarge(maxBytes) : error;
  } finally {
    clearInterval(watch);
    signal?.removeEventListener("abort", abort);
  }
}

/** Of packs, and of objects in files of their own: those who serve a repository as mere files have them fetched one by one. */
async function storedBytes(repository: string): Promise<number> {
  const folder = join(repository, "objects");
  let bytes = 0;
  for (const name of await readdir(folder, { recursive: true }).catch(() => [])) {
    const found = await stat(join(folder, name)).catch(() => null);
    if (found?.isFile()) bytes += found.size;
  }
  return bytes;
}

function tooLarge(bytes: number): AppError {
  return new AppError("too_large", {
    reason: `The branch takes more than ${bytes} bytes, its history included.`,
    fix: "Keep the platform in a repository of its own, or pull from a clone with envm git pull.",
  });
}

/** What went wrong, in words of ours: what the other side wrote is not repeated, as it may be anything. */
function failure(thrown: unknown, { url, branch }: Fetch): unknown {
  const error = orNoRoom(thrown);
  if (!(error instanceof GitError)) return error;
  if (error.exitCode === null) return unavailable(error.message.replace(/^git /, "").split(":")[0] ?? "", error);
  // Its address is no news, and may hold any word.
  const said = error.stderr.replaceAll(url.replace(/\/$/, ""), "");
  // What git does not take for a name is that of no branch either.
  if (/couldn't find remote ref|invalid refspec/i.test(said)) {
    return new AppError("branch_not_found", {
      reason: `The repository has no branch ${JSON.stringify(branch)}.`,
      fix: "Name a branch that it has.",
    });
  }
  if (/attempting to allocate|out of memory/i.test(said)) {
    return new AppError("too_large", {
      reason: `The repository holds an object that takes more than ${LIMITS.gitObjectBytes} bytes of memory.`,
      fix: "Keep the platform in a repository of its own, without large files.",
      cause: error,
    });
  }
  // What breaks off ends in the middle of a pack, as what is damaged may; but this passes.
  const why = DAMAGED.test(said) ? undefined : WHY.find(([pattern]) => pattern.test(said))?.[1];
  if (why !== undefined) return unavailable(why, error);
  if (DAMAGED.test(said) || /unpack|index-pack|invalid|malformed/i.test(said)) {
    return new AppError("invalid_repository", {
      reason: "The repository is damaged: what it sent is not sound.",
      fix: "git fsck in it says what is damaged.",
      cause: error,
    });
  }
  return unavailable("it does not answer as one", error);
}

const DAMAGED = /fsck|corrupt|bad object|did not send all necessary objects/i;

const WHY: readonly (readonly [RegExp, string])[] = [
  [
    /authentication failed|could not read (username|password)|returned error: 40[13]|permission denied/i,
    "it asks for a credential, or refuses the one that it is shown",
  ],
  [/returned error: 404|repository .*not found|does not appear to be a git repository/i, "there is none at that address"],
  [/returned error: 30\d|redirect/i, "it answers with a redirect, and redirects are not followed"],
  [/returned error: 429/i, "it is asked too often"],
  [/resolve host|failed to connect|couldn't connect|connection (refused|timed out|reset)|timed out/i, "its host cannot be reached"],
  [/returned error: 5\d\d/i, "its host is out of order"],
  [/too slow/i, "it answers too slowly"],
  [/early eof|unexpected disconnect|hung up unexpectedly|rpc failed/i, "the connection broke off"],
];

function unavailable(why: string, cause: Error): AppError {
  return new AppError("repository_unavailable", { reason: `The repository cannot be fetched: ${why}.`, cause });
}
