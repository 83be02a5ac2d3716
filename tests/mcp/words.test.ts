import { expect, test } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { names, quoted } from "../../src/mcp/words.ts";

test("as many names as are told, and how many more there are", () => {
  const list = Array.from({ length: LIMITS.mcpNames }, (_, index) => `n${index}`);
  expect(names(list)).not.toContain("more");
  expect(names([...list, "one-more"])).toMatch(/ and 1 more$/);
  expect(names(["a"], 7)).toBe('"a" and 6 more');
});

test("as many characters as are quoted, and a sign that there are more", () => {
  const text = "x".repeat(LIMITS.mcpQuoted);
  expect(quoted(text)).toBe(`"${text}"`);
  expect(quoted(`${text}x`)).toBe(`"${text}…"`);
});

test.each([
  ['say "yes"', '"say \\"yes\\""'],
  ["a\nb\u0007", '"a\\nb\\u0007"'],
  ["\u202egnitsop\u200b", '"\\u202egnitsop\\u200b"'],
  ["\u2028\u2029", '"\\u2028\\u2029"'],
  ["\u{e0041}", '"\\udb40\\udc41"'],
  ["grüß dich 🚀", '"grüß dich 🚀"'],
])("%j is quoted so that nothing in it is unseen", (text, shown) => {
  expect(quoted(text)).toBe(shown);
  expect(JSON.parse(shown)).toBe(text);
});
