import { expect, test } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { names, quoted, seen } from "../../src/mcp/words.ts";

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

test("a reply for a program has nothing unseen in it either, in names or values, and is otherwise as it was", () => {
  const reply = { name: "grüß dich 🚀", text: "a\n\tb", list: [1, null, true, { "k\u202ey": "\u200b\u{e0041}" }] };
  expect(seen(reply)).toEqual({ ...reply, list: [1, null, true, { "k\\u202ey": "\\u200b\\udb40\\udc41" }] });
  expect(Object.entries(seen(JSON.parse('{"__proto__":"a\\u200bb"}')) as object)).toEqual([["__proto__", "a\\u200bb"]]);
});
