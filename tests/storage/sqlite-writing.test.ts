import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { THREADS } from "../../scripts/threads.mjs";
import { AppError } from "../../src/errors.ts";
import { Ledger } from "../../src/ledger.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Store } from "../../src/ports.ts";
import { ReadIndex } from "../../src/read-index.ts";
import { checked } from "../../src/storage/checked.ts";
import { openSqlite } from "../../src/storage/sqlite.ts";
import Database from "../../src/storage/sqlite-driver.cjs";
import { openFile, openWriting } from "../../src/storage/sqlite-file.ts";
import { packed, packedError, packedOutcome, unpacked, unpackedError, unpackedOutcome } from "../../src/storage/sqlite-messages.ts";
import { SqliteWriting } from "../../src/storage/sqlite-writing.ts";
import type { Transaction } from "../../src/transaction.ts";
import { change, hash, object, put, read, win } from "../conformance/store.ts";
import { caller } from "../domain/support.ts";
import { errorOf, runChild, temporaryFolder } from "./support.ts";

let folder: string;
let path: string;
let store: Store;
beforeEach(async () => {
  folder = temporaryFolder();
  path = join(folder, "env.db");
  store = checked(await openSqlite(`sqlite:${path}`));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await store.close();
  rmSync(folder, { recursive: true });
});

/** The thread that writes, from its next message on: what it is sent is seen before it gets it. */
function meetThread(onMessage: (thread: Worker) => void): void {
  const send = Worker.prototype.postMessage;
  vi.spyOn(Worker.prototype, "postMessage").mockImplementation(function (this: Worker, ...sent: Parameters<typeof send>) {
    onMessage(this);
    send.apply(this, sent);
  });
}

/** Keeps everybody else from writing until it is called. */
function lockFile(): () => void {
  const other = new Database(path);
  other.exec("BEGIN IMMEDIATE");
  return () => {
    other.exec("ROLLBACK");
    other.close();
  };
}

async function increment(tx: Transaction): Promise<number> {
  const value = ((await tx.get<{ readonly value: number }>("counter"))?.value ?? 0) + 1;
  tx.put("counter", { value });
  await tx.audit({ action: "update", details: { value } });
  return value;
}

