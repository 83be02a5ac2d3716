import { describe, expect, it } from "vitest";
import type { Store, Turn } from "../../src/ports.ts";
import { type Opened, partitionName, put, type Suite, win } from "./store.ts";

/** What instances rely on that write the same partition: nobody is passed over. */
export function turns(suite: Suite): void {
  describe("turns at a partition", () => {
    it("go to one after another, in the order in which they asked", async () => {
      const stores = await sides(await suite.open());
      if (stores === null) return expect(suite.notShared, "engines that share a store need turns").not.toBeNull();
      const p = partitionName();
      const order: number[] = [];
      const first = await take(stores, 0, p);
      expect(first.waited).toBe(false);
      const others: Promise<void>[] = [];
      for (let n = 1; n <= 6; n++) {
        others.push(
          take(stores, n, p).then((turn) => {
            order.push(n);
            expect(turn.waited).toBe(true);
            turn.end();
          }),
        );
        // Until it has asked, whichever way that goes.
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      expect(order).toEqual([]);
      first.end();
      await Promise.all(others);
      expect(order).toEqual([1, 2, 3, 4, 5, 6]);
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
