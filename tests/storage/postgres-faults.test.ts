import pg from "pg";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { AppError } from "../../src/errors.ts";
import { Ledger } from "../../src/ledger.ts";
import type { Store } from "../../src/ports.ts";
import { checked } from "../../src/storage/checked.ts";
import { openPostgres, type PostgresOptions } from "../../src/storage/postgres.ts";
import type { Transaction } from "../../src/transaction.ts";
import { change, object, partitionName, put, read, win } from "../conformance/store.ts";
import { caller } from "../domain/support.ts";
import { usePostgres } from "../support/postgres.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { errorOf } from "./support.ts";

/** Seconds for what must be answered, on whatever machine. */
const PATIENT = 60;
/** Seconds for what is not. */
const HASTY = 2;
/** In the statement that commits. */
const COMMIT = "commit_group";

const server = usePostgres();
let proxy: TcpProxy;
/** Behind the proxy. */
let store: Store;
/** Straight to the server: what any other engine sees. */
let other: Store;

beforeEach(async () => {
  proxy = await TcpProxy.start(server().port);
  store = await open(proxy.port);
  other = await open(server().port);
});
afterEach(async () => {
  await Promise.all([store.close(), other.close()]);
  await proxy.stop();
});

interface Opening extends PostgresOptions {
  /** Seconds that a statement, or a new connection, may take. */
  readonly seconds?: number;
  /** Where it hears of others' commits, if not by the same port. */
  readonly listen?: number;
}

async function open(port: number, { seconds = PATIENT, listen, ...options }: Opening = {}): Promise<Store> {
  const listener = listen === undefined ? "" : `&listen=127.0.0.1:${listen}`;
  const query = `statement_timeout=${seconds * 1_000}&connect_timeout=${seconds}${listener}`;
  return checked(await openPostgres(`${server().url("postgres", port)}?${query}`, options));
}

/** Uses a store behind the proxy that does not wait for long. */
async function withHasty(use: (hasty: Store) => Promise<void>): Promise<void> {
  const hasty = await open(proxy.port, { seconds: HASTY });
  await use(hasty).finally(() => {
    // What is held back of others is theirs.
    proxy.release();
    return hasty.close();
  });
}

/** Commits while a fault goes on, and answers the error. */
async function commitDuring(partition: string, fault: () => Promise<void>, what = put("a", 1)) {
  const outcome = errorOf(store.commit(partition, what));
  await fault();
  return outcome;
}

/** Resolves when the server has nothing to do for any engine. */
async function settled(): Promise<void> {
  const busy = "SELECT FROM pg_stat_activity WHERE application_name = 'environment-manager' AND state <> 'idle'";
  await expect.poll(() => server().query(busy)).toHaveLength(0);
}

describe("a commit whose connection breaks", () => {
  it("before it reached the server is unknown, and reading back tells that it did not happen", async () => {
    const p = partitionName();
    const error = await commitDuring(p, async () => {
      proxy.hold("requests", COMMIT);
      await proxy.holding("requests");
      proxy.cut();
      proxy.release();
    });
    expect(error).toMatchObject({ code: "store_unavailable", fix: expect.stringMatching(/\S/) });
    expect(await read(store, p, "a")).toBeUndefined();
    expect(await win(store, p, put("a", 2))).toBe(1);
  });

  it("after it reached the server is unknown, and reading back tells that it happened", async () => {
    const p = partitionName();
    const error = await commitDuring(p, async () => {
      proxy.hold("answers", COMMIT);
      await proxy.holding("answers");
      proxy.cut();
      proxy.release();
    });
    expect(error.code).toBe("store_unavailable");
    expect(await read(store, p, "a")).toBe(1);
    expect(await store.revision([p])).toEqual([1]);
  });

  it("is never applied after its caller has read back, though it reaches the server later", async () => {
    const p = partitionName();
    await commitDuring(p, async () => {
      proxy.hold("requests", COMMIT);
      await proxy.holding("requests");
      proxy.cutClients();
      proxy.holdNoMore();
    });
    expect(await read(store, p, "a")).toBeUndefined();
    proxy.release();
    await settled();
    expect(await read(other, p, "a")).toBeUndefined();
    expect(await other.revision([p])).toEqual([0]);
    expect(await win(store, p, put("a", 2))).toBe(1);
  });

  it("is never applied after its caller has read back, though it waits for a lock meanwhile", async () => {
    const p = partitionName();
    await win(other, p, put("a", 0));
    const blocker = new pg.Client(server().url());
    await blocker.connect();
    await blocker.query("BEGIN");
    await blocker.query("SELECT FROM environment_manager.partition WHERE name = $1 FOR UPDATE", [p]);
    const error = await commitDuring(p, async () => {
      await waiting(1);
      proxy.cut();
      // The fence waits for the same lock.
      await waiting(2);
      await blocker.query("ROLLBACK");
    });
    expect(error.code).toBe("store_unavailable");
    // It waited first, so that it went first; what matters is that nothing changes from here on.
    const seen = await read(store, p, "a");
    await settled();
    expect(await read(other, p, "a")).toBe(seen);
    await blocker.end();
  });

  it("leaves its partitions unread until it is certain what became of it", () =>
    withHasty(async (hasty) => {
      const p = partitionName();
      const lost = errorOf(hasty.commit(p, put("a", 1)));
      proxy.hold("requests", COMMIT);
      await proxy.holding("requests");
      proxy.cutClients();
      // Nothing passes: whoever asks is not told what may still change.
      expect((await errorOf(hasty.get(p, ["a"]))).code).toBe("store_unavailable");
      proxy.holdNoMore();
      proxy.cut();
      expect((await lost).code).toBe("store_unavailable");
      expect(await read(hasty, p, "a")).toBeUndefined();
    }));

  it("does not take down those of other partitions that come after it", async () => {
    const [p, q] = [partitionName(), partitionName()];
    await commitDuring(p, async () => {
      proxy.hold("requests", COMMIT);
      await proxy.holding("requests");
      proxy.cut();
      proxy.release();
    });
    await Promise.all([win(store, q, put("a", 1)), win(store, p, put("a", 1))]);
  });
});

