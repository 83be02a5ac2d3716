/**
 * Milliseconds since 1970 of a date, or a date and time, as ISO 8601 writes them; `NaN` where that is no moment. A time without a zone is
 * UTC, as all times here are, wherever the engine runs. A day that its month does not have is none: `Date.parse` takes the 31st of February
 * for the 3rd of March.
 *
 * @example momentMs("2026-01-31T12:00:00+01:00") === Date.UTC(2026, 0, 31, 11)
 */
export function momentMs(text: string): number {
  const day = text.slice(0, "2026-01-31".length);
  const midnight = Date.parse(day);
  if (Number.isNaN(midnight) || !new Date(midnight).toISOString().startsWith(day)) return Number.NaN;
  const isLocal = text.includes("T") && !/(Z|[+-]\d{2}:?\d{2})$/.test(text);
  return Date.parse(isLocal ? `${text}Z` : text);
}
