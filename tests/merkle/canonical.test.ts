import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import { LIMITS } from "../../src/limits.ts";
import { canonicalJson, isWellFormed } from "../../src/merkle/canonical.ts";
import type { Json } from "../../src/ports.ts";
import { runs } from "./support.ts";

/** Numbers of RFC 8785, appendix B: IEEE 754 bits and the text they have. */
const NUMBERS: readonly [string, string][] = [
  ["0000000000000000", "0"],
  ["8000000000000000", "0"],
  ["0000000000000001", "5e-324"],
  ["8000000000000001", "-5e-324"],
  ["7fefffffffffffff", "1.7976931348623157e+308"],
  ["ffefffffffffffff", "-1.7976931348623157e+308"],
  ["4340000000000000", "9007199254740992"],
  ["c340000000000000", "-9007199254740992"],
  ["4430000000000000", "295147905179352830000"],
  ["44b52d02c7e14af5", "9.999999999999997e+22"],
  ["44b52d02c7e14af6", "1e+23"],
  ["44b52d02c7e14af7", "1.0000000000000001e+23"],
  ["444b1ae4d6e2ef4e", "999999999999999700000"],
  ["444b1ae4d6e2ef4f", "999999999999999900000"],
  ["444b1ae4d6e2ef50", "1e+21"],
  ["3eb0c6f7a0b5ed8c", "9.999999999999997e-7"],
  ["3eb0c6f7a0b5ed8d", "0.000001"],
  ["41b3de4355555553", "333333333.3333332"],
  ["41b3de4355555554", "333333333.33333325"],
  ["41b3de4355555555", "333333333.3333333"],
  ["41b3de4355555556", "333333333.3333334"],
  ["41b3de4355555557", "333333333.33333343"],
  ["becbf647612f3696", "-0.0000033333333333333333"],
  ["43143ff3c1cb0959", "1424953923781206.2"],
];

const refusal = (value: unknown): AppError => {
  try {
    canonicalJson(value as Json);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error("it was accepted");
};

const nested = (levels: number): Json => {
  let value: Json = 1;
  for (let i = 0; i < levels; i++) value = i % 2 === 0 ? [value] : { a: value };
  return value;
};

describe("canonical JSON", () => {
  test.each(NUMBERS)("writes the number %s of RFC 8785 as %s", (bits, text) => {
    expect(canonicalJson(Buffer.from(bits, "hex").readDoubleBE())).toBe(text);
  });

  test("writes the object of RFC 8785 section 3.2.2 as section 3.2.3 does", () => {
    const value = JSON.parse(
      '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}',
    );
    expect(canonicalJson(value)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  test("sorts members by UTF-16 code units, as RFC 8785 section 3.2.3 does", () => {
    const value = { "€": 1, "\r": 2, "\ufb33": 3, "1": 4, "😀": 5, "\u0080": 6, ö: 7 };
    expect(Object.values(JSON.parse(canonicalJson(value)))).toHaveLength(7);
    const keys = [...canonicalJson(value).matchAll(/:(\d)/g)].map((match) => Number(match[1]));
    expect(keys).toEqual([2, 4, 6, 7, 1, 5, 3]);
  });

  test.each([2, 32, 33, 500])("sorts %d members, whatever their order", (count) => {
    const names = Array.from({ length: count }, (_, n) => `name ${(n * 7919) % count}`);
    const members = (list: readonly string[]) => list.map((name) => `"${name}":0`).join(",");
    const value = JSON.parse(`{${members(names)}}`);
    expect(canonicalJson(value)).toBe(`{${members([...names].sort())}}`);
  });

  test("sorts members that look like array indices as strings", () => {
    expect(canonicalJson({ 10: 1, 9: 2, 1: 3 })).toBe('{"1":3,"10":1,"9":2}');
  });

  test("keeps a member called __proto__ or toJSON", () => {
    const value = JSON.parse('{"toJSON":1,"__proto__":{"polluted":true},"constructor":2}');
    expect(canonicalJson(value)).toBe('{"__proto__":{"polluted":true},"constructor":2,"toJSON":1}');
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test.each(["", "a", '"', "\\\n\u0000", "é😀", "\u2028", "__proto__", "7", "n".repeat(64), "n".repeat(65)])(
    "writes the name %j each time alike",
    (name) => {
      const text = `{${JSON.stringify(name)}:{${JSON.stringify(name)}:1}}`;
      for (let time = 0; time < 3; time++) {
        expect(canonicalJson(JSON.parse(text))).toBe(text);
        expect(() => canonicalJson({ [`${name}\ud800`]: 1 })).toThrow();
      }
    },
  );

  test("has one text for a value, whatever the order of members, and parses back to it", () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: "binary" }), (value) => {
        const parsed = JSON.parse(JSON.stringify(value));
        const text = canonicalJson(parsed);
        expect(JSON.parse(text)).toEqual(parsed);
        expect(canonicalJson(shuffled(parsed) as Json)).toBe(text);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
      }),
      runs(200),
    );
  });

  test.each([
    ["an undefined member", { a: [{ b: undefined }] }, "/a/0/b"],
    ["a function", { f: () => 1 }, "/f"],
    ["a symbol", [Symbol("x")], "/0"],
    ["a bigint", { "a/b~c": 1n }, "/a~1b~0c"],
    ["NaN", [1, Number.NaN], "/1"],
    ["an infinite number", { n: Number.NEGATIVE_INFINITY }, "/n"],
    ["a lone surrogate in a string", { s: "\ud800x" }, "/s"],
    ["a lone low surrogate", ["\udc00"], "/0"],
    ["a lone surrogate in a name", { "\ud800": 1 }, "/\ufffd"],
    ["a hole in an array", new Array(1), "/0"],
    ["a Date", { d: new Date(0) }, "/d"],
    ["a Map", { m: new Map() }, "/m"],
    ["undefined itself", undefined, ""],
  ])("refuses %s and says where", (_what, value, pointer) => {
    const error = refusal(value);
    expect(error.code).toBe("invalid_request");
    expect(error.message).toContain(`"${pointer}"`);
    expect(error.details).toEqual({ pointer });
    expect(isWellFormed(error.message)).toBe(true);
  });

  test("takes the deepest nesting that is allowed and refuses one level more, and cycles", () => {
    expect(canonicalJson(nested(LIMITS.jsonDepth))).toHaveLength(JSON.stringify(nested(LIMITS.jsonDepth)).length);
    expect(refusal(nested(LIMITS.jsonDepth + 1)).message).toContain("deeper than 64 levels");
    expect(refusal(nested(100_000)).code).toBe("invalid_request");
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(refusal(cycle).code).toBe("invalid_request");
  });

  test("takes objects without a prototype", () => {
    expect(canonicalJson(Object.assign(Object.create(null), { b: 1, a: 2 }))).toBe('{"a":2,"b":1}');
  });
});

function shuffled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shuffled);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).reverse();
  const copy = {};
  for (const [key, member] of entries) {
    Object.defineProperty(copy, key, { value: shuffled(member), enumerable: true, configurable: true, writable: true });
  }
  return copy;
}
