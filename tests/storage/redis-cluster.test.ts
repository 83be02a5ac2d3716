import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Store } from "../../src/ports.ts";
import { checked } from "../../src/storage/checked.ts";
import { openRedis } from "../../src/storage/redis.ts";
import { openCluster, slotOf } from "../../src/storage/redis-cluster.ts";
import { redisTarget } from "../../src/storage/redis-url.ts";
import { change, object, partitionName, put, read, storeConformance, win } from "../conformance/store.ts";
import type { RedisServer } from "../support/redis.ts";
import { RedisCluster } from "../support/redis-cluster.ts";
import { ageObjects, turnsWaiting } from "./redis-support.ts";

let cluster: RedisCluster;
beforeAll(async () => {
  cluster = await RedisCluster.start(3);
});
afterAll(() => cluster.dispose());

storeConformance(
  "redis cluster",
  async () => {
    const open = async () => checked(await openRedis(cluster.url));
    let current = await open();
    const others: Store[] = [];
    return {
      store: current,
      async reopen() {
        await current.close();
        current = await open();
        return current;
      },
      async another() {
        const store = await open();
        others.push(store);
        return store;
      },
      age: (ms) => ageObjects(cluster.servers, ms),
      turnsWaiting: (partition) => turnsWaiting(cluster.servers, partition),
      async dispose() {
        for (const store of [current, ...others]) await store.close();
      },
    };
  },
  { noFailures: "nothing can fail between two writes of a Redis script: redis-atomicity.test.ts shows what can" },
);

describe("a store in a Redis cluster", () => {
  it("spreads partitions over all servers, each whole on one", async () => {
    await withStores(async (store) => {
      const partitions = Array.from({ length: 30 }, partitionName);
      await Promise.all(partitions.map((p) => win(store, p, change({ puts: [{ key: "a", value: 1 }], objects: [object("aa")] }))));
      const keys = await Promise.all(cluster.servers.map(async (server) => (await server.command("KEYS", "envm:*")) as string[]));
      for (const p of partitions) {
        expect(keys.map((own) => own.filter((key) => key.includes(p)).length).sort()).toEqual([0, 0, 5]);
      }
      for (const own of keys) expect(own.length).toBeGreaterThan(0);
      expect(await store.revision(partitions)).toEqual(partitions.map(() => 1));
    });
  });

  it("finds all servers by one of them", async () => {
    const store = checked(await openRedis(`redis+cluster://127.0.0.1:${cluster.servers[1]?.port}`));
    const partitions = Array.from({ length: 10 }, partitionName);
    expect(await store.revision(partitions)).toEqual(partitions.map(() => 0));
    await store.close();
  });

  it("asks nobody any more once it is closed, also by an address that is not what the servers call themselves", async () => {
    const servers = await openCluster(redisTarget(`redis+cluster://localhost:${cluster.servers[0]?.port}`));
    servers.close();
    await expect(servers.refresh()).rejects.toMatchObject({ code: "shutting_down" });
  });

  it("tells those who watch of commits on every server, each once", async () => {
    await withStores(async (watching, writing) => {
      const partitions = Array.from({ length: 12 }, partitionName);
      const told: string[] = [];
      await new Promise<void>((resolve) => {
        const seen = new Set<string>();
        watching.watch({
          onChange(partition) {
            if (!partitions.includes(partition)) return;
            told.push(partition);
            if (seen.add(partition).size === partitions.length) resolve();
          },
          onGap() {},
        });
        void Promise.all(partitions.map((p) => win(writing, p, put("a", 1))));
      });
      expect(told.sort()).toEqual([...partitions].sort());
    });
  });

  it("follows a partition whose slot moves while it is written to, and applies no commit twice", async () => {
    await withStores(async (store) => {
      const p = partitionName();
      const slot = slotOf(p);
      const from = await ownerOf(slot);
      const to = cluster.servers.find((server) => server !== from) as RedisServer;
      await win(store, p, put("counter", 0));
      let moving = true;
      const writing = (async () => {
        let acknowledged = 0;
        while (moving || acknowledged < 20) if (await increment(store, p)) acknowledged++;
        return acknowledged;
      })();
      await cluster.move(slot, from, to);
      moving = false;
      const acknowledged = await writing;
      expect(await read(store, p, "counter")).toBe(acknowledged);
      expect(await store.revision([p])).toEqual([acknowledged + 1]);
      expect(await ownerOf(slot)).toBe(to);
    });
  });

  it("serves the partitions of the other servers while one is gone, and all again when it is back", async () => {
    await withStores(async (store) => {
      for (const server of cluster.servers) await server.command("CONFIG", "SET", "cluster-require-full-coverage", "no");
      const lost = cluster.servers[2] as RedisServer;
      const partitions = Array.from({ length: 30 }, partitionName);
      const owners = await Promise.all(partitions.map((p) => ownerOf(slotOf(p))));
      const there = partitions.filter((_, index) => owners[index] !== lost);
      const gone = partitions.filter((_, index) => owners[index] === lost);
      await lost.kill();
      await Promise.all(there.map((p) => win(store, p, put("a", 1))));
      for (const p of gone.slice(0, 1)) await expect(store.get(p, ["a"])).rejects.toMatchObject({ code: "store_unavailable" });
      await lost.restart();
      await cluster.whole();
      for (const p of gone) await eventually(() => win(store, p, put("a", 1)));
    });
  });
});

/** One more, where nothing refuses; whether it was acknowledged. A refusal while a slot moves wrote nothing. */
async function increment(store: Store, partition: string): Promise<boolean> {
  try {
    const [entry] = await store.get(partition, ["counter"]);
    if (!entry) throw new Error("The counter is gone.");
    const checks = [{ key: "counter", revision: entry.revision }];
    return (await store.commit(partition, change({ checks, puts: [{ key: "counter", value: Number(entry.value) + 1 }] }))).ok;
  } catch (error) {
    if ((error as { code?: string }).code === "store_unavailable") return false;
    throw error;
  }
}

async function ownerOf(slot: number): Promise<RedisServer> {
  const [any] = cluster.servers;
  const ranges = (await any?.command("CLUSTER", "SLOTS")) as [number, number, [string, number]][];
  const port = ranges.find(([first, last]) => first <= slot && slot <= last)?.[2][1];
  return cluster.servers.find((server) => server.port === port) as RedisServer;
}

async function eventually(attempt: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await attempt();
      return;
    } catch {
      await new Promise(setImmediate);
    }
  }
}

async function withStores(work: (one: Store, other: Store) => Promise<void>): Promise<void> {
  const stores = [checked(await openRedis(cluster.url)), checked(await openRedis(cluster.url))] as const;
  try {
    await work(...stores);
  } finally {
    await Promise.all(stores.map((store) => store.close()));
  }
}
