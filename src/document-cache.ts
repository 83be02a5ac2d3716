import { AppError } from "./errors.ts";
import { FifoMap } from "./fifo-map.ts";
import type { Key, Store } from "./ports.ts";
import type { ReadIndex } from "./read-index.ts";

interface DocumentCacheOptions {
  /** Documents that are kept. */
  readonly limit: number;
  /** Milliseconds for which a document may be shown after it was last known to be current, while the store cannot be reached; 0 for never. */
  readonly staleMs: number;
}

/**
 * `current`: as it was at some moment after the request began. `known`: the same; while the store cannot be reached, as it was last
 * known, within the bound that the operator set.
 */
export type Freshness = "current" | "known";

/** A document, and how many milliseconds ago it was known to be current: 0 where it is. */
export interface Shown<Value> {
  readonly value: Value;
  readonly ageMs: number;
}

/** Older than any revision. */
const UNPROVEN = -1;

interface Kept<Value> {
  readonly value: Value;
  /** A revision that its partition had when the document was this; `UNPROVEN` where that says nothing any more. */
  asOf: number;
  /** When it was last known to be current, by `performance.now()`. */
  confirmedAt: number;
}

/**
 * Documents kept in memory, each shown only where it is as new as the request that asks: see `ReadIndex`. Notifications make no
 * difference to that, so that none that gets lost does.
 */
export class DocumentCache<Value> {
  readonly #store: Store;
  readonly #index: ReadIndex;
  readonly #options: DocumentCacheOptions;
  /** By partition and key; least recently read from the store first. */
  readonly #kept = new FifoMap<string, Kept<Value>>();
  /** How often all that was kept became unproven. */
  #doubts = 0;

  constructor(store: Store, index: ReadIndex, options: DocumentCacheOptions) {
    this.#store = store;
    this.#index = index;
    this.#options = options;
    index.onDoubt(() => {
      this.#doubts++;
      // What may be shown with its age, while the store is away, stays.
      for (const kept of this.#kept.values()) kept.asOf = UNPROVEN;
    });
  }

  /** What is kept, where it is as new as that revision of its partition; `null` where it has to be asked for. */
  kept(partition: string, key: Key, revision: number): Value | null {
    const kept = this.#kept.get(idOf(partition, key));
    return kept !== undefined && kept.asOf >= revision ? kept.value : null;
  }

  /** Notes that the partition had that revision at a moment after `at`: what is kept, and as new, was current then. */
  confirm(partition: string, key: Key, revision: number, at: number): void {
    const kept = this.#kept.get(idOf(partition, key));
    if (kept !== undefined && kept.asOf >= revision) kept.confirmedAt = Math.max(kept.confirmedAt, at);
  }

  /**
   * The document; `null` where there is none. Whoever shows one with an age says so.
   * @throws store_unavailable where nothing is known that is young enough
   */
  async read(partition: string, key: Key, freshness: Freshness): Promise<Shown<Value> | null> {
    if (freshness === "current" || this.#options.staleMs === 0) return fresh(await this.current(partition, key));
    try {
      return fresh(await this.#index.inTime(this.current(partition, key)));
    } catch (error) {
      const kept = this.#kept.get(idOf(partition, key));
      const ageMs = performance.now() - (kept?.confirmedAt ?? Number.NEGATIVE_INFINITY);
      if (kept === undefined || ageMs > this.#options.staleMs || !isAway(error)) throw error;
      return { value: kept.value, ageMs: Math.max(ageMs, 1) };
    }
  }

  /** The document at a moment after this call; `null` where there is none. What there is not is not kept. */
  async current(partition: string, key: Key): Promise<Value | null> {
    const begun = performance.now();
    if (!this.#kept.has(idOf(partition, key))) return this.#load(partition, key, this.#index.known(partition) ?? 0, begun);
    const [revision = 0] = await this.#index.confirm([partition]);
    const kept = this.#kept.get(idOf(partition, key));
    if (kept === undefined || kept.asOf < revision) return this.#load(partition, key, revision, begun);
    kept.confirmedAt = Math.max(kept.confirmedAt, begun);
    return kept.value;
  }

  /** `revision`: one that the partition has reached by now. */
  async #load(partition: string, key: Key, revision: number, begun: number): Promise<Value | null> {
    const doubts = this.#doubts;
    const [entry] = await this.#index.asked(this.#store.get(partition, [key]));
    const id = idOf(partition, key);
    if (!entry) {
      this.#kept.delete(id);
      return null;
    }
    const asOf = Math.max(revision, entry.revision);
    this.#index.reached(partition, asOf);
    const loaded = { value: entry.value as unknown as Value, asOf: doubts === this.#doubts ? asOf : UNPROVEN, confirmedAt: begun };
    // Of two that were read at once, the older answer may come last.
    const known = this.#kept.get(id);
    if (known === undefined || known.asOf <= loaded.asOf) this.#keep(id, loaded);
    return loaded.value;
  }

  #keep(id: string, loaded: Kept<Value>): void {
    this.#kept.set(id, loaded);
    const oldest = this.#kept.oldest();
    if (oldest !== undefined && this.#kept.size > this.#options.limit) this.#kept.delete(oldest[0]);
  }
}

function idOf(partition: string, key: Key): string {
  return `${partition}\0${key}`;
}

function fresh<Value>(value: Value | null): Shown<Value> | null {
  return value === null ? null : { value, ageMs: 0 };
}

/** Whether it is the store's absence that is in the way, and not what was asked of it. */
function isAway(error: unknown): boolean {
  return error instanceof AppError && (error.code === "store_unavailable" || error.code === "overloaded");
}
