import { afterAll, beforeAll } from "vitest";
import type { Store } from "../../src/ports.ts";
import { checked } from "../../src/storage/checked.ts";
import { openRedis } from "../../src/storage/redis.ts";
import { type Opened, storeConformance } from "../conformance/store.ts";
import { RedisServer } from "../support/redis.ts";
import { ageObjects, turnsWaiting } from "./redis-support.ts";

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.dispose());

const noFailures = "nothing can fail between two writes of a Redis script: redis-atomicity.test.ts shows what can";
storeConformance("redis", openShared, { noFailures });

/** One server for all: each test has partitions of its own. */
async function openShared(): Promise<Opened> {
  const open = async () => checked(await openRedis(server.url));
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
    age: (ms) => ageObjects([server], ms),
    turnsWaiting: (partition) => turnsWaiting([server], partition),
    async dispose() {
      for (const store of [current, ...others]) await store.close();
    },
  };
}
