import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { checked } from "../../src/storage/checked.ts";
import { openSqlite, type SqliteBackend } from "../../src/storage/sqlite.ts";
import { SqliteCheckpoints } from "../../src/storage/sqlite-checkpoints.ts";
import Database from "../../src/storage/sqlite-driver.cjs";
import { openFile } from "../../src/storage/sqlite-file.ts";
import { change } from "../conformance/store.ts";
import { temporaryFolder } from "./support.ts";

const VALUE = "x".repeat(200_000);
/** They are written again and again, so that the file stays small however long the thread takes to start. */
const KEYS = 40;
/** A write that fills the log. */
const LARGE = { partition: "p", change: null, objects: [{ hash: "0".repeat(64), data: new Uint8Array(LIMITS.checkpointBytes) }] };
/** Milliseconds. */
const PATIENCE = 120_000;

let folder: string;
let path: string;
let backend: SqliteBackend;
beforeEach(async () => {
  folder = temporaryFolder();
  path = join(folder, "env.db");
  backend = await openSqlite(`sqlite:${path}`);
});
afterEach(async () => {
  await backend.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Commits, a few at a time, until `enough`. */
async function fill(enough: () => boolean): Promise<void> {
  const store = checked(backend);
  for (let n = 0; n < KEYS || !enough(); ) {
    const few = Array.from({ length: 4 }, () => store.commit("p", change({ puts: [{ key: `k/${n++ % KEYS}`, value: VALUE }] })));
    expect((await Promise.all(few)).every(({ ok }) => ok)).toBe(true);
  }
}

/** Another one each time that the log begins anew: the salt in its head. */
function log(): string {
  return readFileSync(`${path}-wal`).subarray(16, 24).toString("hex");
}

describe("SQLite's write-ahead log", () => {
  it("is moved into the file beside the commits, and begins anew", { timeout: PATIENCE }, async () => {
    await fill(() => backend.stats.checkpoints >= 1);
    expect(statSync(path).size).toBeGreaterThan((KEYS * VALUE.length) / 2);
    const first = log();
    await fill(() => log() !== first);
  });

  it("is not tried again with every commit while somebody reads what is in it", { timeout: PATIENCE }, async () => {
    await fill(() => true);
    const reader = new Database(path, { readonly: true });
    reader.exec("BEGIN");
    reader.prepare("SELECT count(*) FROM document").get();
    try {
      await fill(() => backend.stats.checkpoints >= 2);
      const store = checked(backend);
      for (let n = 0; n < 10; n++) await store.commit("p", change({ puts: [{ key: "small", value: n }] }));
      expect(backend.stats.checkpoints).toBe(2);
    } finally {
      reader.close();
    }
  });

  it("begins anew once nobody reads any more what kept it from that", { timeout: PATIENCE }, async () => {
    await fill(() => true);
    const reader = new Database(path, { readonly: true });
    reader.exec("BEGIN");
    reader.prepare("SELECT count(*) FROM document").get();
    await fill(() => backend.stats.checkpoints >= 2);
    const first = log();
    const { checkpoints } = backend.stats;
    reader.close();
    await fill(() => log() !== first);
    expect(backend.stats.checkpoints).toBeGreaterThan(checkpoints);
  });

  it("is gone with its store, of which the file has everything", { timeout: PATIENCE }, async () => {
    await fill(() => backend.stats.checkpoints >= 2);
    await backend.close();
    expect([existsSync(`${path}-wal`), existsSync(`${path}-shm`)]).toEqual([false, false]);
    const db = new Database(path, { readonly: true });
    expect(db.pragma("integrity_check", { simple: true })).toBe("ok");
    expect(db.prepare("SELECT count(*) FROM document WHERE length(value) > ?").pluck().get(VALUE.length)).toBe(KEYS);
    db.close();
    backend = await openSqlite(`sqlite:${path}`);
  });

  it("is a commit's to move where the thread cannot be had, and no commit waits for the thread", async () => {
    const { db, lock } = await openFile(join(folder, "other.db"), 0);
    expect(db.pragma("wal_autocheckpoint", { simple: true })).toBe(LIMITS.checkpointPages);
    db.close();
    lock.release();
    const checkpoints = new SqliteCheckpoints(join(folder, "missing.db"), []);
    for (let n = 0; n < 5; n++) {
      checkpoints.wrote([LARGE]);
      await checkpoints.turn();
    }
    await checkpoints.close();
    expect(checkpoints.count).toBe(0);
  });

  it("grows where no thread can be started, which is no commit's fault", async () => {
    // What a thread cannot be given stands for a thread that the system does not give: both are thrown at once.
    const checkpoints = new SqliteCheckpoints(path, [(() => {}) as unknown as string]);
    for (let n = 0; n < 3; n++) {
      checkpoints.wrote([LARGE]);
      await checkpoints.turn();
    }
    await checkpoints.close();
    expect(checkpoints.count).toBe(0);
  });
});
