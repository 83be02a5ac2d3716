import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import type { Store } from "../../src/ports.ts";
import { change, hash, object, partitionName, put, read, type Suite, win } from "./store.ts";

export function commits(suite: Suite): void {
  checks(suite);
  races(suite);
  revisions(suite);
  bounds(suite);
}

function checks(suite: Suite): void {
  describe("a commit's checks", () => {
    it("win where every document has the revision that they name", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      const first = await win(store, p, put("a", 1));
      const second = await win(store, p, put("b", 1));
      const checked = change({
        checks: [
          { key: "a", revision: first },
          { key: "b", revision: second },
          { key: "c", revision: null },
        ],
        puts: [{ key: "c", value: 1 }],
      });
      expect(await store.commit(p, checked)).toEqual({ ok: true, revision: expect.any(Number) });
    });

    it.each([
      ["an older revision", (now: number) => ({ key: "a", revision: now - 1 })],
      ["a revision yet to come", (now: number) => ({ key: "a", revision: now + 1 })],
      ["no document where there is one", () => ({ key: "a", revision: null })],
      ["a document where there is none", (now: number) => ({ key: "missing", revision: now })],
    ])("lose where one names %s", async (_, check) => {
      const { store } = await suite.open();
      const p = partitionName();
      await win(store, p, put("a", "older"));
      const now = await win(store, p, put("a", "now"));
      const losing = change({ checks: [check(now)], puts: [{ key: "z", value: 1 }] });
      expect(await store.commit(p, losing)).toEqual({ ok: false });
      expect(await read(store, p, "z")).toBeUndefined();
    });

    it("take a deleted document for one that does not exist", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      await win(store, p, put("a", 1));
      await win(store, p, change({ deletes: ["a"] }));
      await win(store, p, change({ checks: [{ key: "a", revision: null }], puts: [{ key: "a", value: 2 }] }));
      expect(await read(store, p, "a")).toBe(2);
    });

    it("that lose leave every document, object and revision as it was", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      await win(
        store,
        p,
        change({
          puts: [
            { key: "a", value: 1 },
            { key: "b", value: 1 },
          ],
          objects: [object("aa")],
        }),
      );
      const [before] = await store.revision([p]);
      const lost = await store.commit(p, {
        checks: [{ key: "a", revision: null }],
        puts: [
          { key: "a", value: 2 },
          { key: "new", value: 2 },
        ],
        deletes: ["b"],
        objects: [object("bb")],
        objectDeletes: [hash("aa")],
      });
      expect(lost).toEqual({ ok: false });
      expect((await store.list(p, { prefix: "", limit: 10 })).map(({ key, value }) => [key, value])).toEqual([
        ["a", 1],
        ["b", 1],
      ]);
      expect((await store.objects.list(p, null, 10)).map((info) => info.hash)).toEqual([hash("aa")]);
      expect(await store.revision([p])).toEqual([before]);
    });

    it("see only their own partition", async () => {
      const { store } = await suite.open();
      const [p, q] = [partitionName(), partitionName()];
      await win(store, p, put("a", 1));
      await win(store, q, change({ checks: [{ key: "a", revision: null }], puts: [{ key: "a", value: 2 }] }));
      expect(await read(store, p, "a")).toBe(1);
      expect(await read(store, q, "a")).toBe(2);
    });
  });
}

function races(suite: Suite): void {
  describe("racing commits", () => {
    it("have exactly one winner for each revision that they check", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      await win(store, p, put("counter", 0));
      const wonAgainst: number[] = [];
      await Promise.all(Array.from({ length: 16 }, () => countUp(store, p, 10, wonAgainst)));
      expect(await read(store, p, "counter")).toBe(160);
      expect(new Set(wonAgainst).size).toBe(160);
    });

    it("that arrive in one turn each win or lose their own checks", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      const results = await Promise.all(
        Array.from({ length: 200 }, async (_, writer) => {
          const key = `key-${writer % 20}`;
          const result = await store.commit(p, change({ checks: [{ key, revision: null }], puts: [{ key, value: writer }] }));
          return { key, writer, ...result };
        }),
      );
      const winners = results.filter(({ ok }) => ok);
      expect(new Set(winners.map(({ key }) => key)).size).toBe(20);
      expect(winners).toHaveLength(20);
      for (const { key, writer } of winners) expect(await read(store, p, key)).toBe(writer);
    });

    it("in different partitions do not disturb one another", async () => {
      const { store } = await suite.open();
      const partitions = Array.from({ length: 20 }, partitionName);
      const rounds = 5;
      await Promise.all(
        partitions.map(async (p) => {
          let revision: number | null = null;
          for (let round = 0; round < rounds; round++) {
            revision = await win(store, p, change({ checks: [{ key: "a", revision }], puts: [{ key: "a", value: round }] }));
          }
        }),
      );
      for (const p of partitions) expect(await read(store, p, "a")).toBe(rounds - 1);
    });

    it("show their puts and deletes all at once to readers", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      await win(store, p, change({ puts: ["a", "m", "z"].map((key) => ({ key, value: 0 })) }));
      let writing = true;
      const writer = (async () => {
        for (let n = 1; n <= 60; n++) {
          const moved = n % 2 === 0 ? change({ deletes: ["moved"] }) : put("moved", n);
          await win(store, p, { ...moved, puts: [...moved.puts, ...["a", "m", "z"].map((key) => ({ key, value: n }))] });
        }
        writing = false;
      })();
      while (writing) {
        // Reads that need no waiting would otherwise keep the writers from ever running.
        await setImmediate();
        const [a, z, moved] = await store.get(p, ["a", "z", "moved"]);
        expect(z).toMatchObject({ value: a?.value, revision: a?.revision });
        expect(moved === null || moved?.value === a?.value).toBe(true);
        const listed = await store.list(p, { prefix: "", limit: 10 });
        expect(new Set(listed.map(({ revision }) => revision)).size).toBe(1);
      }
      await writer;
    });
  });
}

