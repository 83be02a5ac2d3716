import { parse } from "dotenv";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readDotenv, writeDotenv } from "../../src/cli/dotenv-file.ts";
import { formatted } from "../../src/cli/formats.ts";
import { LineCount } from "../../src/dotenv/read.ts";

const read = (text: string) => Object.fromEntries(readDotenv(text, ".env").values);

describe("a .env file is read as dotenv reads it:", () => {
  // The cases of dotenv's own tests, written anew.
  test.each<readonly [string, string, Readonly<Record<string, string>>]>([
    ["a plain value", "BASIC=basic", { BASIC: "basic" }],
    ["a line after an empty one", "A=1\n\nAFTER_LINE=after_line", { A: "1", AFTER_LINE: "after_line" }],
    [
      "nothing is an empty text",
      "EMPTY=\nEMPTY_SINGLE=''\nEMPTY_DOUBLE=\"\"\nEMPTY_BACKTICK=``",
      { EMPTY: "", EMPTY_SINGLE: "", EMPTY_DOUBLE: "", EMPTY_BACKTICK: "" },
    ],
    ["quotes go", "A='single'\nB=\"double\"\nC=`backtick`", { A: "single", B: "double", C: "backtick" }],
    [
      "spaces within quotes stay",
      "A='    single    '\nB=\"    double    \"\nC=`    back    `",
      { A: "    single    ", B: "    double    ", C: "    back    " },
    ],
    [
      "other quotes within quotes stay",
      `A="single 'quotes' inside"\nB='double "quotes" inside'\nC=\`both 'a' and "b" inside\``,
      { A: "single 'quotes' inside", B: 'double "quotes" inside', C: `both 'a' and "b" inside` },
    ],
    ["a brace in double quotes", 'A="{ port: $PORT}"', { A: "{ port: $PORT}" }],
    [
      "\\n is a line end in double quotes alone",
      "A=\"expand\\nlines\"\nB=dont\\nexpand\nC='dont\\nexpand'",
      { A: "expand\nlines", B: "dont\\nexpand", C: "dont\\nexpand" },
    ],
    [
      "comments go",
      "# COMMENTED=1\nA=value # a comment\nB='not # one' # a comment\nC=\"not # one\" # a comment\nD=a#b",
      { A: "value", B: "not # one", C: "not # one", D: "a" },
    ],
    ["equals signs stay", "A=equals==", { A: "equals==" }],
    ["JSON stays", 'A={"foo": "bar"}\nB=\'{"foo": "bar"}\'', { A: '{"foo": "bar"}', B: '{"foo": "bar"}' }],
    ["an address stays", "A=therealnerdybeast@example.tld", { A: "therealnerdybeast@example.tld" }],
    ["spaces around go", "    SPACED =   parsed   ", { SPACED: "parsed" }],
    ["export goes", "export A=1\n  export   B = 2", { A: "1", B: "2" }],
    ["a colon assigns too", "A: yaml style", { A: "yaml style" }],
    [
      "several lines in quotes",
      "A=\"THIS\nIS\nA\nTEXT\"\nB='ONE\nTWO'\nC=`X\n\"Y\"\n'Z'`\nD=1",
      { A: "THIS\nIS\nA\nTEXT", B: "ONE\nTWO", C: "X\n\"Y\"\n'Z'", D: "1" },
    ],
    ["a key in PEM", 'PEM="-----BEGIN RSA-----\nMIIBIj\n-----END RSA-----\n"', { PEM: "-----BEGIN RSA-----\nMIIBIj\n-----END RSA-----\n" }],
    ["Windows' and old Macs' line ends", "A=1\r\nB=2\rC=3", { A: "1", B: "2", C: "3" }],
    ["a byte order mark", "\uFEFFA=1", { A: "1" }],
    ["the last of two", "A=1\nA=2", { A: "2" }],
    ["names with dots and dashes", "a.b-c=1", { "a.b-c": "1" }],
  ])("%s", (_, text, values) => {
    expect(read(text)).toEqual(values);
    expect(parse(text.replace(/^\uFEFF/, ""))).toEqual(values);
  });

  test("a name that is given twice is told, with its lines", () => {
    expect([...readDotenv("A=1\nB=2\nA=3\n", ".env").repeated]).toEqual([["A", [1, 3]]]);
  });
});

