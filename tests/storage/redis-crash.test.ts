import { setImmediate } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Store } from "../../src/ports.ts";
import { checked } from "../../src/storage/checked.ts";
import { openRedis } from "../../src/storage/redis.ts";
import { RedisServer } from "../support/redis.ts";

const ROUNDS = process.env.ENV_MANAGER_TEST_LONG ? 100 : 4;
const PARTITIONS = ["left", "right"] as const;
const WRITERS = 8;

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.dispose());

/** What the writers of one partition were told. */
interface Told {
  /** Numbers of commits that were acknowledged. */
  readonly acknowledged: Set<number>;
  /** Numbers that were tried and looked for in vain, on a store that answered. */
  readonly denied: Set<string>;
}

it(`kill -9 of the Redis server under load loses nothing that was acknowledged, leaves no half commit, and lets none arrive late (${ROUNDS} rounds)`, {
  timeout: ROUNDS * 60_000,
}, async () => {
  const stores = await Promise.all([0, 1].map(async () => checked(await openRedis(server.url))));
  const told = new Map(
    PARTITIONS.map((partition) => [partition as string, { acknowledged: new Set<number>(), denied: new Set<string>() }]),
  );
  for (let round = 0; round < ROUNDS; round++) {
    let dead = false;
    let answered = 0;
    // A different number of commits each round, so that the kill meets different moments.
    const enough = 60 + ((round * 37) % 200);
    const writers = Array.from({ length: WRITERS }, async (_, writer) => {
      const partition = PARTITIONS[writer % PARTITIONS.length] as string;
      const store = stores[writer % stores.length === 0 ? 0 : 1] as Store;
      while (!dead) {
        await setImmediate();
        if (await write(store, partition, `${round}-${writer}-${answered}`, told.get(partition) as Told)) answered++;
        if (answered >= enough) dead = true;
      }
    });
    await Promise.race([Promise.all(writers), until(() => answered >= enough - WRITERS)]);
    await server.kill();
    dead = true;
    await server.restart();
    await Promise.all(writers);
    for (const store of stores) for (const [partition, what] of told) await verify(store, partition, what);
  }
  await Promise.all(stores.map((store) => store.close()));
});

/** One commit that moves the counter and puts two documents and an object under its number. Whether it was acknowledged. */
async function write(store: Store, partition: string, id: string, told: Told): Promise<boolean> {
  let number = 0;
  try {
    const [counter] = await store.get(partition, ["counter"]);
    number = Number(counter?.value ?? 0) + 1;
    const name = String(number).padStart(8, "0");
    const result = await store.commit(partition, {
      checks: [{ key: "counter", revision: counter?.revision ?? null }],
      puts: [
        { key: "counter", value: number },
        { key: `a/${name}`, value: number },
        { key: `b/${name}`, value: id },
      ],
      deletes: [],
      objects: [{ hash: name.padStart(64, "0"), data: Buffer.from(name.repeat(100)) }],
      objectDeletes: [],
    });
    if (result.ok) told.acknowledged.add(number);
    return result.ok;
  } catch {
    if (number > 0) await lookFor(store, partition, number, id, told);
    return false;
  }
}

/** What the ledger does with a commit that threw: it reads back, and believes what it reads. */
async function lookFor(store: Store, partition: string, number: number, id: string, told: Told): Promise<void> {
  try {
    const [found] = await store.get(partition, [`b/${String(number).padStart(8, "0")}`]);
    if (found?.value === id) told.acknowledged.add(number);
    else told.denied.add(id);
  } catch {
    // Nobody knows, and nobody was told.
  }
}

/** Whatever the counter says was committed is there whole, nothing beyond it is, and nothing that anybody was told is untrue. */
async function verify(store: Store, partition: string, { acknowledged, denied }: Told): Promise<void> {
  const [counter] = await store.get(partition, ["counter"]);
  const committed = Number(counter?.value ?? 0);
  expect(committed).toBeGreaterThanOrEqual(Math.max(0, ...acknowledged));
  const expected = Array.from({ length: committed }, (_, n) => n + 1);
  expect(await valuesOf(store, partition, "a/")).toEqual(expected);
  const ids = await valuesOf(store, partition, "b/");
  expect(ids).toHaveLength(committed);
  expect(ids.filter((id) => denied.has(String(id)))).toEqual([]);
  const objects = [];
  for (let after: string | null = null; ; after = objects.at(-1)?.hash ?? null) {
    const page = await store.objects.list(partition, after, 10_000);
    if (page.length === 0) break;
    objects.push(...page);
  }
  expect(objects.map(({ hash }) => Number(hash))).toEqual(expected);
  expect(await store.revision([partition])).toEqual([committed]);
}

async function valuesOf(store: Store, partition: string, prefix: string): Promise<unknown[]> {
  const values: unknown[] = [];
  for (let after: string | undefined; ; ) {
    const page = await store.list(partition, { prefix, limit: 10_000, ...(after !== undefined && { after }) });
    values.push(...page.map(({ value }) => value));
    after = page.at(-1)?.key;
    if (after === undefined) return values;
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setImmediate();
}
