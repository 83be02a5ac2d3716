import fc from "fast-check";
import type { CheckName, EnvironmentType, VariableInput } from "../../src/model.ts";
import type { EnvironmentPolicy } from "../../src/policy.ts";
import type { Json } from "../../src/ports.ts";
import { DAY, HOUR } from "./reference.ts";

/**
 * One command as plain data, so that a failing run reads as a story and shrinks well. `Pick` chooses among what there is at
 * that moment: environments, revisions, promotions.
 */
export type Pick = number;

/** How a revision is named: by its number, its label or a beginning of it, or its time. */
export interface Naming {
  /** `back`: as many revisions before the newest. */
  readonly by: "revision" | "back" | "label" | "minor" | "major" | "time" | "before-all" | "unknown";
  readonly of: Pick;
}

export interface PromoteStep {
  readonly do: "promote";
  readonly from: Pick;
  readonly to: Pick;
  readonly version?: Naming | undefined;
  readonly strategy?: "replace" | "merge" | undefined;
  /** How conflicts are settled: all of them, all but the first, or one that there is not. */
  readonly resolve?: "ours" | "theirs" | "body" | "all-but-one" | "none-there" | undefined;
  readonly only?: readonly string[] | undefined;
  readonly except?: readonly string[] | undefined;
  readonly flags?: readonly string[] | undefined;
  readonly vars?: readonly string[] | undefined;
  readonly env_variables?: Readonly<Record<string, VariableInput>> | undefined;
  readonly force?: readonly CheckName[] | "all" | undefined;
  readonly dryRun?: boolean | undefined;
}

export type Action =
  | {
      readonly do: "create";
      readonly env: string;
      readonly base: Pick | null;
      readonly type?: EnvironmentType | undefined;
      readonly expires?: string | undefined;
      readonly version?: Naming | string | undefined;
      readonly secrets?: "copy" | "empty" | undefined;
      readonly env_variables?: Readonly<Record<string, VariableInput>> | undefined;
    }
  | {
      readonly do: "edit";
      readonly env: Pick;
      readonly set: Readonly<Record<string, Json>>;
      readonly remove: readonly Pick[];
      readonly whole: boolean;
      readonly label?: string | undefined;
      readonly bump?: "major" | "minor" | "patch" | undefined;
    }
  | {
      readonly do: "configure";
      readonly env: Pick;
      readonly vars: Readonly<Record<string, string>>;
      readonly secrets: Readonly<Record<string, string>>;
      readonly flags: Readonly<Record<string, Json>>;
      readonly unset: readonly string[];
      readonly label?: string | undefined;
    }
  | PromoteStep
  /** Applies the plan that was made last, by its id. */
  | { readonly do: "apply-plan" }
  | { readonly do: "approve" | "reject"; readonly promotion: Pick }
  | { readonly do: "rollback"; readonly env: Pick; readonly to: Naming; readonly keepSecrets: boolean; readonly dryRun: boolean }
  | { readonly do: "hold" | "resume" | "archive"; readonly env: Pick }
  | { readonly do: "extend" | "restore"; readonly env: Pick; readonly expires?: string | undefined }
  | {
      readonly do: "report";
      readonly env: Pick;
      readonly of: Pick;
      readonly how: "head" | "revision" | "version" | "mismatch";
      readonly status: "deploying" | "deployed" | "failed";
    }
  | {
      readonly do: "govern";
      readonly pipeline: boolean;
      readonly environments: Readonly<Record<string, EnvironmentPolicy>>;
    }
  | { readonly do: "wait"; readonly ms: number }
  /** Until a preview ends, its grace time ends, or a promotion expires; or a millisecond later. */
  | { readonly do: "wait-for"; readonly what: "expiry" | "grace" | "promotion"; readonly of: Pick; readonly over: 0 | 1 }
  | { readonly do: "due" | "sweep" | "collect" | "reopen" }
  | {
      readonly do: "compare";
      readonly left: Pick;
      readonly leftAt?: Naming | undefined;
      readonly right: Pick;
      readonly rightAt?: Naming | undefined;
    };

export interface Step {
  readonly by: string;
  /** Milliseconds that pass before. */
  readonly tick: number;
  /** Sent again with the same idempotency key. */
  readonly twice: boolean;
  readonly action: Action;
}

export function stepOf(action: Action): Step {
  return { by: "ann", tick: 0, twice: false, action };
}

