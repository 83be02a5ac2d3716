import { afterAll, beforeAll } from "vitest";
import type { Store } from "../../src/ports.ts";
import { checked } from "../../src/storage/checked.ts";
import { openRedis } from "../../src/storage/redis.ts";
import { type Opened, storeConformance } from "../conformance/store.ts";
import { RedisServer } from "../support/redis.ts";

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
    age: (ms) => ageObjects(ms),
    async dispose() {
      for (const store of [current, ...others]) await store.close();
    },
  };
}

/** Moves the times of all objects back. */
async function ageObjects(ms: number): Promise<void> {
  const client = await server.client();
  for (const key of (await client.keys("envm:*:uses")) as string[]) {
    const script = `for _, use in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
      redis.call('ZREM', KEYS[1], use)
      redis.call('ZADD', KEYS[1], '0', string.sub(use, 1, 32) .. string.format('%.0f', tonumber(string.sub(use, 33)) - ${ms}))
    end`;
    await client.eval(script, { keys: [key] });
  }
  client.destroy();
}
