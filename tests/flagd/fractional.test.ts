import { describe, expect, test } from "vitest";
import { compileFlags } from "../../src/flagd/index.ts";
import type { Json, JsonObject } from "../../src/ports.ts";
import { bucketOf, murmur3 } from "./murmur3.ts";

type Buckets = readonly (readonly [variant: string, weight: number])[];

const KEY = "headline";
const EVEN: Buckets = [
  ["red", 25],
  ["blue", 25],
  ["green", 25],
  ["grey", 25],
];

function variantOf(args: readonly Json[], context: JsonObject, names: readonly string[] = EVEN.map(([name]) => name)): string | null {
  const variants = Object.fromEntries(names.map((name) => [name, name]));
  const flags = compileFlags({ [KEY]: { state: "ENABLED", variants, defaultVariant: null, targeting: { fractional: args } } });
  const found = flags.evaluate(KEY, context);
  if ("errorCode" in found) throw new Error(found.errorDetails);
  return found.variant ?? null;
}

test("the reference hash is MurmurHash3, by its published vectors", () => {
  expect(murmur3("")).toBe(0);
  expect(murmur3("hello")).toBe(0x248bfa47);
  expect(murmur3("hello, world")).toBe(0x149bbb7f);
  expect(murmur3("The quick brown fox jumps over the lazy dog")).toBe(0x2e4ff723);
});

const KEYS = [...Array.from({ length: 300 }, (_, n) => `user-${n}`), "", "josé", "山田太郎", "🚀 rocket", "a\u0000b", "ÿ".repeat(50)];

test("every targeting key is in the bucket that flagd's algorithm says, whatever its characters", () => {
  for (const targetingKey of KEYS) expect(variantOf(EVEN, { targetingKey }), targetingKey).toBe(bucketOf(KEY + targetingKey, EVEN));
});

test("a bucketing value of its own is hashed alone", () => {
  const args = [{ var: "email" }, ...EVEN];
  for (const email of KEYS) expect(variantOf(args, { email, targetingKey: "x" }), email).toBe(bucketOf(email, EVEN));
  const joined = [{ cat: [{ var: "$flagd.flagKey" }, { var: "email" }] }, ...EVEN];
  for (const email of KEYS) expect(variantOf(joined, { email }), email).toBe(bucketOf(KEY + email, EVEN));
  expect(variantOf(["fixed", ...EVEN], {})).toBe(bucketOf("fixed", EVEN));
});

test("a bucketing value that is absent or null is flag key and targeting key", () => {
  const expected = bucketOf(`${KEY}u1`, EVEN);
  expect(variantOf([{ var: "email" }, ...EVEN], { targetingKey: "u1" })).toBe(expected);
  expect(variantOf([{ var: "email" }, ...EVEN], { targetingKey: "u1", email: null })).toBe(expected);
  expect(variantOf([null, ...EVEN], { targetingKey: "u1" })).toBe(expected);
});

test.each([5, true, { a: 1 }])("a bucketing value that is no text (%j) leaves the default", (email) => {
  expect(variantOf([{ var: "email" }, ...EVEN], { targetingKey: "u1", email })).toBeNull();
});

test.each(["$bucketing", "$utf8"])("a member of the context that is called %s changes nothing", (name) => {
  expect(variantOf(EVEN, { targetingKey: "u1", [name]: "mine" })).toBe(bucketOf(`${KEY}u1`, EVEN));
  expect(variantOf(EVEN, { [name]: "mine" })).toBeNull();
  expect(variantOf([{ var: "email" }, ...EVEN], { email: "a", [name]: { a: "mine" } })).toBe(bucketOf("a", EVEN));
});

test("without a targeting key, and nothing else to go by, the default holds", () => {
  expect(variantOf(EVEN, {})).toBeNull();
  expect(variantOf([{ var: "email" }, ...EVEN], {})).toBeNull();
});

describe("weights:", () => {
  const split = (weights: Buckets) => KEYS.map((targetingKey) => variantOf(weights, { targetingKey }));
  const expected = (weights: Buckets) => KEYS.map((targetingKey) => bucketOf(KEY + targetingKey, weights));

  test("they need not add up to a hundred", () => {
    const weights: Buckets = [
      ["red", 1],
      ["blue", 2],
      ["green", 997],
    ];
    expect(split(weights)).toEqual(expected(weights));
  });

  test("beyond what a number of JavaScript multiplies exactly, up to the largest sum", () => {
    const weights: Buckets = [
      ["red", 1_000_000_000],
      ["blue", 1_147_483_646],
      ["green", 1],
    ];
    expect(split(weights)).toEqual(expected(weights));
    expect(new Set(split(weights))).toEqual(new Set(["red", "blue"]));
  });

  test("one more than the largest sum leaves the default", () => {
    expect(
      variantOf(
        [
          ["red", 2_147_483_647],
          ["blue", 1],
        ],
        { targetingKey: "u" },
      ),
    ).toBeNull();
  });

  test("without one a bucket weighs 1", () => {
    const even: Buckets = [
      ["red", 1],
      ["blue", 1],
    ];
    for (const targetingKey of KEYS) expect(variantOf([["red"], ["blue"]], { targetingKey })).toBe(bucketOf(KEY + targetingKey, even));
  });

  test("a negative one counts as nothing", () => {
    const weights: Buckets = [
      ["red", -5],
      ["blue", 10],
    ];
    expect(new Set(split(weights))).toEqual(new Set(["blue"]));
  });

  test.each([
    [
      "all of nothing",
      [
        ["red", 0],
        ["blue", 0],
      ],
    ],
    [
      "a half",
      [
        ["red", 0.5],
        ["blue", 1],
      ],
    ],
    [
      "a text",
      [
        ["red", "50"],
        ["blue", 50],
      ],
    ],
  ])("%s leaves the default", (_, weights) => {
    expect(variantOf(weights, { targetingKey: "u" })).toBeNull();
  });

  test("they may be computed", () => {
    const weights: Buckets = [
      ["red", 30],
      ["blue", 70],
    ];
    const computed = [
      ["red", { var: "share" }],
      ["blue", { "-": [100, { var: "share" }] }],
    ];
    for (const targetingKey of KEYS) expect(variantOf(computed, { targetingKey, share: 30 })).toBe(bucketOf(KEY + targetingKey, weights));
  });
});

test("a bucket may hold a further division", () => {
  const inner: Buckets = [
    ["green", 1],
    ["grey", 1],
  ];
  const args: Json = [
    ["red", 50],
    [{ fractional: [{ var: "email" }, ...inner] }, 50],
  ];
  for (const targetingKey of KEYS) {
    const outer = bucketOf(KEY + targetingKey, [
      ["red", 50],
      ["inner", 50],
    ]);
    expect(variantOf(args, { targetingKey, email: targetingKey })).toBe(outer === "red" ? "red" : bucketOf(targetingKey, inner));
  }
});

test("a rollout keeps whom it has: whoever is in at 10 % is in at 20 %", () => {
  const at = (share: number) =>
    KEYS.filter(
      (targetingKey) =>
        variantOf(
          [
            ["red", share],
            ["blue", 100 - share],
          ],
          { targetingKey },
        ) === "red",
    );
  const twenty = new Set(at(20));
  expect(at(10).every((key) => twenty.has(key))).toBe(true);
  expect(at(10).length).toBeGreaterThan(10);
});
