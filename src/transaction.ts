import { hash } from "node:crypto";
import { AppError } from "./errors.ts";
import { keys } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import { canonicalJson } from "./merkle/index.ts";
import type { AuditRecord, Caller } from "./model.ts";
import { quoted } from "./names.ts";
import type { Change, Check, Entry, Hash, Json, JsonObject, Key, Put, Range, Store, StoredObject } from "./ports.ts";
import type { KnownDocuments } from "./recent-documents.ts";

/** The document `project`: written by every audited commit, so that all of them are serialised by it. */
export interface Project {
  readonly project_id: string;
  readonly created_at: string;
  readonly created_by: string;
  /** Head of the audit chain. */
  readonly audit: { readonly seq: number; readonly hash: Hash; readonly at: string };
}

export interface AuditDraft {
  readonly action: string;
  readonly environment?: string;
  readonly version?: string;
  readonly revision?: number;
  readonly details?: JsonObject;
}

/** The `prev_hash` of a project's first audit record. */
export const AUDIT_ORIGIN: Hash = "0".repeat(64);

/** The hash of an audit record: over all its other members, `prev_hash` included. */
export function auditHash(record: Omit<AuditRecord, "hash">): Hash {
  return hash("sha256", `env-audit\0${canonicalJson(record as unknown as Json)}`, "hex");
}

/** What one batch has read from the store and means to write to it. */
export class View {
  readonly project: string;
  readonly now: string;
  readonly #store: Store;
  readonly #read: Map<Key, Entry | null>;
  /** What is known without being read. Like all that is read, it is checked by the commit. */
  readonly #recent: KnownDocuments;
  readonly #puts = new Map<Key, Json>();
  readonly #deletes = new Set<Key>();
  readonly #objects = new Map<Hash, StoredObject>();
  bytes = 0;
  chain: Project["audit"] | null;
  firstRecord: AuditRecord | undefined;

  private constructor(store: Store, project: string, now: Date, recent: KnownDocuments, read: Map<Key, Entry | null>) {
    this.#store = store;
    this.project = project;
    this.#recent = recent;
    this.#read = read;
    this.chain = (read.get(keys.project)?.value as unknown as Project | undefined)?.audit ?? null;
    // Time in one project never runs backwards, whatever the clock does: a look-up by time needs the order.
    const last = this.chain === null ? 0 : Date.parse(this.chain.at);
    this.now = new Date(Math.max(now.getTime(), last)).toISOString();
  }

  static async open(store: Store, project: string, recent: KnownDocuments): Promise<View> {
    const [read, now] = await Promise.all([entriesOf(store, project, recent, [keys.project, keys.gcEpoch]), store.now()]);
    return new View(store, project, now, recent, read);
  }

