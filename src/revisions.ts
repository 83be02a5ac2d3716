import { AppError } from "./errors.ts";
import type { GitOrigin } from "./git-origins.ts";
import type { Documents } from "./heads.ts";
import { keys } from "./keys.ts";
import { bumped, exactLabel, formatLabel, parseLabel, type Semver } from "./labels.ts";
import { LIMITS } from "./limits.ts";
import type { Lineage } from "./lineage.ts";
import { snapshotId } from "./merkle/index.ts";
import type { Bump, ChangeSummary, Environment, Label, Labelling, Revision, RevisionAction, RevisionRef, Snapshot } from "./model.ts";
import { quoted } from "./names.ts";
import type { Hash, JsonObject } from "./ports.ts";
import type { Transaction } from "./transaction.ts";

/** The version of a new revision: a label that exists already, or a new one. */
export type VersionChoice = { readonly link: string } | { readonly create: string };

interface RevisionDraft {
  /** The head before, with whatever else of it changes; `revision` 0 for a new environment. */
  readonly head: Omit<Environment, "version" | "labelled_at" | "platform_since" | "updated_at" | "updated_by"> &
    ({ readonly version: string; readonly labelled_at: number | null; readonly platform_since: string } | { readonly version: null });
  readonly snapshot: Snapshot;
  readonly action: RevisionAction;
  readonly version: VersionChoice;
  readonly message: string | null;
  readonly parents: readonly RevisionRef[];
  readonly lineage: Lineage;
  readonly changes: ChangeSummary;
  readonly source?: NonNullable<Revision["source"]>;
  readonly source_version?: string;
  readonly git?: GitOrigin;
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
    platform_since: draft.head.version !== null && draft.head.platform === draft.snapshot.platform ? draft.head.platform_since : tx.clock,
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
    ...(draft.git && { git: draft.git }),
    lineage: draft.lineage,
  };
  if (draft.head.version !== null) {
    leaveLabel(tx, draft.head, version);
    if (draft.head.platform !== draft.snapshot.platform) await endStay(tx, draft.head);
  }
  if ("create" in draft.version) {
    const label: Label = { version, platform: draft.snapshot.platform, env, revision: number, created_at: tx.now };
    tx.put(keys.label(version), label);
    tx.newestLabel = version;
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
      ...(draft.git && { git: draft.git as unknown as JsonObject }),
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

/** Keeps the longest stay of each platform, so that soaking counts completed stays without reading the history. */
async function endStay(
  tx: Transaction,
  { env, platform, platform_since }: Pick<Environment, "env" | "platform" | "platform_since">,
): Promise<void> {
  const known = await tx.get<{ longest_ms: number }>(keys.stay(env, platform));
  const stayed = Date.parse(tx.clock) - Date.parse(platform_since);
  tx.put(keys.stay(env, platform), { longest_ms: Math.max(stayed, known?.longest_ms ?? 0) });
}

/** Milliseconds of the longest stay of a platform in an environment, the present one included. */
export async function longestStay(documents: Documents, head: Environment, platform: Hash, now: string): Promise<number> {
  const [known] = await documents.getAll<{ longest_ms: number }>([keys.stay(head.env, platform)]);
  const present = head.platform === platform ? Date.parse(now) - Date.parse(head.platform_since) : 0;
  return Math.max(present, known?.longest_ms ?? 0);
}

/**
 * Chooses the label of an edit: the exact one where the request gives it, otherwise the first free one after `base` in
 * steps of `bump`.
 * @throws invalid_version, version_taken, invalid_request where it gives both
 */
export async function newLabel(tx: Transaction, base: string, bump: Bump, asked: Labelling): Promise<string> {
  if (asked.version !== undefined) return exactFree(tx, asked.version, asked.bump);
  const free = supposedFree(tx, base, asked.bump ?? bump) ?? (await firstFree(tx, parseLabel(base), asked.bump ?? bump));
  if (free !== null) return free;
  throw new AppError("version_taken", {
    reason: `Too many versions after ${quoted(base)} are taken.`,
    fix: "Give the request an exact `version`.",
  });
}

/**
 * The exact label that an edit asks for.
 * @throws invalid_version, version_taken, invalid_request where it asks for a step as well
 */
export async function exactFree(documents: Documents, asked: string, bump: Bump | undefined): Promise<string> {
  if (bump !== undefined) {
    throw new AppError("invalid_request", {
      reason: `Both \`bump\` (${quoted(bump)}) and \`version\` (${quoted(asked)}) choose the version.`,
      fix: "Give one of them: `version` for the exact one, `bump` for the first free one after the environment's.",
    });
  }
  const version = exactLabel(asked);
  const [taken] = await documents.getAll<Label>([keys.label(version)]);
  if (taken === null) return version;
  throw new AppError("version_taken", {
    reason: `${quoted(version)} is already used in project ${quoted(documents.project)}: a version names one state for ever.`,
    fix: "Choose another version, or leave it out to have the next free one.",
  });
}

/**
 * What follows the label that was made last is nearly always free, so that it is not looked for: the commit fails where it is taken, and is
 * made again with a look. `null` where that label was another, as where environments take turns.
 */
function supposedFree(tx: Transaction, base: string, bump: Bump): string | null {
  const next = tx.newestLabel === base ? bumped(parseLabel(base), bump, 1) : null;
  if (next === null) return null;
  const label = formatLabel(next);
  return tx.supposeNone(keys.label(label)) ? label : null;
}

/** The document `run/<series>`: numbers from `from` to before `to` are all taken. */
interface Run {
  readonly from: number;
  readonly to: number;
}

/** Candidates looked at before anything is remembered. The first is free in nearly every edit, and asked about alone. */
const NEAR = 8;

/**
 * The first free label after `base`. Where many environments number from the same base, what was found to be taken is
 * remembered as one run for each series, so that the next one does not look at all of it again.
 */
async function firstFree(tx: Transaction, base: Semver, bump: Bump): Promise<string | null> {
  const near = (await firstOf(tx, base, bump, 1, 1)) ?? (await firstOf(tx, base, bump, 2, NEAR - 1));
  if (near !== null) return formatLabel(near.label);
  const [major, minor, patch] = base;
  const [part, series] = bump === "major" ? [major, "major"] : bump === "minor" ? [minor, `${major}`] : [patch, `${major}.${minor}`];
  const run = await tx.get<Run>(keys.run(series));
  const known = run !== null && run.from <= part + NEAR + 1 && run.to > part + NEAR + 1 ? run : null;
  for (let from = known === null ? NEAR + 1 : known.to - part, step = NEAR; from < LIMITS.labelCandidates; ) {
    const found = await firstOf(tx, base, bump, from, step);
    if (found !== null) {
      const next: Run = { from: Math.min(known?.from ?? part + 1, part + 1), to: part + found.index + 1 };
      if (run === null || known !== null || next.to - next.from > run.to - run.from) tx.put(keys.run(series), next);
      return formatLabel(found.label);
    }
    from += step;
    step = Math.min(step * 2, LIMITS.getKeys);
  }
  return null;
}

/** The first free one of `count` candidates from the nth on. */
async function firstOf(
  tx: Transaction,
  base: Semver,
  bump: Bump,
  from: number,
  count: number,
): Promise<{ label: Semver; index: number } | null> {
  const possible: { label: Semver; index: number }[] = [];
  for (let index = from; index < from + count; index++) {
    const label = bumped(base, bump, index);
    if (label !== null) possible.push({ label, index });
  }
  const taken = await tx.peek(possible.map(({ label }) => keys.label(formatLabel(label))));
  return possible.find((_, position) => !taken[position]) ?? null;
}