describe("the thread that writes SQLite", () => {
  it("keeps nobody who reads something else waiting, while it waits for the file", async () => {
    await win(store, "p", put("a", 1));
    const unlock = lockFile();
    const sent = new Promise<void>((resolve) => meetThread(() => resolve()));
    let isWritten = false;
    const written = win(store, "p", put("a", 2)).then((revision) => {
      isWritten = true;
      return revision;
    });
    await sent;
    expect(await read(store, "q", "a")).toBeUndefined();
    expect(isWritten).toBe(false);
    unlock();
    expect(await written).toBe(2);
  });

  it("has told of all that a reader was answered, so that nobody is ahead of the watchers", async () => {
    await win(store, "p", put("a", 0));
    const told: number[] = [];
    const seen: string[] = [];
    store.watch({ onChange: (_, revision) => void told.push(revision), onGap() {} });
    let isWriting = true;
    const reading = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (isWriting) {
          const [revision] = await store.revision(["p"]);
          if (Number(revision) > (told.at(-1) ?? 1)) seen.push(`${revision} before ${told.at(-1)}`);
          await new Promise((resolve) => setImmediate(resolve));
        }
      }),
    );
    for (let n = 0; n < 300; n++) await win(store, "p", put("a", n));
    isWriting = false;
    await reading;
    expect(seen).toEqual([]);
    expect(told).toHaveLength(300);
  });

  it("writes while others read, and each of them reads one state", async () => {
    const both = (n: number) => change({ puts: ["a", "b"].map((key) => ({ key, value: n })) });
    await win(store, "p", both(0));
    const torn: unknown[] = [];
    let isWriting = true;
    const reading = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (isWriting) {
          const [a, b] = await store.get("p", ["a", "b"]);
          if (a?.value !== b?.value) torn.push([a, b]);
          await new Promise((resolve) => setImmediate(resolve));
        }
      }),
    );
    for (let n = 0; n < 300; n++) await win(store, "p", both(n));
    isWriting = false;
    await reading;
    expect(torn).toEqual([]);
  });

  it("may delete an object while others read it, who get it whole or not at all", async () => {
    const states = [0, 1].map((n) => Buffer.from(`${"same ".repeat(200)}${n}`));
    const [base, delta] = [hash("a0"), hash("a1")];
    const line = [
      { hash: base, data: states[0] as Buffer },
      { hash: delta, data: states[1] as Buffer, replaces: base },
    ];
    const seen = { whole: 0, none: 0 };
    let isWriting = true;
    const reading = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (isWriting) {
          const [data] = await store.objects.get("p", [delta]);
          if (data) expect(Buffer.from(data).equals(states[1] as Buffer)).toBe(true);
          seen[data ? "whole" : "none"]++;
          await new Promise((resolve) => setImmediate(resolve));
        }
      }),
    );
    for (let n = 0; n < 500; n++) {
      await store.objects.put("p", line);
      // The delta's base is hidden first, and goes with it.
      await store.commit("p", change({ objectDeletes: [base] }));
      await store.commit("p", change({ objectDeletes: [delta] }));
    }
    isWriting = false;
    await reading;
    expect(Math.min(seen.whole, seen.none)).toBeGreaterThan(0);
  });

  it("when it ends before it has written: the write is told as one of which nothing is known, is not there, and the next one is made", async () => {
    await win(store, "p", put("a", 1));
    let gaps = 0;
    store.watch({ onChange() {}, onGap: () => void gaps++ });
    const unlock = lockFile();
    meetThread((thread) => void thread.terminate());
    const error = await errorOf(store.commit("p", put("a", 2)));
    unlock();
    vi.restoreAllMocks();
    expect(error).toMatchObject({ code: "store_unavailable", fix: expect.stringMatching(/\S/) });
    expect(gaps).toBe(1);
    expect(await read(store, "p", "a")).toBe(1);
    expect(await win(store, "p", put("a", 3))).toBe(2);
  });

  it("when it ends in the middle of many writes: each that was acknowledged is there once, and no other", async () => {
    const projects = ["p0", "p1", "p2", "p3"];
    const ledger = new Ledger(store);
    const acknowledged = new Map(projects.map((p) => [p, 0]));
    const refused = new Set<string>();
    let messages = 0;
    let gaps = 0;
    store.watch({ onChange() {}, onGap: () => void gaps++ });
    meetThread((thread) => {
      if (++messages % 5 === 0) setTimeout(() => void thread.terminate(), Math.random() * 3);
    });
    await Promise.all(
      Array.from({ length: 16 }, async (_, writer) => {
        for (let n = 0; n < 20; n++) {
          const p = projects[(writer + n) % projects.length] as string;
          await ledger.write(p, caller(`writer ${writer}`), increment).then(
            () => void acknowledged.set(p, (acknowledged.get(p) ?? 0) + 1),
            (error: { code: string }) => void refused.add(error.code),
          );
        }
      }),
    );
    vi.restoreAllMocks();
    for (const [p, count] of acknowledged) expect(await read(store, p, "counter")).toEqual({ value: count });
    expect([...refused].filter((code) => code !== "store_unavailable")).toEqual([]);
    expect(gaps).toBeGreaterThan(0);
    await store.close();
    const db = new Database(path, { readonly: true });
    expect(db.pragma("integrity_check", { simple: true })).toBe("ok");
    db.close();
    store = checked(await openSqlite(`sqlite:${path}`));
  });

  it("when it ends with an answer on its way: that is told before what may have been missed, so that nobody takes it for the newest", async () => {
    await win(store, "p", put("a", 1));
    const index = new ReadIndex(store, { exclusive: true });
    const told: string[] = [];
    store.watch({ onChange: (_, revision) => void told.push(`${revision}`), onGap: () => void told.push("gap") });
    // As where this thread is busy: Node gives it the first answer, and that the other thread has ended, in one go. The second never came.
    const answers: unknown[] = [];
    meetThread((thread) => {
      vi.restoreAllMocks();
      const [hear] = thread.listeners("message");
      thread.removeAllListeners("message");
      thread.on("message", (answer) => {
        if (answers.push(answer) === 2) void thread.terminate();
      });
      thread.prependListener("exit", () => void hear?.(answers[0]));
    });
    const first = win(store, "p", put("a", 2));
    await expect.poll(() => answers).toHaveLength(1);
    const second = errorOf(store.commit("p", put("a", 3)));
    expect(await first).toBe(2);
    expect((await second).code).toBe("store_unavailable");
    expect(told).toEqual(["2", "gap"]);
    expect(await index.confirm(["p"])).toEqual(await store.revision(["p"]));
  });

  it("that cannot be started is what the error says, each time, and that nothing is known is not", async () => {
    // What a thread cannot be given stands for a thread that the system does not give: both are thrown at once.
    const writing = new SqliteWriting({ path, pragmas: [(() => {}) as unknown as string] }, () => {});
    for (let n = 0; n < 2; n++) {
      const error = await errorOf(writing.write([], 0));
      expect(error).toMatchObject({ code: "store_unavailable", fix: expect.stringContaining("ulimit -u") });
      expect(error.message).toContain("could not be started");
    }
    await writing.close();
  });

  it("whose file cannot be opened fails the write with the reason, and takes the next one when it can", async () => {
    // With its folder too, as where a disk is gone.
    for (const [is, was] of [
      [join(folder, "elsewhere.db"), path],
      [`${folder}-elsewhere`, folder],
    ] as const) {
      renameSync(was, is);
      const error = await errorOf(store.commit("p", put("a", 1)));
      renameSync(is, was);
      expect(error).toMatchObject({ code: "store_unavailable", message: expect.stringContaining("cannot be opened") });
    }
    expect(await win(store, "p", put("a", 1))).toBe(1);
  });

  it("writes durably, or not at all", async () => {
    const { db, lock, pragmas } = await openFile(join(folder, "other.db"), 0);
    const other = join(folder, "other.db");
    const connection = openWriting(other, pragmas);
    const settings = ["synchronous", "journal_mode", "wal_autocheckpoint", "journal_size_limit"];
    expect(settings.map((name) => connection.pragma(name, { simple: true }))).toEqual([
      2,
      "wal",
      LIMITS.checkpointPages,
      LIMITS.stateBodyBytes,
    ]);
    connection.close();
    const careless = new SqliteWriting({ path: other, pragmas: [...pragmas, "synchronous = OFF"] }, () => {});
    await expect(careless.write([{ partition: "p", change: null, objects: [object("aa")] }], 0)).rejects.toMatchObject({
      code: "store_unavailable",
      message: expect.stringContaining("would not be durable"),
      fix: expect.stringMatching(/\S/),
    });
    await careless.close();
    expect(db.prepare("SELECT count(*) FROM object").pluck().get()).toBe(0);
    db.close();
    lock.release();
  });

  it("keeps a process until what was begun is written, and no longer, though nobody closes the store", async () => {
    const child = runChild("write-and-leave", `sqlite:${join(folder, "left.db")}`);
    const ended = once(child.process, "exit");
    expect(await child.lines.next()).toMatchObject({ value: '{"ok":true,"revision":1} {"ok":true,"revision":2}' });
    expect(await ended).toEqual([0, null]);
  });

  it("has its file, and that of the thread it starts, beside all that starts it where it is built", () => {
    const built = fileURLToPath(new URL("../../dist", import.meta.url));
    const files = readdirSync(built, { recursive: true, encoding: "utf8" }).filter((name) => /\.[cm]?js$/.test(name));
    for (const thread of THREADS) {
      const starting = files.filter((name) => readFileSync(join(built, name), "utf8").includes(`"./${thread}"`));
      expect(starting.length).toBeGreaterThan(0);
      for (const name of starting) expect(existsSync(join(built, dirname(name), thread))).toBe(true);
    }
  });
});

