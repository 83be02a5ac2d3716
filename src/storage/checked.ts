import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { canonicalJson } from "../merkle/canonical.ts";
import type {
  Backend,
  Change,
  CommitResult,
  Entry,
  Hash,
  Json,
  Key,
  ObjectInfo,
  Objects,
  Put,
  Range,
  Store,
  StoredObject,
  Subscription,
  Turn,
  WatchHandlers,
} from "../ports.ts";
import { Fullness } from "./fullness.ts";

const PARTITION = /^[A-Za-z0-9_][A-Za-z0-9_:.-]*$/;
const HASH = /^[0-9a-f]{64}$/;
/** Control characters and lone surrogates: neither survives every database, log and terminal. */
const UNSAFE = /[\p{Cc}\p{Cs}]/u;
/** What nearly every key is, told in a fifth of the time. */
const PLAIN = /^[ -~]*$/;
const BOUNDS = ["after", "from", "before"] as const;

/**
 * The one layer before every backend: checks names, hashes, sizes and limits, writes documents as canonical JSON and parses
 * them back, so that a backend is nothing but its own database's code.
 *
 * Throws `invalid_request` for arguments that no correct caller passes, `too_large` for a document, object or commit over its
 * bound in `limits.ts`, and `shutting_down` for any call after `close()`. Where it throws, the backend was not asked.
 */
export function checked(backend: Backend): Store {
  return new CheckedStore(backend);
}

class CheckedStore implements Store {
  readonly objects: Objects;
  readonly turn?: (partition: string) => Promise<Turn>;
  readonly #backend: Backend;
  readonly #fullness = new Fullness();
  #closed: Promise<void> | null = null;

  constructor(backend: Backend) {
    this.#backend = backend;
    this.objects = {
      get: (partition, hashes) => this.#getObjects(partition, hashes),
      put: (partition, objects) => this.#putObjects(partition, objects),
      list: (partition, after, limit) => this.#listObjects(partition, after, limit),
    };
    const turn = backend.turn?.bind(backend);
    if (turn === undefined) return;
    this.turn = async (partition) => {
      this.#mustBeOpen();
      checkPartition(partition);
      return turn(partition);
    };
  }

  async get(partition: string, keys: readonly Key[]): Promise<readonly (Entry | null)[]> {
    this.#mustBeOpen();
    checkPartition(partition);
    checkCount("keys in one read", keys.length, LIMITS.getKeys);
    keys.forEach(checkKey);
    if (keys.length === 0) return [];
    const entries = await this.#backend.get(partition, keys);
    return entries.map((entry) => (entry === null ? null : parse(partition, entry)));
  }

  async list(partition: string, range: Range): Promise<readonly Entry[]> {
    this.#mustBeOpen();
    checkPartition(partition);
    checkText("prefix", range.prefix);
    for (const name of BOUNDS) {
      const bound = range[name];
      if (bound !== undefined) checkText(name, bound);
    }
    checkLimit(range.limit);
    const entries = await this.#backend.list(partition, range);
    return entries.map((entry) => parse(partition, entry));
  }

  async revision(partitions: readonly string[]): Promise<readonly number[]> {
    this.#mustBeOpen();
    checkCount("partitions in one read", partitions.length, LIMITS.getKeys);
    partitions.forEach(checkPartition);
    return partitions.length === 0 ? [] : this.#backend.revision(partitions);
  }

  async commit(partition: string, change: Change): Promise<CommitResult> {
    this.#mustBeOpen();
    checkPartition(partition);
    const written = checkChange(change);
    return this.#fullness.told(written, this.#backend.commit(partition, written));
  }

  watch(handlers: WatchHandlers): Subscription {
    this.#mustBeOpen();
    return this.#backend.watch(handlers);
  }

  async now(): Promise<Date> {
    this.#mustBeOpen();
    return this.#backend.now();
  }

  full(): string | null {
    return this.#backend.full?.() ?? this.#fullness.reason;
  }

  /** Waits for the writes that were accepted. Closing twice is closing once. */
  close(): Promise<void> {
    this.#closed ??= this.#backend.close();
    return this.#closed;
  }

  async #getObjects(partition: string, hashes: readonly Hash[]): Promise<readonly (Uint8Array | null)[]> {
    this.#mustBeOpen();
    checkPartition(partition);
    checkCount("objects in one read", hashes.length, LIMITS.getKeys);
    hashes.forEach(checkHash);
    return hashes.length === 0 ? [] : this.#backend.objects.get(partition, hashes);
  }

  async #putObjects(partition: string, objects: readonly StoredObject[]): Promise<void> {
    this.#mustBeOpen();
    checkPartition(partition);
    checkCount("objects in one write", objects.length, LIMITS.commitOperations);
    const distinct = checkObjects(objects);
    checkSize("The objects of one write", sizeOf(distinct), LIMITS.commitBytes);
    if (distinct.length > 0) await this.#fullness.told({ puts: [], objects: distinct }, this.#backend.objects.put(partition, distinct));
  }

  async #listObjects(partition: string, after: Hash | null, limit: number): Promise<readonly ObjectInfo[]> {
    this.#mustBeOpen();
    checkPartition(partition);
    if (after !== null) checkHash(after);
    checkLimit(limit);
    return this.#backend.objects.list(partition, after, limit);
  }

  #mustBeOpen(): void {
    if (this.#closed !== null) throw new AppError("shutting_down", { reason: "The store is closed." });
  }
}

