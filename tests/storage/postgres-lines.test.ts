import { describe, expect, it } from "vitest";
import type { Store } from "../../src/ports.ts";
import { openForReading, openStore } from "../../src/storage/open.ts";
import { change, put, read, win } from "../conformance/store.ts";
import { usePostgres } from "../support/postgres.ts";
import { unreadable, version, writeVersions } from "./lines-support.ts";
import { errorOf } from "./support.ts";

const server = usePostgres();
const SCHEMA = "environment_manager";

/** A store, and a way to ask its database. */
async function withStore(
  work: (store: Store, sql: (text: string) => Promise<readonly unknown[]>, url: string) => Promise<void>,
): Promise<void> {
  const url = await server().createDatabase();
  const store = await openStore(url);
  try {
    await work(store, (text) => server().query(text, [], url), url);
  } finally {
    await store.close();
  }
}

const ALL = Array.from({ length: 100 }, (_, n) => version(n).hash);

describe("objects in PostgreSQL", () => {
  it("are deltas, also where the engine that goes on has none of them in memory, and leave no row behind", () =>
    withStore(async (store, sql, url) => {
      await writeVersions(store, "p", 0, 49);
      const other = await openStore(url);
      await writeVersions(other, "p", 50, 99);
      expect(await unreadable(store, "p", ALL)).toEqual([]);
      expect(await sql(`SELECT count(*)::int AS whole FROM ${SCHEMA}.object WHERE base IS NULL`)).toEqual([{ whole: 2 }]);
      await win(store, "p", change({ objectDeletes: ALL.slice(0, 80) }));
      expect(await unreadable(other, "p", ALL.slice(80))).toEqual([]);
      await win(other, "p", change({ objectDeletes: ALL.slice(80) }));
      expect(await sql(`SELECT hash FROM ${SCHEMA}.object`)).toEqual([]);
      await other.close();
    }));

  it.each<readonly [string, (store: Store, commits: number) => Promise<unknown>]>([
    ["to be written", (store, commits) => writeVersions(store, "p", 0, commits - 1)],
    [
      "to be written and deleted",
      async (store, commits) => {
        // Its plan is made here.
        await win(store, "p", change({ objectDeletes: [version(0).hash] }));
        for (const hash of await writeVersions(store, "p", 0, commits - 1)) await win(store, "p", change({ objectDeletes: [hash] }));
      },
    ],
  ])("cost as many rows looked at for each commit %s, however many there are, with a plan from when there were none", async (_, work) => {
    const rowsFor = async (commits: number): Promise<number> => {
      const url = await server().createDatabase();
      const store = await openStore(url);
      await work(store, commits);
      await store.close();
      // A connection says what it did when it ends.
      const others = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
      await expect.poll(async () => (await server().query(others, [], url)).length).toBe(0);
      const counted = `SELECT (idx_tup_fetch + seq_tup_read)::int AS rows FROM pg_stat_user_tables WHERE relname = 'object'`;
      const [{ rows }] = (await server().query(counted, [], url)) as [{ rows: number }];
      expect(rows).toBeGreaterThan(commits / 2);
      return rows / commits;
    };
    const [few, many] = [await rowsFor(50), await rowsFor(400)];
    expect(many).toBeLessThan(2 * few);
  });

  it("are stored whole where what they would stand upon is gone, though the engine remembers it", () =>
    withStore(async (store, sql, url) => {
      await writeVersions(store, "p", 0, 9);
      const other = await openStore(url);
      await win(other, "p", change({ objectDeletes: ALL.slice(0, 10) }));
      await other.close();
      await writeVersions(store, "p", 10, 11);
      expect(await unreadable(store, "p", ALL.slice(10, 12))).toEqual([]);
      expect(await sql(`SELECT base IS NULL AS whole FROM ${SCHEMA}.object ORDER BY base IS NULL DESC`)).toEqual([
        { whole: true },
        { whole: false },
      ]);
    }));

  it("whose base is missing are refused with the reason", () =>
    withStore(async (store, sql) => {
      await writeVersions(store, "p", 0, 1);
      await sql(`DELETE FROM ${SCHEMA}.object WHERE base IS NULL`);
      const error = await errorOf(store.objects.get("p", [version(1).hash]));
      expect(error.message).toContain(`what ${version(1).hash} is a delta upon is missing`);
    }));
});

