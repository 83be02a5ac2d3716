import { readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { packageRoot } from "../../src/package.ts";
import { type JsonValue, type PlatformState, type RequiredKey, readPlatform, requiredKeys } from "./platform.ts";

type Variables = Readonly<Record<string, string | { readonly value: string; readonly secret: boolean }>>;
/** A patch of an environment's config, as `PATCH …/config` takes it. */
interface ConfigPatch {
  readonly vars?: Readonly<Record<string, string>>;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly flags?: Readonly<Record<string, JsonValue>>;
}

/** What the demo works on: a platform, and what each environment binds of its own. */
export interface Inputs {
  readonly source: string;
  readonly state: PlatformState;
  readonly development: ConfigPatch;
  readonly staging: Variables;
  readonly production: Variables;
}

/** The project's own example, or any other platform with dummy values for the keys that it requires. */
export function readInputs(platformFile: string | undefined): Inputs {
  if (platformFile !== undefined) return foreignInputs(platformFile);
  const folder = join(packageRoot(), "examples");
  const read = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), "utf8"));
  return {
    source: join("examples", "customer-portal.json"),
    state: readPlatform(join(folder, "customer-portal.json")),
    development: read("development.config.json") as ConfigPatch,
    staging: read("staging.env_variables.json") as Variables,
    production: read("production.env_variables.json") as Variables,
  };
}

function foreignInputs(platformFile: string): Inputs {
  const state = readPlatform(resolve(platformFile));
  const keys = requiredKeys(state);
  return {
    source: relative(process.cwd(), resolve(platformFile)),
    state,
    development: bindingsFor(keys, "development"),
    staging: variablesFor(keys, "staging"),
    production: variablesFor(keys, "production"),
  };
}

/** A dummy value for each key, by kind. */
export function bindingsFor(keys: readonly RequiredKey[], env: string): ConfigPatch {
  const valuesOf = (kind: RequiredKey["kind"]): Record<string, string> =>
    Object.fromEntries(keys.filter((key) => key.kind === kind).map(({ name }) => [name, dummy(name, env)]));
  const flags = Object.fromEntries(keys.filter(({ kind }) => kind === "flag").map(({ name }) => [name, false]));
  return { vars: valuesOf("var"), secrets: valuesOf("secret"), flags };
}

/** Says of each value whether it is a secret, so that nothing is left to the look of a name. */
function variablesFor(keys: readonly RequiredKey[], env: string): Variables {
  const bound = keys.filter(({ kind }) => kind !== "flag");
  return Object.fromEntries(bound.map(({ name, kind }) => [name, { value: dummy(name, env), secret: kind === "secret" }]));
}

function dummy(name: string, env: string): string {
  return `dummy-${env}-${name.toLowerCase()}`;
}
