import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Store } from "../../src/ports.ts";
import { checked } from "../../src/storage/checked.ts";
import { openRedis } from "../../src/storage/redis.ts";
import { keysOf } from "../../src/storage/redis-words.ts";
import { change, partitionName, win } from "../conformance/store.ts";
import { built } from "../support/built.ts";
import { RedisServer } from "../support/redis.ts";
import { unreadable, version, writeVersions } from "./lines-support.ts";
import { errorOf } from "./support.ts";

let server: RedisServer;
let store: Store;

beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.dispose());
beforeEach(async () => {
  store = await open();
});
afterEach(() => store.close());

const open = async (options = {}) => checked(await openRedis(server.url, options));
const ALL = Array.from({ length: 100 }, (_, n) => version(n).hash);

/** How many fields each of a partition's hashes of objects has. */
async function fields(partition: string) {
  const { objects, deltas, dependents, hidden } = keysOf(partition);
  const count = (key: string) => server.command("HLEN", key);
  return { objects: await count(objects), deltas: await count(deltas), dependents: await count(dependents), hidden: await count(hidden) };
}

describe("objects in Redis", () => {
  it("are deltas, also where the engine that goes on has none of them in memory, and leave nothing behind", async () => {
    const p = partitionName();
    await writeVersions(store, p, 0, 49);
    const other = await open();
    await writeVersions(other, p, 50, 99);
    expect(await unreadable(store, p, ALL)).toEqual([]);
    expect(await fields(p)).toMatchObject({ objects: 2, deltas: 98, hidden: 0 });
    await win(store, p, change({ objectDeletes: ALL.slice(0, 80) }));
    expect(await unreadable(other, p, ALL.slice(80))).toEqual([]);
    expect((await fields(p)).hidden).toBeGreaterThan(0);
    await win(other, p, change({ objectDeletes: ALL.slice(80) }));
    expect(await fields(p)).toEqual({ objects: 0, deltas: 0, dependents: 0, hidden: 0 });
    await other.close();
  });

  it("are stored whole where what they would stand upon is gone, though the engine remembers it", async () => {
    const p = partitionName();
    await writeVersions(store, p, 0, 9);
    const other = await open();
    await win(other, p, change({ objectDeletes: ALL.slice(0, 10) }));
    await other.close();
    await writeVersions(store, p, 10, 11);
    expect(await unreadable(store, p, ALL.slice(10, 12))).toEqual([]);
    expect(await fields(p)).toMatchObject({ objects: 1, deltas: 1, hidden: 0 });
  });

  it("whose base is missing are refused with the reason", async () => {
    const p = partitionName();
    await writeVersions(store, p, 0, 1);
    await server.command("DEL", keysOf(p).objects);
    const error = await errorOf(store.objects.get(p, [version(1).hash]));
    expect(error.message).toContain(`what ${version(1).hash} is a delta upon is missing`);
  });

  it("of a store from before there were deltas stay whole until it is told that no older engine uses it", async () => {
    const p = partitionName();
    await server.command("SET", "envm:schema", "1");
    const old = await open();
    await writeVersions(old, p, 0, 9);
    expect(await fields(p)).toMatchObject({ objects: 10, deltas: 0 });
    const upgraded = await open({ deltas: true });
    expect(await server.command("GET", "envm:schema")).toBe("2");
    await writeVersions(upgraded, p, 10, 19);
    await writeVersions(old, p, 20, 29);
    expect(await fields(p)).toMatchObject({ objects: 20, deltas: 10 });
    for (const one of [store, old, upgraded]) expect(await unreadable(one, p, ALL.slice(0, 30))).toEqual([]);
    await old.close();
    await upgraded.close();
  });
});

describe("npm run store:deltas", () => {
  const run = (env: Record<string, string>, ...args: string[]) =>
    promisify(execFile)(process.execPath, [built("scripts/store-deltas.js"), ...args], { env: { ...process.env, ...env } });

  it("tells a shared store that no engine from before uses it, and says what is left to do", async () => {
    await server.command("SET", "envm:schema", "1");
    const { stdout } = await run({ STORE_URL: server.url });
    expect(stdout).toContain("Restart those that run");
    expect(await server.command("GET", "envm:schema")).toBe("2");
  });

  it("explains itself, and refuses what it does not know or what needs no such step", async () => {
    expect((await run({}, "--help")).stdout).toContain("There is no way back");
    await expect(run({ STORE_URL: server.url }, "--now")).rejects.toMatchObject({ code: 2 });
    await expect(run({ STORE_URL: "memory:" })).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining("no such step") });
  });
});
