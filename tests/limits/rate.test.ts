import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addressKey, RateLimiter } from "../../src/http/rate.ts";
import { LIMITS } from "../../src/limits.ts";

/** How many requests go on at one moment, one after the other. */
function granted(limiter: RateLimiter, key: string, now: number, wanted: number): number {
  let count = 0;
  for (let request = 0; request < wanted; request++) if (limiter.take(key, now) === 0) count++;
  return count;
}

describe("a rate limiter", () => {
  test.each([
    ["a token", LIMITS.requestsPerSecondPerToken, LIMITS.burstSeconds * LIMITS.requestsPerSecondPerToken],
    ["an address", LIMITS.requestsPerSecondPerAddress, LIMITS.burstSeconds * LIMITS.requestsPerSecondPerAddress],
    ["an address that is refused", LIMITS.refusedPerSecondPerAddress, LIMITS.refusedBurstPerAddress],
  ])("lets a whole burst of %s through and not one more, and then its rate", (_whose, perSecond, burst) => {
    const limiter = new RateLimiter({ perSecond, burst });
    expect(granted(limiter, "key", 0, burst)).toBe(burst);
    expect(limiter.take("key", 0)).toBe(1);
    expect(granted(limiter, "key", 1_000, burst)).toBe(perSecond);
    expect(granted(limiter, "key", 61_000, 2 * burst)).toBe(Math.min(burst, 60 * perSecond));
  });

  test("a request that comes at the rate always goes on, and one that comes sooner does not", () => {
    const limiter = new RateLimiter({ perSecond: 20, burst: 1 });
    for (let request = 0; request < 1_000; request++) expect(limiter.take("key", request * 50)).toBe(0);
    expect(limiter.take("key", 1_000 * 50 - 1)).toBe(1);
    expect(limiter.take("key", 1_000 * 50)).toBe(0);
  });

  test("one key does not pay for another", () => {
    const limiter = new RateLimiter({ perSecond: 1, burst: 1 });
    expect(["a", "a", "b", "b"].map((key) => limiter.take(key, 0))).toEqual([0, 1, 0, 1]);
  });

  test("in any time, no more go on than a burst and the rate; who waits as long as told goes on, and not a second sooner", () => {
    const rates = fc.record({ perSecond: fc.integer({ min: 1, max: 50_000 }), burst: fc.integer({ min: 1, max: 40 }) });
    const gaps = fc.array(
      fc.oneof(fc.constant(0), fc.double({ min: 0, max: 30, noNaN: true }), fc.double({ min: 0, max: 5_000, noNaN: true })),
      {
        maxLength: 200,
      },
    );
    fc.assert(
      fc.property(rates, fc.double({ min: 0, max: 1e10, noNaN: true }), gaps, (rate, start, steps) => {
        const limiter = new RateLimiter(rate);
        const passed: number[] = [];
        let now = start;
        for (const step of steps) {
          now += step;
          const seconds = limiter.take("key", now);
          if (seconds === 0) passed.push(Math.floor(now));
          else {
            expect(Number.isInteger(seconds) && seconds >= 1).toBe(true);
            // A refused request costs nothing, so that asking again, later, tells nothing but the time.
            if (seconds > 1) expect(limiter.take("key", now + (seconds - 1) * 1_000)).toBe(1);
            now += seconds * 1_000;
            expect(limiter.take("key", now)).toBe(0);
            passed.push(Math.floor(now));
          }
        }
        for (const [first, from] of passed.entries()) {
          for (let last = first; last < passed.length; last++) {
            const ms = passed[last]! - from;
            expect(last - first + 1).toBeLessThanOrEqual(rate.burst + (ms * rate.perSecond) / 1_000);
          }
        }
      }),
    );
  });

  test("forgets a key whose allowance is whole again", () => {
    const limiter = new RateLimiter({ perSecond: 10, burst: 20 });
    for (let key = 0; key < 1_000; key++) limiter.take(`old ${key}`, 0);
    expect(limiter.size).toBe(1_000);
    // A whole burst takes two seconds to come back: two generations later nothing of it is left.
    limiter.take("new", 2_001);
    limiter.take("new", 4_002);
    expect(limiter.size).toBe(2);
    limiter.take("new", 6_003);
    expect(limiter.size).toBe(2);
  });

  test("never forgets what a key still owes, as long as there is room", () => {
    const limiter = new RateLimiter({ perSecond: 10, burst: 20 });
    let passed = granted(limiter, "key", 0, 20);
    for (let now = 5; now <= 60_000; now += 5) {
      limiter.take(`other ${now}`, now);
      if (limiter.take("key", now) === 0) passed++;
    }
    expect(passed).toBe(20 + 60 * 10);
  });

  test("knows what a key has back, however long it was not used and however many others were", () => {
    for (let idle = 0; idle <= 2_500; idle += 49) {
      const limiter = new RateLimiter({ perSecond: 10, burst: 20 });
      const start = 1_500;
      for (let now = 0; now <= start; now++) limiter.take(`other ${now}`, now);
      expect(granted(limiter, "key", start, 20)).toBe(20);
      for (let now = start; now <= start + idle; now++) limiter.take(`other ${now}`, now);
      expect(granted(limiter, "key", start + idle, 40)).toBe(Math.min(20, Math.floor(idle / 100)));
    }
  });

  test("keeps as many keys as it may and no more, and of those in use none is forgotten before half as many others came", () => {
    const keys = 1_000;
    const limiter = new RateLimiter({ perSecond: 1, burst: 1 }, keys);
    let most = 0;
    limiter.take("steady", 0);
    for (let key = 0; key < 10 * keys; key++) {
      limiter.take(`${key}`, 0);
      most = Math.max(most, limiter.size);
      if (key % (keys / 2 - 1) === 0) expect(limiter.take("steady", 0)).toBe(1);
    }
    expect(most).toBe(keys);
  });

  test(`${LIMITS.rateKeys} keys are kept by default`, () => {
    const limiter = new RateLimiter({ perSecond: 1, burst: 1 });
    for (let key = 0; key < LIMITS.rateKeys; key++) limiter.take(`${key}`, 0);
    expect(limiter.size).toBe(LIMITS.rateKeys);
    expect(limiter.take("0", 0)).toBe(1);
    limiter.take("one more", 0);
    expect(limiter.size).toBeLessThanOrEqual(LIMITS.rateKeys);
  });

  test("uses a clock of its own where none is given", () => {
    const limiter = new RateLimiter({ perSecond: 1, burst: 2 });
    expect([limiter.take("key"), limiter.take("key")]).toEqual([0, 0]);
  });
});

describe("an address stands for", () => {
  test.each([
    ["203.0.113.7", "203.0.113.7"],
    ["::ffff:203.0.113.7", "203.0.113.7"],
    ["::FFFF:cb00:7107", "203.0.113.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:DB8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["2001:db8:1:3::", "2001:db8:1:3::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["", "unknown"],
    ["localhost", "unknown"],
    ["1:".repeat(40), "unknown"],
  ])("%j: %s", (ip, key) => {
    expect(addressKey(ip)).toBe(key);
  });
});
