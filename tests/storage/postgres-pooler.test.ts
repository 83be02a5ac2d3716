import { randomBytes } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { openPostgres, type PostgresBackend, type PostgresOptions } from "../../src/storage/postgres.ts";
import { PgBouncer, type PoolMode } from "../support/pgbouncer.ts";
import { usePostgres } from "../support/postgres.ts";

/** Longer than the engine waits for its own notification, and than PgBouncer and the engine take to connect again. */
const PATIENCE_MS = 30_000;
/** Two looks of an engine for what nobody told it come this far apart: whoever hears sooner was told. */
const NEVER_MS = 24 * 60 * 60_000;

const server = usePostgres();
const opened: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.stop();
});

async function pooler(mode: PoolMode, settings: Readonly<Record<string, string | number>> = {}): Promise<PgBouncer> {
  const started = await PgBouncer.start(server(), mode, settings);
  opened.push(started);
  return started;
}

async function open(url: string, options: PostgresOptions = {}): Promise<PostgresBackend> {
  const backend = await openPostgres(url, { pollMs: NEVER_MS, ...options });
  opened.push({ stop: () => backend.close() });
  return backend;
}

async function database(): Promise<string> {
  return new URL(await server().createDatabase()).pathname.slice(1);
}

function write(backend: PostgresBackend, partition: string) {
  const put = { key: "a", value: JSON.stringify(randomBytes(4).toString("hex")) };
  return backend.commit(partition, { checks: [], puts: [put], deletes: [], objects: [], objectDeletes: [] });
}

/** Resolves when it is told of a change to the partition. */
function news(backend: PostgresBackend, partition: string): Promise<void> {
  return new Promise((resolve) => {
    const subscription = backend.watch({
      onChange(changed) {
        if (changed !== partition) return;
        subscription.close();
        resolve();
      },
      onGap() {},
    });
  });
}

/** One commits, takes its turn, and the other hears of it. */
async function work(url: string): Promise<void> {
  const [one, other] = [await open(url), await open(url)];
  for (let n = 1; n <= 5; n++) {
    const heard = news(other, "p");
    const held = await one.turn("p");
    const next = other.turn("p");
    expect(await write(one, "p")).toEqual({ ok: true, revision: n });
    held.end();
    (await next).end();
    await heard;
    expect(await other.get("p", ["a"])).toEqual(await one.get("p", ["a"]));
  }
}

const refused = (reason: string, fix: string) =>
  expect.objectContaining({
    code: "store_unavailable",
    message: expect.stringContaining(reason),
    fix: expect.stringContaining(fix),
  });

describe("behind PgBouncer", () => {
  it("engines work and hear of one another with a connection for each session", async () => {
    const { port } = await pooler("session", { default_pool_size: 40 });
    await work(server().url(await database(), port));
  });

  it("they do with one for each transaction, where they listen at the server itself", async () => {
    const pgbouncer = await pooler("transaction");
    await work(pgbouncer.url(await database(), `?listen=127.0.0.1:${server().port}`));
  });

  it("an engine that would hear nothing of the others does not start, and says what to set", async () => {
    const pgbouncer = await pooler("transaction");
    await expect(open(pgbouncer.url(await database()))).rejects.toThrow(refused("hears nothing", "?listen="));
  });

  it.each(["", "listens at the server itself"])(
    "one does not start with a connection for each statement, on tables that are there (%s)",
    async (listens) => {
      const pgbouncer = await pooler("statement");
      const name = await database();
      await (await openPostgres(server().url(name))).close();
      const url = pgbouncer.url(name, listens === "" ? "" : `?listen=127.0.0.1:${server().port}`);
      await expect(open(url)).rejects.toThrow(refused("each statement", "pool_mode"));
    },
  );

  it(
    "a mode that is changed while engines run is told the operator once, and what nobody heard of is noticed all the same",
    async () => {
      const pgbouncer = await pooler("session", { default_pool_size: 40 });
      const url = pgbouncer.url(await database());
      const notices: string[] = [];
      const listens = await open(url, { pollMs: 100, onNotice: (notice) => notices.push(notice) });
      const other = await open(url);
      await write(other, "p");
      await listens.get("p", ["a"]);
      await pgbouncer.reload("transaction");
      await expect
        .poll(
          async () => {
            const heard = news(listens, "p");
            await write(other, "p");
            await heard;
            return notices.filter((notice) => notice.includes("?listen="));
          },
          { timeout: PATIENCE_MS },
        )
        .toHaveLength(1);
      const gap = new Promise<void>((resolve) => listens.watch({ onChange() {}, onGap: resolve }));
      await pgbouncer.reload("session");
      await gap;
      expect(notices.filter((notice) => notice.includes("?listen="))).toHaveLength(1);
    },
    2 * PATIENCE_MS,
  );

  it(
    "engines hear again after it was gone, and are told that they may have missed something",
    async () => {
      const pgbouncer = await pooler("session", { default_pool_size: 40 });
      const url = pgbouncer.url(await database());
      const [one, other] = [await open(url, { pollMs: 100 }), await open(url, { pollMs: 100 })];
      await write(one, "p");
      const gap = new Promise<void>((resolve) => other.watch({ onChange() {}, onGap: resolve }));
      await pgbouncer.kill();
      await expect(write(one, "p")).rejects.toThrow(expect.objectContaining({ code: "store_unavailable" }));
      await pgbouncer.restart();
      await gap;
      const heard = news(other, "p");
      await write(one, "p");
      await heard;
    },
    PATIENCE_MS,
  );
});

describe("an engine that listens at another server", () => {
  const another = usePostgres();

  it("does not start", async () => {
    const url = `${server().url()}?listen=127.0.0.1:${another().port}`;
    await expect(open(url)).rejects.toThrow(refused("listen names another server", "?listen="));
  });
});

describe("what PgBouncer itself refuses is told", () => {
  it("where it takes no more clients", async () => {
    const pgbouncer = await pooler("transaction", { max_client_conn: 2 });
    const backend = await open(pgbouncer.url(await database(), `?listen=127.0.0.1:${server().port}`));
    const reads = Array.from({ length: 5 }, (_, n) => backend.get(`p${n}`, ["a"]));
    for (const read of reads) read.catch(() => {});
    await expect(Promise.all(reads)).rejects.toThrow(refused("takes no more clients", "max_client_conn"));
  });

  it("where it has no connection left", async () => {
    const pgbouncer = await pooler("session", { default_pool_size: 2, query_wait_timeout: 1 });
    const backend = await open(pgbouncer.url(await database()));
    await expect(write(backend, "p")).rejects.toThrow(refused("all taken", "default_pool_size"));
  });

  it("where the password, the user or the database is wrong", async () => {
    const pgbouncer = await pooler("transaction");
    const url = pgbouncer.url(await database());
    await expect(open(url.replace(/:[^:@]+@/, ":wrong@"))).rejects.toThrow(refused("refuses the user or the password", "STORE_URL"));
    await expect(open(url.replace("//postgres:", "//somebody:"))).rejects.toThrow(refused("refuses the user or the password", "STORE_URL"));
    await expect(open(pgbouncer.url("nowhere"))).rejects.toThrow(refused("has no such database", "Create the database"));
  });
});
