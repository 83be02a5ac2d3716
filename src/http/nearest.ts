/** Letters that may be wrong in what somebody typed, for each so many that it has. */
const LETTERS_PER_SLIP = 4;

/** The name that somebody most likely meant, where one of those known is near: what differs is a slip, the case or an underscore. */
export function nearest(typed: string, known: readonly string[]): string | undefined {
  const wanted = plain(typed);
  const slips = Math.max(1, Math.floor(wanted.length / LETTERS_PER_SLIP));
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const name of known) {
    const candidate = plain(name);
    if (Math.abs(candidate.length - wanted.length) > slips) continue;
    const distance = distanceOf(wanted, candidate);
    if (distance <= slips && (best === undefined || distance < best.distance)) best = { name, distance };
  }
  return best?.name;
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[_-]/g, "");
}

/** Levenshtein's: how many letters have to be added, taken away or replaced. */
function distanceOf(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
