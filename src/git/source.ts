import { AppError } from "../errors.ts";
import type { PulledBefore, RepositoryChange } from "../ports.ts";
import { Blobs } from "./blobs.ts";
import { changedContent } from "./changes.ts";
import type { Commits, LineCommit } from "./commits.ts";

/** Where an environment is in a repository. */
export interface Place {
  readonly branch: string;
  /** The folder that holds it; empty for the root. */
  readonly path: string;
}

/** The line that the engine's own commits end in: the revision that each is. */
const TRAILER = "Env-Revision: ";

/**
 * What the newest commit of a branch brings to an environment: what changed since the commit that was pulled last, where it descends from
 * that; all that it holds, where nothing was pulled yet, where the engine itself made a commit in between, or where its history was
 * rewritten and that is accepted.
 * @throws branch_not_found, invalid_repository, history_rewritten, too_large, repository_unavailable
 */
export async function changeSince(commits: Commits, { branch, path }: Place, before: PulledBefore): Promise<RepositoryChange> {
  const tip = await commits.tip(branch);
  await checkFolder(commits, tip, path);
  const from = await base(commits, tip, before);
  const blobs = new Blobs(commits.options);
  try {
    const changes = await commits.changes(from.commit, tip, path);
    const content = await changedContent({ commits, blobs, commit: tip, folder: path }, changes);
    return { commit: await commits.facts(tip), ...from.told, ...content };
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
  return { commit, ...(from !== null && { from }), ...content };
}

interface Base {
  /** `null` where all that the commit holds is meant. */
  readonly commit: string | null;
  readonly told: Pick<RepositoryChange, "from" | "base_revision" | "rewritten">;
}

async function base(commits: Commits, tip: string, before: PulledBefore): Promise<Base> {
  const descent = before.commit === null ? "gone" : await commits.descends(tip, before.commit);
  const since = descent === "yes" ? before.commit : null;
  const revision = await newestRevision(commits, tip, since, before);
  if (revision !== null) return { commit: null, told: { base_revision: revision } };
  if (since !== null) return { commit: since, told: { from: since } };
  if (before.commit === null) return { commit: null, told: {} };
  if (!before.rewritten) throw rewritten(before.commit, descent === "gone");
  return { commit: null, told: { rewritten: true } };
}

/** Of the commits that the engine itself made of this environment, the newest after `since`: its revision is what the others were made on. */
async function newestRevision(commits: Commits, tip: string, since: string | null, { project, env }: PulledBefore): Promise<number | null> {
  if (since === tip) return null;
  const newest = await commits.newestWith(tip, since, `${TRAILER}${project}/${env}@[0-9]+$`);
  const [, number] = new RegExp(`^${TRAILER}[^\\n]*@(\\d{1,12})$`, "m").exec(newest?.message ?? "") ?? [];
  return number === undefined ? null : Number(number);
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

function rewritten(commit: string, isGone: boolean): AppError {
  return new AppError("history_rewritten", {
    reason: isGone
      ? `The commit ${commit.slice(0, 12)}, which was pulled before, is not in the repository any more.`
      : `The branch does not descend from ${commit.slice(0, 12)}, which was pulled before.`,
    fix: "Look at who rewrote the branch, and why; where it is meant, pull with --accept-rewrite (`rewritten` of the request).",
    details: { pulled: commit },
  });
}
