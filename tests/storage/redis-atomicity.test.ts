import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Change, Store } from "../../src/ports.ts";
import { checked } from "../../src/storage/checked.ts";
import { whole } from "../../src/storage/delta-bases.ts";
import { openRedis } from "../../src/storage/redis.ts";
import { SCRIPTS } from "../../src/storage/redis-scripts.ts";
import { commitWords, keysOf } from "../../src/storage/redis-words.ts";
import { change, hash, object, partitionName, put, read, win } from "../conformance/store.ts";
import { RedisServer } from "../support/redis.ts";
import { errorOf } from "./support.ts";

let server: RedisServer;
let store: Store;

beforeAll(async () => {
  server = await RedisServer.start("--busy-reply-threshold", "20");
});
afterAll(() => server.dispose());
beforeEach(async () => {
  store = checked(await openRedis(server.url));
});
afterEach(() => store.close());

const BEFORE = change({
  puts: [
    { key: "old", value: 1 },
    { key: "doomed", value: 1 },
  ],
  objects: [object("aa")],
});

function everything(revision: number): Change {
  return {
    checks: [{ key: "old", revision }],
    puts: [
      { key: "new", value: 2 },
      { key: "old", value: 2 },
    ],
    deletes: ["doomed"],
    objects: [object("bb")],
    objectDeletes: [hash("aa")],
  };
}

async function contents(partition: string) {
  const documents = (await store.list(partition, { prefix: "", limit: 9 })).map(({ key, value }) => [key, value]);
  const objects = (await store.objects.list(partition, null, 9)).map((info) => info.hash);
  return { documents, objects, revisions: await store.revision([partition]) };
}

describe("a commit that Redis refuses", () => {
  it("for want of memory is storage_full, writes nothing, and succeeds when there is room", async () => {
    const p = partitionName();
    const revision = await win(store, p, BEFORE);
    const before = await contents(p);
    await server.command("CONFIG", "SET", "maxmemory", "1mb");
    expect(await errorOf(store.commit(p, everything(revision)))).toMatchObject({ code: "storage_full" });
    expect(await errorOf(store.objects.put(p, [object("cc")]))).toMatchObject({ code: "storage_full" });
    // Deleting alone is refused too: a commit is taken as a whole.
    expect(await errorOf(store.commit(p, change({ deletes: ["doomed"] })))).toMatchObject({ code: "storage_full" });
    expect(await contents(p)).toEqual(before);
    await server.command("CONFIG", "SET", "maxmemory", "0");
    await win(store, p, everything(revision));
  });

  it("at any of its sizes, as memory runs out under it, is all or nothing", async () => {
    const p = partitionName();
    const used = Number(/^used_memory:(\d+)/m.exec(String(await server.command("INFO", "memory")))?.[1]);
    await server.command("CONFIG", "SET", "maxmemory", String(used + 2_000_000));
    const text = "x".repeat(100_000);
    let won = 0;
    for (let full = false; !full; ) {
      const puts = ["a", "b", "c"].map((name) => ({ key: `${name}/${won + 1}`, value: text }));
      full = await store.commit(p, change({ puts, objects: [object(String(won + 1), text)] })).then(
        () => false,
        () => true,
      );
      if (!full) won++;
    }
    await server.command("CONFIG", "SET", "maxmemory", "0");
    expect(won).toBeGreaterThan(0);
    expect(await store.list(p, { prefix: "", limit: 1000 })).toHaveLength(3 * won);
    expect(await store.objects.list(p, null, 1000)).toHaveLength(won);
    expect(await store.revision([p])).toEqual([won]);
  });

  it.each(["documents", "order", "revision", "objects", "uses", "deltas", "dependents", "hidden"] as const)(
    "because %s is not of the engine's making is refused before its first write",
    async (name) => {
      const p = partitionName();
      const revision = await win(store, p, BEFORE);
      const { fence: _, ...keys } = keysOf(p);
      await server.command("DEL", keys[name]);
      await server.command("SET", keys[name], "somebody else's");
      const stored = () => Promise.all(Object.values(keys).map((key) => server.command("DUMP", key)));
      const before = await stored();
      expect(await errorOf(store.commit(p, everything(revision)))).toMatchObject({ code: "store_unavailable" });
      expect(await stored()).toEqual(before);
    },
  );

  it("because it would bring back a delta to where none can be is refused before its first write", async () => {
    const p = partitionName();
    const { deltas, hidden } = keysOf(p);
    const hash = "61".repeat(32);
    await server.command("HSET", hidden, "a".repeat(32), "D");
    await server.command("SET", deltas, "somebody else's");
    const what = change({ puts: [{ key: "a", value: 1 }], objects: [{ hash, data: Buffer.from("x") }] });
    expect((await errorOf(store.commit(p, what))).message).toBe("A key of Redis is not as the engine made it.");
    expect(await contents(p)).toEqual({ documents: [], objects: [], revisions: [0] });
  });

  it("because a key is not of the engine's making says so", async () => {
    const p = partitionName();
    await server.command("SET", keysOf(p).order, "somebody else's");
    expect((await errorOf(store.commit(p, put("a", 1)))).message).toBe("A key of Redis is not as the engine made it.");
  });

  it("because a script of somebody else holds it up writes nothing, and SCRIPT KILL lets it go on", async () => {
    const p = partitionName();
    const stuck = server.command("EVAL", "while true do end", "0").catch((error: Error) => error.message);
    await untilBusy(p);
    expect(await errorOf(store.commit(p, put("a", 1)))).toMatchObject({
      code: "store_unavailable",
      message: "Redis is held up by a script.",
    });
    await server.command("SCRIPT", "KILL");
    expect(await stuck).toContain("killed");
    expect(await read(store, p, "a")).toBeUndefined();
    await win(store, p, put("a", 1));
  });
});