describe("the ledger", () => {
  it("answers a write whose answer was lost as if nothing had happened, and applies it once", async () => {
    const p = partitionName();
    const ledger = new Ledger(store);
    await ledger.write(p, caller("ann"), increment);
    const written = ledger.write(p, caller("ann"), increment);
    proxy.hold("answers", COMMIT);
    await proxy.holding("answers");
    proxy.cut();
    proxy.release();
    expect(await written).toBe(2);
    expect(await read(other, p, "counter")).toEqual({ value: 2 });
  });

  it("answers a write in the middle of which the server fell over, its disk being full, by whether it happened", async () => {
    const p = partitionName();
    const ledger = new Ledger(store);
    const written = ledger.write(p, caller("ann"), increment);
    proxy.hold("answers", COMMIT);
    await proxy.holding("answers");
    proxy.answerInstead(errorResponse("PANIC", "53100", 'could not fsync file "pg_wal/…": No space left on device'));
    proxy.holdNoMore();
    expect(await written).toBe(1);
    expect(await read(other, p, "counter")).toEqual({ value: 1 });
  });

  it("applies each write that it acknowledges once, and none that it refuses, however often connections are reset", {
    timeout: 300_000,
  }, async () => {
    const projects = Array.from({ length: 4 }, partitionName);
    const ledgers = [new Ledger(store), new Ledger(store)];
    const acknowledged = new Map(projects.map((p) => [p, 0]));
    /** Where it could not read back for so long that it says so: these may have been applied, or not. */
    const unknown = new Map(projects.map((p) => [p, 0]));
    const refusals = new Set<string>();
    let writers = 16;
    let resets = 0;
    const writing = Promise.all(
      Array.from({ length: writers }, async (_, writer) => {
        for (let n = 0; n < 40; n++) {
          const p = projects[(writer + n) % projects.length] as string;
          // Two ledgers of one project race, as two engines do.
          await ledgers[writer % 2]?.write(p, caller(`writer ${writer}`), increment).then(
            () => void acknowledged.set(p, (acknowledged.get(p) ?? 0) + 1),
            (error: AppError) => {
              expect(["store_unavailable", "write_conflict"]).toContain(error.code);
              refusals.add(error.message);
              if (error.message.includes("is not known")) unknown.set(p, (unknown.get(p) ?? 0) + 1);
            },
          );
        }
        writers--;
      }),
    );
    while (writers > 0) {
      const direction = resets % 2 === 0 ? "answers" : "requests";
      proxy.hold(direction, COMMIT);
      await Promise.race([proxy.holding(direction), writing]);
      if (resets % 3 === 0) proxy.cut();
      else proxy.cutClients();
      proxy.release();
      resets++;
    }
    await writing;
    await settled();
    expect(resets).toBeGreaterThan(10);
    for (const p of projects) {
      const [least = 0, doubtful = 0] = [acknowledged.get(p), unknown.get(p)];
      const { value } = (await read(other, p, "counter")) as { readonly value: number };
      expect(value, [...refusals].join("\n")).toBeGreaterThanOrEqual(least);
      expect(value, [...refusals].join("\n")).toBeLessThanOrEqual(least + doubtful);
      expect(await other.list(p, { prefix: "audit/", limit: 1_000 })).toHaveLength(value);
    }
  });
});

/** As the server sends it: fields of a letter and a text each, and how long all of them are. */
function errorResponse(severity: string, code: string, message: string): Buffer {
  const fields = Buffer.from(`S${severity}\0V${severity}\0C${code}\0M${message}\0\0`);
  const head = Buffer.from("E\0\0\0\0");
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}

async function increment(tx: Transaction): Promise<number> {
  const value = ((await tx.get<{ readonly value: number }>("counter"))?.value ?? 0) + 1;
  tx.put("counter", { value });
  await tx.audit({ action: "update", details: { value } });
  return value;
}

