import { textOf } from "./json-text.ts";

/** Members of one object that are compared one by one before a set is made for them. */
const FEW = 16;
/** Per key: hash, start, end. */
const WIDTH = 3;
const BACKSLASH = 0x5c;

/**
 * The keys of the objects that are open while a JSON text is read, one object for each level. Most objects have few
 * members: those are told apart by a hash of their bytes, and no string is made of them.
 */
export class SeenKeys {
  readonly #bytes: Uint8Array;
  /** As long as the deepest object so far needs them to be: most texts are shallow, and every request has one. */
  readonly #few: number[] = [];
  readonly #counts: number[] = [];
  readonly #many: (Set<string> | null)[] = [];

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** A new object starts on this level. */
  open(level: number): void {
    this.#counts[level] = 0;
    this.#many[level] = null;
  }

  /** Takes a key, given as the bytes from its opening quote to after its closing one. `false` where the object has it already. */
  add(level: number, start: number, end: number): boolean {
    const many = this.#many[level];
    if (many) return many.size < many.add(this.#text(start, end)).size;

    const hash = this.#hash(start, end);
    const count = this.#counts[level] ?? 0;
    const base = level * FEW * WIDTH;
    for (let at = base; at < base + count * WIDTH; at += WIDTH) {
      if (this.#few[at] === hash && this.#storedText(at) === this.#text(start, end)) return false;
    }
    if (count === FEW) {
      const keys = new Set([this.#text(start, end)]);
      for (let at = base; at < base + count * WIDTH; at += WIDTH) keys.add(this.#storedText(at));
      this.#many[level] = keys;
      return true;
    }
    const free = base + count * WIDTH;
    this.#few[free] = hash;
    this.#few[free + 1] = start;
    this.#few[free + 2] = end;
    this.#counts[level] = count + 1;
    return true;
  }

  /** FNV-1a. Keys that are equal but for their escapes must have equal hashes: escaped ones are read first. */
  #hash(start: number, end: number): number {
    const bytes = this.#bytes;
    let hash = 0x811c9dc5;
    for (let at = start + 1; at < end - 1; at++) {
      const byte = bytes[at] ?? 0;
      if (byte === BACKSLASH) return hashOf(new TextEncoder().encode(this.#text(start, end)));
      hash = Math.imul(hash ^ byte, 0x01000193);
    }
    return hash | 0;
  }

  #storedText(at: number): string {
    return this.#text(this.#few[at + 1] ?? 0, this.#few[at + 2] ?? 0);
  }

  #text(start: number, end: number): string {
    const raw = textOf(this.#bytes, start + 1, end - 1);
    return raw.includes("\\") ? (JSON.parse(`"${raw}"`) as string) : raw;
  }
}

function hashOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash | 0;
}
