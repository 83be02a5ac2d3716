import { parse } from "dotenv";
import { failed, usage } from "./failure.ts";

/** What a `.env` file holds, in its order; values exactly as the `dotenv` package reads them. */
export interface DotenvContent {
  readonly values: ReadonlyMap<string, string>;
  /** Names that are given more than once, of which the last counts, with their lines. */
  readonly repeated: ReadonlyMap<string, readonly number[]>;
}

/** One assignment, as dotenv 17 has it: the same expression, to find which lines it reads over without a word. */
const LINE =
  /(?:^|^)\s*(?:export\s+)?([\w.-]+)(?:\s*=\s*?|:\s+?)(\s*'(?:\\'|[^'])*'|\s*"(?:\\"|[^"])*"|\s*`(?:\\`|[^`])*`|[^#\r\n]+)?\s*(?:#.*)?(?:$|$)/gm;
const NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,127}$/;
const QUOTED = /^(['"`])[\s\S]*\1$/;

/**
 * Reads a `.env` file. dotenv leaves out what it does not understand; here that is refused, with its line, since a value that is
 * missing shows only when something breaks. Nothing of the content is part of an error.
 * @throws Failure
 */
export function readDotenv(text: string, path: string): DotenvContent {
  const lines = text.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n");
  const places = new Map<string, number[]>();
  let end = 0;
  for (const match of lines.matchAll(LINE)) {
    checkGap(lines, end, match.index, path);
    const [whole, name = "", value = ""] = match;
    const line = lineAt(lines, match.index + whole.indexOf(name));
    checkValue(value.trim(), path, line);
    if (!NAME.test(name) || name === "__proto__") {
      throw broken(path, line, "the name cannot be a variable's", "Use letters, digits, `_`, `.` and `-`, beginning with a letter or `_`.");
    }
    places.set(name, [...(places.get(name) ?? []), line]);
    end = match.index + whole.length;
  }
  checkGap(lines, end, lines.length, path);
  const values = new Map(Object.entries(parse(lines)));
  return { values, repeated: new Map([...places].filter(([, at]) => at.length > 1)) };
}

/** Between two assignments there are empty lines and comments. */
function checkGap(text: string, from: number, to: number, path: string): void {
  const gap = text.slice(from, to);
  let at = from;
  for (const line of gap.split("\n")) {
    const content = line.trim();
    if (content !== "" && !content.startsWith("#")) {
      throw broken(path, lineAt(text, at), "this is no assignment", 'Write NAME=VALUE, or begin the line with "#" to leave it out.');
    }
    at += line.length + 1;
  }
}

/** A quote that does not close is read as part of the value, and the lines after it as assignments of their own. */
function checkValue(value: string, path: string, line: number): void {
  if (!/^['"`]/.test(value) || (value.length > 1 && QUOTED.test(value) && isOneQuote(value))) return;
  throw broken(
    path,
    line,
    "the quote that opens here does not close, or something follows it",
    "Close it, or put the whole value into another kind of quotes.",
  );
}

/** `'a' 'b'` begins and ends with a quote and is not one quoted text. */
function isOneQuote(value: string): boolean {
  const quote = value[0] ?? "";
  const inner = value.slice(1, -1);
  return !inner.replaceAll(`\\${quote}`, "").includes(quote);
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

function broken(path: string, line: number, what: string, fix: string): Error {
  return usage(`${path}, line ${line}: ${what}.`, fix);
}

/**
 * Variables as a `.env` file that dotenv reads back as they are. It has no way to write some values (one with all three kinds of
 * quotes and a line end, for example): those are refused by name, never written as something else.
 * @throws Failure
 */
export function writeDotenv(values: Readonly<Record<string, string>>): string {
  const text = Object.entries(values)
    .map(([name, value]) => `${name}=${written(name, value)}\n`)
    .join("");
  // Quotes reach over lines: what is right by itself is looked at once more as a whole.
  const read = parse(text);
  const wrong = Object.entries(values).find(([name, value]) => read[name] !== value);
  if (wrong !== undefined) throw unwritable(wrong[0]);
  return text;
}

function written(name: string, value: string): string {
  const candidates = [
    ...(/^[\w./:@%+,=-]*$/.test(value) ? [value] : []),
    ...(/['\r]|\\$/.test(value) ? [] : [`'${value}'`]),
    ...(/["]|\\[nr]|\\$/.test(value) ? [] : [`"${value.replaceAll("\r", "\\r").replace(/\n/g, value.includes("\r") ? "\\n" : "\n")}"`]),
    ...(/[`\r]|\\$/.test(value) ? [] : [`\`${value}\``]),
    ...(/[#\r\n]|^['"`]|^\s|\s$/.test(value) ? [] : [value]),
  ];
  const found = candidates.find((candidate) => parse(`${name}=${candidate}\n`)[name] === value);
  if (found === undefined) throw unwritable(name);
  return found;
}

function unwritable(name: string): Error {
  return failed(
    `The value of ${name} cannot be written in a .env file: its syntax has no way to hold it.`,
    "Use --format json, yaml or shell.",
  );
}
