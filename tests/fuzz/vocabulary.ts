import fc from "fast-check";
import { type JsonValue, Pairs, Raw, toJsonValue } from "./json-text.ts";
import { type Kind, placeholder } from "./pool.ts";

/**
 * Words for the fields that schemas call text and the engine reads more closely: mostly names that exist, so that requests get past the
 * first check, and do something.
 */

export const ENVIRONMENTS = ["development", "staging", "production", "qa", "pr-1", "pr-2"] as const;
const COMPONENTS = [
  "entities/Order",
  "entities/Note",
  "flows/submit",
  "flows/a/b",
  "logic/tax",
  "pages/home",
  "requires/REGION",
  "requires/API_KEY",
];
const VARS = ["REGION", "API_URL", "LIMIT"];
const SECRETS = ["API_KEY", "DB_PASSWORD", "PLAIN"];
const FLAGS = ["beta", "new-checkout"];
const DURATIONS = ["1s", "1h", "72h", "7d", "1d12h", "0s", "-1h", "soon", "99999d", ""];
const MOMENTS = [
  "2100-01-01T00:00:00Z",
  "2020-01-01T00:00:00Z",
  "2030-02-30T25:61:00Z",
  "2026-01-31",
  "9999-12-31T23:59:59.999999999+14:00",
];
const WORDS = ["Weekly release", "", "x", "é 日本 🚀", "line\nbreak", "</script>", "'; DROP TABLE documents; --", "#{7*7}", "%s%n"];

const texts = (...options: readonly string[]) => fc.constantFrom(...options);
const some = (kind: Kind | "soon") => fc.nat({ max: 5 }).map((index) => placeholder(kind, index));
const mostly = <Value>(usual: fc.Arbitrary<Value>, rare: fc.Arbitrary<Value>) =>
  fc.oneof({ arbitrary: usual, weight: 12 }, { arbitrary: rare, weight: 1 });

const env = mostly(texts(...ENVIRONMENTS), texts("nowhere", "e1", "e2", "create", "Staging"));
const newEnv = fc.oneof(
  { arbitrary: env, weight: 1 },
  { arbitrary: fc.integer({ min: 1, max: 24 }).map((index) => `e${index}`), weight: 2 },
);
const version = fc.oneof(
  { arbitrary: some("version"), weight: 5 },
  { arbitrary: texts("v0.1.0", "v0.2", "v1", "v9.9.9", "latest"), weight: 1 },
);
const revision = mostly(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 6, max: 5_000 }));
const component = mostly(texts(...COMPONENTS), texts("flows", "flows/*", "entities/*", "/", "a//b", "flows/..", "nothing/Here"));
const word = texts(...WORDS);
const moment = fc.oneof(texts(...MOMENTS), some("soon"));
const side = fc
  .tuple(env, fc.option(fc.oneof(version, revision.map(String), moment)))
  .map(([name, at]) => (at === null ? name : `${name}@${at}`));

const jsonLeaf: fc.Arbitrary<JsonValue> = fc.oneof(
  fc.constantFrom<JsonValue>(
    null,
    true,
    false,
    0,
    1,
    -1,
    0.1,
    1e21,
    5e-324,
    Number.MAX_SAFE_INTEGER,
    "",
    "x",
    new Raw("-0"),
    new Raw("1.0"),
  ),
  fc.string({ maxLength: 20 }),
);
/** Small, with members that merges and diffs meet again. */
export const smallJson: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    { arbitrary: jsonLeaf, weight: 3 },
    { arbitrary: fc.array(tie("value"), { maxLength: 4 }), weight: 1 },
    { arbitrary: membersOf(texts("a", "b", "fields", "steps", "title"), tie("value")), weight: 3 },
  ),
})).value;

const requirement = fc
  .record({ kind: texts("var", "secret", "flag"), default: fc.option(texts("eu", "1")) })
  .map(({ kind, default: value }) => toJsonValue(value === null ? { kind } : { kind, default: value }));
const flag = fc.constantFrom<unknown>(
  true,
  false,
  { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "on" },
  { state: "DISABLED", variants: { small: 1, large: 2 }, defaultVariant: "small" },
  { state: "ENABLED", variants: {} },
);
const rules = fc.constantFrom<unknown>(
  {},
  { protected: true },
  { approvals: 1 },
  { approvals: 1 },
  { approvals: 2, protected: true },
  { approvals: { count: 1, expires_in: "1h" }, forceable: ["approvals"] },
  { soak: "1s", forceable: ["soak_time"] },
  { auto_promote_from: "development", auto_promote: true },
  { freeze: [{ kind: "deny", cron: "* * * * *", duration: "1h", timezone: "UTC" }], forceable: ["freeze_window"] },
  { config_complete: "warn", secrets_isolated: "fail", require_message: true, require_confirmation: true },
  { max_ttl: "1h" },
  { soak: 1 },
  { cycle: true },
);
const approved = fc.constantFrom<unknown>(
  { approvals: 1 },
  { approvals: 1, forceable: ["approvals", "config_complete"], config_complete: "warn" },
);
const governed = fc
  .tuple(fc.oneof(approved, rules), rules)
  .map(([production, staging]) => toJsonValue({ production, staging, "type:preview": { max_ttl: "7d" } }));
