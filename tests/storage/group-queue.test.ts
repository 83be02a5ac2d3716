import { expect, it } from "vitest";
import { GroupQueue } from "../../src/storage/group-queue.ts";

const LIMITS = { items: 5, bytes: 100, waiting: 100 };

/** What each group was made of. A group is at work until `work` has come to its end. */
function gathering(work: () => Promise<void> = async () => {}) {
  const groups: (readonly number[])[] = [];
  const queue = new GroupQueue<number, number>(LIMITS, async (items) => {
    groups.push(items);
    await work();
    return items.map((value) => ({ value }));
  });
  const add = (...items: readonly number[]) => Promise.all(items.map((item) => queue.add(item, 1)));
  return { queue, groups, add };
}

it("what comes in one turn of the event loop goes together, and whoever is alone waits for nobody", async () => {
  const { groups, add } = gathering();
  const first = add(1, 2);
  await new Promise((resolve) => setImmediate(resolve));
  await Promise.all([first, add(3)]);
  expect(groups).toEqual([[1, 2], [3]]);
});

it("what comes while a group is at work makes up the next one", async () => {
  let end = () => {};
  const { groups, add } = gathering(
    () =>
      new Promise((resolve) => {
        end = resolve;
      }),
  );
  const first = add(1);
  await expect.poll(() => groups).toHaveLength(1);
  const others = [add(2), add(3)];
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  const last = add(4);
  expect(groups).toEqual([[1]]);
  end();
  await first;
  await expect.poll(() => groups).toHaveLength(2);
  expect(groups).toEqual([[1], [2, 3, 4]]);
  end();
  await Promise.all([...others, last]);
});

it("a group has as many items as it may, and is whole where no more come", async () => {
  const { queue, groups, add } = gathering();
  await add(1, 2, 3, 4, 5, 6, 7);
  expect(groups).toEqual([
    [1, 2, 3, 4, 5],
    [6, 7],
  ]);
  await queue.idle();
});
