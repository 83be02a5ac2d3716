import { AppError } from "./errors.ts";
import { keys } from "./keys.ts";
import { bumped, exactLabel, formatLabel, parseLabel } from "./labels.ts";
import type { Transaction } from "./ledger.ts";
import { LIMITS } from "./limits.ts";
import type { Lineage } from "./lineage.ts";
import { snapshotId } from "./merkle/index.ts";
import type { Bump, ChangeSummary, Environment, Label, Labelling, Revision, RevisionAction, RevisionRef, Snapshot } from "./model.ts";
import { quoted } from "./names.ts";
import type { JsonObject } from "./ports.ts";

/** The version of a new revision: a label that exists already, or a new one. */
export type VersionChoice = { readonly link: string } | { readonly create: string };

export interface RevisionDraft {
  /** The head before, with whatever else of it changes; `revision` 0 for a new environment. */
  readonly head: Omit<Environment, "version" | "labelled_at" | "updated_at" | "updated_by"> &
    ({ readonly version: string; readonly labelled_at: number | null } | { readonly version: null });
  readonly snapshot: Snapshot;
  readonly action: RevisionAction;
  readonly version: VersionChoice;
  readonly message: string | null;
  readonly parents: readonly RevisionRef[];
  readonly lineage: Lineage;
  readonly changes: ChangeSummary;
  readonly source?: NonNullable<Revision["source"]>;
  readonly source_version?: string;
  /** What the audit record tells beyond the revision itself. */
  readonly audit?: JsonObject;
}

/**
 * Appends the next revision to an environment: the head, the revision, its label and its audit record, in the
 * transaction's one commit. Every revision of every environment is made here.
 */
export async function appendRevision(tx: Transaction, draft: RevisionDraft): Promise<{ head: Environment; revision: Revision }> {
  const { env } = draft.head;
  const number = draft.head.revision + 1;
  const version = "link" in draft.version ? draft.version.link : draft.version.create;
  const head: Environment = {
    ...draft.head,
    ...draft.snapshot,
    revision: number,
    version,
    labelled_at: "create" in draft.version ? number : draft.head.version === version ? draft.head.labelled_at : null,
    updated_at: tx.now,
    updated_by: tx.caller.actor,
  };
  const revision: Revision = {
    project_id: tx.project,
    env,
    revision: number,
    version,
    action: draft.action,
    snapshot: snapshotId(draft.snapshot.platform, draft.snapshot.config),
    ...draft.snapshot,
    created_by: tx.caller.actor,
    timestamp: tx.now,
    message: draft.message,
    parents: draft.parents,
    changes: draft.changes,
    ...(draft.source && { source: draft.source }),
    ...(draft.source_version && { source_version: draft.source_version }),
    lineage: draft.lineage,
  };
  if (draft.head.version !== null) leaveLabel(tx, draft.head, version);
  if ("create" in draft.version) {
    const label: Label = { version, platform: draft.snapshot.platform, env, revision: number, created_at: tx.now };
    tx.put(keys.label(version), label);
  }
  tx.put(keys.environment(env), head);
  tx.put(keys.revision(env, number), revision);
  await tx.audit({
    action: draft.action,
    environment: env,
    version,
    revision: number,
    details: {
      snapshot: revision.snapshot,
      changes: draft.changes as unknown as JsonObject,
      ...(draft.message !== null && { message: draft.message }),
      ...("create" in draft.version && { new_version: true }),
      ...draft.audit,
    },
  });
  return { head, revision };
}

/**
 * Notes where an environment leaves a label, and the series (`v2`, `v2.9`) that it belonged to, so that a look-up by
 * label or prefix reads one document. The newest revision of what the head still has is the head itself.
 */
function leaveLabel(tx: Transaction, head: Pick<Environment, "env" | "version" | "revision" | "labelled_at">, entered: string): void {
  const { env, version: left, revision } = head;
  if (left === entered) return;
  const [major, minor] = parseLabel(left);
  const [nextMajor, nextMinor] = parseLabel(entered);
  // Where the label was made by this very revision, its own document says so already.
  if (head.labelled_at !== revision) tx.put(keys.link(env, left), { revision });
  if (major !== nextMajor) tx.put(keys.series(env, `${major}`), { revision });
  if (major !== nextMajor || minor !== nextMinor) tx.put(keys.series(env, `${major}.${minor}`), { revision });
}

/**
 * Chooses the label of an edit: the exact one where the request gives it, otherwise the first free one after `base` in
 * steps of `bump`.
 * @throws invalid_version, version_taken
 */
export async function newLabel(tx: Transaction, base: string, bump: Bump, asked: Labelling): Promise<string> {
  if (asked.version !== undefined) {
    const version = exactLabel(asked.version);
    if ((await tx.get<Label>(keys.label(version))) === null) return version;
    throw new AppError("version_taken", {
      reason: `${quoted(version)} is already used in project ${quoted(tx.project)}: a version names one state for ever.`,
      fix: "Choose another version, or leave it out to have the next free one.",
    });
  }
  const start = parseLabel(base);
  for (let from = 1, step = 8; from < LIMITS.labelCandidates; from += step, step = Math.min(step * 2, LIMITS.getKeys)) {
    const numbers = Array.from({ length: step }, (_, index) => bumped(start, asked.bump ?? bump, from + index));
    const candidates = numbers.filter((label) => label !== null).map(formatLabel);
    if (candidates.length === 0) break;
    const taken = await tx.peek(candidates.map(keys.label));
    const free = candidates.find((_, index) => !taken[index]);
    if (free !== undefined) return free;
  }
  throw new AppError("version_taken", {
    reason: `Too many versions after ${quoted(base)} are taken.`,
    fix: "Give the request an exact `version`.",
  });
}
