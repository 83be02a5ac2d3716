import { FlagdCore } from "@openfeature/flagd-core";
import { do_not_optimize, measure } from "mitata";
import { compileFlags } from "../../src/flagd/index.ts";
import type { JsonObject } from "../../src/ports.ts";
import { alternate, type Goal, inTurn, type Row, ratioRow, significant, timesFaster } from "../measure.ts";
import { installedEngineVersion, loadPeer, named } from "./packages.ts";

/** Evaluating 50 flags in process, one by one, beside GrowthBook's and Unleash's SDKs and flagd-core as it comes, with the same 50 rules. */

const COUNT = 50;
const TURNS = 5;
const ROUNDS = 10;
const WORK = `evaluate a flag in process, ${COUNT} rules`;

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

const CONTEXT = { targetingKey: USER, ...ATTRIBUTES };

function definitions(): Readonly<Record<string, JsonObject>> {
  const definition = (n: number) => ({
    state: "ENABLED",
    variants: { on: true, off: false },
    defaultVariant: "off",
    targeting: kindOf(n).ours(n),
  });
  return Object.fromEntries(keys.map((key, n) => [key, definition(n)]));
}

function ours(): Evaluate {
  const flags = compileFlags(definitions());
  return (key) => {
    const evaluation = flags.evaluate(key, CONTEXT);
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

function flagdCore(): Evaluate {
  const core = new FlagdCore();
  core.setConfigurations(JSON.stringify({ flags: definitions() }));
  return (key) => core.resolveBooleanEvaluation(key, false, CONTEXT).value;
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

/** Milliseconds for one flag, as the median over many times all of them: so long a time that mitata does not make means of several. */
async function eachTakes(evaluate: Evaluate): Promise<number> {
  const { p50 } = await measure(() => {
    for (let round = 0; round < ROUNDS; round += 1) for (const key of keys) do_not_optimize(evaluate(key));
  });
  return p50 / ROUNDS / COUNT / 1e6;
}

export async function evaluation(): Promise<Row[]> {
  const subject = ours();
  return inTurn({
    "evaluation-growthbook": async () =>
      row(subject, {
        id: "evaluation-growthbook",
        baseline: named("@growthbook/growthbook"),
        goal: { atLeast: 1 },
        evaluate: growthbook(await loadPeer<GrowthBookModule>("@growthbook/growthbook")),
        about:
          "Both have all rules in memory and answer one flag for one user. GrowthBook's SDK also notes which features were used; ours also says why (reason and variant), and divides people as flagd does, by the whole targeting key's hash.",
      }),
    "evaluation-unleash": async () => {
      const peer = await unleash(await loadPeer<UnleashModule>("unleash-client"));
      const measured = await row(subject, {
        id: "evaluation-unleash",
        baseline: named("unleash-client"),
        evaluate: peer.evaluate,
        goal: { atLeast: 1 },
        about: "As above, with Unleash's SDK for Node bootstrapped and its metrics off: it sends none, but it counts each answer.",
      });
      peer.close();
      return measured;
    },
    "evaluation-flagd-core": () =>
      row(subject, {
        id: "evaluation-flagd-core",
        baseline: `@openfeature/flagd-core ${installedEngineVersion("@openfeature/flagd-core")}`,
        evaluate: flagdCore(),
        goal: null,
        about:
          "The library that evaluates for us too, used as its documentation says. Ours asks it, and around it answers what flagd would where flagd-core does otherwise; it also says why.",
      }),
  });
}

interface Baseline {
  readonly id: string;
  readonly baseline: string;
  readonly evaluate: Evaluate;
  readonly about: string;
  readonly goal: Goal | null;
}

async function row(subject: Evaluate, { evaluate, ...words }: Baseline): Promise<Row> {
  for (const [n, key] of keys.entries()) {
    // Who belongs to a share of people is each one's own decision.
    if (n % KINDS.length !== DIVISION && subject(key) !== evaluate(key)) throw new Error(`${words.baseline} evaluates ${key} otherwise`);
  }
  const pairs = await alternate(
    TURNS,
    () => eachTakes(subject),
    () => eachTakes(evaluate),
  );
  const unit = (value: number) => `${significant(value * 1e6)} ns`;
  return ratioRow({
    ...words,
    work: WORK,
    subject: "src/flagd",
    pairs,
    unit,
    ratio: timesFaster,
    next: {
      met: "flagd-core compiles a rule to closures over JSON Logic's operators; generated code for the few that rules really use would halve it, at the price of a second implementation of flagd's semantics.",
      missed: "The time goes into JSON Logic's closures; the next idea is code of our own for the operators that most rules use.",
    },
  });
}
