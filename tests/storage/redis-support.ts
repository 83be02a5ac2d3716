import { keysOf } from "../../src/storage/redis-words.ts";
import type { RedisServer } from "../support/redis.ts";

/** Makes every object of these servers look so many milliseconds older: by the times that they keep. */
export async function ageObjects(servers: readonly RedisServer[], ms: number): Promise<void> {
  const script = `for _, use in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    redis.call('ZREM', KEYS[1], use)
    redis.call('ZADD', KEYS[1], '0', string.sub(use, 1, 32) .. string.format('%.0f', tonumber(string.sub(use, 33)) - tonumber(ARGV[1])))
  end`;
  for (const server of servers) {
    for (const key of (await server.command("KEYS", "envm:*:uses")) as string[]) await server.command("EVAL", script, "1", key, String(ms));
  }
}

type Client = Awaited<ReturnType<RedisServer["client"]>>;

/** A connection for each server, for as long as that runs: one for each question takes longer than anybody waits for a turn. */
const clients = new WeakMap<RedisServer, Promise<Client>>();

/** How many of a partition's list of turns wait: all but the first. In a cluster one server has the list, and the others say so. */
export async function turnsWaiting(servers: readonly RedisServer[], partition: string): Promise<number> {
  const lengths = await Promise.all(
    servers.map(async (server) => {
      const client = clients.get(server) ?? server.client();
      clients.set(server, client);
      return (await client).sendCommand(["LLEN", keysOf(partition).turns]).catch(movedAway);
    }),
  );
  return Math.max(0, ...lengths.map((length) => Number(length) - 1));
}

function movedAway(error: unknown): number {
  if (String(error).includes("MOVED")) return 0;
  throw error;
}
