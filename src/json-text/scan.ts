import { AppError } from "../errors.ts";
import { SeenKeys } from "./keys.ts";

/** The bytes of a text in UTF-8, and the text of some of them: a `Buffer`, or what a browser has in its place. */
export interface JsonBytes {
  readonly [at: number]: number;
  readonly length: number;
  indexOf(byte: number, from?: number): number;
  toString(encoding: "utf8", start: number, end: number): string;
}

/** What a JSON text may hold. */
interface JsonBounds {
  /** Nesting of arrays and objects. */
  readonly depth: number;
  /** Members and elements, all levels together. */
  readonly members: number;
}

/** For texts whose depth and size are for somebody else to judge. */
export const ANY_SIZE: JsonBounds = { depth: Number.POSITIVE_INFINITY, members: Number.POSITIVE_INFINITY };

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const LOWER_E = 0x65;
const LOWER_U = 0x75;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Digits that every integer survives with. */
const SAFE_DIGITS = 15;
/** Digits before or after the point with which a number without exponent is neither infinite nor zero. */
const PLAIN_DIGITS = 300;
/** The bytes that may follow a backslash, `u` aside, are 1. */
const ESCAPES = tableOf('"\\/bfnrt', () => 1);
/** The value of each hexadecimal digit plus one; 0 for any other byte. */
const HEX = tableOf("0123456789abcdefABCDEF", (digit) => Number.parseInt(digit, 16) + 1);
const LITERALS: Readonly<Record<number, readonly number[]>> = Object.fromEntries(
  ["true", "false", "null"].map((word) => [word.charCodeAt(0), [...word].map((letter) => letter.charCodeAt(0))]),
);

/**
 * Checks a JSON text, given as valid UTF-8, in one pass, without recursion and before anything is built from it: RFC 8259's
 * grammar, and beyond it no nesting past `depth`, no more than `members` members, no key twice in one object, no number that
 * the engine could not give back (`1e400`, `9007199254740993`), no lone surrogate. What passes, `JSON.parse` takes.
 *
 * Faults give their place, never a piece of the text: it may hold a secret.
 * @throws invalid_json, too_large
 */
export function scanJson(bytes: JsonBytes, bounds: JsonBounds): void {
  new Scanner(bytes, bounds).run();
}

/** Reads past the end give 0, which is no JSON and ends every loop. */
class Scanner {
  readonly #bytes: JsonBytes;
  readonly #bounds: JsonBounds;
  readonly #keys: SeenKeys;
  #at = 0;
  #members = 0;
  #depth = 0;
  /** For each level, whether it is an object's. */
  readonly #isObject: boolean[] = [];
  /** Whether the innermost container has just been opened. */
  #isFirst = false;

  constructor(bytes: JsonBytes, bounds: JsonBounds) {
    this.#bytes = bytes;
    this.#bounds = bounds;
    this.#keys = new SeenKeys(bytes);
  }

  run(): void {
    if (this.#skipSpace() === 0) throw this.#invalid("it is empty");
    this.#value();
    while (this.#depth > 0) this.#member();
    this.#skipSpace();
    if (this.#at < this.#bytes.length) throw this.#invalid("expected the end after the value");
  }

  /** One member or element of the innermost container, or its end. A container that starts here is gone through by later calls. */
  #member(): void {
    const inObject = this.#isObject[this.#depth - 1] === true;
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    const code = this.#skipSpace();
    if (code === (inObject ? CLOSE_OBJECT : CLOSE_LIST)) {
      this.#at++;
      this.#depth--;
      return;
    }
    if (!isFirst) {
      if (code !== COMMA) throw this.#invalid(inObject ? "expected `,` or `}`" : "expected `,` or `]`");
      this.#at++;
      this.#skipSpace();
    }
    if (++this.#members > this.#bounds.members) throw this.#tooMany();
    if (inObject) this.#key();
    this.#value();
  }

  #key(): void {
    const start = this.#at;
    if (this.#byte(start) !== QUOTE) throw this.#invalid("expected a member's name in double quotes");
    this.#string();
    if (!this.#keys.add(this.#depth - 1, start, this.#at)) {
      this.#at = start;
      throw this.#invalid("the object has two members of this name");
    }
    if (this.#skipSpace() !== COLON) throw this.#invalid("expected `:`");
    this.#at++;
    this.#skipSpace();
  }

  #value(): void {
    const code = this.#byte(this.#at);
    if (code === QUOTE) this.#string();
    else if (code === OPEN_OBJECT || code === OPEN_LIST) this.#open(code === OPEN_OBJECT);
    else if (code === MINUS || isDigit(code)) this.#number();
    else this.#literal();
  }

  #open(isObject: boolean): void {
    if (this.#depth === this.#bounds.depth) {
      throw this.#invalid(`arrays and objects are nested deeper than ${this.#bounds.depth} levels`, { limit: this.#bounds.depth });
    }
    this.#at++;
    if (isObject) this.#keys.open(this.#depth);
    this.#isObject[this.#depth++] = isObject;
    this.#isFirst = true;
  }

  /** From the opening quote to after the closing one. */
  #string(): void {
    const bytes = this.#bytes;
    let at = this.#at + 1;
    for (;;) {
      const code = bytes[at] ?? 0;
      if (code === QUOTE) break;
      if (code === BACKSLASH) at = this.#escape(at);
      else if (code >= 0x20) at++;
      else {
        this.#at = at;
        throw this.#invalid(at >= bytes.length ? "a string does not end" : "a string holds a control character that is not escaped");
      }
    }
    this.#at = at + 1;
  }

  /** @returns where the string goes on after the escape */
  #escape(at: number): number {
    this.#at = at;
    const kind = this.#byte(at + 1);
    if (ESCAPES[kind] === 1) return at + 2;
    if (kind !== LOWER_U) throw this.#invalid("a string holds an escape that JSON does not have");
    const unit = this.#codeUnit(at);
    if (unit < 0xd800 || unit > 0xdfff) return at + 6;
    const isHigh = unit < 0xdc00 && this.#byte(at + 6) === BACKSLASH && this.#byte(at + 7) === LOWER_U;
    const low = isHigh ? this.#codeUnit(at + 6) : 0;
    if (low < 0xdc00 || low > 0xdfff) throw this.#invalid("a string holds half of a surrogate pair");
    return at + 12;
  }

