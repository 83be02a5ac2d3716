import type { Hash } from "../ports.ts";
import { KeyRange } from "./keys.ts";
import type { MapNode, ValueRef } from "./node.ts";
import { lengthOf, PageSize } from "./page-size.ts";
import { partsOf, readTexts } from "./read.ts";
import { type Held, heldNode, hold, type NodeSource } from "./source.ts";

/** What values, and nodes with all below them, were found to weigh: neither ever changes. */
const weights = new WeakMap<MapNode | ValueRef, number>();

/**
 * Bytes of the values under a prefix, as canonical JSON in UTF-8, but for those of at most `INLINE_BYTES`, which weigh nothing. Versions of one
 * map share most of their nodes, and what was weighed once is not loaded again: after an edit the work is proportional to the edit.
 */
export async function weigh(source: NodeSource, root: Hash, prefix = ""): Promise<number> {
  const range = new KeyRange(prefix);
  const held: Held = new Map();
  const refs: ValueRef[] = [];
  const inside: Hash[] = [];
  for (let edges = [root]; edges.length > 0; ) {
    const waiting = hold(source, held, edges);
    if (waiting !== null) await waiting;
    const parts = edges.flatMap((hash) => partsOf(heldNode(held, hash), true, range));
    edges = [];
    for (const part of parts) {
      if ("key" in part) refs.push(part.ref);
      else (part.cut ? edges : inside).push(part.ref.hash);
    }
  }
  await weighValues(source, refs);
  return sum(refs) + (await weighTrees(source, held, inside));
}

/** What whole trees weigh together. */
async function weighTrees(source: NodeSource, held: Held, roots: readonly Hash[]): Promise<number> {
  /** Parents before what is below them. */
  const unweighed: MapNode[] = [];
  for (let level = roots; level.length > 0; ) {
    const waiting = hold(source, held, level);
    if (waiting !== null) await waiting;
    const below: Hash[] = [];
    for (const node of level.map((hash) => heldNode(held, hash))) {
      if (weights.has(node)) continue;
      unweighed.push(node);
      for (const child of node.children) if (child !== null) below.push(child.hash);
    }
    level = below;
  }
  await weighValues(
    source,
    unweighed.flatMap(({ values }) => values),
  );
  const nodesOf = (hashes: readonly Hash[]) => hashes.map((hash) => heldNode(held, hash));
  for (const node of unweighed.toReversed()) {
    const below = nodesOf(node.children.flatMap((child) => (child === null ? [] : child.hash)));
    weights.set(node, sum(node.values) + sum(below));
  }
  return sum(nodesOf(roots));
}

/** A few at a time: what they weigh is kept, and they are not. */
async function weighValues(source: NodeSource, refs: readonly ValueRef[]): Promise<void> {
  const unweighed = refs.filter((ref) => "hash" in ref && !weights.has(ref));
  const size = new PageSize();
  for (let from = 0; from < unweighed.length; ) {
    const page = unweighed.slice(from, from + size.next);
    const texts = await readTexts(source, page);
    for (const [index, ref] of page.entries()) weights.set(ref, Buffer.byteLength(texts[index] ?? ""));
    size.took(texts.length, lengthOf(texts));
    from += page.length;
  }
}

function sum(weighed: readonly (MapNode | ValueRef)[]): number {
  let total = 0;
  for (const one of weighed) total += weights.get(one) ?? 0;
  return total;
}
