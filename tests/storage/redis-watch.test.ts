import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Store } from "../../src/ports.ts";
import { checked } from "../../src/storage/checked.ts";
import { openRedis } from "../../src/storage/redis.ts";
import { partitionName, put, win } from "../conformance/store.ts";
import { RedisServer } from "../support/redis.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.dispose());

/** What one store's watcher is told, in order. */
function listen(store: Store) {
  const told: ([partition: string, revision: number] | "gap")[] = [];
  const waiting: (() => void)[] = [];
  const note = (what: (typeof told)[number]) => {
    told.push(what);
    for (const look of waiting) look();
  };
  const subscription = store.watch({ onChange: (partition, revision) => note([partition, revision]), onGap: () => note("gap") });
  const until = (condition: () => boolean) =>
    new Promise<void>((resolve) => {
      const look = () => condition() && resolve();
      waiting.push(look);
      look();
    });
  return {
    told,
    close: () => subscription.close(),
    gap: () => until(() => told.includes("gap")),
    change: (partition: string, revision: number) => until(() => told.some((what) => what[0] === partition && what[1] === revision)),
  };
}

async function withStores(
  url: string,
  work: (watching: Store, writing: Store) => Promise<void>,
  { replyMs = 60_000 }: { readonly replyMs?: number } = {},
): Promise<void> {
  const watching = checked(await openRedis(url, { replyMs }));
  const writing = checked(await openRedis(server.url));
  try {
    await work(watching, writing);
  } finally {
    await Promise.all([watching.close(), writing.close()]);
  }
}

describe("who watches a store in Redis", () => {
  it("is told of the commits of others, each once and in order", async () => {
    await withStores(server.url, async (watching, writing) => {
      const p = partitionName();
      const watch = listen(watching);
      for (let n = 1; n <= 50; n++) await win(n % 2 === 0 ? watching : writing, p, put("a", n));
      await watch.change(p, 50);
      const revisions = watch.told.filter((what) => what[0] === p).map(([, revision]) => Number(revision));
      expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
      expect(new Set(revisions).size).toBe(revisions.length);
      expect(watch.told).not.toContain("gap");
    });
  });

  it("is told that something may have been missed when the subscription broke, and of what comes then", async () => {
    await withStores(server.url, async (watching, writing) => {
      const p = partitionName();
      const watch = listen(watching);
      await server.command("CLIENT", "KILL", "TYPE", "pubsub");
      await watch.gap();
      const revision = await win(writing, p, put("a", 1));
      await watch.change(p, revision);
    });
  });

  it("is told so as soon as the server can be reached again, though the subscription looked well and was dead", async () => {
    const proxy = await TcpProxy.start(server.port);
    const work = async (watching: Store, writing: Store) => {
      const p = partitionName();
      const watch = listen(watching);
      // The announcement is what is held back, and with it all that comes on its connection.
      proxy.hold("answers");
      await win(writing, p, put("a", 1));
      await proxy.holding("answers");
      proxy.holdNoMore();
      await server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      await watch.gap();
      const revision = await win(writing, p, put("a", 2));
      await watch.change(p, revision);
    };
    // A probe would tell after a minute.
    await withStores(`redis://127.0.0.1:${proxy.port}`, work, { replyMs: 60_000 });
    await proxy.stop();
  });

  it("is told so too when the server comes back from a crash", async () => {
    await withStores(server.url, async (watching, writing) => {
      const p = partitionName();
      const watch = listen(watching);
      await server.restart();
      await watch.gap();
      const revision = await win(writing, p, put("a", 1));
      await watch.change(p, revision);
    });
  });

  it("hears of commits that others made while the subscription seemed to be well and was dead", async () => {
    const proxy = await TcpProxy.start(server.port);
    const work = async (watching: Store, writing: Store) => {
      const p = partitionName();
      const watch = listen(watching);
      // From here on nothing reaches the watcher on the connections that it has.
      proxy.hold("answers");
      await win(writing, p, put("a", 1));
      await proxy.holding("answers");
      proxy.holdNoMore();
      await watch.gap();
      const revision = await win(writing, p, put("a", 2));
      await watch.change(p, revision);
    };
    await withStores(`redis://127.0.0.1:${proxy.port}`, work, { replyMs: 2_000 });
    await proxy.stop();
  });
});
