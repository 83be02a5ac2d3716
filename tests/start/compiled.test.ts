import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { buildEngine } from "../../scripts/engine/build.mjs";
import { cachePath, sealed } from "../../scripts/engine/compiled.mjs";
import { packageRoot } from "../../src/package.ts";
import { Engine } from "../support/engine.ts";

const root = packageRoot();
const folder = realpathSync(mkdtempSync(join(tmpdir(), "env-manager-start-")));
const dist = join(folder, "dist");
let bundle: string;
let cache: string;
/** What the build made of it. */
let made: Buffer;

/** The engine as it is built, in a package of its own. */
beforeAll(async () => {
  for (const name of ["package.json", "node_modules"]) symlinkSync(join(root, name), join(folder, name));
  const built = await buildEngine(root, dist);
  expect(built.trouble).toBeNull();
  bundle = built.bundle;
  cache = cachePath(join(dist, bundle));
  made = readFileSync(cache);
}, 120_000);
afterEach(() => {
  vi.unstubAllEnvs();
  writeFileSync(cache, made);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const DIGEST_BYTES = 32;

/** V8's own data of another V8, or of one with other flags: its head says which. */
function ofAnotherV8(file: Buffer): Buffer {
  const data = Buffer.from(file.subarray(DIGEST_BYTES));
  data.fill(0xff, 4, 16);
  return sealed(data);
}

function withChangedByte(file: Buffer): Buffer {
  const changed = Buffer.from(file);
  const middle = changed.length >> 1;
  changed.writeUInt8(changed.readUInt8(middle) ^ 0xff, middle);
  return changed;
}

/** Runs a module in a new Node, in which V8 has compiled nothing of it yet. */
function inNewNode(code: string, flags: readonly string[] = []): string {
  const { NODE_OPTIONS: _, ...env } = process.env;
  return execFileSync(process.execPath, [...flags, "--input-type=module", "-e", code], { encoding: "utf8", env });
}

const COMPILED = JSON.stringify(new URL("../../scripts/engine/compiled.mjs", import.meta.url).href);

function isTaken(file: Buffer): boolean {
  writeFileSync(cache, file);
  const rejected = inNewNode(`
    import { readFileSync } from "node:fs";
    import { compile } from ${COMPILED};
    const data = readFileSync(${JSON.stringify(cache)}).subarray(${DIGEST_BYTES});
    console.log(compile(${JSON.stringify(dist)}, ${JSON.stringify(bundle)}, data).cachedDataRejected);`);
  return rejected.trim() === "false";
}

test("what the build compiled is what V8 takes at a start", () => {
  expect(isTaken(made)).toBe(true);
  expect(isTaken(ofAnotherV8(made))).toBe(false);
});

test.each<readonly [string, (file: Buffer) => Buffer | null]>([
  ["with what the build compiled", (file) => file],
  ["without it", () => null],
  ["where it is another V8's", ofAnotherV8],
  ["where a byte of it has changed", withChangedByte],
  ["where it was cut short", (file) => file.subarray(0, file.length >> 1)],
  ["where the disk has lost its end", (file) => Buffer.from(file).fill(0, file.length >> 1)],
  ["where it is empty", () => Buffer.alloc(0)],
])("an engine starts and works the same %s", async (_, given) => {
  const file = given(made);
  if (file === null) rmSync(cache);
  else writeFileSync(cache, file);
  const engine = new Engine({ args: [join(dist, "index.js")] });
  try {
    await engine.start();
    const create = { project_id: "pf-777", new_environment: "dev", env_variables: { A: "1" } };
    expect((await engine.request("POST", "/env/create", create)).status).toBe(201);
    expect((await engine.get("/env/pf-777/dev/config")).body).toMatchObject({ vars: { A: "1" } });
    // Each of these needs a library that is read when it is needed.
    const flags = { on: true };
    expect((await engine.request("PATCH", "/env/pf-777/dev/config", { flags })).status).toBe(200);
    expect((await engine.get("/metrics")).text).toContain("process_cpu_seconds_total");
    expect((await engine.get("/openapi.json")).status).toBe(200);
    expect((await engine.get("/env/pf-777/dev/nothing-of-the-kind")).status).toBe(404);
    engine.signal("SIGTERM");
    expect(await engine.exited).toBe("exit code 0");
    expect(engine.output()).not.toMatch(/warn|error/i);
  } finally {
    await engine.dispose();
  }
});

test("every library that is read when it is needed has all that it has by itself", async () => {
  const require = createRequire(join(dist, bundle));
  const files = readdirSync(join(dist, "lib"), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".cjs"));
  expect(files.length).toBeGreaterThan(5);
  for (const file of files) {
    const { default: _, ...whole } = await import(file.replace(/\.cjs$/, ""));
    expect(Object.keys(require(join(dist, "lib", file)))).toEqual(expect.arrayContaining(Object.keys(whole)));
  }
});

test("the bundle asks for no module in a way that a script has not", () => {
  expect(readFileSync(join(dist, bundle), "latin1")).not.toMatch(/(?<![\w$.#])import\(/);
});

test("what is compiled says nothing of the machine that did it", () => {
  for (const path of [root, folder, join(tmpdir(), "envm-")]) expect(made.includes(path)).toBe(false);
});

test("whoever asks for source maps is shown the sources", () => {
  const failing = `
    import { load } from ${COMPILED};
    await load(${JSON.stringify(dist)}, ${JSON.stringify(bundle)}).startEngine(null, null).catch(({ stack }) => console.log(stack));`;
  expect(inNewNode(failing, ["--enable-source-maps"])).toMatch(/src\/index\.ts:\d+/);
  expect(inNewNode(failing)).toMatch(new RegExp(`${bundle}:\\d+:\\d+`));
});

test("a build that cannot compile says why, and the engine is built all the same", async () => {
  const elsewhere = join(folder, "elsewhere");
  vi.stubEnv("TMPDIR", join(folder, "nowhere"));
  const { bundle: name, trouble } = await buildEngine(root, elsewhere);
  expect(trouble).toContain("nowhere");
  expect(readdirSync(elsewhere)).toEqual(expect.arrayContaining(["index.js", name]));
  expect(readdirSync(elsewhere).filter((file) => file.endsWith(".cache"))).toEqual([]);
});
