import { describe, expect, it } from "vitest";
import type { Store, Turn } from "../../src/ports.ts";
import { type Opened, partitionName, put, type Suite, win } from "./store.ts";

/** What instances rely on that write the same partition: nobody is passed over. */
export function turns(suite: Suite): void {
  describe("turns at a partition", () => {
    it("go to one after another, in the order in which they asked", async () => {
      const opened = await suite.open();
      const stores = await sides(opened);
      if (stores === null) return expect(suite.notShared, "engines that share a store need turns").not.toBeNull();
      // Nobody waits for longer than `LIMITS.writeTurnWaitMs`, which a machine that is busy elsewhere may take to line everybody up.
      let p = partitionName();
      for (let again = 4; !(await served(opened, stores, p)); again--) {
        expect(again, "who waited in vain").toBeGreaterThan(0);
        p = partitionName();
      }
      expect(await ended(take(stores, 0, p))).toMatchObject({ waited: false });
    });

    it("keep back neither a turn at another one nor a commit", async () => {
      const stores = await sides(await suite.open());
      if (stores === null) return expect(suite.notShared, "engines that share a store need turns").not.toBeNull();
      const [p, q] = [partitionName(), partitionName()];
      const turn = await take(stores, 0, p);
      await ended(take(stores, 1, q));
      await win(storeOf(stores, 1), p, put("a", 1));
      turn.end();
    });
  });
}

/** Lines up six behind one, on both ways to the store, and lets them go. @returns whether nobody was too late for it to tell anything */
async function served(opened: Opened, stores: readonly Store[], partition: string): Promise<boolean> {
  const order: number[] = [];
  const first = await take(stores, 0, partition);
  expect(first.waited).toBe(false);
  const others: Promise<boolean>[] = [];
  for (let n = 1; n <= 6; n++) {
    const turn = take(stores, n, partition).then(({ waited, end }) => {
      order.push(n);
      end();
      return waited;
    });
    others.push(turn.catch(isTooLate));
    await waiting(opened, partition, n, others);
  }
  const early = [...order];
  first.end();
  const waited = await Promise.all(others);
  if (waited.includes(false)) return false;
  expect(early).toEqual([]);
  expect(order).toEqual([1, 2, 3, 4, 5, 6]);
  return true;
}

/** Until so many wait, or one of them no longer does. */
async function waiting(opened: Opened, partition: string, count: number, others: readonly Promise<unknown>[]): Promise<void> {
  if (opened.turnsWaiting === undefined) return;
  let late = false;
  void Promise.race(others).then(() => {
    late = true;
  });
  while (!late && (await opened.turnsWaiting(partition)) < count) await new Promise((resolve) => setTimeout(resolve, 5));
}

function isTooLate(error: unknown): false {
  expect(error).toMatchObject({ code: "store_unavailable" });
  return false;
}

/** The ways to the store, two where engines share it; `null` where it gives no turns. */
async function sides(opened: Opened): Promise<readonly Store[] | null> {
  if (opened.store.turn === undefined) return null;
  return opened.another === undefined ? [opened.store] : [opened.store, await opened.another()];
}

function storeOf(stores: readonly Store[], n: number): Store {
  return stores[n % stores.length] as Store;
}

function take(stores: readonly Store[], n: number, partition: string): Promise<Turn> {
  const { turn } = storeOf(stores, n);
  if (turn === undefined) throw new Error("no turns");
  return turn(partition);
}

async function ended(turn: Promise<Turn>): Promise<Turn> {
  const taken = await turn;
  taken.end();
  return taken;
}
