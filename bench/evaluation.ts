import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { do_not_optimize, measure } from "mitata";
import { compileFlags } from "../src/flagd/index.ts";
import type { JsonObject } from "../src/ports.ts";
import { withFolder } from "./folders.ts";
import { alternate, type Pair, type Row, ratioRow, significant, skippedRow, timesFaster } from "./measure.ts";

/** Evaluating 50 flags in process, one by one, beside the SDKs of GrowthBook and Unleash with the same 50 rules. */

const COUNT = 50;
const TURNS = 5;
const ROUNDS = 10;
const WORK = `evaluate a flag in process, ${COUNT} rules`;
const INSTALL_MS = 120_000;
const PEERS = ["@growthbook/growthbook", "unleash-client"] as const;

const ATTRIBUTES = { country: "C3", plan: "pro", age: 20, version: "2.2.0", email: "a@example.com" };
const USER = "user-123";

/** One of each kind of rule, as each of the three writes it: equality, a list and a number, a division, a version, an ending. */
interface Kind {
  readonly ours: (n: number) => JsonObject;
  readonly growthbook: (n: number) => object;
  readonly unleash: (n: number) => object;
}

const constrained = (...constraints: object[]) => ({ name: "default", parameters: {}, constraints });

const KINDS: readonly Kind[] = [
  {
    ours: (n) => ({ if: [{ "==": [{ var: "country" }, `C${n % 7}`] }, "on", "off"] }),
    growthbook: (n) => ({ condition: { country: `C${n % 7}` } }),
    unleash: (n) => constrained({ contextName: "country", operator: "IN", values: [`C${n % 7}`] }),
  },
  {
    ours: () => ({ if: [{ and: [{ in: [{ var: "plan" }, ["pro", "team"]] }, { ">=": [{ var: "age" }, 18] }] }, "on", "off"] }),
    growthbook: () => ({ condition: { plan: { $in: ["pro", "team"] }, age: { $gte: 18 } } }),
    unleash: () =>
      constrained(
        { contextName: "plan", operator: "IN", values: ["pro", "team"] },
        { contextName: "age", operator: "NUM_GTE", value: "18" },
      ),
  },
  {
    ours: () => ({
      fractional: [
        ["on", 25],
        ["off", 75],
      ],
    }),
    growthbook: () => ({ coverage: 0.25, hashAttribute: "id" }),
    unleash: (n) => ({
      name: "flexibleRollout",
      parameters: { rollout: "25", stickiness: "userId", groupId: `flag-${n}` },
      constraints: [],
    }),
  },
  {
    ours: () => ({ if: [{ sem_ver: [{ var: "version" }, ">", "2.1.0"] }, "on", "off"] }),
    growthbook: () => ({ condition: { version: { $vgt: "2.1.0" } } }),
    unleash: () => constrained({ contextName: "version", operator: "SEMVER_GT", value: "2.1.0" }),
  },
  {
    ours: () => ({ if: [{ ends_with: [{ var: "email" }, "@example.com"] }, "on", "off"] }),
    growthbook: () => ({ condition: { email: { $regex: "@example\\.com$" } } }),
    unleash: () => constrained({ contextName: "email", operator: "STR_ENDS_WITH", values: ["@example.com"] }),
  },
];
const DIVISION = 2;

const keys = Array.from({ length: COUNT }, (_, n) => `flag-${n}`);
const kindOf = (n: number): Kind => KINDS[n % KINDS.length] as Kind;

type Evaluate = (key: string) => boolean;

function ours(): Evaluate {
  const definition = (n: number) => ({
    state: "ENABLED",
    variants: { on: true, off: false },
    defaultVariant: "off",
    targeting: kindOf(n).ours(n),
  });
  const flags = compileFlags(Object.fromEntries(keys.map((key, n) => [key, definition(n)])));
  const context = { targetingKey: USER, ...ATTRIBUTES };
  return (key) => {
    const evaluation = flags.evaluate(key, context);
    return "value" in evaluation && evaluation.value === true;
  };
}

/** What is used of the peers, which are no dependencies: they are installed by the bench, beside it. */
interface GrowthBookModule {
  readonly GrowthBook: new (options: object) => { isOn(key: string): boolean };
}
interface UnleashModule {
  readonly Unleash: new (
    options: object,
  ) => { on(event: string, listener: () => void): void; isEnabled(key: string, context: object): boolean; destroy(): void };
  readonly InMemStorageProvider: new () => object;
}

