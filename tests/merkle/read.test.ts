import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { count, EMPTY_ROOT, listEntries, lookup, lookupRefs, reachable, readValues } from "../../src/merkle/index.ts";
import type { Hash, Json } from "../../src/ports.ts";
import { build, contentArbitrary, edited, editsArbitrary, keyArbitrary, Objects, runs, sortedEntries } from "./support.ts";

describe("reading", () => {
  test("finds what is there and nothing else", async () => {
    await fc.assert(
      fc.asyncProperty(contentArbitrary(), fc.array(keyArbitrary), async (content, keys) => {
        const objects = new Objects();
        const root = await build(objects, content);
        const asked = [...keys, ...content.keys(), ...keys];
        expect(await lookup(objects.source, root, asked)).toEqual(asked.map((key) => content.get(key)));
      }),
      runs(40),
    );
  });

  test("lists and counts a prefix, page by page, as filtering all of it would", async () => {
    const prefixes = fc.constantFrom("", "f", "flows/", "flows/1", "pages/11", "é", "é/", "\uffee/", "😀", "zzz", "a");
    await fc.assert(
      fc.asyncProperty(
        contentArbitrary(),
        prefixes,
        fc.integer({ min: 1, max: 40 }),
        fc.option(keyArbitrary),
        async (content, prefix, limit, from) => {
          const objects = new Objects();
          const root = await build(objects, content);
          const expected = sortedEntries(content).filter(([key]) => key.startsWith(prefix));
          expect(await count(objects.source, root, prefix)).toBe(expected.length);
          const listed: [string, Json][] = [];
          let after: string | undefined;
          for (;;) {
            const page = await listEntries(objects.source, root, { prefix, limit, ...(after === undefined ? {} : { after }) });
            expect(page.length).toBeLessThanOrEqual(limit);
            listed.push(...page.map(({ key, value }): [string, Json] => [key, value!]));
            if (page.length < limit) break;
            after = page.at(-1)!.key;
          }
          expect(listed).toEqual(expected);
          if (from !== null) {
            const page = await listEntries(objects.source, root, { prefix, after: from, limit: 1_000, values: false });
            const keys = sortedEntries(new Map([...expected, [from, 0]])).map(([key]) => key);
            expect(page.map((entry) => entry.key)).toEqual(keys.slice(keys.indexOf(from) + 1));
          }
        },
      ),
      runs(80),
    );
  });

  test("a page loads what it shows and no more", async () => {
    const objects = new Objects();
    const content = new Map<string, Json>(
      Array.from({ length: 20_000 }, (_, n) => [`c${n % 10}/${n}`, n % 2 === 0 ? n : `${"long".repeat(20)}${n}`]),
    );
    const root = await build(objects, content);
    const loadsOf = async (work: () => Promise<unknown>) => {
      objects.resetCounts();
      await work();
      return { loads: objects.loads, trips: objects.roundTrips };
    };
    const ten = await loadsOf(() => listEntries(objects.source, root, { prefix: "c5/", after: "c5/15", limit: 10, values: false }));
    expect(ten.loads).toBeLessThanOrEqual(12);
    expect(ten.trips).toBeLessThanOrEqual(5);
    const withValues = await loadsOf(() => listEntries(objects.source, root, { prefix: "c5/", after: "c5/15", limit: 10 }));
    expect(withValues.loads - ten.loads).toBe(10);
    expect((await loadsOf(() => listEntries(objects.source, root, { prefix: "none/", limit: 1_000 }))).loads).toBeLessThanOrEqual(5);
    expect((await loadsOf(() => count(objects.source, root))).loads).toBe(1);
    expect((await loadsOf(() => count(objects.source, root, "c5/"))).loads).toBeLessThanOrEqual(9);
    expect((await loadsOf(() => listEntries(objects.source, root, { prefix: "", limit: 0 }))).loads).toBe(0);
  });

  test("values come in the order asked, each object loaded once", async () => {
    const objects = new Objects();
    const long = "x".repeat(100);
    const { root } = await objects.edit(EMPTY_ROOT, [
      ["a", long],
      ["b", long],
      ["c", 1],
    ]);
    const refs = await lookupRefs(objects.source, root, ["c", "a", "b"]);
    objects.resetCounts();
    expect(
      await readValues(
        objects.source,
        refs.map((ref) => ref!),
      ),
    ).toEqual([1, long, long]);
    expect(objects.loads).toBe(1);
  });

  test("a missing object is an error, not an absence", async () => {
    const objects = new Objects();
    const { root } = await objects.edit(EMPTY_ROOT, [["a", 1]]);
    objects.data.clear();
    await expect(lookup(objects.source, root, ["a"])).rejects.toThrow(`object ${root} is missing`);
  });
});

describe("what is reachable from a root", () => {
  const walk = async (objects: Objects, root: Hash, known: Set<Hash> = new Set()) => {
    const found: Hash[] = [];
    for await (const batch of reachable(objects.source, root, { skip: (hash) => known.has(hash), audit: true })) {
      for (const hash of batch) known.add(hash);
      found.push(...batch);
    }
    return found;
  };

  test("is exactly the objects that the map needs", async () => {
    await fc.assert(
      fc.asyncProperty(contentArbitrary(), editsArbitrary, async (content, edits) => {
        const history = new Objects();
        const { root } = await history.edit(await build(history, content), edits);
        const alone = new Objects();
        expect(await build(alone, edited(content, edits))).toBe(root);
        expect(new Set(await walk(history, root))).toEqual(new Set(alone.data.keys()));
      }),
      runs(40),
    );
  });

  test("is walked once where two maps share it", async () => {
    const objects = new Objects();
    const first = await build(objects, new Map<string, Json>(Array.from({ length: 5_000 }, (_, n) => [`k/${n}`, `${"v".repeat(70)}${n}`])));
    const { root: second, objects: added } = await objects.edit(first, [["k/1", "new"]]);
    const known = new Set<Hash>();
    await walk(objects, first, known);
    objects.resetCounts();
    expect(new Set(await walk(objects, second, known))).toEqual(new Set(added.map((object) => object.hash)));
    expect(objects.loads).toBe(added.length);
  });
});
