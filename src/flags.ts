import { AppError } from "./errors.ts";
import type { Fault } from "./flagd/check-rule.ts";
import { definitionFaults, definitionSteps, evaluatorFaults, expanded } from "./flagd/definition.ts";
import { isObject } from "./json.ts";
import { LIMITS } from "./limits.ts";
import { canonicalJson } from "./merkle/canonical.ts";
import type { FlagDefinition } from "./model.ts";
import { checkConfigKey, faultText, quoted } from "./names.ts";
import type { Json, JsonObject } from "./ports.ts";

/**
 * Turns what a request gives for a flag into a flagd definition (https://flagd.dev/schema/v0/flags.json): `true` and
 * `false` are shorthand for an enabled boolean flag with the variants `on` and `off`.
 * @param evaluators what its rule may refer to by `$ref`; `null` where that is not known yet, and is checked later
 * @throws invalid_name, invalid_flag, too_large
 */
export function flagDefinition(name: string, input: Json, evaluators: JsonObject | null = {}): FlagDefinition {
  checkConfigKey("flag", name);
  const faults = definitionFaults(input, evaluators);
  if (faults.length > 0) throw invalid(`The flag ${quoted(name)}`, faults);
  const definition = expanded(input);
  checkSize(`The flag ${quoted(name)}`, definition);
  return definition as FlagDefinition;
}

/** A rule that flags refer to by `{"$ref": name}`. @throws invalid_name, invalid_flag, too_large */
export function evaluatorRule(name: string, rule: Json): Json {
  checkConfigKey("evaluator", name);
  const faults = evaluatorFaults({ [name]: rule });
  if (faults.length > 0) throw invalid(`The evaluator ${quoted(name)}`, faults);
  checkSize(`The evaluator ${quoted(name)}`, rule);
  return rule;
}

/** A member of the flags' metadata, which every evaluation shows. @throws invalid_name, invalid_flag, too_large */
export function metadataValue(name: string, value: Json): Json {
  checkConfigKey("flag_metadata", name);
  if (!["string", "number", "boolean"].includes(typeof value)) {
    throw invalid(`The metadata ${quoted(name)}`, [{ path: name, message: "it must be a string, a number or a boolean" }]);
  }
  checkSize(`The metadata ${quoted(name)}`, value);
  return value;
}

/** All flags may be asked for at once, and nobody else is served meanwhile: what they take together is bounded too. @throws invalid_flag */
export function checkSteps(flags: readonly (readonly [string, Json])[], evaluators: JsonObject): void {
  const costs = flags
    .map(([name, value]) => ({ name, steps: definitionSteps(value, evaluators) }))
    .filter(({ steps }) => steps > LIMITS.simpleSteps)
    .sort((left, right) => right.steps - left.steps);
  const total = costs.reduce((sum, { steps }) => sum + steps, 0);
  if (total <= LIMITS.environmentSteps) return;
  throw new AppError("invalid_flag", {
    reason: `The flags of the environment may take ${total} steps together where ${LIMITS.environmentSteps} are allowed.`,
    fix: "Shorten the rules that details.faults names, or switch flags off that are not needed: those that look through lists of the context take the most.",
    details: {
      faults: costs.slice(0, LIMITS.faults).map(({ name, steps }) => ({ path: faultText(name), message: `it may take ${steps} steps` })),
    },
  });
}

/** The same flag, switched off: how a promotion introduces a flag to an environment that lacks it. */
export function disabled(definition: Json): Json {
  return isObject(definition) ? { ...definition, state: "DISABLED" } : definition;
}

function checkSize(what: string, value: Json): void {
  if (Buffer.byteLength(canonicalJson(value)) <= LIMITS.flagBytes) return;
  throw new AppError("too_large", { reason: `${what} is larger than ${LIMITS.flagBytes} bytes.`, fix: "Shorten its rules." });
}

function invalid(what: string, faults: readonly Fault[]): AppError {
  const told = faults.map(({ path, message }) => ({ path: faultText(path), message: faultText(message) }));
  const [first] = told;
  const where = first === undefined || first.path === "" ? "" : `\`${first.path}\`: `;
  const more = told.length > 1 ? ` (and ${told.length - 1} more, in details.faults)` : "";
  return new AppError("invalid_flag", {
    reason: `${what} is not valid: ${where}${first?.message ?? "it cannot be evaluated"}${more}.`,
    fix: 'Correct what details.faults names, or send true or false, or a definition such as {"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}.',
    details: { faults: told },
  });
}
