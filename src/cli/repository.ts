import { AppError } from "../errors.ts";
import type { Commits } from "../git/commits.ts";
import { EXIT, EXIT_OF } from "./exit-codes.ts";
import { Failure, usage } from "./failure.ts";
import { shown } from "./width.ts";

/** A repository that somebody names: a folder of it, or an address that is fetched from as `git clone` would. */

/** `https://…`, `ssh://…`, `file://…` or `git@host:path`; anything else is a folder. */
const ADDRESS = /^(?:[a-z][a-z0-9+.-]*:\/\/|[^/\\:]+@[^/:]+:)/i;

/** Opens it for as long as `work` goes on. Of an address one branch is fetched, of which `branch` has to be the name. @throws Failure */
export async function withRepository<Result>(
  where: string,
  branch: string | null,
  work: (commits: Commits) => Promise<Result>,
): Promise<Result> {
  try {
    if (!ADDRESS.test(where)) return await work(await local(where));
    if (branch === null) throw needsBranch(where);
    const [{ withBranch }, { sweepScratch }] = await Promise.all([import("../git/fetching.ts"), import("../git/scratch.ts")]);
    await sweepScratch();
    return await withBranch({ url: where, branch, protocols: ["https", "http", "ssh", "git", "file"], env: ownKeys() }, work);
  } catch (error) {
    throw asFailure(error);
  }
}

/** A folder of a repository as Git writes it, however somebody types it: `./deploy/` is `deploy`, `.` its root. @throws Failure */
export function folderWithin(path: string): string {
  const folder = path.replace(/^(?:\.\/+)+|\/+$/g, "").replace(/^\.$/, "");
  const isWithin = folder === "" ? !path.startsWith("/") : folder.split("/").every((part) => part !== "" && part !== "." && part !== "..");
  if (isWithin) return folder;
  throw usage(
    `${shown(path)} names no folder of the repository.`,
    "Give the way from the repository's root, without a / before it and without ..: for example --path deploy/staging.",
  );
}

async function local(folder: string): Promise<Commits> {
  const [{ Commits }, { gitText, GitError }] = await Promise.all([import("../git/commits.ts"), import("../git/run.ts")]);
  try {
    const repository = await gitText(["rev-parse", "--absolute-git-dir"], { cwd: folder });
    return new Commits({ repository });
  } catch (error) {
    const isMissing = error instanceof AppError && error.code === "git_unavailable";
    if (!isMissing && !(error instanceof GitError)) throw error;
    const { stat } = await import("node:fs/promises");
    const isFolder = await stat(folder).then(
      (found) => found.isDirectory(),
      () => false,
    );
    if (isMissing && isFolder) throw error;
    throw new Failure(
      EXIT.missing,
      "repository",
      isFolder ? `${folder} is no Git repository.` : `There is no folder ${folder}.`,
      "Name the folder of a repository, or the address of one: --git.",
    );
  }
}

/** What ssh needs to show who somebody is: theirs, since it is they who fetch. */
function ownKeys(): Record<string, string> {
  const names = ["HOME", "SSH_AUTH_SOCK", "USER"] as const;
  return Object.fromEntries(names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name] ?? ""]])));
}

function needsBranch(where: string): Failure {
  return new Failure(
    EXIT.usage,
    "usage",
    `${where} is an address, of which one branch is fetched.`,
    "Name it: --branch main. For all of them, git clone it first and name the folder.",
  );
}

/** What is wrong with a repository, told as the engine tells it. */
function asFailure(error: unknown): unknown {
  if (!(error instanceof AppError)) return error;
  return new Failure(EXIT_OF[error.code] ?? EXIT.failed, error.code, error.message, error.fix ?? "");
}
