import fc from "fast-check";
import { LIMITS } from "../../src/limits.ts";
import { canonicalJson, EMPTY_ROOT, NodeCache } from "../../src/merkle/index.ts";
import type { Hash, Json } from "../../src/ports.ts";
import { EditableMaps } from "../../src/snapshots.ts";

export const long = process.env["ENV_MANAGER_TEST_LONG"] !== undefined;

/** One value in the base and on both sides; `undefined` where it is absent. */
export interface Triple {
  readonly base: Json | undefined;
  readonly ours: Json | undefined;
  readonly theirs: Json | undefined;
}

/** Who adds elements to keyed arrays. */
export type Adders = "nobody" | "ours" | "both";

export const text = (value: Json | undefined): string => (value === undefined ? "absent" : canonicalJson(value));
export const same = (left: Json | undefined, right: Json | undefined): boolean => text(left) === text(right);
export const swapped = ({ base, ours, theirs }: Triple): Triple => ({ base, ours: theirs, theirs: ours });

const NAMES = ["a", "b", "c", "~", "x/y", "__proto__"];
const scalar = fc.constantFrom<Json>(0, 1, null, "", "é", [], [1], [1, 2], {});
const maybe = fc.option(scalar, { nil: undefined });

/** Three values that have much in common, so that most merges have something to merge. */
export function triples(adders: Adders = "both"): fc.Arbitrary<Triple> {
  return fc.letrec<{ any: Triple; object: Triple; list: Triple }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 4, depthSize: "small" },
      fc.tuple(maybe, maybe, maybe, fc.constantFrom("none", "ours", "theirs", "alike", "both")).map(([base, one, two, who]) => ({
        base,
        ours: who === "none" || who === "theirs" ? base : one,
        theirs: who === "none" || who === "ours" ? base : who === "both" ? two : one,
      })),
      { arbitrary: tie("object"), weight: 2 },
      { arbitrary: tie("list"), weight: 2 },
    ),
    object: fc
      .tuple(fc.dictionary(fc.constantFrom(...NAMES), tie("any"), { maxKeys: 4 }), presence)
      .map(([members, there]) =>
        sides((side) =>
          there[side] ? Object.fromEntries(Object.entries(members).flatMap(([name, triple]) => entry(name, triple[side]))) : undefined,
        ),
      ),
    list: fc
      .tuple(fc.constantFrom("id", "name"), fc.array(fc.tuple(tie("object"), presence), { maxLength: 5 }), weights, movers)
      .map(([key, elements, order, moved]) =>
        sides((side) => {
          const list = elements.flatMap(([element, there], index) => {
            if (!there[side] || (!there.base && !mayAdd(adders, side))) return [];
            return [{ ...(element[side] as object | undefined), [key]: index % 2 === 0 ? index : `k${index}` } as Json];
          });
          return moved[side] ? shuffled(list, side === "ours" ? order : order.toReversed()) : list;
        }),
      ),
  })).any;
}

const presence = fc.oneof(
  { arbitrary: fc.constant({ base: true, ours: true, theirs: true }), weight: 4 },
  fc.record({ base: fc.boolean(), ours: fc.boolean(), theirs: fc.boolean() }),
);
const weights = fc.array(fc.nat(9), { minLength: 5, maxLength: 5 });
const movers = fc.constantFrom(
  { base: false, ours: false, theirs: false },
  { base: false, ours: true, theirs: false },
  { base: false, ours: false, theirs: true },
  { base: false, ours: true, theirs: true },
);

function sides(of: (side: keyof Triple) => Json | undefined): Triple {
  return { base: of("base"), ours: of("ours"), theirs: of("theirs") };
}

function entry(name: string, value: Json | undefined): [string, Json][] {
  return value === undefined ? [] : [[name, value]];
}

function mayAdd(adders: Adders, side: keyof Triple): boolean {
  return adders === "both" || side === adders;
}

function shuffled(list: readonly Json[], order: readonly number[]): Json[] {
  const weighed = list.map((element, index) => ({ element, weight: order[index]! }));
  return weighed.sort((a, b) => a.weight - b.weight).map(({ element }) => element);
}

/** Keyed arrays sorted, everywhere: what is left of a value when their order does not count. */
export function unordered(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const elements = (value as readonly Json[]).map(unordered);
    return elements.every((element) => typeof element === "object") ? elements.sort((a, b) => (text(a) < text(b) ? -1 : 1)) : elements;
  }
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, unordered(inner as Json)]));
}

/** Real maps on objects in memory, which counts the objects that are read. */
export class TestMaps {
  reads = 0;
  readonly maps: EditableMaps;

  constructor(cacheBytes: number = LIMITS.objectCacheBytes) {
    const objects = new Map<Hash, Uint8Array>();
    const cache = new NodeCache(cacheBytes);
    const source = cache.over({
      get: async (hashes) => {
        this.reads += hashes.length;
        return hashes.map((hash) => objects.get(hash)!);
      },
    });
    this.maps = new EditableMaps(source, cache, (made) => {
      for (const { hash, data } of made) objects.set(hash, data);
    });
  }

  async root(components: Iterable<readonly [string, Json | undefined]>, from: Hash = EMPTY_ROOT): Promise<Hash> {
    return (await this.maps.edit(from, new Map(components))).root;
  }

  async content(root: Hash): Promise<Map<string, Json>> {
    const entries = await this.maps.entries(root, { prefix: "", limit: LIMITS.components });
    return new Map(entries.map(({ key, value }) => [key, value]));
  }
}