/** Resolves when as many sessions wait for a lock. */
async function waiting(sessions: number): Promise<void> {
  await expect.poll(() => server().query("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'")).toHaveLength(sessions);
}

describe("a connection that is half open", () => {
  it("fails reads and commits within their time, and is replaced", () =>
    withHasty(async (hasty) => {
      const p = partitionName();
      await win(hasty, p, put("a", 1));
      proxy.hold("answers");
      expect(await errorOf(hasty.get(p, ["a"]))).toMatchObject({
        code: "store_unavailable",
        message: expect.stringContaining("does not answer"),
      });
      proxy.holdNoMore();
      expect(await read(hasty, p, "a")).toBe(1);
      expect(await win(hasty, p, put("a", 2))).toBe(2);
    }));

  it("that lay idle costs a read one more attempt, and no error", async () => {
    const p = partitionName();
    await win(store, p, put("a", 1));
    expect(await read(store, p, "a")).toBe(1);
    proxy.cutClients();
    expect(await read(store, p, "a")).toBe(1);
  });
});

describe("a slow network", () => {
  it("loses nothing", async () => {
    const p = partitionName();
    proxy.delay(100);
    await Promise.all(
      Array.from({ length: 50 }, (_, n) => win(store, p, change({ puts: [{ key: `k/${n}`, value: n }], objects: [object("aa")] }))),
    );
    expect(await store.list(p, { prefix: "k/", limit: 100 })).toHaveLength(50);
  });
});

describe("watching", () => {
  it("announces a gap when the connection was lost, and tells of commits again", async () => {
    const p = partitionName();
    const gap = new Promise<void>((resolve) => store.watch({ onChange() {}, onGap: resolve }));
    proxy.cut();
    await gap;
    await heardOf(store, p, () => win(other, p, put("a", 1)));
  });

  it("notices a connection that is half open, though nothing is asked", async () => {
    const listening = await TcpProxy.start(server().port);
    const listener = await open(server().port, { pollMs: 100, seconds: HASTY, listen: listening.port });
    const gap = new Promise<void>((resolve) => listener.watch({ onChange() {}, onGap: resolve }));
    listening.hold("answers");
    await expect.poll(() => listening.connections).toBe(0);
    listening.holdNoMore();
    await gap;
    await listener.close();
    await listening.stop();
  });

  it("hears of a commit whose engine died before it told anybody", async () => {
    const p = partitionName();
    const polling = await open(server().port, { pollMs: 100 });
    await polling.revision([p]);
    await read(polling, p, "a");
    await heardOf(polling, p, () =>
      server().query("SELECT environment_manager.commit_group_2(gen_random_uuid(), $1, '')", [
        JSON.stringify([{ partition: p, commit: true }]),
      ]),
    );
    await polling.close();
  });
});

it("a store that is closed while it looks for news looks for none any more", async () => {
  const pollMs = 123;
  const timers = vi.spyOn(globalThis, "setTimeout");
  const looks = () => timers.mock.calls.filter(([, ms]) => ms === pollMs).length;
  const polling = await open(proxy.port, { pollMs });
  proxy.hold("requests", "WHERE name = ANY");
  await proxy.holding("requests");
  const before = looks();
  const closed = polling.close();
  proxy.release();
  await closed;
  expect(looks()).toBe(before);
  timers.mockRestore();
});

/** Resolves when a commit is heard of that `act` brings about. */
async function heardOf(listening: Store, partition: string, act: () => Promise<unknown>): Promise<void> {
  const heard = new Promise<void>((resolve) => {
    listening.watch({ onChange: (changed) => void (changed === partition && resolve()), onGap() {} });
  });
  await act();
  await heard;
}

describe("a server that restarts", () => {
  it("fails what is under way, and serves again by itself when it is back", async () => {
    const p = partitionName();
    await win(store, p, put("a", 1));
    const lost = errorOf(store.commit(p, put("a", 2)));
    proxy.hold("answers", COMMIT);
    await proxy.holding("answers");
    await server().kill9();
    proxy.cut();
    proxy.release();
    expect((await errorOf(other.get(p, ["a"]))).code).toBe("store_unavailable");
    await server().restart();
    expect((await lost).code).toBe("store_unavailable");
    const [now] = await store.revision([p]);
    expect(await read(store, p, "a")).toBe(now);
    expect(await win(store, p, put("a", 3))).toBe((now ?? 0) + 1);
  });

  it("as a standby, which may be behind, is not read from, until it is a primary again", async () => {
    const p = partitionName();
    await win(store, p, put("a", 1));
    await server().kill9();
    await server().restart({ standby: true });
    const refusal = { code: "store_unavailable", message: "The engine's database is a standby, which may be behind." };
    expect(await errorOf(store.get(p, ["a"]))).toMatchObject(refusal);
    expect(await errorOf(store.revision([p]))).toMatchObject(refusal);
    expect(await errorOf(store.commit(p, put("a", 2)))).toMatchObject(refusal);
    await server().query("SELECT pg_promote()");
    expect(await read(store, p, "a")).toBe(1);
    expect(await win(store, p, put("a", 2))).toBe(2);
  });
});
