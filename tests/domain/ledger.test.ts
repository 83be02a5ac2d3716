import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import { Ledger } from "../../src/ledger.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Change, CommitResult, Store } from "../../src/ports.ts";
import { openStore } from "../../src/storage/open.ts";
import { AUDIT_ORIGIN, auditHash, type Transaction } from "../../src/transaction.ts";
import { auditRecords, caller, counting, document, documents, errorOf, memoryStore, PROJECT, TestClock, wrapped } from "./support.ts";

interface Counter {
  readonly value: number;
}

/** One more, and an audit record of it. */
async function increment(tx: Transaction): Promise<number> {
  const value = ((await tx.get<Counter>("counter"))?.value ?? 0) + 1;
  tx.put("counter", { value });
  await tx.audit({ action: "update", details: { value } });
  return value;
}

const ann = caller("ann");

async function expectContiguousChain(store: Store, length: number): Promise<void> {
  const records = await auditRecords(store);
  expect(records.map(({ seq }) => seq)).toEqual(Array.from({ length }, (_, index) => index + 1));
  let previous = AUDIT_ORIGIN;
  for (const { hash, ...body } of records) {
    expect(body.prev_hash).toBe(previous);
    expect(auditHash(body)).toBe(hash);
    previous = hash;
  }
}

function times<Result>(count: number, run: (index: number) => Result): Result[] {
  return Array.from({ length: count }, (_, index) => run(index));
}

describe("writers that wait together", () => {
  test("become one commit, each on what the one before it wrote", async () => {
    const { store, counts } = counting(memoryStore());
    const ledger = new Ledger(store);
    // The first goes ahead alone; the others wait for it.
    const values = await Promise.all(times(1 + LIMITS.batchWriters, () => ledger.write(PROJECT, ann, increment)));
    expect(values).toEqual(times(1 + LIMITS.batchWriters, (index) => index + 1));
    expect(counts.commits).toBe(2);
    await expectContiguousChain(store, 1 + LIMITS.batchWriters);
  });

  test("of different projects do not wait for one another", async () => {
    const ledger = new Ledger(memoryStore());
    const never = ledger.write("pf-1", ann, () => new Promise<void>(() => {}));
    expect(await ledger.write("pf-2", ann, increment)).toBe(1);
    await Promise.race([never, Promise.resolve()]);
  });

  test("get each their own error, and what failed leaves nothing behind", async () => {
    const { store, counts } = counting(memoryStore());
    const ledger = new Ledger(store);
    const outcomes = await Promise.allSettled(
      times(9, (index) =>
        ledger.write(PROJECT, ann, async (tx) => {
          const value = await increment(tx);
          tx.put(`writer/${index}`, { value });
          if (index % 3 === 1) throw new AppError("invalid_request", { reason: `writer ${index}` });
          return value;
        }),
      ),
    );
    expect(outcomes.map((outcome) => (outcome.status === "fulfilled" ? outcome.value : (outcome.reason as AppError).message))).toEqual([
      1,
      "writer 1",
      2,
      3,
      "writer 4",
      4,
      5,
      "writer 7",
      6,
    ]);
    expect(counts.commits).toBe(1);
    expect((await documents(store, PROJECT, "writer/")).map(({ key }) => key)).toEqual(
      [0, 2, 3, 5, 6, 8].map((index) => `writer/${index}`),
    );
    expect(await document<Counter>(store, "counter")).toEqual({ value: 6 });
    await expectContiguousChain(store, 6);
  });

  test("see what the one before it deleted and put again", async () => {
    const store = memoryStore();
    const ledger = new Ledger(store);
    await ledger.write(PROJECT, ann, async (tx) => tx.put("a", { n: 1 }));
    const seen = await Promise.all([
      ledger.write(PROJECT, ann, async (tx) => tx.put("b", { n: 1 })),
      ledger.write(PROJECT, ann, async (tx) => tx.delete("a")),
      ledger.write(PROJECT, ann, async (tx) => tx.get("a")),
      ledger.write(PROJECT, ann, async (tx) => tx.put("a", { n: 2 })),
      ledger.write(PROJECT, ann, async (tx) => tx.getAll(["b", "a", "c"])),
      ledger.write(PROJECT, ann, async (tx) => tx.peek(["b", "a", "c"])),
    ]);
    expect(seen).toEqual([undefined, undefined, null, undefined, [{ n: 1 }, { n: 2 }, null], [true, true, false]]);
    expect(await document(store, "a")).toEqual({ n: 2 });
  });

  test("do not suffer from one whose document the store refuses", async () => {
    const store = memoryStore();
    const ledger = new Ledger(store);
    const outcomes = await Promise.allSettled(
      times(5, (index) =>
        ledger.write(PROJECT, ann, async (tx) => {
          if (index === 2) tx.put("huge", { text: "x".repeat(LIMITS.documentBytes) });
          return increment(tx);
        }),
      ),
    );
    expect(outcomes.map((outcome) => (outcome.status === "fulfilled" ? outcome.value : (outcome.reason as AppError).code))).toEqual([
      1,
      2,
      "too_large",
      3,
      4,
    ]);
    await expectContiguousChain(store, 4);
  });

  test("do not fail because all of their documents together are too many for one commit", async () => {
    const store = memoryStore();
    const ledger = new Ledger(store);
    const each = Math.ceil((2 * LIMITS.commitBytes) / LIMITS.batchWriters);
    await Promise.all(
      times(1 + LIMITS.batchWriters, (index) =>
        ledger.write(PROJECT, ann, async (tx) => {
          tx.put(`large/${index}`, { text: "x".repeat(each) });
          return increment(tx);
        }),
      ),
    );
    await expectContiguousChain(store, 1 + LIMITS.batchWriters);
  });

  test("are refused with `overloaded` when too many wait, and the others still get through", async () => {
    const store = memoryStore();
    const ledger = new Ledger(store);
    const outcomes = await Promise.allSettled(
      times(LIMITS.queuedWriters + 3, () => ledger.write(PROJECT, ann, async (tx) => tx.put("a", {}))),
    );
    const refused = outcomes.filter((outcome) => outcome.status === "rejected").map(({ reason }) => (reason as AppError).code);
    expect(refused).toEqual(["overloaded", "overloaded", "overloaded"]);
  });
});

