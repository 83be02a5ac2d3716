import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeName, encodeName, foldedName, type Spelling } from "../../src/git/file-names.ts";
import { LIMITS } from "../../src/limits.ts";

const spelling = fc.constantFrom<Spelling>("plain", "folded");
/** Any text that has a UTF-8 form, with a good share of what is special somewhere. */
const name = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary", minLength: 1, maxLength: 4 }),
      fc.constantFrom(
        ".",
        "..",
        "/",
        "\\",
        "%",
        "%2F",
        "+",
        "~",
        " ",
        ":",
        "con",
        "NUL",
        ".git",
        "git~1",
        "é",
        "e\u0301",
        "ß",
        "\u200c",
        "😀",
        "A",
        "a",
        "\n",
      ),
      fc.integer({ min: 150, max: 300 }).map((length) => "long".repeat(length / 4)),
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map((parts) => parts.join(""));

describe("a name becomes a file name, and comes back from it:", () => {
  test("whatever the name", () => {
    fc.assert(
      fc.property(name, spelling, (text, how) => {
        expect(decodeName(encodeName(text, how))).toBe(text);
      }),
      { numRuns: 2_000 },
    );
  });

  test("no two names share one, not even where case and accents do not count", () => {
    fc.assert(
      fc.property(name, name, (left, right) => {
        fc.pre(left !== right);
        expect(encodeName(left, "plain")).not.toBe(encodeName(right, "plain"));
        if (foldedName(left) !== foldedName(right)) return;
        const written = [left, right].map((text) => encodeName(text, "folded").toLowerCase().normalize("NFD"));
        expect(written[0]).not.toBe(written[1]);
      }),
      { numRuns: 2_000 },
    );
  });

  test("what is written is safe on every file system: no part is hidden, a device, too long, or holds what is special", () => {
    fc.assert(
      fc.property(name, spelling, (text, how) => {
        for (const part of `${encodeName(text, how)}.json`.split("/")) {
          expect(Buffer.byteLength(part)).toBeLessThanOrEqual(LIMITS.gitNameBytes + ".json".length);
          expect(part).not.toMatch(/^$|^[. -]|[. ]$|[\\:*?"<>|~`\p{C}]/u);
          expect(part).not.toMatch(/^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ["Notification", "Notification"],
    ["onboarding/step 1", "onboarding%2Fstep 1"],
    ["..", "%2E%2E"],
    [".git", "%2Egit"],
    ["git~1", "git%7E1"],
    ["100%", "100%25"],
    ["end. ", "end.%20"],
    ["con", "%63on"],
    ["Nul.tar", "%4Eul.tar"],
    ["console", "console"],
    ["a\tb", "a%09b"],
    ["café", "café"],
    ["cafe\u0301", "cafe%CC%81"],
    ["日本語", "日本語"],
    ["g\u200cit", "g%E2%80%8Cit"],
    ["😀", "%F0%9F%98%80"],
    ["-rf", "%2Drf"],
  ])("%j is written as %s", (text, written) => {
    expect(encodeName(text, "plain")).toBe(written);
  });

  test("as long as one part may be, it is one; one byte longer, it is two", () => {
    expect(encodeName("x".repeat(LIMITS.gitNameBytes), "plain")).toBe("x".repeat(LIMITS.gitNameBytes));
    expect(encodeName("x".repeat(LIMITS.gitNameBytes + 1), "plain").split("/")).toEqual([
      `${"x".repeat(LIMITS.gitNameBytes - 2)}%`,
      "+xxx",
    ]);
  });
});

test.each([
  "..",
  ".git",
  "a\\b",
  "a/b",
  "%2f",
  "%zz",
  "%",
  "%41a%",
  "a%61",
  "con",
  "a~b",
  "a.",
  " a",
  "cafe\u0301",
  "x%/+y",
  "%FF",
  `${"x".repeat(198)}%/xxx`,
  `${"x".repeat(198)}%/+con/`,
])("what is never written is not read: %j", (written) => {
  expect(decodeName(written)).toBeNull();
});
