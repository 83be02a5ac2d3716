import { describe, expect, it } from "vitest";
import type { Check, CommitResult, Store } from "../../src/ports.ts";
import { change, type Opened, object, partitionName, put, read, type Suite, win } from "./store.ts";

const WRITERS = 16;
const ROUNDS = 10;

/** What engines that share one database rely on. */
export function sharing(suite: Suite): void {
  const title = suite.notShared === null ? "" : ` (skipped: ${suite.notShared})`;
  describe.skipIf(suite.notShared !== null)(`two engines on the same data${title}`, () => {
    it("have exactly one winner for each revision that writers of both check", async () => {
      const opened = await suite.open();
      const stores = [opened.store, await another(opened)];
      const p = partitionName();
      let revision: number | null = null;
      for (let round = 0; round < ROUNDS; round++) {
        const checks: Check[] = [{ key: "a", revision }];
        const results: CommitResult[] = await Promise.all(
          Array.from({ length: WRITERS }, (_, writer) =>
            storeOf(stores, writer).commit(p, change({ checks, puts: [{ key: "a", value: `${round} ${writer}` }] })),
          ),
        );
        const winners = results.flatMap((result, writer) => (result.ok ? [{ writer, revision: result.revision }] : []));
        expect(winners).toHaveLength(1);
        revision = winners[0]?.revision ?? null;
        for (const store of stores)
          expect((await store.get(p, ["a"]))[0]).toMatchObject({ value: `${round} ${winners[0]?.writer}`, revision });
      }
    });

    it("never give one revision twice, and block one another nowhere, though they write to the same partitions in any order", async () => {
      const opened = await suite.open();
      const stores = [opened.store, await another(opened)];
      const partitions = Array.from({ length: 6 }, partitionName);
      const given = new Map<string, number[]>(partitions.map((p) => [p, []]));
      await Promise.all(
        Array.from({ length: WRITERS }, async (_, writer) => {
          for (let round = 0; round < ROUNDS; round++) {
            // Each turn of the event loop a group of all partitions, forwards and backwards.
            const order = (writer + round) % 2 === 0 ? partitions : [...partitions].reverse();
            const revisions = order.map((p) =>
              win(storeOf(stores, writer), p, change({ puts: [{ key: `k/${writer}`, value: round }], objects: [object("aa")] })),
            );
            for (const [index, revision] of (await Promise.all(revisions)).entries()) given.get(order[index] ?? "")?.push(revision);
          }
        }),
      );
      for (const [p, revisions] of given) {
        expect([...revisions].sort((a, b) => a - b)).toEqual(Array.from({ length: WRITERS * ROUNDS }, (_, n) => n + 1));
        expect(await opened.store.revision([p])).toEqual([WRITERS * ROUNDS]);
      }
    });

    it("see what the other one has acknowledged, at once", async () => {
      const opened = await suite.open();
      const other = await another(opened);
      const p = partitionName();
      for (let n = 1; n <= ROUNDS; n++) {
        const revision = await win(opened.store, p, put("a", n));
        expect(await other.revision([p])).toEqual([revision]);
        expect(await read(other, p, "a")).toBe(n);
        await win(other, p, put("b", n));
        expect(await read(opened.store, p, "b")).toBe(n);
      }
    });

    it("hear of the other one's commits, once they can be read", async () => {
      const opened = await suite.open();
      const other = await another(opened);
      const partitions = Array.from({ length: 5 }, partitionName);
      const newest = new Map<string, number>();
      const heard = new Map<string, number>();
      const looks: Promise<void>[] = [];
      await new Promise<void>((resolve) => {
        other.watch({
          onChange(partition, revision) {
            if (!partitions.includes(partition)) return;
            looks.push(other.revision([partition]).then(([now]) => expect(now).toBeGreaterThanOrEqual(revision)));
            heard.set(partition, revision);
            if (heard.size === newest.size && partitions.every((p) => heard.get(p) === newest.get(p))) resolve();
          },
          onGap() {},
        });
        for (const p of partitions) newest.set(p, 20);
        for (let n = 0; n < 20; n++) for (const p of partitions) void win(opened.store, p, put("a", n));
      });
      await Promise.all(looks);
    });

    it("share one clock, that runs forwards", async () => {
      const opened = await suite.open();
      const stores = [opened.store, await another(opened)];
      let last = 0;
      for (let n = 0; n < 50; n++) {
        const now = (await storeOf(stores, n).now()).getTime();
        expect(now).toBeGreaterThanOrEqual(last - 1_000);
        last = Math.max(last, now);
      }
      for (const store of stores) {
        const [first, second] = [await store.now(), await store.now()];
        expect(second.getTime()).toBeGreaterThanOrEqual(first.getTime());
      }
    });
  });
}

function another(opened: Opened): Promise<Store> {
  if (opened.another === undefined) throw new Error("This backend says neither how a second engine opens it nor why none can.");
  return opened.another();
}

function storeOf(stores: readonly Store[], writer: number): Store {
  const store = stores[writer % stores.length];
  if (store === undefined) throw new Error("No store.");
  return store;
}