test("a writer that writes nothing makes no commit", async () => {
  const { store, counts } = counting(memoryStore());
  expect(await new Ledger(store).write(PROJECT, ann, async () => "looked")).toBe("looked");
  expect(counts.commits).toBe(0);
});

describe("a lost race", () => {
  test.each(["memory", "sqlite"] as const)("runs the work again, so that no increment of two instances is lost (%s)", async (backend) => {
    const folder = await mkdtemp(join(tmpdir(), "env-ledger-"));
    const store = backend === "memory" ? memoryStore() : await openStore(`sqlite:${join(folder, "env.db")}`);
    const ledgers = [new Ledger(store), new Ledger(store)];
    const values = await Promise.all(times(150, (index) => (ledgers[index % 2] as Ledger).write(PROJECT, ann, increment)));
    expect([...values].sort((a, b) => a - b)).toEqual(times(150, (index) => index + 1));
    expect(await document<Counter>(store, "counter")).toEqual({ value: 150 });
    await expectContiguousChain(store, 150);
    await store.close();
    await rm(folder, { recursive: true });
  });

  test("of a writer that goes alone, since another's document was refused, is run again too", async () => {
    const inner = memoryStore();
    // The first commit is refused for what one of them holds; the second is the first writer's own.
    const store = faulty(inner, [2], async () => ({ ok: false }));
    const ledger = new Ledger(store);
    const outcomes = await Promise.allSettled(
      times(3, (index) =>
        ledger.write(PROJECT, ann, async (tx) => {
          if (index === 1) tx.put("huge", { text: "x".repeat(LIMITS.documentBytes) });
          return increment(tx);
        }),
      ),
    );
    expect(outcomes.map((outcome) => (outcome.status === "fulfilled" ? outcome.value : (outcome.reason as AppError).code))).toEqual([
      2,
      "too_large",
      1,
    ]);
    await expectContiguousChain(inner, 2);
  });

  test("that is lost again and again ends in `write_conflict`, and nothing is written", async () => {
    const inner = memoryStore();
    const store = wrapped(inner, { commit: async () => ({ ok: false }) });
    expect((await errorOf(new Ledger(store).write(PROJECT, ann, increment))).code).toBe("write_conflict");
    expect(await documents(inner)).toEqual([]);
  });
});

/** The store with the commits numbered in `faulty` failing as `fault` says. */
function faulty(inner: Store, failing: readonly number[], fault: (commit: () => Promise<CommitResult>) => Promise<CommitResult>): Store {
  let count = 0;
  return wrapped(inner, {
    commit: (partition: string, change: Change) => {
      const commit = () => inner.commit(partition, change);
      return failing.includes(++count) ? fault(commit) : commit();
    },
  });
}

