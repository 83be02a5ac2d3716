/** Times in words. What counts is how long ago or how soon; the exact moment stands in the title and in `<time datetime>`. */

const UNITS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ["year", 365 * 24 * 3_600_000],
  ["month", 30 * 24 * 3_600_000],
  ["week", 7 * 24 * 3_600_000],
  ["day", 24 * 3_600_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
];

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const weekday = new Intl.DateTimeFormat("en-GB", { weekday: "long", hour: "2-digit", minute: "2-digit" });

/** `in 3 hours`, `2 days ago`, `just now`. */
export function ago(moment: string, now: number): string {
  const ms = Date.parse(moment) - now;
  const unit = UNITS.find(([, size]) => Math.abs(ms) >= size);
  return unit === undefined ? (ms > 0 ? "in a moment" : "just now") : relative.format(Math.round(ms / unit[1]), unit[0]);
}

/** The time by which a moment is told, of a clock that ticks now and then: what happened since its last tick is not still to come. */
export function timeFor(moment: string, ticked: number, now: number): number {
  return Math.max(ticked, Math.min(Date.parse(moment), now));
}

export function exactTime(moment: string): string {
  return exact.format(new Date(moment));
}

/** `Friday 14:00` within a week, else the date. */
export function onDay(moment: string, now: number): string {
  const ms = Math.abs(Date.parse(moment) - now);
  return ms < 6 * 24 * 3_600_000 ? weekday.format(new Date(moment)) : exactTime(moment);
}

/** `45 seconds`, `3 minutes`, `2 hours`, `5 days`: a length of time, roughly. */
export function lengthOf(ms: number): string {
  const [unit, size] = UNITS.slice(3).find(([, each]) => ms >= each) ?? (["second", 1_000] as const);
  const count = Math.max(1, Math.round(ms / size));
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}
