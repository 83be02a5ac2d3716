import { expect, it } from "vitest";
import { GroupQueue } from "../../src/storage/group-queue.ts";

const LIMITS = { items: 5, bytes: 100, waiting: 100, running: 2 };

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

it("as many groups run as may, and what comes meanwhile makes up the next one", async () => {
  const ends: (() => void)[] = [];
  const { queue, groups, add } = gathering(() => new Promise((resolve) => void ends.push(resolve)));
  const added = [add(1)];
  await expect.poll(() => groups).toHaveLength(1);
  added.push(add(2));
  await expect.poll(() => groups).toHaveLength(2);
  added.push(add(3), add(4));
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  added.push(add(5));
  expect(groups).toEqual([[1], [2]]);
  ends[0]?.();
  await expect.poll(() => groups).toHaveLength(3);
  expect(groups).toEqual([[1], [2], [3, 4, 5]]);
  let isIdle = false;
  const idle = queue.idle().then(() => {
    isIdle = true;
  });
  ends[1]?.();
  await added[1];
  expect(isIdle).toBe(false);
  ends[2]?.();
  await Promise.all([...added, idle]);
});

it("what is large runs beside no more than fills two groups", async () => {
  const ends: (() => void)[] = [];
  const groups: (readonly number[])[] = [];
  const queue = new GroupQueue<number, number>({ ...LIMITS, running: 10 }, async (items) => {
    groups.push(items);
    await new Promise<void>((resolve) => void ends.push(resolve));
    return items.map((value) => ({ value }));
  });
  const added = [1, 2, 3].map((item) => queue.add(item, LIMITS.bytes));
  await expect.poll(() => groups).toHaveLength(2);
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(groups).toEqual([[1], [2]]);
  ends[0]?.();
  await expect.poll(() => groups).toHaveLength(3);
  for (const end of ends) end();
  await Promise.all(added);
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
