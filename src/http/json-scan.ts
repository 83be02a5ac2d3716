import { AppError } from "../errors.ts";

/** What a JSON text may hold. */
export interface JsonBounds {
  /** Nesting of arrays and objects. */
  readonly depth: number;
  /** Members and elements, all levels together. */
  readonly members: number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Members of one object that are compared one by one before a set is made for them. */
const FEW_KEYS = 12;
/** Digits that every integer survives with. */
const SAFE_DIGITS = 15;

/**
 * Checks a JSON text in one pass, without recursion and before anything is built from it: RFC 8259's grammar, and beyond it
 * no nesting past `depth`, no more than `members` members, no key twice in one object, no number that the engine could not
 * give back as it came (`1e400`, `9007199254740993`), no lone surrogate. A text that passes is one that `JSON.parse` takes.
 *
 * Faults give their place, never a piece of the text: it may hold a secret.
 * @throws invalid_json, too_large
 */
export function scanJson(text: string, bounds: JsonBounds): void {
  new Scanner(text, bounds).run();
}

class Scanner {
  readonly #text: string;
  readonly #bounds: JsonBounds;
  #at = 0;
  #members = 0;
  #depth = 0;
  /** For each level, the keys of its object so far; `null` for a list. */
  readonly #keys: (ObjectKeys | null)[] = [];

  constructor(text: string, bounds: JsonBounds) {
    this.#text = text;
    this.#bounds = bounds;
  }

  run(): void {
    this.#skipSpace();
    if (this.#at === this.#text.length) throw this.#invalid("the body is empty");
    this.#value();
    while (this.#depth > 0) this.#member();
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.#invalid("expected the end after the value");
  }

  /** One member or element of the innermost container, or its end. `#value` may open another one. */
  #member(): void {
    const keys = this.#keys[this.#depth - 1];
    this.#skipSpace();
    const code = this.#text.charCodeAt(this.#at);
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    if (code === (keys ? CLOSE_OBJECT : CLOSE_LIST)) {
      this.#at++;
      this.#depth--;
      return;
    }
    if (!isFirst) {
      if (code !== COMMA) throw this.#invalid(keys ? "expected `,` or `}`" : "expected `,` or `]`");
      this.#at++;
      this.#skipSpace();
    }
    if (++this.#members > this.#bounds.members) {
      throw new AppError("too_large", {
        reason: `The body holds more than ${this.#bounds.members} members and elements.`,
        fix: "Send it in several requests.",
        details: { limit: this.#bounds.members },
      });
    }
    if (keys) this.#key(keys);
    this.#value();
  }
  /** Whether the innermost container has just been opened. */
  #isFirst = false;

  #key(keys: ObjectKeys): void {
    const start = this.#at;
    if (this.#text.charCodeAt(start) !== QUOTE) throw this.#invalid("expected a member's name in double quotes");
    const escaped = this.#string();
    const key = escaped ? (JSON.parse(this.#text.slice(start, this.#at)) as string) : this.#text.slice(start + 1, this.#at - 1);
    if (!keys.add(key)) {
      this.#at = start;
      throw this.#invalid("the object has two members of the same name");
    }
    this.#skipSpace();
    if (this.#text.charCodeAt(this.#at) !== COLON) throw this.#invalid("expected `:`");
    this.#at++;
    this.#skipSpace();
  }

  #value(): void {
    const code = this.#text.charCodeAt(this.#at);
    if (code === QUOTE) this.#string();
    else if (code === OPEN_OBJECT || code === OPEN_LIST) this.#open(code === OPEN_OBJECT);
    else if (code === MINUS || isDigit(code)) this.#number();
    else if (!this.#literal("true") && !this.#literal("false") && !this.#literal("null")) throw this.#invalid("expected a value");
  }

  #open(isObject: boolean): void {
    if (this.#depth === this.#bounds.depth) {
      throw this.#invalid(`arrays and objects are nested deeper than ${this.#bounds.depth} levels`, { limit: this.#bounds.depth });
    }
    this.#at++;
    this.#keys[this.#depth++] = isObject ? new ObjectKeys() : null;
    this.#isFirst = true;
  }

  /** Leaves the position after the closing quote. Tells whether there were escapes. */
  #string(): boolean {
    const text = this.#text;
    let at = this.#at + 1;
    let escaped = false;
    for (;;) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) break;
      if (code === BACKSLASH) {
        escaped = true;
        this.#at = at;
        at = this.#escape();
      } else if (code >= 0x20) {
        at++;
      } else {
        this.#at = at;
        // Past the end, `code` is NaN.
        throw this.#invalid(at >= text.length ? "a string does not end" : "a string holds a control character that is not escaped");
      }
    }
    this.#at = at + 1;
    return escaped;
  }

  /** At a backslash. @returns where the string goes on */
  #escape(): number {
    const at = this.#at;
    const kind = this.#text.charAt(at + 1);
    if (kind !== "u") {
      if (kind === "" || !'"\\/bfnrt'.includes(kind)) throw this.#invalid("a string holds an escape that JSON does not have");
      return at + 2;
    }
    const unit = this.#unit(at);
    if (unit < 0xd800 || unit > 0xdfff) return at + 6;
    const isPair = unit < 0xdc00 && this.#text.startsWith("\\u", at + 6);
    const low = isPair ? this.#unit(at + 6) : 0;
    if (low < 0xdc00 || low > 0xdfff) throw this.#invalid("a string holds half of a surrogate pair");
    return at + 12;
  }

