import { LIMITS } from "../limits.ts";

/** Values that are loaded first, of which nothing is known. */
const FIRST = 8;

/**
 * How many values to load next, where many are read one page after another: as many as make up one piece of a reply, by the size of those
 * before them, at most twice as many as those, and at most `LIMITS.textEntries`. How large a value is, is known when it is there.
 */
export class PageSize {
  #next = FIRST;

  get next(): number {
    return this.#next;
  }

  /** Notes how many there were on the page before, and their characters together. */
  took(count: number, characters: number): void {
    const fitting = Math.floor((LIMITS.pieceLength * count) / Math.max(characters, 1));
    this.#next = Math.max(1, Math.min(fitting, 2 * count, LIMITS.textEntries));
  }
}

/** Characters of all of them together. */
export function lengthOf(texts: readonly (string | undefined)[]): number {
  return texts.reduce((sum, text = "") => sum + text.length, 0);
}
