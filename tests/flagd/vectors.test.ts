import { describe, expect, test } from "vitest";
import { compileFlags, type Evaluation, type Shared } from "../../src/flagd/index.ts";
import type { Json, JsonObject } from "../../src/ports.ts";

const VARIANTS = { on: true, off: false };

/** One flag `f` with boolean variants and the default `off`, whatever `changes` says otherwise. */
function flag(targeting: Json | undefined, changes: JsonObject = {}): JsonObject {
  const definition = { state: "ENABLED", variants: VARIANTS, defaultVariant: "off", ...changes };
  return targeting === undefined ? definition : { ...definition, targeting };
}

function evaluated(definition: Json, context: JsonObject = {}, shared: Shared = {}): Evaluation {
  return compileFlags({ f: definition }, shared).evaluate("f", context);
}

/** What a rule answers: whether it is `true`, `false` or neither. */
function answer(rule: Json, context: JsonObject = {}): boolean | "null" | "error" {
  const variants = { true: "true", false: "false" };
  const found = evaluated({ state: "ENABLED", variants, defaultVariant: null, targeting: rule as JsonObject }, context);
  if ("errorCode" in found) return "error";
  return found.reason === "DEFAULT" ? "null" : found.value === "true";
}

describe("state and variants, as flagd has them:", () => {
  const found: readonly (readonly [what: string, definition: Json, context: JsonObject, result: JsonObject])[] = [
    ["true is an enabled boolean flag", true, {}, { reason: "STATIC", value: true, variant: "on" }],
    ["false is one too", false, {}, { reason: "STATIC", value: false, variant: "off" }],
    ["without targeting the answer is static", flag(undefined), {}, { reason: "STATIC", value: false, variant: "off" }],
    ["with an empty targeting too", flag({}), {}, { reason: "STATIC", value: false, variant: "off" }],
    ["a disabled flag has no value and no variant", flag({ if: [true, "on"] }, { state: "DISABLED" }), {}, { reason: "DISABLED" }],
    ["a match names its variant", flag({ if: [true, "on", "off"] }), {}, { reason: "TARGETING_MATCH", value: true, variant: "on" }],
    [
      "a match may be the default variant",
      flag({ if: [false, "on", "off"] }),
      {},
      { reason: "TARGETING_MATCH", value: false, variant: "off" },
    ],
    [
      "a rule that answers null leaves the default",
      flag({ if: [false, "on", null] }),
      {},
      { reason: "DEFAULT", value: false, variant: "off" },
    ],
    ["a rule without an else too", flag({ if: [false, "on"] }), {}, { reason: "DEFAULT", value: false, variant: "off" }],
    ["no default and no rule: no value", flag(undefined, { defaultVariant: null }), {}, { reason: "DEFAULT" }],
    ["no default and a rule that answers null: no value", flag({ if: [false, "on"] }, { defaultVariant: null }), {}, { reason: "DEFAULT" }],
    [
      "no default, and a match",
      flag({ if: [true, "on"] }, { defaultVariant: null }),
      {},
      { reason: "TARGETING_MATCH", value: true, variant: "on" },
    ],
    [
      "a boolean result is the variant of that name",
      { state: "ENABLED", variants: { true: 1, false: 2 }, defaultVariant: "false", targeting: { "==": [{ var: "a" }, 5] } },
      { a: 5 },
      { reason: "TARGETING_MATCH", value: 1, variant: "true" },
    ],
    [
      "a number is the variant of that name",
      { state: "ENABLED", variants: { "3": "three" }, defaultVariant: "3", targeting: { "+": [1, { var: "a" }] } },
      { a: 2 },
      { reason: "TARGETING_MATCH", value: "three", variant: "3" },
    ],
    [
      "an object",
      flag({ if: [true, "on"] }, { variants: { on: { a: [1, null] }, off: {} } }),
      {},
      { reason: "TARGETING_MATCH", value: { a: [1, null] }, variant: "on" },
    ],
    [
      "zero and the empty string are values",
      flag({ if: [true, "on"] }, { variants: { on: 0, off: 1 } }),
      {},
      { reason: "TARGETING_MATCH", value: 0, variant: "on" },
    ],
  ];

  test.each(found)("%s", (_, definition, context, result) => {
    expect(evaluated(definition, context)).toEqual({ key: "f", ...result });
  });

  test("a variant that the flag does not have is GENERAL", () => {
    expect(evaluated(flag({ if: [true, "blue"] }))).toMatchObject({
      key: "f",
      errorCode: "GENERAL",
      errorDetails: expect.stringContaining("blue"),
    });
  });

  test("a flag that there is none of is FLAG_NOT_FOUND", () => {
    expect(compileFlags({}).evaluate("nope", {})).toMatchObject({ key: "nope", errorCode: "FLAG_NOT_FOUND" });
    expect(compileFlags({}).evaluate("constructor", {})).toMatchObject({ errorCode: "FLAG_NOT_FOUND" });
  });

  test("a flag's metadata comes on top of the set's", () => {
    const shared = { metadata: { flagSetId: "shop", version: 7 } };
    const metadata = { flagSetId: "shop", version: 8, owner: "ann" };
    expect(evaluated(flag(undefined, { metadata: { version: 8, owner: "ann" } }), {}, shared)).toMatchObject({ metadata });
    expect(evaluated(flag(undefined, { state: "DISABLED" }), {}, shared)).toEqual({
      key: "f",
      reason: "DISABLED",
      metadata: shared.metadata,
    });
  });
});

