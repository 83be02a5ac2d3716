import { Cron } from "croner";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { durationMs } from "../../src/durations.ts";
import { type FreezeWindow, freezeAt, windowFaults } from "../../src/freeze.ts";
import type { Json } from "../../src/ports.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

const window = (cron: string, duration: string, more: Partial<FreezeWindow> = {}): FreezeWindow => ({
  kind: "deny",
  cron,
  duration,
  ...more,
});
const at = (windows: readonly FreezeWindow[], time: string) => freezeAt(windows, new Date(time));

/** When it is closed: `[from, until]` of each closed time between two moments, found by asking for the next change again and again. */
function closedTimes(windows: readonly FreezeWindow[], from: string, until: string): string[][] {
  const found: string[][] = [];
  let now = from;
  while (now < until) {
    const freeze = at(windows, now);
    const next: string = (freeze.closed ? freeze.next_open : freeze.next_close) ?? until;
    if (freeze.closed) found.push([now, next]);
    now = next;
  }
  return found;
}

/** A release week: nothing from Friday 16:00 on until Monday 06:00. */
const WEEKEND = window("0 16 * * 5", "62h", { reason: "No releases over the weekend." });

describe("a denied window", () => {
  test.each<readonly [string, boolean]>([
    ["2026-01-02T15:59:59.999Z", false],
    ["2026-01-02T16:00:00.000Z", true],
    ["2026-01-04T12:00:00.000Z", true],
    ["2026-01-05T05:59:59.999Z", true],
    ["2026-01-05T06:00:00.000Z", false],
  ])("at %s is on: %s", (time, closed) => expect(at([WEEKEND], time).closed).toBe(closed));

  test("says why it is closed and when it opens, and before that when it closes", () => {
    expect(at([WEEKEND], "2026-01-03T00:00:00.000Z")).toEqual({
      closed: true,
      reason: "No releases over the weekend. It opens at 2026-01-05T06:00:00.000Z.",
      next_open: "2026-01-05T06:00:00.000Z",
    });
    expect(at([WEEKEND], "2026-01-01T00:00:00.000Z")).toEqual({
      closed: false,
      reason: "Open until 2026-01-02T16:00:00.000Z.",
      next_close: "2026-01-02T16:00:00.000Z",
    });
    expect(at([window("0 16 * * 5", "1h")], "2026-01-02T16:30:00.000Z").reason).toContain("0 16 * * 5, 1h");
    expect(at([window("0 16 * * 5", "1h", { reason: "Weekend" })], "2026-01-02T16:30:00.000Z").reason).toMatch(/^Weekend\. It opens at /);
  });
});

test("a window that does not say whether it denies or allows is one of a freeze", () => {
  const bare = { cron: "0 16 * * 5", duration: "62h" };
  expect(windowFaults(bare)).toEqual([]);
  expect(at([bare], "2026-01-03T00:00:00.000Z").closed).toBe(true);
  expect(at([bare], "2026-01-01T00:00:00.000Z").closed).toBe(false);
});

test("without windows it is open, and nobody asks until when", () => {
  expect(at([], "2026-01-01T00:00:00Z")).toEqual({ closed: false, reason: "The policy has no freeze windows." });
});

