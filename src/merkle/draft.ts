import type { Hash, StoredObject } from "../ports.ts";
import { objectHash } from "./hash.ts";
import { type ChildRef, checkNodeSize, countEntries, type MapNode, NO_CHILDREN, type ValueRef } from "./node.ts";
import { EMPTY_ROOT, encodeNode, reencodeNode } from "./node-codec.ts";
import type { Held } from "./source.ts";

/** What stands between two keys of a new node: a new node, a subtree taken over as it is, or nothing. */
export type Slot = Draft | ChildRef | null;

/** A node in the making. */
export class Draft {
  readonly layer: number;
  /** The old node whose place it takes. */
  readonly replaces: Hash | null;
  readonly keys: readonly string[];
  readonly values: readonly ValueRef[];
  /** Above layer 0, one before each key and one after the last. */
  readonly slots: Slot[] = [];

  constructor(layer: number, replaces: Hash | null, keys: readonly string[], values: readonly ValueRef[]) {
    this.layer = layer;
    this.replaces = replaces;
    this.keys = keys;
    this.values = values;
  }
}

/** Encodes and hashes the nodes in the making, each once, children first, and gathers the objects that are new. */
export class Flush {
  readonly nodes = new Map<Hash, MapNode>();
  readonly #old: Held;
  readonly #objects = new Map<Hash, StoredObject>();
  /** New values of new names, which take no other's place. */
  readonly #strangers = new Set<Hash>();

  /** @param old nodes that need not be stored: some of the new ones turn out to be the same. */
  constructor(old: Held) {
    this.#old = old;
  }

  get objects(): readonly StoredObject[] {
    return [...this.#objects.values()];
  }

  add(hash: Hash, data: Uint8Array, replaces: Hash | null): void {
    this.#objects.set(hash, replaces === null ? { hash, data } : { hash, data, replaces });
  }

  /** A value, which one of a neighbouring name may resemble where it takes no other's place. */
  addValue(hash: Hash, data: Uint8Array, replaces: Hash | null): void {
    this.add(hash, data, replaces);
    if (replaces === null) this.#strangers.add(hash);
  }

  /** Adds all that is new below and including the root, and returns its hash. */
  root(slot: Slot): Hash {
    return this.#slot(slot)?.hash ?? EMPTY_ROOT;
  }

  /** Recurses once per layer, of which there are at most 52. */
  #slot(slot: Slot): ChildRef | null {
    if (!(slot instanceof Draft)) return slot;
    const { layer, keys, values } = slot;
    checkNodeSize(keys.length, layer);
    const children = layer === 0 ? NO_CHILDREN : slot.slots.map((child) => this.#slot(child));
    const node: MapNode = { layer, count: countEntries(keys.length, children), keys, values, children };
    const bytes = this.#encode(node, slot.replaces);
    const hash = objectHash(bytes);
    if (this.#strangers.size > 0) this.#introduce(values);
    if (!this.#old.has(hash)) {
      this.nodes.set(hash, { layer, count: node.count, keys, values, children, bytes });
      this.add(hash, bytes, slot.replaces);
    }
    return { hash, count: node.count };
  }

  #encode(node: MapNode, replaces: Hash | null): Uint8Array {
    const old = replaces === null ? undefined : this.#old.get(replaces);
    return old?.bytes !== undefined && sameKeys(old.keys, node.keys) ? reencodeNode(node, old, old.bytes) : encodeNode(node);
  }

  /** Components of one kind are often alike: what is new is likened to the nearest value that the node had before. */
  #introduce(values: readonly ValueRef[]): void {
    let old: Hash | null = null;
    const likened = (value: ValueRef): void => {
      if (!("hash" in value)) return;
      const object = this.#objects.get(value.hash);
      if (object === undefined) old = value.hash;
      else if (old !== null && this.#strangers.delete(value.hash)) this.#objects.set(value.hash, { ...object, replaces: old });
    };
    values.forEach(likened);
    old = null;
    values.toReversed().forEach(likened);
  }
}

function sameKeys(left: readonly string[], right: readonly string[]): boolean {
  return left === right || (left.length === right.length && left.every((key, i) => key === right[i]));
}
