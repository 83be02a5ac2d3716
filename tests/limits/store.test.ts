import { describe, expect, test } from "vitest";
import { Ledger } from "../../src/ledger.ts";
import { LIMITS } from "../../src/limits.ts";
import { caller, codeOf, counting, memoryStore, PROJECT, wrapped } from "../domain/support.ts";

describe("a read of documents", () => {
  test("may name as many keys as there may be, and not one more", async () => {
    const keys = (count: number) => Array.from({ length: count }, (_, index) => `k/${index}`);
    const store = memoryStore();
    expect(await store.get(PROJECT, keys(LIMITS.getKeys))).toHaveLength(LIMITS.getKeys);
    expect(await codeOf(store.get(PROJECT, keys(LIMITS.getKeys + 1)))).toBe("too_large");
  });
});

test("writers that wait share one commit up to as many as may, and one more makes one more commit", async () => {
  const commits = async (waiting: number) => {
    const { store, counts } = counting(memoryStore());
    const ledger = new Ledger(store);
    await Promise.all(Array.from({ length: waiting }, () => ledger.write(PROJECT, caller("ann"), async (tx) => tx.put("a", {}))));
    return counts.commits;
  };
  expect(await commits(LIMITS.batchWriters)).toBe(1);
  expect(await commits(LIMITS.batchWriters + 1)).toBe(2);
});

describe("a write that loses its races to other instances", () => {
  /** Commits of which the first ones lose. */
  const losing = (times: number) => {
    const inner = memoryStore();
    let left = times;
    return wrapped(inner, {
      commit: async (partition, change) => (left-- > 0 ? { ok: false } : inner.commit(partition, change)),
    });
  };
  const write = (times: number) => new Ledger(losing(times)).write(PROJECT, caller("ann"), async (tx) => tx.put("counter", {}));

  test("is tried as often as may be, and not once more", async () => {
    await write(LIMITS.commitAttempts - 1);
    expect(await codeOf(write(LIMITS.commitAttempts))).toBe("write_conflict");
  });
});
