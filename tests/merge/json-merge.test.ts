import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type JsonConflict, type JsonConflictKind, mergeJson } from "../../src/json-merge.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Json, JsonObject } from "../../src/ports.ts";
import { long, same, swapped, type Triple, text, triples, unordered } from "./support.ts";

const numRuns = long ? 10_000 : 300;
const merge = ({ base, ours, theirs }: Triple) => mergeJson(base, ours, theirs);
const ids = (...list: (number | string)[]): Json => list.map((id) => ({ id }));

describe("a merge by member", () => {
  const cases: Record<string, { of: [Json | undefined, Json | undefined, Json | undefined]; to?: Json; conflicts?: JsonConflict[] }> = {
    "takes changes of different members": {
      of: [
        { a: 1, b: 1 },
        { a: 2, b: 1 },
        { a: 1, b: 3 },
      ],
      to: { a: 2, b: 3 },
    },
    "takes what each side adds and removes": {
      of: [
        { a: 1, b: 1 },
        { a: 1, c: 1 },
        { b: 1, d: 1 },
      ],
      to: { c: 1, d: 1 },
    },
    "goes into members of members": {
      of: [{ on: { at: "1", tz: "UTC" } }, { on: { at: "2", tz: "UTC" } }, { on: { at: "1", tz: "CET" } }],
      to: { on: { at: "2", tz: "CET" } },
    },
    "takes the same change once": { of: [{ a: 1 }, { a: 2 }, { a: 2 }], to: { a: 2 } },
    "tells null from absent": { of: [{ a: null, b: 1 }, { b: 1 }, { a: null, b: 2 }], to: { b: 2 } },
    "tells a change to null from a removal": {
      of: [{ a: 1 }, { a: null }, {}],
      conflicts: [{ path: "/a", kind: "removed_by_theirs", base: 1, ours: null }],
    },
    "keeps a member that is called __proto__": {
      of: [{}, JSON.parse('{"__proto__":{"a":1}}') as Json, { b: 1 }],
      to: JSON.parse('{"__proto__":{"a":1},"b":1}') as Json,
    },
    "merges objects that both sides added": { of: [undefined, { a: 1, b: 1 }, { a: 1, c: 1 }], to: { a: 1, b: 1, c: 1 } },
    "does not merge arrays that both sides added": {
      of: [{}, { l: ids(1) }, { l: ids(2) }],
      conflicts: [{ path: "/l", kind: "both_added", ours: ids(1), theirs: ids(2) }],
    },
    "shows every conflict": {
      of: [
        { a: 1, b: 1, "c/~": 1, d: 1 },
        { a: 2, "c/~": 2, d: 2 },
        { a: 3, b: 3, "c/~": 3, d: 2, e: 1 },
      ],
      conflicts: [
        { path: "/a", kind: "both_changed", base: 1, ours: 2, theirs: 3 },
        { path: "/c~1~0", kind: "both_changed", base: 1, ours: 2, theirs: 3 },
        { path: "/b", kind: "removed_by_ours", base: 1, theirs: 3 },
      ],
    },
    "does not look into a value that changed its kind": {
      of: [{ a: {} }, { a: { b: 1 } }, { a: [1] }],
      conflicts: [{ path: "/a", kind: "both_changed", base: {}, ours: { b: 1 }, theirs: [1] }],
    },
    "leaves other arrays whole": {
      of: [
        [1, 2],
        [1, 2, 3],
        [0, 1, 2],
      ],
      conflicts: [{ path: "", kind: "both_changed", base: [1, 2], ours: [1, 2, 3], theirs: [0, 1, 2] }],
    },
  };
  for (const [name, { of, to, conflicts }] of Object.entries(cases)) {
    test(name, () => {
      const result = mergeJson(...of);
      expect(result.conflicts).toEqual(conflicts ?? []);
      if (to !== undefined) expect(text(result.merged)).toBe(text(to));
    });
  }

  test("refuses what is nested too deep", () => {
    const nested = (levels: number, inside: Json): Json => (levels === 0 ? inside : { a: nested(levels - 1, inside) });
    const deep = LIMITS.jsonDepth;
    expect(mergeJson(nested(deep, 1), nested(deep, 2), nested(deep, 3)).conflicts).toHaveLength(1);
    expect(() => mergeJson(1, nested(deep + 1, 1), 2)).toThrow(/nested deeper than/);
  });

  test("reads each part of the values once, however deep it is and however often it is compared", () => {
    let reads = 0;
    const get = (target: object, name: string | symbol): unknown => {
      if (typeof name === "string" && /^\d/.test(name)) reads++;
      return Reflect.get(target, name);
    };
    const counted = (list: Json[]): Json => new Proxy<Json[]>(list, { get });
    const nested = (levels: number, leaf: Json): Json =>
      levels === 0 ? { list: counted([1, 2, 3]), leaf } : { a: nested(levels - 1, leaf) };
    expect(mergeJson(nested(50, 1), nested(50, 2), nested(50, 3)).conflicts).toHaveLength(1);
    expect(reads).toBe(9);
  });
});