describe("windows together", () => {
  const tuesday = window("0 9 * * 2", "8h", { kind: "allow" });
  const thursday = window("0 9 * * 4", "8h", { kind: "allow" });

  test("where any is allowed, it is open inside the allowed ones alone", () => {
    expect(closedTimes([tuesday, thursday], "2026-01-05T00:00:00.000Z", "2026-01-10T00:00:00.000Z")).toEqual([
      ["2026-01-05T00:00:00.000Z", "2026-01-06T09:00:00.000Z"],
      ["2026-01-06T17:00:00.000Z", "2026-01-08T09:00:00.000Z"],
      ["2026-01-08T17:00:00.000Z", "2026-01-13T09:00:00.000Z"],
    ]);
    expect(at([tuesday], "2026-01-05T00:00:00Z").reason).toBe(
      "Promotions are allowed inside release windows alone. It opens at 2026-01-06T09:00:00.000Z.",
    );
  });

  test("a denied one wins over an allowed one, and it opens where neither stands against it", () => {
    const lunch = window("0 12 * * *", "1h", { reason: "Lunch." });
    expect(closedTimes([tuesday, lunch], "2026-01-06T09:00:00.000Z", "2026-01-06T18:00:00.000Z")).toEqual([
      ["2026-01-06T12:00:00.000Z", "2026-01-06T13:00:00.000Z"],
      ["2026-01-06T17:00:00.000Z", "2026-01-13T09:00:00.000Z"],
    ]);
    expect(at([tuesday, lunch], "2026-01-06T12:00:00Z").reason).toBe("Lunch. It opens at 2026-01-06T13:00:00.000Z.");
  });

  test("a denied one that outlasts the allowed one leaves the next allowed one", () => {
    const outage = window("0 9 6 1 *", "24h");
    expect(at([tuesday, thursday, outage], "2026-01-06T10:00:00Z").next_open).toBe("2026-01-08T09:00:00.000Z");
  });

  test("those that touch or overlap are one", () => {
    const days = window("0 0 * * 6,0", "24h");
    expect(closedTimes([days], "2026-01-02T00:00:00.000Z", "2026-01-09T00:00:00.000Z")).toEqual([
      ["2026-01-03T00:00:00.000Z", "2026-01-05T00:00:00.000Z"],
    ]);
    const evenings = [window("0 18 * * *", "6h"), window("0 20 * * *", "10h")];
    expect(closedTimes(evenings, "2026-01-02T12:00:00.000Z", "2026-01-03T12:00:00.000Z")).toEqual([
      ["2026-01-02T18:00:00.000Z", "2026-01-03T06:00:00.000Z"],
    ]);
  });

  test("those that open anew every minute, for half a day, are one too", () => {
    expect(at([window("* 0-11 * * *", "1m")], "2026-01-02T00:00:00Z").next_open).toBe("2026-01-02T12:00:00.000Z");
    expect(at([window("* 8-17 * * 1-5", "5m")], "2026-01-02T08:00:00Z").next_open).toBe("2026-01-02T18:04:00.000Z");
  });

  test.each<readonly [string, readonly FreezeWindow[]]>([
    ["every minute", [window("* * * * *", "2m")]],
    ["every day, for longer than one", [window("0 0 * * *", "25h")]],
    ["allowed only while it is denied", [window("0 9 * * 1", "2h", { kind: "allow" }), window("0 8 * * 1", "4h")]],
    ["allowed when no day is", [window("0 0 30 2 *", "2h", { kind: "allow" })]],
  ])("never opens: %s", (_what, windows) => {
    const freeze = at(windows, "2026-01-05T00:00:00Z");
    expect(freeze.closed).toBe(true);
    expect(freeze).not.toHaveProperty("next_open");
    expect(freeze.reason).toContain("It is not known when it opens.");
  });

  test("however many there are, and however they lie, an answer takes a bounded number of look-ups", () => {
    const dense = Array.from({ length: 25 }, () => window("* 0-11 * * *", "1m"));
    const inside = Array.from({ length: 25 }, () => window("* 6 * * *", "1m", { kind: "allow" as const }));
    const lookups = [vi.spyOn(Cron.prototype, "previousRuns"), vi.spyOn(Cron.prototype, "nextRun")];
    for (const windows of [dense, [...dense, ...inside], inside]) {
      for (const time of ["2026-01-02T00:00:00Z", "2026-01-02T06:00:00Z", "2026-01-02T13:00:00Z"]) {
        at(windows, time);
        expect(lookups.reduce((sum, { mock }) => sum + mock.calls.length, 0)).toBeLessThan(2_000);
        for (const lookup of lookups) lookup.mockClear();
      }
    }
    vi.restoreAllMocks();
  });
});

