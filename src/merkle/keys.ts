/** Keys of a map are ordered by their UTF-8 bytes, which is the order of their code points, and not that of JavaScript's `<`. */

/**
 * Negative, zero or positive as `left` sorts before, with or after `right` by UTF-8 bytes, without encoding them: UTF-16
 * code units order as code points do, but for surrogates (code points from U+10000), which sort after U+E000 to U+FFFF.
 */
export function compareKeys(left: string, right: string): number {
  const shared = Math.min(left.length, right.length);
  for (let i = 0; i < shared; i++) {
    const a = left.charCodeAt(i);
    const b = right.charCodeAt(i);
    if (a !== b) return a >= 0xd800 && b >= 0xd800 ? lift(a) - lift(b) : a - b;
  }
  return left.length - right.length;
}

/** Moves surrogates above all other code units. */
function lift(unit: number): number {
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}

/** The first index whose key is `key` or greater: `keys.length` where there is none. */
export function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareKeys(at(keys, middle), key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The element at an index that is known to be inside: an index that is not is a fault of ours, and throws. */
export function at<T>(list: readonly T[], index: number): T {
  const element = list[index];
  if (element === undefined) throw new RangeError(`index ${index} of ${list.length}`);
  return element;
}

/** The keys that begin with `prefix` and, where `after` is given, are greater than it. */
export class KeyRange {
  readonly prefix: string;
  readonly #after: string | undefined;

  constructor(prefix: string, after?: string) {
    this.prefix = prefix;
    this.#after = after !== undefined && compareKeys(after, prefix) >= 0 ? after : undefined;
  }

  get isEverything(): boolean {
    return this.prefix === "" && this.#after === undefined;
  }

  /** The half-open run of indices of those sorted keys that are inside. */
  of(keys: readonly string[]): { start: number; end: number } {
    if (this.isEverything) return { start: 0, end: keys.length };
    const start = this.#start(keys);
    let low = start;
    let high = keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (at(keys, middle).startsWith(this.prefix)) low = middle + 1;
      else high = middle;
    }
    return { start, end: low };
  }

  #start(keys: readonly string[]): number {
    if (this.#after === undefined) return lowerBound(keys, this.prefix);
    const found = lowerBound(keys, this.#after);
    return keys[found] === this.#after ? found + 1 : found;
  }
}
