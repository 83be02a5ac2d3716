import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { durationMs, durationText, parseDuration } from "../../src/durations.ts";
import { AppError } from "../../src/errors.ts";
import { LIMITS } from "../../src/limits.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe("a duration", () => {
  test.each<readonly [string, number]>([
    ["1s", 1_000],
    ["90s", 90_000],
    ["30m", 30 * MINUTE],
    ["1h", HOUR],
    ["72h", 72 * HOUR],
    ["7d", 7 * DAY],
    ["2w", 14 * DAY],
    ["1d12h", DAY + 12 * HOUR],
    ["1h30m15s", HOUR + 30 * MINUTE + 15_000],
    ["12h1d", DAY + 12 * HOUR],
    ["1h1h", 2 * HOUR],
    ["0h5m", 5 * MINUTE],
    ["007d", 7 * DAY],
    ["36500d", LIMITS.durationMs],
  ])("%s is %d milliseconds", (text, ms) => {
    expect(durationMs(text)).toBe(ms);
    expect(parseDuration("soak", text)).toBe(ms);
  });

  test.each([
    "",
    " ",
    "soon",
    "0",
    "0s",
    "0d0h",
    "1",
    "h",
    "-1h",
    "+1h",
    "1.5h",
    "1,5h",
    "1 h",
    " 1h",
    "1h ",
    "1h\n",
    "1H",
    "1ms",
    "1y",
    "9999y",
    "1M",
    "1e3s",
    "0x10s",
    "٣h",
    "1h-1m",
    "P1D",
    "PT1H",
    "1234567s",
    "36501d",
    "999999w",
    "999999w".repeat(40),
    "9".repeat(500),
    "Infinity",
  ])("%j is none, and the refusal says which field it was", (text) => {
    expect(durationMs(text)).toBeNull();
    expect(() => parseDuration("expires_in", text)).toThrow(AppError);
    expect(() => parseDuration("expires_in", text)).toThrow(/^expires_in is "/);
  });

  // A pattern that goes back over its text would not come to an end before the test is given up.
  test("that is long and no duration is told within bounds", () => {
    const text = `${"1h".repeat(500_000)}!`;
    expect(() => parseDuration("soak", text)).toThrow(/…/);
  });
});

describe("the text of a duration", () => {
  test.each<readonly [number, string, string]>([
    [0, "0s", "0s"],
    [-5, "0s", "0s"],
    [1, "0s", "1s"],
    [999, "0s", "1s"],
    [1_000, "1s", "1s"],
    [61_000, "1m1s", "1m1s"],
    [HOUR, "1h", "1h"],
    [HOUR + 1, "1h", "1h1m"],
    [36 * HOUR, "1d12h", "1d12h"],
    [DAY - 1, "23h59m", "1d"],
    [DAY + 59_000, "1d", "1d1h"],
    [8 * DAY + 3 * HOUR + 5 * MINUTE, "8d3h", "8d4h"],
  ])("of %d milliseconds is %s, or at most %s", (ms, text, atMost) => {
    expect(durationText(ms)).toBe(text);
    expect(durationText(ms, Math.ceil)).toBe(atMost);
  });

  test("says never more, or never less, and reads back as what it says", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1_000, max: LIMITS.durationMs - DAY }), (ms) => {
        const less = durationMs(durationText(ms)) ?? 0;
        const more = durationMs(durationText(ms, Math.ceil)) ?? 0;
        expect(less).toBeLessThanOrEqual(ms);
        expect(more).toBeGreaterThanOrEqual(ms);
        const unit = ms >= DAY ? HOUR : ms >= HOUR ? MINUTE : 1_000;
        expect(more - less).toBe(ms % unit === 0 ? 0 : unit);
      }),
    );
  });
});
