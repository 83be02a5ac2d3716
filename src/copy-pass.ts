import { createHash, type Hash as Digest } from "node:crypto";
import { type CopiedPartition, changeOf } from "./copy-state.ts";
import { LIMITS } from "./limits.ts";
import { canonicalJson, compareKeys } from "./merkle/index.ts";
import type { Entry, Hash, Key, ObjectInfo, Put, Store } from "./ports.ts";
import { documentPages, objectPages } from "./scan.ts";

/** What was moved, all passes together. */
export interface CopyCounts {
  documents: number;
  objects: number;
  /** Of documents and objects that were written. */
  bytes: number;
  /** Documents and objects that the source has no more, or never had. */
  removed: number;
}

interface Pass {
  readonly source: Store;
  readonly target: Store;
  readonly partition: string;
  readonly counts: CopyCounts;
  /** Told after each write. */
  readonly onBatch: () => void;
}

/**
 * Makes a partition of `target` the same as that of `source`, by looking at both in order and writing only where they differ. What is
 * written to the source meanwhile may be in it or not: whoever finds the source's revision the same before and after has a copy of it.
 * Objects go before the documents that name them, and are taken away after.
 */
export async function copyPass(pass: Pass): Promise<Omit<CopiedPartition, "revision">> {
  const digest = createHash("sha256");
  const { objects, hasMore } = await copyObjects(pass, digest);
  const documents = await copyDocuments(pass, digest);
  if (hasMore) await removeObjects(pass);
  return { documents, objects, digest: digest.digest("hex") };
}

/** What `copyPass` says of a partition that is already there, from what the store has now. */
export async function digestOf(store: Store, partition: string): Promise<Omit<CopiedPartition, "revision">> {
  const digest = createHash("sha256");
  let [documents, objects] = [0, 0];
  for await (const page of objectPages(store, partition)) {
    for (const info of page) noteObject(digest, info);
    objects += page.length;
  }
  for await (const page of documentPages(store, partition, "")) {
    for (const { key, value } of page) noteDocument(digest, key, canonicalJson(value));
    documents += page.length;
  }
  return { documents, objects, digest: digest.digest("hex") };
}

/** Its name is what it holds. */
function noteObject(digest: Digest, { hash }: ObjectInfo): void {
  digest.update(`${hash}\n`);
}

/** A key holds no control characters, and canonical JSON no line breaks. */
function noteDocument(digest: Digest, key: Key, text: string): void {
  digest.update(`${key}\n${text}\n`);
}

async function copyDocuments({ source, target, partition, counts, onBatch }: Pass, digest: Digest): Promise<number> {
  let found = 0;
  let puts: Put[] = [];
  let deletes: Key[] = [];
  let bytes = 0;
  const flush = async () => {
    if (puts.length + deletes.length === 0) return;
    await target.commit(partition, changeOf({ puts, deletes }));
    counts.documents += puts.length;
    counts.removed += deletes.length;
    counts.bytes += bytes;
    [puts, deletes, bytes] = [[], [], 0];
    onBatch();
  };
  const pairs = matched(documentPages(source, partition, ""), documentPages(target, partition, ""), ({ key }: Entry) => key);
  for await (const [left, right] of pairs) {
    const text = left === null ? null : canonicalJson(left.value);
    if (left !== null && text !== null) {
      found++;
      noteDocument(digest, left.key, text);
      if (right !== null && canonicalJson(right.value) === text) continue;
      const size = Buffer.byteLength(left.key) + Buffer.byteLength(text);
      if (bytes + size > LIMITS.commitBytes / 2) await flush();
      puts.push({ key: left.key, value: left.value });
      bytes += size;
    } else if (right !== null) {
      deletes.push(right.key);
    }
    if (puts.length + deletes.length >= LIMITS.copyBatch) await flush();
  }
  await flush();
  return found;
}

/** Copies what the target lacks. `hasMore`: the target has some that the source has not. */
async function copyObjects({ source, target, partition, counts, onBatch }: Pass, digest: Digest) {
  let objects = 0;
  let hasMore = false;
  let missing: Hash[] = [];
  let bytes = 0;
  const flush = async () => {
    if (missing.length === 0) return;
    const found = await source.objects.get(partition, missing);
    // One that is gone again was garbage: the source's revision tells.
    const batch = missing.flatMap((hash, index) => (found[index] ? [{ hash, data: found[index] }] : []));
    await target.objects.put(partition, batch);
    counts.objects += batch.length;
    counts.bytes += bytes;
    [missing, bytes] = [[], 0];
    onBatch();
  };
  for await (const [left, right] of matched(objectPages(source, partition), objectPages(target, partition), nameOf)) {
    if (left === null) hasMore = true;
    else {
      objects++;
      noteObject(digest, left);
      if (right !== null) continue;
      if (bytes + left.size > LIMITS.commitBytes / 2) await flush();
      missing.push(left.hash);
      bytes += left.size;
      if (missing.length >= LIMITS.copyBatch) await flush();
    }
  }
  await flush();
  return { objects, hasMore };
}

async function removeObjects({ source, target, partition, counts, onBatch }: Pass): Promise<void> {
  let gone: Hash[] = [];
  const flush = async () => {
    if (gone.length === 0) return;
    await target.commit(partition, changeOf({ objectDeletes: gone }));
    counts.removed += gone.length;
    gone = [];
    onBatch();
  };
  for await (const [left, right] of matched(objectPages(source, partition), objectPages(target, partition), nameOf)) {
    if (left === null && right !== null) gone.push(right.hash);
    if (gone.length >= LIMITS.copyBatch) await flush();
  }
  await flush();
}

function nameOf({ hash }: ObjectInfo): Hash {
  return hash;
}

/** Both sides' items by name, in the order of the names' bytes, in which a store lists them: `null` where one side has none. */
async function* matched<Item>(
  left: AsyncGenerator<readonly Item[]>,
  right: AsyncGenerator<readonly Item[]>,
  name: (item: Item) => string,
): AsyncGenerator<readonly [Item | null, Item | null]> {
  const [ours, theirs] = [new Cursor(left), new Cursor(right)];
  let [a, b] = [await ours.next(), await theirs.next()];
  while (a !== null || b !== null) {
    const order = a === null ? 1 : b === null ? -1 : compareKeys(name(a), name(b));
    yield [order <= 0 ? a : null, order >= 0 ? b : null];
    if (order <= 0) a = await ours.next();
    if (order >= 0) b = await theirs.next();
  }
}

/** Pages, item by item. */
class Cursor<Item> {
  readonly #pages: AsyncGenerator<readonly Item[]>;
  #page: readonly Item[] = [];
  #at = 0;

  constructor(pages: AsyncGenerator<readonly Item[]>) {
    this.#pages = pages;
  }

  async next(): Promise<Item | null> {
    while (this.#at >= this.#page.length) {
      const { done, value } = await this.#pages.next();
      if (done === true) return null;
      [this.#page, this.#at] = [value, 0];
    }
    return this.#page[this.#at++] ?? null;
  }
}
