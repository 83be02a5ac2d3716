import { FifoMap } from "./fifo-map.ts";
import { keys } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import type { Entry, Key, Store } from "./ports.ts";
import type { ReadIndex } from "./read-index.ts";

export interface KnownEntry extends Entry {
  /** The length of its JSON, where that is known: what it takes in memory is a small multiple of that. */
  readonly size?: number | undefined;
}

/** As of one revision of their project; `null` where there is none. */
export type KnownDocuments = ReadonlyMap<Key, KnownEntry | null>;

interface Recent {
  readonly documents: Map<Key, KnownEntry | null>;
  readonly asOf: number;
  bytes: number;
}

/** What hardly ever changes, and is asked for after each commit: it stays known while commits of this instance alone come after one another. */
const STANDING = [keys.webhooks, keys.mirror];
/** What is written once and then read by nobody who writes. */
const APPENDED = [keys.auditPrefix, keys.oncePrefix, keys.labelPrefix];
const NONE: KnownDocuments = new Map();

/**
 * What the newest commit of each project read and wrote: the next one mostly reads the same. It is given only where the project still has
 * the revision which that commit made, so on a store of the engine's own alone (`ReadIndex.known`); and whatever is given is checked by the
 * commit that rests on it, as all that it reads is.
 */
export class RecentDocuments {
  readonly #index: Pick<ReadIndex, "known"> | null;
  /** Least recently written first. */
  readonly #kept = new FifoMap<string, Recent>();
  #bytes = 0;

  /** @param index `null` to keep nothing */
  constructor(index: Pick<ReadIndex, "known"> | null) {
    this.#index = index;
  }

  of(project: string): KnownDocuments {
    const recent = this.#kept.get(project);
    return recent !== undefined && recent.asOf === this.#index?.known(project) ? recent.documents : NONE;
  }

  /** The documents as they are at some moment after this call: read once, and then known for as long as `of` gives them. */
  async read(store: Store, project: string, wanted: readonly Key[]): Promise<readonly (Entry | null)[]> {
    const recent = this.of(project);
    if (wanted.every((key) => recent.has(key))) return wanted.map((key) => recent.get(key) ?? null);
    const entries = await store.get(project, wanted);
    const kept = this.#kept.get(project);
    // The project has the revision still that it had before they were read.
    if (kept !== undefined && kept.documents === recent && this.of(project) === recent) {
      for (const [index, key] of wanted.entries()) this.#add(kept, key, entries[index] ?? null);
      this.#makeRoom();
    }
    return entries;
  }

  /** Notes what the commit that made this revision read and wrote. */
  keep(project: string, asOf: number, touched: KnownDocuments): void {
    if (this.#index === null || this.#index.known(project) !== asOf) return;
    const before = this.#kept.get(project);
    this.#forget(project);
    if (touched.size > LIMITS.recentDocuments) return;
    const recent: Recent = { documents: new Map(), asOf, bytes: 0 };
    this.#kept.set(project, recent);
    for (const [key, entry] of touched) if (!APPENDED.some((prefix) => key.startsWith(prefix))) this.#add(recent, key, entry);
    for (const key of STANDING) {
      const entry = before?.asOf === asOf - 1 ? before.documents.get(key) : undefined;
      if (entry !== undefined) this.#add(recent, key, entry);
    }
    if (recent.bytes > LIMITS.recentProjectBytes) this.#forget(project);
    this.#makeRoom();
  }

  /** The first one counts. */
  #add(recent: Recent, key: Key, entry: KnownEntry | null): void {
    if (recent.documents.has(key)) return;
    const known = entry === null ? null : sized(entry);
    recent.documents.set(key, known);
    recent.bytes += known?.size ?? 0;
    this.#bytes += known?.size ?? 0;
  }

  #makeRoom(): void {
    for (let oldest = this.#kept.oldest(); oldest !== undefined; oldest = this.#kept.oldest()) {
      if (this.#kept.size <= LIMITS.recentProjects && this.#bytes <= LIMITS.recentBytes) return;
      this.#forget(oldest[0]);
    }
  }

  #forget(project: string): void {
    this.#bytes -= this.#kept.get(project)?.bytes ?? 0;
    this.#kept.delete(project);
  }
}

/** Most of what a commit reads is what the one before it has read, so that little has to be measured. */
function sized(entry: KnownEntry): KnownEntry {
  if (entry.size !== undefined) return entry;
  const { key, value, revision } = entry;
  return { key, value, revision, size: JSON.stringify(value).length };
}
