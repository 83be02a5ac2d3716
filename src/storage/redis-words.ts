import type { Change, Entry, Key, ObjectInfo, Range } from "../ports.ts";
import type { NamedLink, StoredForm } from "./delta-bases.ts";
import { bounds } from "./keys.ts";
import { objectBytes } from "./lines.ts";
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
    /** Hash: 32 bytes → the object's bytes, of those that are stored whole. */
    objects: `${prefix}objects`,
    /** Hash: 32 bytes → the base's 32 bytes and the delta, of the others. */
    deltas: `${prefix}deltas`,
    /** Hash: 32 bytes → how many deltas stand upon it. */
    dependents: `${prefix}dependents`,
    /** The same as objects and deltas, after `W` or `D`: of those that were deleted while others stand upon them. */
    hidden: `${prefix}hidden`,
    /** Sorted set of `<32 bytes><milliseconds>`: which objects there are, and when each was last put. */
    uses: `${prefix}uses`,
    /** List of tickets: whose turn it is to write the partition, and who waits. */
    turns: `${prefix}turns`,
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
export function commitWords(change: Change<string> | null, objects: readonly StoredForm[]): RedisArgs {
  const { checks = [], puts = [], deletes = [], objectDeletes = [] } = change ?? {};
  const counts = [checks.length, puts.length, deletes.length, objects.length, objectDeletes.length].map(String);
  const words: RedisArgs = [...counts, bytesOf(objects.map(({ hash }) => hash).join("")), bytesOf(objectDeletes.join(""))];
  for (const { key, revision } of checks) words.push(key, revision === null ? "" : String(revision));
  for (const { key, value } of puts) words.push(key, value);
  words.push(...deletes);
  for (const { base, data } of objects) {
    words.push(bytesOf(base ?? ""), Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  }
  return words;
}

/** Nothing is a text: the driver writes each Buffer on its own, and texts together. */
function bytesOf(hex: string): string | Buffer {
  return hex === "" ? "" : Buffer.from(hex, "hex");
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

/** What the script of object lists answers, one for each object: its length, or the head of a delta. */
export function objectInfos([uses, sizes]: [Buffer[], (number | Buffer)[]]): readonly ObjectInfo[] {
  return uses.map((use, index) => {
    const size = sizes[index] ?? 0;
    return {
      hash: use.toString("hex", 0, 32),
      storedAt: Number(use.toString("latin1", 32)),
      size: typeof size === "number" ? size : objectBytes(size),
    };
  });
}

/** What the script of links answers: hash, kind and value of each. */
export function linksOf(reply: readonly Buffer[]): readonly (NamedLink & { readonly isHidden: boolean })[] {
  return Array.from({ length: Math.floor(reply.length / 3) }, (_, index) => {
    const [hash, kind, value] = reply.slice(3 * index, 3 * index + 3) as [Buffer, Buffer, Buffer];
    const text = kind.toString("latin1");
    const isDelta = text.endsWith("D");
    return {
      hash: hash.toString("hex"),
      base: isDelta ? value.toString("hex", 0, 32) : null,
      isDelta,
      data: isDelta ? value.subarray(32) : value,
      isHidden: text.startsWith("H"),
    };
  });
}
