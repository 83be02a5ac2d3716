import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { applyEdits, count, diff, EMPTY_ROOT, lookup, NodeCache } from "../../src/merkle/index.ts";
import type { Json } from "../../src/ports.ts";
import { build, contentArbitrary, edited, editsArbitrary, Objects, runs } from "./support.ts";

const component = (n: number, version = 0): Json => ({
  id: n,
  version,
  title: `Flow number ${n}`,
  trigger: { type: "webhook", path: `/hooks/${n}` },
});
const name = (n: number) => `c${n % 8}/name-${n}`;
const CHANGES = 10;

async function stateOf(components: number) {
  const objects = new Objects();
  const { root } = await objects.edit(
    EMPTY_ROOT,
    Array.from({ length: components }, (_, n) => [name(n), component(n)]),
  );
  const edits = new Map(Array.from({ length: CHANGES }, (_, k) => [name(Math.floor((components / CHANGES) * k)), component(k, 1)]));
  return { objects, root, edits };
}

describe("the number of nodes visited", () => {
  test.each([1_000, 10_000, 100_000])(
    "by 10 changes in %i components, and by their diff, is O(10 × log n)",
    async (components) => {
      const { objects, root, edits } = await stateOf(components);
      const levels = 1 + Math.ceil(Math.log(components) / Math.log(32));
      objects.resetCounts();
      const applied = await objects.edit(root, edits);
      expect(objects.loads).toBeLessThanOrEqual(CHANGES * levels);
      expect(objects.roundTrips).toBeLessThanOrEqual(levels + 1);
      expect(applied.objects.length).toBeLessThanOrEqual(CHANGES * (levels + 1));

      objects.resetCounts();
      expect(await diff(objects.source, root, applied.root)).toHaveLength(CHANGES);
      expect(objects.loads).toBeLessThanOrEqual(2 * CHANGES * levels);
      expect(objects.roundTrips).toBeLessThanOrEqual(levels + 1);
    },
    60_000,
  );

  test("by 10 changes in 10,000 components is at most 35, and at most 30 objects are written", async () => {
    const { objects, root, edits } = await stateOf(10_000);
    objects.resetCounts();
    const applied = await objects.edit(root, edits);
    expect(objects.loads).toBeLessThanOrEqual(35);
    expect(applied.objects.length).toBeLessThanOrEqual(30);
  });

  test("by inserts and removals of 10 components stays within the same bound", async () => {
    const { objects, root } = await stateOf(10_000);
    objects.resetCounts();
    await objects.edit(root, [
      ...Array.from({ length: 5 }, (_, k) => [`c${k}/inserted-${k}`, 1] as const),
      ...Array.from({ length: 5 }, (_, k) => [name(k * 1_999), undefined] as const),
    ]);
    expect(objects.loads).toBeLessThanOrEqual(CHANGES * 4);
  });
});

