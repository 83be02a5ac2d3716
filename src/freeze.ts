import { Cron } from "croner";
import { durationMs } from "./durations.ts";
import { isObject } from "./json.ts";
import { type LocalTime, localTime, SAME_TIME } from "./local-time.ts";
import { sentence } from "./names.ts";
import type { Json } from "./ports.ts";

/** When promotions into an environment are closed or open. Pure: the moment is an argument. */

/** A window that opens at each time of a cron expression in a time zone and stays open for a duration. */
export interface FreezeWindow {
  /** `deny`, also where left out, closes the environment inside the window; `allow` closes it outside of all allowed windows. */
  readonly kind?: "deny" | "allow";
  /** Five fields: minute, hour, day of month, month, day of week. */
  readonly cron: string;
  /** For example `8h`. */
  readonly duration: string;
  /** IANA name, for example `Europe/Berlin`; UTC where left out. */
  readonly timezone?: string;
  /** Shown to whoever is refused. */
  readonly reason?: string;
}

export interface Freeze {
  readonly closed: boolean;
  readonly reason: string;
  /** When it opens next, where that can be told: ISO 8601. */
  readonly next_open?: string;
  readonly next_close?: string;
}

/**
 * Openings of windows that are looked up to find the next change, all windows together. Windows that touch or overlap are
 * walked along one by one: a thousand of them lead from one hour to the next for six weeks.
 */
const MAX_LOOKUPS = 1_000;

/** Without windows it is open. A denied window wins; where any window is allowed, it is open inside those alone. */
export function freezeAt(windows: readonly FreezeWindow[], now: Date): Freeze {
  if (windows.length === 0) return { closed: false, reason: "The policy has no freeze windows." };
  const sides = { denied: schedules(windows, "deny"), allowed: schedules(windows, "allow"), budget: { lookups: MAX_LOOKUPS } };
  const why = closedBecause(sides, now.getTime());
  if (why === null) {
    const closes = isoTime(nextClose(sides, now.getTime()));
    return {
      closed: false,
      reason: closes === null ? "No freeze window is near." : `Open until ${closes}.`,
      ...(closes !== null && { next_close: closes }),
    };
  }
  const opens = isoTime(nextOpen(sides, now.getTime()));
  const until = opens === null ? "It is not known when it opens." : `It opens at ${opens}.`;
  return { closed: true, reason: `${sentence(why)} ${until}`, ...(opens !== null && { next_open: opens }) };
}

/** A window with its cron expression read. */
interface Schedule {
  readonly window: FreezeWindow;
  readonly cron: Cron;
  /** What the expression's times are times of. */
  readonly local: LocalTime;
  readonly length: number;
}

interface Sides {
  readonly denied: readonly Schedule[];
  readonly allowed: readonly Schedule[];
  readonly budget: Budget;
}

/** How many openings may still be looked up: one budget for all loops of one answer. */
interface Budget {
  lookups: number;
}

function schedules(windows: readonly FreezeWindow[], kind: "deny" | "allow"): Schedule[] {
  return windows
    .filter((window) => (window.kind ?? "deny") === kind)
    .map((window) => ({ window, ...timesOf(window), length: durationMs(window.duration) ?? 0 }));
}

/**
 * An expression that names hours is one of wall times: croner reads it without a zone, and `LocalTime` says when each comes,
 * once, whatever the clocks do. (Given a zone, croner passes over some in a skipped hour and repeats some in a doubled one.)
 * One of every hour follows the minutes as they go by.
 */
function timesOf({ cron, timezone = "UTC" }: FreezeWindow): Pick<Schedule, "cron" | "local"> {
  const everyHour = cron.trim().split(/\s+/)[1] === "*";
  return everyHour
    ? { cron: cronOf({ cron, timezone }), local: SAME_TIME }
    : { cron: cronOf({ cron, timezone: "UTC" }), local: localTime(timezone) };
}

function closedBecause({ denied, allowed }: Sides, at: number): string | null {
  const on = denied.find((schedule) => endAfter(schedule, at) > at);
  if (on !== undefined) return on.window.reason ?? `A freeze window (${on.window.cron}, ${on.window.duration}) is on.`;
  if (allowed.length === 0 || allowed.some((schedule) => endAfter(schedule, at) > at)) return null;
  return "Promotions are allowed inside release windows alone.";
}