async function countUp(store: Store, partition: string, times: number, wonAgainst: number[]): Promise<void> {
  for (let won = 0; won < times; ) {
    const [entry] = await store.get(partition, ["counter"]);
    if (!entry) throw new Error("The counter is gone.");
    const checks = [{ key: "counter", revision: entry.revision }];
    const result = await store.commit(partition, change({ checks, puts: [{ key: "counter", value: Number(entry.value) + 1 }] }));
    if (!result.ok) continue;
    wonAgainst.push(entry.revision);
    won++;
  }
}

function revisions(suite: Suite): void {
  describe("a partition's revision", () => {
    it("is 0 before the first commit and grows with each, by its own count", async () => {
      const { store } = await suite.open();
      const [p, q] = [partitionName(), partitionName()];
      expect(await store.revision([p, q])).toEqual([0, 0]);
      const given: number[] = [];
      for (let n = 0; n < 5; n++) given.push(await win(store, p, put("a", n)));
      expect(given.every((revision, index) => revision > (given[index - 1] ?? 0))).toBe(true);
      expect(await store.revision([q, p, q])).toEqual([0, given.at(-1), 0]);
    });

    it("is that of the commit on every document that it put, and on no other", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      const first = await win(
        store,
        p,
        change({
          puts: [
            { key: "a", value: 1 },
            { key: "b", value: 1 },
          ],
        }),
      );
      const second = await win(store, p, put("b", 1));
      expect(second).toBeGreaterThan(first);
      expect((await store.get(p, ["a", "b"])).map((entry) => entry?.revision)).toEqual([first, second]);
      expect((await store.list(p, { prefix: "", limit: 9 })).map((entry) => entry.revision)).toEqual([first, second]);
    });

    it("is never given twice, though everything in the partition was deleted", async () => {
      const opened = await suite.open();
      const p = partitionName();
      await win(opened.store, p, change({ puts: [{ key: "a", value: 1 }], objects: [object("aa")] }));
      const emptied = await win(opened.store, p, change({ deletes: ["a"], objectDeletes: [hash("aa")] }));
      const store = await opened.reopen();
      expect(await store.revision([p])).toEqual([emptied]);
      expect(await win(store, p, put("a", 2))).toBeGreaterThan(emptied);
    });

    it("grows with a commit that only checks or deletes what is not there", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      const first = await win(store, p, change({ checks: [{ key: "a", revision: null }] }));
      expect(await win(store, p, change({ deletes: ["a"], objectDeletes: [hash("aa")] }))).toBeGreaterThan(first);
    });
  });
}

function bounds(suite: Suite): void {
  describe("a commit's size", () => {
    const full = (spare: number) => [
      object("aa", new Uint8Array(LIMITS.objectBytes).fill(1)),
      object("bb", new Uint8Array(LIMITS.commitBytes - LIMITS.objectBytes - spare).fill(2)),
    ];

    it("may reach the bound", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      // The key takes one byte, the document one.
      await win(store, p, change({ puts: [{ key: "a", value: 1 }], objects: full(2) }));
      const sizes = (await store.objects.get(p, [hash("aa"), hash("bb")])).map((data) => data?.byteLength);
      expect(sizes).toEqual([LIMITS.objectBytes, LIMITS.commitBytes - LIMITS.objectBytes - 2]);
    });

    it("may not exceed it: nothing is written", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      await expect(store.commit(p, change({ puts: [{ key: "a", value: 1 }], objects: full(1) }))).rejects.toMatchObject({
        code: "too_large",
      });
      expect(await store.revision([p])).toEqual([0]);
      expect(await store.objects.list(p, null, 10)).toEqual([]);
    });

    it("may reach the bound of operations", async () => {
      const { store } = await suite.open();
      const p = partitionName();
      const puts = Array.from({ length: LIMITS.commitOperations }, (_, n) => ({ key: `k/${String(n).padStart(6, "0")}`, value: n }));
      await win(store, p, change({ puts }));
      const last = await store.list(p, { prefix: "k/", limit: 1, reverse: true });
      expect(last[0]?.value).toBe(LIMITS.commitOperations - 1);
    });
  });
}
