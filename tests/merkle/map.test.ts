import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keyLayer, objectHash } from "../../src/merkle/hash.ts";
import { applyEdits, count, EMPTY_ROOT, type EntryChange, listEntries, lookup, lookupRefs } from "../../src/merkle/index.ts";
import type { Json } from "../../src/ports.ts";
import { build, contentArbitrary, edited, editsArbitrary, Objects, runs, sortedEntries } from "./support.ts";

/** Names of a given layer: the layers above 0 are rare, and shapes hang on them. */
const namesOfLayer = (layer: number, howMany: number): string[] => {
  const names: string[] = [];
  for (let n = 0; names.length < howMany; n++) if (keyLayer(`k/${n}`) === layer) names.push(`k/${n}`);
  return names;
};

describe("the root of a map", () => {
  test("depends on the content alone, whatever edits led to it in which order", async () => {
    await fc.assert(
      fc.asyncProperty(contentArbitrary(), fc.array(editsArbitrary, { maxLength: 6 }), async (start, steps) => {
        const objects = new Objects();
        let content: Map<string, Json> = start;
        let root = await build(objects, content);
        for (const edits of steps) {
          content = edited(content, edits);
          root = (await objects.edit(root, edits)).root;
        }
        expect(root).toBe(await build(new Objects(), content));
        expect(await listEntries(objects.source, root, { prefix: "", limit: 1_000 })).toMatchObject(
          sortedEntries(content).map(([key, value]) => ({ key, value })),
        );
      }),
      runs(60),
    );
  });

  test("is the same for entries put one by one in any order", async () => {
    await fc.assert(
      fc.asyncProperty(contentArbitrary(60), fc.infiniteStream(fc.nat()), async (content, random) => {
        const objects = new Objects();
        const entries = [...content].map((entry) => ({ entry, rank: random.next().value as number })).sort((a, b) => a.rank - b.rank);
        let root = EMPTY_ROOT;
        for (const { entry } of entries) root = (await objects.edit(root, [entry])).root;
        expect(root).toBe(await build(new Objects(), content));
      }),
      runs(20),
    );
  });

  test("comes back when what was put is removed", async () => {
    await fc.assert(
      fc.asyncProperty(contentArbitrary(), contentArbitrary(40), async (content, extra) => {
        const objects = new Objects();
        const root = await build(objects, content);
        const added = [...extra].filter(([key]) => !content.has(key));
        const grown = await objects.edit(root, added);
        const back = await objects.edit(
          grown.root,
          added.map(([key]) => [key, undefined]),
        );
        expect(back.root).toBe(root);
        expect(back.changes).toHaveLength(added.length);
      }),
      runs(60),
    );
  });

  test("comes back when a key of any layer is put and removed, at any place", async () => {
    const objects = new Objects();
    const content = new Map<string, Json>(Array.from({ length: 2_000 }, (_, n) => [`k/${n * 7}`, n]));
    const root = await build(objects, content);
    for (const layer of [0, 1, 2, 3]) {
      for (const key of namesOfLayer(layer, layer === 3 ? 2 : 6)) {
        if (content.has(key)) {
          const without = await objects.edit(root, [[key, undefined]]);
          expect((await objects.edit(without.root, [[key, content.get(key)]])).root).toBe(root);
        } else {
          const grown = await objects.edit(root, [[key, "new"]]);
          expect(grown.root).toBe(await build(new Objects(), new Map([...content, [key, "new"]])));
          expect((await objects.edit(grown.root, [[key, undefined]])).root).toBe(root);
        }
      }
    }
  }, 120_000);

  test("of the empty map needs no object, and emptying a map leads to it", async () => {
    const objects = new Objects();
    const applied = await objects.edit(EMPTY_ROOT, [["a/b", 1]]);
    expect(await objects.edit(applied.root, [["a/b", undefined]])).toMatchObject({ root: EMPTY_ROOT, objects: [] });
    objects.data.clear();
    objects.resetCounts();
    expect(await lookup(objects.source, EMPTY_ROOT, ["a/b"])).toEqual([undefined]);
    expect(await listEntries(objects.source, EMPTY_ROOT, { prefix: "", limit: 10 })).toEqual([]);
    expect(await count(objects.source, EMPTY_ROOT)).toBe(0);
    expect(await count(objects.source, EMPTY_ROOT, "a/")).toBe(0);
    expect(objects.loads).toBe(0);
  });

  test("is the same on every machine and at any time", async () => {
    const content = new Map<string, Json>(Array.from({ length: 500 }, (_, n) => [`flows/${n}`, { n, text: "é".repeat(n % 50) }]));
    expect(await build(new Objects(), content)).toBe("c9cdbbea8496cb137bf516d4fffa227da4b5792862963df8c3e4b87dc0bf7495");
  });

  test("tells apart what differs", async () => {
    const roots = await Promise.all(
      ([{}, { a: 1 }, { a: 2 }, { b: 1 }, { a: "1" }, { a: 1, b: 1 }] as Record<string, Json>[]).map((content) =>
        build(new Objects(), new Map(Object.entries(content))),
      ),
    );
    expect(new Set(roots).size).toBe(roots.length);
  });
});

