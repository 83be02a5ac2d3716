import type { Hash } from "../ports.ts";
import type { EntryChange } from "./edit.ts";
import { type NodeParts, unequalParts } from "./encoded-node.ts";
import { at, compareKeys, KeyRange } from "./keys.ts";
import { type ChildRef, type MapNode, sameValue, type ValueRef } from "./node.ts";
import { EMPTY_ROOT } from "./node-codec.ts";
import { type Held, heldNode, hold, type NodeSource } from "./source.ts";

export interface DiffOptions {
  /** Only keys that begin with this. */
  readonly prefix?: string;
  /** Only the first so many changes. */
  readonly limit?: number;
}

interface Entry {
  readonly key: string;
  readonly value: ValueRef;
}
type Item = Entry | ChildRef;

/** What lies between two places that both maps have in common, and is known to differ. */
interface Gap {
  readonly left: readonly Item[];
  readonly right: readonly Item[];
}
type Part = EntryChange | Gap;

/**
 * What differs between two maps, by ascending key. Equal subtrees are skipped without being loaded, so the work is proportional to the
 * changes and not to the maps.
 *
 * Both trees are opened from the top, level by level, each level's nodes in one batch. Keys that both have split what is left
 * into gaps that have nothing to do with one another. In a gap only the nodes of the highest layer are opened, so that a key
 * of a high layer on one side alone does not set the other side out of step.
 */
export async function diff(source: NodeSource, left: Hash, right: Hash, options: DiffOptions = {}): Promise<EntryChange[]> {
  const range = new KeyRange(options.prefix ?? "");
  const limit = options.limit ?? Number.POSITIVE_INFINITY;
  // A gap holds at least one change, unless the range cuts it, which it does to the first and the last alone.
  const wanted = range.isEverything ? limit : limit + 1;
  let held: Held = new Map();
  let line: Part[] = left === right ? [] : [{ left: rootItems(left), right: rootItems(right) }];
  for (;;) {
    if (line.length > wanted) line.length = wanted;
    const hashes = subtreesOf(line);
    if (hashes === null) return (line.length > limit ? line.slice(0, limit) : line) as EntryChange[];
    const waiting = hold(source, held, hashes);
    if (waiting !== null) await waiting;
    const opened: Opening = { held, kept: new Map(), range, line: [] };
    for (const part of line) {
      if ("key" in part) opened.line.push(part);
      else openGap(opened, part);
    }
    held = opened.kept;
    line = opened.line;
  }
}

/** One step down: the nodes at hand, those to be kept for the next step, and the line that is being made. */
interface Opening {
  readonly held: Held;
  readonly kept: Held;
  readonly range: KeyRange;
  readonly line: Part[];
}

/** Nothing refers to a root by its count. */
function rootItems(root: Hash): Item[] {
  return root === EMPTY_ROOT ? [] : [{ hash: root, count: 0 }];
}

/** `null` where nothing is left to open. */
function subtreesOf(line: readonly Part[]): Hash[] | null {
  let hashes: Hash[] | null = null;
  for (const part of line) {
    if ("key" in part) continue;
    hashes ??= [];
    for (const item of part.left) if ("hash" in item) hashes.push(item.hash);
    for (const item of part.right) if ("hash" in item) hashes.push(item.hash);
  }
  return hashes;
}

function openGap(opening: Opening, gap: Gap): void {
  const layer = Math.max(highestLayer(opening.held, gap.left), highestLayer(opening.held, gap.right));
  const left = soleNode(opening, gap.left, layer);
  const right = soleNode(opening, gap.right, layer);
  if (left !== null && right !== null) compareNodes(opening, left, right);
  else compareItems(opening, openItems(opening, gap.left, layer), openItems(opening, gap.right, layer));
}

function highestLayer(held: Held, items: readonly Item[]): number {
  let layer = -1;
  for (const item of items) if ("hash" in item) layer = Math.max(layer, heldNode(held, item.hash).layer);
  return layer;
}

function soleNode(opening: Opening, items: readonly Item[], layer: number): MapNode | null {
  const [first] = items;
  if (items.length !== 1 || first === undefined || "key" in first || !opening.range.isEverything) return null;
  const node = heldNode(opening.held, first.hash);
  return node.layer === layer ? node : null;
}

