import { afterEach, describe, expect, test, vi } from "vitest";
import { SharedWork } from "../../src/http/shared-work.ts";
import { LIMITS } from "../../src/limits.ts";
import { openWorld } from "../domain/support.ts";
import { serveApp } from "./support.ts";

afterEach(() => void vi.useRealTimers());

/** Work whose every run lasts until a test ends it. */
function held() {
  const runs: ((result: number) => void)[] = [];
  const work = new SharedWork(() => new Promise<number>((resolve) => runs.push(resolve)));
  return { work, runs };
}

const passed = () => new Promise((resolve) => setImmediate(resolve));

describe("work that costs much", () => {
  test("is done once for all who ask before it begins, and once more for all who ask while it goes on", async () => {
    const { work, runs } = held();
    const first = [work.ask(), work.ask(), work.ask()];
    await passed();
    expect(runs).toHaveLength(1);
    const second = [work.ask(), work.ask()];
    runs[0]?.(1);
    expect(await Promise.all(first)).toEqual([1, 1, 1]);
    await expect.poll(() => runs.length).toBe(2);
    runs[1]?.(2);
    expect(await Promise.all(second)).toEqual([2, 2]);
    expect(runs).toHaveLength(2);
  });

  test.each([
    [100, LIMITS.sharedWorkRests * 100],
    [60_000, LIMITS.sharedWorkRestMs],
  ])("where it took %i ms rests for %i ms, however often it is asked for", async (tookMs, restMs) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    const { work, runs } = held();
    const first = work.ask();
    await passed();
    vi.advanceTimersByTime(tookMs);
    runs[0]?.(1);
    await first;
    const second = work.ask();
    await passed();
    vi.advanceTimersByTime(restMs - 1);
    await passed();
    expect(runs).toHaveLength(1);
    vi.advanceTimersByTime(1);
    await passed();
    expect(runs).toHaveLength(2);
    runs[1]?.(2);
    expect(await second).toBe(2);
  });

  test("that failed is told to those who asked for it, and done anew for the next", async () => {
    let runs = 0;
    const work = new SharedWork(async () => {
      if (++runs === 1) throw new Error("the first fails");
      return runs;
    });
    const failed = [work.ask(), work.ask()];
    for (const one of failed) await expect(one).rejects.toThrow("the first fails");
    expect(await work.ask()).toBe(2);
  });
});

test("metrics are gathered once for many who ask at the same time", async () => {
  const { domain } = await openWorld();
  const looks = vi.spyOn(domain.sinks, "backlog");
  const ask = await serveApp(domain);
  const replies = await Promise.all(Array.from({ length: 50 }, () => ask("/metrics")));
  expect(replies.every(({ status }) => status === 200)).toBe(true);
  expect(looks.mock.calls.length).toBeLessThan(10);
});

test("the reference is written once, and is the same for whoever asks again", async () => {
  const ask = await serveApp((await openWorld()).domain);
  const writes = vi.spyOn(JSON, "stringify");
  const [first, second] = [await ask("/openapi.json"), await ask("/openapi.json")];
  const written = writes.mock.calls.filter(([value]) => value?.openapi !== undefined).length;
  writes.mockRestore();
  expect(written).toBe(1);
  expect([first.status, second.text === first.text, second.headers.etag]).toEqual([200, true, first.headers.etag]);
  expect(first.headers).toMatchObject({
    "content-type": "application/json; charset=utf-8",
    "content-length": String(Buffer.byteLength(first.text)),
    "cache-control": "private, no-cache",
  });
  const known = await ask({ path: "/openapi.json", headers: { "if-none-match": String(first.headers.etag) } });
  expect([known.status, known.text]).toEqual([304, ""]);
});