describe("a merge of keyed arrays", () => {
  const order = (base: Json, ours: Json, theirs: Json) => {
    const { merged, conflicts } = mergeJson(base, ours, theirs);
    return { merged: (merged as JsonObject[]).map(({ id }) => id), conflicts: conflicts.map(({ kind }) => kind) };
  };

  test("merges elements by id, wherever they stand", () => {
    const base = [
      { id: 1, type: "mail" },
      { id: 2, type: "wait" },
    ];
    const ours = [
      { id: 1, type: "mail", to: "a" },
      { id: 2, type: "wait" },
    ];
    const theirs = [
      { id: 0, type: "log" },
      { id: 2, type: "wait", for: 5 },
      { id: 1, type: "mail" },
    ];
    expect(mergeJson(base, ours, theirs)).toEqual({
      merged: [
        { id: 0, type: "log" },
        { id: 2, type: "wait", for: 5 },
        { id: 1, type: "mail", to: "a" },
      ],
      conflicts: [],
    });
  });

  test("merges by name where not every element has an id of its own", () => {
    const base = [
      { name: "a", id: 1, x: 1 },
      { name: "b", id: 1 },
    ];
    const ours = [
      { name: "a", id: 1, x: 2 },
      { name: "b", id: 1 },
    ];
    expect(mergeJson(base, ours, [...base, { name: "c" }]).merged).toEqual([...ours, { name: "c" }]);
  });

  test('names an element in a path by its key, as JSON, so that 1 and "1" are two', () => {
    const of = (x: number): Json => ({
      steps: [
        { id: 1, x },
        { id: "1", x },
        { id: "a/b", x },
      ],
    });
    expect(mergeJson(of(0), of(1), of(2)).conflicts.map(({ path }) => path)).toEqual([
      "/steps/[id=1]/x",
      '/steps/[id="1"]/x',
      '/steps/[id="a~1b"]/x',
    ]);
  });

  test("is not tried where a key is missing, twice there or no scalar", () => {
    for (const odd of [[{ id: 1 }, { id: 1 }], [{ id: 1 }, {}], [{ id: null }], [{ id: [] }], [{ id: 1 }, 2]] as Json[]) {
      expect(mergeJson(odd, [{ id: 7 }], [{ id: 8 }]).conflicts.map(({ kind }) => kind)).toEqual(["both_changed"]);
    }
  });

  test("removes what one side removed and the other left alone, and asks where the other changed it", () => {
    const base = [
      { id: 1, x: 0 },
      { id: 2, x: 0 },
      { id: 3, x: 0 },
    ];
    const changed = [
      { id: 1, x: 0 },
      { id: 2, x: 1 },
      { id: 3, x: 0 },
    ];
    expect(
      mergeJson(
        base,
        [
          { id: 2, x: 0 },
          { id: 3, x: 0 },
        ],
        changed,
      ).merged,
    ).toEqual([
      { id: 2, x: 1 },
      { id: 3, x: 0 },
    ]);
    const paths = (ours: Json, theirs: Json) => mergeJson(base, ours, theirs).conflicts.map(({ path, kind }) => `${path} ${kind}`);
    expect(paths([{ id: 1, x: 0 }], changed)).toEqual(["/[id=2] removed_by_ours"]);
    expect(paths(changed, [{ id: 1, x: 0 }])).toEqual(["/[id=2] removed_by_theirs"]);
  });

  test("puts additions behind what they followed, ours first", () => {
    expect(order(ids(1, 2), ids(1, "o", 2, "p"), ids("s", 1, "t", 2, "u"))).toEqual({
      merged: ["s", 1, "o", "t", 2, "p", "u"],
      conflicts: [],
    });
    expect(order(ids(1, 2), ids(1), ids(1, 2, "t"))).toEqual({ merged: [1, "t"], conflicts: [] });
  });

  test("follows the side that moved elements, and the additions move along", () => {
    expect(order(ids(1, 2, 3), ids(1, "o", 2, 3), ids(3, 1, 2))).toEqual({ merged: [3, 1, "o", 2], conflicts: [] });
    expect(order(ids(1, 2, 3), ids(3, 1, 2), ids(1, "t", 2, 3))).toEqual({ merged: [3, 1, "t", 2], conflicts: [] });
    expect(order(ids(1, 2, 3), ids(3, 1, 2, "o"), ids(3, 1, 2, "t"))).toEqual({ merged: [3, 1, 2, "o", "t"], conflicts: [] });
  });

  test("asks where both sides moved elements, or added the same ones in different places", () => {
    expect(mergeJson(ids(1, 2, 3), ids(2, 1, 3), ids(1, 3, 2, 4)).conflicts).toEqual([
      { path: "", kind: "order", base: [1, 2, 3], ours: [2, 1, 3], theirs: [1, 3, 2] },
    ]);
    expect(order(ids(1, 2), ids(9, 1, 2), ids(1, 2, 9))).toEqual({ merged: [9, 1, 2], conflicts: ["order"] });
  });
});

