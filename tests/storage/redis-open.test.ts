import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { openForReading, openStore } from "../../src/storage/open.ts";
import { openRedis } from "../../src/storage/redis.ts";
import { RedisLinks } from "../../src/storage/redis-links.ts";
import { redisTarget } from "../../src/storage/redis-url.ts";
import { change, object, partitionName, put, win } from "../conformance/store.ts";
import { freePort, RedisServer } from "../support/redis.ts";
import { errorOf, temporaryFolder } from "./support.ts";

const PARTITIONS = Array.from({ length: 40 }, (_, n) => `project-${n}`);

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.dispose());

async function withServer(args: readonly string[], work: (server: RedisServer) => Promise<void>): Promise<void> {
  const other = await RedisServer.start(...args);
  try {
    await work(other);
  } finally {
    await other.dispose();
  }
}

/** How many the server has of the engine's, of which its list says so. */
async function connections(of: RedisServer, what = /./): Promise<number> {
  const list = String(await of.command("CLIENT", "LIST")).split("\n");
  return list.filter((line) => line.includes(" name=environment-manager ") && what.test(line)).length;
}

/** Redis learns that a connection was ended a moment after it was; one of its own may be refused until then. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition().catch(() => false)));
}

describe("a Redis server that cannot be used", () => {
  it("is refused where there is none", async () => {
    const error = await errorOf(openRedis(`redis://:hidden@127.0.0.1:${await freePort()}`));
    expect(error).toMatchObject({ code: "store_unavailable", message: "Redis cannot be reached." });
    expect(JSON.stringify([error.message, error.fix])).not.toContain("hidden");
  });

  it("is refused where the password is wrong, or missing", async () => {
    await withServer(["--requirepass", "right-password"], async ({ port }) => {
      expect((await errorOf(openRedis(`redis://:wrong-password@127.0.0.1:${port}`))).message).toContain("user or password");
      expect((await errorOf(openRedis(`redis://127.0.0.1:${port}`))).message).toContain("password");
      await (await openRedis(`redis://:right-password@127.0.0.1:${port}`)).close();
    });
  });

  it("is refused where it has too few connections left, and those that were made are given back", async () => {
    await withServer(["--maxclients", "3"], async (busy) => {
      const error = await errorOf(openRedis(busy.url));
      expect(error).toMatchObject({ code: "store_unavailable", message: "Redis has no connection left." });
      expect(error.fix).toContain(`takes ${LIMITS.redisWriters + 1}`);
      await until(async () => (await connections(busy)) === 0);
    });
  });

  it("is refused where it is a replica", async () => {
    await withServer(["--replicaof", `127.0.0.1 ${server.port}`], async ({ url }) => {
      expect(await errorOf(openRedis(url))).toMatchObject({ code: "store_unavailable", fix: "Let STORE_URL name the primary." });
    });
  });

  it("is refused where it is a Sentinel, and is told to lead to the primary", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "sentinel.conf"), `sentinel monitor store 127.0.0.1 ${server.port} 1\n`);
    const port = await freePort();
    // One program: Debian has a package of its own for its second name.
    const args = [join(folder, "sentinel.conf"), "--sentinel", "--port", String(port), "--bind", "127.0.0.1", "--dir", folder];
    const sentinel = spawn("redis-server", args, { stdio: "ignore" });
    try {
      await until(async () => (await errorOf(openRedis(`redis://127.0.0.1:${port}`))).message !== "Redis cannot be reached.");
      expect(await errorOf(openRedis(`redis://127.0.0.1:${port}`))).toMatchObject({
        code: "store_unavailable",
        message: expect.stringContaining("is a Sentinel"),
        fix: expect.stringContaining("always leads to the primary"),
      });
    } finally {
      const exited = once(sentinel, "exit");
      sentinel.kill("SIGKILL");
      await exited;
      rmSync(folder, { recursive: true });
    }
  });

  it("is refused where it is of a cluster and STORE_URL says otherwise, and the other way round", async () => {
    await withServer(["--cluster-enabled", "yes"], async ({ url }) => {
      expect((await errorOf(openRedis(url))).fix).toContain("redis+cluster://");
    });
    expect((await errorOf(openRedis(`redis+cluster://127.0.0.1:${server.port}`))).message).toContain("not part of a cluster");
  });

  it("is refused to who only reads where it holds nothing of the engine's, and nothing is written", async () => {
    await withServer([], async (empty) => {
      expect((await errorOf(openForReading(empty.url))).message).toContain("nothing of the engine's");
      expect(await empty.command("DBSIZE")).toBe(0);
      await (await openRedis(empty.url)).close();
      await (await openForReading(empty.url)).close();
    });
  });

  it("is refused where a newer engine wrote to it, and nothing is changed", async () => {
    await withServer([], async (newer) => {
      await newer.command("SET", "envm:schema", "3");
      expect((await errorOf(openRedis(newer.url))).message).toContain("schema 3");
      expect(await newer.command("GET", "envm:schema")).toBe("3");
    });
  });
});

describe("a server with replicas", () => {
  it("is used, and the operator is told what a failover may cost", async () => {
    await withServer([], async (primary) => {
      const notices: string[] = [];
      const open = async () => (await openRedis(primary.url, { strict: true, onNotice: (notice) => notices.push(notice) })).close();
      await open();
      expect(notices).toEqual([]);
      await withServer(["--replicaof", `127.0.0.1 ${primary.port}`], async () => {
        await until(async () => /^connected_slaves:1/m.test(String(await primary.command("INFO", "replication"))));
        await open();
      });
      expect(notices).toEqual([expect.stringContaining("has 1 replica, ")]);
    });
  });
});

describe("an engine", () => {
  it("has a few connections for reads and commits, all in use, and one that listens", async () => {
    await withServer([], async (own) => {
      const store = await openStore(own.url);
      // As each begins, and as those of them stay that nothing else was sent on.
      const unused = / cmd=role /;
      expect(await connections(own, unused)).toBeGreaterThan(0);
      await Promise.all(PARTITIONS.map((p) => win(store, p, put("a", 1))));
      expect(await connections(own, unused)).toBe(0);
      expect(await connections(own)).toBe(LIMITS.redisWriters + 1);
      await store.close();
      await until(async () => (await connections(own)) === 0);
    });
  });

  it("sends what is of one partition over one connection", () => {
    const links = new RedisLinks(redisTarget(server.url), { host: "127.0.0.1", port: server.port });
    for (const p of PARTITIONS) expect(links.of(p)).toBe(links.of(p));
    expect(new Set(PARTITIONS.map((p) => links.of(p))).size).toBe(LIMITS.redisWriters);
  });
});

describe("a Redis server that may lose what it acknowledged", () => {
  const CARELESS = ["--appendonly", "no", "--no-appendfsync-on-rewrite", "yes", "--maxmemory-policy", "allkeys-lru"];

  it("is used with a warning that names every fault and the commands that mend it", async () => {
    await withServer(CARELESS, async ({ url }) => {
      const notices: string[] = [];
      await (await openStore(url, { onNotice: (notice) => notices.push(notice) })).close();
      expect(notices).toHaveLength(1);
      for (const setting of ["appendonly yes", "no-appendfsync-on-rewrite no", "maxmemory-policy noeviction"])
        expect(notices[0]).toContain(`CONFIG SET ${setting}`);
      expect(notices[0]).not.toContain("CONFIG SET appendfsync");
    });
  });

  it("is refused where that is asked for, until the commands were run", async () => {
    await withServer(CARELESS, async (careless) => {
      const error = await errorOf(openStore(careless.url, { strict: true }));
      expect(error.code).toBe("store_unavailable");
      for (const [, name = "", value = ""] of error.fix?.matchAll(/CONFIG SET (\S+) ([^\s,;]+)/g) ?? []) {
        await careless.command("CONFIG", "SET", name, value);
      }
      await (await openStore(careless.url, { strict: true })).close();
    });
  });

  it("may be one that does not tell: then the warning says that it cannot be checked, and strictness refuses", async () => {
    await withServer([], async (silent) => {
      await silent.command("ACL", "SETUSER", "managed", "on", ">pw", "~*", "&*", "+@all", "-config");
      const url = `redis://managed:pw@127.0.0.1:${silent.port}`;
      const notices: string[] = [];
      await (await openStore(url, { onNotice: (notice) => notices.push(notice) })).close();
      expect(notices[0]).toContain("does not let this user see by CONFIG GET");
      expect((await errorOf(openStore(url, { strict: true }))).fix).toContain("+config|get");
    });
  });

  it("and is well set up is used without a word", async () => {
    const notices: string[] = [];
    await (await openStore(server.url, { strict: true, onNotice: (notice) => notices.push(notice) })).close();
    expect(notices).toEqual([]);
  });
});

describe("the rights that docs/operations.md gives the engine's user", () => {
  it("are enough for everything", async () => {
    const text = readFileSync(new URL("../../docs/operations.md", import.meta.url), "utf8");
    const rule = /`ACL SETUSER engine ([^`]+)`/.exec(text)?.[1]?.split(" ") ?? [];
    await server.command("ACL", "SETUSER", "engine", ...rule);
    const store = await openStore(`redis://engine:password@127.0.0.1:${server.port}`, { strict: true });
    const p = partitionName();
    await win(store, p, change({ puts: [{ key: "a", value: 1 }], objects: [object("aa")] }));
    await store.get(p, ["a"]);
    await store.list(p, { prefix: "", limit: 1 });
    await store.objects.list(p, null, 1);
    await store.now();
    await win(store, p, put("a", 2));
    await store.close();
    await expect(server.command("ACL", "DRYRUN", "engine", "SET", "other", "1")).resolves.toMatch(/no permissions/);
  });
});
