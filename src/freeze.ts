import { Cron } from "croner";
import { durationMs } from "./durations.ts";
import { isObject } from "./json.ts";
import type { Json } from "./ports.ts";

/** When promotions into an environment are closed or open. Pure: the moment is an argument. */

/** A window that opens at each time of a cron expression in a time zone and stays open for a duration. */
export interface FreezeWindow {
  /** `deny` closes the environment inside the window; `allow` closes it outside of all allowed windows. */
  readonly kind: "deny" | "allow";
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

/** Steps taken to find the next opening, from one edge of a window to the next. */
const MAX_EDGES = 500;

/** Without windows it is open. A denied window wins; where any window is allowed, it is open inside those alone. */
export function freezeAt(windows: readonly FreezeWindow[], now: Date): Freeze {
  if (windows.length === 0) return { closed: false, reason: "The policy has no freeze windows." };
  const state = stateAt(windows, now);
  const edge = nextChange(windows, now, state.closed);
  if (!state.closed) {
    return {
      closed: false,
      reason: edge === null ? "No freeze window is near." : `Open until ${edge}.`,
      ...(edge !== null && { next_close: edge }),
    };
  }
  const opens = edge === null ? "It is not known when it opens." : `It opens at ${edge}.`;
  return { closed: true, reason: `${state.reason} ${opens}`, ...(edge !== null && { next_open: edge }) };
}

function stateAt(windows: readonly FreezeWindow[], now: Date): { closed: boolean; reason: string } {
  const denied = windows.find((window) => window.kind === "deny" && isOpen(window, now));
  if (denied !== undefined) return { closed: true, reason: denied.reason ?? `A freeze window (${denied.cron}, ${denied.duration}) is on.` };
  const allowed = windows.filter(({ kind }) => kind === "allow");
  if (allowed.length === 0 || allowed.some((window) => isOpen(window, now))) return { closed: false, reason: "" };
  return { closed: true, reason: "Promotions are allowed inside release windows alone." };
}

function isOpen(window: FreezeWindow, now: Date): boolean {
  const start = startBefore(window, now);
  return start !== null && now.getTime() < start.getTime() + lengthOf(window);
}

/** The first moment after `now` at which being closed or open changes: it can only be at an edge of some window. */
function nextChange(windows: readonly FreezeWindow[], now: Date, closed: boolean): string | null {
  let at = now;
  for (let step = 0; step < MAX_EDGES; step++) {
    const edges = windows.flatMap((window) => edgesAfter(window, at));
    if (edges.length === 0) return null;
    at = new Date(Math.min(...edges));
    if (stateAt(windows, at).closed !== closed) return at.toISOString();
  }
  return null;
}

function edgesAfter(window: FreezeWindow, at: Date): number[] {
  const start = startBefore(window, at);
  const end = start === null ? [] : [start.getTime() + lengthOf(window)].filter((time) => time > at.getTime());
  const next = startAfter(window, at);
  return next === null ? end : [...end, next.getTime()];
}

/** The newest start at or before `at`. */
function startBefore(window: FreezeWindow, at: Date): Date | null {
  // croner looks strictly before the second of its date.
  return schedule(window).previousRuns(1, new Date(at.getTime() + 1_000))[0] ?? null;
}

function startAfter(window: FreezeWindow, at: Date): Date | null {
  return schedule(window).nextRun(at);
}

function schedule({ cron, timezone }: Pick<FreezeWindow, "cron" | "timezone">): Cron {
  return new Cron(cron, { timezone: timezone ?? "UTC", mode: "5-part" });
}

function lengthOf(window: FreezeWindow): number {
  return durationMs(window.duration) ?? 0;
}

/** What is wrong with a window, as [member, message]; empty where nothing is. */
export function windowFaults(window: Json): [string, string][] {
  if (!isObject(window)) return [["", "must be an object with kind, cron and duration"]];
  const { kind, cron, duration, timezone, reason, ...unknown } = window;
  const faults: [string, string][] = Object.keys(unknown).map((name) => [
    `/${name}`,
    "is not known; known are: kind, cron, duration, timezone, reason",
  ]);
  if (kind !== "deny" && kind !== "allow") faults.push(["/kind", 'must be "deny" or "allow"']);
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
    return schedule({ cron, ...(timezone !== undefined && { timezone }) }).nextRun() !== null;
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
