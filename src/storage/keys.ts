import { compareKeys } from "../merkle/keys.ts";
import type { Range } from "../ports.ts";

/** The keys of a range as one interval: `lower` belongs to it, `upper` does not, `null` is "no upper bound". */
interface Bounds {
  readonly lower: string;
  readonly upper: string | null;
}

/** The smallest string greater than every string that begins with `prefix`; `null` where there is none. */
function prefixEnd(prefix: string): string | null {
  const points = [...prefix];
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const point = last.codePointAt(0) ?? 0;
    if (point < 0x10ffff) return points.join("") + String.fromCodePoint(point === 0xd7ff ? 0xe000 : point + 1);
  }
  return null;
}

/** The interval that `prefix`, `after`, `from` and `before` leave between them. It may be empty. */
export function bounds(range: Range): Bounds {
  let lower = range.prefix;
  let upper = prefixEnd(range.prefix);
  // U+0000 appended gives the very next string.
  for (const bound of [range.from, range.after === undefined ? undefined : `${range.after}\0`]) {
    if (bound !== undefined && compareKeys(bound, lower) > 0) lower = bound;
  }
  if (range.before !== undefined && (upper === null || compareKeys(range.before, upper) < 0)) upper = range.before;
  return { lower, upper };
}