export const ENVIRONMENTS = ["dev", "staging", "prod", "qa", "pr-1", "pr-2"] as const;
const COMPONENTS = ["entities/deep/one", "entities/user", "flows/a", "flows/b", "pages/home"] as const;
const VARS = ["LEVEL", "MODE", "REGION", "API_KEY"] as const;
const SECRETS = ["API_KEY", "DB_PASSWORD", "REGION"] as const;
const FLAGS = ["beta", "dark"] as const;

/** Every secret value holds this, so that a leak is found wherever it is. */
export const MARK = "s3cr3t";

/** Typed, which `Object.fromEntries` on its own is not. */
function recordOf<Value>(entries: readonly (readonly [string, Value])[]): Readonly<Record<string, Value>> {
  return Object.fromEntries(entries);
}

const pick = fc.nat({ max: 999 });
const member = fc.nat({ max: 2 });
const plain = { noNullPrototype: true } as const;
const body: fc.Arbitrary<Json> = fc.oneof(
  { arbitrary: fc.record({ a: member, b: member }, plain), weight: 3 },
  {
    arbitrary: fc.record({ a: member, b: member, c: fc.record({ d: member, e: member }, plain) }, { ...plain, requiredKeys: ["b"] }),
    weight: 3,
  },
  { arbitrary: fc.constantFrom<Json>(1, "text", null, [1], [2, 1], {}), weight: 1 },
);
const component = fc.oneof(
  { arbitrary: fc.tuple(fc.constantFrom(...COMPONENTS), body), weight: 9 },
  {
    arbitrary: fc.constantFrom<[string, Json]>(
      ["requires/REGION", { kind: "var" }],
      ["requires/REGION", { kind: "var", default: "eu" }],
      ["requires/REGION", { kind: "secret" }],
      ["requires/API_KEY", { kind: "secret" }],
      ["requires/beta", { kind: "flag" }],
      ["requires/beta", { kind: "flag", default: true }],
    ),
    weight: 1,
  },
);
const components = (maxLength: number) => fc.array(component, { maxLength }).map(recordOf);
const text = fc.constantFrom("eu", "us", "");
const secret = fc.nat({ max: 3 }).map((n) => `${MARK}-${n}`);
const flag = fc.constantFrom<Json>(true, false, { state: "DISABLED", variants: { a: "1", b: "2" }, defaultVariant: "a" });
const someOf = <Name extends string, Value>(names: readonly Name[], value: fc.Arbitrary<Value>, max = 2) =>
  fc.uniqueArray(fc.tuple(fc.constantFrom(...names), value), { selector: ([name]) => name, maxLength: max }).map(recordOf);
const variable: fc.Arbitrary<[string, VariableInput]> = fc.oneof(
  fc.tuple(fc.constantFrom("API_KEY", "DB_PASSWORD"), secret),
  fc.tuple(
    fc.constantFrom("REGION", "LEVEL"),
    text.filter((value) => value !== ""),
  ),
  fc.constantFrom<[string, VariableInput]>(
    ["REGION", { value: `${MARK}-9`, secret: true }],
    ["API_KEY", { value: "public", secret: false }],
  ),
);
const variables = fc.uniqueArray(variable, { selector: ([name]) => name, minLength: 1, maxLength: 2 }).map(recordOf);
const maybe = <Value>(value: fc.Arbitrary<Value>, freq = 3) => fc.option(value, { nil: undefined, freq });
/** Mostly none. */
const rarely = <Value>(value: fc.Arbitrary<Value>) =>
  fc.oneof({ arbitrary: fc.constant(undefined), weight: 5 }, { arbitrary: value, weight: 1 });
const exactLabel = fc.constantFrom("v0.1.0", "v0.2.0", "v1.0.0", "v1.1.0", "v3.0.0", "v7.7.7");
const naming = fc.record({
  by: fc.constantFrom<Naming["by"]>("revision", "revision", "label", "label", "minor", "major", "time", "before-all", "unknown"),
  of: pick,
});
const versionNaming = fc.record({ by: fc.constantFrom<Naming["by"]>("label", "label", "minor", "major", "unknown"), of: pick });
const duration = fc.constantFrom("1h", "24h", "72h", "7d", "14d", "0h", "9999d", "soon");

