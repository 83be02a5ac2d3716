import type { Hash } from "../ports.ts";
import type { MapNode, ValueRef } from "./node.ts";
import { EMPTY_ROOT } from "./node-codec.ts";
import { lengthOf, PageSize } from "./page-size.ts";
import { readTexts } from "./read.ts";
import { type Held, heldNode, hold, type NodeSource } from "./source.ts";

/** What nodes, with all below them, and values were found to weigh: neither ever changes. */
const weights = new WeakMap<MapNode | ValueRef, number>();

/**
 * Bytes of the map's values, as canonical JSON in UTF-8, but for those of at most `INLINE_BYTES`, which weigh nothing. Versions of one map share
 * most of their nodes, and what was weighed once is not loaded again: after an edit the work is proportional to the edit.
 */
export async function weigh(source: NodeSource, root: Hash): Promise<number> {
  if (root === EMPTY_ROOT) return 0;
  const held: Held = new Map();
  /** Parents before what is below them. */
  const line: MapNode[] = [];
  for (let level: Hash[] = [root]; level.length > 0; ) {
    const waiting = hold(source, held, level);
    if (waiting !== null) await waiting;
    const unweighed = level.map((hash) => heldNode(held, hash)).filter((node) => !weights.has(node));
    line.push(...unweighed);
    level = unweighed.flatMap(({ children }) => children.flatMap((child) => (child === null ? [] : child.hash)));
  }
  await weighValues(source, line);
  for (const node of line.toReversed()) weights.set(node, weightOf(node, held));
  return weights.get(heldNode(held, root)) ?? 0;
}

/** A few at a time: what they weigh is kept, and they are not. */
async function weighValues(source: NodeSource, nodes: readonly MapNode[]): Promise<void> {
  const refs = nodes.flatMap(({ values }) => values.filter((ref) => "hash" in ref && !weights.has(ref)));
  const size = new PageSize();
  for (let from = 0; from < refs.length; ) {
    const page = refs.slice(from, from + size.next);
    const texts = await readTexts(source, page);
    for (const [index, ref] of page.entries()) weights.set(ref, Buffer.byteLength(texts[index] ?? ""));
    size.took(texts.length, lengthOf(texts));
    from += page.length;
  }
}

function weightOf({ values, children }: MapNode, held: Held): number {
  let weight = 0;
  for (const ref of values) weight += weights.get(ref) ?? 0;
  for (const child of children) if (child !== null) weight += weights.get(heldNode(held, child.hash)) ?? 0;
  return weight;
}
