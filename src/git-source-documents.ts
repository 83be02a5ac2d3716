import { AppError, isPassing } from "./errors.ts";
import { keys } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import type { CheckResult } from "./model.ts";
import { quoted } from "./names.ts";
import type { SecretReference } from "./secrets.ts";
import type { Transaction } from "./transaction.ts";

/** What became of the newest pull that the engine made by itself. */
export interface PullOutcome {
  readonly at: string;
  readonly status: "updated" | "no_changes" | "refused" | "failed";
  readonly commit: string | null;
  readonly revision: number | null;
  readonly code: string | null;
  readonly reason: string | null;
  readonly fix: string | null;
  readonly checks: readonly CheckResult[];
  /** Components in conflict; a plan of the same pull shows both sides of each. */
  readonly conflicts: readonly string[];
}

/** The document `git-source/<env>`: the branch of a repository that an environment follows. */
export interface GitSourceDocument {
  readonly env: string;
  readonly url: string;
  readonly branch: string;
  /** The folder in the repository; empty for its root. */
  readonly path: string;
  readonly username: string | null;
  readonly credential: SecretReference | null;
  /** What pushes are signed with. */
  readonly hook: SecretReference;
  readonly created_at: string;
  readonly created_by: string;
  readonly updated_at: string;
  readonly updated_by: string;
  /** Digests of the newest deliveries that were taken: one that comes again does nothing. */
  readonly deliveries: readonly string[];
  /** How many pushes were taken, and up to which of them the engine has pulled. */
  readonly asked: number;
  readonly answered: number;
  /** Pulls that failed since the last that did not. */
  readonly failures: number;
  /** When what was pushed is tried again, and not before; `null` for at once. A push brings it back there. */
  readonly next_at?: string | null;
  readonly outcome: PullOutcome | null;
}

/** A source as it is shown: no secret, and no way to one. */
interface GitSourceView {
  readonly url: string;
  readonly branch: string;
  readonly path: string;
  readonly username: string | null;
  readonly has_credential: boolean;
  readonly updated_at: string;
  readonly updated_by: string;
  /** Pushes that were taken and not pulled yet. */
  readonly waiting: boolean;
  readonly outcome: PullOutcome | null;
}

export function viewOfSource(source: GitSourceDocument): GitSourceView {
  const { url, branch, path, username, credential, updated_at, updated_by, asked, answered, outcome } = source;
  return { url, branch, path, username, has_credential: credential !== null, updated_at, updated_by, waiting: asked > answered, outcome };
}

/** @throws git_source_not_found */
export async function findSource(documents: Pick<Transaction, "getAll">, env: string): Promise<GitSourceDocument> {
  const [found] = await documents.getAll<GitSourceDocument>([keys.gitSource(env)]);
  if (found) return found;
  throw new AppError("git_source_not_found", {
    reason: `The environment ${quoted(env)} follows no repository.`,
    fix: "Say which: envm git source set https://… --branch …, or PUT /env/:project/:env/git.",
  });
}

/** What became of a pull that threw. */
export function refusalOf(error: unknown, commit: string | null, at: string): PullOutcome {
  const known = error instanceof AppError ? error : new AppError("internal_error");
  const { checks = [], conflicts = [] } = (known.details ?? {}) as {
    readonly checks?: readonly CheckResult[];
    readonly conflicts?: readonly { readonly component: string }[];
  };
  return {
    at,
    // Somebody else may have pulled at the same moment.
    status: isPassing(known) || known.code === "plan_stale" ? "failed" : "refused",
    commit,
    revision: null,
    code: known.code,
    reason: known.message.slice(0, LIMITS.messageLength),
    fix: known.fix ?? null,
    checks,
    conflicts: conflicts.slice(0, LIMITS.summaryNames).map(({ component }) => component),
  };
}

/** When a pull that a freeze alone refused may go through. */
export function openingOf({ checks }: PullOutcome): string | null {
  const failed = checks.filter(({ status }) => status === "failed");
  const [only] = failed;
  const opens = failed.length === 1 && only?.name === "freeze_window" ? only.details?.["next_open"] : null;
  return typeof opens === "string" ? opens : null;
}

const REF_PART = /^[^\p{Cc} ~^:?*[\\]+$/u;

/** As `git check-ref-format` has it. */
function isRefPart(part: string): boolean {
  return REF_PART.test(part) && !part.startsWith(".") && !part.endsWith(".") && !part.endsWith(".lock") && !part.includes("..");
}

/** A branch as Git names one, without `refs/heads/`. @throws invalid_request */
export function checkBranch(name: string): void {
  const isGood = Buffer.byteLength(name) <= LIMITS.branchBytes && !name.startsWith("-") && !name.includes("@{") && name !== "@";
  if (isGood && name.split("/").every(isRefPart)) return;
  throw new AppError("invalid_request", {
    reason: `${quoted(name)} names no branch.`,
    fix: "Give its name alone, for example `main` or `envs/staging`.",
  });
}

/** A folder of a repository as Git writes it: `deploy/staging`. @throws invalid_request */
export function checkFolder(path: string): void {
  if (path === "") return;
  const isGood = Buffer.byteLength(path) <= LIMITS.folderBytes && !/[\p{Cc}\\]/u.test(path);
  if (isGood && path.split("/").every((part) => part !== "" && part !== "." && part !== ".." && part.toLowerCase() !== ".git")) return;
  throw new AppError("invalid_request", {
    reason: `${quoted(path)} names no folder of a repository.`,
    fix: "Give the way from its root, without `/` at either end and without `..`: for example `deploy/staging`.",
  });
}
