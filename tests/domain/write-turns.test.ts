import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { keys } from "../../src/keys.ts";
import { Ledger } from "../../src/ledger.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Change, CommitResult, Store, Turn } from "../../src/ports.ts";
import { WriteTurns } from "../../src/write-turns.ts";
import { caller, memoryStore, PROJECT, wrapped } from "./support.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

/** A store's turns, of which each begins when the test says so. */
function turnsOf() {
  const asked: { begin(waited?: boolean): void; refuse(): void; ended: boolean }[] = [];
  const turn = () =>
    new Promise<Turn>((resolve, reject) => {
      const one = {
        ended: false,
        begin: (waited = false) =>
          resolve({
            waited,
            end: () => {
              one.ended = true;
            },
          }),
        refuse: () => reject(new Error("none")),
      };
      asked.push(one);
    });
  return { turns: new WriteTurns({ turn }), asked };
}

/** Whether a promise is settled once all has run that waits for nothing but its turn. */
async function isOver(promise: Promise<unknown>): Promise<boolean> {
  let over = false;
  void promise.then(() => {
    over = true;
  });
  await passed();
  return over;
}

/** Once all has run that waits for nothing but a turn of the event loop. */
function passed(): Promise<false> {
  return new Promise((resolve) => setImmediate(resolve, false));
}

describe("an instance that writes a project", () => {
  test("asks for no turn where no other writes it", async () => {
    const { turns, asked } = turnsOf();
    await turns.next(PROJECT);
    turns.lost("another");
    await turns.next(PROJECT);
    expect(asked).toHaveLength(0);
    expect(turns.has(PROJECT)).toBe(false);
  });

  test("waits for its turn once it has lost a race, and lets the next one go when it has nothing to write", async () => {
    const { turns, asked } = turnsOf();
    turns.lost(PROJECT);
    const next = turns.next(PROJECT);
    expect(await isOver(next)).toBe(false);
    asked[0]?.begin();
    expect(await isOver(next)).toBe(true);
    expect(turns.has(PROJECT)).toBe(true);
    turns.end(PROJECT);
    expect(asked[0]?.ended).toBe(true);
    expect(turns.has(PROJECT)).toBe(false);
  });

  test("makes further commits in its turn until that has been long enough, and then asks for another", async () => {
    const { turns, asked } = turnsOf();
    turns.lost(PROJECT);
    const first = turns.next(PROJECT);
    asked[0]?.begin();
    await first;
    vi.advanceTimersByTime(LIMITS.writeTurnMs - 1);
    expect(await isOver(turns.next(PROJECT))).toBe(true);
    vi.advanceTimersByTime(1);
    const second = turns.next(PROJECT);
    expect(await isOver(second)).toBe(false);
    expect(asked.map(({ ended }) => ended)).toEqual([true, false]);
    asked[1]?.begin();
    await second;
  });

  test("goes without where none is to be had", async () => {
    const { turns, asked } = turnsOf();
    turns.lost(PROJECT);
    const next = turns.next(PROJECT);
    asked[0]?.refuse();
    expect(await isOver(next)).toBe(true);
    expect(turns.has(PROJECT)).toBe(false);
  });

  test("forgets in time that another wrote it too, unless that one had its turn first", async () => {
    const { turns, asked } = turnsOf();
    turns.lost(PROJECT);
    vi.advanceTimersByTime(LIMITS.rivalryMs - 1);
    const first = turns.next(PROJECT);
    asked[0]?.begin(true);
    await first;
    turns.end(PROJECT);
    vi.advanceTimersByTime(LIMITS.rivalryMs);
    const second = turns.next(PROJECT);
    asked[1]?.begin(false);
    await second;
    turns.end(PROJECT);
    vi.advanceTimersByTime(1);
    await turns.next(PROJECT);
    expect(asked).toHaveLength(2);
  });
});

