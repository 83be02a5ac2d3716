import { expect, test } from "vitest";
import { compileFlags, definitionFaults, evaluatorFaults } from "../../src/flagd/index.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Json, JsonObject } from "../../src/ports.ts";

function targeted(targeting: Json, more: JsonObject = {}): JsonObject {
  return { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "off", targeting, ...more };
}

const faulty: readonly (readonly [what: string, definition: Json, path: string, message: RegExp])[] = [
  ["a text", "on", "", /flagd definition/],
  ["null", null, "", /flagd definition/],
  ["a list", [], "", /flagd definition/],
  ["no state", { variants: { on: true } }, "state", /ENABLED/],
  ["another state", { state: "enabled", variants: { on: true } }, "state", /ENABLED/],
  ["no variants", { state: "ENABLED" }, "variants", /at least one/],
  ["empty variants", { state: "ENABLED", variants: {} }, "variants", /at least one/],
  ["variants of two types", { state: "ENABLED", variants: { a: 1, b: "1" } }, "variants", /one type.*number, string/],
  ["a list as a variant", { state: "ENABLED", variants: { a: [] } }, "variants", /object/],
  ["null as a variant", { state: "ENABLED", variants: { a: null } }, "variants", /object/],
  ["a variant without a name", { state: "ENABLED", variants: { "": true } }, "variants", /empty/],
  ["a default that is no variant", targeted({}, { defaultVariant: "blue" }), "defaultVariant", /"on", "off"/],
  ["a default that is no text", targeted({}, { defaultVariant: 1 }), "defaultVariant", /null/],
  ["metadata with an object", targeted({}, { metadata: { a: {} } }), "metadata", /strings, numbers/],
  ["a text as targeting", targeted("on"), "targeting", /one operator/],
  ["a list as targeting", targeted([]), "targeting", /one operator/],
  ["null as targeting", targeted(null), "targeting", /one operator/],
  ["an unknown operator", targeted({ if: [{ equals: [1, 1] }, "on"] }), "targeting.if[0].equals", /no operator "equals"/],
  ["an operator that logs", targeted({ log: "x" }), "targeting.log", /no operator/],
  ["an operator that throws", targeted({ throw: "x" }), "targeting.throw", /no operator/],
  ["a name of JavaScript's", targeted({ constructor: [1] }), "targeting.constructor", /no operator/],
  ["__proto__", targeted(JSON.parse('{"__proto__":[1]}')), "targeting.__proto__", /no operator/],
  ["two operators in one object", targeted({ if: [true, "on"], or: [] }), "targeting", /one operator.*holds 2/],
  ["none, further in", targeted({ if: [{}, "on"] }), "targeting.if[0]", /one operator.*holds 0/],
  ["too few arguments", targeted({ sem_ver: [{ var: "v" }, "="] }), "targeting.sem_ver", /takes 3 arguments, and has 2/],
  ["too many arguments", targeted({ "==": [1, 2, 3] }), "targeting.==", /takes 2 arguments, and has 3/],
  ["arguments that stand in no array", targeted({ if: true }), "targeting.if", /array/],
  ["an unknown $ref", targeted({ if: [{ $ref: "staff" }, "on"] }), "targeting.if[0]", /"staff".*evaluators/],
  ["a $ref to a name of JavaScript's", targeted({ $ref: "toString" }), "targeting", /"toString".*evaluators/],
  [
    "a flagd operator for each element",
    targeted({ some: [{ var: "a" }, { starts_with: [{ var: "" }, "x"] }] }),
    "targeting.some[1].starts_with",
    /context/,
  ],
  [
    "a text that doubles with every element",
    targeted({ reduce: [{ var: "a" }, { cat: [{ var: "accumulator" }, { var: "accumulator" }] }, "a"] }),
    "targeting.reduce[1].cat",
    /double/,
  ],
];

test.each(faulty)("%s is found, and where it is", (_, definition, path, message) => {
  expect(definitionFaults(definition)).toContainEqual({ path, message: expect.stringMatching(message) });
});

test.each(faulty)("%s fails the one flag that has it, and no other", (_, definition) => {
  const flags = compileFlags({ bad: definition, good: true });
  expect(flags.evaluate("bad", {})).toMatchObject({ key: "bad", errorCode: "PARSE_ERROR" });
  expect(flags.evaluateAll({})).toEqual([
    expect.objectContaining({ errorCode: "PARSE_ERROR" }),
    expect.objectContaining({ key: "good", value: true }),
  ]);
});

