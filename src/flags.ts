import { AppError } from "./errors.ts";
import { isObject } from "./json.ts";
import { LIMITS } from "./limits.ts";
import { canonicalJson } from "./merkle/canonical.ts";
import type { FlagDefinition } from "./model.ts";
import { checkConfigKey, quoted } from "./names.ts";
import type { Json, JsonObject } from "./ports.ts";

/**
 * Turns what a request gives for a flag into a flagd definition (https://flagd.dev/schema/v0/flags.json): `true` and
 * `false` are shorthand for an enabled boolean flag with the variants `on` and `off`.
 * @throws invalid_name, invalid_flag, too_large
 */
export function flagDefinition(name: string, input: Json): FlagDefinition {
  checkConfigKey("flag", name);
  if (typeof input === "boolean") {
    return { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: input ? "on" : "off" };
  }
  if (!isObject(input)) throw invalid(name, "it is neither `true`, `false` nor a flagd definition");
  const { state, variants, defaultVariant, targeting, metadata } = input;
  if (state !== "ENABLED" && state !== "DISABLED") throw invalid(name, '`state` must be "ENABLED" or "DISABLED"');
  if (!isObject(variants) || Object.keys(variants).length === 0) throw invalid(name, "`variants` must name at least one variant");
  checkVariants(name, variants);
  if (defaultVariant !== undefined && defaultVariant !== null) {
    if (typeof defaultVariant !== "string" || !Object.hasOwn(variants, defaultVariant)) {
      throw invalid(name, `\`defaultVariant\` must be one of: ${listed(Object.keys(variants))}`);
    }
  }
  if (targeting !== undefined && !isObject(targeting)) throw invalid(name, "`targeting` must be an object");
  if (metadata !== undefined && !isScalarMap(metadata))
    throw invalid(name, "`metadata` must be an object of strings, numbers and booleans");
  if (Buffer.byteLength(canonicalJson(input)) > LIMITS.flagBytes) {
    throw new AppError("too_large", {
      reason: `The flag ${quoted(name)} is larger than ${LIMITS.flagBytes} bytes.`,
      fix: "Shorten its rules.",
    });
  }
  return { ...input, state, variants };
}

/** The same flag, switched off: how a promotion introduces a flag to an environment that lacks it. */
export function disabled(definition: Json): Json {
  return isObject(definition) ? { ...definition, state: "DISABLED" } : definition;
}

function checkVariants(name: string, variants: JsonObject): void {
  const types = new Set(
    Object.values(variants).map((value) => (isObject(value) ? "object" : Array.isArray(value) ? "array" : typeof value)),
  );
  if (types.size > 1) throw invalid(name, "all variants must have values of one type");
  const [type] = types;
  if (type === "array" || Object.values(variants).includes(null)) {
    throw invalid(name, "a variant's value must be a boolean, a string, a number or an object");
  }
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 10).map(quoted).join(", ");
  return names.length > 10 ? `${shown} and ${names.length - 10} more` : shown;
}

function isScalarMap(value: Json): boolean {
  return isObject(value) && Object.values(value).every((item) => ["string", "number", "boolean"].includes(typeof item));
}

function invalid(name: string, fault: string): AppError {
  return new AppError("invalid_flag", {
    reason: `The flag ${quoted(name)} is not valid: ${fault}.`,
    fix: 'Send true or false, or a definition such as {"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}.',
  });
}