test("a long file of one name is read in one go", () => {
  const lines = 100_000;
  const { values, repeated } = readDotenv("A=1\n".repeat(lines), ".env");
  expect([...values]).toEqual([["A", "1"]]);
  expect(repeated.get("A")).toHaveLength(lines);
});

test("lines are counted once, however many there are", () => {
  const text = "A=1\n".repeat(1_000);
  const looked: number[] = [];
  const indexOf = (wanted: string, from: number) => {
    looked.push(from);
    return text.indexOf(wanted, from);
  };
  const counted = Object.assign(Object(text), { indexOf });
  const count = new LineCount(counted as string);
  for (let line = 0; line < 1_000; line++) expect(count.at(line * 4 + 1)).toBe(line + 1);
  expect(looked.length).toBeLessThan(2_001);
  expect(new Set(looked).size).toBe(1_000);
});

describe("a broken .env file is refused, with the line, and shows nothing of its content:", () => {
  test.each([
    ["a line that is no assignment", "A=1\nhunter2hunter2\nB=2", 2],
    ["a line that is none at the end", "A=1\n\nhunter2", 3],
    ["a double quote that does not close", 'A=1\nB="hunter2\nC=3\n', 2],
    ["a single quote that does not close", "B='hunter2\nC=3", 1],
    ["text after the closing quote", 'A="x" hunter2', 1],
    ["two quoted texts", "A='x' 'hunter2'", 1],
    ["a name that begins with a digit", "A=1\n1A=hunter2", 2],
    ["a name that is not one of ours", "__proto__=hunter2", 1],
    ["a command", "A=1\nsource hunter2", 2],
  ])("%s", (_, text, line) => {
    expect(() => readDotenv(text, ".env")).toThrow(`.env, line ${line}:`);
    try {
      readDotenv(text, ".env");
    } catch (error) {
      expect(String(error)).not.toContain("hunter2");
    }
  });
});

const awkward = fc.string({ unit: fc.constantFrom(..."ab=#'\"`\\\n\r\t $ {}é日n", "\\n", "export "), maxLength: 24 });
const values = fc.dictionary(fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,6}$/), fc.oneof(awkward, fc.string(), fc.string({ unit: "grapheme" })), {
  maxKeys: 6,
});

describe("what is written is read back as it was:", () => {
  test("a .env file, by dotenv and by us; what its syntax cannot hold is refused by name", () => {
    let written = 0;
    fc.assert(
      fc.property(values, (variables) => {
        let text: string;
        try {
          text = writeDotenv(variables);
        } catch (error) {
          const [, name = ""] = /The value of (\w+) cannot be written/.exec(String(error)) ?? [];
          // Only with a carriage return, a backslash at the end, or every kind of quote there is no way to write it.
          expect(variables[name]).toMatch(/\r|\\$|(?=[\s\S]*')(?=[\s\S]*")(?=[\s\S]*`)|\\[nr]/);
          return;
        }
        written++;
        expect(parse(text)).toEqual(variables);
        expect(read(text)).toEqual(variables);
      }),
      { numRuns: 2_000 },
    );
    expect(written).toBeGreaterThan(500);
  });

  test.each([
    "plain",
    "",
    " spaces ",
    "a b",
    "it's",
    'say "hi"',
    "a#b",
    "x\ny",
    "x\\ny",
    "C:\\dir\\",
    "🙂",
    "日本",
    "$HOME",
    "`x`",
    "'q'",
    "a\r\nb",
    "=",
    "#",
    "\t",
  ])("%j", (value) => {
    expect(read(writeDotenv({ A: value, B: "after", C: "it's" }))).toEqual({ A: value, B: "after", C: "it's" });
  });

  test("JSON and YAML, every value as text", async () => {
    const { parse: parseYaml } = await import("yaml");
    await fc.assert(
      fc.asyncProperty(values, async (variables) => {
        expect(JSON.parse(await formatted("json", variables))).toEqual(variables);
        expect(parseYaml(await formatted("yaml", variables))).toEqual(variables);
      }),
      { numRuns: 300 },
    );
    expect(parseYaml(await formatted("yaml", { A: "1", B: "yes", C: "2020-01-01", D: "~" }))).toEqual({
      A: "1",
      B: "yes",
      C: "2020-01-01",
      D: "~",
    });
  });
});
