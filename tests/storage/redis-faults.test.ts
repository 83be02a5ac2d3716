import { setImmediate } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { AppError } from "../../src/errors.ts";
import { Ledger } from "../../src/ledger.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Store } from "../../src/ports.ts";
import { checked } from "../../src/storage/checked.ts";
import { openRedis } from "../../src/storage/redis.ts";
import { SCRIPTS } from "../../src/storage/redis-scripts.ts";
import { keysOf } from "../../src/storage/redis-words.ts";
import type { Transaction } from "../../src/transaction.ts";
import { change, partitionName, put, read, win } from "../conformance/store.ts";
import { caller } from "../domain/support.ts";
import { RedisServer } from "../support/redis.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { errorOf } from "./support.ts";

/** For what must be answered, on whatever machine. */
const PATIENT_MS = 60_000;
/** For what is not. */
const HASTY_MS = 2_000;

let server: RedisServer;
let proxy: TcpProxy;
/** Behind the proxy. */
let store: Store;
/** Straight to the server: what anybody else sees. */
let other: Store;

beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.dispose());
beforeEach(async () => {
  proxy = await TcpProxy.start(server.port);
  store = checked(await openRedis(`redis://127.0.0.1:${proxy.port}`, { replyMs: PATIENT_MS }));
  other = checked(await openRedis(server.url));
});
afterEach(async () => {
  await Promise.all([store.close(), other.close()]);
  await proxy.stop();
});

/** Uses a store behind the proxy that waits for answers for so long. */
async function withReplyMs(replyMs: number, use: (store: Store) => Promise<void>): Promise<void> {
  const one = checked(await openRedis(`redis://127.0.0.1:${proxy.port}`, { replyMs }));
  await use(one).finally(() => {
    // What is held back of others is theirs.
    proxy.release();
    return one.close();
  });
}

/** Runs the commit and lets its connection fail in the way that `fail` makes it. */
async function commitThat(fail: () => Promise<void>, partition: string, what = put("a", 1)) {
  const outcome = errorOf(store.commit(partition, what));
  await fail();
  return outcome;
}

describe("a commit whose connection breaks", () => {
  it("before it reached Redis is unknown to its caller, who finds that it did not happen", async () => {
    const p = partitionName();
    proxy.hold("requests");
    const error = await commitThat(async () => {
      await proxy.holding("requests");
      proxy.cut();
      proxy.release();
    }, p);
    expect(error.code).toBe("store_unavailable");
    expect(await read(store, p, "a")).toBeUndefined();
    expect(await win(store, p, put("a", 2))).toBe(1);
  });

  it("after it reached Redis is unknown to its caller, who finds it", async () => {
    const p = partitionName();
    proxy.hold("answers");
    const error = await commitThat(async () => {
      await proxy.holding("answers");
      proxy.cut();
      proxy.release();
    }, p);
    expect(error.code).toBe("store_unavailable");
    expect(await read(store, p, "a")).toBe(1);
    expect(await other.revision([p])).toEqual([1]);
  });

  it("cannot arrive late: once its caller has looked for it in vain, Redis refuses it", async () => {
    const p = partitionName();
    await win(store, p, put("a", 0));
    proxy.hold("requests");
    await commitThat(async () => {
      await proxy.holding("requests");
      proxy.cutClients();
      // New connections go through; the old one's bytes wait.
      proxy.holdNoMore();
    }, p);
    expect(await read(store, p, "a")).toBe(0);
    const before = await statements();
    proxy.release();
    await until(async () => (await statements()) > before);
    expect(await read(other, p, "a")).toBe(0);
    expect(await other.revision([p])).toEqual([1]);
  });

  it("may arrive late as long as nobody was told that it did not happen", async () => {
    const p = partitionName();
    proxy.hold("requests");
    await commitThat(async () => {
      await proxy.holding("requests");
      proxy.cutClients();
      proxy.holdNoMore();
    }, p);
    proxy.release();
    await until(async () => (await other.revision([p]))[0] === 1);
    expect(await read(store, p, "a")).toBe(1);
  });

  it("does not stop later commits, nor those to other partitions", async () => {
    const [p, q] = [partitionName(), partitionName()];
    proxy.hold("requests");
    await commitThat(async () => {
      await proxy.holding("requests");
      proxy.cut();
      proxy.release();
    }, p);
    // On a connection of its own, which was cut too: a read finds that out, and is sent again.
    expect(await read(store, q, "b")).toBeUndefined();
    const revisions = await Promise.all([win(store, p, put("b", 1)), win(store, q, put("b", 1)), win(store, q, put("c", 1))]);
    expect(revisions).toEqual([1, 1, 2]);
  });
});

