import type { Json, JsonObject } from "../ports.ts";
import { OPERATORS } from "./operators.ts";
import { isList, shapeOf } from "./rule.ts";
import { UTF8 } from "./utf8.ts";

/**
 * A targeting rule as flagd-core is given it, so that it answers what flagd's documents say
 * (https://flagd.dev/reference/flag-definitions/):
 *
 * - `{"$ref": "name"}` becomes the evaluator of that name.
 * - `fractional` names its bucketing value, so that an absent or `null` one becomes flag key and targeting key, one
 *   that is no text (a list of the context, which flagd-core takes for a bucket) becomes no answer, and what is hashed are the bytes of its UTF-8. flagd-core hashes the 16-bit units of a JavaScript string.
 * - A comparison of what cannot be compared is false, as in JsonLogic. The engine below flagd-core throws, which would
 *   fail the whole flag because one client sent a number for a name.
 *
 * The rule is one in which `ruleFaults` finds nothing.
 */
export function preparedRule(rule: Json, evaluators: JsonObject): Json {
  const prepare = (piece: Json): Json => {
    const shape = shapeOf(piece);
    if (shape.kind === "list") return shape.items.map(prepare);
    if (shape.kind === "reference") return prepare(evaluators[shape.name] ?? null);
    if (shape.kind !== "operation") return piece;
    const args = shape.args.map(prepare);
    if (shape.operator === "fractional") return { fractional: bucketed(args) };
    // An object of the context may have a `toString` that is no function.
    if (shape.operator === "cat") return { try: [text(args), ""] };
    return guarded(shape.operator, shape.inList ? args : (args[0] ?? null));
  };
  return prepare(rule);
}

/** Whether a prepared rule hashes anything. */
export function hashes(rule: Json): boolean {
  return mentions(rule, (operator) => operator === "fractional");
}

/** Whether what a rule answers may change with time alone: it reads the clock, or a member that the context names. */
export function readsTime(rule: Json): boolean {
  return mentions(rule, (operator, args) => {
    if (operator !== "var" && operator !== "missing" && operator !== "missing_some") return false;
    return args.some((arg) => typeof arg === "object" || (typeof arg === "string" && MAY_BE_CLOCK.test(arg)));
  });
}

/** The clock, or the context as a whole; both are found from inside of an iterator too. */
const MAY_BE_CLOCK = /^$|^\$flagd|^\.\.\//;

function mentions(rule: Json, wanted: (operator: string, args: readonly Json[]) => boolean): boolean {
  const shape = shapeOf(rule);
  if (shape.kind === "list") return shape.items.some((item) => mentions(item, wanted));
  if (shape.kind !== "operation") return false;
  return wanted(shape.operator, shape.args) || shape.args.some((arg) => mentions(arg, wanted));
}

function guarded(operator: string, args: Json): Json {
  if ((operator === "==" || operator === "!=") && isList(args) && args.some(isWord)) return { [`${operator}=`]: args };
  const otherwise = OPERATORS.get(operator)?.otherwise;
  if (otherwise === undefined || operator === "===" || operator === "!==") return { [operator]: args };
  return { try: [{ [operator]: args }, otherwise] };
}

/** A text that is no number is equal to nothing but itself, whatever is converted. */
function isWord(value: Json): boolean {
  return typeof value === "string" && Number.isNaN(Number(value));
}

/** The member of the context that holds the bytes of flag key and targeting key; `null` where there is no targeting key. */
export const BY_TARGETING_KEY = "$bucketing";

function bucketed(args: readonly Json[]): readonly Json[] {
  const byTargetingKey: Json = { val: BY_TARGETING_KEY };
  const [by, ...buckets] = args;
  if (by === undefined || isList(by)) return [byTargetingKey, ...args];
  if (by === null) return [byTargetingKey, ...buckets];
  if (typeof by === "string") return [utf8(by), ...buckets];
  return [{ if: [isText(by), utf8(by), { if: [{ "===": [by, null] }, byTargetingKey, null] }] }, ...buckets];
}

function isText(rule: Json): Json {
  return { try: [{ "===": [rule, text([rule])] }, false] };
}

/** With a second operand, as that of a single one throws where it is `null`. */
function text(operands: readonly Json[]): Json {
  return { cat: operands.length === 1 ? [...operands, ""] : operands };
}

function utf8(rule: Json): Json {
  return { val: [UTF8, rule] };
}