function checkChange(change: Change): Change<string> {
  const { checks, puts, deletes, objectDeletes } = change;
  const operations = checks.length + puts.length + deletes.length + change.objects.length + objectDeletes.length;
  checkCount("operations in one commit", operations, LIMITS.commitOperations);
  for (const check of checks) {
    checkKey(check.key);
    if (check.revision !== null && !(Number.isSafeInteger(check.revision) && check.revision > 0)) {
      refuse(`A check of "${check.key}" names revision ${check.revision}: it must be a whole number from 1, or null.`);
    }
  }
  deletes.forEach(checkKey);
  objectDeletes.forEach(checkHash);
  const objects = checkObjects(change.objects);
  // No more than that: most commits are so far from their bounds that nothing has to be counted.
  let bytes = sizeOf(objects);
  const documents = puts.map(({ key, value, text = canonicalJson(value, `The document "${key}"`) }) => {
    checkKey(key);
    if (mostBytes(text) > LIMITS.documentBytes) checkSize(`The document "${key}"`, Buffer.byteLength(text), LIMITS.documentBytes);
    bytes += mostBytes(key) + mostBytes(text);
    return { key, value: text };
  });
  if (bytes > LIMITS.commitBytes) checkSize("The commit", sizeOf(objects) + bytesOf(documents), LIMITS.commitBytes);
  checkDistinct("checked", checks.map(keyOf));
  checkDistinct("written", puts.map(keyOf).concat(deletes));
  // Objects are distinct by now.
  if (objectDeletes.length > 0) checkDistinct("written as an object", [...objects.map(({ hash }) => hash), ...objectDeletes]);
  return { checks, puts: documents, deletes, objects, objectDeletes };
}

/** One of each: equal hashes mean equal content, and equal content in two places is no mistake. */
function checkObjects(objects: readonly StoredObject[]): readonly StoredObject[] {
  const distinct = new Map<Hash, StoredObject>();
  for (const object of objects) {
    checkHash(object.hash);
    if (object.replaces !== undefined) checkHash(object.replaces);
    const bytes = object.data.byteLength;
    if (bytes > LIMITS.objectBytes) checkSize(`The object ${object.hash}`, bytes, LIMITS.objectBytes);
    distinct.set(object.hash, object);
  }
  return distinct.size === objects.length ? objects : [...distinct.values()];
}

function sizeOf(objects: readonly StoredObject[]): number {
  return objects.reduce((sum, object) => sum + object.data.byteLength, 0);
}

function bytesOf(documents: readonly Put<string>[]): number {
  return documents.reduce((sum, { key, value }) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
}

/** What a text can take at most: three bytes of UTF-8 for each UTF-16 unit. */
function mostBytes({ length }: string): number {
  return length * 3;
}

function keyOf({ key }: { readonly key: Key }): Key {
  return key;
}

function checkKey(key: Key): void {
  if (key === "") refuse("A key must not be empty.");
  checkText("key", key);
}

function checkText(what: string, text: string): void {
  if (mostBytes(text) > LIMITS.keyBytes && Buffer.byteLength(text) > LIMITS.keyBytes) {
    refuse(`A ${what} of ${Buffer.byteLength(text)} bytes is over the limit of ${LIMITS.keyBytes} bytes.`);
  }
  if (!PLAIN.test(text) && UNSAFE.test(text))
    refuse(`The ${what} ${JSON.stringify(text)} holds a control character or half of a surrogate pair.`);
}

function checkPartition(partition: string): void {
  if (partition.length <= LIMITS.partitionLength && PARTITION.test(partition)) return;
  refuse(`${JSON.stringify(partition.slice(0, LIMITS.partitionLength))} is not a partition's name.`);
}

function checkHash(hash: Hash): void {
  if (!HASH.test(hash)) refuse("A hash must be 64 lower-case hexadecimal digits.");
}

function checkLimit(limit: number): void {
  if (Number.isSafeInteger(limit) && limit > 0 && limit <= LIMITS.listEntries) return;
  refuse(`The limit ${limit} must be a whole number from 1 to ${LIMITS.listEntries}.`);
}

function checkCount(what: string, count: number, limit: number): void {
  if (count > limit) throw new AppError("too_large", { reason: `${count} ${what} are more than the limit of ${limit}.` });
}

function checkSize(what: string, bytes: number, limit: number): void {
  if (bytes > limit) throw new AppError("too_large", { reason: `${what} has ${bytes} bytes; the limit is ${limit}.` });
}

function checkDistinct(how: string, names: readonly string[]): void {
  if (new Set(names).size === names.length) return;
  const seen = new Set<string>();
  const twice = names.find((name) => seen.size === seen.add(name).size);
  refuse(`"${twice}" is ${how} twice in one commit.`);
}

function parse(partition: string, entry: Entry<string>): Entry {
  try {
    return { key: entry.key, value: JSON.parse(entry.value) as Json, revision: entry.revision };
  } catch (cause) {
    throw new AppError("store_unavailable", {
      reason: `The document "${entry.key}" of "${partition}" is damaged: what is stored is not JSON.`,
      fix: "Restore the store from a backup.",
      cause,
    });
  }
}

function refuse(reason: string): never {
  throw new AppError("invalid_request", { reason });
}
