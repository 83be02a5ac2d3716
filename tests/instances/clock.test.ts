import { afterEach, expect, test, vi } from "vitest";
import { StoreClock } from "../../src/store-clock.ts";
import { openAccess, READER, ROOT, refusal, serveTo } from "../access/support.ts";
import { domainOn, memoryStore, openVault, TestClock } from "../domain/support.ts";
import { ROOT_TOKEN } from "../http/support.ts";

afterEach(() => void vi.useRealTimers());

test("time is the store's, however wrong the machine's clock is, and goes on by what passes here", async () => {
  vi.useFakeTimers({ toFake: ["Date", "performance"] });
  const clock = new TestClock();
  const own = await StoreClock.open(memoryStore(clock));
  vi.setSystemTime(new Date("1999-12-31T23:59:59Z"));
  expect(own.now().getTime()).toBe(clock.time);
  vi.advanceTimersByTime(5_000);
  expect(own.now().getTime()).toBe(clock.time + 5_000);
  clock.time += 7_000;
  await own.set();
  expect(own.now().getTime()).toBe(clock.time);
});

test("a token ends by the store's time on every instance, one whose clock is an hour behind included", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  const clock = new TestClock();
  vi.setSystemTime(clock.time - 3_600_000);
  const store = memoryStore(clock);
  const own = await StoreClock.open(store);
  const { tokens } = domainOn(store, await openVault(store), [], { clock: own });
  const { token } = await tokens.create(ROOT, { ...READER, expires_in: "30m" });
  await tokens.principal(token);
  clock.time += 1_800_000;
  await own.set();
  expect(await refusal(tokens.principal(token))).toMatch(/^unauthorized: The token expired/);
});

test("a session's cookie lasts as long as the session, on an instance whose clock is a day ahead too", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  const { domain, clock } = await openAccess();
  vi.setSystemTime(clock.time + 24 * 3_600_000);
  const { as } = await serveTo(domain);
  const { status, headers } = await as(null, { method: "POST", path: "/session", body: { token: ROOT_TOKEN } });
  expect([status, headers["set-cookie"]?.[0]]).toEqual([200, expect.stringContaining("; Max-Age=43200")]);
});
