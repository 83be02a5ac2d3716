import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isMainThread } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openStore } from "../../src/storage/open.ts";
import { openSqlite } from "../../src/storage/sqlite.ts";
import Database from "../../src/storage/sqlite-driver.cjs";
import { openFile, sqlitePath } from "../../src/storage/sqlite-file.ts";
import { change } from "../conformance/store.ts";
import { errorOf, runChild, temporaryFolder } from "./support.ts";

const NOBODY = 65_534;
const root = process.getuid?.() === 0;
/** Permissions do not bind root, so that as root these tests act as another user for a while. */
const permissions = process.getuid !== undefined && (!root || isMainThread);

let folder: string;
let path: string;
let url: string;
beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder, "env.db");
  url = `sqlite:${path}`;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("a store URL", () => {
  it("names its file from the working directory or by an absolute path", () => {
    expect(sqlitePath("sqlite:./data/env.db")).toBe(join(process.cwd(), "data/env.db"));
    expect(sqlitePath("sqlite:data/env.db")).toBe(join(process.cwd(), "data/env.db"));
    expect(sqlitePath("sqlite:/var/env.db")).toBe("/var/env.db");
    expect(sqlitePath("sqlite:///var/env.db")).toBe("/var/env.db");
  });

  it.each(["sqlite:", "sqlite://host/env.db", "sqlite::memory:", "sqlite:./data/", "sqlite:env.db?mode=ro"])(
    "%s is refused",
    async (bad) => {
      expect(await errorOf(openStore(bad))).toMatchObject({ code: "invalid_request", fix: expect.stringContaining("sqlite:") });
    },
  );

  it.each(["", "env.db", "mysql://user:hunter2@host/db", "constructor:", "SQLITE:x"])(
    "%s of no known kind is refused with those that are",
    async (bad) => {
      const error = await errorOf(openStore(bad));
      expect(error.code).toBe("invalid_request");
      expect(error.message).toContain("memory:, sqlite:");
      expect(error.message).not.toContain("hunter2");
    },
  );

  it("opens memory, and a file in a folder that is not there yet", async () => {
    await (await openStore("memory:")).close();
    await (await openStore(`sqlite:${join(folder, "new/deep/env.db")}`)).close();
    expect(statSync(join(folder, "new/deep/env.db")).isFile()).toBe(true);
  });
});

describe("an opened file", () => {
  it("is in WAL mode, and every commit waits for the disk", async () => {
    const file = await openFile(path, 0);
    expect(file.db.pragma("journal_mode", { simple: true })).toBe("wal");
    expect(file.db.pragma("synchronous", { simple: true })).toBe(2);
    file.db.close();
    file.lock.release();
  });

  it("is its owner's alone where it is made here, with the files beside it, and stays what its owner made it", async () => {
    const rights = () => ["", "-wal", "-shm"].map((end) => (statSync(path + end).mode & 0o777).toString(8));
    for (const [found, expected] of [
      [null, "600"],
      [0o640, "640"],
    ] as const) {
      if (found !== null) chmodSync(path, found);
      const store = await openStore(url);
      await store.commit("p", change({ puts: [{ key: "a", value: 1 }] }));
      expect(rights()).toEqual([expected, expected, expected]);
      await store.close();
    }
  });

  it("can be read by another program while the engine runs", async () => {
    const store = await openStore(url);
    await store.commit("p", change({ puts: [{ key: "a", value: 1 }] }));
    const other = new Database(path, { readonly: true });
    expect(other.prepare("SELECT key, value FROM document").all()).toEqual([{ key: "a", value: "1" }]);
    await store.commit("p", change({ puts: [{ key: "a", value: 2 }] }));
    expect(other.prepare("SELECT value FROM document").pluck().get()).toBe("2");
    other.close();
    await store.close();
  });
});

