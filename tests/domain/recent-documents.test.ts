import { describe, expect, test } from "vitest";
import { Ledger } from "../../src/ledger.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Json, Store } from "../../src/ports.ts";
import { ReadIndex } from "../../src/read-index.ts";
import type { Transaction } from "../../src/transaction.ts";
import { caller, counting, document, memoryStore, PROJECT, wrapped } from "./support.ts";

const ann = caller("ann");

async function increment(tx: Transaction): Promise<number> {
  const value = ((await tx.get<{ value: number }>("counter"))?.value ?? 0) + 1;
  tx.put("counter", { value });
  await tx.audit({ action: "increment" });
  return value;
}

/** A ledger on a store that is its own, unless it is shared. */
function opened(store: Store = memoryStore(), exclusive = true) {
  const counted = counting(store);
  const ledger = new Ledger(counted.store, new ReadIndex(counted.store, { exclusive }));
  return { ...counted, ledger, write: (work = increment, project = PROJECT) => ledger.write(project, ann, work) };
}

function put(store: Store, key: string, value: Json) {
  return store.commit(PROJECT, { checks: [], puts: [{ key, value }], deletes: [], objects: [], objectDeletes: [] });
}

describe("what one commit left", () => {
  test("is not read again by the next", async () => {
    const { counts, write } = opened();
    await write();
    counts.keysRead = 0;
    expect([await write(), await write()]).toEqual([2, 3]);
    expect(counts.keysRead).toBe(0);
  });

  test("what it deleted is known to be gone", async () => {
    const { counts, write } = opened();
    await write();
    await write(async (tx) => {
      tx.delete("counter");
      return 0;
    });
    counts.keysRead = 0;
    expect(await write()).toBe(1);
    expect(counts.keysRead).toBe(0);
  });

  test("what a writer that threw had put is not known", async () => {
    const { write } = opened();
    await write();
    await write(async (tx) => {
      await increment(tx);
      throw new Error("no");
    }).catch(() => {});
    expect(await write()).toBe(2);
  });

  test("is read again where somebody else has written, before any race is lost", async () => {
    const { store, counts, write } = opened();
    await write();
    await put(store, "counter", { value: 10 });
    counts.commits = 0;
    expect(await write()).toBe(11);
    expect(counts.commits).toBe(1);
  });

  test("is checked by the next commit: somebody who writes meanwhile is not overwritten", async () => {
    const inner = memoryStore();
    let meddles = false;
    const { write } = opened(
      wrapped(inner, {
        commit: async (partition, change) => {
          if (meddles) await put(inner, "counter", { value: 20 });
          meddles = false;
          return inner.commit(partition, change);
        },
      }),
    );
    await write();
    meddles = true;
    expect(await write()).toBe(21);
    expect(await document(inner, "counter")).toEqual({ value: 21 });
  });

  test("is not trusted where the commit's outcome is not known", async () => {
    const inner = memoryStore();
    let breaks = false;
    const { write } = opened(
      wrapped(inner, {
        commit: async (partition, change) => {
          const result = await inner.commit(partition, change);
          if (breaks) throw new Error("the line broke");
          return result;
        },
      }),
    );
    await write();
    breaks = true;
    expect(await write()).toBe(2);
    breaks = false;
    expect(await write()).toBe(3);
  });

  test("is always read again on a store that engines share", async () => {
    const { counts, write } = opened(memoryStore(), false);
    await write();
    counts.keysRead = 0;
    expect(await write()).toBe(2);
    expect(counts.keysRead).toBe(3);
  });

  test("is kept of so many projects, and of none that touches more documents", async () => {
    const { ledger, counts, write } = opened();
    for (let n = 0; n <= LIMITS.recentProjects; n++) await ledger.write(n === 0 ? PROJECT : `pf-${n}-more`, ann, increment);
    counts.keysRead = 0;
    await write();
    expect(counts.keysRead).toBe(3);
    await write(async (tx) => {
      for (let n = 0; n <= LIMITS.recentDocuments; n++) tx.put(`many/${n}`, {});
      return 0;
    });
    counts.keysRead = 0;
    await write();
    expect(counts.keysRead).toBe(3);
  });

  test("is kept of none that touches larger ones, however few", async () => {
    const { counts, write } = opened();
    const half = { text: "x".repeat(LIMITS.recentProjectBytes / 2) };
    await write();
    await write(async (tx) => {
      for (const key of ["large/1", "large/2"]) tx.put(key, half);
      return 0;
    });
    counts.keysRead = 0;
    await write();
    expect(counts.keysRead).toBe(3);
  });

  test("goes, the oldest first, where all of it together is more than is kept", async () => {
    const { counts, ledger, write } = opened();
    const bytes = LIMITS.recentProjectBytes - 10_000;
    const large = (tx: Transaction) => {
      tx.put("large", { text: "x".repeat(bytes) });
      return increment(tx);
    };
    const room = Math.floor(LIMITS.recentBytes / bytes);
    const fill = async (others: number) => {
      await write(large);
      for (let n = 1; n <= others; n++) await ledger.write(`pf-${n}-more`, ann, large);
      counts.keysRead = 0;
      await write();
      return counts.keysRead;
    };
    expect(await fill(room - 1)).toBe(0);
    // What a later commit of a project left stands in the place of what the one before it did.
    expect(await fill(room - 1)).toBe(0);
    expect(await fill(room)).toBe(3);
    expect(await fill(room - 1)).toBe(0);
  });
});