const create = fc.record({
  do: fc.constant("create" as const),
  env: fc.constantFrom(...ENVIRONMENTS),
  base: fc.option(pick, { nil: null, freq: 4 }),
  type: fc.constant(undefined),
  expires: fc.constant(undefined),
  version: rarely(fc.oneof(versionNaming, exactLabel)),
  secrets: rarely(fc.constantFrom("copy" as const, "empty" as const)),
  env_variables: rarely(variables),
});
const preview = fc.record({
  do: fc.constant("create" as const),
  env: fc.constantFrom("pr-1", "pr-2", "pr-2", "qa"),
  base: fc.option(pick, { nil: null, freq: 4 }),
  type: fc.constantFrom<EnvironmentType | undefined>("preview", "preview", "preview", "preview", undefined),
  expires: fc.oneof(fc.constant(undefined), fc.constantFrom("1h", "24h", "7d"), duration),
  version: rarely(versionNaming),
  secrets: rarely(fc.constantFrom("copy" as const, "empty" as const)),
  env_variables: rarely(variables),
});
const rollbackOf = (env: Pick) =>
  fc.record({
    do: fc.constant("rollback" as const),
    env: fc.constant(env),
    to: naming,
    keepSecrets: rarely(fc.constant(true)).map((keep) => keep ?? false),
    dryRun: rarely(fc.constant(true)).map((dry) => dry ?? false),
  });
const edit = fc.record({
  do: fc.constant("edit" as const),
  env: pick,
  set: components(2),
  remove: rarely(fc.array(pick, { minLength: 1, maxLength: 2 })).map((list) => list ?? []),
  whole: fc.constant(false),
  label: rarely(exactLabel),
  bump: rarely(fc.constantFrom("major" as const, "minor" as const, "patch" as const)),
});
const replace = fc.record({
  do: fc.constant("edit" as const),
  env: pick,
  set: components(4),
  remove: fc.constant([]),
  whole: fc.constant(true),
  label: fc.constant(undefined),
  bump: fc.constant(undefined),
});
const configure = fc.record({
  do: fc.constant("configure" as const),
  env: pick,
  vars: someOf(VARS, text),
  secrets: someOf(SECRETS, secret, 1),
  flags: someOf(FLAGS, flag, 1),
  unset: rarely(
    fc.uniqueArray(fc.constantFrom("vars/REGION", "vars/LEVEL", "secrets/API_KEY", "secrets/REGION", "flags/beta", "flags/dark"), {
      minLength: 1,
      maxLength: 2,
    }),
  ).map((list) => list ?? []),
  label: rarely(exactLabel),
});
const patterns = fc.uniqueArray(fc.constantFrom(...COMPONENTS, "flows/*", "entities/*", "*", "flows/no-such"), {
  minLength: 1,
  maxLength: 2,
});
const checkNames: readonly CheckName[] = ["approvals", "soak_time", "freeze_window", "config_complete", "pipeline_order"];
const promotion = {
  do: fc.constant("promote" as const),
  from: pick,
  to: pick,
  version: rarely(versionNaming),
  strategy: maybe(fc.constantFrom("replace" as const, "merge" as const), 1),
  resolve: fc.constant(undefined),
  only: fc.constant(undefined),
  except: fc.constant(undefined),
  flags: rarely(fc.uniqueArray(fc.constantFrom(...FLAGS), { minLength: 1, maxLength: 2 })),
  vars: rarely(fc.uniqueArray(fc.constantFrom("REGION", "LEVEL"), { minLength: 1, maxLength: 1 })),
  env_variables: rarely(variables),
  force: rarely(fc.oneof(fc.constant("all" as const), fc.uniqueArray(fc.constantFrom(...checkNames), { minLength: 1, maxLength: 2 }))),
  dryRun: fc.oneof({ arbitrary: fc.constant(false), weight: 4 }, { arbitrary: fc.constant(true), weight: 1 }),
};
const promote = fc.record(promotion);
const merge = fc.record({
  ...promotion,
  strategy: fc.constantFrom("merge" as const),
  resolve: maybe(fc.constantFrom("ours" as const, "theirs" as const, "body" as const, "all-but-one" as const, "none-there" as const), 1),
});
const select = fc.record({
  ...promotion,
  strategy: fc.constantFrom<PromoteStep["strategy"]>(undefined, undefined, "replace"),
  only: maybe(patterns, 2),
  except: maybe(patterns, 1),
});
const approvals = fc.constantFrom<NonNullable<EnvironmentPolicy["approvals"]>>(
  0,
  1,
  1,
  2,
  { count: 1, by: ["bob", "cy"], expires_in: "1d" },
  { count: 2, expires_in: "3d" },
);
const anyRules: fc.Arbitrary<EnvironmentPolicy> = fc
  .record({
    protected: fc.boolean(),
    require_from: fc.constantFrom<string | string[]>("staging", ["dev", "qa"]),
    soak: fc.constantFrom("1h", "1d"),
    approvals,
    config_complete: fc.constantFrom("fail" as const, "warn" as const, "off" as const),
    secrets_isolated: fc.constantFrom("fail" as const, "warn" as const, "off" as const),
    freeze: fc.constantFrom<NonNullable<EnvironmentPolicy["freeze"]>>(
      [],
      [{ kind: "deny", cron: "0 12 * * *", duration: "6h" }],
      [{ kind: "allow", cron: "0 6 * * *", duration: "8h", timezone: "UTC" }],
      [
        { kind: "allow", cron: "0 0 * * *", duration: "20h" },
        { kind: "deny", cron: "0 3 * * *", duration: "2h" },
      ],
    ),
    auto_promote_from: fc.constantFrom("dev", "staging"),
    forceable: fc.constantFrom<CheckName[]>(["approvals"], ["soak_time", "freeze_window"], [...checkNames]),
    max_ttl: fc.constantFrom("2d", "7d"),
  })
  // All of them at once would let nothing through.
  .chain((all) => fc.shuffledSubarray(Object.entries(all), { maxLength: 3 }).map(Object.fromEntries<unknown>));