describe("rules, as JsonLogic has them:", () => {
  const rules: readonly (readonly [what: string, rule: Json, context: JsonObject, result: boolean | "null" | "error"])[] = [
    ["a member of a member", { "==": [{ var: "user.plan" }, "pro"] }, { user: { plan: "pro" } }, true],
    ["an element by its place", { "==": [{ var: "roles.1" }, "b"] }, { roles: ["a", "b"] }, true],
    ["a default for what is absent", { "==": [{ var: ["plan", "free"] }, "free"] }, {}, true],
    ["what is absent is null", { "==": [{ var: "plan" }, null] }, {}, true],
    ["== of a number and its text", { "==": [{ var: "n" }, "5"] }, { n: 5 }, true],
    ["=== of a number and its text", { "===": [{ var: "n" }, "5"] }, { n: 5 }, false],
    ["== of a text and a number that it is not", { "==": [{ var: "plan" }, 5] }, { plan: "pro" }, false],
    ["!= of a text and a number that it is not", { "!=": [{ var: "plan" }, 5] }, { plan: "pro" }, true],
    ["== of a word and a number", { "==": [{ var: "plan" }, "pro"] }, { plan: 5 }, false],
    ["!= of a word and a boolean", { "!=": [{ var: "plan" }, "pro"] }, { plan: true }, true],
    ["== of an object and a word", { "==": [{ var: "plan" }, "pro"] }, { plan: { a: 1 } }, false],
    ["< of what is no number", { "<": [{ var: "age" }, 18] }, { age: "young" }, false],
    [">= of what is no number", { ">=": [{ var: "age" }, 18] }, { age: {} }, false],
    ["< of a number as text", { "<": [{ var: "age" }, 18] }, { age: "9" }, true],
    ["between", { "<": [1, { var: "n" }, 10] }, { n: 5 }, true],
    ["not between", { "<=": [1, { var: "n" }, 10] }, { n: 11 }, false],
    ["and", { and: [{ var: "a" }, { "==": [{ var: "b" }, 1] }] }, { a: true, b: 1 }, true],
    ["or", { or: [{ var: "a" }, { "==": [{ var: "b" }, 1] }] }, { b: 1 }, true],
    ["!", { "!": [{ var: "a" }] }, {}, true],
    ["!!, with an empty list", { "!!": [{ var: "a" }] }, { a: [] }, false],
    ["!!, with the text 0", { "!!": [{ var: "a" }] }, { a: "0" }, true],
    ["if, more than once", { if: [{ "==": [{ var: "n" }, 1] }, false, { "==": [{ var: "n" }, 2] }, true, false] }, { n: 2 }, true],
    ["in a list", { in: [{ var: "plan" }, ["pro", "team"]] }, { plan: "team" }, true],
    ["in a text", { in: ["@example.", { var: "email" }] }, { email: "ann@example.com" }, true],
    ["in what is no list", { in: ["a", { var: "email" }] }, { email: 5 }, false],
    ["in what is absent", { in: ["a", { var: "email" }] }, {}, false],
    ["missing", { "==": [{ missing: ["a", "b"] }, []] }, { a: 1, b: 1 }, false],
    ["missing, as a condition", { "!": [{ missing: ["a", "b"] }] }, { a: 1, b: 2 }, true],
    ["missing_some", { "!": [{ missing_some: [1, ["a", "b"]] }] }, { b: 2 }, true],
    ["some", { some: [{ var: "roles" }, { "==": [{ var: "" }, "admin"] }] }, { roles: ["dev", "admin"] }, true],
    ["some of what is no list", { some: [{ var: "roles" }, { "==": [{ var: "" }, "admin"] }] }, { roles: "admin" }, false],
    ["all", { all: [{ var: "ns" }, { ">": [{ var: "" }, 0] }] }, { ns: [1, 2] }, true],
    ["none", { none: [{ var: "ns" }, { ">": [{ var: "" }, 1] }] }, { ns: [1, 2] }, false],
    [
      "filter",
      {
        "==": [
          { reduce: [{ filter: [{ var: "ns" }, { ">": [{ var: "" }, 1] }] }, { "+": [{ var: "accumulator" }, { var: "current" }] }, 0] },
          5,
        ],
      },
      { ns: [1, 2, 3] },
      true,
    ],
    ["map", { in: [4, { map: [{ var: "ns" }, { "*": [{ var: "" }, 2] }] }] }, { ns: [1, 2] }, true],
    ["merge", { in: ["c", { merge: [["a"], { var: "more" }] }] }, { more: ["b", "c"] }, true],
    ["cat", { "==": [{ cat: [{ var: "a" }, "-", { var: "b" }] }, "x-1"] }, { a: "x", b: 1 }, true],
    ["cat of what is absent", { "==": [{ cat: [{ var: "a" }] }, ""] }, {}, true],
    ["substr", { "==": [{ substr: [{ var: "a" }, 0, 2] }, "ab"] }, { a: "abc" }, true],
    ["arithmetic", { "==": [{ "%": [{ "-": [{ "*": [{ var: "n" }, 3] }, 1] }, 4] }, 1] }, { n: 2 }, true],
    ["max and min", { "<": [{ min: [{ var: "a" }, 3] }, { max: [1, { var: "a" }] }] }, { a: 5 }, true],
    ["a sum of words fails", { "+": [{ var: "a" }, 1] }, { a: "x" }, "error"],
    ["a sum of words in a comparison is no match", { ">": [{ "+": [{ var: "a" }, 1] }, 1] }, { a: "x" }, false],
  ];

  test.each(rules)("%s", (_, rule, context, result) => {
    expect(answer(rule, context)).toBe(result);
  });
});