describe("what goes to the thread and comes back", () => {
  it("is a group as it was, in a buffer of its own", () => {
    const bytes = Uint8Array.from([0, 1, 2, 3, 4, 5]);
    const full = change({
      checks: [
        { key: "a", revision: 7 },
        { key: "ü", revision: null },
      ],
      puts: [{ key: "a", value: '{"x":"日本"}' }],
      deletes: ["gone"],
      objects: [
        { ...object("aa"), data: bytes.subarray(2, 5) },
        { ...object("bb"), data: bytes.subarray(0, 0), replaces: hash("aa") },
      ],
      objectDeletes: [hash("cc")],
    });
    const writes = [
      { partition: "p", change: full, objects: full.objects },
      { partition: "_system", change: null, objects: [object("dd")] },
      { partition: "q", change: change({}), objects: [] },
    ] as unknown as Parameters<typeof packed>[0];
    const group = packed(writes, 123);
    expect(group.now).toBe(123);
    expect(group.bytes.byteLength).toBe(group.bytes.buffer.byteLength);
    expect(JSON.stringify(unpacked(structuredClone(group)))).toBe(JSON.stringify(writes));
  });

  it("is an outcome as it was, and of an error what its reader needs", () => {
    for (const value of [{ ok: true, revision: 3 }, { ok: false }] as const)
      expect(unpackedOutcome(packedOutcome({ value }))).toEqual({ value });
    const thrown = Object.assign(new Error("database or disk is full"), { code: "SQLITE_FULL" });
    const back = unpackedError(structuredClone(packedError(thrown)));
    expect(back).toMatchObject({ message: thrown.message, code: "SQLITE_FULL", stack: thrown.stack });
    expect(unpackedOutcome(structuredClone(packedOutcome({ error: thrown })))).toEqual({ error: back });
    expect(unpackedError(packedError("text"))).toMatchObject({ message: "text" });
    expect(unpackedError(packedError("text"))).not.toHaveProperty("code");
    const own = new AppError("storage_full", { reason: "It is full.", fix: "Make room." });
    expect(unpackedError(structuredClone(packedError(own)))).toEqual(own);
  });
});
