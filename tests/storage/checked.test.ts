import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import type { Backend, Change, Json, Store } from "../../src/ports.ts";
import { checked } from "../../src/storage/checked.ts";
import { MemoryBackend } from "../../src/storage/memory.ts";
import { change, hash, object, put } from "../conformance/store.ts";
import { errorOf } from "./support.ts";

describe("the checking layer", () => {
  it.each([
    ["an empty key", ""],
    ["a NUL", "a\0b"],
    ["a line break", "a\nb"],
    ["a C1 control character", "a\u0085b"],
    ["half of a surrogate pair", "a\ud800b"],
    ["a key over the bound", "\u{1f600}".repeat(LIMITS.keyBytes / 4 + 1)],
  ])("refuses %s wherever a key is taken", async (_, key) => {
    const { store } = memory();
    const calls = [
      store.get("p", [key]),
      store.commit("p", put(key, 1)),
      store.commit("p", change({ deletes: [key] })),
      store.commit("p", change({ checks: [{ key, revision: null }] })),
    ];
    for (const call of calls) expect((await errorOf(call)).code).toBe("invalid_request");
  });

  it("takes a key as long as the bound, counted in UTF-8", async () => {
    const { store } = memory();
    const key = "\u{1f600}".repeat(LIMITS.keyBytes / 4);
    expect(await store.commit("p", put(key, 1))).toMatchObject({ ok: true });
    expect(await store.get("p", [key])).toMatchObject([{ value: 1 }]);
  });

  it.each(["", "-p", ".p", "a/b", "../p", "p p", "p\0", "é", "p\n", "x".repeat(LIMITS.partitionLength + 1)])(
    "refuses the partition %j",
    async (name) => {
      const { store } = memory();
      for (const call of callsOn(store, name)) expect((await errorOf(call)).code).toBe("invalid_request");
    },
  );

  it.each(["_system", "pf-777", "P_1:a.b-c", "constructor", "__proto__", "x".repeat(LIMITS.partitionLength)])(
    "takes the partition %j",
    async (name) => {
      const { store } = memory();
      await Promise.all(callsOn(store, name));
      expect(await store.get(name, ["a"])).toMatchObject([{ value: 1 }]);
    },
  );

  it.each(["", "abc", hash("aa").toUpperCase(), `${hash("aa")}0`, hash("gg")])("refuses the hash %j", async (bad) => {
    const { store } = memory();
    const data = new Uint8Array(1);
    const calls = [
      store.objects.get("p", [bad]),
      store.objects.put("p", [{ hash: bad, data }]),
      store.objects.put("p", [{ hash: hash("aa"), data, replaces: bad }]),
      store.objects.list("p", bad, 1),
      store.commit("p", change({ objects: [{ hash: bad, data }] })),
      store.commit("p", change({ objectDeletes: [bad] })),
    ];
    for (const call of calls) expect((await errorOf(call)).code).toBe("invalid_request");
  });

  it.each([0, -1, 1.5, Number.NaN, LIMITS.listEntries + 1])("refuses the limit %d", async (limit) => {
    const { store } = memory();
    expect((await errorOf(store.list("p", { prefix: "", limit }))).code).toBe("invalid_request");
    expect((await errorOf(store.objects.list("p", null, limit))).code).toBe("invalid_request");
  });

  it.each([0, -1, 1.5, Number.NaN])("refuses a check of revision %d", async (revision) => {
    const { store } = memory();
    expect((await errorOf(store.commit("p", change({ checks: [{ key: "a", revision }] })))).code).toBe("invalid_request");
  });

  it.each<[string, Partial<Change>]>([
    [
      "puts a key twice",
      {
        puts: [
          { key: "a", value: 1 },
          { key: "a", value: 2 },
        ],
      },
    ],
    ["deletes a key twice", { deletes: ["a", "a"] }],
    ["puts and deletes a key", { puts: [{ key: "a", value: 1 }], deletes: ["a"] }],
    [
      "checks a key twice",
      {
        checks: [
          { key: "a", revision: 1 },
          { key: "a", revision: null },
        ],
      },
    ],
    ["puts and deletes an object", { objects: [object("aa")], objectDeletes: [hash("aa")] }],
    ["deletes an object twice", { objectDeletes: [hash("aa"), hash("aa")] }],
  ])("refuses a commit that %s", async (_, parts) => {
    const { store } = memory();
    const error = await errorOf(store.commit("p", change(parts)));
    expect(error.code).toBe("invalid_request");
    expect(error.message).toContain("twice in one commit");
  });

  it.each<[string, unknown]>([
    ["a number that is not finite", Number.NaN],
    ["undefined inside", { a: [undefined] }],
    ["a Date", { at: new Date(0) }],
    ["half of a surrogate pair", "\udc00"],
  ])("refuses a document with %s, and names it", async (_, value) => {
    const { store } = memory();
    const error = await errorOf(store.commit("p", put("doc", value as Json)));
    expect(error.code).toBe("invalid_request");
    expect(error.message).toContain("doc");
  });

  it.each<[string, (store: Store) => Promise<unknown>]>([
    ["a document", (store) => store.commit("p", put("a", "x".repeat(LIMITS.documentBytes - 1)))],
    ["a document counted in UTF-8", (store) => store.commit("p", put("a", "é".repeat(LIMITS.documentBytes / 2)))],
    ["an object", (store) => store.objects.put("p", [object("aa", new Uint8Array(LIMITS.objectBytes + 1))])],
    [
      "objects together",
      (store) =>
        store.objects.put(
          "p",
          ["aa", "bb"].map((digits) => object(digits, new Uint8Array(LIMITS.objectBytes))),
        ),
    ],
    [
      "a read",
      (store) =>
        store.get(
          "p",
          Array.from({ length: LIMITS.getKeys + 1 }, () => "a"),
        ),
    ],
    [
      "a read of objects",
      (store) =>
        store.objects.get(
          "p",
          Array.from({ length: LIMITS.getKeys + 1 }, () => hash("aa")),
        ),
    ],
    ["a read of revisions", (store) => store.revision(Array.from({ length: LIMITS.getKeys + 1 }, () => "p"))],
    [
      "a commit's operations",
      (store) => store.commit("p", change({ deletes: Array.from({ length: LIMITS.commitOperations + 1 }, (_, n) => `${n}`) })),
    ],
  ])("refuses %s over its bound as too_large", async (_, call) => {
    const { store, asked } = memory();
    expect((await errorOf(call(store))).code).toBe("too_large");
    expect(asked()).toBe(0);
  });

  it("counts a commit's documents and their keys in UTF-8, to the last byte", async () => {
    const full = Array.from({ length: LIMITS.commitBytes / LIMITS.documentBytes }, (_, n) => {
      const key = `é${n}`;
      // The key takes three bytes, and two quotes belong to the document: ASCII, or two bytes for each character but one.
      const room = LIMITS.documentBytes - 3 - 2;
      return { key, value: n % 2 === 0 ? "x".repeat(room) : `${"é".repeat((room - 1) / 2)}x` };
    });
    const { store, asked } = memory();
    const over = full.map(({ key, value }, n) => ({ key, value: n === 0 ? `${value}x` : value }));
    expect((await errorOf(store.commit("p", change({ puts: over })))).message).toBe(
      `The commit has ${LIMITS.commitBytes + 1} bytes; the limit is ${LIMITS.commitBytes}.`,
    );
    expect(asked()).toBe(0);
    expect(await store.commit("p", change({ puts: full }))).toMatchObject({ ok: true });
  });

  it("hands the backend canonical JSON", async () => {
    const { store, backend } = memory();
    await store.commit("p", put("a", { b: [1.0, -0], a: "é" }));
    expect(await backend.get("p", ["a"])).toMatchObject([{ value: '{"a":"é","b":[1,0]}' }]);
  });

  it("says which document is damaged where the stored text is not JSON", async () => {
    const { store, backend } = memory();
    await backend.commit("p", { checks: [], puts: [{ key: "broken", value: "{" }], deletes: [], objects: [], objectDeletes: [] });
    for (const call of [store.get("p", ["broken"]), store.list("p", { prefix: "", limit: 1 })]) {
      expect(await errorOf(call)).toMatchObject({ code: "store_unavailable", message: expect.stringContaining('"broken" of "p"') });
    }
  });
});