describe("the laws of a merge, on generated values,", () => {
  const MIRRORED: Readonly<Partial<Record<JsonConflictKind, JsonConflictKind>>> = {
    removed_by_ours: "removed_by_theirs",
    removed_by_theirs: "removed_by_ours",
  };
  const check = (arbitrary: fc.Arbitrary<Triple>, law: (triple: Triple) => void) => fc.assert(fc.property(arbitrary, law), { numRuns });

  test("what one side did alone, or both alike, is the result", () =>
    check(triples(), ({ base, ours: x }) => {
      for (const result of [mergeJson(base, x, base), mergeJson(base, base, x), mergeJson(base, x, x)]) {
        expect(result.conflicts).toEqual([]);
        expect(text(result.merged)).toBe(text(x));
      }
    }));

  test("every change without a conflict is in it, and every clash is a conflict", () => {
    let clean = 0;
    let clashing = 0;
    check(triples(), (triple) => {
      const { merged, conflicts } = merge(triple);
      const paths = new Set(conflicts.map(({ path }) => path));
      expect(paths.size).toBe(conflicts.length);
      const visited = new Set<string>();
      verify("", triple, merged, paths, visited);
      expect([...paths].filter((path) => !visited.has(path))).toEqual([]);
      if (conflicts.length > 0) clashing++;
      else if (!same(triple.ours, triple.theirs) && !same(triple.ours, triple.base) && !same(triple.theirs, triple.base)) clean++;
    });
    // Some of both, whatever was drawn: one in sixteen on average.
    expect(Math.min(clean, clashing)).toBeGreaterThan(numRuns / 100);
  });

  test("it is the same every time, and with members in another order", () =>
    check(triples(), (triple) => {
      const again = merge({ base: reversed(triple.base), ours: reversed(triple.ours), theirs: reversed(triple.theirs) });
      const first = merge(triple);
      expect(text(again.merged)).toBe(text(first.merged));
      expect(again.conflicts.map(({ path }) => path).sort()).toEqual(first.conflicts.map(({ path }) => path).sort());
    }));

  test("with its sides swapped, the conflicts are the same, mirrored", () =>
    check(triples(), (triple) => {
      const mirrored = merge(swapped(triple)).conflicts.map(({ path, kind }) => `${path} ${MIRRORED[kind] ?? kind}`);
      expect(mirrored.sort()).toEqual(
        merge(triple)
          .conflicts.map(({ path, kind }) => `${path} ${kind}`)
          .sort(),
      );
    }));

  for (const adders of ["nobody", "ours"] as const) {
    test(`a merge without conflicts is the same with its sides swapped where ${adders} added to keyed arrays`, () =>
      check(triples(adders), (triple) => {
        const { merged, conflicts } = merge(triple);
        if (conflicts.length === 0) expect(text(merge(swapped(triple)).merged)).toBe(text(merged));
      }));
  }

  test("where both added, it is the same but for the order of keyed arrays", () =>
    check(triples(), (triple) => {
      const { merged, conflicts } = merge(triple);
      if (conflicts.length > 0 || merged === undefined) return;
      expect(text(unordered(merge(swapped(triple)).merged!))).toBe(text(unordered(merged)));
    }));

  test("a side's order stays, unless the other side alone moved what they share", () => {
    const sequence = fc.shuffledSubarray([1, 2, 3, 4, 5, 6]);
    fc.assert(
      fc.property(sequence, sequence, sequence, (base, ours, theirs) => {
        const { merged, conflicts } = mergeJson(ids(...base), ids(...ours), ids(...theirs));
        const result = (merged as { id: number }[]).map(({ id }) => id);
        const shared = (side: number[]) => side.filter((id) => ours.includes(id) && theirs.includes(id)).join();
        const kept = (side: number[]) =>
          result.filter((id) => side.includes(id)).join() === side.filter((id) => result.includes(id)).join();
        if (conflicts.length > 0) expect(new Set([shared(base), shared(ours), shared(theirs)]).size).toBe(3);
        else expect([kept(ours) || shared(ours) === shared(base), kept(theirs) || shared(theirs) === shared(base)]).toEqual([true, true]);
      }),
      { numRuns },
    );
  });
});

