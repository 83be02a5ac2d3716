import { afterEach, describe, expect, test, vi } from "vitest";
import { keys } from "../../src/keys.ts";
import { Ledger } from "../../src/ledger.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Change, CommitResult, Store } from "../../src/ports.ts";
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

/** The project's new revision. */
async function commit(store: Store): Promise<number> {
  const result = await store.commit(PROJECT, CHANGE);
  return result.ok ? result.revision : 0;
}

/** How many commits of others an instance waits for after one of its own. */
async function letFirst(turns: WriteTurns, store: Store): Promise<number> {
  turns.won(PROJECT, await commit(store), 10_000);
  const next = turns.next(PROJECT);
  let heard = 0;
  for (; !(await isOver(next)); heard++) await commit(store);
  return heard;
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

  test("lets as many go first as it has met, and one less after it has met nobody for long", async () => {
    const store = memoryStore();
    const turns = new WriteTurns(store);
    turns.lost(PROJECT);
    turns.lost(PROJECT);
    expect(await letFirst(turns, store), "races that one commit lost are one other").toBe(1);
    turns.lost(PROJECT);
    for (let n = 0; n < LIMITS.writeTurnProbe; n++) expect(await letFirst(turns, store)).toBe(2);
    for (let n = 0; n < 2 * LIMITS.writeTurnProbe; n++) expect(await letFirst(turns, store)).toBe(1);
  });

  test("gives up sooner the fewer go before it, so that not all who wait for one that is gone go at once", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    const store = memoryStore();
    const turns = new WriteTurns(store);
    turns.lost(PROJECT);
    await letFirst(turns, store);
    turns.lost(PROJECT);
    turns.won(PROJECT, await commit(store), 10);
    const next = turns.next(PROJECT);
    await vi.advanceTimersByTimeAsync(10 * LIMITS.writeTurnCommits);
    expect(await isOver(next), "two go before it").toBe(false);
    await commit(store);
    await vi.advanceTimersByTimeAsync(10 * LIMITS.writeTurnCommits - 1);
    expect(await isOver(next), "one goes before it").toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await isOver(next)).toBe(true);
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

test("an engine that has its store to itself lets nobody go first when its own collector was faster", async () => {
  // Whoever waited would wait for good.
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const store = memoryStore();
  const ledger = new Ledger(store, null, true);
  let runs = 0;
  const write = () =>
    ledger.write(PROJECT, caller("ann"), async (tx) => {
      if (++runs === 1) await store.commit(PROJECT, { ...CHANGE, puts: [{ key: keys.gcEpoch, value: { seq: 0 } }] });
      tx.put("counter", { runs });
    });
  await write();
  expect(runs).toBe(2);
  await write();
  await write();
  expect(runs).toBe(4);
});

describe.each([2, 4])("%i instances that write one project without a pause", (instances) => {
  const WRITERS = 64;
  const MS = 2_000;

  /** A store at the other end of a network, which makes one commit after another, and on which they are counted. */
  function distant(store: Store, oneByOne: (work: () => Promise<void>) => Promise<void>) {
    const counts = { made: 0, lost: 0 };
    const wrapping = wrapped(store, {
      get: async (partition, keys) => away().then(() => store.get(partition, keys)),
      commit: async (partition, change) => {
        await away();
        let result: CommitResult = { ok: false };
        await oneByOne(async () => {
          result = await store.commit(partition, change);
          counts[result.ok ? "made" : "lost"]++;
          if (result.ok) await away();
        });
        return result;
      },
    });
    return { store: wrapping, counts };
  }

  function away(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, 0.5 + Math.random()));
  }

  /** Once all has run that waits for nothing but a turn of the event loop. */
  function passed(): Promise<false> {
    return new Promise((resolve) => setImmediate(resolve, false));
  }

  test("take turns: every write gets through, and few commits are lost ones", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    const store = memoryStore();
    let line = Promise.resolve();
    const oneByOne = (work: () => Promise<void>) => {
      line = line.then(work);
      return line;
    };
    const sides = Array.from({ length: instances }, () => distant(store, oneByOne));
    let writes = 0;
    const end = performance.now() + MS;
    const writing = Promise.all(
      sides.flatMap((side) => {
        const ledger = new Ledger(side.store);
        return Array.from({ length: WRITERS / instances }, async () => {
          for (; performance.now() < end; writes++) {
            await ledger.write(PROJECT, caller("ann"), async (tx) => {
              const before = await tx.get<{ count: number }>("counter");
              tx.put("counter", { count: (before?.count ?? 0) + 1 });
            });
          }
        });
      }),
    );
    const done = writing.then(() => true);
    while (!(await Promise.race([done, passed()]))) await vi.advanceTimersByTimeAsync(1);
    const [counter] = await store.get(PROJECT, ["counter"]);
    expect(counter?.value).toEqual({ count: writes });
    for (const { counts } of sides) {
      expect(counts.made).toBeGreaterThan(0);
      expect(counts.lost).toBeLessThan(counts.made / 3);
    }
  });
});
