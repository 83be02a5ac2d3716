import type { Change, Entry, Key, ObjectInfo, Range, StoredObject } from "../ports.ts";
import { bounds } from "./keys.ts";
import type { RedisArgs } from "./redis-connection.ts";

/** The keys of a partition: its name is their hash tag, so that a cluster has all of them on one server. */
export function keysOf(partition: string) {
  const prefix = `envm:{${partition}}:`;
  return {
    /** Hash: document's key → `<revision>:<JSON>`. */
    documents: `${prefix}documents`,
    /** Sorted set of the documents' keys, all with the same score, so that their bytes order them. */
    order: `${prefix}order`,
    /** The partition's newest revision. Never deleted. */
    revision: `${prefix}revision`,
    /** Hash: 32 bytes → the object's bytes. */
    objects: `${prefix}objects`,
    /** Sorted set of `<32 bytes><milliseconds>`: which objects there are, and when each was last put. */
    uses: `${prefix}uses`,
    fence: (writer: string) => `${prefix}fence:${writer}`,
  } as const;
}

/** A document as it is stored, or what is stored in its place where there is none. */
export function entryOf(key: Key, stored: string | null | undefined): Entry<string> | null {
  if (stored === null || stored === undefined) return null;
  const colon = stored.indexOf(":");
  return { key, value: stored.slice(colon + 1), revision: Number(stored.slice(0, colon)) };
}

/** What the commit script is told of a change (`null`: objects alone), from the counts on. */
export function commitWords(change: Change<string> | null, objects: readonly StoredObject[]): RedisArgs {
  const { checks = [], puts = [], deletes = [], objectDeletes = [] } = change ?? {};
  const counts = [checks.length, puts.length, deletes.length, objects.length, objectDeletes.length].map(String);
  const words: RedisArgs = [
    ...counts,
    Buffer.from(objects.map(({ hash }) => hash).join(""), "hex"),
    Buffer.from(objectDeletes.join(""), "hex"),
  ];
  for (const { key, revision } of checks) words.push(key, revision === null ? "" : String(revision));
  for (const { key, value } of puts) words.push(key, value);
  words.push(...deletes);
  for (const { data } of objects) words.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  return words;
}

/** About as many bytes as the words take on their way. */
export function sizeOf(words: RedisArgs): number {
  return words.reduce((sum, word) => sum + word.length, 0);
}

/** What the script of lists is told: from where to where, how many, and in which direction. */
export function lexBounds(range: Range): RedisArgs {
  const { lower, upper } = bounds(range);
  const low = lower === "" ? "-" : `[${lower}`;
  const high = upper === null ? "+" : `(${upper}`;
  const limit = String(range.limit);
  return range.reverse === true ? [high, low, limit, "REV"] : [low, high, limit, ""];
}

/** What the script of object lists answers, one for each object. */
export function objectInfos([uses, sizes]: [Buffer[], number[]]): readonly ObjectInfo[] {
  return uses.map((use, index) => ({
    hash: use.toString("hex", 0, 32),
    storedAt: Number(use.toString("latin1", 32)),
    size: sizes[index] ?? 0,
  }));
}
