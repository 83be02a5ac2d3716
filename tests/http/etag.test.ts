import { describe, expect, test } from "vitest";
import { noneMatchHits, parseIfMatch, quoteTag, tagOfBody } from "../../src/http/etag.ts";

test("a tag gets its quotes, and a body's tag is 32 hexadecimal digits of its digest", () => {
  expect(quoteTag("abc")).toBe('"abc"');
  expect(tagOfBody("{}")).toMatch(/^[0-9a-f]{32}$/);
  expect(tagOfBody("{}")).not.toBe(tagOfBody("{ }"));
});

describe("If-None-Match is compared weakly", () => {
  test.each([
    [undefined, false],
    ['"abc"', true],
    ['W/"abc"', true],
    ['"x", "abc"', true],
    ['W/"x",W/"abc" , "y"', true],
    ["*", true],
    [" * ", true],
    ['"ab"', false],
    ['"abcd"', false],
    ["abc", false],
    ['w/"abc"', false],
    ['"x,"abc', false],
    ["", false],
  ])("%j: %s", (header, hit) => {
    expect(noneMatchHits(header, "abc")).toBe(hit);
  });
});

describe("If-Match is compared strongly", () => {
  test.each([
    [undefined, null],
    ["*", ["*"]],
    ['"abc"', ["abc"]],
    ['"abc", "def"', ["abc", "def"]],
    ['W/"abc"', []],
    ['W/"abc", "def"', ["def"]],
    ['"a,b"', ["a,b"]],
    ['""', [""]],
    ["", []],
  ])("%j gives %j", (header, tags) => {
    expect(parseIfMatch(header)).toEqual(tags);
  });

  test.each(["abc", '"abc', '"a b"', '"abc" x', '*, "abc"'])("%j is refused, and the fix shows how", (header) => {
    expect(() => parseIfMatch(header)).toThrow(
      expect.objectContaining({ code: "invalid_request", fix: expect.stringContaining('If-Match: "') }),
    );
  });
});