describe("a cache of nodes", () => {
  test("answers what it has without asking the store, and keeps within its bound", async () => {
    const { objects, root, edits } = await stateOf(10_000);
    const cache = new NodeCache(4 * 1024 * 1024);
    const source = cache.over(objects);
    const applied = await applyEdits(source, root, edits);
    objects.put(applied.objects);
    cache.keep(applied.nodes);
    objects.resetCounts();
    expect(await diff(source, root, applied.root)).toHaveLength(CHANGES);
    expect(await diff(source, applied.root, root)).toHaveLength(CHANGES);
    expect(objects.loads).toBe(0);
    expect(await lookup(source, applied.root, [name(0), name(0)])).toEqual([component(0, 1), component(0, 1)]);
    expect(await lookup(source, applied.root, [name(0)])).toEqual([component(0, 1)]);
    expect(objects.loads).toBe(1);
    expect(cache.bytes).toBeGreaterThan(0);
    cache.clear();
    expect(cache.bytes).toBe(0);
  });

  test("gives the same answers however small it is", async () => {
    const { objects, root, edits } = await stateOf(1_000);
    for (const bytes of [0, 5_000, 40_000]) {
      const cache = new NodeCache(bytes);
      const source = cache.over(objects);
      for (let round = 0; round < 3; round++) {
        const applied = await applyEdits(source, root, edits);
        objects.put(applied.objects);
        expect(await diff(source, root, applied.root)).toEqual(applied.changes);
        expect(await count(source, applied.root)).toBe(1_000);
        expect(cache.bytes).toBeLessThanOrEqual(bytes);
      }
    }
  });

  test("leads edit upon edit to what a build from nothing gives", async () => {
    await fc.assert(
      fc.asyncProperty(contentArbitrary(), fc.array(editsArbitrary, { maxLength: 6 }), async (content, rounds) => {
        const objects = new Objects();
        const cache = new NodeCache(1024 * 1024);
        const source = cache.over(objects);
        let root = await build(objects, content);
        let now = content;
        for (const edits of rounds) {
          const applied = await applyEdits(source, root, edits);
          objects.put(applied.objects);
          cache.keep(applied.nodes);
          root = applied.root;
          now = edited(now, edits);
          expect(root).toBe(await build(new Objects(), now));
        }
        // What is stored is read without the cache too.
        expect(await count(objects.source, root)).toBe(now.size);
      }),
      runs(60),
    );
  });

  test("counts what nodes take once they are used again, also where their names begin alike and are short as they are stored", async () => {
    const objects = new Objects();
    const names = Array.from({ length: 100 }, (_, n) => `${"x".repeat(1_000)}${n}`);
    const { root } = await objects.edit(
      EMPTY_ROOT,
      names.map((one) => [one, 1]),
    );
    const cache = new NodeCache(1024 * 1024);
    const source = cache.over(objects);
    for (let round = 0; round < 2; round++) await lookup(source, root, names);
    expect(cache.bytes).toBeGreaterThan(names.join("").length);
  });

  test("lets go first of what was not used lately", async () => {
    const objects = new Objects();
    const roots: string[] = [];
    for (let n = 0; n < 50; n++) roots.push((await objects.edit(EMPTY_ROOT, [["a", n]])).root);
    const cache = new NodeCache(4_000);
    const source = cache.over(objects);
    for (const root of roots) {
      await lookup(source, root, ["a"]);
      await lookup(source, roots[0]!, ["a"]);
    }
    objects.resetCounts();
    await lookup(source, roots[0]!, ["a"]);
    expect(objects.loads).toBe(0);
    await lookup(source, roots[1]!, ["a"]);
    expect(objects.loads).toBe(1);
  });

  test("lets go of what nobody asked for in a while, though there is room", async () => {
    const objects = new Objects();
    const roots: string[] = [];
    for (let n = 0; n < 50; n++) roots.push((await objects.edit(EMPTY_ROOT, [["a", n]])).root);
    let now = 0;
    const cache = new NodeCache(1024 * 1024, { idleMs: 1_000, now: () => now });
    const source = cache.over(objects);
    const sizes: number[] = [];
    let one = 0;
    for (const root of roots) {
      now += 100;
      await lookup(source, root, ["a"]);
      one ||= cache.bytes;
      await lookup(source, roots[0]!, ["a"]);
      sizes.push(cache.bytes);
    }
    // Ten are younger than that, one is in use, and one may be about to go.
    expect(Math.max(...sizes)).toBeLessThanOrEqual(one * 13);
    expect(sizes.at(-1)).toBe(sizes[25]);
    objects.resetCounts();
    await lookup(source, roots[0]!, ["a"]);
    await lookup(source, roots.at(-1)!, ["a"]);
    expect(objects.loads, "what is in use, and what is new, stays").toBe(0);
    await lookup(source, roots[1]!, ["a"]);
    expect(objects.loads).toBe(1);
  });
});
