import { hash } from "node:crypto";
import { AppError } from "./errors.ts";
import { keys } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import { canonicalJson } from "./merkle/index.ts";
import type { AuditAction, AuditRecord, Caller } from "./model.ts";
import { quoted } from "./names.ts";
import type { Change, Check, Entry, Hash, Json, JsonObject, Key, Put, Store, StoredObject } from "./ports.ts";
import type { KnownDocuments, KnownEntry } from "./recent-documents.ts";

/** The document `project`: written by every audited commit, so that all of them are serialised by it. */
export interface Project {
  readonly project_id: string;
  readonly created_at: string;
  readonly created_by: string;
  /** Head of the audit chain. */
  readonly audit: { readonly seq: number; readonly hash: Hash; readonly at: string };
}

interface AuditDraft {
  readonly action: AuditAction;
  readonly environment?: string;
  readonly version?: string;
  readonly revision?: number;
  readonly details?: JsonObject;
}

/** The `prev_hash` of a project's first audit record. */
export const AUDIT_ORIGIN: Hash = "0".repeat(64);

/** The hash of an audit record: over all its other members, `prev_hash` included. */
export function auditHash(record: Omit<AuditRecord, "hash">): Hash {
  return hashOfBody(canonicalJson(record as unknown as Json));
}

function hashOfBody(text: string): Hash {
  return hash("sha256", `env-audit\0${text}`, "hex");
}

/** The canonical JSON of a record, made of that of its body: what comes after `prev_hash` there holds no members of its own. */
function withHash(body: string, hash: Hash): string {
  const place = body.lastIndexOf(',"prev_hash":');
  return `${body.slice(0, place)},"hash":"${hash}"${body.slice(place)}`;
}

/** A document that is to be written. */
interface Written extends Put {
  /** Its canonical JSON: `undefined` where nobody needed it yet. */
  text: string | undefined;
}

let newest = { ms: Number.NaN, text: "" };

/** As `Date.toISOString`, which takes longer than a look at what was written for the same millisecond. */
function isoTime(moment: Date): string {
  const ms = moment.getTime();
  if (newest.ms !== ms) newest = { ms, text: moment.toISOString() };
  return newest.text;
}

/** What every batch reads: whether the project is there, where its audit log ends, and whether garbage was taken away meanwhile. */
const READ_FIRST = [keys.project, keys.gcEpoch];

interface ViewParts {
  readonly store: Store;
  readonly project: string;
  readonly recent: KnownDocuments;
  readonly newestLabel: string | null;
}

/** What one batch has read from the store and means to write to it. */
export class View {
  readonly project: string;
  /** As `Transaction` tells of them. */
  readonly now: string;
  readonly clock: string;
  readonly #store: Store;
  /** Checked by the commit, all of it. */
  readonly #read: Map<Key, KnownEntry | null>;
  /** What is known without being read. It is checked too, where somebody asks for it. */
  readonly #recent: KnownDocuments;
  readonly #puts = new Map<Key, Written>();
  readonly #deletes = new Set<Key>();
  readonly #objects = new Map<Hash, StoredObject>();
  bytes = 0;
  chain: Project["audit"] | null;
  firstRecord: AuditRecord | undefined;
  /** The label that was made last, as far as this instance knows. */
  newestLabel: string | null;

  private constructor({ store, project, recent, newestLabel }: ViewParts, now: Date, read: Map<Key, KnownEntry | null>) {
    this.#store = store;
    this.project = project;
    this.newestLabel = newestLabel;
    this.#recent = recent;
    this.#read = read;
    this.chain = (this.known(keys.project) as unknown as Project | null | undefined)?.audit ?? null;
    // Time in one project never runs backwards, whatever the clock does: a look-up by time needs the order.
    this.clock = isoTime(now);
    this.now = this.chain !== null && this.chain.at > this.clock ? this.chain.at : this.clock;
  }

  static async open(parts: ViewParts): Promise<View> {
    const { store, project, recent } = parts;
    const read = new Map<Key, KnownEntry | null>();
    for (const key of READ_FIRST) {
      const entry = recent.get(key);
      if (entry !== undefined) read.set(key, entry);
    }
    if (read.size === READ_FIRST.length) return new View(parts, await store.now(), read);
    const missing = READ_FIRST.filter((key) => !read.has(key));
    const [now] = await Promise.all([store.now(), readInto(read, store, project, missing)]);
    return new View(parts, now, read);
  }

