import type { Hash } from "../ports.ts";
import type { ChildRef, MapNode, ValueRef } from "./node.ts";
import { decodeNode, NodeReader } from "./node-codec.ts";

/** What a comparison looks at of a node, or of a part of one. */
export type NodeParts = Omit<MapNode, "count">;

/**
 * A node as it was loaded. It is decoded when somebody looks into it, and then checked as `decodeNode` does; a comparison with another
 * version of the same node needs few of its entries, and takes them out of the bytes.
 */
export class EncodedNode implements MapNode {
  readonly layer: number;
  readonly entries: number;
  /** Bytes of it as it was loaded. */
  readonly size: number;
  readonly #hash: Hash;
  #content: Uint8Array | MapNode;

  /** @throws Error `object <hash> is corrupt`, where its head tells, as do the members that need more of it */
  constructor(hash: Hash, data: Uint8Array) {
    const { layer, entries } = new NodeReader(hash, data);
    this.layer = layer;
    this.entries = entries;
    this.size = data.length;
    this.#hash = hash;
    // Of its own: a window, as a socket's reply is, keeps all else alive that came with it.
    this.#content = data.length < data.buffer.byteLength ? Uint8Array.prototype.slice.call(data) : data;
  }

  get count(): number {
    return this.#decoded.count;
  }

  get keys(): readonly string[] {
    return this.#decoded.keys;
  }

  get values(): readonly ValueRef[] {
    return this.#decoded.values;
  }

  get children(): readonly (ChildRef | null)[] {
    return this.#decoded.children;
  }

  get #decoded(): MapNode {
    if (this.#content instanceof Uint8Array) this.#content = decodeNode(this.#hash, this.#content);
    return this.#content;
  }

  /** A reader of its bytes; `null` where it is decoded, which is faster to look at. */
  reader(): NodeReader | null {
    return this.#content instanceof Uint8Array ? new NodeReader(this.#hash, this.#content) : null;
  }
}

/**
 * The same two nodes without entries, and children before them, that are equal in both: found by their bytes, without making strings of them.
 * Whole nodes where they are decoded already, or their keys differ.
 */
export function unequalParts(left: MapNode, right: MapNode): readonly [NodeParts, NodeParts] {
  const a = left instanceof EncodedNode ? left.reader() : null;
  const b = right instanceof EncodedNode ? right.reader() : null;
  const parts = a === null || b === null ? null : readUnequal(a, b);
  return parts ?? [left, right];
}

/** `null` where the keys differ. */
function readUnequal(a: NodeReader, b: NodeReader): readonly [NodeParts, NodeParts] | null {
  const { layer, entries } = a;
  if (b.layer !== layer || b.entries !== entries) return null;
  const keys: string[] = [];
  const left: { values: ValueRef[]; children: (ChildRef | null)[] } = { values: [], children: [] };
  const right: typeof left = { values: [], children: [] };
  for (let i = 0; i < entries; i++) {
    const start = a.at;
    if (layer > 0) a.passChild();
    const key = a.at;
    a.passKey(i === 0);
    const value = a.at;
    a.passValue();
    if (passSame(b, a, start, a.at)) continue;
    a.at = start;
    if (layer > 0) left.children.push(a.child());
    if (layer > 0) right.children.push(b.child());
    if (!passSame(b, a, key, value)) return null;
    keys.push(a.key());
    a.at = value;
    left.values.push(a.value());
    right.values.push(b.value());
  }
  if (layer > 0) left.children.push(a.child());
  if (layer > 0) right.children.push(b.child());
  return [
    { layer, keys, ...left },
    { layer, keys, ...right },
  ];
}

/** Passes these bytes of `other` by where `reader` has the same ones. No part of a node begins as another does, so that its parts are the same too. */
function passSame(reader: NodeReader, other: NodeReader, from: number, to: number): boolean {
  const shift = reader.at - from;
  for (let i = from; i < to; i++) if (other.data[i] !== reader.data[i + shift]) return false;
  reader.at += to - from;
  return true;
}