function growthbook({ GrowthBook }: GrowthBookModule): Evaluate {
  const features = Object.fromEntries(
    keys.map((key, n) => [key, { defaultValue: false, rules: [{ ...kindOf(n).growthbook(n), force: true }] }]),
  );
  const sdk = new GrowthBook({ features, attributes: { id: USER, ...ATTRIBUTES } });
  return (key) => sdk.isOn(key);
}

async function unleash({ Unleash, InMemStorageProvider }: UnleashModule): Promise<{ readonly evaluate: Evaluate; close(): void }> {
  const data = keys.map((name, n) => ({
    name,
    type: "release",
    enabled: true,
    project: "default",
    variants: [],
    strategies: [kindOf(n).unleash(n)],
  }));
  // It is never asked: everything comes with the bootstrap.
  const url = "http://127.0.0.1:1/";
  const quiet = { disableMetrics: true, refreshInterval: 0, skipInstanceCountWarning: true };
  const sdk = new Unleash({ appName: "bench", url, ...quiet, bootstrap: { data }, storageProvider: new InMemStorageProvider() });
  for (const event of ["error", "warn"]) sdk.on(event, () => {});
  await new Promise<void>((resolve) => sdk.on("ready", resolve));
  const context = { userId: USER, properties: { ...ATTRIBUTES, age: String(ATTRIBUTES.age) } };
  return { evaluate: (key) => sdk.isEnabled(key, context), close: () => sdk.destroy() };
}

/** Nanoseconds for one flag, as the median over many times all of them: so long a time that mitata does not make means of several. */
async function nanoseconds(evaluate: Evaluate): Promise<number> {
  const { p50 } = await measure(() => {
    for (let round = 0; round < ROUNDS; round += 1) for (const key of keys) do_not_optimize(evaluate(key));
  });
  return p50 / ROUNDS / COUNT;
}

export async function evaluation(): Promise<Row[]> {
  return withFolder(async (folder) => {
    const installed = await install(folder);
    if (installed === null) return [skippedRow(WORK, `npm could not install ${PEERS.join(" and ")}`)];
    const { versions, load } = installed;
    const subject = ours();
    const peer = await unleash(await load<UnleashModule>("unleash-client"));
    const baselines: readonly (readonly [string, Evaluate])[] = [
      ["@growthbook/growthbook", growthbook(await load<GrowthBookModule>("@growthbook/growthbook"))],
      ["unleash-client", peer.evaluate],
    ];
    const rows: Row[] = [];
    for (const [name, baseline] of baselines) {
      for (const [n, key] of keys.entries()) {
        if (n % KINDS.length !== DIVISION && subject(key) !== baseline(key)) throw new Error(`${name} evaluates ${key} otherwise`);
      }
      const pairs = await alternate(
        TURNS,
        () => nanoseconds(subject),
        () => nanoseconds(baseline),
      );
      rows.push(rowOf(`${name} ${versions[name] ?? ""}`, pairs));
    }
    peer.close();
    return rows;
  });
}

function rowOf(baseline: string, pairs: readonly Pair[]): Row {
  const unit = (value: number) => `${significant(value)} ns`;
  return ratioRow({ work: WORK, subject: "src/flagd", baseline, pairs, unit, ratio: timesFaster, goal: { atLeast: 1 } });
}

/** `null` where npm cannot get them: then the figure is not taken, and the table says so. */
async function install(folder: string) {
  writeFileSync(join(folder, "package.json"), '{"private":true}');
  try {
    const options = { cwd: folder, timeout: INSTALL_MS };
    await promisify(execFile)("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", ...PEERS], options);
  } catch {
    return null;
  }
  const require = createRequire(join(folder, "package.json"));
  const versions = Object.fromEntries(PEERS.map((name) => [name, versionOf(folder, name)]));
  return { versions, load: async <Module>(name: string) => unwrapped(await import(pathToFileURL(require.resolve(name)).href)) as Module };
}

function versionOf(folder: string, name: string): string {
  const { version } = createRequire(import.meta.url)(join(folder, "node_modules", name, "package.json")) as { readonly version: string };
  return version;
}

/** What a CommonJS module exports, however it was read. */
function unwrapped(module: { readonly default?: unknown }): unknown {
  return module.default ?? module;
}
