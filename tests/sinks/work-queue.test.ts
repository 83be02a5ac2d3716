import { expect, test } from "vitest";
import { WorkQueue } from "../../src/work-queue.ts";
import { gate } from "../domain/support.ts";

function queue(parts: Partial<ConstructorParameters<typeof WorkQueue>[0]> & Pick<ConstructorParameters<typeof WorkQueue>[0], "work">) {
  return new WorkQueue({ workers: 2, limit: 3, failed: () => {}, overflow: () => {}, ...parts });
}

test("keys are worked on in the order in which they came, a bounded number at a time", async () => {
  const begun: string[] = [];
  const gates = new Map(["a", "b", "c"].map((key) => [key, gate()]));
  const keys = queue({
    work: async (key) => {
      begun.push(key);
      await gates.get(key)?.opened;
      return false;
    },
  });
  for (const key of ["a", "b", "c"]) keys.add(key);
  expect(begun).toEqual([]);
  await new Promise(setImmediate);
  expect(begun).toEqual(["a", "b"]);
  gates.get("b")?.open();
  await expect.poll(() => begun).toEqual(["a", "b", "c"]);
  for (const { open } of gates.values()) open();
  await keys.idle();
});

test("a key that comes while it waits is there already; one that comes while it is worked on has another turn", async () => {
  const begun: string[] = [];
  const first = gate();
  const keys = queue({
    work: async (key) => {
      begun.push(key);
      if (begun.length === 1) await first.opened;
      return false;
    },
  });
  keys.add("a");
  keys.add("a");
  await new Promise(setImmediate);
  for (let times = 0; times < 5; times++) keys.add("a");
  first.open();
  await keys.idle();
  expect(begun).toEqual(["a", "a"]);
});

test("who has more to do goes to the end of the queue", async () => {
  const begun: string[] = [];
  const keys = queue({ workers: 1, work: async (key) => begun.push(key) < 4 && key === "a" });
  keys.add("a");
  keys.add("b");
  await keys.idle();
  expect(begun).toEqual(["a", "b", "a", "a"]);
});

test("as many wait as may; what comes then is left out, and said so", async () => {
  const begun: string[] = [];
  let left = 0;
  const first = gate();
  const keys = queue({
    workers: 1,
    overflow: () => left++,
    work: async (key) => {
      begun.push(key);
      await first.opened;
      return false;
    },
  });
  keys.add("a");
  await new Promise(setImmediate);
  for (const key of ["b", "c", "d", "e"]) keys.add(key);
  expect(left).toBe(1);
  let hasRoom = false;
  const room = keys.room().then(() => {
    hasRoom = true;
  });
  await new Promise(setImmediate);
  expect(hasRoom).toBe(false);
  first.open();
  await room;
  keys.add("e");
  await keys.idle();
  expect(begun).toEqual(["a", "b", "c", "d", "e"]);
});

test("one that fails is reported, and the others go on", async () => {
  const failures: unknown[] = [];
  const keys = queue({
    failed: (error) => failures.push(error),
    work: async (key) => {
      if (key === "a") throw new Error("a");
      return false;
    },
  });
  keys.add("a");
  keys.add("b");
  await keys.idle();
  expect(failures).toHaveLength(1);
});

test("once stopped it begins nothing more, and waits for what it has begun", async () => {
  const begun: string[] = [];
  const first = gate();
  const keys = queue({
    workers: 1,
    work: async (key) => {
      begun.push(key);
      await first.opened;
      return true;
    },
  });
  keys.add("a");
  keys.add("b");
  await new Promise(setImmediate);
  const stopped = keys.stop();
  keys.add("c");
  first.open();
  await stopped;
  expect(begun).toEqual(["a"]);
});
