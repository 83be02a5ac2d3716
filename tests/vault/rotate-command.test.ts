import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile, rm, stat, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildThreads, REQUIRE } from "../../scripts/threads.mjs";
import { openStore } from "../../src/storage/open.ts";
import { openBuiltinVault } from "../../src/vault/builtin.ts";
import { readRotation } from "../../src/vault/rotation.ts";
import { entry, inFolder, newKey } from "./support.ts";

const LONG = Boolean(process.env.ENV_MANAGER_TEST_LONG);
const KILLS = LONG ? 60 : 8;
const PROJECTS = 60;
const BUNDLE = resolve("node_modules", ".cache", `vault-rotate-${process.pid}`, "vault-rotate.mjs");

interface Outcome {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

/** Is handed what kills the command at once, and what it prints. */
type Kill = (now: () => void, output: Readable) => void;

/** Runs the command as a process of its own. */
function run(args: readonly string[], env: Record<string, string>, kill: Kill = () => {}): Promise<Outcome> {
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn(process.execPath, [BUNDLE, ...args], { env: { PATH, HOME, ...env } });
  kill(() => child.kill("SIGKILL"), child.stdout);
  let [output, errors] = ["", ""];
  child.stdout.on("data", (chunk) => (output += chunk));
  child.stderr.on("data", (chunk) => (errors += chunk));
  return new Promise((done) => child.on("close", (code) => done({ code, output, errors })));
}

interface Place {
  readonly url: string;
  readonly keyFile: string;
  /** Does what an engine's start and a little work do. */
  readonly engine: <Result>(
    masterKey: string | null,
    work: (vault: Awaited<ReturnType<typeof openBuiltinVault>>) => Promise<Result>,
  ) => Promise<Result>;
  readonly underWay: () => Promise<boolean>;
}

function inPlace(use: (place: Place) => Promise<void>): Promise<void> {
  return inFolder(async (folder) => {
    const url = `sqlite:${join(folder, "env.db")}`;
    const withStore = async <Result>(work: (store: Awaited<ReturnType<typeof openStore>>) => Promise<Result>) => {
      const store = await openStore(url);
      return work(store).finally(() => store.close());
    };
    await use({
      url,
      keyFile: join(folder, "env.db.key"),
      engine: (masterKey, work) => withStore(async (store) => work(await openBuiltinVault({ store, storeUrl: url, masterKey }))),
      underWay: () => withStore(async (store) => (await readRotation(store)) !== null),
    });
  });
}

function fill(place: Place, masterKey: string | null): Promise<unknown> {
  const names = Array.from({ length: PROJECTS }, (_, index) => `p${index}`);
  return place.engine(masterKey, (vault) => Promise.all(names.map((project) => vault.put(entry({ project }), `value of ${project}`))));
}

async function expectReadable(place: Place, masterKey: string | null): Promise<void> {
  await place.engine(masterKey, async (vault) => {
    for (let index = 0; index < PROJECTS; index += 1) expect(await vault.get(entry({ project: `p${index}` }))).toBe(`value of p${index}`);
  });
}

beforeAll(async () => {
  await build({
    entryPoints: ["scripts/vault-rotate.ts"],
    outfile: BUNDLE,
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    banner: { js: REQUIRE },
  });
  await buildThreads(resolve(), dirname(BUNDLE));
});

afterAll(() => rm(join(BUNDLE, ".."), { recursive: true, force: true }));

describe("npm run vault:rotate", () => {
  test("replaces the key file, and tells what to do next", () =>
    inPlace(async (place) => {
      await fill(place, null);
      const before = await readFile(place.keyFile, "utf8");
      const { code, output, errors } = await run([], { STORE_URL: place.url });
      expect({ code, errors }).toEqual({ code: 0, errors: "" });
      expect(output).toContain(`secrets of ${PROJECTS} projects`);
      expect(output).toContain(place.keyFile);
      const after = await readFile(place.keyFile, "utf8");
      expect(after).not.toBe(before);
      for (const key of [before.trim(), after.trim()]) expect(output).not.toContain(key);
      expect((await stat(place.keyFile)).mode & 0o777).toBe(0o600);
      expect((await readdir(join(place.keyFile, ".."))).filter((name) => name.includes(".key"))).toEqual(["env.db.key"]);
      await expectReadable(place, null);
      await expect(place.engine(before, async () => {})).rejects.toMatchObject({ code: "vault_unavailable" });
    }));

  test("rotates to a given key, and asks for one where the old one was given", () =>
    inPlace(async (place) => {
      const [from, to] = [newKey().text, newKey().text];
      await fill(place, from);
      const asked = await run([], { STORE_URL: place.url, ENV_MANAGER_MASTER_KEY: from });
      expect(asked.code).toBe(2);
      expect(asked.errors).toContain("openssl rand -base64 32");
      const { code, output, errors } = await run([], {
        STORE_URL: place.url,
        ENV_MANAGER_MASTER_KEY: from,
        ENV_MANAGER_NEW_MASTER_KEY: to,
      });
      expect({ code, errors }).toEqual({ code: 0, errors: "" });
      for (const key of [from, to]) expect(output).not.toContain(key);
      expect(existsSync(place.keyFile)).toBe(false);
      await expectReadable(place, to);
    }));

  test("moves from a key file to a given key", () =>
    inPlace(async (place) => {
      const to = newKey().text;
      await fill(place, null);
      expect((await run([], { STORE_URL: place.url, ENV_MANAGER_NEW_MASTER_KEY: to })).code).toBe(0);
      await expectReadable(place, to);
      await expectReadable(place, null);
    }));

  test("explains itself, and refuses what it does not know", () =>
    inPlace(async ({ url }) => {
      const help = await run(["--help"], {});
      expect(help).toMatchObject({ code: 0, errors: "" });
      expect(help.output).toContain("ENV_MANAGER_NEW_MASTER_KEY");
      expect(await run(["--frobnicate"], {})).toMatchObject({ code: 2, output: "" });
      expect(await run([], { STORE_URL: "memory:" })).toMatchObject({ code: 2, output: "" });
      expect(await run([], { STORE_URL: url, ENV_MANAGER_HOST: "0.0.0.0", ENV_MANAGER_AUTH: "off" })).toMatchObject({ code: 2 });
      await (await openStore(url)).close();
      const empty = await run([], { STORE_URL: url });
      expect(empty.code).toBe(1);
      expect(empty.errors).toContain("nothing to rotate");
    }));

  test("waits for no engine: it says that the file is in use", () =>
    inPlace(async (place) => {
      await fill(place, null);
      await place.engine(null, async () => {
        const { code, errors } = await run([], { STORE_URL: place.url });
        expect(code).toBe(1);
        expect(errors).toContain("in use");
      });
    }));

  test("takes back a rotation whose new key file is gone", () =>
    inPlace(async (place) => {
      await fill(place, null);
      await killUntil(place, () => existsSync(`${place.keyFile}.new`));
      const before = await readFile(place.keyFile, "utf8");
      await unlink(`${place.keyFile}.new`);
      expect((await run([], { STORE_URL: place.url })).errors).toContain("--abandon");
      expect((await run(["--abandon"], { STORE_URL: place.url })).code).toBe(0);
      expect(await readFile(place.keyFile, "utf8")).toBe(before);
      await expectReadable(place, null);
      expect((await run([], { STORE_URL: place.url })).code).toBe(0);
      await expectReadable(place, null);
    }));

  for (const mode of ["a key file", "given keys"] as const) {
    test(
      `killed at ${KILLS} random moments with ${mode}, always leaves every value readable and goes on when run again`,
      () => inPlace((place) => survive(place, mode === "given keys")),
      LONG ? 1_800_000 : 300_000,
    );
  }
});

/** Kills rotations as soon as they have begun, until one leaves a rotation under way of which `met` holds. */
async function killUntil(place: Place, met: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    // As soon as it says that it wraps the first key of many.
    await run([], { STORE_URL: place.url }, (now, output) => output.on("data", (text) => String(text).includes("wrapping") && now()));
    if ((await place.underWay()) && met()) return;
  }
  throw new Error("no rotation could be interrupted in time");
}

