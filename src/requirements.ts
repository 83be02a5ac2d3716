import { checkBytes } from "./content-bounds.ts";
import { AppError } from "./errors.ts";
import { expanded } from "./flagd/definition.ts";
import { flagDefinition } from "./flags.ts";
import { isObject } from "./json.ts";
import { LIMITS } from "./limits.ts";
import type { EntryChange } from "./merkle/index.ts";
import { checkConfigKey, quoted } from "./names.ts";
import type { Hash, Json, JsonObject } from "./ports.ts";
import type { Maps } from "./snapshots.ts";

/** A component `requires/<NAME>`: a key that every environment which runs this platform must bind. */
export interface Requirement {
  readonly name: string;
  readonly kind: "var" | "secret" | "flag";
  readonly description: string | null;
  readonly default: Json | undefined;
}

export const REQUIRES = "requires/";

/** Where a requirement of each kind is bound. */
const BOUND_AT = { var: "vars/", secret: "secrets/", flag: "flags/" } as const;

/** @throws invalid_name, invalid_request, invalid_flag */
export function parseRequirement(name: string, value: Json): Requirement {
  const kind = isObject(value) ? value["kind"] : undefined;
  if (!isObject(value) || (kind !== "var" && kind !== "secret" && kind !== "flag")) {
    throw new AppError("invalid_request", {
      reason: `The component ${quoted(REQUIRES + name)} does not say what kind of key it declares.`,
      fix: 'Send {"kind":"var"|"secret"|"flag","description":"…","default":…}; `default` is optional.',
    });
  }
  checkConfigKey(kind, name);
  if (kind === "secret" && value["default"] !== undefined) {
    throw new AppError("invalid_request", {
      reason: `The required secret ${quoted(name)} has a default: platform state holds no secret.`,
      fix: "Remove `default`, and set the secret in each environment.",
    });
  }
  if (kind === "flag" && value["default"] !== undefined) flagDefinition(name, value["default"]);
  if (kind === "var" && !["undefined", "string", "number", "boolean"].includes(typeof value["default"])) {
    throw new AppError("invalid_request", {
      reason: `The default of the required var ${quoted(name)} is not a text.`,
      fix: 'Send it as a JSON string, for example "default":"10".',
    });
  }
  const description = value["description"];
  return { name, kind, description: typeof description === "string" ? description : null, default: value["default"] };
}

/** All keys that a platform requires: cost follows their number, not the platform's. */
export async function requirementsOf(maps: Maps, platform: Hash): Promise<Requirement[]> {
  const entries = await maps.entries(platform, { prefix: REQUIRES, limit: LIMITS.components });
  return entries.map(({ key, value }) => parseRequirement(key.slice(REQUIRES.length), value));
}

/**
 * Every read of a config shows the defaults of what is not bound, so that there are no more of them than of that.
 * @param before the platform in whose place this one comes: what is there already may stay and become smaller
 * @throws too_large
 */
export async function checkRequirementsSize(maps: Maps, platform: Hash, before: Hash): Promise<void> {
  const fix = "Remove what no environment needs, and keep large texts in other components.";
  const count = await maps.count(platform, REQUIRES);
  if (count > LIMITS.configEntries && count > (await maps.count(before, REQUIRES))) {
    throw new AppError("too_large", { reason: `A platform requires at most ${LIMITS.configEntries} keys.`, fix });
  }
  await checkBytes(maps, platform, before, { prefix: REQUIRES, what: "The keys that a platform requires", fix });
}

/** What a platform has for vars and flags that an environment does not bind. */
export interface Defaults {
  readonly vars: Readonly<Record<string, string>>;
  /** Definitions, written out. */
  readonly flags: JsonObject;
}

export function defaultsOf(requirements: readonly Requirement[], bound: { readonly vars: object; readonly flags: object }): Defaults {
  const unboundOf = (kind: "var" | "flag", there: object) =>
    requirements.filter((item) => item.kind === kind && item.default !== undefined && !Object.hasOwn(there, item.name));
  return {
    vars: Object.fromEntries(unboundOf("var", bound.vars).map(({ name, default: value }) => [name, String(value)])),
    flags: Object.fromEntries(unboundOf("flag", bound.flags).map(({ name, default: value }) => [name, expanded(value ?? null)])),
  };
}

/** Which of these names stay secrets, whatever a request says of them: those that are bound as one, or that the platform declares as one. */
export async function secretNames(
  maps: Maps,
  { config, platform }: { readonly config: Hash; readonly platform: Hash },
  names: readonly string[],
): Promise<ReadonlySet<string>> {
  const [bound, declared] = await Promise.all([
    maps.has(
      config,
      names.map((name) => BOUND_AT.secret + name),
    ),
    maps.lookup(
      platform,
      names.map((name) => REQUIRES + name),
    ),
  ]);
  return new Set(names.filter((_, index) => bound[index] || (declared[index] as { kind?: string } | undefined)?.kind === "secret"));
}

/** Those without a default that the config does not bind. */
export async function unbound(maps: Maps, requirements: readonly Requirement[], config: Hash): Promise<Requirement[]> {
  const needed = requirements.filter((requirement) => requirement.default === undefined);
  const found = await maps.has(config, needed.map(boundAt));
  return needed.filter((_, index) => !found[index]);
}

/** The config entry that a requirement asks for, for example `secrets/API_KEY`. */
export function boundAt({ kind, name }: Pick<Requirement, "kind" | "name">): string {
  return BOUND_AT[kind] + name;
}

/** Among a platform's changes: the keys that are required without a default now and were not before. */
export async function newlyRequired(maps: Maps, changes: readonly EntryChange[]): Promise<Requirement[]> {
  const touched = changes.filter(({ key, right }) => key.startsWith(REQUIRES) && right !== null);
  const [before, after] = await Promise.all([maps.values(touched.map(({ left }) => left)), maps.values(touched.map(({ right }) => right))]);
  return touched.flatMap(({ key }, index) => {
    const name = key.slice(REQUIRES.length);
    const now = parseRequirement(name, after[index] ?? null);
    const old = before[index] === undefined ? null : parseRequirement(name, before[index]);
    // Of another kind it is another key: what bound it before binds it no more.
    const demandedBefore = old !== null && old.kind === now.kind && old.default === undefined;
    return now.default === undefined && !demandedBefore ? [now] : [];
  });
}
