import { LIMITS } from "../limits.ts";
import type { Hash } from "../ports.ts";
import { EncodedNode } from "./encoded-node.ts";
import { objectHash } from "./hash.ts";
import { corrupt, EMPTY_NODE, type MapNode } from "./node.ts";
import { EMPTY_ROOT } from "./node-codec.ts";

/** Where encoded objects come from. One answer for each hash, in the order asked. Throws when one is missing. */
export interface ObjectSource {
  get(hashes: readonly Hash[]): Promise<readonly Uint8Array[]>;
}

/** Where the map's code reads from: decoded and checked. See `decoding` and `NodeCache`. */
export interface NodeSource {
  /** The node, if it is at hand without waiting. */
  peek(hash: Hash): MapNode | undefined;
  nodes(hashes: readonly Hash[]): Promise<readonly MapNode[]>;
  /** The canonical JSON text of each value. */
  values(hashes: readonly Hash[]): Promise<readonly string[]>;
}

/**
 * Reads objects with nothing kept in between. Every object is hashed on the way.
 *
 * @throws Error (from its methods) `object <hash> is corrupt`, and what the source throws.
 */
export function decoding(source: ObjectSource): NodeSource {
  return {
    peek: () => undefined,
    nodes: async (hashes) => decodeAll(hashes, await source.get(hashes), (hash, data) => new EncodedNode(hash, data)),
    values: async (hashes) => decodeAll(hashes, await source.get(hashes), decodeText),
  };
}

function decodeAll<T>(hashes: readonly Hash[], objects: readonly Uint8Array[], decode: (hash: Hash, data: Uint8Array) => T): T[] {
  return hashes.map((hash, i) => {
    const data = objects[i];
    if (data === undefined) throw new Error(`object ${hash} is missing`);
    if (objectHash(data) !== hash) throw corrupt(hash, "its bytes have another hash");
    return decode(hash, data);
  });
}

function decodeText(_hash: Hash, data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("utf8");
}

/** The nodes that one operation has at hand, by hash. */
export type Held = Map<Hash, MapNode>;

/**
 * Puts these nodes into `held`, loading those that are not at hand in one batch. Returns `null` where none had to be
 * waited for: an operation whose nodes are all cached never gives up its turn.
 */
export function hold(source: NodeSource, held: Held, hashes: readonly Hash[]): Promise<void> | null {
  let missing: Set<Hash> | null = null;
  for (const hash of hashes) {
    if (held.has(hash)) continue;
    const node = hash === EMPTY_ROOT ? EMPTY_NODE : source.peek(hash);
    if (node !== undefined) {
      held.set(hash, node);
    } else {
      missing ??= new Set();
      missing.add(hash);
    }
  }
  return missing === null ? null : load(source, held, [...missing]);
}

async function load(source: NodeSource, held: Held, missing: readonly Hash[]): Promise<void> {
  for (const batch of batches(missing)) {
    const nodes = await source.nodes(batch);
    for (const [i, node] of nodes.entries()) held.set(batch[i] as Hash, node);
  }
}

/** A node that `hold` was asked for. */
export function heldNode(held: Held, hash: Hash): MapNode {
  const node = held.get(hash);
  if (node === undefined) throw new Error(`object ${hash} was not loaded`);
  return node;
}

/** One request to a source asks for no more than `LIMITS.getKeys` objects. */
export function* batches<T>(list: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < list.length; start += LIMITS.getKeys) yield list.slice(start, start + LIMITS.getKeys);
}