  /** The code unit of the `\uXXXX` at a place. */
  #unit(at: number): number {
    const digits = this.#text.slice(at + 2, at + 6);
    if (/^[0-9a-fA-F]{4}$/.test(digits)) return Number.parseInt(digits, 16);
    throw this.#invalid("a `\\u` escape needs four hexadecimal digits");
  }

  #number(): void {
    const text = this.#text;
    const start = this.#at;
    if (text.charCodeAt(this.#at) === MINUS) this.#at++;
    const whole = this.#at;
    const integerDigits = this.#digits();
    if (integerDigits > 1 && text.charCodeAt(whole) === ZERO) {
      this.#at = start;
      throw this.#invalid("a number starts with a zero too many");
    }
    let isInteger = true;
    if (text.charCodeAt(this.#at) === DOT) {
      isInteger = false;
      this.#at++;
      this.#digits();
    }
    const code = text.charCodeAt(this.#at) | 0x20;
    const hasExponent = code === 0x65;
    if (hasExponent) {
      this.#at++;
      const sign = text.charCodeAt(this.#at);
      if (sign === MINUS || sign === 0x2b) this.#at++;
      this.#digits();
    }
    if (integerDigits <= SAFE_DIGITS && isInteger && !hasExponent) return;
    this.#checkRoundTrip(start, isInteger && !hasExponent);
  }

  /** At least one digit. @returns how many */
  #digits(): number {
    const start = this.#at;
    while (isDigit(this.#text.charCodeAt(this.#at))) this.#at++;
    if (this.#at === start) throw this.#invalid("expected a digit");
    return this.#at - start;
  }

  /** Fractions may be rounded to the nearest double, as every JSON reader does; nothing may become another integer, infinite or zero. */
  #checkRoundTrip(start: number, isInteger: boolean): void {
    const digits = this.#text.slice(start, this.#at);
    const value = Number(digits);
    const vanished = value === 0 && /^[^eE]*[1-9]/.test(digits);
    // An integer of more digits than a double's largest is infinite; the comparison never sees it.
    if (Number.isFinite(value) && !vanished && (!isInteger || BigInt(value) === BigInt(digits))) return;
    this.#at = start;
    throw this.#invalid("a number does not fit a double: send it as a string");
  }

  #literal(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }

  #skipSpace(): void {
    let code = this.#text.charCodeAt(this.#at);
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) code = this.#text.charCodeAt(++this.#at);
  }

  #invalid(fault: string, details: Readonly<Record<string, unknown>> = {}): AppError {
    const before = this.#text.slice(0, this.#at);
    const line = before.split("\n").length;
    const column = this.#at - before.lastIndexOf("\n");
    return new AppError("invalid_json", {
      reason: `The body is not valid JSON at line ${line}, column ${column}: ${fault}.`,
      details: { position: this.#at, line, column, ...details },
    });
  }
}

/** The keys of one object: a list while they are few, for most objects never have more. */
class ObjectKeys {
  readonly #few: string[] = [];
  #many: Set<string> | null = null;

  /** `false` where the key is there already. */
  add(key: string): boolean {
    if (this.#many !== null) return this.#many.size < this.#many.add(key).size;
    if (this.#few.includes(key)) return false;
    this.#few.push(key);
    if (this.#few.length > FEW_KEYS) this.#many = new Set(this.#few);
    return true;
  }
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
