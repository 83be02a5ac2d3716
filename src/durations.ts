import { AppError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { quoted } from "./names.ts";

/** Durations as people write them: `30m`, `72h`, `7d`, `90s`, or several of them, `1d12h`. */

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const DURATION = /^(?:\d{1,6}[smhdw])+$/;

/** Milliseconds, or `null` where the text is no duration, an empty one, or one without a sensible end. */
export function durationMs(text: string): number | null {
  if (!DURATION.test(text)) return null;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+)([smhdw])/g)) total += Number(amount) * (UNITS[unit ?? ""] ?? 0);
  return total > 0 && total <= LIMITS.durationMs ? total : null;
}

/**
 * The text of a duration in its two largest units: `1d12h`. What is less than the smaller one is left out, or counts as
 * one more of it where `rounding` is `Math.ceil`: whoever is told how long to wait must not be told too little.
 */
export function durationText(ms: number, rounding: (value: number) => number = Math.floor): string {
  const sizes = ["d", "h", "m", "s"].map((unit) => [unit, UNITS[unit] ?? 1] as const);
  const largest = sizes.findIndex(([, size]) => ms >= size);
  const [, smaller] = sizes[largest < 0 ? 3 : Math.min(largest + 1, 3)] ?? ["s", 1_000];
  let left = Math.max(0, rounding(ms / smaller)) * smaller;
  let text = "";
  for (const [unit, size] of sizes) {
    if (left >= size) text += `${Math.floor(left / size)}${unit}`;
    left %= size;
  }
  return text || "0s";
}

/** @throws invalid_request */
export function parseDuration(field: string, text: string): number {
  const ms = durationMs(text);
  if (ms !== null) return ms;
  throw new AppError("invalid_request", {
    reason: `${field} is ${quoted(text)}, which is no duration from a second to a hundred years.`,
    fix: "Write a number and a unit (s, m, h, d, w), for example `1h`, `24h`, `72h` or `7d`.",
  });
}
