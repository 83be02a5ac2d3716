import type { Hash, Json } from "../ports.ts";
import { at, KeyRange, lowerBound } from "./keys.ts";
import { auditNode, type ChildRef, EMPTY_NODE, type MapNode, type ValueRef } from "./node.ts";
import { EMPTY_ROOT } from "./node-codec.ts";
import { lengthOf, PageSize } from "./page-size.ts";
import { batches, type Held, heldNode, hold, type NodeSource } from "./source.ts";

export interface ListOptions {
  /** Only keys that begin with this. */
  readonly prefix: string;
  /** Only keys greater than this one: where the page before ended. */
  readonly after?: string;
  /** At most this many entries. */
  readonly limit: number;
  /** `false` leaves the values out, and loads none. */
  readonly values?: boolean;
}

export interface ListedEntry {
  readonly key: string;
  readonly ref: ValueRef;
  readonly value?: Json;
}

export interface ReachableOptions {
  /** Hashes that are known already: neither they nor what lies below them are walked again. */
  readonly skip?: (hash: Hash) => boolean;
  /** Also checks what decoding leaves unchecked: layers, counts, inline values. */
  readonly audit?: boolean;
}

/** Nodes that `reachable` loads at once. */
const WALK_NODES = 256;

/** The values under these keys, in their order; `undefined` where there is none. One batch of nodes per level, then one of values. */
export async function lookup(source: NodeSource, root: Hash, keys: readonly string[]): Promise<(Json | undefined)[]> {
  const refs = await lookupRefs(source, root, keys);
  if (refs.every((ref) => ref === null)) return refs.map(() => undefined);
  const values = await readValues(
    source,
    refs.filter((ref) => ref !== null),
  );
  let next = 0;
  return refs.map((ref) => (ref === null ? undefined : values[next++]));
}

/** Where the values under these keys are, in their order; `null` where there is none. Loads no values. */
export async function lookupRefs(source: NodeSource, root: Hash, keys: readonly string[]): Promise<(ValueRef | null)[]> {
  const found: (ValueRef | null)[] = [];
  let searches: { readonly key: string; readonly index: number; readonly node: Hash }[] = [];
  for (const [index, key] of keys.entries()) {
    const ref = peekRef(source, root, key);
    found.push(ref ?? null);
    if (ref === undefined) searches.push({ key, index, node: root });
  }
  while (searches.length > 0) {
    const held: Held = new Map();
    const waiting = hold(
      source,
      held,
      searches.map((search) => search.node),
    );
    if (waiting !== null) await waiting;
    const deeper: typeof searches = [];
    for (const { key, index, node: hash } of searches) {
      const node = heldNode(held, hash);
      const place = lowerBound(node.keys, key);
      if (node.keys[place] === key) {
        found[index] = at(node.values, place);
      } else {
        const child = node.children[place];
        if (child) deeper.push({ key, index, node: child.hash });
      }
    }
    searches = deeper;
  }
  return found;
}

/** Where the value under a key is, `null` where there is none; `undefined` where a node on the way has to be loaded first. */
function peekRef(source: NodeSource, root: Hash, key: string): ValueRef | null | undefined {
  for (let hash = root; ; ) {
    const node = hash === EMPTY_ROOT ? EMPTY_NODE : source.peek(hash);
    if (node === undefined) return undefined;
    const place = lowerBound(node.keys, key);
    if (node.keys[place] === key) return at(node.values, place);
    const child = node.children[place];
    if (!child) return null;
    hash = child.hash;
  }
}

/** A subtree in the line of a listing; `cut` where it may reach beyond the range. */
interface Branch {
  readonly ref: ChildRef;
  readonly cut: boolean;
}
type Part = ListedEntry | Branch;

/**
 * Entries in ascending order of their keys' UTF-8 bytes. Loads what the range touches and no more, however large the map is: one batch of
 * nodes per level, then one of values.
 *
 * @example const page = await listEntries(source, root, { prefix: "flows/", after: "flows/a", limit: 100 });
 */
export async function listEntries(source: NodeSource, root: Hash, options: ListOptions): Promise<ListedEntry[]> {
  const range = new KeyRange(options.prefix, options.after);
  let line: readonly Part[] = [{ ref: { hash: root, count: 0 }, cut: true }];
  for (;;) {
    line = firstParts(line, options.limit);
    const branches = line.filter((part) => "cut" in part);
    if (branches.length === 0) break;
    const held: Held = new Map();
    const waiting = hold(
      source,
      held,
      branches.map((branch) => branch.ref.hash),
    );
    if (waiting !== null) await waiting;
    line = line.flatMap((part) => ("cut" in part ? partsOf(heldNode(held, part.ref.hash), part.cut, range) : part));
  }
  const entries = line.filter((part) => "key" in part);
  if (options.values === false) return entries;
  const values = await readValues(
    source,
    entries.map((entry) => entry.ref),
  );
  return entries.map(({ key, ref }, i) => ({ key, ref, value: at(values, i) }));
}

