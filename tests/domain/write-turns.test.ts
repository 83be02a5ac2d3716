import { afterEach, describe, expect, test, vi } from "vitest";
import { Ledger } from "../../src/ledger.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Change, Store } from "../../src/ports.ts";
import { WriteTurns } from "../../src/write-turns.ts";
import { caller, memoryStore, PROJECT, wrapped } from "./support.ts";

afterEach(() => void vi.useRealTimers());

const CHANGE: Change = { checks: [], puts: [{ key: "document", value: {} }], deletes: [], objects: [], objectDeletes: [] };

/** Whether a promise is settled once all has run that waits for nothing but its turn. */
async function isOver(promise: Promise<unknown>): Promise<boolean> {
  let over = false;
  void promise.then(() => {
    over = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return over;
}

describe("an instance that writes a project", () => {
  test("waits for nobody where no other writes it", async () => {
    const turns = new WriteTurns(memoryStore());
    turns.won(PROJECT, 1, 10);
    expect(await isOver(turns.next(PROJECT))).toBe(true);
  });

  test("lets another go first after it has won, once it had lost a race, and goes on when that one has written", async () => {
    const store = memoryStore();
    const turns = new WriteTurns(store);
    turns.lost(PROJECT);
    // Who has lost begins anew at once.
    expect(await isOver(turns.next(PROJECT))).toBe(true);
    const result = await store.commit(PROJECT, CHANGE);
    turns.won(PROJECT, result.ok ? result.revision : 0, 10_000);
    const next = turns.next(PROJECT);
    expect(await isOver(next)).toBe(false);
    await store.commit("another", CHANGE);
    expect(await isOver(next)).toBe(false);
    await store.commit(PROJECT, CHANGE);
    expect(await isOver(next)).toBe(true);
  });

  test("does not wait for one that has written meanwhile", async () => {
    const store = memoryStore();
    const turns = new WriteTurns(store);
    turns.lost(PROJECT);
    const result = await store.commit(PROJECT, CHANGE);
    turns.won(PROJECT, result.ok ? result.revision : 0, 10_000);
    await store.commit(PROJECT, CHANGE);
    expect(await isOver(turns.next(PROJECT))).toBe(true);
  });

  test("waits for one that is gone no longer than it may, and once", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    const turns = new WriteTurns(memoryStore());
    turns.lost(PROJECT);
    turns.won(PROJECT, 1, 10_000);
    const next = turns.next(PROJECT);
    await vi.advanceTimersByTimeAsync(LIMITS.writeTurnMs - 1);
    expect(await isOver(next)).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await isOver(next)).toBe(true);
    turns.won(PROJECT, 2, 10_000);
    expect(await isOver(turns.next(PROJECT))).toBe(true);
  });

  test("forgets in time that another wrote it too", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const turns = new WriteTurns(memoryStore());
    turns.lost(PROJECT);
    vi.advanceTimersByTime(LIMITS.rivalryMs + 1);
    turns.won(PROJECT, 1, 10_000);
    expect(await isOver(turns.next(PROJECT))).toBe(true);
  });
});

describe("two instances that write one project without a pause", () => {
  const WRITERS = 32;
  const WRITES = 1_200;

  /** A store at the other end of a network, on which commits are counted. */
  function distant(store: Store) {
    const counts = { made: 0, lost: 0 };
    const away = () => new Promise((resolve) => setTimeout(resolve, 1));
    const wrapping = wrapped(store, {
      get: async (partition, keys) => away().then(() => store.get(partition, keys)),
      commit: async (partition, change) => {
        await away();
        const result = await store.commit(partition, change);
        counts[result.ok ? "made" : "lost"]++;
        return result;
      },
    });
    return { store: wrapping, counts };
  }

  test("take turns: every write gets through, and most commits are no lost ones", async () => {
    const store = memoryStore();
    const sides = [distant(store), distant(store)];
    let left = WRITES;
    const writers = sides.flatMap((side) => {
      const ledger = new Ledger(side.store);
      return Array.from({ length: WRITERS }, async () => {
        while (left-- > 0) {
          await ledger.write(PROJECT, caller("ann"), async (tx) => {
            const before = await tx.get<{ count: number }>("counter");
            tx.put("counter", { count: (before?.count ?? 0) + 1 });
          });
        }
      });
    });
    await Promise.all(writers);
    const [counter] = await store.get(PROJECT, ["counter"]);
    expect(counter?.value).toEqual({ count: WRITES });
    for (const { counts } of sides) {
      expect(counts.made).toBeGreaterThan(0);
      expect(counts.lost).toBeLessThan(counts.made);
    }
  });
});
