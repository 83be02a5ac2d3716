import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { diff, EMPTY_ROOT } from "../../src/merkle/index.ts";
import type { Json } from "../../src/ports.ts";
import { build, contentArbitrary, keyArbitrary, naiveDiff, Objects, resolve, runs, valueArbitrary } from "./support.ts";

const removal = Symbol("removal");
const changesArbitrary = fc.array(fc.tuple(keyArbitrary, fc.oneof(valueArbitrary, fc.constant(removal))), { maxLength: 30 });

describe("a diff", () => {
  test("equals the naive diff of the two contents", async () => {
    await fc.assert(
      fc.asyncProperty(contentArbitrary(), contentArbitrary(), async (left, right) => {
        const objects = new Objects();
        const [a, b] = [await build(objects, left), await build(objects, right)];
        expect(resolve(objects, await diff(objects.source, a, b))).toEqual(naiveDiff(left, right));
      }),
      runs(60),
    );
  });

  test("of a map and what became of it equals the naive one, cut by prefix and limit too", async () => {
    const prefixes = fc.constantFrom("", "flows/", "flows/1", "é", "😀/", "none");
    await fc.assert(
      fc.asyncProperty(
        contentArbitrary(),
        changesArbitrary,
        prefixes,
        fc.integer({ min: 0, max: 12 }),
        async (left, changes, prefix, limit) => {
          const right = new Map(left);
          for (const [key, value] of changes) {
            if (typeof value === "symbol") right.delete(key);
            else right.set(key, value);
          }
          const objects = new Objects();
          const [a, b] = [await build(objects, left), await build(objects, right)];
          const expected = naiveDiff(left, right);
          expect(resolve(objects, await diff(objects.source, a, b))).toEqual(expected);
          const inside = expected.filter((change) => change.key.startsWith(prefix));
          expect(resolve(objects, await diff(objects.source, a, b, { prefix }))).toEqual(inside);
          expect(resolve(objects, await diff(objects.source, a, b, { prefix, limit }))).toEqual(inside.slice(0, limit));
          expect(resolve(objects, await diff(objects.source, b, a, { limit }))).toEqual(
            expected.map(({ key, left, right }) => ({ key, left: right, right: left })).slice(0, limit),
          );
        },
      ),
      runs(80),
    );
  });

  test("of larger maps with keys of all layers put and removed equals the naive one", async () => {
    const objects = new Objects();
    const left = new Map<string, Json>(Array.from({ length: 4_000 }, (_, n) => [`k/${n}`, n]));
    const a = await build(objects, left);
    for (const step of [1_999, 613, 97, 13, 3]) {
      const right = new Map(left);
      for (let n = 0; n < 4_000; n += step) {
        if (n % 3 === 0) right.delete(`k/${n}`);
        else if (n % 3 === 1) right.set(`k/${n}x`, n);
        else right.set(`k/${n}`, "changed");
      }
      const { root: b } = await objects.edit(
        a,
        naiveDiff(left, right).map(({ key, right: value }) => [key, value]),
      );
      expect(b).toBe(await build(new Objects(), right));
      expect(resolve(objects, await diff(objects.source, a, b))).toEqual(naiveDiff(left, right));
      expect(resolve(objects, await diff(objects.source, a, b, { limit: 5 }))).toEqual(naiveDiff(left, right).slice(0, 5));
    }
  });

  test("of a map with itself loads nothing", async () => {
    const objects = new Objects();
    const root = await build(objects, new Map([["a", 1]]));
    objects.resetCounts();
    expect(await diff(objects.source, root, root)).toEqual([]);
    expect(objects.loads).toBe(0);
  });

  test("that is limited loads little, even where everything differs", async () => {
    const objects = new Objects();
    const content = (text: string) => new Map<string, Json>(Array.from({ length: 20_000 }, (_, n) => [`k/${n}`, `${text}${n}`]));
    const [a, b] = [await build(objects, content("a")), await build(objects, content("b"))];
    objects.resetCounts();
    expect(await diff(objects.source, a, b, { limit: 10 })).toHaveLength(10);
    expect(objects.loads).toBeLessThanOrEqual(60);
    objects.resetCounts();
    expect(await diff(objects.source, EMPTY_ROOT, b, { limit: 10 })).toHaveLength(10);
    expect(objects.loads).toBeLessThanOrEqual(30);
  });

  test("of a prefix does not look at changes elsewhere", async () => {
    const objects = new Objects();
    const left = new Map<string, Json>(Array.from({ length: 20_000 }, (_, n) => [`c${n % 10}/${n}`, n]));
    const a = await build(objects, left);
    const { root: b } = await objects.edit(
      a,
      Array.from({ length: 2_000 }, (_, n) => [`c3/${n * 10 + 3}`, "changed"]),
    );
    objects.resetCounts();
    expect(await diff(objects.source, a, b, { prefix: "c7/" })).toEqual([]);
    expect(objects.loads).toBeLessThanOrEqual(16);
  });
});