  #codeUnit(at: number): number {
    let unit = 0;
    for (let digit = at + 2; digit < at + 6; digit++) {
      const value = HEX[this.#byte(digit)] ?? 0;
      if (value === 0) throw this.#invalid("a `\\u` escape needs four hexadecimal digits");
      unit = unit * 16 + value - 1;
    }
    return unit;
  }

  #number(): void {
    const start = this.#at;
    if (this.#byte(start) === MINUS) this.#at++;
    const startsWithZero = this.#byte(this.#at) === ZERO;
    const digits = this.#digits();
    if (startsWithZero && digits > 1) {
      this.#at = start;
      throw this.#invalid("a number starts with a zero too many");
    }
    let isInteger = true;
    let isPlain = digits <= SAFE_DIGITS;
    if (this.#byte(this.#at) === DOT) {
      isInteger = false;
      this.#at++;
      isPlain = this.#digits() <= PLAIN_DIGITS && digits <= PLAIN_DIGITS;
    }
    if ((this.#byte(this.#at) | 0x20) === LOWER_E) {
      isInteger = false;
      isPlain = false;
      this.#at++;
      const sign = this.#byte(this.#at);
      if (sign === MINUS || sign === PLUS) this.#at++;
      this.#digits();
    }
    if (!isPlain) this.#checkRoundTrip(start, isInteger);
  }

  /** At least one digit. @returns how many */
  #digits(): number {
    const start = this.#at;
    while (isDigit(this.#byte(this.#at))) this.#at++;
    if (this.#at === start) throw this.#invalid("expected a digit");
    return this.#at - start;
  }

  #checkRoundTrip(start: number, isInteger: boolean): void {
    if (survives(this.#bytes.toString("utf8", start, this.#at), isInteger)) return;
    this.#at = start;
    throw this.#invalid("a number does not fit a double, and would change: send it as a string");
  }

  #literal(): void {
    const word = LITERALS[this.#byte(this.#at)];
    if (word === undefined) throw this.#invalid("expected a value");
    for (let index = 0; index < word.length; index++) {
      if (this.#byte(this.#at + index) !== word[index]) throw this.#invalid("expected a value");
    }
    this.#at += word.length;
  }

  /** @returns the byte after the white space, 0 at the end */
  #skipSpace(): number {
    let code = this.#byte(this.#at);
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) code = this.#byte(++this.#at);
    return code;
  }

  #byte(at: number): number {
    return this.#bytes[at] ?? 0;
  }

  #tooMany(): AppError {
    return new AppError("too_large", {
      reason: `The body holds more than ${this.#bounds.members} members and elements.`,
      fix: "Send it in several requests.",
      details: { limit: this.#bounds.members },
    });
  }

  #invalid(fault: string, details: Readonly<Record<string, unknown>> = {}): AppError {
    let line = 1;
    let lineStart = 0;
    for (let next = this.#bytes.indexOf(0x0a); next >= 0 && next < this.#at; next = this.#bytes.indexOf(0x0a, lineStart)) {
      line++;
      lineStart = next + 1;
    }
    const column = this.#bytes.toString("utf8", lineStart, this.#at).length + 1;
    return new AppError("invalid_json", {
      reason: `The body is not valid JSON at line ${line}, column ${column}: ${fault}.`,
      details: { byte: this.#at, line, column, ...details },
    });
  }
}

/** A fraction may be rounded to the nearest double, as every JSON reader does; nothing may turn into another integer, infinity or zero. */
function survives(number: string, isInteger: boolean): boolean {
  const value = Number(number);
  if (!Number.isFinite(value)) return false;
  if (value === 0) return !/^[^eE]*[1-9]/.test(number);
  // What the engine writes for the double need not equal it: 62685417233463050 names 62685417233463048, as JavaScript writes it.
  return !isInteger || String(value) === number || BigInt(value) === BigInt(number);
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function tableOf(characters: string, value: (character: string) => number): Uint8Array {
  const table = new Uint8Array(256);
  for (const character of characters) table[character.charCodeAt(0)] = value(character);
  return table;
}