const pipeline = fc.constantFrom<JsonValue>(["development", "staging", "production"], ["staging", "staging"], ["development"], []);

/** An object whose members have names and values of these. */
export function membersOf(name: fc.Arbitrary<string>, value: fc.Arbitrary<JsonValue>): fc.Arbitrary<JsonValue> {
  return fc.uniqueArray(fc.tuple(name, value), { maxLength: 3, selector: ([text]) => text }).map((members) => new Pairs(members));
}

const configName = mostly(texts(...VARS, ...SECRETS), texts("no name", "1A", "a".repeat(129), "constructor"));

/** By the name of the field or parameter: `names[]` for the items of `names`, `vars.*` for its members, `tokens/id` for an `id` in a path. */
export interface Vocabulary {
  text(field: string): fc.Arbitrary<JsonValue> | undefined;
  /** Names of an object's members, where they are the caller's. */
  memberName(field: string): fc.Arbitrary<string> | undefined;
}

/**
 * @param projects names of projects
 * @param receivers addresses that webhooks may be sent to
 */
export function vocabulary(projects: fc.Arbitrary<string>, receivers: readonly string[]): Vocabulary {
  const fields: Readonly<Record<string, fc.Arbitrary<JsonValue>>> = {
    project_id: projects,
    project: projects,
    env,
    new_environment: newEnv,
    base_from: fc.option(env),
    source_env: env,
    target_env: fc.oneof(env, fc.constant("production")),
    source: env,
    version,
    revision,
    at: revision,
    n: revision,
    to: fc.oneof(version, revision, moment),
    plan_id: some("plan"),
    "promotions/id": some("promotion"),
    "tokens/id": some("token"),
    "webhooks/id": some("webhook"),
    "flags/key": texts(...FLAGS),
    "events[]": texts("*", "promote", "deployment.*", "***", ""),
    cursor: some("cursor"),
    expect: some("head"),
    limit: fc.integer({ min: 1, max: 1_000 }),
    left: side,
    right: side,
    collection: texts("entities", "flows", "logic", "pages", "requires", "nothing"),
    name: texts("Order", "submit", "a/b", "tax", "REGION", "ada@example.com", "ci"),
    "names[]": texts(...SECRETS),
    "unset[]": texts(...VARS.map((name) => `vars/${name}`), ...SECRETS.map((name) => `secrets/${name}`), "flags/beta", "REGION"),
    "remove[]": component,
    "only[]": component,
    "except[]": component,
    "flags[]": texts(...FLAGS),
    "vars[]": texts(...VARS),
    "resolve.*": fc.oneof(texts("ours", "theirs"), smallJson),
    "flags.*": flag.map(toJsonValue),
    "set.*": fc.oneof(smallJson, requirement),
    environments: governed,
    pipeline,
    preset: texts("solo", "team", "regulated", "none"),
    "projects[]": fc.oneof(projects, texts("*", "fuzz-*", "pf-777")),
    "envs[]": mostly(env, texts("*", "pr-*", "**")),
    rights: fc.constantFrom<JsonValue>([], ["secrets:reveal"]),
    expires_in: texts(...DURATIONS),
    overlap: texts(...DURATIONS),
    expires_at: moment,
    message: word,
    reason: word,
    comment: word,
    source_ref: word,
    url: fc.oneof(
      texts(...receivers),
      texts("javascript:alert(1)", "http://169.254.169.254/", "https://user:pw@127.0.0.1/", "http://[::1]/", ""),
    ),
    version_id: word,
    token: some("secret"),
    actor: texts("local", "root", "engine", "ci"),
    action: texts("create", "promote", "reveal", "config"),
    value: fc.oneof(texts("eu", "postgres://app:pw@db/app", "0"), word),
    "vars.*": word,
    "secrets.*": mostly(texts("s3cr3t-value", "p"), texts("", "x".repeat(70_000))),
  };
  const names: Readonly<Record<string, fc.Arbitrary<string>>> = {
    env_variables: configName,
    vars: configName,
    secrets: configName,
    flags: mostly(texts(...FLAGS), texts("no flag!")),
    set: component,
    resolve: component,
    state: mostly(texts("entities", "flows", "logic", "pages"), texts("no collection!", "__proto__")),
    "state.*": mostly(texts("Order", "Note", "submit", "a/b"), texts("..", "constructor")),
  };
  return { text: (field) => fields[field], memberName: (field) => names[field] };
}
