import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Store } from "../../src/ports.ts";
import { checked } from "../../src/storage/checked.ts";
import { openStore } from "../../src/storage/open.ts";
import { SqliteBackend } from "../../src/storage/sqlite.ts";
import Database from "../../src/storage/sqlite-driver.cjs";
import { openFile } from "../../src/storage/sqlite-file.ts";
import { change, object, put } from "../conformance/store.ts";
import { Engine } from "../support/engine.ts";
import { errorOf, temporaryFolder } from "./support.ts";

const DISK_BYTES = 4 * 1024 * 1024;

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => rmSync(folder, { recursive: true }));

const mountable = canMount();
const why = mountable ? "" : " (skipped: this user may not mount a small disk)";

describe.skipIf(!mountable)(`on a disk that is full${why}`, () => {
  let disk: string;
  let store: Store;
  beforeEach(async () => {
    disk = join(folder, "disk");
    mkdirSync(disk);
    mount(disk);
    store = await openStore(`sqlite:${join(disk, "env.db")}`);
    await store.commit("p", change({ puts: [{ key: "a", value: 1 }], objects: [object("aa")] }));
  });
  afterEach(async () => {
    await store.close();
    spawnSync("umount", [disk]);
  });

  it("writes fail with storage_full and change nothing, reads go on, and it recovers by itself", async () => {
    fill(disk);
    const failed = await Promise.all(
      ["p", "q"].map((p) =>
        errorOf(store.commit(p, change({ puts: [{ key: "a", value: 2 }], objects: [object("bb", "x".repeat(100_000))] }))),
      ),
    );
    for (const error of failed) expect(error).toMatchObject({ code: "storage_full", fix: expect.stringContaining("Free some space") });
    expect((await errorOf(store.objects.put("p", [object("bb", "x".repeat(100_000))]))).code).toBe("storage_full");

    expect(await store.get("p", ["a"])).toMatchObject([{ value: 1, revision: 1 }]);
    expect(await store.revision(["p", "q"])).toEqual([1, 0]);
    expect(await store.objects.list("p", null, 10)).toHaveLength(1);

    rmSync(join(disk, "filler"));
    expect(await store.commit("p", put("a", 3))).toEqual({ ok: true, revision: 2 });
    expect(await store.get("p", ["a"])).toMatchObject([{ value: 3 }]);
  });

  it("is told as full, though nobody has written since, until there is room again", async () => {
    expect(store.full?.()).toBeNull();
    fill(disk);
    expect(store.full?.()).toContain("The disk is full");
    rmSync(join(disk, "filler"));
    expect(store.full?.()).toBeNull();
  });

  it("/readyz says so and stays 200, since reads go on, and says when writes are taken again", async () => {
    await store.close();
    const engine = await new Engine({ env: { STORE_URL: `sqlite:${join(disk, "env.db")}` } }).start();
    try {
      const store = async () => (await engine.get<{ checks: { store: object } }>("/readyz")).body.checks.store;
      expect(await store()).toEqual({ status: "ok" });
      fill(disk);
      expect(await engine.get("/readyz")).toMatchObject({ status: 200, body: { status: "ready" } });
      expect(await store()).toMatchObject({ status: "degraded", reason: expect.stringContaining("Writes are refused, reads go on.") });
      rmSync(join(disk, "filler"));
      expect(await store()).toEqual({ status: "ok" });
    } finally {
      await engine.dispose();
    }
  });

  it("an engine that finds no room to start says to make some and start again: it answers nothing meanwhile", async () => {
    await store.close();
    fill(disk);
    const engine = new Engine({ env: { STORE_URL: `sqlite:${join(disk, "env.db")}` } });
    await expect(engine.start()).rejects.toThrow();
    expect(engine.output()).toContain("The disk is full");
    expect(engine.output()).toContain("Free some space, and start again.");
    expect(engine.output()).not.toContain("Reads go on");
    await engine.dispose();
  });

  it("commits until it is full are all there after a restart", async () => {
    let written = 0;
    const text = "x".repeat(50_000);
    for (let error: unknown = null; error === null; ) {
      error = await store.commit("p", put(`k/${written}`, text)).then(
        () => null,
        (thrown: unknown) => thrown,
      );
      if (error === null) written++;
      else expect(error).toMatchObject({ code: "storage_full" });
    }
    expect(written).toBeGreaterThan(5);
    expect(await store.list("p", { prefix: "k/", limit: 1000 })).toHaveLength(written);
    await store.close();
    store = await openStore(`sqlite:${join(disk, "env.db")}`);
    expect(await store.list("p", { prefix: "k/", limit: 1000 })).toHaveLength(written);
  });
});

describe("a file that may not grow", () => {
  it("fails the writes that need room with storage_full, and takes them when it may", async () => {
    const path = join(folder, "env.db");
    const open = async (pages?: number): Promise<Store> => {
      const file = await openFile(path, 0);
      // SQLite's own bound stands in for the disk's, where no small disk can be mounted.
      return checked(
        new SqliteBackend(pages === undefined ? file : { ...file, pragmas: [...file.pragmas, `max_page_count = ${pages}`] }, Date.now),
      );
    };
    let store = await open();
    await store.commit("p", put("a", 1));
    await store.close();
    store = await open(pagesOf(path));
    const [full, small] = await Promise.allSettled([store.commit("p", put("b", "x".repeat(100_000))), store.commit("q", put("a", 1))]);
    expect(full).toMatchObject({ status: "rejected", reason: { code: "storage_full" } });
    // The disk has room: only the refusal tells of it.
    expect(store.full?.()).toContain("The disk is full");
    // Whether the small one still fits is the database's affair; half of it there is not.
    expect(await store.revision(["p", "q"])).toEqual([1, small.status === "fulfilled" ? 1 : 0]);
    expect(await store.get("p", ["a", "b"])).toMatchObject([{ value: 1 }, null]);
    expect(await store.commit("p", put("a", 2))).toMatchObject({ ok: true });
    await store.close();
    store = await open();
    expect(await store.commit("p", put("b", "x".repeat(100_000)))).toMatchObject({ ok: true });
    await store.close();
  });
});

function pagesOf(path: string): number {
  const db = new Database(path, { readonly: true });
  try {
    return Number(db.pragma("page_count", { simple: true }));
  } finally {
    db.close();
  }
}

function mount(disk: string): boolean {
  return spawnSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_BYTES}`, "tmpfs", disk]).status === 0;
}

function canMount(): boolean {
  const trial = temporaryFolder();
  const mounted = mount(trial);
  if (mounted) spawnSync("umount", [trial]);
  rmSync(trial, { recursive: true });
  return mounted;
}

function fill(disk: string): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(join(disk, "filler"), Buffer.alloc(bavail * bsize));
}