describe("instances that write one project without a pause", () => {
  const MS = 2_000;

  interface Side {
    readonly store: Store;
    readonly counts: { made: number; lost: number };
  }

  /** An instance's way to a store that makes one commit after another: so many milliseconds long, there and back. */
  function away(store: Store, oneByOne: (work: () => Promise<void>) => Promise<void>, ms: () => number): Side {
    const counts = { made: 0, lost: 0 };
    const trip = () => new Promise<void>((resolve) => setTimeout(resolve, ms()));
    const wrapping = wrapped(store, {
      get: async (partition, wanted) => trip().then(() => store.get(partition, wanted)),
      turn: async (partition) => {
        await trip();
        return (store.turn as NonNullable<Store["turn"]>)(partition);
      },
      commit: async (partition, change) => {
        await trip();
        let result: CommitResult = { ok: false };
        await oneByOne(async () => {
          result = await store.commit(partition, change);
        });
        await trip();
        counts[result.ok ? "made" : "lost"]++;
        return result;
      },
    });
    return { store: wrapping, counts };
  }

  /** @returns how many writes were made, and by whom */
  async function writing(trips: readonly (() => number)[], writers: number) {
    const store = memoryStore();
    const project = { key: keys.project, value: { audit: { seq: 0, hash: "", at: "2026-01-01T00:00:00.000Z" } } };
    await store.commit(PROJECT, { checks: [], puts: [project], deletes: [], objects: [], objectDeletes: [] });
    let line = Promise.resolve();
    const oneByOne = (work: () => Promise<void>) => {
      line = line.then(work);
      return line;
    };
    const sides = trips.map((trip) => away(store, oneByOne, trip));
    const end = performance.now() + MS;
    const writes = sides.map(() => 0);
    const all = Promise.all(
      sides.flatMap((side, index) => {
        const ledger = new Ledger(side.store);
        return Array.from({ length: writers }, async () => {
          for (; performance.now() < end; writes[index] = (writes[index] ?? 0) + 1) {
            await ledger.write(PROJECT, caller("ann"), async (tx) => {
              const before = await tx.get<{ count: number }>("counter");
              tx.put("counter", { count: (before?.count ?? 0) + 1 });
            });
          }
        });
      }),
    );
    const done = all.then(() => true);
    while (!(await Promise.race([done, passed()]))) await vi.advanceTimersByTimeAsync(1);
    const [counter] = await store.get(PROJECT, ["counter"]);
    expect(counter?.value).toEqual({ count: writes.reduce((sum, one) => sum + one, 0) });
    return { writes, counts: sides.map(({ counts }) => counts) };
  }

  test.each([2, 4, 8])("take turns: %i of them write about as much, and next to no commit is a lost one", async (instances) => {
    const { writes, counts } = await writing(
      Array.from({ length: instances }, () => () => 0.5 + Math.random()),
      16,
    );
    expect(Math.min(...writes)).toBeGreaterThan(Math.max(...writes) / 2);
    // Each loses one where it learns of the others, and some one to whoever makes itself known.
    for (const { lost, made } of counts) expect(lost).toBeLessThan(made / 8);
  });

  test("get through however far they are from the store, beside one that is near and loses no race", async () => {
    const { writes, counts } = await writing([() => 0.2, () => 6], 16);
    for (const { made } of counts) expect(made).toBeGreaterThan(10);
    expect(writes[1]).toBeGreaterThan((writes[0] ?? 0) / 10);
    expect(counts[1]?.lost).toBeLessThanOrEqual(6);
  });
});

test("an engine that has its store to itself goes on at once when its own collector was faster", async () => {
  const store = memoryStore();
  const ledger = new Ledger(store);
  let runs = 0;
  const write = () =>
    ledger.write(PROJECT, caller("ann"), async (tx) => {
      const collected: Change = {
        checks: [],
        puts: [{ key: keys.gcEpoch, value: { seq: 0 } }],
        deletes: [],
        objects: [],
        objectDeletes: [],
      };
      if (++runs === 1) await store.commit(PROJECT, collected);
      tx.put("counter", { runs });
    });
  await write();
  expect(runs).toBe(2);
  await write();
  await write();
  expect(runs).toBe(4);
});
