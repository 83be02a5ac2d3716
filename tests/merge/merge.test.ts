import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { mergeJson } from "../../src/json-merge.ts";
import { LIMITS } from "../../src/limits.ts";
import { mergePlatforms, parseResolutions, type Resolution } from "../../src/merge.ts";
import { compareKeys, EMPTY_ROOT } from "../../src/merkle/index.ts";
import type { Hash, Json } from "../../src/ports.ts";
import { type Adders, long, same, swapped, TestMaps, type Triple, text, triples } from "./support.ts";

const numRuns = long ? 1_500 : 60;

type Content = Readonly<Record<string, Json>>;

/** A merge of three contents, and what the target is after it. */
async function merged(base: Content, ours: Content, theirs: Content, resolve: Readonly<Record<string, Resolution>> = {}) {
  const test = new TestMaps();
  const [b, o, t] = [await test.root(Object.entries(base)), await test.root(Object.entries(ours)), await test.root(Object.entries(theirs))];
  const result = await mergePlatforms(test.maps, { base: b, ours: o, theirs: t }, new Map(Object.entries(resolve)));
  const after = Object.fromEntries(await test.content((await test.maps.edit(o, result.edits, result.fromTheirs)).root));
  return { ...result, after };
}

describe("a merge of two platforms", () => {
  test("takes what one side alone did, and names what comes from the source", async () => {
    const result = await merged(
      { "f/same": 1, "f/ours": 1, "f/theirs": 1, "f/ours-gone": 1, "f/theirs-gone": 1, "f/both-gone": 1 },
      { "f/same": 1, "f/ours": 2, "f/theirs": 1, "f/theirs-gone": 1, "f/ours-new": 1, "f/both-new": 1 },
      { "f/same": 1, "f/ours": 1, "f/theirs": 2, "f/ours-gone": 1, "f/theirs-new": null, "f/both-new": 1 },
    );
    expect(result.after).toEqual({ "f/same": 1, "f/ours": 2, "f/theirs": 2, "f/ours-new": 1, "f/theirs-new": null, "f/both-new": 1 });
    expect(result.fromTheirs.map(({ key }) => key)).toEqual(["f/theirs", "f/theirs-gone", "f/theirs-new"]);
    expect([result.conflicts, result.merged, result.resolved, result.unusedResolutions]).toEqual([[], [], [], []]);
  });

  test("merges a component by member where both changed or added it", async () => {
    const result = await merged(
      { "flows/a": { on: true, steps: [{ id: 1 }] } },
      { "flows/a": { on: false, steps: [{ id: 1 }] }, "pages/b": { title: "B" } },
      { "flows/a": { on: true, steps: [{ id: 1 }, { id: 2 }] }, "pages/b": { path: "/b" } },
    );
    expect(result.after).toEqual({ "flows/a": { on: false, steps: [{ id: 1 }, { id: 2 }] }, "pages/b": { title: "B", path: "/b" } });
    expect([result.merged, result.conflicts]).toEqual([["flows/a", "pages/b"], []]);
  });

  test("of many goes in turns with everybody else, though all is at hand", async () => {
    const test = new TestMaps();
    const side = (changed: object) =>
      test.root(Array.from({ length: 100 }, (_, n) => [`flows/f${n}`, { text: "x".repeat(10_000), ours: 0, theirs: 0, ...changed }]));
    const sides = { base: await side({}), ours: await side({ ours: 1 }), theirs: await side({ theirs: 1 }) };
    let turns = 0;
    let next = setImmediate(function others() {
      turns++;
      next = setImmediate(others);
    });
    const { merged } = await mergePlatforms(test.maps, sides);
    clearImmediate(next);
    expect(merged).toHaveLength(100);
    // Three of 10 KB each make up what is merged at a time.
    expect(turns).toBeGreaterThan(100 / 20);
  });

  test("tells every conflict at once, sorted, with its bodies and places", async () => {
    const { conflicts, edits, fromTheirs } = await merged(
      { "f/a": { x: 1, y: 1 }, "f/b": { x: 1 }, "f/c": { x: 1 } },
      { "f/a": { x: 2, y: 2 }, "f/c": { x: 2 }, "f/d": "ours" },
      { "f/a": { x: 3, y: 2 }, "f/b": { x: 2 }, "f/d": "theirs", "f/e": 1 },
    );
    expect(conflicts).toEqual([
      {
        component: "f/a",
        our_change: "changed",
        their_change: "changed",
        base: { x: 1, y: 1 },
        ours: { x: 2, y: 2 },
        theirs: { x: 3, y: 2 },
        paths: [{ path: "/x", kind: "both_changed", base: 1, ours: 2, theirs: 3 }],
        path_count: 1,
      },
      {
        component: "f/b",
        our_change: "removed",
        their_change: "changed",
        base: { x: 1 },
        ours: null,
        theirs: { x: 2 },
        paths: [{ path: "", kind: "removed_by_ours" }],
        path_count: 1,
      },
      {
        component: "f/c",
        our_change: "changed",
        their_change: "removed",
        base: { x: 1 },
        ours: { x: 2 },
        theirs: null,
        paths: [{ path: "", kind: "removed_by_theirs" }],
        path_count: 1,
      },
      {
        component: "f/d",
        our_change: "added",
        their_change: "added",
        base: null,
        ours: "ours",
        theirs: "theirs",
        paths: [{ path: "", kind: "both_added" }],
        path_count: 1,
      },
    ]);
    expect([[...edits.keys()], fromTheirs.map(({ key }) => key)]).toEqual([[], ["f/e"]]);
  });

  test("settles conflicts by resolutions, and returns those that settle nothing", async () => {
    const base = { "f/a": 1, "f/b": 1, "f/c": 1, "f/d": 1, "f/free": 1, "f/m": { x: 1, y: 1 } };
    const ours = { "f/a": 2, "f/b": 2, "f/c": 2, "f/free": 2, "f/m": { x: 2, y: 1 } };
    const theirs = { "f/a": 3, "f/c": 3, "f/d": 3, "f/free": 1, "f/m": { x: 1, y: 2 } };
    const resolve = {
      "f/a": "theirs",
      "f/b": "theirs",
      "f/c": { new: true },
      "f/d": "ours",
      "f/free": "ours",
      "f/m": "ours",
      "f/none": "ours",
    } as const;
    const result = await merged(base, ours, theirs, resolve);
    expect(result.after).toEqual({ "f/a": 3, "f/c": { new: true }, "f/free": 2, "f/m": { x: 2, y: 2 } });
    expect(result.conflicts).toEqual([]);
    expect(result.resolved).toEqual(["f/a", "f/b", "f/c", "f/d"]);
    expect(result.unusedResolutions).toEqual(["f/free", "f/m", "f/none"]);
  });

  test("merges what has no common ancestor as though everything were added", async () => {
    const { after, conflicts } = await merged({}, { "f/a": 1, "f/b": 1 }, { "f/a": 1, "f/b": 2, "f/c": 1 });
    expect(after).toEqual({ "f/a": 1, "f/b": 1, "f/c": 1 });
    expect(conflicts.map(({ component }) => component)).toEqual(["f/b"]);
  });

  test("asks where a merged component would be too large", async () => {
    const half = "x".repeat(LIMITS.componentBytes / 2);
    const { conflicts, after } = await merged({ "f/a": {} }, { "f/a": { a: half } }, { "f/a": { b: half } });
    expect(conflicts).toEqual([
      {
        component: "f/a",
        our_change: "changed",
        their_change: "changed",
        paths: [{ path: "", kind: "too_large" }],
        path_count: 1,
        omitted: true,
      },
    ]);
    expect(Object.keys(after["f/a"] as object)).toEqual(["a"]);
  });

  test("shows bodies and places within bounds, and names and counts all", async () => {
    const big = (fill: string): Json => fill.repeat(LIMITS.bodyBytes / 8);
    const many = (value: number): Json =>
      Object.fromEntries(Array.from({ length: LIMITS.summaryNames + 5 }, (_, index) => [`m${index}`, value]));
    const names = ["f/a", "f/b", "f/c", "f/d"];
    const content = (fill: string, value: number): Content => ({
      ...Object.fromEntries(names.map((name) => [name, big(fill)])),
      "f/e": many(value),
    });
    const { conflicts } = await merged(content("b", 0), content("o", 1), content("t", 2));
    expect(conflicts.map(({ component, omitted }) => [component, omitted ?? false])).toEqual([
      ["f/a", false],
      ["f/b", false],
      ["f/c", true],
      ["f/d", true],
      ["f/e", false],
    ]);
    expect([conflicts[4]!.paths.length, conflicts[4]!.path_count]).toEqual([LIMITS.summaryNames, LIMITS.summaryNames + 5]);
    expect(Buffer.byteLength(JSON.stringify(conflicts))).toBeLessThan(LIMITS.bodyBytes + 10_000);
  });

  test("does not write out a name of megabytes once for each conflict under it", async () => {
    const of = (value: number): Content => ({
      "f/a": { ["n".repeat(1_000_000)]: Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [index, value])) },
    });
    expect((await merged(of(0), of(1), of(2))).conflicts).toMatchObject([{ path_count: 1_000, omitted: true, paths: [] }]);
  });

  test("reads no more of two large platforms than of two small ones, but for the height of the map", async () => {
    const reads = async (size: number) => {
      const test = new TestMaps(0);
      const base = await test.root(Array.from({ length: size }, (_, index) => [`flows/${index}`, { n: index, pad: "x".repeat(100) }]));
      const ours = await test.root(
        [
          ["flows/1", 1],
          ["flows/2", { n: 2, a: 1, pad: "x".repeat(100) }],
        ],
        base,
      );
      const theirs = await test.root(
        [
          ["flows/3", 3],
          ["flows/2", { n: 2, b: 1, pad: "x".repeat(100) }],
        ],
        base,
      );
      test.reads = 0;
      expect((await mergePlatforms(test.maps, { base, ours, theirs })).merged).toEqual(["flows/2"]);
      return test.reads;
    };
    const [small, large] = [await reads(500), await reads(8_000)];
    expect(large).toBeLessThan(small + 30);
  });
});