describe("a file that cannot be used is refused, and left as it was:", () => {
  it("one that is not a database", async () => {
    writeFileSync(path, "These are notes, not a database.\n".repeat(100));
    await refused("is not an SQLite database");
    expect(readFileSync(path, "utf8")).toContain("These are notes");
    expect(existsSync(`${path}-lock`)).toBe(false);
  });

  it("the database of another program", async () => {
    const other = new Database(path);
    other.exec("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)");
    other.close();
    const before = readFileSync(path);
    await refused("another program");
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(existsSync(`${path}-lock`)).toBe(false);
  });

  it("one from a newer schema", async () => {
    await (await openStore(url)).close();
    const newer = new Database(path);
    newer.pragma("user_version = 999");
    newer.close();
    await refused("schema 999, written by a newer engine");
  });

  it("one that was cut short", async () => {
    const store = await openStore(url);
    for (let n = 0; n < 50; n++) await store.commit("p", change({ puts: [{ key: `k/${n}`, value: "x".repeat(2000) }] }));
    await store.close();
    writeFileSync(path, readFileSync(path).subarray(0, 4096 + 100));
    await refused("is damaged");
  });

  it("a folder in the file's place, or a file in the folder's", async () => {
    mkdirSync(path);
    await refused("is not a file");
    writeFileSync(join(folder, "plain"), "");
    const error = await errorOf(openStore(`sqlite:${join(folder, "plain/env.db")}`));
    expect(error).toMatchObject({ code: "store_unavailable", fix: expect.any(String) });
    expect(error.message).toContain(join(folder, "plain"));
  });

  it.skipIf(!existsSync("/proc/self"))("a folder that the system makes nowhere, at once", async () => {
    expect(await errorOf(openStore("sqlite:/proc/nowhere/deep/env.db"))).toMatchObject({
      code: "store_unavailable",
      message: expect.stringContaining("/proc/nowhere"),
    });
  });

  const why = permissions ? "" : " (skipped: this process cannot act as another user)";
  describe.skipIf(!permissions)(`by its permissions${why}:`, () => {
    beforeEach(async () => {
      await (await openStore(url)).close();
      chmodSync(folder, 0o777);
    });
    afterEach(() => chmodSync(folder, 0o755));

    it("one that may only be read", async () => {
      chmodSync(path, 0o444);
      chmodSync(`${path}-lock`, 0o666);
      await asNobody(() => refused("is read-only"));
    });

    it("one that may not even be read", async () => {
      chmodSync(path, 0o000);
      await asNobody(() => refused("cannot be opened"));
    });

    it("one in a folder that may not be written", async () => {
      chmodSync(path, 0o666);
      rmSync(`${path}-lock`);
      chmodSync(folder, 0o555);
      await asNobody(() => refused("is read-only"));
    });

    it("one that may only be read when the first write comes, which is taken as soon as it may be written", async () => {
      chmodSync(path, 0o666);
      const store = await openStore(url);
      const commit = () => store.commit("p", change({ puts: [{ key: "a", value: 1 }] }));
      chmodSync(path, 0o444);
      await asNobody(async () => expect((await errorOf(commit())).message).toContain("is read-only"));
      chmodSync(path, 0o666);
      await asNobody(async () => expect(await commit()).toEqual({ ok: true, revision: 1 }));
      await store.close();
    });
  });

  async function refused(reason: string): Promise<void> {
    const error = await errorOf(openStore(url));
    expect(error.code).toBe("store_unavailable");
    expect(error.message).toContain(path);
    expect(error.message).toContain(reason);
    expect(error.fix).toBeTruthy();
  }
});

describe("a second engine on the same file", () => {
  it("is refused with the holder's process, until the first closes", async () => {
    const first = await openSqlite(url);
    const error = await errorOf(openSqlite(url, { lockWaitMs: 0 }));
    expect(error.code).toBe("store_unavailable");
    expect(error.message).toContain(`process ${process.pid}`);
    expect(error.fix).toContain("Stop that engine");
    const waiting = openSqlite(url, { lockWaitMs: 10_000 });
    await first.close();
    await (await waiting).close();
  });

  it("is refused whatever the note of the holder says, and where there is none", async () => {
    const first = await openSqlite(url);
    for (const note of ["", "\0".repeat(100), "nobody\nat all"]) {
      writeFileSync(`${path}-holder`, note);
      expect((await errorOf(openSqlite(url, { lockWaitMs: 0 }))).message).toContain("in use by another process");
    }
    rmSync(`${path}-holder`);
    expect((await errorOf(openSqlite(url, { lockWaitMs: 0 }))).message).toContain("in use by another process");
    await first.close();
  });

  it("is refused by a lock in which nothing is written, and by one in which an engine from before has noted itself", async () => {
    await (await openSqlite(url)).close();
    expect(statSync(`${path}-lock`).size).toBe(0);
    const before = new Database(`${path}-lock`);
    before.exec("CREATE TABLE holder (id INTEGER PRIMARY KEY, pid INTEGER, host TEXT, since TEXT); BEGIN IMMEDIATE");
    expect((await errorOf(openSqlite(url, { lockWaitMs: 0 }))).message).toContain("in use");
    before.close();
    const first = await openSqlite(url, { lockWaitMs: 0 });
    expect((await errorOf(openSqlite(url, { lockWaitMs: 0 }))).message).toContain(`process ${process.pid}`);
    await first.close();
  });

  it("is refused under another name of the file too", async () => {
    const first = await openSqlite(url);
    symlinkSync(path, join(folder, "alias.db"));
    symlinkSync(folder, join(folder, "self"));
    for (const alias of ["alias.db", "self/env.db"]) {
      expect((await errorOf(openSqlite(`sqlite:${join(folder, alias)}`, { lockWaitMs: 0 }))).message).toContain("in use");
    }
    await first.close();
  });

  it("in another process is refused, and let in after kill -9 of the first", async () => {
    const child = runChild("hold", url);
    expect((await child.lines.next()).value).toBe("open");
    expect((await errorOf(openSqlite(url, { lockWaitMs: 0 }))).message).toContain(`process ${child.process.pid}`);
    await child.kill();
    await (await openSqlite(url, { lockWaitMs: 0 })).close();
  });
});

async function asNobody(run: () => Promise<void>): Promise<void> {
  if (!root) return run();
  process.seteuid?.(NOBODY);
  try {
    await run();
  } finally {
    process.seteuid?.(0);
  }
}
