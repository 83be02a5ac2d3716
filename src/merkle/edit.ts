import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Hash, Json, StoredObject } from "../ports.ts";
import { canonicalJson, isWellFormed, JsonText } from "./canonical.ts";
import { Flush } from "./draft.ts";
import { keyLayer } from "./hash.ts";
import { compareKeys } from "./keys.ts";
import { type MapNode, sameValue, type ValueRef, valueRef } from "./node.ts";
import { Rebuild } from "./rebuild.ts";
import type { NodeSource } from "./source.ts";

/** A value to put under each key, or `undefined` to remove the key. */
export type Edits = ReadonlyMap<string, Json | JsonText | undefined>;

/** What differs at one key; `null` where the key is absent. */
export interface EntryChange {
  readonly key: string;
  readonly left: ValueRef | null;
  readonly right: ValueRef | null;
}

export interface Applied {
  readonly root: Hash;
  /** What the new root needs and the old one did not: children before their parents. */
  readonly objects: readonly StoredObject[];
  /** What really changed, from the old root to the new one, by ascending key. */
  readonly changes: readonly EntryChange[];
  /** The new nodes, decoded: for a cache, once the objects are stored. */
  readonly nodes: ReadonlyMap<Hash, MapNode>;
}

/** One edit on its way through the tree. */
export interface Edit {
  readonly key: string;
  readonly layer: number;
  /** What to put; `null` removes. */
  readonly right: ValueRef | null;
  /** Bytes of the value's object, where the value has one that the store may lack. */
  readonly data: Uint8Array | null;
  /** What the key held: found on the way. */
  left: ValueRef | null;
}

/**
 * The map under `root` with these edits applied. Pure: nothing is stored, which the caller does with `objects`. The new root
 * depends on the new content alone, whatever the edits' order and history. Loads the nodes that the edits touch, level by level, one
 * batch each.
 *
 * @param taken changes of a diff, of keys that are not in `edits`: what is on their right is carried over, without being loaded or made
 * anew, so that the store must hold it already.
 * @throws AppError `invalid_request` for a value that is not JSON or a key with a lone surrogate, `too_large` for
 * names that pile up in one node.
 * @example const { root, objects } = await applyEdits(source, EMPTY_ROOT, new Map([["flows/a", { on: true }]]));
 */
export async function applyEdits(source: NodeSource, root: Hash, edits: Edits, taken: readonly EntryChange[] = []): Promise<Applied> {
  const list = taken.map(({ key, right }) => edit(key, right, null));
  return apply(source, root, list.concat(Array.from(edits, editOf)));
}

function editOf([key, value]: readonly [string, Json | JsonText | undefined]): Edit {
  if (value === undefined) return edit(key, null, null);
  const { ref, data } = valueRef(value instanceof JsonText ? value.text : canonicalJson(value, `The value of "${key}"`));
  return edit(key, ref, data);
}

function edit(key: string, right: ValueRef | null, data: Uint8Array | null): Edit {
  if (!isWellFormed(key)) throw new AppError("invalid_request", { reason: "A name holds a lone surrogate." });
  // A UTF-16 unit takes at most three bytes of UTF-8, so that short names need no counting.
  if (key.length * 3 > LIMITS.keyBytes && Buffer.byteLength(key) > LIMITS.keyBytes) {
    throw new AppError("invalid_request", { reason: `A name is longer than ${LIMITS.keyBytes} bytes.`, fix: "Use a shorter name." });
  }
  return { key, layer: keyLayer(key), right, data, left: null };
}

async function apply(source: NodeSource, root: Hash, edits: Edit[]): Promise<Applied> {
  edits.sort((a, b) => compareKeys(a.key, b.key));
  const rebuild = new Rebuild(source, edits);
  const slot = await rebuild.run(root);
  const changed = edits.filter(isChange);
  if (changed.length === 0) return { root, objects: [], changes: [], nodes: new Map() };
  const flush = new Flush(rebuild.held);
  for (const { data, left, right } of changed) {
    if (data !== null && right !== null && "hash" in right)
      flush.addValue(right.hash, data, left !== null && "hash" in left ? left.hash : null);
  }
  return {
    root: flush.root(slot),
    objects: flush.objects,
    changes: changed.map(({ key, left, right }) => ({ key, left, right })),
    nodes: flush.nodes,
  };
}

function isChange({ left, right }: Edit): boolean {
  return left === null || right === null ? left !== right : !sameValue(left, right);
}