describe("resolutions as a request gives them", () => {
  test("are a side or a body", () => {
    const given = { "f/a": "ours", "f/b": "theirs", "f/c": { x: null }, "f/d": [] } as const;
    expect([...parseResolutions(given)]).toEqual(Object.entries(given));
  });

  test("are refused where they could be meant otherwise", () => {
    expect(() => parseResolutions({ "f/a": null })).toThrow('The resolution of "f/a" is null.');
    expect(() => parseResolutions({ "f/a": "our" })).toThrow('The resolution of "f/a" is "our".');
  });

  test("are refused where JSON cannot carry them", async () => {
    const bad = merged({}, { "f/a": 1 }, { "f/a": 2 }, { "f/a": { x: Number.NaN } });
    await expect(bad).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining('The resolution of "f/a" at "/x"'),
    });
  });
});

describe("the laws of a merge, on generated platforms,", () => {
  const name = fc
    .tuple(fc.constantFrom("flows", "pages", "é"), fc.constantFrom("a", "b", "b/c", "\u{10000}", "\uffff"))
    .map((parts) => parts.join("/"));
  const platforms = (adders: Adders) => fc.uniqueArray(fc.tuple(name, triples(adders)), { selector: ([key]) => key, maxLength: 6 });

  interface Sides {
    readonly base: Hash;
    readonly ours: Hash;
    readonly theirs: Hash;
  }
  type Components = readonly (readonly [string, Triple])[];

  const check = (law: (test: TestMaps, sides: Sides, components: Components) => Promise<void>, adders: Adders = "both") =>
    fc.assert(
      fc.asyncProperty(platforms(adders), async (components) => {
        const test = new TestMaps();
        const root = (side: keyof Triple) => test.root(components.map(([key, triple]) => [key, triple[side]] as const));
        await law(test, { base: await root("base"), ours: await root("ours"), theirs: await root("theirs") }, components);
      }),
      { numRuns },
    );

  const run = async (test: TestMaps, sides: Sides, resolve?: ReadonlyMap<string, Resolution>) => {
    const result = await mergePlatforms(test.maps, sides, resolve);
    return { ...result, root: (await test.maps.edit(sides.ours, result.edits, result.fromTheirs)).root };
  };

  test("what one side did alone, or both alike, is the result", () =>
    check(async (test, { base, theirs: x }) => {
      for (const [ours, theirs] of [
        [x, base],
        [base, x],
        [x, x],
      ] as const) {
        const { root, conflicts } = await run(test, { base, ours, theirs });
        expect([root, conflicts]).toEqual([x, []]);
      }
    }));

  test("every component is as its own merge says, and every clash is told", () =>
    check(async (test, sides, components) => {
      const { root, conflicts, merged, fromTheirs, edits } = await run(test, sides);
      const after = await test.content(root);
      const clashing: string[] = [];
      for (const [key, { base, ours, theirs }] of components) {
        const alone = mergeJson(base, ours, theirs);
        const both = !same(ours, base) && !same(theirs, base) && !same(ours, theirs);
        if (alone.conflicts.length > 0) clashing.push(key);
        expect(text(after.get(key))).toBe(text(alone.conflicts.length > 0 ? ours : alone.merged));
        expect(merged.includes(key)).toBe(both && alone.conflicts.length === 0);
        expect(fromTheirs.some((change) => change.key === key)).toBe(same(ours, base) && !same(theirs, base));
      }
      expect(conflicts.map(({ component }) => component)).toEqual(clashing.sort(compareKeys));
      expect(conflicts.filter(({ path_count, paths }) => path_count === 0 || paths.length !== path_count)).toEqual([]);
      expect([...edits.keys()]).toEqual(merged);
      expect(await run(test, sides)).toEqual({ ...(await mergePlatforms(test.maps, sides)), root });
    }));

  test("without conflicts, or with each settled, it is the same with its sides swapped, where one side alone adds to keyed arrays", () =>
    check(async (test, sides) => {
      const { conflicts } = await run(test, sides);
      const settled = new Map(conflicts.map(({ component }, index) => [component, index % 2 === 0 ? "ours" : "theirs"] as const));
      const mirrored = new Map([...settled].map(([component, side]) => [component, side === "ours" ? "theirs" : "ours"] as const));
      const left = await run(test, sides, settled);
      const right = await run(test, swapped(sides) as Sides, mirrored);
      expect([left.conflicts, right.conflicts, left.unusedResolutions]).toEqual([[], [], []]);
      expect(left.resolved).toEqual(right.resolved);
      expect(left.root).toBe(right.root);
    }, "ours"));

  test("merging again changes nothing", () =>
    check(async (test, sides) => {
      const first = await run(
        test,
        sides,
        new Map((await run(test, sides)).conflicts.map(({ component }) => [component, "theirs"] as const)),
      );
      // The source is an ancestor of the merge now, and so the newest that both have in common.
      const again = await run(test, { base: sides.theirs, ours: first.root, theirs: sides.theirs });
      expect([again.root, again.conflicts, again.edits.size, again.fromTheirs]).toEqual([first.root, [], 0, []]);
    }));

  test("of nothing is nothing", async () => {
    const nothing = await mergePlatforms(new TestMaps().maps, { base: EMPTY_ROOT, ours: EMPTY_ROOT, theirs: EMPTY_ROOT });
    expect([nothing.edits.size, nothing.fromTheirs, nothing.conflicts]).toEqual([0, [], []]);
  });
});