const rules: fc.Arbitrary<EnvironmentPolicy> = fc.oneof(
  { arbitrary: anyRules, weight: 3 },
  { arbitrary: fc.record({ approvals }, plain), weight: 2 },
  {
    arbitrary: fc.record(
      { auto_promote_from: fc.constantFrom("dev", "staging"), approvals },
      { ...plain, requiredKeys: ["auto_promote_from"] },
    ),
    weight: 2,
  },
);
const govern = fc.record({
  do: fc.constant("govern" as const),
  pipeline: fc.oneof({ arbitrary: fc.constant(false), weight: 2 }, { arbitrary: fc.constant(true), weight: 1 }),
  environments: someOf(["dev", "staging", "prod", "qa", "type:production", "type:preview"], rules, 3),
});
const wait = fc.oneof(
  {
    arbitrary: fc.record({
      do: fc.constant("wait" as const),
      ms: fc.constantFrom(...[60_001, HOUR, 5 * HOUR, 12 * HOUR, DAY].flatMap((ms) => [ms, ms, ms]), 3 * DAY, 8 * DAY, 31 * DAY, 91 * DAY),
    }),
    weight: 3,
  },
  {
    arbitrary: fc.record({
      do: fc.constant("wait-for" as const),
      what: fc.constantFrom("expiry" as const, "grace" as const, "promotion" as const),
      of: pick,
      over: fc.constantFrom(0 as const, 1 as const),
    }),
    weight: 2,
  },
);
const report = fc.record({
  do: fc.constant("report" as const),
  env: pick,
  of: pick,
  how: fc.constantFrom("head" as const, "head" as const, "head" as const, "revision" as const, "version" as const, "mismatch" as const),
  status: fc.constantFrom("deploying" as const, "deployed" as const, "deployed" as const, "failed" as const),
});

const action: fc.Arbitrary<Action> = fc.oneof(
  { arbitrary: create, weight: 4 },
  { arbitrary: preview, weight: 4 },
  { arbitrary: edit, weight: 16 },
  { arbitrary: replace, weight: 2 },
  { arbitrary: configure, weight: 11 },
  { arbitrary: promote, weight: 18 },
  { arbitrary: merge, weight: 8 },
  { arbitrary: select, weight: 5 },
  { arbitrary: fc.record({ do: fc.constant("apply-plan" as const) }), weight: 2 },
  { arbitrary: fc.record({ do: fc.constant("approve" as const), promotion: pick }), weight: 9 },
  { arbitrary: fc.record({ do: fc.constant("reject" as const), promotion: pick }), weight: 1 },
  { arbitrary: pick.chain(rollbackOf), weight: 8 },
  { arbitrary: fc.record({ do: fc.constantFrom("hold" as const, "resume" as const, "archive" as const), env: pick }), weight: 3 },
  { arbitrary: fc.record({ do: fc.constant("restore" as const), env: pick, expires: rarely(duration) }), weight: 3 },
  { arbitrary: fc.record({ do: fc.constant("extend" as const), env: pick, expires: maybe(duration, 9) }), weight: 2 },
  { arbitrary: report, weight: 8 },
  { arbitrary: govern, weight: 5 },
  { arbitrary: wait, weight: 5 },
  { arbitrary: fc.record({ do: fc.constant("due" as const) }), weight: 10 },
  { arbitrary: fc.record({ do: fc.constantFrom("sweep" as const, "collect" as const, "reopen" as const) }), weight: 3 },
  {
    arbitrary: fc.record({
      do: fc.constant("compare" as const),
      left: pick,
      leftAt: maybe(naming, 1),
      right: pick,
      rightAt: maybe(naming, 1),
    }),
    weight: 4,
  },
);