/** Two nodes of one layer: as a rule their keys are the same, and nothing needs to be laid out for a merge. */
function compareNodes(opening: Opening, leftNode: MapNode, rightNode: MapNode): void {
  const [left, right] = unequalParts(leftNode, rightNode);
  const shared = Math.min(left.keys.length, right.keys.length);
  let i = 0;
  for (; i < shared; i++) {
    const key = at(left.keys, i);
    if (key !== right.keys[i]) break;
    const a = left.layer === 0 ? null : at(left.children, i);
    const b = left.layer === 0 ? null : at(right.children, i);
    if (a?.hash !== b?.hash) opening.line.push({ left: a === null ? [] : [a], right: b === null ? [] : [b] });
    const leftValue = at(left.values, i);
    const rightValue = at(right.values, i);
    if (!sameValue(leftValue, rightValue)) opening.line.push({ key, left: leftValue, right: rightValue });
  }
  compareItems(opening, itemsOf(left, i, left.keys.length), itemsOf(right, i, right.keys.length));
}

function itemsOf(node: NodeParts, start: number, end: number): Item[] {
  const items: Item[] = [];
  for (let i = start; i <= end; i++) {
    const child = node.children[i];
    if (child) items.push(child);
    if (i < end) items.push({ key: at(node.keys, i), value: at(node.values, i) });
  }
  return items;
}

/** Puts what is in the nodes of this layer in their place; lower ones stay as they are. */
function openItems(opening: Opening, items: readonly Item[], layer: number): Item[] {
  const opened: Item[] = [];
  for (const item of items) {
    if ("key" in item) {
      opened.push(item);
      continue;
    }
    const node = heldNode(opening.held, item.hash);
    if (node.layer === layer) {
      const { start, end } = opening.range.of(node.keys);
      for (const inner of itemsOf(node, start, end)) opened.push(inner);
    } else {
      opening.kept.set(item.hash, node);
      opened.push(item);
    }
  }
  return opened;
}

/** Merges two runs of items: keys that both have end a gap and begin the next. */
function compareItems(opening: Opening, left: readonly Item[], right: readonly Item[]): void {
  const { line } = opening;
  const gap: OpenGap = { left: [], right: [] };
  let i = 0;
  let j = 0;
  for (;;) {
    for (let item = left[i]; item !== undefined && "hash" in item; item = left[++i]) gap.left.push(item);
    for (let item = right[j]; item !== undefined && "hash" in item; item = right[++j]) gap.right.push(item);
    const a = left[i] as Entry | undefined;
    const b = right[j] as Entry | undefined;
    if (a === undefined && b === undefined) break;
    const order = a === undefined ? 1 : b === undefined ? -1 : compareKeys(a.key, b.key);
    if (order === 0 && a !== undefined && b !== undefined) {
      closeGap(line, gap);
      if (!sameValue(a.value, b.value)) line.push({ key: a.key, left: a.value, right: b.value });
      i++;
      j++;
    } else if (order < 0 && a !== undefined) {
      // With nothing on the other side up to here, what is on this side stands alone.
      if (gap.right.length === 0) closeGap(line, gap);
      if (gap.right.length === 0) line.push({ key: a.key, left: a.value, right: null });
      else gap.left.push(a);
      i++;
    } else if (b !== undefined) {
      if (gap.left.length === 0) closeGap(line, gap);
      if (gap.left.length === 0) line.push({ key: b.key, left: null, right: b.value });
      else gap.right.push(b);
      j++;
    }
  }
  closeGap(line, gap);
}

interface OpenGap {
  left: Item[];
  right: Item[];
}

/** Ends a gap and begins the next. Leaves out what is equal at both ends; what has no subtree is known to the end. */
function closeGap(line: Part[], gap: OpenGap): void {
  const { left, right } = gap;
  if (left.length === 0 && right.length === 0) return;
  gap.left = [];
  gap.right = [];
  while (left.length > 0 && right.length > 0 && sameSubtree(left[0], right[0])) {
    left.shift();
    right.shift();
  }
  while (left.length > 0 && right.length > 0 && sameSubtree(left.at(-1), right.at(-1))) {
    left.pop();
    right.pop();
  }
  if (left.length === 0 && right.length === 0) return;
  if (left.every((item) => "key" in item) && right.every((item) => "key" in item)) {
    pushOneSided(line, left as Entry[], right as Entry[]);
  } else {
    line.push({ left, right });
  }
}

function sameSubtree(left: Item | undefined, right: Item | undefined): boolean {
  return left !== undefined && right !== undefined && "hash" in left && "hash" in right && left.hash === right.hash;
}

/** Entries that only one side has. */
function pushOneSided(line: Part[], left: readonly Entry[], right: readonly Entry[]): void {
  let i = 0;
  let j = 0;
  for (;;) {
    const a = left[i];
    const b = right[j];
    if (a !== undefined && (b === undefined || compareKeys(a.key, b.key) < 0)) {
      line.push({ key: a.key, left: a.value, right: null });
      i++;
    } else if (b !== undefined) {
      line.push({ key: b.key, left: null, right: b.value });
      j++;
    } else {
      return;
    }
  }
}
