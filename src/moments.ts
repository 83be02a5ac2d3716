/** Moments as people write them, ISO 8601: a day (`2026-01-31`), or a day and a time of it, with a zone or in UTC. */

const MOMENT = /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

/** Milliseconds since 1970, or `null` where the text is no moment. A day alone means its beginning. */
export function momentMs(text: string): number | null {
  const [, day = "", time, zone] = MOMENT.exec(text) ?? [];
  const begins = Date.parse(`${day}T00:00:00Z`);
  // JavaScript takes the 30th of February for the 2nd of March.
  if (Number.isNaN(begins) || !new Date(begins).toISOString().startsWith(day)) return null;
  // A time without a zone is UTC, as all times here are, wherever the engine runs.
  const ms = time !== undefined && zone === undefined ? Date.parse(`${text}Z`) : Date.parse(text);
  return Number.isNaN(ms) ? null : ms;
}
