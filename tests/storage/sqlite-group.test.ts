import { rmSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import type { CommitResult, Store } from "../../src/ports.ts";
import { checked } from "../../src/storage/checked.ts";
import { openSqlite, type SqliteBackend } from "../../src/storage/sqlite.ts";
import Database from "../../src/storage/sqlite-driver.cjs";
import { change, hash, object, put } from "../conformance/store.ts";
import { temporaryFolder } from "./support.ts";

let folder: string;
let backend: SqliteBackend;
let store: Store;
beforeEach(async () => {
  folder = temporaryFolder();
  backend = await openSqlite(`sqlite:${join(folder, "env.db")}`);
  store = checked(backend);
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

describe("commits that arrive in one turn", () => {
  it("share one transaction, objects put beside them too", async () => {
    const commits = Array.from({ length: 100 }, (_, n) => store.commit(`p${n % 7}`, put(`k/${n}`, n)));
    await Promise.all([...commits, store.objects.put("p0", [object("aa")])]);
    expect(backend.stats).toMatchObject({ transactions: 1, writes: 101 });
  });

  it("see those before them, and share the transaction with those that lose", async () => {
    const [first, second, third] = await Promise.all([
      store.commit("p", change({ checks: [{ key: "a", revision: null }], puts: [{ key: "a", value: 1 }] })),
      store.commit("p", change({ checks: [{ key: "a", revision: null }], puts: [{ key: "a", value: 2 }] })),
      store.commit("p", change({ checks: [{ key: "a", revision: 1 }], puts: [{ key: "a", value: 3 }] })),
    ]);
    expect([first, second, third]).toEqual([{ ok: true, revision: 1 }, { ok: false }, { ok: true, revision: 2 }]);
    expect(backend.stats.transactions).toBe(1);
  });

  it("are told to watchers once for each partition, before their writers are answered", async () => {
    const events: string[] = [];
    store.watch({ onChange: (partition, revision) => void events.push(`${partition} ${revision}`), onGap() {} });
    const writers = ["p", "q", "p"].map((p, n) => store.commit(p, put(`k/${n}`, n)).then(() => events.push("answer")));
    await Promise.all(writers);
    expect(events).toEqual(["p 2", "q 1", "answer", "answer", "answer"]);
  });

  it("are split where they are too many for one transaction", async () => {
    const many = LIMITS.groupCommits * 2 + 1;
    await Promise.all(Array.from({ length: many }, (_, n) => store.commit("p", put(`k/${n}`, n))));
    expect(backend.stats).toMatchObject({ transactions: 3, writes: many });
  });

  it("are split where they are too large for one transaction", async () => {
    const large = (digits: string) => object(digits, new Uint8Array(LIMITS.commitBytes / 2 + 1));
    await Promise.all(["aa", "bb", "cc"].map((digits) => store.objects.put("p", [large(digits)])));
    expect(backend.stats.transactions).toBe(3);
    expect((await store.objects.get("p", [hash("cc")]))[0]?.byteLength).toBe(LIMITS.commitBytes / 2 + 1);
  });

  it("are all there but for the one that fails, with the objects that stand upon one another", async () => {
    await Promise.all(["p", "bad"].map((partition) => store.commit(partition, put("first", 1))));
    const path = join(folder, "env.db");
    const other = new Database(path);
    other.exec(`CREATE TRIGGER fault AFTER INSERT ON document WHEN NEW.key = 'fails' BEGIN SELECT RAISE(ABORT, 'injected fault'); END`);
    other.close();
    const states = Array.from({ length: 6 }, (_, n) => Buffer.from(`${"same ".repeat(200)}${n}`));
    const line = states.map((data, n) => ({ hash: hash(`a${n}`), data, ...(n > 0 && { replaces: hash(`a${n - 1}`) }) }));
    const write = (n: number) => store.commit("p", change({ puts: [{ key: `k/${n}`, value: n }], objects: line.slice(2 * n, 2 * n + 2) }));
    const failing = store.commit("bad", change({ puts: [{ key: "fails", value: 1 }], objects: [object("bb")] }));
    const [first, failed, ...later] = await Promise.allSettled([write(0), failing, write(1), write(2)]);
    expect([first, ...later].map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "fulfilled"]);
    expect(failed?.status).toBe("rejected");
    await store.close();
    backend = await openSqlite(`sqlite:${path}`);
    store = checked(backend);
    const names = line.map((one) => one.hash);
    expect((await store.objects.get("p", names)).map((data) => Buffer.from(data ?? []).toString())).toEqual(states.map(String));
    expect(await store.objects.get("bad", [hash("bb")])).toEqual([null]);
    expect(await store.get("bad", ["fails"])).toEqual([null]);
  });

  it("are checked against what another program wrote meanwhile, not against what the engine knows", async () => {
    await store.commit("p", put("a", 1));
    const again = (revision: number) => change({ checks: [{ key: "a", revision }], puts: [{ key: "a", value: revision }] });
    expect(await store.commit("p", again(1))).toEqual({ ok: true, revision: 2 });
    const other = new Database(join(folder, "env.db"));
    other.exec(`DELETE FROM document; INSERT INTO document (partition, key, revision, value) VALUES (1, 'z', 3, '0'), (1, 'a', 3, '"other"');
      UPDATE partition SET revision = 3`);
    other.close();
    expect(await store.commit("p", again(2))).toEqual({ ok: false });
    expect(await store.commit("p", again(3))).toEqual({ ok: true, revision: 4 });
    expect(await store.get("p", ["a", "z"])).toMatchObject([{ value: 3, revision: 4 }, { value: 0 }]);
  });

  it("are refused, and never written, where too many wait", async () => {
    const waiting = Array.from({ length: LIMITS.queuedWriters }, (_, n) => store.commit("p", put(`k/${n % 100}`, n)));
    await expect(store.commit("p", put("one too many", 1))).rejects.toMatchObject({ code: "overloaded" });
    await Promise.all(waiting);
    expect(await store.get("p", ["one too many"])).toEqual([null]);
  });
});

describe("commits of several turns", () => {
  it("share one transaction where they wait for one, in order, each answered for itself", async () => {
    await store.commit("p", put("a", 0));
    const other = new Database(join(folder, "env.db"));
    other.exec("BEGIN IMMEDIATE");
    const before = backend.stats.transactions;
    const commits: Promise<CommitResult>[] = [];
    for (let n = 1; n <= 10; n++) {
      commits.push(
        store.commit("p", change({ checks: [{ key: "a", revision: n === 5 ? 1 : n < 5 ? n : n - 1 }], puts: [{ key: "a", value: n }] })),
      );
      await new Promise((resolve) => setImmediate(resolve));
    }
    other.exec("ROLLBACK");
    other.close();
    expect((await Promise.all(commits)).map(({ ok }) => ok)).toEqual(commits.map((_, n) => n !== 4));
    expect(await store.get("p", ["a"])).toMatchObject([{ value: 10, revision: 10 }]);
    // The first may have gone alone.
    expect(backend.stats.transactions - before).toBeLessThanOrEqual(2);
  });
});

describe("groups of commits", () => {
  it("are given to the thread that writes while it is busy, as many as may and not one more", async () => {
    await store.commit("p", put("a", 0));
    const other = new Database(join(folder, "env.db"));
    other.exec("BEGIN IMMEDIATE");
    const given = vi.spyOn(Worker.prototype, "postMessage");
    const commits: Promise<CommitResult>[] = [];
    for (let n = 0; n < LIMITS.sqliteGroups + 6; n++) {
      commits.push(store.commit("p", put(`k/${n}`, n)));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(given).toHaveBeenCalledTimes(LIMITS.sqliteGroups);
    given.mockRestore();
    other.close();
    expect((await Promise.all(commits)).every(({ ok }) => ok)).toBe(true);
  });
});

describe("objects", () => {
  it("that were stored less than an hour ago are not written again", async () => {
    await store.objects.put("p", [object("aa")]);
    const [before] = await store.objects.list("p", null, 1);
    await store.objects.put("p", [object("aa")]);
    expect(await store.objects.list("p", null, 1)).toEqual([before]);
  });
});