describe("a commit of unknown outcome", () => {
  const lost = new AppError("store_unavailable", { reason: "The connection was reset." });

  test.each<readonly [string, Error]>([
    ["store_unavailable", lost],
    ["a driver's own error", new Error("ECONNRESET")],
  ])("that took effect is acknowledged once and never applied twice (%s)", async (_what, error) => {
    const inner = memoryStore();
    const store = faulty(inner, [2], async (commit) => {
      await commit();
      throw error;
    });
    const ledger = new Ledger(store);
    const values = await Promise.all(times(5, () => ledger.write(PROJECT, ann, increment)));
    expect(values).toEqual([1, 2, 3, 4, 5]);
    expect(await ledger.write(PROJECT, ann, increment)).toBe(6);
    await expectContiguousChain(inner, 6);
  });

  test("that never took effect fails every writer of the batch and leaves nothing; the next ones go on", async () => {
    const inner = memoryStore();
    const store = faulty(inner, [2], async () => {
      throw lost;
    });
    const ledger = new Ledger(store);
    expect(await ledger.write(PROJECT, ann, increment)).toBe(1);
    const outcomes = await Promise.allSettled(times(4, () => ledger.write(PROJECT, ann, increment)));
    expect(outcomes.map((outcome) => (outcome.status === "fulfilled" ? outcome.value : outcome.reason))).toEqual([lost, lost, lost, lost]);
    expect(await ledger.write(PROJECT, ann, increment)).toBe(2);
    await expectContiguousChain(inner, 2);
  });

  test("is not taken for another instance's commit at the same place of the log", async () => {
    const inner = memoryStore();
    const store = faulty(inner, [1], async () => {
      await new Ledger(inner).write(PROJECT, caller("ben"), increment);
      throw lost;
    });
    expect(await errorOf(new Ledger(store).write(PROJECT, ann, increment))).toBe(lost);
    expect((await auditRecords(inner)).map(({ actor }) => actor)).toEqual(["ben"]);
  });

  test.each([
    ["is told by the last look that may be made", LIMITS.readBackAttempts - 1],
    ["is looked for as often as may be, and then nobody knows", LIMITS.readBackAttempts],
  ])("%s", async (_what, failures) => {
    const inner = memoryStore();
    let looks = 0;
    let isDown = false;
    const store = wrapped(inner, {
      get: (partition, wanted) => (isDown && ++looks <= failures ? Promise.reject(lost) : inner.get(partition, wanted)),
      commit: async (partition, change) => {
        await inner.commit(partition, change);
        isDown = true;
        throw lost;
      },
    });
    const written = new Ledger(store).write(PROJECT, ann, increment);
    if (failures < LIMITS.readBackAttempts) expect(await written).toBe(1);
    else expect(await errorOf(written)).toMatchObject({ code: "store_unavailable", message: expect.stringContaining("not known") });
    expect(looks).toBe(LIMITS.readBackAttempts);
  });
});

test.each(["storage_full", "too_large", "shutting_down"] as const)(
  "a refusal of the store (%s) reaches every writer of the batch, and is not asked about",
  async (code) => {
    const inner = memoryStore();
    const error = new AppError(code);
    const ledger = new Ledger(wrapped(inner, { commit: () => Promise.reject(error) }));
    const outcomes = await Promise.allSettled(times(4, () => ledger.write(PROJECT, ann, increment)));
    expect(outcomes.map((outcome) => outcome.status === "rejected" && outcome.reason)).toEqual([error, error, error, error]);
    expect(await documents(inner)).toEqual([]);
  },
);

test("timestamps of a project never decrease, though the clock jumps back", async () => {
  const clock = new TestClock();
  const store = memoryStore(clock);
  const ledger = new Ledger(store);
  const start = clock.time;
  for (const offset of [0, 1_000, -60_000, 500, 1_001, -86_400_000, 2_000]) {
    clock.time = start + offset;
    await ledger.write(PROJECT, ann, increment);
  }
  const at = (await auditRecords(store)).map((record) => Date.parse(record.at) - start);
  expect(at).toEqual([0, 1_000, 1_000, 1_000, 1_001, 1_001, 2_000]);
  await expectContiguousChain(store, 7);
});

test("objects of a change that is larger than one commit are stored before it", async () => {
  const store = memoryStore();
  const object = (index: number) => ({ hash: index.toString(16).padStart(64, "0"), data: new Uint8Array(1024 * 1024).fill(index) });
  const objects = times(12, object);
  await new Ledger(store).write(PROJECT, ann, async (tx) => {
    tx.attach(objects);
    await increment(tx);
  });
  const found = await store.objects.get(
    PROJECT,
    objects.map(({ hash }) => hash),
  );
  expect(found.every((data) => data?.byteLength === 1024 * 1024)).toBe(true);
});