/** The shortest start of the line that is sure to hold `limit` entries; of a subtree that is cut nothing is sure. */
function firstParts(line: readonly Part[], limit: number): readonly Part[] {
  let sure = 0;
  let parts = 0;
  while (parts < line.length && sure < limit) {
    const part = at(line, parts++);
    if ("key" in part) sure += 1;
    else if (!part.cut) sure += part.ref.count;
  }
  return line.slice(0, parts);
}

/** A node's entries and subtrees that may be in the range, in order. `cut`: the node itself may reach beyond it. */
export function partsOf(node: MapNode, cut: boolean, range: KeyRange): Part[] {
  const parts: Part[] = [];
  const { start, end } = cut ? range.of(node.keys) : { start: 0, end: node.keys.length };
  const bounded = cut && !range.isEverything;
  for (let i = start; i <= end; i++) {
    const child = node.children[i];
    if (child) parts.push({ ref: child, cut: bounded && (i === start || i === end) });
    if (i < end) parts.push({ key: at(node.keys, i), ref: at(node.values, i) });
  }
  return parts;
}

/** How many keys begin with `prefix`. Loads the two edges of the range and no more, because a node knows how many entries are below it. */
export async function count(source: NodeSource, root: Hash, prefix = ""): Promise<number> {
  const range = new KeyRange(prefix);
  let total = 0;
  let edges: Hash[] = [root];
  while (edges.length > 0) {
    const held: Held = new Map();
    const waiting = hold(source, held, edges);
    if (waiting !== null) await waiting;
    const deeper: Hash[] = [];
    for (const hash of edges) {
      const node = heldNode(held, hash);
      if (range.isEverything) return node.count;
      for (const part of partsOf(node, true, range)) {
        if ("key" in part) total += 1;
        else if (part.cut) deeper.push(part.ref.hash);
        else total += part.ref.count;
      }
    }
    edges = deeper;
  }
  return total;
}

export interface EntryText {
  readonly key: string;
  /** The value's canonical JSON. */
  readonly text: string;
}

/**
 * All entries under a prefix, a page at a time: no more of them are loaded than were asked for.
 * @example for await (const page of entryTexts(source, root, "flows/")) for (const { key, text } of page) console.log(key, text);
 */
export async function* entryTexts(source: NodeSource, root: Hash, prefix: string): AsyncGenerator<readonly EntryText[], void> {
  const size = new PageSize();
  for (let after: string | undefined; ; ) {
    const limit = size.next;
    const entries = await listEntries(source, root, { prefix, limit, values: false, ...(after !== undefined && { after }) });
    const texts = await readTexts(
      source,
      entries.map(({ ref }) => ref),
    );
    if (entries.length > 0) yield entries.map(({ key }, i) => ({ key, text: at(texts, i) }));
    if (entries.length < limit) return;
    size.took(texts.length, lengthOf(texts));
    after = entries.at(-1)?.key;
  }
}

/** The values that these refer to, in their order. */
export async function readValues(source: NodeSource, refs: readonly ValueRef[]): Promise<Json[]> {
  return (await readTexts(source, refs)).map((text) => JSON.parse(text) as Json);
}

/** The same as their canonical JSON. */
export async function readTexts(source: NodeSource, refs: readonly ValueRef[]): Promise<string[]> {
  const wanted = new Set<Hash>();
  for (const ref of refs) if ("hash" in ref) wanted.add(ref.hash);
  const texts = new Map<Hash, string>();
  for (const batch of batches([...wanted])) {
    const loaded = await source.values(batch);
    for (const [i, text] of loaded.entries()) texts.set(at(batch, i), text);
  }
  return refs.map((ref) => ("inline" in ref ? ref.inline : textOf(texts, ref.hash)));
}

function textOf(texts: ReadonlyMap<Hash, string>, hash: Hash): string {
  const text = texts.get(hash);
  if (text === undefined) throw new Error(`object ${hash} was not loaded`);
  return text;
}

/**
 * The hash of every object that the map needs, nodes and values, each batch below the ones before it. What was yielded may come
 * again, for a value that two keys share, unless `skip` says that it is known.
 *
 * @throws Error `object <hash> is corrupt` or what the source throws for a missing one; values are not loaded.
 */
export async function* reachable(source: NodeSource, root: Hash, options: ReachableOptions = {}): AsyncIterable<Hash[]> {
  const skip = options.skip ?? (() => false);
  type Step = { readonly hash: Hash; readonly parent?: { readonly layer: number; readonly count: number } };
  const stack: Step[] = root === EMPTY_ROOT || skip(root) ? [] : [{ hash: root }];
  while (stack.length > 0) {
    const steps = stack.splice(-WALK_NODES).filter((step) => !skip(step.hash));
    const held: Held = new Map();
    const hashes = steps.map((step) => step.hash);
    const waiting = hold(source, held, hashes);
    if (waiting !== null) await waiting;
    const found = [...hashes];
    for (const { hash, parent } of steps) {
      const node = heldNode(held, hash);
      if (options.audit === true) auditNode(hash, node, parent);
      for (const value of node.values) if ("hash" in value && !skip(value.hash)) found.push(value.hash);
      for (const child of node.children) {
        if (child !== null && !skip(child.hash)) stack.push({ hash: child.hash, parent: { layer: node.layer, count: child.count } });
      }
    }
    if (found.length > 0) yield found;
  }
}
