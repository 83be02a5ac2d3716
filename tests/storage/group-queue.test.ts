import { expect, it } from "vitest";
import { GroupQueue } from "../../src/storage/group-queue.ts";

const LIMITS = { items: 5, bytes: 100, waiting: 100, turns: 3 };

/** What each group was made of. */
function gathering(): { readonly queue: GroupQueue<number, number>; readonly groups: (readonly number[])[] } {
  const groups: (readonly number[])[] = [];
  const queue = new GroupQueue<number, number>(LIMITS, (items) => {
    groups.push(items);
    return items.map((value) => ({ value }));
  });
  return { queue, groups };
}

/** Adds some in each turn of the event loop, and resolves when all are done. */
async function addInTurns(queue: GroupQueue<number, number>, ...turns: readonly (readonly number[])[]): Promise<void> {
  const added: Promise<number>[] = [];
  for (const items of turns) {
    added.push(...items.map((item) => queue.add(item, 1)));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(added);
}

it("a group gathers for as long as each turn brings more, and no longer than so many turns", async () => {
  const { queue, groups } = gathering();
  await addInTurns(queue, [1, 2], [3]);
  expect(groups).toEqual([[1, 2, 3]]);
  await addInTurns(queue, [4, 5], [6], [7], [8]);
  expect(groups.slice(1)).toEqual([[4, 5, 6, 7], [8]]);
});

it("whoever is alone waits for nobody, and what fills a group does not either", async () => {
  const { queue, groups } = gathering();
  await addInTurns(queue, [1], [2]);
  expect(groups).toEqual([[1], [2]]);
  await addInTurns(queue, [3, 4, 5, 6, 7], [8]);
  expect(groups.slice(2)).toEqual([[3, 4, 5, 6, 7], [8]]);
});
