import { keys } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import type { Entry, Key } from "./ports.ts";
import type { ReadIndex } from "./read-index.ts";

/** As of one revision of their project; `null` where there is none. */
export type KnownDocuments = ReadonlyMap<Key, Entry | null>;

interface Recent {
  readonly documents: KnownDocuments;
  readonly asOf: number;
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
  readonly #kept = new Map<string, Recent>();

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
    if (this.#index === null || this.#index.known(project) !== asOf || touched.size > LIMITS.recentDocuments) return;
    const documents = new Map([...touched].filter(([key]) => !APPENDED.some((prefix) => key.startsWith(prefix))));
    this.#kept.delete(project);
    this.#kept.set(project, { documents, asOf });
    if (this.#kept.size <= LIMITS.recentProjects) return;
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined) this.#kept.delete(oldest);
  }
}