describe("a schema from before there were deltas", () => {
  /** As an engine before left it: the steps after its own are taken back, and its functions are there. */
  async function turnBack(sql: (text: string) => Promise<readonly unknown[]>): Promise<void> {
    await sql(`DELETE FROM ${SCHEMA}.migration WHERE number > 2`);
    await sql(`CREATE FUNCTION ${SCHEMA}.put_objects(text, jsonb, bytea) RETURNS void LANGUAGE sql AS 'SELECT'`);
    await sql(`CREATE FUNCTION ${SCHEMA}.commit_group(uuid, jsonb, bytea) RETURNS bigint[] LANGUAGE sql AS 'SELECT NULL::bigint[]'`);
  }

  it("goes on storing objects whole until it is told that no older engine uses it, and those stay readable", () =>
    withStore(async (first, sql, url) => {
      await turnBack(sql);
      const store = await openStore(url);
      await writeVersions(store, "p", 0, 19);
      await win(store, "p", put("a", 1));
      expect(await sql(`SELECT hash FROM ${SCHEMA}.object WHERE base IS NOT NULL`)).toEqual([]);
      const upgraded = await openStore(url, { deltas: true });
      await writeVersions(upgraded, "p", 20, 39);
      await writeVersions(store, "p", 40, 59);
      expect(await sql(`SELECT count(*)::int AS deltas FROM ${SCHEMA}.object WHERE base IS NOT NULL`)).toEqual([{ deltas: 20 }]);
      for (const one of [first, store, upgraded]) expect(await unreadable(one, "p", ALL.slice(0, 60))).toEqual([]);
      expect(await read(upgraded, "p", "a")).toBe(1);
      expect(await sql(`SELECT max(number) AS number FROM ${SCHEMA}.migration`)).toEqual([{ number: 3 }]);
      expect(await sql("SELECT proname FROM pg_proc WHERE proname IN ('commit_group', 'put_objects')")).toEqual([]);
      await store.close();
      await upgraded.close();
    }));

  it("from before objects had bases gets an index that is built beside those who write, anew where somebody gave it up", () =>
    withStore(async (_, sql, url) => {
      const toFirst = async () => {
        await sql(`DELETE FROM ${SCHEMA}.migration WHERE number > 1`);
        for (const name of ["commit_group_2", "put_objects_2", "delete_objects", "read_objects"]) {
          await sql(`DROP FUNCTION ${SCHEMA}.${name}`);
        }
      };
      const validity = () => sql("SELECT indisvalid FROM pg_index WHERE indexrelid::regclass::text LIKE '%object_base'");
      await turnBack(sql);
      await toFirst();
      await sql(`ALTER TABLE ${SCHEMA}.object DROP COLUMN base`);
      expect(await errorOf(openForReading(url))).toMatchObject({ message: expect.stringContaining("version 1") });
      await (await openStore(url)).close();
      expect(await validity()).toEqual([{ indisvalid: true }]);
      const giveUp = () => sql("UPDATE pg_index SET indisvalid = false WHERE indexrelid::regclass::text LIKE '%object_base'");
      await giveUp();
      await (await openStore(url, { deltas: true })).close();
      expect(await validity()).toEqual([{ indisvalid: true }]);
      await giveUp();
      await turnBack(sql);
      await toFirst();
      const stores = await Promise.all([openStore(url), openStore(url, { existing: true, deltas: true })]);
      expect(await validity()).toEqual([{ indisvalid: true }]);
      await writeVersions(stores[1], "p", 0, 3);
      expect(await unreadable(stores[0], "p", ALL.slice(0, 4))).toEqual([]);
      for (const store of stores) await store.close();
    }));

  it("is made in no database that has none, where objects are to be stored as deltas in an existing one", async () => {
    const url = await server().createDatabase();
    expect(await errorOf(openStore(url, { existing: true, deltas: true }))).toMatchObject({ code: "store_unavailable" });
    expect(await server().query("SELECT FROM pg_namespace WHERE nspname = $1", [SCHEMA], url)).toEqual([]);
  });
});