describe("where the clocks change", () => {
  // In Berlin they go from 02:00 to 03:00 on 29 March, and from 03:00 back to 02:00 on 25 October 2026; in New York from 02:00 to 03:00
  // on 8 March, and from 02:00 back to 01:00 on 1 November.
  test("a window opens at its local time, before and after, and lasts as long as ever", () => {
    const berlin = [window("0 18 * * *", "2h", { timezone: "Europe/Berlin" })];
    expect(closedTimes(berlin, "2026-03-28T12:00:00.000Z", "2026-03-30T12:00:00.000Z")).toEqual([
      ["2026-03-28T17:00:00.000Z", "2026-03-28T19:00:00.000Z"],
      ["2026-03-29T16:00:00.000Z", "2026-03-29T18:00:00.000Z"],
    ]);
    const york = [window("0 18 * * *", "2h", { timezone: "America/New_York" })];
    expect(closedTimes(york, "2026-10-31T12:00:00.000Z", "2026-11-02T12:00:00.000Z")).toEqual([
      ["2026-10-31T22:00:00.000Z", "2026-11-01T00:00:00.000Z"],
      ["2026-11-01T23:00:00.000Z", "2026-11-02T01:00:00.000Z"],
    ]);
  });

  test("one that lies across the change keeps its length in hours", () => {
    const night = [window("0 22 * * 6", "12h", { timezone: "Europe/Berlin" })];
    expect(closedTimes(night, "2026-03-28T12:00:00.000Z", "2026-03-29T12:00:00.000Z")).toEqual([
      ["2026-03-28T21:00:00.000Z", "2026-03-29T09:00:00.000Z"],
    ]);
    expect(closedTimes(night, "2026-10-24T12:00:00.000Z", "2026-10-25T12:00:00.000Z")).toEqual([
      ["2026-10-24T20:00:00.000Z", "2026-10-25T08:00:00.000Z"],
    ]);
  });

  test.each<readonly [string, string, string, string]>([
    ["Europe/Berlin", "2026-03-28T20:00:00.000Z", "2026-03-29T01:00:00.000Z", "2026-03-29T02:00:00.000Z"],
    ["America/New_York", "2026-03-07T20:00:00.000Z", "2026-03-08T07:00:00.000Z", "2026-03-08T08:00:00.000Z"],
  ])("one whose hour is left out in %s opens as soon as there is time again: it is not forgotten", (timezone, from, opens, closes) => {
    const gap = [window("30 2 * * *", "1h", { timezone })];
    expect(closedTimes(gap, from, closes)).toEqual([[opens, closes]]);
  });

  test.each<readonly [string, string, string, string, string]>([
    ["Europe/Berlin", "0,30 2 * * *", "2026-03-28T20:00:00.000Z", "2026-03-29T01:00:00.000Z", "2026-03-29T02:00:00.000Z"],
    ["Europe/Berlin", "*/20 2 29 3 *", "2026-03-28T20:00:00.000Z", "2026-03-29T01:00:00.000Z", "2026-03-29T02:00:00.000Z"],
    ["America/New_York", "10-12 2 * * 0", "2026-03-07T20:00:00.000Z", "2026-03-08T07:00:00.000Z", "2026-03-08T08:00:00.000Z"],
  ])("one with several starts in the hour left out in %s (%s) is not forgotten either", (timezone, cron, from, opens, closes) => {
    expect(closedTimes([window(cron, "1h", { timezone })], from, closes)).toEqual([[opens, closes]]);
  });

  test("one with several starts in an hour that comes twice opens for each of them once", () => {
    const twice = [window("0,30 2 * * *", "15m", { timezone: "Europe/Berlin" })];
    expect(closedTimes(twice, "2026-10-24T20:00:00.000Z", "2026-10-25T12:00:00.000Z")).toEqual([
      ["2026-10-25T00:00:00.000Z", "2026-10-25T00:15:00.000Z"],
      ["2026-10-25T00:30:00.000Z", "2026-10-25T00:45:00.000Z"],
    ]);
  });

  test.each<readonly [string, string, string, string, string]>([
    ["Europe/Berlin", "30 2 * * *", "2026-10-24T20:00:00.000Z", "2026-10-25T00:30:00.000Z", "2026-10-25T00:45:00.000Z"],
    ["America/New_York", "30 1 * * *", "2026-10-31T20:00:00.000Z", "2026-11-01T05:30:00.000Z", "2026-11-01T05:45:00.000Z"],
  ])("one whose hour comes twice in %s opens once, the first time", (timezone, cron, from, opens, closes) => {
    expect(closedTimes([window(cron, "15m", { timezone })], from, "2026-11-01T12:00:00.000Z")[0]).toEqual([opens, closes]);
    const after = new Date(Date.parse(opens) + 60 * MINUTE);
    expect(freezeAt([window(cron, "15m", { timezone })], after).closed).toBe(false);
  });

  test("one of every hour opens in both", () => {
    const hourly = [window("0 * * * *", "10m", { timezone: "Europe/Berlin" })];
    expect(closedTimes(hourly, "2026-10-25T00:10:00.000Z", "2026-10-25T02:10:00.000Z")).toEqual([
      ["2026-10-25T01:00:00.000Z", "2026-10-25T01:10:00.000Z"],
      ["2026-10-25T02:00:00.000Z", "2026-10-25T02:10:00.000Z"],
    ]);
  });
});

