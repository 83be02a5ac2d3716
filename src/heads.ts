import { AppError } from "./errors.ts";
import { keys } from "./keys.ts";
import { labelPrefix, parseLabel } from "./labels.ts";
import { LIMITS } from "./limits.ts";
import type { Environment, Label, Revision } from "./model.ts";
import { momentMs } from "./moments.ts";
import { checkEnvironmentName, checkProject, quoted } from "./names.ts";
import type { Key, Store } from "./ports.ts";
import { type Project, projectNotFound } from "./transaction.ts";

/** Documents of one project as one consistent read or one transaction sees them. */
export interface Documents {
  readonly project: string;
  getAll<Value>(keys: readonly Key[]): Promise<(Value | null)[]>;
}

/** Reads outside a transaction: each call of up to LIMITS.getKeys keys is consistent in itself. */
export function documentsOf(store: Store, project: string): Documents {
  return {
    project,
    async getAll<Value>(wanted: readonly Key[]) {
      const values: (Value | null)[] = [];
      for (let from = 0; from < wanted.length; from += LIMITS.getKeys) {
        const entries = await store.get(project, wanted.slice(from, from + LIMITS.getKeys));
        for (const entry of entries) values.push((entry?.value ?? null) as Value | null);
      }
      return values;
    },
  };
}

/** The head of an environment, whatever its status. @throws invalid_name, project_not_found, environment_not_found */
export async function findHead(documents: Documents, env: string): Promise<Environment> {
  checkProject(documents.project);
  checkEnvironmentName(env);
  const [project, head] = await documents.getAll<Project | Environment>([keys.project, keys.environment(env)]);
  if (!project) throw projectNotFound(documents.project);
  if (!head) throw environmentNotFound(documents.project, env);
  return head as Environment;
}

/** What there is not, and what the caller may not see: both look the same. */
export function environmentNotFound(project: string, env: string): AppError {
  return new AppError("environment_not_found", {
    reason: `Project ${quoted(project)} has no environment ${quoted(env)}.`,
    fix: `GET /env/${project} lists its environments; POST /env/create makes one.`,
  });
}

/** The head of an environment that may be read. @throws environment_expired too */
export async function readableHead(documents: Documents, env: string, now: () => Promise<string>): Promise<Environment> {
  const head = await findHead(documents, env);
  await checkReadable(head, now);
  return head;
}

/** Asks for the time only where it matters. @throws environment_expired */
export async function checkReadable(head: Environment, now: () => Promise<string>): Promise<void> {
  if (head.expires_at !== null || head.status === "expired") checkUnexpired(head, await now());
}

/** The head of an environment that may be changed. @throws environment_expired, environment_archived too */
export async function writableHead(documents: Documents, env: string, now: string): Promise<Environment> {
  const head = await findHead(documents, env);
  checkUnexpired(head, now);
  if (head.status === "archived") {
    throw new AppError("environment_archived", {
      reason: `The environment ${quoted(env)} is archived.`,
      fix: `Bring it back first: POST /env/restore {"project_id":"${documents.project}","env":"${env}"}.`,
    });
  }
  return head;
}

/** A preview is expired from the moment on that it names, whether or not the sweep has come by. */
export function isExpired(head: Environment, now: string): boolean {
  return head.status === "expired" || (head.expires_at !== null && head.expires_at <= now);
}

/** How a preview that ended begins again under its name: without its type the name would be taken. */
export const CREATE_ANEW = 'create it anew with POST /env/create and "type":"preview"';

function checkUnexpired(head: Environment, now: string): void {
  if (!isExpired(head, now)) return;
  throw new AppError("environment_expired", {
    reason: `The environment ${quoted(head.env)} expired${head.expires_at === null ? "" : ` at ${head.expires_at}`}.`,
    fix: `Bring it back with POST /env/restore while its grace time lasts, or ${CREATE_ANEW}.`,
  });
}

/** @throws revision_not_found */
export async function findRevision(documents: Documents, head: Environment, revision: number): Promise<Revision> {
  const inRange = Number.isSafeInteger(revision) && revision >= 1 && revision <= head.revision;
  const [found] = inRange ? await documents.getAll<Revision>([keys.revision(head.env, revision)]) : [];
  if (found) return found;
  throw new AppError("revision_not_found", {
    reason: `The environment ${quoted(head.env)} has no revision ${revision}: its newest is ${head.revision}.`,
    fix: `GET /env/${documents.project}/${head.env}/revisions lists them.`,
  });
}

const REVISION = /^\d{1,12}$/;

/**
 * Finds the revision that a person names: a revision number (`12`), a version or a prefix of one (`v2.3.1`, `v2.9`: the
 * newest revision of this environment that had it), or a time (ISO 8601: what was the head then).
 * @throws invalid_request, version_not_found, revision_not_found
 */
export async function resolveRevision(documents: Documents, head: Environment, reference: string | number): Promise<Revision> {
  if (typeof reference === "number") return findRevision(documents, head, reference);
  if (REVISION.test(reference)) return findRevision(documents, head, Number(reference));
  const moment = momentMs(reference);
  if (moment !== null) return revisionAtTime(documents, head, new Date(moment).toISOString());
  if (labelPrefix(reference) === null) {
    throw new AppError("invalid_request", {
      reason: `${quoted(reference)} names no revision.`,
      fix: "Give a version (`v2.3.1`), the beginning of one (`v2.9`), a revision number (`12`) or an ISO time (`2026-01-31T12:00:00Z`).",
    });
  }
  return findRevision(documents, head, await revisionOfVersion(documents, head, reference));
}

/** The number of the newest revision of this environment whose label is `text` or begins with it. */
export async function revisionOfVersion(documents: Documents, head: Environment, text: string): Promise<number> {
  const prefix = labelPrefix(text);
  if (prefix === null) {
    throw new AppError("invalid_request", {
      reason: `${quoted(text)} is no version.`,
      fix: "Give a version (`v2.3.1`), or the beginning of one (`v2.9`).",
    });
  }
  if (prefix.every((part, index) => part === parseLabel(head.version)[index])) return head.revision;
  const label = `v${prefix.join(".")}`;
  const known = prefix.length === 3 ? [keys.link(head.env, label), keys.label(label)] : [keys.series(head.env, prefix.join("."))];
  const [left, made] = await documents.getAll<{ revision: number } & Partial<Label>>(known);
  if (left) return left.revision;
  if (made && made.env === head.env) return made.revision;
  throw new AppError("version_not_found", {
    reason: `The environment ${quoted(head.env)} never ran a version ${quoted(label)}.`,
    fix: `GET /env/${documents.project}/${head.env}/revisions lists what it ran.`,
  });
}

/** Binary search: the timestamps of one environment's revisions never decrease. */
async function revisionAtTime(documents: Documents, head: Environment, time: string): Promise<Revision> {
  let found: Revision | null = null;
  let low = 1;
  let high = head.revision;
  while (low <= high) {
    const middle = Math.floor((low + high) / 2);
    const candidate = await findRevision(documents, head, middle);
    if (candidate.timestamp <= time) {
      found = candidate;
      low = middle + 1;
    } else high = middle - 1;
  }
  if (found !== null) return found;
  throw new AppError("revision_not_found", {
    reason: `The environment ${quoted(head.env)} did not exist yet at ${time}.`,
    fix: `Its first revision is from ${head.created_at}.`,
  });
}