test("evaluators hold rules, which refer to no others", () => {
  expect(evaluatorFaults({ staff: { ends_with: [{ var: "email" }, "@example.com"] } })).toEqual([]);
  expect(evaluatorFaults([])).toContainEqual(expect.objectContaining({ path: "" }));
  expect(evaluatorFaults({ staff: true })).toContainEqual(expect.objectContaining({ path: "staff" }));
  expect(evaluatorFaults({ staff: { $ref: "staff" } })).toContainEqual(expect.objectContaining({ path: "staff" }));
  expect(evaluatorFaults({ a: { if: [true] }, b: { $ref: "a" } })).toContainEqual(expect.objectContaining({ path: "b" }));
});

test("faults are named up to a bound", () => {
  const many = Array.from({ length: LIMITS.faults + 5 }, (_, n) => ({ [`op${n}`]: 1 }));
  expect(definitionFaults(targeted({ or: many }))).toHaveLength(LIMITS.faults);
});

/** A rule that looks at `lists` lists of the context, one within the other. */
function nested(lists: number): Json {
  return lists === 0 ? { ">": [{ var: "" }, 0] } : { some: [{ var: "list" }, nested(lists - 1)] };
}

test("as many steps as a rule may take, and more", () => {
  expect(definitionFaults(targeted({ if: [nested(1), "on"] }))).toEqual([]);
  expect(definitionFaults(targeted({ if: [nested(2), "on"] }))).toContainEqual({
    path: "targeting",
    message: expect.stringMatching(/one list/),
  });
  const steps = 1_000 * 12 + 2;
  const most = Math.floor(LIMITS.ruleSteps / steps) - 1;
  expect(definitionFaults(targeted({ or: Array<Json>(most).fill(nested(1)) }))).toEqual([]);
  expect(definitionFaults(targeted({ or: Array<Json>(most + 2).fill(nested(1)) }))).toContainEqual(
    expect.objectContaining({ path: "targeting" }),
  );
});

test("what evaluators stand for counts as often as it is referred to", () => {
  const evaluators = { long: { or: Array<Json>(500).fill({ "==": [{ var: "a" }, 1] }) } };
  expect(definitionFaults(targeted({ or: [{ $ref: "long" }] }), evaluators)).toEqual([]);
  expect(definitionFaults(targeted({ or: Array<Json>(100).fill({ $ref: "long" }) }), evaluators)).toHaveLength(1);
});

test("divisions within the bucketing value of a division count as often as they are looked at", () => {
  const within = (levels: number): Json => ({ fractional: [levels === 0 ? { var: "a" } : within(levels - 1), ["on", 1], ["off", 1]] });
  expect(definitionFaults(targeted(within(1)))).toEqual([]);
  expect(definitionFaults(targeted(within(12)))).toContainEqual({ path: "targeting", message: expect.stringMatching(/steps/) });
});

test("an evaluator is looked at once, however many flags refer to it, and however often", () => {
  let looks = 0;
  const long: JsonObject = new Proxy({ or: [true] }, { ownKeys: (target) => Reflect.ownKeys(target).filter(() => ++looks) });
  const evaluators = { long };
  for (let n = 0; n < 5; n++) expect(definitionFaults(targeted({ or: Array<Json>(1_000).fill({ $ref: "long" }) }), evaluators)).toEqual([]);
  expect(looks).toBe(1);
});

test("what is wrong with an evaluator is said of each flag that refers to it, where it does", () => {
  const evaluators = { broken: { or: [{ nothing: 1 }] } };
  for (const place of [0, 1]) {
    const args: Json[] = [true, true];
    args[place] = { $ref: "broken" };
    expect(definitionFaults(targeted({ and: args }), evaluators)).toMatchObject([{ path: `targeting.and[${place}].$ref.or[0].nothing` }]);
  }
});

test("a rule nested deeper than JSON may be is refused without being followed to its end", () => {
  let rule: Json = { var: "a" };
  for (let level = 0; level < 20_000; level += 1) rule = { "!": [rule] };
  expect(definitionFaults(targeted(rule))).toContainEqual(expect.objectContaining({ message: expect.stringMatching(/deeper/) }));
});
