import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { buildThreads, REQUIRE } from "../../scripts/threads.mjs";
import { Sibling } from "../../src/engines/sibling.ts";
import { keys } from "../../src/keys.ts";
import type { Store } from "../../src/ports.ts";
import { loadSettings } from "../../src/settings.ts";
import { openStore } from "../../src/storage/open.ts";
import { type OpenVault, openVault } from "../../src/vault/open.ts";
import { documents, domainOn, PROJECT, Project, referredEntries, vaultEntries } from "../domain/support.ts";
import type { Kind } from "./stand-ins/kinds.ts";
import { StandIn } from "./stand-ins/start.ts";
import { newKey } from "./support.ts";

const BUNDLE = resolve("node_modules", ".cache", `vault-move-${process.pid}`, "vault-move.mjs");
const LONG = Boolean(process.env.ENV_MANAGER_TEST_LONG);
const KEY = newKey().text;
const OTHER = "pf-other";
/** In every value: what is looked for where no value may be. */
const MARK = "m4rk";
const COPIES = 60;

type Variables = Readonly<Record<string, string>>;

let folder = "";
let puraify: StandIn;
let kv2: StandIn;

beforeAll(async () => {
  [puraify, kv2] = await Promise.all([StandIn.start("puraify"), StandIn.start("kv2")]);
  const outfile = {
    outfile: BUNDLE,
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    banner: { js: REQUIRE },
  } as const;
  await build({ entryPoints: ["scripts/vault-move.ts"], ...outfile });
  await buildThreads(resolve(), dirname(BUNDLE));
});
afterAll(async () => {
  await Promise.all([puraify.stop(), kv2.stop(), rm(join(BUNDLE, ".."), { recursive: true, force: true })]);
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "vault-"));
  await Promise.all([puraify.clear(), kv2.clear()]);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** The settings of an engine, or with `NEW_` those of the vault that is moved to. */
function variables(kind: Kind, prefix = ""): Variables {
  if (kind === "builtin") return {};
  const own: Variables = { VAULT_URL: (kind === "kv2" ? kv2 : puraify).url, ...(kind === "kv2" && { VAULT_TOKEN: "root-token" }) };
  const all = prefix === "" ? { VAULT_KIND: kind, ...own } : own;
  return Object.fromEntries(Object.entries(all).map(([name, value]) => [prefix + name, value]));
}

function storeUrl(): string {
  return `sqlite:${join(folder, "env.db")}`;
}

async function inEngine<Result>(kind: Kind, work: (project: Project, store: Store, vault: OpenVault) => Promise<Result>): Promise<Result> {
  const store = await openStore(storeUrl());
  try {
    const settings = loadSettings(variables(kind), folder).vault;
    const connect = (name: string, url: string) => new Sibling(name, url);
    const vault = await openVault(settings, { store, storeUrl: storeUrl(), masterKey: KEY, connect });
    return await work(new Project(domainOn(store, vault)), store, vault).finally(() => vault.close());
  } finally {
    await store.close();
  }
}

