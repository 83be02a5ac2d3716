import { randomBytes } from "node:crypto";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkStore } from "../../src/integrity.ts";
import type { Store } from "../../src/ports.ts";
import { openForReading, openStore } from "../../src/storage/open.ts";
import { sqlitePath } from "../../src/storage/sqlite-file.ts";
import { openBuiltinVault } from "../../src/vault/builtin.ts";
import { domainOn } from "../domain/support.ts";
import { temporaryFolder } from "../storage/support.ts";
import { Engine } from "../support/engine.ts";
import { usePostgres } from "../support/postgres.ts";
import { RedisServer } from "../support/redis.ts";
import { ANN, Command, dump, fill, keepWriting, PROJECTS, run, stepsOf } from "./support.ts";

const postgres = usePostgres();
const folder = temporaryFolder();
const masterKey = randomBytes(32).toString("base64");
let redis: RedisServer;
beforeAll(async () => {
  redis = await RedisServer.start("--databases", "64");
}, 120_000);
afterAll(async () => {
  await redis.dispose();
  rmSync(folder, { recursive: true });
});

const LONG = process.env.ENV_MANAGER_TEST_LONG !== undefined;
let made = 0;
type Kind = "sqlite" | "postgres" | "redis";
/** An empty store of its own. */
async function emptyStore(kind: Kind): Promise<string> {
  made++;
  if (kind === "sqlite") return `sqlite:${join(folder, `${made}.db`)}`;
  return kind === "postgres" ? postgres().createDatabase() : `${redis.url}/${made}`;
}

async function openDomain(url: string) {
  const store = await openStore(url);
  const vault = await openBuiltinVault({ store, storeUrl: url, masterKey });
  return { store, domain: domainOn(store, vault) };
}

