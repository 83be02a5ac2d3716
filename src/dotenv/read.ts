import { parse } from "dotenv";

/** What is wrong with a `.env` file, and where. Nothing of its content is part of it. */
export class DotenvError extends Error {
  readonly line: number;
  readonly fix: string;

  constructor(line: number, what: string, fix: string) {
    super(`line ${line}: ${what}`);
    this.name = "DotenvError";
    this.line = line;
    this.fix = fix;
  }
}

/** What a `.env` file holds, in its order; values exactly as the `dotenv` package reads them. */
export interface DotenvContent {
  readonly values: ReadonlyMap<string, string>;
  /** Names that are given more than once, of which the last counts, with their lines. */
  readonly repeated: ReadonlyMap<string, readonly number[]>;
}

/**
 * One assignment, as dotenv 17 has it, to find which lines it reads over without a word. Only that it begins in its own line and not in
 * the empty ones before it, at each of which dotenv goes through all of them once more.
 */
const LINE =
  /(?:^|^)[^\S\n\r\u2028\u2029]*(?:export\s+)?([\w.-]+)(?:\s*=\s*?|:\s+?)(\s*'(?:\\'|[^'])*'|\s*"(?:\\"|[^"])*"|\s*`(?:\\`|[^`])*`|[^#\r\n]+)?\s*(?:#.*)?(?:$|$)/gm;
const NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,127}$/;

/**
 * Reads a `.env` file. dotenv leaves out what it does not understand; here that is refused, with its line, since a value that is
 * missing shows only when something breaks. Nothing of the content is part of an error.
 * @throws DotenvError
 */
export function readDotenv(text: string): DotenvContent {
  const lines = text.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n");
  const places = new Map<string, number[]>();
  const values = new Map<string, string>();
  const count = new LineCount(lines);
  let end = 0;
  for (const match of lines.matchAll(LINE)) {
    checkGap(count, end, match.index);
    const [whole, name = "", value = ""] = match;
    const line = count.at(match.index + whole.indexOf(name));
    checkValue(value.trim(), line);
    if (!NAME.test(name) || name === "__proto__") {
      throw new DotenvError(
        line,
        "the name cannot be a variable's",
        "Use letters, digits, `_`, `.` and `-`, beginning with a letter or `_`.",
      );
    }
    const known = places.get(name);
    if (known === undefined) places.set(name, [line]);
    else known.push(line);
    values.set(name, parse(whole)[name] ?? "");
    end = match.index + whole.length;
  }
  checkGap(count, end, lines.length);
  return { values, repeated: new Map([...places].filter(([, at]) => at.length > 1)) };
}

/** Between two assignments there are empty lines and comments. */
function checkGap(count: LineCount, from: number, to: number): void {
  const gap = count.text.slice(from, to);
  let at = from;
  for (const line of gap.split("\n")) {
    const content = line.trim();
    if (content !== "" && !content.startsWith("#")) {
      throw new DotenvError(count.at(at), "this is no assignment", 'Write NAME=VALUE, or begin the line with "#" to leave it out.');
    }
    at += line.length + 1;
  }
}

/** A quote that does not close is read as part of the value, and the lines after it as assignments of their own. */
function checkValue(value: string, line: number): void {
  if (!/^['"`]/.test(value) || (value.length > 1 && value.endsWith(value[0] ?? "") && isOneQuote(value))) return;
  throw new DotenvError(
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

/** Numbers the lines of a text for whoever goes through it from its beginning to its end: each is counted once. */
export class LineCount {
  readonly text: string;
  #line = 1;
  /** Up to where lines are counted. */
  #from = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** The line of a place that is not before the one asked for last. */
  at(index: number): number {
    for (let found = this.#next(); found !== -1 && found < index; found = this.#next()) {
      this.#line++;
      this.#from = found + 1;
    }
    return this.#line;
  }

  #next(): number {
    return this.text.indexOf("\n", this.#from);
  }
}
