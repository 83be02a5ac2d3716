import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { adversaries, CountedPattern, worstCase } from "./patterns.ts";

/**
 * No text makes a pattern take long. Every regular expression of the sources is matched against texts that are made to be the worst
 * for it, and its steps are counted: with twice the text they must not be much more than twice as many.
 */

const SOURCES = fileURLToPath(new URL("../../src/", import.meta.url));
const SIZE = 64;

/** Patterns whose steps grow faster than their text, and why nobody can make use of it. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  "(\\d+)([smhdw])": "is asked only of what FORM has matched, in which no run of digits is longer than six",
  "\\/+$": "is asked of addresses that the operator sets",
  "=+$": "is asked of the key that the operator sets",
};

interface Found {
  readonly place: string;
  readonly source: string;
  readonly flags: string;
}

/** Every pattern of the sources: literals, and what is given to `RegExp`. */
function patternsOf(file: string): Found[] {
  const root = ts.createSourceFile(file, readFileSync(join(SOURCES, file), "utf8"), ts.ScriptTarget.Latest, true);
  const found: Found[] = [];
  const walk = (node: ts.Node): void => {
    const place = `${file}:${root.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
    if (ts.isRegularExpressionLiteral(node)) {
      const end = node.text.lastIndexOf("/");
      found.push({ place, source: node.text.slice(1, end), flags: node.text.slice(end + 1) });
    }
    const isCall = ts.isNewExpression(node) || ts.isCallExpression(node);
    if (isCall && node.expression.getText() === "RegExp") {
      const [source, flags] = node.arguments ?? [];
      found.push({ place, source: textOf(source, place), flags: flags === undefined ? "" : textOf(flags, place) });
    }
    ts.forEachChild(node, walk);
  };
  walk(root);
  return found;
}

/** What a pattern is made of when it is made at run time: text, and bounds. @throws where that is anything else */
function textOf(node: ts.Node | undefined, place: string): string {
  if (node !== undefined && ts.isStringLiteralLike(node)) return node.text;
  if (node === undefined || !ts.isTemplateExpression(node)) throw new Error(`${place}: nobody can tell what this pattern is`);
  const spans = node.templateSpans.map(({ expression, literal }) => {
    const [, bound] = /^LIMITS\.(\w+)$/.exec(expression.getText()) ?? [];
    const value = bound === undefined ? undefined : LIMITS[bound as keyof typeof LIMITS];
    if (value === undefined) throw new Error(`${place}: nobody can tell what this pattern is`);
    return `${value}${literal.text}`;
  });
  return node.head.text + spans.join("");
}

const patterns = readdirSync(SOURCES, { recursive: true, encoding: "utf8" })
  // The command line meets nobody's text but that of whoever runs it. A `.env` file comes with somebody's repository.
  .filter((file) => file.endsWith(".ts") && !/^cli[\\/]/.test(file))
  .sort()
  .flatMap(patternsOf);

test("the patterns of the sources are found", () => {
  expect(patterns.length).toBeGreaterThan(50);
  expect(patterns.map(({ source }) => source)).toContain("^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$");
});

describe("the count tells patterns that run away from those that do not", () => {
  test.each([
    "^(a+)+$",
    "^(a|a)*$",
    "^(a|aa)+$",
    "^(\\w+\\s?)*$",
    "\\s+$",
    "^\\d+\\d+$",
    "^.*;.*;.*$",
    "(a*)*b",
    "^(?:a?){20}a{20}$",
    "x*y",
    "^[^@]+@[^@]+\\.[^@]+$",
    "^(?=(a+)+$)",
  ])("%s runs away", (source) => {
    expect(worstCase(new CountedPattern(source, ""), source.includes("{20}") ? 16 : SIZE)).not.toBeNull();
  });

  test.each(["^a+$", "^(?:ab)+$", "^[a-z]+\\.[0-9]+$", "^\\d{1,6}[smhd]$", "[^,\\s]+", "^(?! )[ -~]{1,100}(?<! )$"])(
    "%s does not",
    (source) => {
      expect(worstCase(new CountedPattern(source, ""), SIZE)).toBeNull();
    },
  );
});

describe.each(patterns)("$place /$source/$flags", ({ source, flags }) => {
  const counted = new CountedPattern(source, flags);

  test("is counted as JavaScript matches it", () => {
    const real = new RegExp(source, flags.replace(/[gy]/g, ""));
    let compared = 0;
    for (const textOf of adversaries(counted)) {
      for (const text of [textOf(0), textOf(1), textOf(7)])
        expect({ text, found: counted.run(text).found }).toEqual({ text, found: real.test(text) });
      compared++;
    }
    expect(compared).toBeGreaterThan(3);
  });

  test(EXCEPTIONS[source] === undefined ? "takes steps in proportion to its text" : `takes more steps, and ${EXCEPTIONS[source]}`, () => {
    const worst = worstCase(counted, SIZE);
    if (EXCEPTIONS[source] === undefined) expect(worst).toBeNull();
    else expect(worst).not.toBeNull();
  });
});