describe("applying edits", () => {
  test("that change nothing gives back the root, no objects and no changes", async () => {
    const objects = new Objects();
    const content = new Map<string, Json>(Array.from({ length: 500 }, (_, n) => [`k/${n}`, { n, text: "x".repeat(n % 90) }]));
    const root = await build(objects, content);
    const same = await objects.edit(root, [
      ...[...content].slice(0, 50),
      ...namesOfLayer(2, 3).map((name) => [`${name}x`, undefined] as const),
    ]);
    expect(same).toMatchObject({ root, objects: [], changes: [] });
    expect(await objects.edit(root, [])).toMatchObject({ root, objects: [], changes: [] });
    expect(await objects.edit(EMPTY_ROOT, [["none", undefined]])).toMatchObject({ root: EMPTY_ROOT, objects: [], changes: [] });
  });

  test("reports only what really changed, in order, and only objects that are new", async () => {
    await fc.assert(
      fc.asyncProperty(contentArbitrary(), editsArbitrary, async (content, edits) => {
        const objects = new Objects();
        const root = await build(objects, content);
        const before = new Set(objects.data.keys());
        const applied = await objects.edit(root, edits);
        const next = edited(content, edits);
        const changed = [...edits.keys()].filter((key) => JSON.stringify(content.get(key)) !== JSON.stringify(next.get(key)));
        expect(applied.changes.map((change) => change.key)).toEqual(
          sortedEntries(new Map(changed.map((key) => [key, 0]))).map(([key]) => key),
        );
        const nodes = applied.objects.filter((object) => object.data[0] === 1);
        expect(nodes.filter((object) => before.has(object.hash))).toEqual([]);
        expect(new Set(applied.objects.map((object) => object.hash)).size).toBe(applied.objects.length);
        for (const { hash, data, replaces } of applied.objects) {
          expect(objectHash(data)).toBe(hash);
          if (replaces !== undefined) expect(before).toContain(replaces);
        }
      }),
      runs(60),
    );
  });

  test("names the object that each new one replaces", async () => {
    const objects = new Objects();
    const long = (n: number) => "v".repeat(80) + n;
    const content = new Map<string, Json>(Array.from({ length: 3_000 }, (_, n) => [`k/${n}`, long(n)]));
    const root = await build(objects, content);
    const applied = await objects.edit(root, [["k/77", "w".repeat(90)]]);
    const [value, ...nodes] = applied.objects;
    expect(value!.replaces).toBe(objectHash(Buffer.from(JSON.stringify(long(77)))));
    expect(nodes.at(-1)).toMatchObject({ hash: applied.root, replaces: root });
    expect(nodes.every((object) => object.replaces !== undefined)).toBe(true);
  });

  test("likens the value of a new name to the nearest one that was there, and to none where all are new", async () => {
    const objects = new Objects();
    const long = (name: string) => "v".repeat(80) + name;
    const names = namesOfLayer(0, 4).sort();
    const [first = "", second = "", third = "", fourth = ""] = names;
    const none = await objects.edit(EMPTY_ROOT, [[first, long(first)]]);
    expect(none.objects.every(({ replaces }) => replaces === undefined)).toBe(true);
    const root = await build(
      objects,
      new Map([
        [first, long(first)],
        [third, long(third)],
      ]),
    );
    const hashOf = (name: string) => objectHash(Buffer.from(JSON.stringify(long(name))));
    const applied = await objects.edit(root, [
      [second, long(second)],
      [fourth, long(fourth)],
    ]);
    const likened = new Map(applied.objects.map(({ hash, replaces }) => [hash, replaces]));
    expect(likened.get(hashOf(second))).toBe(hashOf(first));
    expect(likened.get(hashOf(fourth))).toBe(hashOf(third));
  });

  test("loads each level of all paths in one round trip", async () => {
    const objects = new Objects();
    const content = new Map<string, Json>(Array.from({ length: 10_000 }, (_, n) => [`k/${n}`, n]));
    const root = await build(objects, content);
    objects.resetCounts();
    await objects.edit(
      root,
      Array.from({ length: 20 }, (_, n) => [`k/${n * 499}`, n % 2 === 0 ? undefined : "changed"]),
    );
    expect(objects.roundTrips).toBeLessThanOrEqual(4);
  });

  test("carries entries between maps by reference, without their values, along with edits", async () => {
    const objects = new Objects();
    const root = await build(
      objects,
      new Map<string, Json>([
        ["a/long", "x".repeat(200)],
        ["a/short", 1],
      ]),
    );
    const [long, short] = await lookupRefs(objects.source, root, ["a/long", "a/short"]);
    const taken = (key: string, right: EntryChange["right"]) => ({ key, left: null, right });
    const carried = [taken("a/short", short!), taken("a/none", null), taken("a/long", long!)];
    const applied = await applyEdits(objects.source, EMPTY_ROOT, new Map(), carried);
    expect(applied.root).toBe(root);
    expect(applied.objects).toHaveLength(1);
    const both = await applyEdits(objects.source, EMPTY_ROOT, new Map([["a/new", 2]]), carried);
    expect(both.changes.map(({ key }) => key)).toEqual(["a/long", "a/new", "a/short"]);
    expect((await applyEdits(objects.source, root, new Map(), [taken("a/long", null)])).changes).toEqual([
      { key: "a/long", left: long, right: null },
    ]);
  });

  test("refuses values that are not JSON, and names that are not text or too long", async () => {
    const objects = new Objects();
    const attempt = (key: string, value: unknown) => applyEdits(objects.source, EMPTY_ROOT, new Map([[key, value as Json]]));
    await expect(attempt("a/b", { x: Number.NaN })).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining('"a/b" at "/x"'),
    });
    await expect(attempt("a/\ud800", 1)).rejects.toMatchObject({ code: "invalid_request" });
    await expect(attempt("a".repeat(1_025), 1)).rejects.toMatchObject({ code: "invalid_request" });
    await expect(attempt("é".repeat(512), 1)).resolves.toBeDefined();
  });

  test("refuses names chosen so that they all fall in one node, and takes as many that are not", async () => {
    const objects = new Objects();
    const hostile = namesOfLayer(0, 4_097);
    const full = await objects.edit(
      EMPTY_ROOT,
      hostile.slice(0, 4_096).map((name) => [name, 1]),
    );
    expect(await count(objects.source, full.root)).toBe(4_096);
    const refusal = { code: "too_large", fix: expect.stringContaining("names") };
    await expect(objects.edit(full.root, [[hostile[4_096]!, 1]])).rejects.toMatchObject(refusal);
    await expect(
      objects.edit(
        EMPTY_ROOT,
        hostile.map((name) => [name, 1]),
      ),
    ).rejects.toMatchObject(refusal);
    const honest = await objects.edit(
      EMPTY_ROOT,
      Array.from({ length: 8_192 }, (_, n) => [`k/${n}`, 1]),
    );
    expect(await count(objects.source, honest.root)).toBe(8_192);
  });

  test("takes any text as a name", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.string({ unit: "binary", maxLength: 20 }), { maxLength: 60 }), async (names) => {
        const objects = new Objects();
        const content = new Map<string, Json>([...names, "__proto__", "constructor", "", "\0", "a\u0000b"].map((name) => [name, name]));
        const { root } = await objects.edit(EMPTY_ROOT, content);
        expect(await lookup(objects.source, root, [...content.keys()])).toEqual([...content.values()]);
        expect((await listEntries(objects.source, root, { prefix: "", limit: 100 })).map((entry) => entry.key)).toEqual(
          sortedEntries(content).map(([key]) => key),
        );
      }),
      runs(40),
    );
  });
});
