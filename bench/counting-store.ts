import type { Hash, Store, StoredObject } from "../src/ports.ts";

/** What passed through a store since the last `reset`. */
export interface Counts {
  /** Questions that were asked: each is a way to the database. */
  reads: number;
  /** Documents that a read or a list returned. */
  documentsRead: number;
  /** Content-addressed objects that were asked for: nodes, and values too long for a node. */
  objectsRead: number;
  objectsWritten: number;
  objectBytes: number;
  commits: number;
}

const NOTHING: Counts = { reads: 0, documentsRead: 0, objectsRead: 0, objectsWritten: 0, objectBytes: 0, commits: 0 };

/** A store that counts what is asked of the one behind it. */
export class CountingStore implements Store {
  readonly objects: Store["objects"];
  readonly counts: Counts = { ...NOTHING };
  aheadMs = 0;
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
    this.objects = {
      get: (partition: string, hashes: readonly Hash[]) => {
        this.counts.reads++;
        this.counts.objectsRead += hashes.length;
        return store.objects.get(partition, hashes);
      },
      put: (partition: string, objects: readonly StoredObject[]) => {
        this.#written(objects);
        return store.objects.put(partition, objects);
      },
      list: (partition: string, after: Hash | null, limit: number) => store.objects.list(partition, after, limit),
    };
  }

  reset(): void {
    Object.assign(this.counts, NOTHING);
  }

  async get(...args: Parameters<Store["get"]>): ReturnType<Store["get"]> {
    this.counts.reads++;
    const entries = await this.#store.get(...args);
    for (const entry of entries) if (entry !== null) this.counts.documentsRead++;
    return entries;
  }

  async list(...args: Parameters<Store["list"]>): ReturnType<Store["list"]> {
    this.counts.reads++;
    const entries = await this.#store.list(...args);
    this.counts.documentsRead += entries.length;
    return entries;
  }

  commit(...args: Parameters<Store["commit"]>): ReturnType<Store["commit"]> {
    this.counts.commits++;
    this.#written(args[1].objects);
    return this.#store.commit(...args);
  }

  revision(...args: Parameters<Store["revision"]>): ReturnType<Store["revision"]> {
    return this.#store.revision(...args);
  }

  watch(...args: Parameters<Store["watch"]>): ReturnType<Store["watch"]> {
    return this.#store.watch(...args);
  }

  /** The database's time, and as much later as `aheadMs` says: for what happens when time has passed. */
  async now(): Promise<Date> {
    return new Date((await this.#store.now()).getTime() + this.aheadMs);
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  #written(objects: readonly StoredObject[]): void {
    this.counts.objectsWritten += objects.length;
    for (const { data } of objects) this.counts.objectBytes += data.byteLength;
  }
}