/** A stretch of time, minute by minute, with what the clocks show in some zone. */
interface Stretch {
  readonly start: number;
  readonly timezone: string;
  readonly local: readonly Local[];
}

interface Local {
  readonly minute: number;
  readonly hour: number;
  readonly day: number;
  readonly month: number;
  readonly weekday: number;
  /** Minutes that the clocks have shown since midnight, and then again. */
  readonly again: boolean;
  /** Local times that were left out just before this one. */
  readonly leftOut: readonly Omit<Local, "again" | "leftOut">[];
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

function stretch(timezone: string, start: string, days: number): Stretch {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: timezone,
    hourCycle: "h23",
    month: "numeric",
    day: "numeric",
    weekday: "short",
    hour: "numeric",
    minute: "numeric",
  });
  const from = Date.parse(start);
  const local: Local[] = [];
  const seen = new Set<string>();
  let before = Number.NaN;
  for (let time = from; time < from + days * DAY; time += MINUTE) {
    const parts = Object.fromEntries(format.formatToParts(time).map(({ type, value }) => [type, value]));
    const shown = {
      minute: Number(parts.minute),
      hour: Number(parts.hour),
      day: Number(parts.day),
      month: Number(parts.month),
      weekday: DAYS.indexOf(String(parts.weekday)),
    };
    const id = `${shown.month}/${shown.day} ${shown.hour}:${shown.minute}`;
    const sinceMidnight = shown.hour * 60 + shown.minute;
    const jumped = sinceMidnight - before - 1;
    const leftOut =
      jumped > 0
        ? Array.from({ length: jumped }, (_, index) => {
            const missing = before + 1 + index;
            return { ...shown, hour: Math.floor(missing / 60), minute: missing % 60 };
          })
        : [];
    local.push({ ...shown, again: seen.has(id), leftOut });
    seen.add(id);
    before = sinceMidnight;
  }
  return { start: from, timezone, local };
}

const STRETCHES = [
  ["Europe/Berlin", "2026-03-22T00:00:00Z"],
  ["Europe/Berlin", "2026-10-18T00:00:00Z"],
  ["America/New_York", "2026-03-01T00:00:00Z"],
  ["America/New_York", "2026-10-25T00:00:00Z"],
  ["Asia/Kolkata", "2026-02-22T00:00:00Z"],
].map(([timezone = "", start = ""]) => stretch(timezone, start, 14));

/** One field of a cron expression as a set of numbers. */
function field(text: string, min: number, max: number): Set<number> {
  const found = new Set<number>();
  for (const part of text.split(",")) {
    const [range = "", step = "1"] = part.split("/");
    const [first, last = first] = range === "*" ? [min, max] : range.split("-").map(Number);
    for (let value = first ?? min; value <= (last ?? max); value += Number(step)) found.add(value);
  }
  return found;
}