describe("a commit's script", () => {
  /** Runs it with an endless loop in its midst. */
  function runStuck(partition: string, after: string) {
    const what = everything(1);
    const { documents, order, revision, objects, uses, fence, deltas, dependents, hidden } = keysOf(partition);
    const keys = [documents, order, revision, objects, uses, fence("w"), deltas, dependents, hidden];
    const source = SCRIPTS.commit.source.replace(after, `${after}\nwhile true do end`);
    expect(source).not.toBe(SCRIPTS.commit.source);
    const changed = { ...what, puts: what.puts.map(({ key, value }) => ({ key, value: JSON.stringify(value) })) };
    const words = ["1", "channel", partition, ...commitWords(changed, whole(what.objects))].map((word) =>
      typeof word === "string" ? word : word.toString("latin1"),
    );
    return server.command("EVAL", source, String(keys.length), ...keys, ...words).then(
      () => "done",
      (error: Error) => error.message,
    );
  }

  it("that is killed before its first write has written nothing", async () => {
    const p = partitionName();
    await win(store, p, BEFORE);
    const before = await contents(p);
    const killed = runStuck(p, "now = now[1] * 1000 + math.floor(now[2] / 1000)");
    await untilBusy(p);
    await server.command("SCRIPT", "KILL");
    expect(await killed).toContain("killed");
    expect(await contents(p)).toEqual(before);
  });

  it("cannot be killed once it has written; where the server is, nothing of it is there afterwards", async () => {
    const p = partitionName();
    await win(store, p, BEFORE);
    const before = await contents(p);
    const cut = runStuck(p, "call('HSET', documents, values, 1, 2 * puts)");
    await untilBusy(p);
    await expect(server.command("SCRIPT", "KILL")).rejects.toThrow("UNKILLABLE");
    await server.restart();
    expect(await cut).toMatch(/closed|ECONNRESET/i);
    expect(await contents(p)).toEqual(before);
  });
});

/** Reads until Redis says that it is held up. */
async function untilBusy(partition: string): Promise<void> {
  for (;;) {
    const error = await store.get(partition, ["a"]).then(
      () => null,
      (thrown: Error) => thrown,
    );
    if (error?.message === "Redis is held up by a script.") return;
    if (error !== null) throw error;
  }
}
