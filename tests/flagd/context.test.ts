import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileFlags, contextFault } from "../../src/flagd/index.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Json, JsonObject } from "../../src/ports.ts";

/** Rules that use every operator which a context of the wrong type could disturb. */
const RULES: readonly Json[] = [
  { "==": [{ var: "a" }, "word"] },
  { "==": [{ var: "a" }, { var: "b" }] },
  { "!=": [{ var: "a" }, 5] },
  { "<": [{ var: "a" }, { var: "b" }] },
  { ">=": [{ var: "a.b.c" }, 5] },
  { in: [{ var: "a" }, { var: "b" }] },
  { some: [{ var: "a" }, { "==": [{ var: "" }, { var: "x" }] }] },
  { all: [{ var: "a" }, { in: [{ var: "" }, "abc"] }] },
  { none: [{ var: "a" }, { var: "" }] },
  { "!!": [{ filter: [{ var: "a" }, { ">": [{ var: "" }, 1] }] }] },
  { in: [1, { map: [{ var: "a" }, { var: "" }] }] },
  { "==": [{ substr: [{ var: "a" }, 0, 1] }, "x"] },
  { "==": [{ cat: [{ var: "a" }] }, "x"] },
  { "!": [{ missing: ["a", "b.c"] }] },
  { and: [{ var: "a" }, { or: [{ var: "b" }, { "!": { var: "c" } }] }] },
  { starts_with: [{ var: "a" }, { var: "b" }] },
  { ends_with: [{ var: "a" }, { var: "b" }] },
  { sem_ver: [{ var: "a" }, ">", { var: "b" }] },
];

const flags = compileFlags({
  ...Object.fromEntries(
    RULES.map((rule, n) => [
      `rule-${n}`,
      { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "off", targeting: { if: [rule, "on", "off"] } },
    ]),
  ),
  divided: {
    state: "ENABLED",
    variants: { on: true, off: false },
    defaultVariant: "off",
    targeting: { fractional: [{ var: "a" }, ["on", 1], ["off", 1]] },
  },
});

test("no value of the context, of whatever type, fails a flag", () => {
  const value = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>;
  const context = fc.dictionary(fc.constantFrom("a", "b", "c", "targetingKey", "$flagd", "$utf8", "$bucketing"), value);
  fc.assert(
    fc.property(context, fc.string(), (members, targetingKey) => {
      const evaluations = flags.evaluateAll({ ...members, targetingKey } as JsonObject);
      expect(flags.writeAll({ ...members, targetingKey } as JsonObject)).toBe(JSON.stringify(evaluations));
      expect(evaluations).toHaveLength(flags.keys.length);
      for (const evaluation of evaluations) expect(evaluation).toMatchObject({ value: expect.any(Boolean) });
    }),
    {
      numRuns: 500,
      examples: [
        [{ a: [0] }, " "],
        [{ a: { toString: "" } }, ""],
      ],
    },
  );
});

test.each([{ a: { b: 1 } }, { a: { toString: 1 } }, { a: [{ toString: 1 }] }] as readonly JsonObject[])(
  "a rule that answers a piece of the context (%j) fails its flag alone",
  (context) => {
    const direct = { state: "ENABLED", variants: { on: true }, defaultVariant: "on", targeting: { var: "a" } };
    const failed = { key: "direct", errorCode: "GENERAL", errorDetails: expect.stringMatching(/\S/) };
    expect(compileFlags({ direct, plain: true }).evaluateAll(context)).toEqual([failed, expect.objectContaining({ value: true })]);
  },
);

test("an evaluation changes nothing in the context", () => {
  const context = { targetingKey: "u", a: [1, { b: "x" }], $flagd: { flagKey: "mine" } };
  const before = structuredClone(context);
  flags.evaluateAll(context);
  expect(context).toEqual(before);
});

test("one at a time and all at once answer the same", () => {
  const context = { targetingKey: "u", a: "word", b: ["word"] };
  expect(flags.evaluateAll(context)).toEqual(flags.keys.map((key) => flags.evaluate(key, context)));
});

test.each([5, true, null, [[]], {}])("a targeting key that is no text (%j) is an invalid context", (targetingKey) => {
  const context = { targetingKey } as JsonObject;
  expect(flags.evaluate("divided", context)).toMatchObject({ key: "divided", errorCode: "INVALID_CONTEXT" });
  expect(contextFault(context)).toMatch(/targetingKey/);
});

describe("what a context may be:", () => {
  test.each([null, "a", 5, true, [[]]])("%j is none", (context) => {
    expect(contextFault(context as Json)).toMatch(/object/);
  });

  test("as many bytes as it may have, counted in UTF-8, and one more", () => {
    const room = LIMITS.contextBytes - JSON.stringify({ a: "" }).length;
    expect(contextFault({ a: "é".repeat(room / 2) })).toBeNull();
    expect(contextFault({ a: `é${"é".repeat(room / 2)}` })).toMatch(/larger/);
  });

  test("a list, wherever it is: as many elements as it may have, and one more", () => {
    const list = Array<number>(LIMITS.contextElements).fill(1);
    expect(contextFault({ a: { b: [list] } })).toBeNull();
    expect(contextFault({ a: { b: [[...list, 1]] } })).toMatch(/`a\.b\.0`/);
  });
});

test("a set says whether it reads the clock", () => {
  const targeted = (targeting: Json) =>
    compileFlags({ plain: true, f: { state: "ENABLED", variants: { on: true }, defaultVariant: "on", targeting } }).readsTime;
  expect(targeted({ if: [{ "==": [{ var: "a" }, 1] }, "on"] })).toBe(false);
  expect(targeted({ if: [{ ">": [{ var: "$flagd.timestamp" }, 1] }, "on"] })).toBe(true);
  expect(targeted({ if: [{ ">": [{ var: ["$flagd.timestamp", 0] }, 1] }, "on"] })).toBe(true);
  expect(targeted({ if: [{ ">": [{ var: { var: "member" } }, 1] }, "on"] })).toBe(true);
  expect(targeted({ if: [{ "!": [{ var: "" }] }, "on"] })).toBe(true);
  expect(targeted({ if: [{ some: [{ var: "a" }, { ">": [{ var: "../../$flagd.timestamp" }, 1] }] }, "on"] })).toBe(true);
  expect(targeted({ if: [{ some: [{ var: "a" }, { "==": [{ var: "b" }, 1] }] }, "on"] })).toBe(false);
  expect(targeted({ fractional: [["on", 1]] })).toBe(false);
});
