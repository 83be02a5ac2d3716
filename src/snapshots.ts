import { LIMITS } from "./limits.ts";
import {
  applyEdits,
  count,
  type DiffOptions,
  diff,
  type Edits,
  type EntryChange,
  type EntryText,
  entryTexts,
  type ListOptions,
  listEntries,
  lookup,
  lookupRefs,
  NodeCache,
  type NodeSource,
  readTexts,
  readValues,
  snapshotId,
  type ValueRef,
  weigh,
} from "./merkle/index.ts";
import type { Snapshot } from "./model.ts";
import type { Hash, Json, Store, StoredObject } from "./ports.ts";
import type { Transaction } from "./transaction.ts";

/** The Merkle maps of one project, read through a cache that all projects share. */
export class Maps {
  protected readonly source: NodeSource;

  constructor(source: NodeSource) {
    this.source = source;
  }

  /** The values of these keys, in the order asked; `undefined` where there is none. */
  lookup(root: Hash, names: readonly string[]): Promise<(Json | undefined)[]> {
    return lookup(this.source, root, names);
  }

  /** Which of these keys are present; loads no value. */
  async has(root: Hash, names: readonly string[]): Promise<boolean[]> {
    return (await lookupRefs(this.source, root, names)).map((ref) => ref !== null);
  }

  async entries(root: Hash, options: ListOptions): Promise<{ key: string; value: Json }[]> {
    const listed = await listEntries(this.source, root, options);
    return listed.map(({ key, value }) => ({ key, value: value ?? null }));
  }

  /** All entries under a prefix, with their values' canonical JSON: a page at a time, as they are asked for. */
  texts(root: Hash, prefix: string): AsyncIterable<readonly EntryText[]> {
    return entryTexts(this.source, root, prefix);
  }

  async names(root: Hash, options: ListOptions): Promise<string[]> {
    return (await listEntries(this.source, root, { ...options, values: false })).map(({ key }) => key);
  }

  count(root: Hash, prefix = ""): Promise<number> {
    return count(this.source, root, prefix);
  }

  /** Bytes of its values, but for those that are short: see `weigh`. */
  weight(root: Hash, prefix: string): Promise<number> {
    return weigh(this.source, root, prefix);
  }

  diff(left: Hash, right: Hash, options?: DiffOptions): Promise<EntryChange[]> {
    return diff(this.source, left, right, options);
  }

  /** The values behind the sides of a diff, in the order given; `undefined` for an absent side. */
  async values(refs: readonly (ValueRef | null)[]): Promise<(Json | undefined)[]> {
    return present(refs, (those) => readValues(this.source, those));
  }

  /** The same as their canonical JSON. */
  async textsOf(refs: readonly (ValueRef | null)[]): Promise<(string | undefined)[]> {
    return present(refs, (those) => readTexts(this.source, those));
  }

  snapshot({ platform, config }: Snapshot): Hash {
    return snapshotId(platform, config);
  }
}

async function present<Value>(refs: readonly (ValueRef | null)[], read: (refs: readonly ValueRef[]) => Promise<readonly Value[]>) {
  const found = await read(refs.filter((ref) => ref !== null));
  let next = 0;
  return refs.map((ref) => (ref === null ? undefined : found[next++]));
}

/** Maps that can be edited: what an edit makes is kept where the constructor says, and read from there at once. */
export class EditableMaps extends Maps {
  readonly #cache: NodeCache;
  readonly #keep: (objects: readonly StoredObject[]) => void;

  constructor(source: NodeSource, cache: NodeCache, keep: (objects: readonly StoredObject[]) => void) {
    super(source);
    this.#cache = cache;
    this.#keep = keep;
  }

  /** The map with `edits` applied, and with `taken`, changes of a diff whose values are stored already; and what really changed. */
  async edit(root: Hash, edits: Edits, taken?: readonly EntryChange[]): Promise<{ root: Hash; changes: readonly EntryChange[] }> {
    const applied = await applyEdits(this.source, root, edits, taken);
    this.#keep(applied.objects);
    this.#cache.keep(applied.nodes);
    return applied;
  }
}

/** Opens the Merkle maps of projects for reading, for a transaction, or for a plan that is thrown away. */
export class Snapshots {
  readonly #store: Store;
  readonly #cache = new NodeCache(LIMITS.objectCacheBytes, { idleMs: LIMITS.cacheIdleMs });

  constructor(store: Store) {
    this.#store = store;
  }

  read(project: string): Maps {
    return new Maps(this.#source(project, () => undefined));
  }

  /** What is made here becomes part of the transaction's commit. */
  edit(tx: Transaction): EditableMaps {
    const source = this.#source(tx.project, (hash) => tx.object(hash));
    return new EditableMaps(source, this.#cache, (objects) => tx.attach(objects));
  }

  /** What is made here is never stored. `tx`: whose own objects, and those of the writers before it, can be read too. */
  draft(project: string, tx?: Transaction): EditableMaps {
    const made = new Map<Hash, Uint8Array>();
    const source = this.#source(project, (hash) => made.get(hash) ?? tx?.object(hash));
    return new EditableMaps(source, this.#cache, (objects) => {
      for (const { hash, data } of objects) made.set(hash, data);
    });
  }

  #source(project: string, pending: (hash: Hash) => Uint8Array | undefined): NodeSource {
    return this.#cache.over({
      get: async (hashes) => {
        const missing = hashes.filter((hash) => pending(hash) === undefined);
        const stored = missing.length === 0 ? [] : await this.#store.objects.get(project, missing);
        let next = 0;
        return hashes.map((hash) => {
          const data = pending(hash) ?? stored[next++];
          if (!data) throw new Error(`object ${hash} of project ${project} is missing`);
          return data;
        });
      },
    });
  }
}
