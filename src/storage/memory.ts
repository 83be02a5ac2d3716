import type {
  Backend,
  Change,
  CommitResult,
  Entry,
  Hash,
  Key,
  ObjectInfo,
  Objects,
  Range,
  StoredObject,
  Subscription,
  Turn,
  WatchHandlers,
} from "../ports.ts";
import { bounds } from "./keys.ts";
import { OrderedMap } from "./ordered-map.ts";
import { Watchers } from "./watchers.ts";

interface Document {
  readonly revision: number;
  readonly value: string;
}

interface MemoryObject {
  readonly data: Uint8Array;
  storedAt: number;
}

interface Partition {
  revision: number;
  readonly documents: OrderedMap<Document>;
  readonly objects: OrderedMap<MemoryObject>;
}

/** A backend whose data ends with the process: for tests, demos and trials. `clock` answers in milliseconds since 1970. */
export class MemoryBackend implements Backend {
  readonly objects: Objects;
  readonly #partitions = new Map<string, Partition>();
  readonly #watchers = new Watchers();
  /** By partition, when the last turn that was asked for is over. */
  readonly #turns = new Map<string, Promise<void>>();
  readonly #clock: () => number;

  constructor(clock: () => number = Date.now) {
    this.#clock = clock;
    this.objects = {
      get: async (partition, hashes) => this.#getObjects(partition, hashes),
      put: async (partition, objects) => this.#putObjects(this.#partition(partition), objects),
      list: async (partition, after, limit) => this.#listObjects(partition, after, limit),
    };
  }

  async get(partition: string, keys: readonly Key[]): Promise<readonly (Entry<string> | null)[]> {
    const documents = this.#partitions.get(partition)?.documents;
    return keys.map((key) => {
      const document = documents?.get(key);
      return document === undefined ? null : { key, ...document };
    });
  }

  async list(partition: string, range: Range): Promise<readonly Entry<string>[]> {
    const { lower, upper } = bounds(range);
    const documents = this.#partitions.get(partition)?.documents;
    if (documents === undefined) return [];
    return documents.slice(lower, upper, range.limit, range.reverse === true).map(([key, document]) => ({ key, ...document }));
  }

  async revision(partitions: readonly string[]): Promise<readonly number[]> {
    return partitions.map((partition) => this.#partitions.get(partition)?.revision ?? 0);
  }

  async commit(partition: string, change: Change<string>): Promise<CommitResult> {
    // No `await` from here to the end: nothing else runs in between, so the commit is atomic.
    const known = this.#partitions.get(partition);
    for (const { key, revision } of change.checks) {
      if ((known?.documents.get(key)?.revision ?? null) !== revision) return { ok: false };
    }
    const target = known ?? this.#partition(partition);
    const revision = ++target.revision;
    for (const { key, value } of change.puts) target.documents.set(key, { revision, value });
    for (const key of change.deletes) target.documents.delete(key);
    this.#putObjects(target, change.objects);
    for (const hash of change.objectDeletes) target.objects.delete(hash);
    this.#watchers.announce(new Map([[partition, revision]]));
    return { ok: true, revision };
  }

  watch(handlers: WatchHandlers): Subscription {
    return this.#watchers.subscribe(handlers);
  }

  async now(): Promise<Date> {
    return new Date(this.#clock());
  }

  async turn(partition: string): Promise<Turn> {
    const before = this.#turns.get(partition);
    let end = () => {};
    const over = Promise.all([before, new Promise<void>((resolve) => (end = resolve))]).then(() => {
      if (this.#turns.get(partition) === over) this.#turns.delete(partition);
    });
    this.#turns.set(partition, over);
    await before;
    return { waited: before !== undefined, end };
  }

  async close(): Promise<void> {
    this.#watchers.clear();
  }

  #getObjects(partition: string, hashes: readonly Hash[]): readonly (Uint8Array | null)[] {
    const objects = this.#partitions.get(partition)?.objects;
    return hashes.map((hash) => objects?.get(hash)?.data ?? null);
  }

  #putObjects(partition: Partition, objects: readonly StoredObject[]): void {
    const storedAt = this.#clock();
    for (const { hash, data } of objects) {
      const known = partition.objects.get(hash);
      if (known !== undefined) known.storedAt = storedAt;
      // A copy: the caller's array may be a window into a larger buffer, or be used again.
      else partition.objects.set(hash, { data: Uint8Array.from(data), storedAt });
    }
  }

  #listObjects(partition: string, after: Hash | null, limit: number): readonly ObjectInfo[] {
    const objects = this.#partitions.get(partition)?.objects;
    if (objects === undefined) return [];
    const page = objects.slice(after === null ? "" : `${after}\0`, null, limit, false);
    return page.map(([hash, { data, storedAt }]) => ({ hash, storedAt, size: data.byteLength }));
  }

  #partition(name: string): Partition {
    let partition = this.#partitions.get(name);
    if (partition === undefined) {
      partition = { revision: 0, documents: new OrderedMap(), objects: new OrderedMap() };
      this.#partitions.set(name, partition);
    }
    return partition;
  }
}
