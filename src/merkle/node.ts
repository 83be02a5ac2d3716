import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Hash } from "../ports.ts";
import { canonicalJson } from "./canonical.ts";
import { keyLayer, objectHash } from "./hash.ts";

/** Where an entry's value is: in the node itself as canonical JSON, or in an object of its own. */
export type ValueRef = { readonly inline: string } | { readonly hash: Hash };

/** A subtree: its root node's hash and the number of entries in it. Never empty. */
export interface ChildRef {
  readonly hash: Hash;
  readonly count: number;
}

/**
 * One node of a map. `keys` ascend; `values[i]` belongs to `keys[i]`; `children[i]` holds what lies before `keys[i]`, the last
 * child what lies after the last key. A node of layer 0 has no children, and its list of them is empty.
 * Nodes are shared between maps and callers: nobody changes one.
 */
export interface MapNode {
  readonly layer: number;
  /** Entries in this node and below it. */
  readonly count: number;
  readonly keys: readonly string[];
  readonly values: readonly ValueRef[];
  readonly children: readonly (ChildRef | null)[];
  /** Its encoding, of a node that an edit made: the next edit writes over a copy of it. */
  readonly bytes?: Uint8Array;
}

/** A canonical JSON text of at most this many bytes in UTF-8 is kept in the node. */
export const INLINE_BYTES = 64;

export const NO_CHILDREN: readonly null[] = Object.freeze([]);
export const EMPTY_NODE: MapNode = Object.freeze({ layer: 0, count: 0, keys: [], values: [], children: NO_CHILDREN });

export function countEntries(entries: number, children: readonly (ChildRef | null)[]): number {
  let count = entries;
  for (const child of children) if (child !== null) count += child.count;
  return count;
}

/** How a map refers to a value, and the bytes of the value's object where it has one. */
export function valueRef(text: string): { ref: ValueRef; data: Uint8Array | null } {
  if (text.length <= INLINE_BYTES && Buffer.byteLength(text) <= INLINE_BYTES) return { ref: { inline: text }, data: null };
  const data = Buffer.from(text);
  return { ref: { hash: objectHash(data) }, data };
}

export function sameValue(left: ValueRef, right: ValueRef): boolean {
  if (left === right) return true;
  if ("inline" in left) return "inline" in right && left.inline === right.inline;
  return "hash" in right && left.hash === right.hash;
}

/** @throws AppError `too_large` for a node that no honest set of keys leads to. */
export function checkNodeSize(entries: number, layer: number): void {
  if (entries > LIMITS.nodeEntries) {
    throw new AppError("too_large", {
      reason: `More than ${LIMITS.nodeEntries} names fall into one node of the map; names in normal use spread evenly.`,
      fix: "Use other names: these were chosen, by design or by rare accident, so that they pile up in one place.",
    });
  }
  if (layer >= LIMITS.mapDepth) {
    throw new AppError("too_large", {
      reason: `A name lies above layer ${LIMITS.mapDepth} of the map.`,
      fix: "Use another name.",
    });
  }
}

/**
 * What decoding leaves unchecked because the node's hash vouches for it, and what only its parent knows. For integrity
 * checks: it costs more than decoding.
 *
 * @throws Error `object <hash> is corrupt`
 */
export function auditNode(hash: Hash, node: MapNode, parent?: { readonly layer: number; readonly count: number }): void {
  if (node.keys.some((key) => keyLayer(key) !== node.layer)) throw corrupt(hash, "a key of another layer");
  if (parent !== undefined && node.layer >= parent.layer) throw corrupt(hash, "not below its parent");
  if (parent !== undefined && node.count !== parent.count) throw corrupt(hash, "not the number of entries that its parent says");
  for (const value of node.values) if ("inline" in value) auditText(hash, value.inline);
}

function auditText(hash: Hash, text: string): void {
  try {
    if (canonicalJson(JSON.parse(text)) === text) return;
  } catch {
    // Falls through: not JSON at all.
  }
  throw corrupt(hash, "a value that is not canonical JSON");
}

/** An object whose bytes are not what its hash says, or not what we write. */
export function corrupt(hash: Hash, why: string): Error {
  return new Error(`object ${hash} is corrupt: ${why}`);
}
