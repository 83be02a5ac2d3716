import { describe, expect, test } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import type { Change, Store } from "../../src/ports.ts";
import { ReadIndex } from "../../src/read-index.ts";
import { memoryStore, wrapped } from "./support.ts";

const CHANGE: Change = { checks: [], puts: [{ key: "document", value: {} }], deletes: [], objects: [], objectDeletes: [] };

/** A store whose checks are counted, and answered when the test says so. */
function gated() {
  const store = memoryStore();
  const asked: (readonly string[])[] = [];
  const open: (() => void)[] = [];
  const revision: Store["revision"] = async (partitions) => {
    asked.push(partitions);
    // The answer is as of now, however long it is on its way.
    const answer = await store.revision(partitions);
    await new Promise<void>((resolve) => open.push(resolve));
    return answer;
  };
  const release = () => {
    for (const answer of open.splice(0)) answer();
  };
  return { store, gate: wrapped(store, { revision }), asked, release };
}

/** Lets everything go on that waits for nothing but its turn. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("on a shared store", () => {
  test("reads that come together share a check, whatever their number", async () => {
    const store = memoryStore();
    const asked: (readonly string[])[] = [];
    const counting = wrapped(store, {
      revision: async (partitions) => {
        asked.push(partitions);
        return store.revision(partitions);
      },
    });
    await store.commit("shop", CHANGE);
    const index = new ReadIndex(counting, { exclusive: false });
    const answers = await Promise.all(Array.from({ length: 64 }, () => index.confirm(["shop", "_system"])));
    expect(new Set(answers.map(String))).toEqual(new Set(["1,0"]));
    expect(asked.length).toBeLessThanOrEqual(2);
  });

  test("a check that began before a request never answers it", async () => {
    const { store, gate, asked, release } = gated();
    const index = new ReadIndex(gate, { exclusive: false });
    const before = index.confirm(["shop"]);
    await settled();
    await store.commit("shop", CHANGE);
    const after = index.confirm(["shop"]);
    await settled();
    expect(asked).toHaveLength(1);
    release();
    expect(await before).toEqual([0]);
    await settled();
    release();
    expect(await after).toEqual([1]);
    expect(asked).toHaveLength(2);
  });

  test("a check asks for each partition once, and each request hears of its own", async () => {
    const { store, gate, asked, release } = gated();
    await store.commit("two", CHANGE);
    const index = new ReadIndex(gate, { exclusive: false });
    const first = index.confirm(["one"]);
    const rest = [index.confirm(["_system", "two"]), index.confirm(["one", "two"]), index.confirm(["two"])];
    await settled();
    release();
    await first;
    await settled();
    release();
    expect(await Promise.all(rest)).toEqual([[0, 1], [0, 1], [1]]);
    expect(asked).toEqual([["one"], ["_system", "two", "one"]]);
  });

  test("nothing is known without asking, however often the watch tells", async () => {
    const store = memoryStore();
    const index = new ReadIndex(store, { exclusive: false });
    await store.commit("shop", CHANGE);
    await index.confirm(["shop"]);
    expect(index.known("shop")).toBeNull();
  });

  test("more partitions than one read may name are asked for in several", async () => {
    const { gate, asked, release } = gated();
    const index = new ReadIndex(gate, { exclusive: false });
    const waiting = [index.confirm(["first"])];
    for (let n = 0; n < LIMITS.getKeys + 1; n++) waiting.push(index.confirm([`p-${n}`]));
    let done = false;
    const all = Promise.all(waiting).finally(() => {
      done = true;
    });
    while (!done) {
      release();
      await settled();
    }
    expect((await all).length).toBe(LIMITS.getKeys + 2);
    expect(asked.map((partitions) => partitions.length)).toEqual([1, LIMITS.getKeys, 1]);
  });

  test("a check that fails fails for those who waited for it, and the next is made anew", async () => {
    const store = memoryStore();
    let down = true;
    const failing = wrapped(store, { revision: async (asked) => (down ? Promise.reject(new Error("away")) : store.revision(asked)) });
    const index = new ReadIndex(failing, { exclusive: false });
    const results = await Promise.allSettled([index.confirm(["one"]), index.confirm(["two"]), index.confirm(["three"])]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    down = false;
    expect(await index.confirm(["one"])).toEqual([0]);
  });

  test("what is no project is refused by itself, and nobody else's check suffers from it", async () => {
    const store = memoryStore();
    const index = new ReadIndex(store, { exclusive: false });
    const [good, bad, system] = await Promise.allSettled([index.confirm(["shop"]), index.confirm(["../x"]), index.confirm(["_vault"])]);
    expect(good).toMatchObject({ value: [0] });
    expect(bad).toMatchObject({ reason: { code: "invalid_name" } });
    expect(system).toMatchObject({ reason: { code: "invalid_name" } });
  });

  test("as many may wait as the bound says, and not one more", async () => {
    const { gate, release } = gated();
    const index = new ReadIndex(gate, { exclusive: false });
    const first = index.confirm(["shop"]);
    await settled();
    const rest = Array.from({ length: LIMITS.queuedReads }, () => index.confirm(["shop"]));
    await expect(index.confirm(["shop"])).rejects.toMatchObject({ code: "overloaded" });
    release();
    await first;
    await settled();
    release();
    expect(new Set((await Promise.all(rest)).map(String))).toEqual(new Set(["0"]));
  });
});

describe("on a store that the engine has to itself", () => {
  test("a partition is asked for once, and every commit is known from then on before its writer is answered", async () => {
    const { store, gate, asked, release } = gated();
    await store.commit("shop", CHANGE);
    const index = new ReadIndex(gate, { exclusive: true });
    expect(index.known("shop")).toBeNull();
    const first = index.confirm(["shop"]);
    await settled();
    release();
    expect(await first).toEqual([1]);
    await store.commit("shop", CHANGE);
    expect(index.known("shop")).toBe(2);
    expect(await index.confirm(["shop"])).toEqual([2]);
    expect(asked).toHaveLength(1);
  });

  test("an answer that a commit has overtaken is not taken for the newest", async () => {
    const { store, gate, release } = gated();
    const index = new ReadIndex(gate, { exclusive: true });
    const asked = index.confirm(["shop"]);
    await settled();
    await store.commit("shop", CHANGE);
    release();
    await asked;
    expect(index.known("shop")).toBe(1);
  });

  test("nor is one that was on its way while the newest was dropped for want of room", async () => {
    const { store, gate, release } = gated();
    const index = new ReadIndex(gate, { exclusive: true });
    const asked = index.confirm(["shop"]);
    await settled();
    await store.commit("shop", CHANGE);
    for (let n = 0; n < LIMITS.cachedRevisions; n++) await store.commit(`p-${n}`, CHANGE);
    release();
    await asked;
    expect(index.known("shop")).toBeNull();
  });

  test("after a gap everything is asked for again", async () => {
    const store = memoryStore();
    let gap = () => {};
    const gappy = wrapped(store, {
      watch: (handlers) => {
        gap = () => handlers.onGap();
        return store.watch(handlers);
      },
    });
    const index = new ReadIndex(gappy, { exclusive: true });
    await store.commit("shop", CHANGE);
    expect(index.known("shop")).toBe(1);
    gap();
    expect(index.known("shop")).toBeNull();
  });
});
