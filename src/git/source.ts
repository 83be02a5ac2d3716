import { AppError } from "../errors.ts";
import type { PulledBefore, RepositoryChange } from "../ports.ts";
import { Blobs } from "./blobs.ts";
import { changedContent } from "./changes.ts";
import type { Commits, LineCommit } from "./commits.ts";

/** Where an environment is in a repository. */
interface Place {
  readonly branch: string;
  /** The folder that holds it; empty for the root. */
  readonly path: string;
}

/**
 * What the newest commit of a branch brings to an environment: what changed since the commit that was pulled last, where it descends from
 * that; all that it holds, where nothing was pulled yet, where the engine itself made a commit in between, or where its history was
 * rewritten and that is accepted.
 * @throws branch_not_found, invalid_repository, history_rewritten, too_large, repository_unavailable
 */
export async function changeSince(commits: Commits, { branch, path }: Place, before: PulledBefore): Promise<RepositoryChange> {
  const tip = await commits.tip(branch);
  await checkFolder(commits, tip, path);
  const from = await base(commits, tip, path, before);
  const blobs = new Blobs(commits.options);
  try {
    const changes = await commits.changes(from.commit, tip, path);
    const content = await changedContent({ commits, blobs, commit: tip, folder: path }, changes);
    return { commit: await commits.facts(tip), path, ...from.told, ...content };
  } finally {
    blobs.close();
  }
}

/** What one commit of a branch's line brings, after the one before it. */
export async function changeOf(
  commits: Commits,
  blobs: Blobs,
  path: string,
  { changes, committed: _, ...commit }: LineCommit,
  from: string | null,
): Promise<RepositoryChange> {
  const content = await changedContent({ commits, blobs, commit: commit.id, folder: path }, changes);
  return { commit, path, ...(from !== null && { from }), ...content };
}

interface Base {
  /** `null` where all that the commit holds is meant. */
  readonly commit: string | null;
  readonly told: Pick<RepositoryChange, "from" | "base_revision" | "rewritten">;
}

async function base(commits: Commits, tip: string, path: string, before: PulledBefore): Promise<Base> {
  const { pulled } = before;
  const isOther = pulled !== null && pulled.path !== path;
  const descent = pulled === null || isOther ? "no" : await commits.descends(tip, pulled.commit);
  const since = descent === "yes" ? (pulled?.commit ?? null) : null;
  const revision = await newestRevision(commits, tip, since, before);
  // An older one knows nothing of what was pulled since, which would then look like changes of the environment's own.
  if (revision !== null && revision >= (pulled?.revision ?? 0)) {
    return { commit: null, told: { base_revision: revision, ...(before.rewritten && { rewritten: true }) } };
  }
  if (since !== null) return { commit: since, told: { from: since } };
  if (pulled === null) return { commit: null, told: {} };
  if (before.rewritten) return { commit: null, told: { rewritten: true } };
  if (isOther) throw otherFolder(pulled.path);
  throw (await commits.isShallow()) ? cutOff(pulled.commit) : rewritten(pulled.commit, descent === "gone");
}

/**
 * Of the commits that the engine itself made of this environment, the newest after `since`: its revision is what the others were made on. What
 * the commit holds is not relied upon, since whoever amends it keeps its message: all of the branch is compared with the revision.
 */
async function newestRevision(commits: Commits, tip: string, since: string | null, { project, env }: PulledBefore): Promise<number | null> {
  if (since === tip) return null;
  const lines = [`Env-Project: ${project}`, `Env-Environment: ${env}`, "Env-Revision: [0-9]{1,12}"];
  const message = await commits.newestWith(tip, since, lines);
  const told = (message ?? "").split("\n").flatMap((line) => /^Env-Revision: (\d{1,12})$/.exec(line)?.[1] ?? []);
  return told.length === 0 ? null : Number(told.at(-1));
}

async function checkFolder(commits: Commits, tip: string, path: string): Promise<void> {
  const found = await commits.folder(tip, path);
  if (found === "folder") return;
  throw new AppError("invalid_repository", {
    reason:
      found === "missing"
        ? `The commit ${tip.slice(0, 12)} has no folder ${JSON.stringify(path)}.`
        : `${JSON.stringify(path)} is no folder of the repository: a file, a link or a submodule stands there.`,
    fix: "Name the folder that holds platform/ and config/.",
  });
}

function otherFolder(path: string): AppError {
  return new AppError("history_rewritten", {
    reason: `What was pulled before is of another folder: ${path === "" ? "the repository's root" : JSON.stringify(path)}.`,
    fix: "Name that folder (--path); where another is meant, pull with --accept-rewrite (`rewritten` of the request).",
  });
}

/** Whether it was rewritten cannot be told. */
function cutOff(commit: string): AppError {
  return new AppError("invalid_repository", {
    reason: `The clone is shallow, and what it has of the history does not lead back to ${commit.slice(0, 12)}, which was pulled before.`,
    fix: "git fetch --unshallow brings the rest; in GitHub's and Gitea's actions/checkout, fetch-depth: 0.",
  });
}

function rewritten(commit: string, isGone: boolean): AppError {
  return new AppError("history_rewritten", {
    reason: isGone
      ? `The commit ${commit.slice(0, 12)}, which was pulled before, is not in the repository any more.`
      : `The branch does not descend from ${commit.slice(0, 12)}, which was pulled before.`,
    fix: "Look at who rewrote the branch, and why; where it is meant, pull with --accept-rewrite (`rewritten` of the request).",
    details: { pulled: commit },
  });
}