  async get(wanted: readonly Key[]): Promise<(Json | null)[]> {
    const missing = wanted.filter((key) => !this.#puts.has(key) && !this.#deletes.has(key) && !this.#read.has(key));
    if (missing.length > 0) {
      for (const [key, entry] of await entriesOf(this.#store, this.project, this.#recent, missing)) this.#read.set(key, entry);
    }
    return wanted.map((key) => (this.#deletes.has(key) ? null : (this.#puts.get(key) ?? this.#read.get(key)?.value ?? null)));
  }

  async peek(wanted: readonly Key[]): Promise<boolean[]> {
    const entries = await this.#store.get(this.project, wanted);
    return wanted.map((key, index) => this.#puts.has(key) || (Boolean(entries[index]) && !this.#deletes.has(key)));
  }

  async list(range: Range): Promise<Entry[]> {
    if ([...this.#puts.keys(), ...this.#deletes].some((key) => key.startsWith(range.prefix))) {
      throw new Error(`${range.prefix} is listed in the batch that changes it`);
    }
    return [...(await this.#store.list(this.project, range))];
  }

  object(hash: Hash): Uint8Array | undefined {
    return this.#objects.get(hash)?.data;
  }

  absorb(tx: Transaction): void {
    for (const [key, value] of tx.puts) {
      this.#puts.set(key, value);
      this.#deletes.delete(key);
    }
    for (const key of tx.deletes) {
      this.#deletes.add(key);
      this.#puts.delete(key);
    }
    for (const [hash, object] of tx.objects) this.#objects.set(hash, object);
    this.bytes += tx.bytes;
    this.chain = tx.chain;
    this.firstRecord ??= tx.records[0];
  }

  change(): Change {
    const checks: Check[] = [...this.#read].map(([key, entry]) => ({ key, revision: entry?.revision ?? null }));
    const puts: Put[] = [...this.#puts].map(([key, value]) => ({ key, value }));
    return { checks, puts, deletes: [...this.#deletes], objects: [...this.#objects.values()], objectDeletes: [] };
  }

  /** All that was read and written, as it is once this is committed as that revision. */
  touched(revision: number): KnownDocuments {
    const documents = new Map(this.#read);
    for (const [key, value] of this.#puts) documents.set(key, { key, value, revision });
    for (const key of this.#deletes) documents.set(key, null);
    return documents;
  }
}

/** Documents as they are known, or else as the store has them. */
async function entriesOf(store: Store, project: string, recent: KnownDocuments, wanted: readonly Key[]): Promise<Map<Key, Entry | null>> {
  const found = new Map<Key, Entry | null>();
  const missing: Key[] = [];
  for (const key of wanted) {
    const known = recent.get(key);
    if (known === undefined) missing.push(key);
    else found.set(key, known);
  }
  for (let from = 0; from < missing.length; from += LIMITS.getKeys) {
    const part = missing.slice(from, from + LIMITS.getKeys);
    const entries = await store.get(project, part);
    for (const [index, key] of part.entries()) found.set(key, entries[index] ?? null);
  }
  return found;
}

/** One writer's view of its project: what it reads includes what it and the writers before it in the batch wrote. */
export class Transaction {
  readonly caller: Caller;
  /** The project's time, ISO 8601 in UTC: the store's clock, never earlier than the newest audit record. */
  readonly now: string;
  readonly project: string;
  readonly puts = new Map<Key, Json>();
  readonly deletes = new Set<Key>();
  readonly objects = new Map<Hash, StoredObject>();
  readonly records: AuditRecord[] = [];
  chain: Project["audit"] | null;
  bytes = 0;
  readonly #view: View;

  constructor(view: View, caller: Caller) {
    this.#view = view;
    this.caller = caller;
    this.now = view.now;
    this.project = view.project;
    this.chain = view.chain;
  }

  /** The documents' values, in the order asked; `null` where there is none. The commit fails if any changes meanwhile. */
  async getAll<Value>(wanted: readonly Key[]): Promise<(Value | null)[]> {
    const outer = await this.#view.get(wanted.filter((key) => !this.puts.has(key) && !this.deletes.has(key)));
    let next = 0;
    return wanted.map((key) => {
      if (this.deletes.has(key)) return null;
      return (this.puts.get(key) ?? outer[next++] ?? null) as Value | null;
    });
  }

  async get<Value>(key: Key): Promise<Value | null> {
    return (await this.getAll<Value>([key]))[0] ?? null;
  }

  /** Whether documents exist, without making the commit depend on it: for what the project document serialises anyway. */
  async peek(wanted: readonly Key[]): Promise<boolean[]> {
    const outer = await this.#view.peek(wanted);
    return wanted.map((key, index) => this.puts.has(key) || (outer[index] === true && !this.deletes.has(key)));
  }

  /** Lists documents that this batch does not change. */
  list(range: Range): Promise<Entry[]> {
    return this.#view.list(range);
  }

  put(key: Key, value: object): void {
    this.puts.set(key, value as Json);
    this.deletes.delete(key);
    this.bytes += 512;
  }

  delete(key: Key): void {
    this.deletes.add(key);
    this.puts.delete(key);
  }

  /** Makes objects part of the commit; until then `object` finds them. */
  attach(objects: readonly StoredObject[]): void {
    for (const object of objects) {
      this.objects.set(object.hash, object);
      this.bytes += object.data.byteLength;
    }
  }

  object(hash: Hash): Uint8Array | undefined {
    return this.objects.get(hash)?.data ?? this.#view.object(hash);
  }

  /** The project, which must exist. */
  async existingProject(): Promise<Project> {
    const project = await this.get<Project>(keys.project);
    if (project === null) throw projectNotFound(this.project);
    return project;
  }

  /** Appends a record to the project's hash chain. The project is created by its first record. */
  async audit(draft: AuditDraft): Promise<AuditRecord> {
    const project = await this.get<Project>(keys.project);
    const body = {
      project: this.project,
      seq: (this.chain?.seq ?? 0) + 1,
      prev_hash: this.chain?.hash ?? AUDIT_ORIGIN,
      action: draft.action,
      actor: this.caller.actor,
      subject: this.caller.subject,
      token: this.caller.token,
      at: this.now,
      environment: draft.environment ?? null,
      version: draft.version ?? null,
      revision: draft.revision ?? null,
      request_id: this.caller.requestId,
      details: draft.details ?? {},
    };
    const record: AuditRecord = { ...body, hash: auditHash(body) };
    this.chain = { seq: record.seq, hash: record.hash, at: record.at };
    this.records.push(record);
    this.put(keys.audit(record.seq), record);
    this.put(keys.project, {
      ...(project ?? { project_id: this.project, created_at: this.now, created_by: this.caller.actor }),
      audit: this.chain,
    });
    return record;
  }
}

export function projectNotFound(project: string): AppError {
  return new AppError("project_not_found", {
    reason: `There is no project ${quoted(project)}.`,
    fix: "Check the spelling, or create its first environment with POST /env/create.",
  });
}
