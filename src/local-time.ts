/**
 * Local time on which every wall time happens once: those that clocks leave out when they go forward happen at the change,
 * and those that come twice when clocks go back happen the first time. Pure.
 *
 * Wall times are written as milliseconds as if they were UTC.
 */
export interface LocalTime {
  /** The latest wall time that has happened by a moment. Never decreases. */
  reached(moment: number): number;
  /** The moment at which a wall time happens. */
  momentOf(wall: number): number;
}

/** For whatever is not bound to a zone's clocks. */
export const SAME_TIME: LocalTime = { reached: (moment) => moment, momentOf: (wall) => wall };

/** A change of clocks at a moment, from one offset to another, both in milliseconds ahead of UTC. */
interface Change {
  readonly at: number;
  readonly before: number;
  readonly after: number;
}

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** Time zones kept in memory, and years of changes of each. */
const MAX_KEPT = 500;

const zones = new Map<string, LocalTime>();

/** `timezone` is an IANA name that this machine knows. */
export function localTime(timezone: string): LocalTime {
  const known = zones.get(timezone);
  if (known !== undefined) return known;
  if (zones.size >= MAX_KEPT) zones.clear();
  const made = inZone(offsetsOf(timezone));
  zones.set(timezone, made);
  return made;
}

function inZone(offset: (moment: number) => number): LocalTime {
  const changes = changesOf(offset);
  return {
    reached(moment) {
      const back = changes(moment).find(({ at, before, after }) => at <= moment && moment < at + before - after);
      return back === undefined ? moment + offset(moment) : back.at + back.before - 1;
    },
    momentOf(wall) {
      // An offset is less than a day, so that a change which matters is within a day of the wall time.
      const change = changes(wall).find(({ at }) => Math.abs(at - wall) <= DAY);
      if (change === undefined) return wall - offset(wall);
      return wall < change.at + change.before ? wall - change.before : Math.max(change.at, wall - change.after);
    },
  };
}

/** The changes of the days around a moment's year. Found by looking at every day, once for each year. */
function changesOf(offset: (moment: number) => number): (moment: number) => readonly Change[] {
  const years = new Map<number, readonly Change[]>();
  return (moment) => {
    const year = new Date(moment).getUTCFullYear();
    const known = years.get(year);
    if (known !== undefined) return known;
    const found: Change[] = [];
    const last = Date.UTC(year + 1, 0, 3);
    let before = offset(Date.UTC(year - 1, 11, 29));
    for (let day = Date.UTC(year - 1, 11, 29); day < last; day += DAY) {
      const after = offset(day + DAY);
      if (after !== before) found.push({ at: firstMinuteWith(after, offset, day, day + DAY), before, after });
      before = after;
    }
    if (years.size >= MAX_KEPT) years.clear();
    years.set(year, found);
    return found;
  };
}

/** The first whole minute after `start` that has the offset that `end` has. */
function firstMinuteWith(wanted: number, offset: (moment: number) => number, start: number, end: number): number {
  let low = start;
  let high = end;
  while (high - low > MINUTE) {
    const middle = low + Math.floor((high - low) / (2 * MINUTE)) * MINUTE;
    if (offset(middle) === wanted) high = middle;
    else low = middle;
  }
  return high;
}

function offsetsOf(timezone: string): (moment: number) => number {
  const numeric = "numeric";
  const fields = { year: numeric, month: numeric, day: numeric, hour: numeric, minute: numeric } as const;
  const format = new Intl.DateTimeFormat("en-US", { timeZone: timezone, calendar: "gregory", hourCycle: "h23", ...fields });
  return (moment) => {
    const parts = Object.fromEntries(format.formatToParts(moment).map(({ type, value }) => [type, Number(value)]));
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = parts;
    return Date.UTC(year, month - 1, day, hour, minute) - Math.floor(moment / MINUTE) * MINUTE;
  };
}