interface Outcome {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

function run(args: readonly string[], env: Variables, kill?: (now: () => void) => Promise<void>): Promise<Outcome> {
  const { PATH = "", HOME = "" } = process.env;
  const environment = { PATH, HOME, STORE_URL: storeUrl(), ENV_MANAGER_MASTER_KEY: KEY, ...env };
  const child = spawn(process.execPath, [BUNDLE, ...args], { env: environment });
  let [output, errors] = ["", ""];
  child.stdout.on("data", (chunk) => (output += chunk));
  child.stderr.on("data", (chunk) => (errors += chunk));
  const ended = new Promise<Outcome>((done) => child.on("close", (code) => done({ code, output, errors })));
  const killing = kill?.(() => child.kill("SIGKILL"));
  // Ended before it was to be killed: its outcome tells.
  killing?.catch(() => {});
  return ended;
}

function move(from: Kind, to: Kind, args: readonly string[] = [], kill?: (now: () => void) => Promise<void>): Promise<Outcome> {
  return run(["--to", to, ...args], { ...variables(from), ...variables(to, "NEW_") }, kill);
}

/** Kills the move while the vault has let `skip` of its requests pass and holds the next one. */
async function moveKilledAt(at: StandIn, skip: number, from: Kind, to: Kind): Promise<void> {
  await at.fail({ fault: "late", skip });
  const { code, output } = await move(from, to, [], async (now) => {
    await expect.poll(() => at.held(), { interval: 10 }).toBeGreaterThan(0);
    now();
  });
  expect(code, `nothing was held after ${skip} requests`).toBeNull();
  expect(output).not.toContain("Done");
  await at.heal();
  await at.release();
}

/** An engine's life: two environments, a copy, secrets that were replaced and removed, another project. */
async function live(kind: Kind): Promise<void> {
  await inEngine(kind, async (project) => {
    const copies = Object.fromEntries(Array.from({ length: COPIES }, (_, index) => [`KEY_${index}`, `${MARK}-${index}`]));
    await project.create("staging", { env_variables: { API_KEY: `${MARK}-a1`, "mail.password": { value: `${MARK}-m1`, secret: true } } });
    await project.configure("staging", { secrets: { API_KEY: `${MARK}-a2`, ...copies } });
    await project.create("production", { base: "staging", env_variables: { API_KEY: `${MARK}-a3` } });
    await project.configure("staging", { unset: ["secrets/API_KEY", "secrets/KEY_0"] });
    await project.set("staging", { "flows/a": {} });
    await project.policy({ environments: { production: { approvals: 1 } } });
    await project.promote("staging", "production", { env_variables: { DB_PASSWORD: `${MARK}-waits` } });
    await new Project(project.domain, { id: OTHER }).create("staging", { env_variables: { API_KEY: `${MARK}-other` } });
  });
}

/** Everything that secrets mean to somebody: values, what a rollback brings back, and which are the same. */
async function meaning(kind: Kind): Promise<unknown> {
  return inEngine(kind, async (project) => {
    const now = [await project.secrets("staging"), await project.secrets("production")];
    const { secrets } = await project.compare("staging", "production");
    await project.rollback("staging", 1);
    const first = await project.secrets("staging");
    await project.rollback("staging", 2);
    const second = await project.secrets("staging");
    await project.rollback("staging", 3);
    const other = await new Project(project.domain, { id: OTHER }).secrets("staging");
    return { now, secrets, first, second, other };
  });
}

/** Entries of the store's project in a vault, as `<env>/<NAME>@<id>`. */
async function entriesIn(kind: Kind, project = PROJECT): Promise<string[]> {
  if (kind !== "builtin") {
    const all = await (kind === "kv2" ? kv2 : puraify).entries();
    return all.filter((path) => path.startsWith(`${project}/`)).map((path) => path.slice(project.length + 1));
  }
  const store = await openStore(storeUrl());
  return vaultEntries(store, project).finally(() => store.close());
}

async function fingerprints(): Promise<unknown[]> {
  const facts = await inStore((store) => documents(store, PROJECT, keys.secretsPrefix));
  return facts.map(({ value }) => (value as { readonly fingerprint: string }).fingerprint);
}

async function inStore<Result>(look: (store: Store) => Promise<Result>): Promise<Result> {
  const store = await openStore(storeUrl());
  return look(store).finally(() => store.close());
}

describe("npm run vault:move", () => {
  test("goes from vault to vault and back, killed again and again: every value, rollback and comparison stays", async () => {
    await live("builtin");
    const before = await meaning("builtin");
    const referred = (await inStore((store) => documents(store, PROJECT, keys.secretsPrefix))).map(({ key }) =>
      key.slice(keys.secretsPrefix.length),
    );
    const moves: readonly (readonly [Kind, Kind, StandIn])[] = [
      ["builtin", "puraify", puraify],
      ["puraify", "kv2", kv2],
      ["kv2", "builtin", kv2],
    ];
    for (const [from, to, holding] of moves) {
      for (const skip of LONG ? [0, 1, 5, 20, 50, 75, 100] : [5, 100]) await moveKilledAt(holding, skip, from, to);
      const { code, output, errors } = await move(from, to);
      expect({ code, errors }).toEqual({ code: 0, errors: "" });
      expect(output).toContain(`Done: ${referred.length + 1} secrets of 2 projects are in the ${to} vault.`);
      expect(output).not.toContain(MARK);
      for (const credential of [KEY, "root-token"]) expect(output).not.toContain(credential);
      expect((await entriesIn(to)).sort()).toEqual([...referred].sort());
      await expect(inEngine(from, async () => {})).rejects.toMatchObject({
        code: "vault_unavailable",
        fix: expect.stringContaining(`VAULT_KIND=${to}`),
      });
      expect(await meaning(to)).toEqual(before);
      const removed = await move(from, to, ["--remove"]);
      expect(removed).toMatchObject({ code: 0, errors: "" });
      expect(await entriesIn(from)).toEqual([]);
      expect(await meaning(to)).toEqual(before);
    }
    await inEngine("builtin", async (project, store) => {
      await project.configure("staging", { secrets: { NEW_KEY: `${MARK}-new` } });
      for (const path of await referredEntries(store)) expect(await vaultEntries(store)).toContain(path);
    });
  }, 180_000);

  test("may be killed while it makes fingerprints anew, and makes them all of one key", async () => {
    await live("builtin");
    const before = await meaning("builtin");
    const same = new Set(await fingerprints()).size;
    const entries = (await entriesIn("builtin")).length + 1;
    // Copying asks the new vault three times for each entry, the second time once; a hundred facts are one commit.
    await moveKilledAt(puraify, 3 * entries + 120, "builtin", "puraify");
    expect(new Set(await fingerprints()).size).toBeGreaterThan(same);
    await moveKilledAt(puraify, entries + 120, "builtin", "puraify");
    expect(await move("builtin", "puraify")).toMatchObject({ code: 0 });
    expect(await meaning("puraify")).toEqual(before);
    expect(new Set(await fingerprints()).size).toBe(same);
  });

  test("takes the key of audit exports along, and away from the old vault", async () => {
    const signed = ({ domain }: Project) => domain.auditSigning.sign({ project_id: PROJECT });
    await live("builtin");
    const before = await inEngine("builtin", signed);
    for (const [from, to] of [
      ["builtin", "puraify"],
      ["puraify", "kv2"],
      ["kv2", "builtin"],
    ] as const) {
      expect(await move(from, to, ["--remove"])).toMatchObject({ code: 0 });
      // Ed25519 is deterministic: the same key signs the same.
      expect(await inEngine(to, signed)).toBe(before);
    }
    for (const vault of [puraify, kv2]) {
      expect((await vault.everyEntry()).filter((path) => path.startsWith("_engine/audit/"))).toEqual([]);
    }
  });

  test("takes away what an engine left half written, in the old vault", async () => {
    await live("puraify");
    const orphan = { project: PROJECT, env: "staging", name: "HALF", id: "written" };
    await inEngine("puraify", async (_project, store, vault) => {
      await vault.put(orphan, `${MARK}-half`);
      const value = { env: "staging", entries: ["HALF@written"], at: (await store.now()).toISOString() };
      await store.commit(PROJECT, { checks: [], puts: [{ key: keys.intent("0a"), value }], deletes: [], objects: [], objectDeletes: [] });
    });
    expect(await move("puraify", "kv2")).toMatchObject({ code: 0 });
    expect(await entriesIn("puraify")).not.toContain("staging/HALF@written");
    expect(await entriesIn("kv2")).not.toContain("staging/HALF@written");
    expect(await inStore((store) => documents(store, PROJECT, keys.intentPrefix))).toEqual([]);
  });

  test("names what the old vault lacks and switches nothing, unless that is what is wanted", async () => {
    await live("puraify");
    const [lost] = (await inStore((store) => documents(store, PROJECT, keys.secret("staging", "")))).map(({ key }) =>
      key.slice(keys.secretsPrefix.length),
    );
    const [, name = "", id = ""] = /^staging\/(.*)@(.*)$/.exec(lost ?? "") ?? [];
    await inEngine("puraify", (_project, _store, vault) => vault.delete({ project: PROJECT, env: "staging", name, id }));
    const refused = await move("puraify", "kv2");
    expect(refused).toMatchObject({ code: 1, output: expect.stringContaining(`MISSING ${PROJECT} ${lost}`) });
    await inEngine("puraify", async () => {});
    expect(await move("puraify", "kv2", ["--skip-missing"])).toMatchObject({ code: 0 });
    await inEngine("kv2", async (project) => {
      expect(Object.keys(await project.secrets("production"))).toContain("API_KEY");
    });
  });

  test("mends a vault that has lost the key of the fingerprints", async () => {
    await live("kv2");
    const [key] = (await kv2.everyEntry()).filter((path) => path.startsWith("_engine/"));
    await inEngine("kv2", (_project, _store, vault) =>
      vault.delete({ project: "_engine", env: "fingerprints", name: "KEY", id: key?.slice(key.indexOf("@") + 1) ?? "" }),
    );
    await inEngine("kv2", async (_project, _store, vault) => {
      await expect(vault.fingerprint(PROJECT, "x")).rejects.toMatchObject({ code: "vault_unavailable" });
    });
    expect(await move("kv2", "kv2")).toMatchObject({ code: 0 });
    await inEngine("kv2", async (project) => {
      expect((await project.compare("staging", "production")).secrets).toMatchObject({ same_count: COPIES, different: [] });
    });
  });

  test.each([
    [[], {}, "--to must name"],
    [["--to", "vault"], {}, "--to must name"],
    [["--to", "kv2", "--fast"], {}, "--fast"],
    [["--to", "kv2"], {}, "VAULT_URL"],
    [["--to", "kv2"], { NEW_VAULT_URL: "http://127.0.0.1:1" }, "VAULT_TOKEN"],
    [["--to", "puraify"], { NEW_VAULT_URL: "http://127.0.0.1:1", STORE_URL: "memory:" }, "memory:"],
  ])("refuses %j with %j", async (args, env, words) => {
    expect(await run(args, env)).toMatchObject({ code: 2, output: "", errors: expect.stringContaining(words) });
  });

  test("says that a vault is away, and changes nothing", async () => {
    await live("builtin");
    const away = await run(["--to", "puraify"], { NEW_VAULT_URL: "http://127.0.0.1:1" });
    expect(away).toMatchObject({ code: 1, errors: expect.stringContaining("cannot be reached") });
    await inEngine("builtin", async (project) => expect(await project.secrets("production")).toMatchObject({ API_KEY: `${MARK}-a3` }));
  });
});
