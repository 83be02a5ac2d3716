import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Metafile } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildSdk } from "../../scripts/sdk.mjs";
import { packageRoot } from "../../src/package.ts";
import { createClient } from "../../src/sdk/index.ts";
import { blocks, read, section } from "../docs/support.ts";
import { useEngine } from "../support/engine.ts";

const TOKEN = "root-token-of-the-package-tests";
const engine = useEngine({ token: TOKEN });
const root = packageRoot();
const folder = mkdtempSync(join(tmpdir(), "env-manager-package-"));
const consumer = join(folder, "consumer");
let built: Metafile;

/** Packed as it is published, and unpacked where a project has it, beside the packages that it may use and no others. */
beforeAll(async () => {
  const source = join(folder, "package");
  built = await buildSdk(root, join(source, "dist/sdk"));
  const { scripts: _scripts, ...manifest } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  writeFileSync(join(source, "package.json"), JSON.stringify(manifest));
  const [packed] = JSON.parse(execFileSync("npm", ["pack", "--json", "--pack-destination", folder], { cwd: source, encoding: "utf8" }));
  const target = join(consumer, "node_modules/environment-manager");
  mkdirSync(target, { recursive: true });
  execFileSync("tar", ["-xzf", join(folder, packed.filename), "--strip-components=1", "-C", target]);
  for (const name of ["@openfeature/core", "@openfeature/server-sdk", "@types/node", "undici-types"]) link(name);
  writeFileSync(join(consumer, "package.json"), JSON.stringify({ type: "module" }));
  await createClient({ url: engine.url, token: TOKEN }).createEnvironment({
    project_id: "packed",
    new_environment: "dev",
    env_variables: { A: "1" },
  });
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function link(name: string): void {
  const path = join(consumer, "node_modules", name);
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(join(root, "node_modules", name), path);
}

const PROGRAM = `
import { connectEnvironment, createClient, each, EnvmError } from "environment-manager/sdk";
import { fileStore } from "environment-manager/sdk/node";
import { EnvironmentManagerProvider } from "environment-manager/sdk/openfeature";
import { OpenFeature } from "@openfeature/server-sdk";

const at = { url: process.env["ENVM_URL"] ?? "", token: process.env["ENVM_TOKEN"] ?? "", project: "packed", env: "dev" };
const client = createClient(at);
const written = await client.patchConfig({ project: at.project, env: at.env, flags: { on: true } });
const revisions = [];
for await (const { revision } of each(client.listRevisions, { project: at.project, env: at.env })) revisions.push(revision);
const environment = await connectEnvironment({ ...at, persist: { store: fileStore("copy.envm") } }).ready();
const code = await client.getConfig({ project: "nowhere", env: "dev" }).then(() => "none", (error: unknown) => error instanceof EnvmError ? error.code : String(error));
await OpenFeature.setProviderAndWait(new EnvironmentManagerProvider(environment));
const on = await OpenFeature.getClient().getBooleanValue("on", false);
await OpenFeature.close();
environment.close();
console.log(JSON.stringify({ status: written.status, revisions, a: environment.var("A"), on, code }));
`;

const MISUSE = `
import { createClient } from "environment-manager/sdk";
const client = createClient({ url: "http://127.0.0.1:1" });
export const typed: Promise<{ readonly vars: Readonly<Record<string, string>> }> = client.getConfig({ project: "p", env: "e" });
// @ts-expect-error: a member that is missing
client.getConfig({ project: "p" });
// @ts-expect-error: a value that there is not
client.createToken({ name: "n", role: "king", projects: ["p"] });
`;

describe("a project that installs the package", () => {
  test.each([
    ["in a program", { module: "NodeNext", moduleResolution: "NodeNext", lib: ["ES2023"], types: ["node"] }, ["program.ts", "misuse.ts"]],
    ["in a page, without Node's", { module: "ESNext", moduleResolution: "Bundler", lib: ["ES2023", "DOM"], types: [] }, ["misuse.ts"]],
  ])("compiles against its types, without zod, %s", (_where, options, files) => {
    writeFileSync(join(consumer, "program.ts"), PROGRAM);
    writeFileSync(join(consumer, "misuse.ts"), MISUSE);
    const compilerOptions = {
      ...options,
      target: "ES2023",
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      noEmit: true,
    };
    writeFileSync(join(consumer, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const { stdout } = spawnSync(process.execPath, [tsc, "-p", consumer], { encoding: "utf8" });
    // What others' packages declare is theirs to mend.
    const others = /node_modules\/(@openfeature|@types|undici-types)\//;
    expect(stdout.split("\n").filter((line) => line.includes("error TS") && !others.test(line))).toEqual([]);
  });

  test("runs with it", () => {
    const program = PROGRAM.replace(/: unknown/g, "");
    writeFileSync(join(consumer, "program.mjs"), program);
    const env = { ...process.env, ENVM_URL: engine.url, ENVM_TOKEN: TOKEN };
    const { stdout, stderr } = spawnSync(process.execPath, ["program.mjs"], { cwd: consumer, env, encoding: "utf8" });
    expect({ stderr, told: JSON.parse(stdout || "null") }).toEqual({
      stderr: "",
      told: { status: "updated", revisions: [2, 1], a: "1", on: true, code: "project_not_found" },
    });
    expect(statSync(join(consumer, "copy.envm")).mode & 0o777).toBe(0o600);
  });
});

describe("docs/sdk.md", () => {
  const programs = [...blocks(read("docs/sdk.md"), "js"), ...blocks(section(read("README.md"), "## In a program"), "js")];

  test("and the README have programs that print what they say, one after another", () => {
    const env = { ...process.env, ENVM_URL: engine.url, ENVM_TOKEN: TOKEN };
    const told = programs.map((program, index) => {
      writeFileSync(join(consumer, `documented-${index}.mjs`), program);
      return spawnSync(process.execPath, [`documented-${index}.mjs`], { cwd: consumer, env, encoding: "utf8" });
    });
    const promised = programs.map((program) => [...program.matchAll(/\/\/ prints: (.*)$/gm)].map(([, line]) => line));
    expect(programs.length).toBeGreaterThan(3);
    expect(told.map(({ stdout, stderr }) => [...stdout.trim().split("\n"), ...stderr.split("\n")].filter((line) => line !== ""))).toEqual(
      promised,
    );
  });

  test("names each event, state and code that there is", () => {
    const text = read("docs/sdk.md");
    const names = (file: string, within: RegExp, each: RegExp) =>
      [...(within.exec(read(file))?.[0] ?? "").matchAll(each)].map(([, name]) => name);
    const events = names("src/sdk/connection.ts", /interface ConnectionEvents [\s\S]*?\n\}/, /^ {2}(\w+):/gm);
    const states = names("src/sdk/connection.ts", /type State = .*;/, /"(\w+)"/g);
    const codes = names("src/sdk/errors.ts", /type ClientErrorCode =[\s\S]*?;/, /^ {2}\| "(\w+)"/gm);
    expect([events.length, states.length]).toEqual([7, 4]);
    expect(codes.length).toBeGreaterThan(8);
    expect([...events, ...states, ...codes].filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });
});

describe("the bundle", () => {
  const roomsOf = () => Object.keys(built.inputs).map((file) => file.replace(/^(node_modules\/(?:@[^/]+\/)?[^/]+|src\/[^/]+).*$/, "$1"));

  test("holds the SDK, the evaluator and what that needs: nothing of the engine's", () => {
    expect([...new Set(roomsOf())].sort()).toEqual([
      "node_modules/@openfeature/core",
      "node_modules/@openfeature/flagd-core",
      "node_modules/eventsource-parser",
      "node_modules/imurmurhash",
      "node_modules/json-logic-engine",
      "node_modules/object-hash",
      "node_modules/semver",
      "src/flagd",
      "src/json.ts",
      "src/limits",
      "src/sdk",
    ]);
  });

  test("needs nothing of Node's but for the file store, and is as small as it is said to be", () => {
    const scripts = Object.entries(built.outputs).filter(([file]) => file.endsWith(".js"));
    const needing = scripts
      .filter(([, { imports }]) => imports.some(({ path }) => path.startsWith("node:")))
      .map(([file]) => file.replace(/^.*\//, ""));
    expect(needing).toEqual(["node.js"]);
    const bytes = scripts.reduce((sum, [, output]) => sum + output.bytes, 0);
    expect(bytes).toBeLessThan(220 * 1024);
  });
});
