import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import type { Json } from "../../src/ports.ts";
import { change, partitionName, put, read, type Suite, win } from "./store.ts";

export function reads(suite: Suite): void {
  describe("reading documents", () => {
    it("answers one entry or null for each key, in the order asked", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      const revision = await win(
        store,
        p,
        change({
          puts: [
            { key: "a", value: 1 },
            { key: "b", value: 2 },
          ],
        }),
      );
      const a = { key: "a", value: 1, revision };
      expect(await store.get(p, ["b", "missing", "a", "a"])).toEqual([{ key: "b", value: 2, revision }, null, a, a]);
      expect(await store.get(p, [])).toEqual([]);
    });

    it("finds nothing in a partition that was never written", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      expect(await store.get(p, ["a"])).toEqual([null]);
      expect(await store.list(p, { prefix: "", limit: 10 })).toEqual([]);
      expect(await store.objects.list(p, null, 10)).toEqual([]);
    });

    it("returns each value as it was put", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      const values: Json[] = [
        null,
        false,
        0,
        -1.5e-9,
        Number.MAX_SAFE_INTEGER,
        "",
        'quote " backslash \\ newline \n NUL \0 é \u{ff5e} \u{1f600} \u2028',
        [],
        {},
        [[["deep"]], { "": [null] }],
        JSON.parse('{"__proto__": {"constructor": 1}, "b": 1, "a": 2}') as Json,
      ];
      await win(store, p, change({ puts: values.map((value, index) => ({ key: `v/${index}`, value })) }));
      for (const [index, value] of values.entries()) {
        expect(JSON.stringify(sorted(await read(store, p, `v/${index}`)))).toBe(JSON.stringify(sorted(value)));
      }
    });

    it("returns a document as large as the bound", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      const text = "x".repeat(LIMITS.documentBytes - 2);
      await win(store, p, put("large", text));
      expect(await read(store, p, "large")).toBe(text);
    });

    it("keeps keys apart that differ in case, in accents' encoding or by a space", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      const keys = ["a", "A", "a ", " a", "\u00e9", "e\u0301", "a/", "a%", "a_", "x".repeat(LIMITS.keyBytes)];
      await win(store, p, change({ puts: keys.map((key, index) => ({ key, value: index })) }));
      expect((await store.get(p, keys)).map((entry) => entry?.value)).toEqual(keys.map((_, index) => index));
    });

    it("of many keys is one consistent read while writers commit", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      const keys = Array.from({ length: 100 }, (_, n) => `k/${n}`);
      const all = (value: number) => change({ puts: keys.map((key) => ({ key, value })) });
      await win(store, p, all(0));
      let writing = true;
      const writers = Promise.all(
        [1, 2].map(async (step) => {
          for (let n = 0; n < 20; n++) await win(store, p, all(n * step));
        }),
      ).then(() => {
        writing = false;
      });
      while (writing) {
        // Reads that need no waiting would otherwise keep the writers from ever running.
        await setImmediate();
        const entries = await store.get(p, keys);
        expect(new Set(entries.map((entry) => entry?.revision)).size).toBe(1);
      }
      await writers;
    });
  });
}

/** Members in one order, so that only content is compared. */
function sorted(value: Json | undefined): unknown {
  if (Array.isArray(value)) return value.map((element: Json) => sorted(element));
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => [name, sorted(member)]);
}