const actor = fc.oneof(
  { arbitrary: fc.constantFrom("ann", "bob", "cy"), weight: 9 },
  { arbitrary: fc.constantFrom("eve", "robot"), weight: 1 },
);

const step: fc.Arbitrary<Step> = fc.record({
  by: actor,
  tick: fc.constantFrom(0, 1, 1, 1_000),
  twice: rarely(fc.constant(true)).map((twice) => twice ?? false),
  action,
});

const inOrder = (...actions: fc.Arbitrary<Action>[]): fc.Arbitrary<Step[]> =>
  fc.tuple(...actions.map((one) => fc.record({ by: actor, tick: fc.constantFrom(0, 1), twice: fc.constant(false), action: one })));
const exactly = <Value>(value: Value) => fc.constant(value);
const newer = fc.tuple(fc.constantFrom("flows/a", "flows/b"), member, member).map(([name, a, b]) => ({ [name]: { a, b } }));
const editOf = (env: Pick, removes = 1) =>
  fc.record({
    do: exactly("edit" as const),
    env: exactly(env),
    set: newer,
    remove: fc.oneof({ arbitrary: exactly([]), weight: 5 }, { arbitrary: fc.tuple(pick), weight: removes }),
    whole: exactly(false),
  });

/** What chance alone would seldom put one after another. */
const scenes: fc.Arbitrary<Step[]> = fc.oneof(
  // A deployment, and what is promoted because of it.
  fc
    .constantFrom(0, 1)
    .chain((env) =>
      inOrder(
        editOf(env),
        exactly({ do: "report", env, of: 0, how: "head", status: "deployed" }),
        exactly({ do: "due" }),
        fc.constantFrom<Action>({ do: "due" }, { do: "wait", ms: 12 * HOUR }, { do: "wait", ms: 60_001 }),
        exactly({ do: "due" }),
      ),
    ),
  // A promotion that people agree to.
  fc
    .tuple(pick, pick)
    .chain(([from, to]) =>
      inOrder(
        editOf(from),
        exactly({ do: "promote", from, to: 3 * Math.floor(to / 3), strategy: "replace" }),
        fc.constantFrom<Action>(
          { do: "approve", promotion: 0 },
          { do: "govern", pipeline: false, environments: { prod: { approvals: 1 } } },
        ),
        exactly({ do: "approve", promotion: 0 }),
        exactly({ do: "approve", promotion: 0 }),
      ),
    ),
  // Secrets that are given up: too old for a rollback, and of a preview that came and went.
  pick.chain((env) =>
    inOrder(
      exactly({ do: "configure", env, vars: {}, secrets: { DB_PASSWORD: `${MARK}-1` }, flags: {}, unset: [] }),
      exactly({ do: "configure", env, vars: { LEVEL: "us" }, secrets: { DB_PASSWORD: `${MARK}-2` }, flags: {}, unset: [] }),
      ...[0, 1, 2].map(() => editOf(env)),
      exactly({ do: "wait", ms: 91 * DAY }),
      fc.constantFrom<Action>({ do: "collect" }, { do: "sweep" }),
      rollbackOf(env),
    ),
  ),
  inOrder(
    preview.map((wish) => ({ ...wish, env: "pr-2", type: "preview" as const, expires: "1h", env_variables: { API_KEY: `${MARK}-3` } })),
    exactly({ do: "wait", ms: HOUR }),
    fc.constantFrom<Action>({ do: "due" }, { do: "restore", env: 0 }),
    exactly({ do: "wait", ms: DAY }),
    fc.constantFrom<Action>({ do: "due" }, { do: "collect" }),
    preview.map((wish) => ({ ...wish, env: "pr-2", type: "preview" as const })),
    pick.chain(rollbackOf),
  ),
  inOrder(
    preview.map((wish) => ({ ...wish, env: "pr-2", type: "preview" as const, expires: "1h" })),
    fc.constantFrom(HOUR, HOUR + 1).map((ms) => ({ do: "wait", ms })),
    fc.constantFrom<Action>({ do: "due" }, { do: "extend", env: 0, expires: "1h" }),
    exactly({ do: "restore", env: 0 }),
    exactly({ do: "wait", ms: 60_001 }),
    exactly({ do: "due" }),
  ),
  // A copy of what is protected.
  fc.tuple(pick, fc.constantFrom("qa", "pr-1", "pr-2")).chain(([base, env]) =>
    inOrder(
      exactly({
        do: "govern",
        pipeline: false,
        environments: { dev: { protected: true }, staging: { protected: true }, prod: { protected: true } },
      }),
      exactly({ do: "create", env, base }),
      exactly({ do: "govern", pipeline: false, environments: {} }),
    ),
  ),
  // A var that became a secret, and the way back.
  pick.chain((env) =>
    inOrder(
      exactly({ do: "configure", env, vars: { REGION: "us" }, secrets: {}, flags: {}, unset: ["secrets/REGION"] }),
      exactly({ do: "configure", env, vars: { REGION: "eu" }, secrets: {}, flags: {}, unset: [] }),
      exactly({ do: "configure", env, vars: {}, secrets: { REGION: `${MARK}-4` }, flags: {}, unset: [] }),
      fc.boolean().map((keepSecrets) => ({ do: "rollback", env, to: { by: "back", of: 1 }, keepSecrets, dryRun: false })),
    ),
  ),
  // A platform that stays for long, goes, and comes back for a moment.
  fc
    .tuple(pick, pick)
    .chain(([from, to]) =>
      inOrder(
        exactly({ do: "govern", pipeline: false, environments: { prod: { soak: "1h" }, staging: { soak: "1h" }, qa: { soak: "1h" } } }),
        exactly({ do: "wait", ms: 5 * HOUR }),
        ...[0, 1].flatMap(() => [
          editOf(from),
          exactly<Action>({ do: "rollback", env: from, to: { by: "back", of: 1 }, keepSecrets: false, dryRun: false }),
        ]),
        exactly({ do: "promote", from, to, strategy: "replace" }),
      ),
    ),
  // Changes on both sides, and a merge.
  fc.tuple(pick, pick).chain(([from, to]) =>
    inOrder(
      editOf(from, 5),
      editOf(to, 5),
      merge.map((wish) => ({ ...wish, from, to })),
      merge.map((wish) => ({ ...wish, from, to })),
    ),
  ),
);

