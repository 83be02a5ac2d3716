import { isObject } from "../json.ts";
import { CONTENT } from "../limits/content.ts";
import type { Json, JsonObject } from "../ports.ts";
import { type Fault, ruleFaults, ruleSteps } from "./check-rule.ts";
import { isList } from "./rule.ts";

/** A flag as flagd defines it: https://flagd.dev/schema/v0/flags.json */
export interface Definition {
  readonly state: "ENABLED" | "DISABLED";
  readonly variants: JsonObject;
  readonly defaultVariant?: string | null;
  readonly targeting?: JsonObject;
  readonly metadata?: JsonObject;
}

/** What the flags of one set share. */
export interface Shared {
  /** Named rules, which `{"$ref": "name"}` stands for. */
  readonly evaluators?: JsonObject | undefined;
  /** Metadata of the set: each flag's own comes on top. */
  readonly metadata?: JsonObject | undefined;
}

/** What `true` and `false` are shorthand for; everything else as it is. */
export function expanded(definition: Json): Json {
  if (typeof definition !== "boolean") return definition;
  return { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: definition ? "on" : "off" };
}

/**
 * Everything that is wrong with a flag's definition; nothing where it can be evaluated.
 * @param evaluators what its rule may refer to; `null` where that is not known, and any name passes
 */
export function definitionFaults(definition: Json, evaluators: JsonObject | null = {}): readonly Fault[] {
  if (typeof definition === "boolean") return [];
  if (!isObject(definition)) return [{ path: "", message: "it must be `true`, `false` or a flagd definition" }];
  const { state, variants, defaultVariant, targeting, metadata } = definition;
  const faults: Fault[] = [];
  const fault = (path: string, message: string) => faults.push({ path, message });
  if (state !== "ENABLED" && state !== "DISABLED") fault("state", 'it must be "ENABLED" or "DISABLED"');
  if (isObject(variants)) faults.push(...variantFaults(variants, defaultVariant));
  else fault("variants", "it must be an object that names at least one variant");
  if (targeting !== undefined && !isObject(targeting)) fault("targeting", "it must be an object: one operator with its arguments");
  else if (targeting !== undefined && Object.keys(targeting).length > 0) faults.push(...ruleFaults(targeting, evaluators));
  faults.push(...metadataFaults(metadata));
  return faults.slice(0, CONTENT.faults);
}

/** Steps that it may take to evaluate a flag in whose definition nothing is wrong; none for one that is switched off or has no rule. */
export function definitionSteps(definition: Json, evaluators: JsonObject = {}): number {
  if (!isObject(definition) || definition["state"] === "DISABLED" || !isObject(definition["targeting"])) return 0;
  return Object.keys(definition["targeting"]).length === 0 ? 0 : ruleSteps(definition["targeting"], evaluators);
}

/** Everything that is wrong with `$evaluators`. */
export function evaluatorFaults(evaluators: Json): readonly Fault[] {
  if (!isObject(evaluators)) return [{ path: "", message: "it must be an object that holds a rule for each name" }];
  const faults = Object.entries(evaluators).flatMap(([name, rule]) => {
    if (name === "") return [{ path: "", message: "a rule's name must not be empty" }];
    if (!isObject(rule)) return [{ path: name, message: "it must be an object: one operator with its arguments" }];
    // flagd looks into no evaluator for further references: to the others, it is as if there were none.
    return ruleFaults(rule, {}, name);
  });
  return faults.slice(0, CONTENT.faults);
}

/** Everything that is wrong with the metadata of a flag or of a set. */
export function metadataFaults(metadata: Json | undefined, path = "metadata"): readonly Fault[] {
  if (metadata === undefined) return [];
  const scalar = (value: Json) => ["string", "number", "boolean"].includes(typeof value);
  if (isObject(metadata) && Object.values(metadata).every(scalar)) return [];
  return [{ path, message: "it must be an object of strings, numbers and booleans" }];
}

function variantFaults(variants: JsonObject, defaultVariant: Json | undefined): readonly Fault[] {
  const names = Object.keys(variants);
  const types = new Set(Object.values(variants).map(typeOf));
  const faults: Fault[] = [];
  if (names.length === 0) faults.push({ path: "variants", message: "it must name at least one variant" });
  if (names.includes("")) faults.push({ path: "variants", message: "a variant's name must not be empty" });
  if (types.has("array") || types.has("null")) {
    faults.push({ path: "variants", message: "a variant's value must be a boolean, a string, a number or an object" });
  } else if (types.size > 1) {
    faults.push({ path: "variants", message: `all must have values of one type, and these are ${[...types].join(", ")}` });
  }
  if (defaultVariant === undefined || defaultVariant === null) return faults;
  if (typeof defaultVariant === "string" && Object.hasOwn(variants, defaultVariant)) return faults;
  return [...faults, { path: "defaultVariant", message: `it must be \`null\` or one of: ${listed(names)}` }];
}

function typeOf(value: Json): string {
  return value === null ? "null" : isList(value) ? "array" : typeof value;
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 10).map((name) => JSON.stringify(name));
  return shown.join(", ") + (names.length > 10 ? ` and ${names.length - 10} more` : "");
}