async function reading<Result>(url: string, work: (store: Store) => Promise<Result>): Promise<Result> {
  const store = await openForReading(url);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** Resolves when the copy has written down so many steps, or has ended. */
async function underWay(command: Command, to: string, steps: number): Promise<void> {
  const done = async (): Promise<boolean> => {
    // There is no file before the copy has made one.
    while (to.startsWith("sqlite:") && command.isRunning && !existsSync(sqlitePath(to))) await setImmediate();
    return reading(to, async (target) => {
      while (command.isRunning && (await stepsOf(target)) < steps) await setImmediate();
      return true;
    });
  };
  while (command.isRunning && !(await done().catch(() => false))) await setImmediate();
}

/** A target in Redis whose copy was killed before its end, which the copy may be too fast for. */
async function halfCopied(from: string): Promise<string> {
  for (let round = 1; round <= 20; round++) {
    const to = await emptyStore("redis");
    const killed = new Command("store-copy", [from, to]);
    await underWay(killed, to, 3);
    killed.kill9();
    if ((await killed.finished).code === null) return to;
  }
  throw new Error("each copy came to its end before it could be killed");
}

async function faultsOf(store: Store): Promise<string[]> {
  const faults: string[] = [];
  await checkStore(store, { onFault: (project, what) => void faults.push(`${project}: ${what}`) });
  return faults;
}

const DIRECTIONS: readonly (readonly [Kind, Kind])[] = [
  ["sqlite", "postgres"],
  ["sqlite", "redis"],
  ["postgres", "sqlite"],
  ["postgres", "redis"],
  ["redis", "sqlite"],
  ["redis", "postgres"],
];

describe("npm run store:copy", () => {
  it.each(DIRECTIONS)(
    "from %s to %s: killed in the middle, resumed, and run beside an engine that writes, ends in an exact copy",
    async (fromKind, toKind) => {
      const [from, to] = [await emptyStore(fromKind), await emptyStore(toKind)];
      const { store, domain } = await openDomain(from);
      await fill(domain, LONG ? 40 : 4);
      const writer = keepWriting(domain);
      const args = ["env:FROM", "env:TO"];
      const env = { FROM: from, TO: to };

      const killed = new Command("store-copy", args, env);
      await underWay(killed, to, 4);
      killed.kill9();
      expect((await killed.finished).code).not.toBe(1);

      if (LONG || (fromKind === "sqlite" && toKind === "redis")) {
        // Exact where it met a moment without a write, and otherwise says that it is not.
        const beside = await run("store-copy", args, env);
        expect(beside.errors).toBe("");
        expect(beside.output).toMatch(beside.code === 0 ? /Exact and verified/ : /written to all the time/);
      }

      expect(await writer.stop()).toBeGreaterThan(0);
      const last = await run("store-copy", args, env);
      expect(last).toMatchObject({ code: 0, errors: "", output: expect.stringContaining("Exact and verified") });
      const expected = await dump(store);
      await store.close();

      expect(await reading(to, dump)).toEqual(expected);
      expect(await reading(to, faultsOf)).toEqual([]);
      const copy = await openDomain(to);
      for (const project of PROJECTS) {
        const { secrets } = await copy.domain.config.runtime(ANN, project, "dev", {});
        expect(secrets.API_KEY).toBe(`secret of ${project}`);
      }
      await copy.store.close();
    },
    180_000,
  );

  it("writes nothing a second time where nothing has changed, and takes away what the source has no more", async () => {
    const [from, to] = [await emptyStore("sqlite"), await emptyStore("redis")];
    const { store, domain } = await openDomain(from);
    await fill(domain, 1);
    expect((await run("store-copy", [from, to])).code).toBe(0);
    const again = await run("store-copy", [from, to]);
    expect(again).toMatchObject({ code: 0, output: expect.stringContaining("Written: 0 documents and 0 objects") });
    await store.commit("pf-left", { checks: [], puts: [], deletes: ["env/prod"], objects: [], objectDeletes: [] });
    await run("store-copy", [from, to]);
    const expected = await dump(store);
    await store.close();
    expect(await reading(to, dump)).toEqual(expected);
  });

  it("refuses a target that an engine has used, another store's copy, an empty source, and one store twice", async () => {
    const [from, other, used, to] = await Promise.all([
      emptyStore("sqlite"),
      emptyStore("sqlite"),
      emptyStore("redis"),
      emptyStore("redis"),
    ]);
    for (const url of [from, other, used]) {
      const { store, domain } = await openDomain(url);
      await domain.creation.create(ANN, { project: "pf-1", env: "dev", base: null });
      await store.close();
    }
    const before = await reading(used, dump);
    expect(await run("store-copy", [from, used])).toMatchObject({ code: 1, errors: expect.stringContaining("The target is not empty") });
    expect(await reading(used, dump)).toEqual(before);

    expect((await run("store-copy", [from, to])).code).toBe(0);
    expect(await run("store-copy", [other, to])).toMatchObject({ code: 1, errors: expect.stringContaining("holds a copy of sqlite:") });
    expect(await run("store-copy", [await emptyStore("redis"), await emptyStore("redis")])).toMatchObject({
      code: 1,
      errors: expect.stringContaining("holds nothing"),
    });
    for (const wrong of [[], [from], [from, from], [from, "memory:"], ["env:NOT_SET", to]]) {
      expect((await run("store-copy", wrong)).code).toBe(2);
    }
  });

  it("keeps engines from a target that is half a copy, and copies nothing more once an engine has started on a whole one", async () => {
    const from = await emptyStore("sqlite");
    const { store, domain } = await openDomain(from);
    await fill(domain, 4);
    const to = await halfCopied(from);
    const env = { STORE_URL: to, ENV_MANAGER_MASTER_KEY: masterKey };
    await expect(new Engine({ env }).start()).rejects.toThrow("has not come to its end");
    // A whole copy of it would look like all that there is.
    const next = await emptyStore("sqlite");
    expect(await run("store-copy", [to, next])).toMatchObject({ code: 1, errors: expect.stringContaining("has not come to its end") });

    expect((await run("store-copy", [from, to])).code).toBe(0);
    const engine = await new Engine({ env }).start();
    expect((await engine.get("/env/pf-left/dev/active")).status).toBe(200);
    await engine.dispose();
    expect(await run("store-copy", [from, to])).toMatchObject({ code: 1, errors: expect.stringContaining("The target is not empty") });
    await store.close();
  });

  it("shows no password, of either store", async () => {
    const [from, to] = [await emptyStore("postgres"), await emptyStore("sqlite")];
    const { store, domain } = await openDomain(from);
    await domain.creation.create(ANN, { project: "pf-1", env: "dev", base: null });
    await store.close();
    const password = new URL(from).password;
    const { code, output, errors } = await run("store-copy", [from, to]);
    expect(code).toBe(0);
    expect(output + errors).not.toContain(password);
    expect(JSON.stringify(await reading(to, (target) => target.list("_copy", { prefix: "", limit: 100 })))).not.toContain(password);
  });
});
