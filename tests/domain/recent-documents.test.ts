import { describe, expect, test } from "vitest";
import { keys } from "../../src/keys.ts";
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
  await tx.audit({ action: "update" });
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

describe("what hardly ever changes and is asked for after each commit", () => {
  const MIRROR = { url: "https://git.example/a" };
  const set = async (tx: Transaction) => {
    tx.put(keys.mirror, MIRROR);
    return increment(tx);
  };
  const mirrorOf = async ({ ledger }: { readonly ledger: Ledger }) => (await ledger.standing(PROJECT).getAll([keys.mirror]))[0];

  test("is read once for any number of commits", async () => {
    const one = opened();
    await one.write();
    one.counts.keysRead = 0;
    for (let n = 0; n < 3; n++) {
      expect(await mirrorOf(one)).toBeNull();
      await one.write();
    }
    expect(one.counts.keysRead).toBe(1);
  });

  test("is what a commit made it, without being read again", async () => {
    const one = opened();
    await one.write();
    await mirrorOf(one);
    one.counts.keysRead = 0;
    await one.write(set);
    expect(await mirrorOf(one)).toEqual(MIRROR);
    await one.write();
    expect(await mirrorOf(one)).toEqual(MIRROR);
    await one.write(async (tx) => {
      tx.delete(keys.mirror);
      return increment(tx);
    });
    expect(await mirrorOf(one)).toBeNull();
    expect(one.counts.keysRead).toBe(0);
  });

  test.each(["before it is asked for", "before the next commit"])("is read again where somebody else has written, %s", async (when) => {
    const one = opened();
    await one.write();
    await mirrorOf(one);
    await put(one.store, keys.mirror, MIRROR);
    if (when === "before the next commit") await one.write();
    expect(await mirrorOf(one)).toEqual(MIRROR);
  });

  test("is read again where the next commit was made on what somebody else has written meanwhile", async () => {
    const inner = memoryStore();
    let meddles = false;
    const one = opened(
      wrapped(inner, {
        commit: async (partition, change) => {
          if (meddles) await put(inner, keys.mirror, MIRROR);
          meddles = false;
          return inner.commit(partition, change);
        },
      }),
    );
    await one.write();
    await mirrorOf(one);
    meddles = true;
    await one.write();
    expect(await mirrorOf(one)).toEqual(MIRROR);
  });

  test("is not kept where somebody wrote while it was read", async () => {
    const inner = memoryStore();
    let meddles = true;
    const one = opened(
      wrapped(inner, {
        get: async (partition, wanted) => {
          const entries = await inner.get(partition, wanted);
          if (meddles && wanted.includes(keys.mirror)) {
            meddles = false;
            await put(inner, keys.mirror, MIRROR);
          }
          return entries;
        },
      }),
    );
    await one.write();
    expect(await mirrorOf(one)).toBeNull();
    expect(await mirrorOf(one)).toEqual(MIRROR);
  });

  test("is always read on a store that engines share", async () => {
    const one = opened(memoryStore(), false);
    await one.write();
    await mirrorOf(one);
    await put(one.store, keys.mirror, MIRROR);
    expect(await mirrorOf(one)).toEqual(MIRROR);
  });
});
