import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import type { Range, Store } from "../../src/ports.ts";
import { change, partitionName, put, type Suite, win } from "./store.ts";

/** In the order of their UTF-8 bytes; by UTF-16 units the last two but one would stand before U+E000. */
const ORDERED = [
  "!",
  "-",
  "/",
  "0",
  "A",
  "a",
  "a/b",
  "a0",
  "ab",
  "\u00e9",
  "\ud7ff",
  "\ue000",
  "\uff5e",
  "\u{1f600}",
  "\u{10ffff}",
  "\u{10ffff}a",
];

export function ranges(suite: Suite): void {
  describe("listing documents", () => {
    it("orders keys by their UTF-8 bytes, either way", async () => {
      const { store } = await suite.open();
      const p = await partitionWith(store, [...ORDERED].reverse());
      expect(await keys(store, p, { prefix: "", limit: 100 })).toEqual(ORDERED);
      expect(await keys(store, p, { prefix: "", limit: 100, reverse: true })).toEqual([...ORDERED].reverse());
    });

    it("stops at the limit, at the end where it began", async () => {
      const { store } = await suite.open();
      const p = await partitionWith(store, ["a", "b", "c"]);
      expect(await keys(store, p, { prefix: "", limit: 2 })).toEqual(["a", "b"]);
      expect(await keys(store, p, { prefix: "", limit: 2, reverse: true })).toEqual(["c", "b"]);
    });

    it("narrows a prefix by after, from and before", async () => {
      const { store } = await suite.open();
      const p = await partitionWith(store, ["x", "x/", "x/1", "x/2", "x/3", "x0", "y"]);
      const cases: [Omit<Range, "limit">, string[]][] = [
        [{ prefix: "x/" }, ["x/", "x/1", "x/2", "x/3"]],
        [{ prefix: "x/", after: "x/1" }, ["x/2", "x/3"]],
        [{ prefix: "x/", from: "x/1" }, ["x/1", "x/2", "x/3"]],
        [{ prefix: "x/", before: "x/2" }, ["x/", "x/1"]],
        [{ prefix: "x/", after: "x/", before: "x/3", reverse: true }, ["x/2", "x/1"]],
        [{ prefix: "x/", from: "a", before: "z" }, ["x/", "x/1", "x/2", "x/3"]],
        [{ prefix: "x/", after: "x/1", from: "x/3" }, ["x/3"]],
        [{ prefix: "x/", after: "x/2", before: "x/1" }, []],
        [{ prefix: "x/", after: "y" }, []],
        [{ prefix: "", from: "x0" }, ["x0", "y"]],
        [{ prefix: "nothing" }, []],
      ];
      for (const [range, expected] of cases)
        expect(await keys(store, p, { ...range, limit: 100 }), JSON.stringify(range)).toEqual(expected);
    });

    it("takes %, _, * and ? in a prefix for themselves", async () => {
      const { store } = await suite.open();
      const p = await partitionWith(store, ["a%", "a%1", "a*", "a?", "a_", "ab", "abc"]);
      expect(await keys(store, p, { prefix: "a%", limit: 9 })).toEqual(["a%", "a%1"]);
      for (const prefix of ["a*", "a?", "a_"]) expect(await keys(store, p, { prefix, limit: 9 })).toEqual([prefix]);
    });

    it("finds what a plain filter finds", async () => {
      const { store } = await suite.open();
      const letters = fc.constantFrom("a", "b", "/", "~", "\u00e9", "\ud7ff", "\ue000", "\uff5e", "\u{1f600}", "\u{10ffff}");
      const key = fc.string({ unit: letters, minLength: 1, maxLength: 4 });
      const bound = fc.option(fc.string({ unit: letters, maxLength: 4 }), { nil: undefined });
      const range = fc.record({
        prefix: fc.string({ unit: letters, maxLength: 2 }),
        after: bound,
        from: bound,
        before: bound,
        limit: fc.integer({ min: 1, max: 20 }),
        reverse: fc.boolean(),
      });
      const examples = fc.asyncProperty(fc.uniqueArray(key, { maxLength: 30 }), fc.array(range, { maxLength: 10 }), async (all, wanted) => {
        const p = await partitionWith(store, all);
        for (const one of wanted) expect(await keys(store, p, withoutUndefined(one))).toEqual(filter(all, one));
      });
      await fc.assert(examples, { numRuns: 60 });
    });

    it("pages through every key that stays, once, while others come and go", async () => {
      const { store } = await suite.open();
      const stays = Array.from({ length: 300 }, (_, n) => `k/${String(n).padStart(4, "0")}`);
      for (const reverse of [false, true]) {
        const p = await partitionWith(store, stays);
        const seen: string[] = [];
        for (let page = 0, cursor: string | undefined; ; page++) {
          const bound = cursor === undefined ? {} : reverse ? { before: cursor } : { after: cursor };
          const found = await keys(store, p, { prefix: "k/", limit: 17, reverse, ...bound });
          if (found.length === 0) break;
          seen.push(...found);
          cursor = found.at(-1);
          await win(store, p, put(`k/0000-${page}`, "before or behind the cursor"));
          await win(store, p, put(`k/0299-${page}`, "behind or before the cursor"));
          await win(store, p, { ...put("k/0150", "written again"), deletes: [`k/0000-${page - 1}`] });
        }
        expect(new Set(seen).size).toBe(seen.length);
        expect(seen.filter((key) => key.length === 6)).toEqual(reverse ? [...stays].reverse() : stays);
      }
    });

    it("answers as many entries as the bound allows", async () => {
      const { store } = await suite.open();
      const p = await partitionWith(
        store,
        Array.from({ length: LIMITS.listEntries + 1 }, (_, n) => `k/${n}`),
      );
      expect(await keys(store, p, { prefix: "", limit: LIMITS.listEntries })).toHaveLength(LIMITS.listEntries);
    });
  });
}

async function partitionWith(store: Store, all: readonly string[]): Promise<string> {
  const partition = partitionName();
  await win(store, partition, change({ puts: all.map((key) => ({ key, value: key })) }));
  return partition;
}

async function keys(store: Store, partition: string, range: Range): Promise<string[]> {
  return (await store.list(partition, range)).map(({ key }) => key);
}

type LooseRange = { [Name in keyof Range]: Range[Name] | undefined } & Pick<Range, "prefix" | "limit">;

function withoutUndefined(range: LooseRange): Range {
  const given = Object.entries(range).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as unknown as Range;
}

function filter(all: readonly string[], { prefix, after, from, before, limit, reverse }: LooseRange): string[] {
  const compare = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
  const found = all
    .filter((key) => key.startsWith(prefix))
    .filter((key) => after === undefined || compare(key, after) > 0)
    .filter((key) => from === undefined || compare(key, from) >= 0)
    .filter((key) => before === undefined || compare(key, before) < 0)
    .sort(compare);
  return (reverse ? found.reverse() : found).slice(0, limit);
}