/** The first moment from `at` on that is open; `null` where there is none, or none that is near. */
function nextOpen({ denied, allowed, budget }: Sides, at: number): number | null {
  let open = at;
  while (budget.lookups > 0) {
    const end = runEnd(denied, open, budget);
    budget.lookups -= 2 * allowed.length;
    if (end === null || allowed.length === 0 || allowed.some((schedule) => endAfter(schedule, end) > end)) return end;
    open = firstStart(allowed, end);
    if (open === Number.POSITIVE_INFINITY) return null;
  }
  return null;
}

/** The first moment after `at`, which is open, that is not; `null` where there is none, or none that is near. */
function nextClose({ denied, allowed, budget }: Sides, at: number): number | null {
  const frozen = firstStart(denied, at);
  const ends = allowed.length === 0 ? Number.POSITIVE_INFINITY : runEnd(allowed, at, budget, frozen);
  return ends === null ? null : Math.min(frozen, ends);
}

/** Where windows that touch or overlap end for the first time from `at` on; no further than `enough`. */
function runEnd(windows: readonly Schedule[], at: number, budget: Budget, enough = Number.POSITIVE_INFINITY): number | null {
  let end = at;
  while (budget.lookups > 0) {
    budget.lookups -= windows.length;
    const next = Math.max(end, ...windows.map((schedule) => endAfter(schedule, end)));
    if (next === end || next >= enough) return next;
    end = next;
  }
  return null;
}

/** When what opened last, at or before `at`, ends. */
function endAfter({ cron, local, length }: Schedule, at: number): number {
  // croner looks before the second of its date, so that a whole second is given: the one after.
  const start = cron.previousRuns(1, new Date((Math.floor(local.reached(at) / 1_000) + 1) * 1_000))[0];
  return start === undefined ? Number.NEGATIVE_INFINITY : local.momentOf(start.getTime()) + length;
}

function firstStart(windows: readonly Schedule[], at: number): number {
  const starts = windows.map(({ cron, local }) => {
    const next = cron.nextRun(new Date(local.reached(at)));
    return next === null ? Number.POSITIVE_INFINITY : local.momentOf(next.getTime());
  });
  return Math.min(Number.POSITIVE_INFINITY, ...starts);
}

function cronOf({ cron, timezone }: Pick<FreezeWindow, "cron" | "timezone">): Cron {
  return new Cron(cron, { timezone: timezone ?? "UTC", mode: "5-part" });
}

function isoTime(time: number | null): string | null {
  return time === null || time === Number.POSITIVE_INFINITY ? null : new Date(time).toISOString();
}

/** What is wrong with a window, as [member, message]; empty where nothing is. */
export function windowFaults(window: Json): [string, string][] {
  if (!isObject(window)) return [["", "must be an object with cron and duration"]];
  const { kind, cron, duration, timezone, reason, ...unknown } = window;
  const faults: [string, string][] = Object.keys(unknown).map((name) => [
    `/${name}`,
    "is not known; known are: kind, cron, duration, timezone, reason",
  ]);
  if (kind !== undefined && kind !== "deny" && kind !== "allow") faults.push(["/kind", 'must be "deny" or "allow"']);
  if (typeof duration !== "string" || durationMs(duration) === null) faults.push(["/duration", "must be a duration such as `8h`"]);
  if (reason !== undefined && (typeof reason !== "string" || reason.length > 200))
    faults.push(["/reason", "must be a string of at most 200 characters"]);
  const zoned = timezone === undefined || (typeof timezone === "string" && isTimeZone(timezone));
  if (!zoned) faults.push(["/timezone", "must be an IANA time zone such as `Europe/Berlin`"]);
  if (typeof cron !== "string" || cron.trim().split(/\s+/).length !== 5) {
    faults.push(["/cron", "must have five fields: minute, hour, day of month, month, day of week"]);
  } else if (zoned && !everStarts(cron, timezone as string | undefined)) {
    faults.push(["/cron", "is not a cron expression that ever comes true, such as `0 18 * * 5`"]);
  }
  return faults;
}

function everStarts(cron: string, timezone: string | undefined): boolean {
  try {
    return cronOf({ cron, ...(timezone !== undefined && { timezone }) }).nextRun() !== null;
  } catch {
    return false;
  }
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