async function survive(place: Place, given: boolean): Promise<void> {
  let from = newKey().text;
  let to = newKey().text;
  const env = () => ({ STORE_URL: place.url, ...(given ? { ENV_MANAGER_MASTER_KEY: from, ENV_MANAGER_NEW_MASTER_KEY: to } : {}) });
  await fill(place, given ? from : null);
  const began = performance.now();
  expect((await run([], env())).code).toBe(0);
  const whole = performance.now() - began;
  if (given) [from, to] = [to, newKey().text];

  for (let kill = 0; kill < KILLS; kill += 1) {
    // The first part of a run is loading modules, where a kill proves little.
    const { code } = await run([], env(), (now) => setTimeout(now, whole * (0.3 + Math.random() * 0.8)));
    if (!given) await expectReadable(place, null);
    else await readableByEither(place, from, to);
    if (given && code === 0) [from, to] = [to, newKey().text];
  }
  const last = await run([], env());
  expect({ code: last.code, errors: last.errors }).toEqual({ code: 0, errors: "" });
  expect(await place.underWay()).toBe(false);
  await expectReadable(place, given ? to : null);
}

/** Whichever key the store takes opens everything, and it takes at least one. */
async function readableByEither(place: Place, from: string, to: string): Promise<void> {
  let opened = 0;
  for (const key of [from, to]) {
    const takes = await place.engine(key, async () => true).catch(() => false);
    if (!takes) continue;
    opened += 1;
    await expectReadable(place, key);
  }
  expect(opened).toBeGreaterThan(0);
}