describe("a fence", () => {
  it("that arrives after a newer one takes nothing back from it", async () => {
    const key = keysOf(partitionName()).fence("writer");
    for (const era of ["7", "5"]) await server.command("EVAL", SCRIPTS.fence.source, "1", key, era);
    expect(await server.command("GET", key)).toBe("7");
    expect(Number(await server.command("PTTL", key))).toBeGreaterThan(0);
    await server.command("EVAL", SCRIPTS.fence.source, "1", key, "11");
    expect(await server.command("GET", key)).toBe("11");
  });
});

describe("the ledger", () => {
  it.each(["requests", "answers"] as const)("settles a commit whose %s are lost, and it takes effect once or never", async (direction) => {
    const p = partitionName();
    const ledger = new Ledger(store);
    expect(await ledger.write(p, caller("anna"), increment)).toBe(1);
    proxy.hold(direction, SCRIPTS.commit.sha);
    const outcome = ledger.write(p, caller("anna"), increment).then(
      () => "acknowledged",
      (error: AppError) => error.code,
    );
    await proxy.holding(direction);
    proxy.cutClients();
    proxy.holdNoMore();
    expect(await outcome).toBe(direction === "answers" ? "acknowledged" : "store_unavailable");
    proxy.release();
    const reached = direction === "answers" ? 2 : 1;
    expect(await read(other, p, "counter")).toEqual({ value: reached });
    expect(await ledger.write(p, caller("anna"), increment)).toBe(reached + 1);
  });
});

describe("connections that break one after another", () => {
  it("hold up what goes over them alone, and every commit is written once or never", { timeout: PATIENT_MS }, async () => {
    const partitions = Array.from({ length: 2 * LIMITS.redisWriters }, partitionName);
    const ledger = new Ledger(other);
    let settled = 0;
    const counts = await Promise.all(
      partitions.map(async (p) => {
        let [done, failed] = [0, 0];
        while (done < 20) {
          await ledger.write(p, caller("anna"), increment).then(
            () => done++,
            () => failed++,
          );
          if (++settled % 16 === 0) await breakOne(settled / 16);
        }
        return { done, failed };
      }),
    );
    for (const [index, { done, failed }] of counts.entries()) {
      const found = (await read(store, partitions[index] ?? "", "counter")) as unknown as Counter;
      expect(found.value).toBeGreaterThanOrEqual(done);
      expect(found.value).toBeLessThanOrEqual(done + failed);
    }
  });

  async function breakOne(turn: number): Promise<void> {
    const all = String(await server.command("CLIENT", "LIST")).split("\n");
    const ids = all.filter((line) => line.includes(" name=environment-manager ")).map((line) => /^id=(\d+)/.exec(line)?.[1] ?? "");
    await server.command("CLIENT", "KILL", "ID", ids[turn % ids.length] ?? "0");
  }
});

interface Counter {
  readonly value: number;
}

/** One more, and an audit record of it. */
async function increment(tx: Transaction): Promise<number> {
  const value = ((await tx.get<Counter>("counter"))?.value ?? 0) + 1;
  tx.put("counter", { value });
  await tx.audit({ action: "update", details: { value } });
  return value;
}