/** Whether it is closed, for each minute of a stretch: looks at every minute, and at all that has begun and not ended. */
function naively({ local }: Stretch, windows: readonly FreezeWindow[]): boolean[] {
  const denied = new Array<boolean>(local.length).fill(false);
  const allowed = new Array<boolean>(local.length).fill(false);
  for (const { kind, cron, duration } of windows) {
    const [minutes, hours, days, months, weekdays] = cron.split(" ");
    const sets = {
      minute: field(minutes ?? "", 0, 59),
      hour: field(hours ?? "", 0, 23),
      day: field(days ?? "", 1, 31),
      month: field(months ?? "", 1, 12),
      weekday: field(weekdays ?? "", 0, 6),
    };
    const starts = (shown: Omit<Local, "again" | "leftOut">): boolean => {
      const day = sets.day.has(shown.day);
      const weekday = sets.weekday.has(shown.weekday);
      // Where both are restricted, either will do: as cron has always had it.
      const onDay = days !== "*" && weekdays !== "*" ? day || weekday : day && weekday;
      return sets.minute.has(shown.minute) && sets.hour.has(shown.hour) && sets.month.has(shown.month) && onDay;
    };
    const everyHour = hours === "*";
    const minutesLong = (durationMs(duration) ?? 0) / MINUTE;
    for (const [index, shown] of local.entries()) {
      const begins = (starts(shown) && (everyHour || !shown.again)) || (!everyHour && shown.leftOut.some(starts));
      if (!begins) continue;
      (kind === "deny" ? denied : allowed).fill(true, index, index + minutesLong);
    }
  }
  const anyAllowed = windows.some(({ kind }) => kind === "allow");
  return denied.map((isDenied, index) => isDenied || (anyAllowed && !allowed[index]));
}

const number = (min: number, max: number) => fc.integer({ min, max }).map(String);
const crons = fc
  .tuple(
    fc.oneof(number(0, 59), fc.constantFrom("0", "30", "0,30", "*/20", "10-12")),
    fc.oneof(number(0, 23), fc.constantFrom("*", "1", "2", "3", "1-3", "2,4", "8-17", "0,12", "*/6")),
    fc.oneof({ weight: 4, arbitrary: fc.constant("*") }, { weight: 1, arbitrary: number(1, 28) }),
    fc.constant("*"),
    fc.oneof(fc.constantFrom("*", "1-5", "0,6", "5"), number(0, 6)),
  )
  .map((fields) => fields.join(" "));
const durations = fc.oneof(
  fc.integer({ min: 1, max: 90 }).map((minutes) => `${minutes}m`),
  fc.integer({ min: 1, max: 48 }).map((hours) => `${hours}h`),
);
const windowLists = (timezone: string) =>
  fc.array(
    fc.record({
      kind: fc.constantFrom<NonNullable<FreezeWindow["kind"]>>("deny", "deny", "allow"),
      cron: crons,
      duration: durations,
      timezone: fc.constant(timezone),
    }),
    { minLength: 1, maxLength: 3 },
  );
// By its number, so that a counterexample does not show every minute of it.
const cases = fc.nat(STRETCHES.length - 1).chain((nth) =>
  fc.record({
    nth: fc.constant(nth),
    windows: windowLists(STRETCHES[nth]?.timezone ?? "UTC"),
    minute: fc.integer({ min: 3 * 1_440, max: 10 * 1_440 }),
    /** Looks in the very last minute before a change. */
    lastMinute: fc.boolean(),
    milliseconds: fc.constantFrom(0, 1, 500, 30_000, 59_000, 59_001, 59_999),
  }),
);

/** Bounds a run that hangs, on however slow a machine: ten thousand cases take minutes. */
const TIMEOUT_MS = 1_800_000;

test("closed or open, and until when, is what looking at every minute finds, also where the clocks change", { timeout: TIMEOUT_MS }, () => {
  fc.assert(
    fc.property(cases, ({ nth, windows, minute, lastMinute, milliseconds }) => {
      const days = STRETCHES[nth] as Stretch;
      const closed = naively(days, windows);
      const change = closed.findIndex((state, later) => later > minute && state !== closed[minute]);
      const now = days.start + (lastMinute && change > 0 ? change - 1 : minute) * MINUTE + milliseconds;
      const freeze = freezeAt(windows, new Date(now));
      expect(freeze.closed).toBe(closed[minute]);
      const told = freeze.closed ? freeze.next_open : freeze.next_close;
      // The change may lie beyond the stretch: then it must not be told to lie inside it.
      if (change >= 0) expect(told).toBe(new Date(days.start + change * MINUTE).toISOString());
      else if (told !== undefined) expect(Date.parse(told)).toBeGreaterThanOrEqual(days.start + closed.length * MINUTE);
    }),
    { numRuns: process.env.ENV_MANAGER_TEST_LONG === undefined ? 200 : 10_000 },
  );
});

