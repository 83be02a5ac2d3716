import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalJson, EMPTY_ROOT, NodeCache, weigh } from "../../src/merkle/index.ts";
import type { Json } from "../../src/ports.ts";
import { build, contentArbitrary, edited, editsArbitrary, Objects, runs } from "./support.ts";

const INLINE_BYTES = 64;

function weightOf(content: ReadonlyMap<string, Json>, prefix: string): number {
  const values = [...content].filter(([key]) => key.startsWith(prefix)).map(([, value]) => value);
  const sizes = values.map((value) => Buffer.byteLength(canonicalJson(value)));
  return sizes.filter((bytes) => bytes > INLINE_BYTES).reduce((sum, bytes) => sum + bytes, 0);
}

test("a map weighs what its values do that are objects of their own, all and under a prefix, however it came about", async () => {
  await fc.assert(
    fc.asyncProperty(
      contentArbitrary(),
      editsArbitrary,
      fc.constantFrom("", "f", "flows/", "flows/1", "é/", "nothing/"),
      async (content, edits, prefix) => {
        const objects = new Objects();
        const source = new NodeCache(1024 * 1024).over(objects);
        const before = await build(objects, content);
        expect(await weigh(source, before, prefix)).toBe(weightOf(content, prefix));
        const { root } = await objects.edit(before, edits);
        const after = weightOf(edited(content, edits), prefix);
        expect(await weigh(source, root, prefix)).toBe(after);
        expect(await weigh(objects.source, root, prefix)).toBe(after);
      },
    ),
    runs(200),
  );
  expect(await weigh(new Objects().source, EMPTY_ROOT)).toBe(0);
});

test.each([1_000, 20_000])(
  "of a map with %i entries that was weighed before, an edit's own nodes and value alone are loaded",
  async (entries) => {
    const objects = new Objects();
    const source = new NodeCache(64 * 1024 * 1024).over(objects);
    const root = await build(objects, new Map(Array.from({ length: entries }, (_, n) => [`vars/V${n}`, `${n}`.padEnd(100)])));
    await weigh(source, root);
    const { root: next } = await objects.edit(root, [["vars/V500", "x".repeat(200)]]);
    objects.resetCounts();
    expect(await weigh(source, next)).toBe(entries * 102 + 100);
    expect(objects.loads).toBeLessThanOrEqual(8);
  },
);

test("of a large map, what is under a prefix alone is loaded", async () => {
  const objects = new Objects();
  const source = new NodeCache(64 * 1024 * 1024).over(objects);
  const long = (n: number) => `${n}`.padEnd(100);
  const flows = Array.from({ length: 10_000 }, (_, n) => [`flows/f${n}`, long(n)] as const);
  const requires = Array.from({ length: 3 }, (_, n) => [`requires/R${n}`, long(n)] as const);
  const root = await build(objects, new Map([...flows, ...requires]));
  objects.resetCounts();
  expect(await weigh(source, root, "requires/")).toBe(3 * 102);
  expect(objects.loads).toBeLessThanOrEqual(16);
});
