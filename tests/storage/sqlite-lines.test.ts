import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { openForReading, openStore } from "../../src/storage/open.ts";
import Database from "../../src/storage/sqlite-driver.cjs";
import { change, win } from "../conformance/store.ts";
import { unreadable, version, writeVersions } from "./lines-support.ts";
import { temporaryFolder } from "./support.ts";

let folder: string;
let path: string;
let url: string;
beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder, "env.db");
  url = `sqlite:${path}`;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Row {
  readonly id: number;
  readonly base: number | null;
  readonly bytes: number;
}

/** The table of objects, as another program sees it. */
function rows(): Row[] {
  const db = new Database(path, { readonly: true });
  const found = db.prepare("SELECT id, base, length(data) AS bytes FROM object ORDER BY id").all() as Row[];
  db.close();
  return found;
}

describe("objects in an SQLite file", () => {
  it("are deltas, each at most so many rows from a whole one, in a tenth of the room", async () => {
    const store = await openStore(url);
    const hashes = await writeVersions(store, "p", 0, 199);
    const bases = new Map(rows().map(({ id, base }) => [id, base]));
    const steps = [...bases.keys()].map((id) => {
      let count = 0;
      for (let base = bases.get(id); base !== null && base !== undefined; base = bases.get(base)) count++;
      return count;
    });
    expect(Math.max(...steps)).toBe(LIMITS.deltaSteps);
    expect(steps.filter((count) => count === 0)).toHaveLength(Math.ceil(200 / 2 ** LIMITS.deltaSteps));
    const stored = rows().reduce((sum, { bytes }) => sum + bytes, 0);
    const whole = hashes.length * version(0).data.byteLength;
    expect(stored).toBeLessThan(whole / 10);
    await store.close();
  });

  it("leave no row behind when all are deleted, in whatever order, though bases stayed for a while", async () => {
    const store = await openStore(url);
    const hashes = await writeVersions(store, "p", 0, 99);
    const odd = hashes.filter((_, n) => n % 2 === 1);
    const even = hashes.filter((_, n) => n % 2 === 0);
    await win(store, "p", change({ objectDeletes: even }));
    expect(await unreadable(store, "p", odd)).toEqual([]);
    expect((await store.objects.list("p", null, 1_000)).map(({ hash }) => hash)).toEqual([...odd].sort());
    expect(rows().length).toBeGreaterThan(odd.length);
    await win(store, "p", change({ objectDeletes: odd.slice(0, 30) }));
    expect(await unreadable(store, "p", odd.slice(30))).toEqual([]);
    await win(store, "p", change({ objectDeletes: odd.slice(30).reverse() }));
    expect(rows()).toEqual([]);
    await store.close();
  });

  it("are rolled back with their commit, which leaves no delta upon what was not kept", async () => {
    const store = await openStore(url);
    await writeVersions(store, "p", 0, 0);
    const objects = [1, 2].map((n) => ({ ...version(n), replaces: version(n - 1).hash }));
    const lost = change({ checks: [{ key: "a", revision: 7 }], objects });
    const [first, second] = await Promise.all([
      store.commit("p", lost),
      store.commit("p", change({ objects: [{ ...version(3), replaces: version(2).hash }] })),
    ]);
    expect([first.ok, second.ok]).toEqual([false, true]);
    expect(await unreadable(store, "p", [version(0).hash, version(3).hash])).toEqual([]);
    await store.close();
  });
});

/** The schema before there were deltas, as engines made it. */
const FIRST_SCHEMA = `
  CREATE TABLE partition (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL);
  CREATE TABLE document (
    id INTEGER PRIMARY KEY, partition INTEGER NOT NULL, key TEXT NOT NULL, revision INTEGER NOT NULL, value TEXT NOT NULL);
  CREATE UNIQUE INDEX document_key ON document (partition, key);
  CREATE TABLE object (
    id INTEGER PRIMARY KEY, partition INTEGER NOT NULL, hash BLOB NOT NULL, stored_at INTEGER NOT NULL, data BLOB NOT NULL);
  CREATE INDEX object_hash ON object (partition, substr(hash, 1, 6));
  INSERT INTO partition VALUES (1, 'p', 3);
  INSERT INTO document VALUES (1, 1, 'a', 3, '{"from":"before"}');`;

describe("a file from before there were deltas", () => {
  beforeEach(() => {
    const db = new Database(path);
    db.pragma("journal_mode = WAL");
    db.exec(FIRST_SCHEMA);
    const add = db.prepare("INSERT INTO object (partition, hash, stored_at, data) VALUES (1, ?, ?, ?)");
    for (let n = 0; n < 5; n++) add.run(Buffer.from(version(n).hash, "hex"), Date.now(), version(n).data);
    db.pragma("application_id = 0x50456e76");
    db.pragma("user_version = 1");
    db.close();
  });

  it("keeps what it has, and what replaces that is a delta upon it", async () => {
    const store = await openStore(url);
    expect(await store.get("p", ["a"])).toEqual([{ key: "a", value: { from: "before" }, revision: 3 }]);
    const hashes = Array.from({ length: 5 }, (_, n) => version(n).hash);
    expect(await unreadable(store, "p", hashes)).toEqual([]);
    await writeVersions(store, "p", 5, 20);
    expect(rows().filter(({ base }) => base !== null)).toHaveLength(16);
    await store.close();
    const again = await openStore(url);
    expect(
      await unreadable(
        again,
        "p",
        Array.from({ length: 21 }, (_, n) => version(n).hash),
      ),
    ).toEqual([]);
    await win(again, "p", change({ objectDeletes: hashes }));
    expect(
      await unreadable(
        again,
        "p",
        Array.from({ length: 16 }, (_, n) => version(n + 5).hash),
      ),
    ).toEqual([]);
    await again.close();
  });

  it("is read as it is where it is only read", async () => {
    const store = await openForReading(url);
    expect(await unreadable(store, "p", [version(3).hash])).toEqual([]);
    expect((await store.objects.list("p", null, 10)).map(({ size }) => size).sort()).toEqual(
      Array.from({ length: 5 }, (_, n) => version(n).data.byteLength).sort(),
    );
    await store.close();
    const db = new Database(path, { readonly: true });
    expect(db.pragma("user_version", { simple: true })).toBe(1);
    db.close();
  });
});
