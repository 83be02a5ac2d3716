import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import type { Store } from "../../src/ports.ts";
import { checked } from "../../src/storage/checked.ts";
import { openStore } from "../../src/storage/open.ts";
import { openPostgres, type PostgresBackend } from "../../src/storage/postgres.ts";
import { change, object, partitionName, put, read, win } from "../conformance/store.ts";
import { usePostgres } from "../support/postgres.ts";
import { TransactionPooler } from "../support/transaction-pooler.ts";

describe("commits that arrive in one turn", () => {
  const server = usePostgres();
  let url: string;
  let backend: PostgresBackend;
  let store: Store;
  beforeEach(async () => {
    url = await server().createDatabase();
    backend = await openPostgres(url);
    store = checked(backend);
  });
  afterEach(() => store.close());

  it("share one statement for each connection, and one notification", async () => {
    const commits = Array.from({ length: 200 }, (_, n) => store.commit(`p${n % 50}`, put(`k/${n}`, n)));
    await Promise.all([...commits, store.objects.put("p0", [object("aa")])]);
    const { statements, writes, notices } = backend.stats;
    expect(writes).toBe(201);
    expect(statements).toBeLessThanOrEqual(LIMITS.postgresWriters);
    expect(notices).toBeLessThanOrEqual(statements);
  });

  it("see those before them, and share the statement with those that lose", async () => {
    const p = partitionName();
    const results = await Promise.all([
      store.commit(p, change({ checks: [{ key: "a", revision: null }], puts: [{ key: "a", value: 1 }] })),
      store.commit(p, change({ checks: [{ key: "a", revision: null }], puts: [{ key: "a", value: 2 }] })),
      store.commit(p, change({ checks: [{ key: "a", revision: 1 }], puts: [{ key: "a", value: 3 }] })),
    ]);
    expect(results).toEqual([{ ok: true, revision: 1 }, { ok: false }, { ok: true, revision: 2 }]);
    expect(backend.stats.statements).toBe(1);
  });

  it("do not wait one after another for a lock that one of them waited for in vain", async () => {
    const blocker = await lockedBy("SELECT FROM environment_manager.partition WHERE name = 'p' FOR UPDATE");
    const [before, ...others] = await Promise.allSettled(Array.from({ length: 5 }, (_, n) => store.commit("p", put(`k/${n}`, n))));
    expect(before).toMatchObject({ reason: { code: "store_unavailable", message: expect.stringContaining("lock") } });
    expect(others).toEqual(Array.from({ length: 4 }, () => before));
    // All together, and one alone.
    expect(backend.stats.statements).toBe(3);
    await blocker.end();
    expect(await win(store, "p", put("a", 1))).toBe(2);
  });

  it("fail together where it is not one partition alone that is locked", async () => {
    const blocker = await lockedBy("LOCK TABLE environment_manager.partition IN ACCESS EXCLUSIVE MODE");
    const outcomes = await Promise.allSettled(sameLane(6).map((partition) => store.commit(partition, put("a", 1))));
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(["rejected"]));
    // All together, and two alone.
    expect(backend.stats.statements).toBe(4);
    await blocker.end();
  });

  /** A session that keeps what this statement locks, until it ends; the engine waits a tenth of a second for it. */
  async function lockedBy(statement: string): Promise<pg.Client> {
    await win(store, "p", put("a", 0));
    const blocker = new pg.Client(url);
    await blocker.connect();
    await blocker.query("ALTER FUNCTION environment_manager.commit_group_2(uuid, jsonb, bytea) SET lock_timeout = 100");
    await blocker.query("BEGIN");
    await blocker.query(statement);
    return blocker;
  }

  /** Partitions whose commits go over one lane: their names have the same sum, modulo the number of lanes. */
  function sameLane(count: number): readonly string[] {
    return Array.from({ length: count }, (_, n) => `p${String.fromCharCode(97 + LIMITS.postgresWriters * n)}`);
  }

  it("are split where they are too many for one statement", async () => {
    await Promise.all(Array.from({ length: LIMITS.groupCommits + 1 }, (_, n) => store.commit("p", put(`k/${n}`, n))));
    expect(backend.stats.statements).toBe(2);
  });

  it("tell of more partitions than one notification holds", async () => {
    const partitions = Array.from({ length: 200 }, (_, n) => `${"x".repeat(LIMITS.partitionLength - 3)}${String(n).padStart(3, "0")}`);
    const other = await openStore(url);
    const missing = new Set(partitions);
    const all = new Promise<void>((resolve) => {
      other.watch({
        onChange(partition) {
          missing.delete(partition);
          if (missing.size === 0) resolve();
        },
        onGap() {},
      });
    });
    await Promise.all(partitions.map((p) => win(store, p, put("a", 1))));
    await all;
    await other.close();
  });

  it("never read a whole table, however it has grown since the first", async () => {
    const [p, q] = [partitionName(), partitionName()];
    const fill = (partition: string) =>
      win(
        store,
        partition,
        change({ puts: Array.from({ length: 5_000 }, (_, n) => ({ key: `k/${n}`, value: n })), objects: [object("aa")] }),
      );
    await fill(p);
    await fill(q);
    const scans = async () => {
      await server().query("SELECT pg_stat_force_next_flush()", [], url);
      const [row] = await server().query(
        "SELECT sum(seq_tup_read)::int AS rows FROM pg_stat_user_tables WHERE relname IN ('partition', 'document', 'object')",
        [],
        url,
      );
      return Number(row?.rows);
    };
    for (let n = 0; n < 20; n++) {
      const [entry] = await store.get(p, ["k/7"]);
      await win(
        store,
        p,
        change({
          checks: [{ key: "k/7", revision: entry?.revision ?? null }],
          puts: [{ key: "k/7", value: n }],
          deletes: [`k/${100 + n}`],
          objects: [object("aa"), object(`b${n}`)],
          objectDeletes: [object(`c${n}`).hash],
        }),
      );
    }
    await store.close();
    expect(await scans()).toBe(0);
  });
});

describe("behind a pooler in transaction mode", () => {
  const server = usePostgres({ auth: "trust" });

  it("two engines commit, read, and hear of one another by connections of their own to the server", async () => {
    const pooler = await TransactionPooler.start(server().port, 2);
    const url = `${server().url("postgres", pooler.port)}?listen=127.0.0.1:${server().port}`;
    const [store, other] = [await openStore(url), await openStore(url)] as const;
    const partitions = Array.from({ length: 10 }, partitionName);
    const missing = new Set(partitions);
    const heard = new Promise<void>((resolve) => {
      other.watch({
        onChange(partition, revision) {
          if (revision === 5) missing.delete(partition);
          if (missing.size === 0) resolve();
        },
        onGap() {},
      });
    });
    for (let n = 1; n <= 5; n++) {
      await Promise.all(partitions.map((p) => win(store, p, change({ puts: [{ key: "a", value: n }], objects: [object(`a${n}`)] }))));
      for (const p of partitions) expect(await read(other, p, "a")).toBe(n);
    }
    await heard;
    expect(pooler.transactions).toBeGreaterThan(50);
    await Promise.all([store.close(), other.close()]);
    await pooler.stop();
  });
});