function callsOn(store: Store, partition: string): Promise<unknown>[] {
  return [
    store.commit(partition, put("a", 1)),
    store.get(partition, ["a"]),
    store.list(partition, { prefix: "", limit: 1 }),
    store.revision([partition]),
    store.objects.get(partition, [hash("aa")]),
    store.objects.put(partition, [object("aa")]),
    store.objects.list(partition, null, 1),
  ];
}

/** A store in memory; `asked` counts the calls that came through to its backend. */
function memory(): { store: Store; backend: Backend; asked: () => number } {
  const backend = new MemoryBackend();
  let calls = 0;
  const count = <Method extends (...args: never[]) => unknown>(method: Method): Method =>
    ((...args: Parameters<Method>) => {
      calls++;
      return method(...args);
    }) as Method;
  const counted: Backend = {
    get: count((partition, keys) => backend.get(partition, keys)),
    list: count((partition, range) => backend.list(partition, range)),
    revision: count((partitions) => backend.revision(partitions)),
    commit: count((partition, what) => backend.commit(partition, what)),
    objects: { get: count(backend.objects.get), put: count(backend.objects.put), list: count(backend.objects.list) },
    watch: (handlers) => backend.watch(handlers),
    now: () => backend.now(),
    close: () => backend.close(),
  };
  return { store: checked(counted), backend, asked: () => calls };
}
