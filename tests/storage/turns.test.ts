import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import type { Store, Turn } from "../../src/ports.ts";
import { openStore } from "../../src/storage/open.ts";
import { usePostgres } from "../support/postgres.ts";
import { RedisServer } from "../support/redis.ts";
import { TransactionPooler } from "../support/transaction-pooler.ts";

const opened: Store[] = [];
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});

async function open(url: string): Promise<Store> {
  const store = await openStore(url);
  opened.push(store);
  return store;
}

function take(store: Store, partition = "p"): Promise<Turn> {
  if (store.turn === undefined) throw new Error("no turns");
  return store.turn(partition);
}

async function takeAndEnd(store: Store): Promise<boolean> {
  const { waited, end } = await take(store);
  end();
  return waited;
}

describe("on PostgreSQL", () => {
  const server = usePostgres({ auth: "trust" });

  test("the turn of an engine whose connection is lost goes to the next one", async () => {
    const url = server().url();
    const [first, second] = [await open(url), await open(url)];
    const lost = await take(first);
    const next = take(second);
    const waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    await expect.poll(async () => (await server().query(waiting)).length, { interval: 10 }).toBe(1);
    await server().query("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted");
    const turn = await next;
    expect(turn.waited).toBe(true);
    lost.end();
    turn.end();
    await takeAndEnd(first);
  });

  test("whoever waits too long is refused, and is given its turn another time", async () => {
    const url = server().url();
    const [first, second] = [await open(url), await open(url)];
    const held = await take(first);
    const since = performance.now();
    await expect(take(second)).rejects.toThrow(expect.objectContaining({ code: "store_unavailable" }));
    expect(performance.now() - since).toBeGreaterThan(LIMITS.writeTurnWaitMs - 10);
    held.end();
    await takeAndEnd(second);
  });

  test("an engine that does not end its turn loses it, and goes on", async () => {
    const url = server().url();
    const [first, second] = [await open(url), await open(url)];
    const held = await take(first);
    const isTaken = () => takeAndEnd(second).catch(() => "refused");
    await expect.poll(isTaken, { timeout: 4 * LIMITS.writeTurnMaxMs }).not.toBe("refused");
    held.end();
    await takeAndEnd(first);
  });

  test("engines that write more projects at a time than they have connections for turns are refused more of them", async () => {
    const store = await open(server().url());
    const turns = await Promise.all(Array.from({ length: LIMITS.postgresTurns }, (_, n) => take(store, `p${n}`)));
    const waiting = turns.map((_, n) => take(store, `q${n}`));
    await expect(take(store, "another")).rejects.toThrow(expect.objectContaining({ code: "overloaded" }));
    for (const { end } of turns) end();
    for (const { end } of await Promise.all(waiting)) end();
  });

  test("a pooler that gives each transaction another connection keeps nobody from a turn, nor from its end", async () => {
    const pooler = await TransactionPooler.start(server().port, 4);
    try {
      const url = `${server().url("postgres", pooler.port)}?listen=127.0.0.1:${server().port}`;
      const [first, second] = [await open(url), await open(url)];
      for (let n = 0; n < 5; n++) {
        const held = await take(first);
        const next = takeAndEnd(second);
        held.end();
        await next;
      }
    } finally {
      for (const store of opened.splice(0)) await store.close();
      await pooler.stop();
    }
  });
});

describe("on Redis", () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.dispose());

  test("an engine that is gone in its turn keeps one waiting, and once", async () => {
    const store = await open(server.url);
    await server.command("RPUSH", "envm:{p}:turns", "of an engine that is gone");
    const since = performance.now();
    await expect(take(store)).rejects.toThrow(expect.objectContaining({ code: "store_unavailable" }));
    expect(performance.now() - since).toBeGreaterThan(LIMITS.writeTurnWaitMs - 10);
    expect(await takeAndEnd(store)).toBe(false);
  });

  test("whoever waits behind it has its turn as soon as it is found out", async () => {
    const [first, second] = [await open(server.url), await open(server.url)];
    await server.command("RPUSH", "envm:{p}:turns", "of an engine that is gone");
    const refused = take(first).catch(() => "refused");
    await new Promise((resolve) => setTimeout(resolve, LIMITS.writeTurnWaitMs / 2));
    expect(await takeAndEnd(second)).toBe(true);
    expect(await refused).toBe("refused");
  });

  test("nothing is left of a turn that has ended, and of none for good", async () => {
    const store = await open(server.url);
    const { end } = await take(store);
    expect(await server.command("PTTL", "envm:{p}:turns")).toBeGreaterThan(0);
    end();
    await expect.poll(() => server.command("EXISTS", "envm:{p}:turns")).toBe(0);
  });
});
