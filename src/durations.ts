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

/** The text of a duration in its two largest units: `1d12h`. */
export function durationText(ms: number): string {
  let left = Math.max(0, Math.ceil(ms / 1_000)) * 1_000;
  const parts: string[] = [];
  for (const unit of ["d", "h", "m", "s"]) {
    const size = UNITS[unit] ?? 1;
    if (left >= size && parts.length < 2) {
      parts.push(`${Math.floor(left / size)}${unit}`);
      left %= size;
    }
  }
  return parts.join("") || "0s";
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