  /** The document; `null` where there is none, `undefined` where it has to be loaded first. */
  known(key: Key): Json | null | undefined {
    const put = this.#puts.get(key);
    if (put !== undefined) return put.value;
    if (this.#deletes.has(key)) return null;
    let entry = this.#read.get(key);
    if (entry === undefined) {
      entry = this.#recent.get(key);
      if (entry === undefined) return undefined;
      this.#read.set(key, entry);
    }
    return entry === null ? null : entry.value;
  }

  load(missing: readonly Key[]): Promise<void> {
    return readInto(this.#read, this.#store, this.project, missing);
  }

  /** Counts a document as read and not found: the commit fails where it is there. `false` where it is known to be. */
  suppose(key: Key): boolean {
    const known = this.known(key);
    if (known === undefined) this.#read.set(key, null);
    return known === undefined || known === null;
  }

  /** Whether the batch makes a document be there or not; `undefined` where the store has it as it was. */
  decides(key: Key): boolean | undefined {
    if (this.#puts.has(key)) return true;
    return this.#deletes.has(key) ? false : undefined;
  }

  stored(wanted: readonly Key[]): Promise<readonly (Entry | null)[]> {
    return this.#store.get(this.project, wanted);
  }

  object(hash: Hash): Uint8Array | undefined {
    return this.#objects.get(hash)?.data;
  }

  absorb(tx: Transaction): void {
    for (const [key, put] of tx.puts) {
      this.#puts.set(key, put);
      this.#deletes.delete(key);
    }
    for (const key of tx.deletes) {
      this.#deletes.add(key);
      this.#puts.delete(key);
    }
    this.bytes += tx.bytes;
    this.chain = tx.chain;
    this.newestLabel = tx.newestLabel;
    this.firstRecord ??= tx.records[0];
    // Last: what V8 compiles of it while many go round would have to be left each time to go on here.
    for (const [hash, object] of tx.objects) this.#objects.set(hash, object);
  }

  /** @throws invalid_request for a document that is not JSON */
  change(): Change {
    const checks: Check[] = [];
    for (const [key, entry] of this.#read) checks.push({ key, revision: entry === null ? null : entry.revision });
    for (const put of this.#puts.values()) put.text ??= canonicalJson(put.value, `The document "${put.key}"`);
    return {
      checks,
      puts: [...this.#puts.values()],
      deletes: [...this.#deletes],
      objects: [...this.#objects.values()],
      objectDeletes: [],
    };
  }

  /**
   * A commit that changes nothing, and makes whatever is under way in the project lose its race: what all of it checks is put as it is.
   * `null` where there is no project yet.
   */
  fence(): Change | null {
    if (this.chain === null) return null;
    const epoch = this.#read.get(keys.gcEpoch) ?? null;
    return {
      checks: [{ key: keys.gcEpoch, revision: epoch?.revision ?? null }],
      puts: [{ key: keys.gcEpoch, value: epoch?.value ?? { seq: 0 } }],
      deletes: [],
      objects: [],
      objectDeletes: [],
    };
  }

  /** All that was read and written, as it is once this is committed as that revision. Nothing is asked of the view any more. */
  touched(revision: number): KnownDocuments {
    for (const [key, { value, text }] of this.#puts) this.#read.set(key, { key, value, revision, size: text?.length });
    for (const key of this.#deletes) this.#read.set(key, null);
    return this.#read;
  }
}

/** Of two who read the same at once, the first one counts: what was told once stays so. */
async function readInto(read: Map<Key, KnownEntry | null>, store: Store, project: string, missing: readonly Key[]): Promise<void> {
  for (let from = 0; from < missing.length; from += LIMITS.getKeys) {
    const part = missing.slice(from, from + LIMITS.getKeys);
    const entries = await store.get(project, part);
    for (const [index, key] of part.entries()) if (!read.has(key)) read.set(key, entries[index] ?? null);
  }
}

/** One writer's view of its project: what it reads includes what it and the writers before it in the batch wrote. */
export class Transaction {
  readonly caller: Caller;
  /** The project's time, ISO 8601 in UTC: the store's clock, never earlier than the newest audit record. What is written down has it. */
  readonly now: string;
  /**
   * What the store's clock shows. Whether something is over goes by it, and until when something holds: after a clock that was wrong was set
   * back, `now` stands ahead of it for as long as it had been wrong.
   */
  readonly clock: string;
  readonly project: string;
  readonly puts = new Map<Key, Written>();
  readonly deletes = new Set<Key>();
  readonly objects = new Map<Hash, StoredObject>();
  readonly records: AuditRecord[] = [];
  chain: Project["audit"] | null;
  /** The label that was made last, as far as this instance knows. */
  newestLabel: string | null;
  bytes = 0;
  readonly #view: View;

  constructor(view: View, caller: Caller) {
    this.#view = view;
    this.caller = caller;
    this.now = view.now;
    this.clock = view.clock;
    this.project = view.project;
    this.chain = view.chain;
    this.newestLabel = view.newestLabel;
  }

  /** The documents' values, in the order asked; `null` where there is none. The commit fails if any changes meanwhile. */
  async getAll<Value>(wanted: readonly Key[]): Promise<(Value | null)[]> {
    const missing = wanted.filter((key) => this.#known(key) === undefined);
    if (missing.length > 0) await this.#view.load(missing);
    return wanted.map((key) => (this.#known(key) ?? null) as Value | null);
  }

  async get<Value>(key: Key): Promise<Value | null> {
    if (this.#known(key) === undefined) await this.#view.load([key]);
    return (this.#known(key) ?? null) as Value | null;
  }

  #known(key: Key): Json | null | undefined {
    const put = this.puts.get(key);
    if (put !== undefined) return put.value;
    return this.deletes.has(key) ? null : this.#view.known(key);
  }

  /** Supposes that there is no such document, without looking: the commit fails where there is. `false` where it is known that there is one. */
  supposeNone(key: Key): boolean {
    return !this.puts.has(key) && (this.deletes.has(key) || this.#view.suppose(key));
  }

  /** Whether documents exist, without making the commit depend on it: for what the project document serialises anyway. */
  async peek(wanted: readonly Key[]): Promise<boolean[]> {
    const stored = await this.#view.stored(wanted);
    return wanted.map((key, index) => {
      if (this.puts.has(key)) return true;
      return !this.deletes.has(key) && (this.#view.decides(key) ?? Boolean(stored[index]));
    });
  }

  /** @param text its canonical JSON, where that is known */
  put(key: Key, value: object, text?: string): void {
    this.puts.set(key, { key, value: value as Json, text });
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
    const text = canonicalJson(body);
    // Into the body itself: a copy with one name more would have a hidden class of its own (AGENTS.md).
    const record: AuditRecord = Object.assign(body, { hash: hashOfBody(text) });
    this.chain = { seq: record.seq, hash: record.hash, at: record.at };
    this.records.push(record);
    this.put(keys.audit(record.seq), record, withHash(text, record.hash));
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
