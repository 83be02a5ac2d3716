import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import {
  type Applied,
  applyEdits,
  decoding,
  EMPTY_ROOT,
  type EntryChange,
  type NodeSource,
  type ValueRef,
} from "../../src/merkle/index.ts";
import type { Hash, Json, JsonObject, StoredObject } from "../../src/ports.ts";

/** Objects in memory; counts what is asked of it. */
export class Objects {
  readonly data = new Map<Hash, Uint8Array>();
  loads = 0;
  roundTrips = 0;
  readonly source: NodeSource = decoding(this);

  async get(hashes: readonly Hash[]): Promise<readonly Uint8Array[]> {
    this.loads += hashes.length;
    this.roundTrips += 1;
    return hashes.map((hash) => {
      const data = this.data.get(hash);
      if (data === undefined) throw new Error(`object ${hash} is missing`);
      return data;
    });
  }

  put(objects: readonly StoredObject[]): void {
    for (const { hash, data } of objects) this.data.set(hash, data);
  }

  resetCounts(): void {
    this.loads = 0;
    this.roundTrips = 0;
  }

  /** Applies edits and stores what they made. */
  async edit(root: Hash, edits: Iterable<readonly [string, Json | undefined]>): Promise<Applied> {
    const applied = await applyEdits(this.source, root, new Map(edits));
    this.put(applied.objects);
    return applied;
  }
}

export const isLong = process.env.ENV_MANAGER_TEST_LONG !== undefined;
export const runs = (normal: number) => ({ numRuns: isLong ? normal * 20 : normal });

/** Keys from a small alphabet, so that random edits meet one another, with characters on both sides of the surrogates. */
export const keyArbitrary = fc
  .tuple(fc.constantFrom("flows", "pages", "é", "\uffee", "😀"), fc.integer({ min: 0, max: 120 }))
  .map(([collection, n]) => `${collection}/${n}`);

/** Short values stay in their node, long ones become objects. */
export const valueArbitrary: fc.Arbitrary<Json> = fc.oneof(
  fc.integer({ min: 0, max: 3 }),
  fc.integer({ min: 0, max: 3 }).map((n) => ({ n, text: "long ".repeat(20) })),
);

export const contentArbitrary = (maxLength = 150): fc.Arbitrary<Map<string, Json>> =>
  fc.array(fc.tuple(keyArbitrary, valueArbitrary), { maxLength }).map((entries) => new Map(entries));

/** A value to put, or `undefined` to remove. */
export const editsArbitrary = fc
  .array(fc.tuple(keyArbitrary, fc.option(valueArbitrary, { nil: undefined })), { maxLength: 40 })
  .map((entries) => new Map<string, Json | undefined>(entries));

export const edited = (content: ReadonlyMap<string, Json>, edits: ReadonlyMap<string, Json | undefined>): Map<string, Json> => {
  const next = new Map(content);
  for (const [key, value] of edits) {
    if (value === undefined) next.delete(key);
    else next.set(key, value);
  }
  return next;
};

export const build = async (objects: Objects, content: ReadonlyMap<string, Json>): Promise<Hash> =>
  (await objects.edit(EMPTY_ROOT, content)).root;

export const byUtf8 = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

export function sortedEntries(content: ReadonlyMap<string, Json>): [string, Json][] {
  return [...content].sort(([a], [b]) => byUtf8(a, b));
}

export interface NaiveChange {
  readonly key: string;
  readonly left: Json | undefined;
  readonly right: Json | undefined;
}

export function naiveDiff(left: ReadonlyMap<string, Json>, right: ReadonlyMap<string, Json>): NaiveChange[] {
  const keys = [...new Set([...left.keys(), ...right.keys()])].sort(byUtf8);
  return keys
    .map((key) => ({ key, left: left.get(key), right: right.get(key) }))
    .filter((change) => JSON.stringify(change.left) !== JSON.stringify(change.right));
}

/** Changes with their values, to compare with `naiveDiff`. */
export function resolve(objects: Objects, changes: readonly EntryChange[]): NaiveChange[] {
  const value = (ref: ValueRef | null) =>
    ref === null ? undefined : JSON.parse("inline" in ref ? ref.inline : Buffer.from(objects.data.get(ref.hash)!).toString());
  return changes.map(({ key, left, right }) => ({ key, left: value(left), right: value(right) }));
}

export interface HistoryChange {
  readonly set: JsonObject;
  readonly remove: readonly string[];
  readonly git: { readonly added: readonly string[]; readonly removed: readonly string[]; readonly changed: readonly string[] };
}

export interface History {
  readonly base: Map<string, Json>;
  readonly changes: readonly HistoryChange[];
}

/** The real history that lies beside the project where it is developed; a small made-up one in a user's clone. */
export function loadHistory(): History {
  const file = new URL("../../../shared/data/browser-compat-history.ndjson.gz", import.meta.url);
  let text: string;
  try {
    text = gunzipSync(readFileSync(file)).toString();
  } catch {
    console.warn("The recorded history is not at ../shared/data: a small generated one takes its place.");
    return generatedHistory();
  }
  const [first, ...rest] = text.trim().split("\n");
  return { base: flatten(JSON.parse(first!).state), changes: rest.map((line) => JSON.parse(line)) };
}

function flatten(state: JsonObject): Map<string, Json> {
  const content = new Map<string, Json>();
  for (const [collection, components] of Object.entries(state)) {
    for (const [name, value] of Object.entries(components as JsonObject)) content.set(`${collection}/${name}`, value);
  }
  return content;
}

function generatedHistory(): History {
  const component = (n: number, version: number): Json => ({ n, version, text: `component ${n} `.repeat(6) });
  const name = (n: number) => `flows/${n}`;
  const base = new Map(Array.from({ length: 300 }, (_, n) => [name(n), component(n, 0)]));
  const changes = Array.from({ length: 100 }, (_, version) => ({
    set: { [name(300 + version)]: component(version, 1), [name(150 + version)]: component(version, 2) },
    remove: [name(version)],
    git: { added: [name(300 + version)], removed: [name(version)], changed: [name(150 + version)] },
  }));
  return { base, changes };
}