/** Walks a merge's result beside its inputs, without any order of arrays: the specification, told once more. */
function verify(
  path: string,
  { base, ours, theirs }: Triple,
  merged: Json | undefined,
  conflicts: ReadonlySet<string>,
  visited: Set<string>,
): void {
  const ordered = conflicts.has(path);
  if (ordered) visited.add(path);
  const settled = same(ours, theirs) || same(theirs, base) ? ours : same(ours, base) ? theirs : "open";
  if (settled !== "open") {
    expect(text(merged)).toBe(text(settled));
    return;
  }
  const parts = [base, ours, theirs, merged].map((value) => partsOf(value));
  const keys = ["id", "name", ""].find((kind) => parts.every((part) => part[kind] !== undefined));
  const [b, o, t, m] = parts.map((part) => part[keys ?? ""]);
  const halfGone = ours === undefined || theirs === undefined;
  if (halfGone || o === undefined || t === undefined || (b === undefined && base !== undefined) || (keys !== "" && base === undefined)) {
    expect(ordered, `a conflict at ${path}`).toBe(true);
    return;
  }
  for (const name of new Set([...(b?.keys() ?? []), ...o.keys(), ...t.keys(), ...(m?.keys() ?? [])])) {
    verify(`${path}/${name}`, { base: b?.get(name), ours: o.get(name), theirs: t.get(name) }, m?.get(name), conflicts, visited);
  }
}

/** The parts of an object under "", of a keyed array under each key that it has; absent is an empty object. */
function partsOf(value: Json | undefined): Record<string, ReadonlyMap<string, Json> | undefined> {
  const segment = (name: string) => name.replaceAll("~", "~0").replaceAll("/", "~1");
  if (value === undefined) return { "": new Map() };
  if (typeof value !== "object" || value === null) return {};
  if (!Array.isArray(value)) return { "": new Map(Object.entries(value).map(([name, inner]) => [segment(name), inner as Json])) };
  const list = value as readonly Json[];
  const by = (key: string) => {
    const keys = list.map((element) => (element as Record<string, Json> | null)?.[key]);
    const keyed = keys.every((id) => typeof id === "string" || typeof id === "number") && new Set(keys).size === keys.length;
    return keyed ? new Map(list.map((element, index) => [segment(`[${key}=${JSON.stringify(keys[index])}]`), element])) : undefined;
  };
  return { id: by("id"), name: by("name") };
}

function reversed(value: Json | undefined): Json | undefined {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return (value as readonly Json[]).map((element) => reversed(element) as Json);
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, inner]) => [name, reversed(inner as Json) as Json]),
  );
}
