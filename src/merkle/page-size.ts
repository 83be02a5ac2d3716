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

  /** Notes the texts of the page before. */
  took(texts: readonly string[]): void {
    const characters = texts.reduce((sum, text) => sum + text.length, 0);
    const fitting = Math.floor((LIMITS.pieceLength * texts.length) / Math.max(characters, 1));
    this.#next = Math.max(1, Math.min(fitting, 2 * texts.length, LIMITS.textEntries));
  }
}