describe("flagd's own operators:", () => {
  const rules: readonly (readonly [what: string, rule: Json, context: JsonObject, result: boolean | "null" | "error"])[] = [
    ["starts_with", { starts_with: [{ var: "email" }, "ann"] }, { email: "ann@example.com" }, true],
    ["starts_with something else", { starts_with: [{ var: "email" }, "bob"] }, { email: "ann@example.com" }, false],
    ["starts_with of a number is null", { starts_with: [{ var: "email" }, "1"] }, { email: 12 }, "null"],
    ["starts_with of what is absent is null", { starts_with: [{ var: "email" }, "a"] }, {}, "null"],
    ["ends_with", { ends_with: [{ var: "email" }, "@example.com"] }, { email: "ann@example.com" }, true],
    ["ends_with of a list is null", { ends_with: [{ var: "email" }, "m"] }, { email: ["m"] }, "null"],
    ["sem_ver =", { sem_ver: [{ var: "v" }, "=", "1.2.3"] }, { v: "1.2.3" }, true],
    ["sem_ver !=", { sem_ver: [{ var: "v" }, "!=", "1.2.3"] }, { v: "1.2.4" }, true],
    ["sem_ver <", { sem_ver: [{ var: "v" }, "<", "1.10.0"] }, { v: "1.9.9" }, true],
    ["sem_ver <=", { sem_ver: [{ var: "v" }, "<=", "1.2.3"] }, { v: "1.2.3" }, true],
    ["sem_ver >", { sem_ver: [{ var: "v" }, ">", "1.2.3"] }, { v: "1.2.3" }, false],
    ["sem_ver >=", { sem_ver: [{ var: "v" }, ">=", "1.2.3"] }, { v: "2.0.0" }, true],
    ["sem_ver ^, the same major", { sem_ver: [{ var: "v" }, "^", "1.2.3"] }, { v: "1.9.0" }, true],
    ["sem_ver ^, another major", { sem_ver: [{ var: "v" }, "^", "1.2.3"] }, { v: "2.2.3" }, false],
    ["sem_ver ~, the same minor", { sem_ver: [{ var: "v" }, "~", "1.2.3"] }, { v: "1.2.9" }, true],
    ["sem_ver ~, another minor", { sem_ver: [{ var: "v" }, "~", "1.2.3"] }, { v: "1.3.3" }, false],
    ["sem_ver with v and V", { sem_ver: [{ var: "v" }, "=", "V1.2.3"] }, { v: "v1.2.3" }, true],
    ["sem_ver of a release and its candidate", { sem_ver: [{ var: "v" }, "<", "1.2.3"] }, { v: "1.2.3-rc.1" }, true],
    ["sem_ver of no version is null", { sem_ver: [{ var: "v" }, "=", "1.2.3"] }, { v: "newest" }, "null"],
    ["sem_ver with no operator is null", { sem_ver: [{ var: "v" }, "~>", "1.2.3"] }, { v: "1.2.3" }, "null"],
    ["$flagd.flagKey", { "===": [{ var: "$flagd.flagKey" }, "f"] }, { $flagd: { flagKey: "g" } }, true],
    [
      "$flagd.timestamp, in seconds",
      { "<": [1_600_000_000, { var: "$flagd.timestamp" }, 100_000_000_000] },
      { $flagd: { timestamp: 5 } },
      true,
    ],
  ];

  test.each(rules)("%s", (_, rule, context, result) => {
    expect(answer(rule, context)).toBe(result);
  });

  test("$ref stands for an evaluator, wherever it is used", () => {
    const shared = { evaluators: { staff: { ends_with: [{ var: "email" }, "@example.com"] } } };
    const definition = flag({ if: [{ and: [{ $ref: "staff" }, { "==": [{ var: "beta" }, true] }] }, "on"] });
    expect(evaluated(definition, { email: "a@example.com", beta: true }, shared)).toMatchObject({ reason: "TARGETING_MATCH", value: true });
    expect(evaluated(definition, { email: "a@example.org", beta: true }, shared)).toMatchObject({ reason: "DEFAULT", value: false });
    expect(evaluated(flag({ $ref: "who" }), {}, { evaluators: { who: { if: [true, "on"] } } })).toMatchObject({ variant: "on" });
  });

  test("a text that looks like a $ref is a text", () => {
    const shared = { evaluators: { a: { if: [true, "off"] } } };
    expect(evaluated(flag({ if: [{ "==": [{ var: "x" }, '{"$ref":"a"}'] }, "on"] }), { x: '{"$ref":"a"}' }, shared)).toMatchObject({
      variant: "on",
    });
  });
});