describe("a window is refused with the place of each fault:", () => {
  const good = { kind: "deny", cron: "0 18 * * 5", duration: "62h" };
  test.each<readonly [string, Json, string[]]>([
    ["no object", "0 18 * * 5", [""]],
    ["a list", [], [""]],
    ["nothing given", {}, ["/duration", "/cron"]],
    ["an unknown member", { ...good, until: "monday" }, ["/until"]],
    ["another kind", { ...good, kind: "maybe" }, ["/kind"]],
    ["no duration", { ...good, duration: "long" }, ["/duration"]],
    ["a duration of nothing", { ...good, duration: "0h" }, ["/duration"]],
    ["a duration as a number", { ...good, duration: 62 }, ["/duration"]],
    ["an endless duration", { ...good, duration: "999999w".repeat(40) }, ["/duration"]],
    ["no cron", { ...good, cron: 7 }, ["/cron"]],
    ["an empty cron", { ...good, cron: "" }, ["/cron"]],
    ["four fields", { ...good, cron: "0 18 * *" }, ["/cron"]],
    ["six fields", { ...good, cron: "0 0 18 * * 5" }, ["/cron"]],
    ["a nickname", { ...good, cron: "@weekly" }, ["/cron"]],
    ["words", { ...good, cron: "every friday at six pm" }, ["/cron"]],
    ["a minute that there is not", { ...good, cron: "60 18 * * 5" }, ["/cron"]],
    ["an hour that there is not", { ...good, cron: "0 24 * * 5" }, ["/cron"]],
    ["a month that there is not", { ...good, cron: "0 18 * 13 5" }, ["/cron"]],
    ["a weekday that there is not", { ...good, cron: "0 18 * * 8" }, ["/cron"]],
    ["a range upside down", { ...good, cron: "0 18-9 * * *" }, ["/cron"]],
    ["a step of nothing", { ...good, cron: "*/0 * * * *" }, ["/cron"]],
    ["a day that never comes", { ...good, cron: "0 0 30 2 *" }, ["/cron"]],
    ["31 April", { ...good, cron: "0 0 31 4 *" }, ["/cron"]],
    ["nonsense of many characters", { ...good, cron: "9".repeat(100_000) }, ["/cron"]],
    ["a time zone that there is not", { ...good, timezone: "Europe/Atlantis" }, ["/timezone"]],
    ["an empty time zone", { ...good, timezone: "" }, ["/timezone"]],
    ["a time zone as a number", { ...good, timezone: 1 }, ["/timezone"]],
    ["a reason as a list", { ...good, reason: [] }, ["/reason"]],
    ["a reason that is a book", { ...good, reason: "x".repeat(201) }, ["/reason"]],
    [
      "several at once",
      { kind: 1, cron: "x", duration: "y", timezone: "z", reason: 0 },
      ["/kind", "/duration", "/reason", "/timezone", "/cron"],
    ],
  ])("%s", (_what, given, paths) => {
    const faults = windowFaults(given);
    expect(faults.map(([path]) => path)).toEqual(paths);
    for (const [, message] of faults) expect(message).toMatch(/\S/);
  });

  test.each<readonly [string, Json]>([
    ["the usual", good],
    ["with a zone and a reason", { ...good, timezone: "America/New_York", reason: "Weekend." }],
    ["with names of days and months", { ...good, cron: "0 18 * JAN-MAR FRI" }],
    ["on Sunday, written as 7", { ...good, cron: "0 0 * * 7" }],
    ["on the last day of the month", { ...good, cron: "0 0 L * *" }],
    ["on 29 February", { ...good, cron: "0 0 29 2 *" }],
    ["with more space than is needed", { ...good, cron: "  0  18 * * 5 " }],
  ])("and taken without one: %s", (_what, given) => expect(windowFaults(given)).toEqual([]));
});