describe("a connection that is half open", () => {
  it("is given up after a while, and another one serves", () =>
    withReplyMs(HASTY_MS, async (hasty) => {
      const p = partitionName();
      await win(hasty, p, put("a", 1));
      proxy.hold("requests");
      const found = read(hasty, p, "a");
      await proxy.holding("requests");
      proxy.holdNoMore();
      expect(await found).toBe(1);
    }));

  it("that is slow is not given up", () =>
    withReplyMs(2 * HASTY_MS, async (hasty) => {
      const p = partitionName();
      // There and back, that is a fifth of the time.
      proxy.delay(HASTY_MS / 5);
      for (let n = 1; n <= 3; n++) expect(await win(hasty, p, put("a", n))).toBe(n);
    }));
});

describe("a server that becomes a replica while connections stand", () => {
  it("is not read from, until it is the primary again", { timeout: PATIENT_MS }, async () => {
    const [demoted, promoted] = [await RedisServer.start(), await RedisServer.start()];
    const reading = checked(await openRedis(demoted.url));
    const partitions = Array.from({ length: 2 * LIMITS.redisWriters }, partitionName);
    const refusals = () =>
      Promise.all(
        partitions.map((p) =>
          reading.get(p, ["a"]).then(
            () => null,
            ({ message }: AppError) => message,
          ),
        ),
      );
    await demoted.command("REPLICAOF", "127.0.0.1", String(promoted.port));
    await until(async () => /^master_link_status:up/m.test(String(await demoted.command("INFO", "replication"))));
    await until(async () => (await refusals()).every((message) => message === "This Redis server is a replica."));
    await demoted.command("REPLICAOF", "NO", "ONE");
    await until(async () => (await refusals()).every((message) => message === null));
    await reading.close();
    await Promise.all([demoted.dispose(), promoted.dispose()]);
  });
});

describe("while there is no connection", () => {
  it("requests wait a moment for the next, and are then refused without having been sent", async () => {
    const p = partitionName();
    proxy.refuse(true);
    proxy.cut();
    expect(await errorOf(store.get(p, ["a"]))).toMatchObject({ code: "store_unavailable", message: "Redis cannot be reached." });
    expect((await errorOf(store.commit(p, put("a", 1)))).code).toBe("store_unavailable");
    proxy.refuse(false);
    await until(async () => (await store.commit(p, put("a", 2)).catch(() => ({ ok: false }))).ok);
    expect(await other.revision([p])).toEqual([1]);
  });

  it("whoever finds the server again finds it for all partitions", async () => {
    const partitions = Array.from({ length: 16 }, partitionName);
    proxy.refuse(true);
    proxy.cut();
    // Each has waited its moment, and comes back after a pause of its own.
    expect((await Promise.all(partitions.map((p) => errorOf(store.get(p, ["a"]))))).every(({ code }) => code === "store_unavailable")).toBe(
      true,
    );
    proxy.refuse(false);
    const [first = ""] = partitions;
    await until(async () => (await store.get(first, ["a"]).catch(() => null)) !== null);
    expect(await Promise.all(partitions.map((p) => store.get(p, ["a"])))).toEqual(partitions.map(() => [null]));
  });

  it("those that come early enough are served by the next", async () => {
    const p = partitionName();
    await win(store, p, put("a", 1));
    proxy.cut();
    expect(await read(store, p, "a")).toBe(1);
    expect(await store.commit(p, change({ checks: [{ key: "a", revision: 1 }] }))).toEqual({ ok: true, revision: 2 });
  });
});

/** Scripts that the server has been asked to run. */
async function statements(): Promise<number> {
  const stats = String(await server.command("INFO", "commandstats"));
  return [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce((sum, [, calls]) => sum + Number(calls), 0);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  // What fails at once would otherwise keep the connection from ever coming back.
  while (!(await condition())) await setImmediate();
}