/** How every run begins. */
export const FIRST: Step = stepOf({ do: "create", env: "dev", base: null });
const three: readonly Action[] = [
  {
    do: "edit",
    env: 0,
    set: { "flows/a": { a: 0, b: 0 }, "flows/b": { a: 0, b: 0 }, "entities/user": { a: 0, b: 0, c: { d: 0, e: 0 } }, "pages/home": 1 },
    remove: [],
    whole: false,
  },
  { do: "configure", env: 0, vars: { REGION: "eu" }, secrets: { API_KEY: `${MARK}-0` }, flags: { beta: true }, unset: [] },
  { do: "create", env: "staging", base: 0 },
  { do: "create", env: "prod", base: 1 },
];

/** What is done next: nothing, or three environments with something in them, governed or not. */
const beginning: fc.Arbitrary<readonly Action[]> = fc.constantFrom<readonly Action[]>(
  [],
  three,
  [
    ...three,
    { do: "govern", pipeline: false, environments: { prod: { protected: true, approvals: 2 }, staging: { approvals: 1, soak: "1h" } } },
  ],
  [
    ...three,
    {
      do: "govern",
      pipeline: true,
      environments: {
        staging: { auto_promote_from: "dev", freeze: [{ kind: "deny", cron: "0 12 * * *", duration: "6h" }] },
        prod: { auto_promote: true, approvals: { count: 2, expires_in: "3d" }, forceable: ["approvals", "pipeline_order"] },
      },
    },
  ],
);

/** Commands of one run. */
export function commands(maxLength: number): fc.Arbitrary<Step[]> {
  const some = fc.oneof({ arbitrary: step.map((one) => [one]), weight: 22 }, { arbitrary: scenes, weight: 3 });
  return fc
    .tuple(beginning, fc.array(some, { minLength: 1, maxLength, size: "max" }))
    .map(([actions, groups]) => [...actions.map(stepOf), ...groups.flat()]);
}
