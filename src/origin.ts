import type { CreateRequest } from "./creation.ts";
import { AppError } from "./errors.ts";
import { CREATE_ANEW, type Documents, findRevision, isExpired, readableHead, revisionOfVersion } from "./heads.ts";
import { keys } from "./keys.ts";
import { exactLabel, FIRST_LABEL, labelPrefix } from "./labels.ts";
import { EMPTY_ROOT } from "./merkle/index.ts";
import type { Caller, Environment, Label, Revision, Snapshot } from "./model.ts";
import { quoted } from "./names.ts";
import { checkMayEdit, checkUnprotected } from "./policy.ts";
import { newLabel, type VersionChoice } from "./revisions.ts";
import type { Transaction } from "./transaction.ts";

/** What a creation starts from. */
export interface Origin {
  readonly base: Environment | null;
  /** A preview of that name, which is brought up to date instead. */
  readonly existing: Environment | null;
  /** Whose vars, flags and secrets it begins with. */
  readonly inherited: Environment | null;
}

export async function findOrigin(
  documents: Documents,
  request: CreateRequest,
  caller: Caller,
  now: () => Promise<string>,
): Promise<Origin> {
  const [found] = await documents.getAll<Environment>([keys.environment(request.env)]);
  const existing = found ?? null;
  const isUpdate = existing !== null && request.type === "preview" && existing.type === "preview" && existing.status !== "archived";
  if (existing !== null && !isUpdate) throw environmentExists(documents.project, existing, await now());
  if (existing !== null) await checkMayEdit(documents, caller, existing);
  if (existing !== null && request.base === request.env) throw ownBase(request.env);
  const base = request.base === null ? null : await readableBase(documents, request.base, now);
  // Bringing a preview up to its base changes its state, as a direct edit does.
  if (existing !== null && base !== null) await checkUnprotected(documents, existing);
  // What an expired preview's secrets were is gone with its grace time: it starts over with the base's config.
  const keepsConfig = existing !== null && existing.cleared_at === null;
  return { base, existing, inherited: keepsConfig ? existing : base };
}

function environmentExists(project: string, existing: Environment, now: string): AppError {
  const state = existing.status === "active" && isExpired(existing, now) ? "expired" : existing.status;
  const is = state === "active" ? "an" : `an ${state}`;
  return new AppError("environment_exists", {
    reason: `Project ${quoted(project)} has ${is} environment ${quoted(existing.env)} already.`,
    fix: insteadOf(existing, state),
  });
}

/** What to do about a name that is taken. Of previews the request did not say that it means one: else it would be brought up to date. */
function insteadOf({ type, cleared_at }: Environment, state: Environment["status"]): string {
  if (state === "archived" && cleared_at !== null) return "Choose another name: it was archived for too long to be brought back.";
  if (state === "archived") return "Bring it back with POST /env/restore, or choose another name.";
  if (type !== "preview") return "Choose another name, or change the one that exists.";
  if (state === "active") return 'Send "type":"preview" to bring it up to date, or choose another name.';
  return `Bring it back with POST /env/restore while its grace time lasts, ${CREATE_ANEW}, or choose another name.`;
}

async function readableBase(documents: Documents, base: string, now: () => Promise<string>): Promise<Environment> {
  try {
    return await readableHead(documents, base, now);
  } catch (error) {
    if (!(error instanceof AppError) || (error.code !== "environment_not_found" && error.code !== "project_not_found")) throw error;
    throw baseNotFound(documents.project, base);
  }
}

/** What there is not, and what the caller may not see: both look the same. */
export function baseNotFound(project: string, base: string): AppError {
  return new AppError("base_not_found", {
    reason: `Project ${quoted(project)} has no environment ${quoted(base)} to start from.`,
    fix: "Name an existing environment as base_from, or leave it out to start empty.",
  });
}

function ownBase(env: string): AppError {
  return new AppError("base_not_found", {
    reason: `The preview ${quoted(env)} cannot be brought up to date from itself.`,
    fix: "Name the environment that it is to follow as base_from, or leave it out to keep its platform.",
  });
}

/** The platform to start with, its version, and the revision that it is taken from. */
export interface Start {
  readonly platform: Snapshot["platform"];
  readonly version: VersionChoice;
  readonly from: Revision | null;
}

export async function startOf(tx: Transaction, request: CreateRequest, origin: Origin): Promise<Start> {
  const asked = request.version;
  const { existing } = origin;
  const { platform, from, older } = await platformOf(tx, request, origin);
  const version = older !== null || asked === undefined ? (from?.version ?? existing?.version ?? FIRST_LABEL) : exactLabel(asked);
  const label = await tx.get<Label>(keys.label(version));
  // Nobody chose the label of the empty platform: where it names something else by now, the next free one does.
  if (label !== null && label.platform !== platform && asked === undefined)
    return { platform, version: { create: await newLabel(tx, version, "patch", {}) }, from };
  if (label === null) return { platform, version: { create: version }, from };
  if (label.platform === platform) return { platform, version: { link: version }, from };
  throw new AppError("version_taken", {
    reason: `The version ${quoted(version)} names another state of project ${quoted(tx.project)}.`,
    fix: "Choose a version that the base had, one that is free, or leave it out to link the base's.",
  });
}

/** The platform to start with. `older`: the base's newest revision that had the version asked for, where it ever had it. */
export async function platformOf(documents: Documents, { version }: CreateRequest, { base, existing }: Origin) {
  const newest = base === null ? null : await findRevision(documents, base, base.revision);
  const older = base === null || version === undefined ? null : await revisionWith(documents, base, version);
  const from = older ?? newest;
  return { platform: from?.platform ?? existing?.platform ?? EMPTY_ROOT, from, older };
}

/** The base's newest revision that had the version; `null` where it never had it. */
async function revisionWith(documents: Documents, base: Environment, version: string): Promise<Revision | null> {
  if (labelPrefix(version) === null) return null;
  try {
    return await findRevision(documents, base, await revisionOfVersion(documents, base, version));
  } catch (error) {
    if (error instanceof AppError && error.code === "version_not_found") return null;
    throw error;
  }
}
