import { AppError } from "./errors.ts";
import type { Commit } from "./git-origins.ts";
import { checkFolder } from "./git-source-documents.ts";
import { type Documents, findRevision } from "./heads.ts";
import { LIMITS } from "./limits.ts";
import { EMPTY_ROOT } from "./merkle/index.ts";
import type { Environment, Snapshot } from "./model.ts";
import { quoted } from "./names.ts";
import type { Hash } from "./ports.ts";
import type { EditableMaps } from "./snapshots.ts";

/** What both sides of a pull started from: where the commit stands to what was pulled before. */

/** Where a commit comes from, as a pull says it. */
export interface PullStart {
  readonly env: string;
  readonly commit: Commit;
  /** The folder of the repository that the content is of; its root where left out. */
  readonly path?: string | undefined;
  /** The commit that was pulled last, which the content is the difference to. Left out, the content is all that the commit holds. */
  readonly from?: string | undefined;
  /** The environment's revision that the commit was made on, where its history says so. */
  readonly base_revision?: number | undefined;
  /** The commit does not descend from the one that was pulled last, and that is accepted. */
  readonly rewritten?: boolean | undefined;
}

/** The document `pulled/<env>`: the commit that an environment was last brought up to, and what it held. The base of the next merge. */
export interface Pulled extends Snapshot {
  readonly commit: string;
  /** The folder of the repository that was read; empty for its root. */
  readonly path: string;
  readonly revision: number;
  readonly at: string;
  readonly by: string;
}

export const EMPTY: Snapshot = { platform: EMPTY_ROOT, config: EMPTY_ROOT };

interface Base {
  readonly base: Snapshot;
  readonly rewritten: boolean;
}

/** What both sides started from. @throws invalid_request, plan_stale, history_rewritten, revision_not_found */
export async function baseOf(
  documents: Documents,
  maps: EditableMaps,
  order: PullStart,
  head: Environment,
  before: Pulled | null,
): Promise<Base> {
  const { env, commit, path = "", from, base_revision, rewritten = false } = order;
  checkFolder(path);
  // The same commit, which somebody else pulled meanwhile: what it changed is there, and there is no other history.
  if (before !== null && before.commit === commit.id && before.path === path) return { base: before, rewritten: false };
  if (from !== undefined) {
    if (before !== null && before.commit === from && before.path === path) return { base: before, rewritten: false };
    throw before === null ? nothingPulled(env, from) : broughtUp(env, before);
  }
  if (base_revision !== undefined) {
    const base = await ownRevision(documents, maps, base_revision, head, before);
    if (!(base instanceof AppError)) return { base, rewritten: false };
    if (!rewritten) throw base;
  }
  if (before === null) return { base: EMPTY, rewritten: false };
  if (rewritten) return { base: before, rewritten: true };
  throw new AppError("history_rewritten", {
    reason:
      before.path === path
        ? `The commit does not descend from ${short(before.commit)}, which was pulled into ${quoted(env)} before.`
        : `What was pulled into ${quoted(env)} before is of another folder: ${before.path === "" ? "the repository's root" : quoted(before.path)}.`,
    fix: "Look at who rewrote the branch, and why; where it is meant, pull with --accept-rewrite (`rewritten` of the request).",
    details: { pulled: before.commit },
  });
}

/** The revision of the environment that a commit says it was made on; or why that cannot be what both sides started from. */
async function ownRevision(
  documents: Documents,
  maps: EditableMaps,
  revision: number,
  head: Environment,
  before: Pulled | null,
): Promise<Snapshot | AppError> {
  if (revision > head.revision) {
    return new AppError("revision_not_found", {
      reason: `The commit says that it was made on revision ${revision} of ${quoted(head.env)}, whose newest is ${head.revision}.`,
      fix: "Its history is that of another engine: pull with --accept-rewrite (`rewritten` of the request), which compares all that it holds.",
    });
  }
  // What was pulled since then would look like changes of the environment's own, which the commit knows nothing of.
  if (before !== null && revision < before.revision) return broughtUp(head.env, before);
  const { platform, config } = await findRevision(documents, head, revision);
  return { platform, config: await withoutSecrets(maps, config) };
}

function nothingPulled(env: string, from: string): AppError {
  return new AppError("plan_stale", {
    reason: `Nothing was pulled into ${quoted(env)} yet, so ${short(from)} is no commit to begin at.`,
    fix: "Send all that the commit holds, without `from`.",
    details: { pulled: null },
  });
}

/** Another commit, or another folder, was pulled since the content was read. */
export function broughtUp(env: string, { commit, path, revision }: Pulled): AppError {
  const folder = path === "" ? "" : `, folder ${quoted(path)}`;
  return new AppError("plan_stale", {
    reason: `${quoted(env)} was brought up to the commit ${short(commit)}${folder} meanwhile, as of its revision ${revision}.`,
    fix: "Read again which commit was pulled last, and send what changed since.",
    details: { pulled: commit },
  });
}

async function withoutSecrets(maps: EditableMaps, config: Hash): Promise<Hash> {
  const names = await maps.names(config, { prefix: "secrets/", limit: LIMITS.configEntries });
  return (await maps.edit(config, new Map(names.map((name) => [name, undefined])))).root;
}

function short(commit: string): string {
  return commit.slice(0, 12);
}
