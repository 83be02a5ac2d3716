import { FifoMap } from "./fifo-map.ts";
import { keys } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import type { Entry, Key } from "./ports.ts";
import type { ReadIndex } from "./read-index.ts";

export interface KnownEntry extends Entry {
  /** The length of its JSON, where that is known: what it takes in memory is a small multiple of that. */
  readonly size?: number | undefined;
}

/** As of one revision of their project; `null` where there is none. */
export type KnownDocuments = ReadonlyMap<Key, KnownEntry | null>;

interface Recent {
  readonly documents: KnownDocuments;
  readonly asOf: number;
  readonly bytes: number;
}

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

  /** Notes what the commit that made this revision read and wrote. */
  keep(project: string, asOf: number, touched: KnownDocuments): void {
    if (this.#index === null || this.#index.known(project) !== asOf) return;
    this.#forget(project);
    if (touched.size > LIMITS.recentDocuments) return;
    const documents = new Map<Key, KnownEntry | null>();
    let bytes = 0;
    for (const [key, entry] of touched) {
      if (APPENDED.some((prefix) => key.startsWith(prefix))) continue;
      const known = entry === null ? null : sized(entry);
      documents.set(key, known);
      bytes += known?.size ?? 0;
    }
    if (bytes > LIMITS.recentProjectBytes) return;
    this.#kept.set(project, { documents, asOf, bytes });
    this.#bytes += bytes;
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
  return entry.size === undefined ? { ...entry, size: JSON.stringify(entry.value).length } : entry;
}
