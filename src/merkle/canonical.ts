import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Json } from "../ports.ts";

/** Strings that JSON writes as they are: printable ASCII without `"` and `\`. Most strings are. */
const PLAIN = /^[ !#-[\]-~]*$/;
const LONE_SURROGATE = /\p{Surrogate}/u;
const LONE_SURROGATES = /\p{Surrogate}/gu;
const POINTER_LENGTH = 200;
/** Names that are sorted by insertion, which needs no memory, and less time where most are in order already. */
const FEW = 32;
/** Names of members as they are written, with their colon. */
const written = new Map<string, string>();

/** Thrown inside this file alone: the walk that meets a fault does not know its path, a second walk finds it. */
const FAULT = Symbol("fault");

/**
 * The one text of a JSON value: no white space, members sorted by UTF-16 code units, numbers and strings as ECMAScript
 * writes them, so that equal values have equal texts. Algorithm: RFC 8785 (JSON Canonicalization Scheme).
 *
 * @param subject what the value is called in an error's reason.
 * @throws AppError `invalid_request`, with the JSON pointer of the fault in its reason, for what JSON cannot carry
 * (`undefined`, functions, numbers that are not finite, objects with a class), for lone surrogates, and for nesting
 * deeper than `LIMITS.jsonDepth`.
 * @example canonicalJson({ b: [1.0, -0], a: "é" }) === '{"a":"é","b":[1,0]}'
 */
export function canonicalJson(value: Json, subject = "The JSON value"): string {
  try {
    return write(value, 0);
  } catch (error) {
    if (error !== FAULT) throw error;
    throw explain(value, subject);
  }
}

/** A value of which that text is at hand: nobody need write it again. */
export class JsonText {
  readonly text: string;

  /** @param text what `canonicalJson` gave */
  constructor(text: string) {
    this.text = text;
  }
}

/** Whether a string has a UTF-8 form, that is, no surrogate without its pair. */
export function isWellFormed(text: string): boolean {
  return !LONE_SURROGATE.test(text);
}

function write(value: unknown, depth: number): string {
  switch (typeof value) {
    case "string":
      return writeString(value);
    case "number":
      if (!Number.isFinite(value)) throw FAULT;
      return String(value);
    case "boolean":
      return value ? "true" : "false";
    case "object":
      if (value === null) return "null";
      if (depth >= LIMITS.jsonDepth) throw FAULT;
      return Array.isArray(value) ? writeArray(value, depth + 1) : writeObject(value, depth + 1);
    default:
      throw FAULT;
  }
}

function writeString(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  if (!isWellFormed(text)) throw FAULT;
  return JSON.stringify(text);
}

function writeArray(list: readonly unknown[], depth: number): string {
  let out = "[";
  for (let i = 0; i < list.length; i++) out += i === 0 ? write(list[i], depth) : `,${write(list[i], depth)}`;
  return `${out}]`;
}

function writeObject(value: object, depth: number): string {
  if (!isPlain(value)) throw FAULT;
  const keys = sorted(Object.keys(value));
  const members = value as Record<string, unknown>;
  let out = "{";
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    if (i > 0) out += ",";
    out += writeName(key) + write(members[key], depth);
  }
  return `${out}}`;
}

/** Most documents have the same few names. */
function writeName(name: string): string {
  const known = written.get(name);
  if (known !== undefined) return known;
  const text = `${writeString(name)}:`;
  if (name.length <= LIMITS.cachedNameLength && written.size < LIMITS.cachedNames) written.set(name, text);
  return text;
}

/** Maps, dates and the like have members that JSON does not see: better refused than written as `{}`. */
function isPlain(value: object): boolean {
  const parent: unknown = Object.getPrototypeOf(value);
  return parent === Object.prototype || parent === null || Object.getPrototypeOf(parent) === null;
}

/** Sorts in place. JavaScript compares strings by UTF-16 code units, which is what RFC 8785 asks for. */
function sorted(keys: string[]): string[] {
  if (keys.length > FEW) return keys.sort();
  for (let end = 1; end < keys.length; end++) {
    const key = keys[end] as string;
    let place = end;
    for (; place > 0 && (keys[place - 1] as string) > key; place--) keys[place] = keys[place - 1] as string;
    keys[place] = key;
  }
  return keys;
}

function explain(value: unknown, subject: string): AppError {
  const fault = locate(value, "", 0) ?? { pointer: "", what: "is not JSON" };
  const pointer = fault.pointer.replace(LONE_SURROGATES, "\ufffd");
  const shown = pointer.length > POINTER_LENGTH ? `${pointer.slice(0, POINTER_LENGTH)}…` : pointer;
  return new AppError("invalid_request", { reason: `${subject} at "${shown}" ${fault.what}.`, details: { pointer: shown } });
}

interface Fault {
  readonly pointer: string;
  readonly what: string;
}

function locate(value: unknown, pointer: string, depth: number): Fault | null {
  if (typeof value === "string") return isWellFormed(value) ? null : { pointer, what: "holds a lone surrogate" };
  if (typeof value === "number") return Number.isFinite(value) ? null : { pointer, what: "is not a finite number" };
  if (typeof value === "boolean" || value === null) return null;
  if (typeof value !== "object") return { pointer, what: `is not JSON but of type ${typeof value}` };
  if (depth >= LIMITS.jsonDepth) return { pointer, what: `is nested deeper than ${LIMITS.jsonDepth} levels` };
  if (!Array.isArray(value) && !isPlain(value)) return { pointer, what: "is not a plain object" };
  // A hole in an array has no entry, so arrays are walked by index.
  const keys = Array.isArray(value) ? Array.from(value, (_, i) => String(i)) : Object.keys(value);
  for (const key of keys) {
    const below = `${pointer}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    if (!isWellFormed(key)) return { pointer: below, what: "has a name that holds a lone surrogate" };
    const fault = locate((value as Record<string, unknown>)[key], below, depth + 1);
    if (fault !== null) return fault;
  }
  return null;
}
