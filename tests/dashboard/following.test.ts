import { afterEach, expect, test, vi } from "vitest";
import { oneAtATime } from "../../web/src/live/repeat.ts";
import { follow, type News } from "../../web/src/live/stream.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("work is done one at a time: what is asked meanwhile is done once more, and what does not end is not waited for", async () => {
  const ends: (() => void)[] = [];
  let begun = () => {};
  const next = () =>
    new Promise<void>((resolve) => {
      begun = resolve;
    });
  const work = () => {
    begun();
    return new Promise<void>((resolve) => {
      ends.push(resolve);
    });
  };
  const ask = oneAtATime(work, 20);
  ask();
  ask();
  ask();
  expect(ends).toHaveLength(1);
  const second = next();
  ends[0]?.();
  await second;
  expect(ends).toHaveLength(2);
  const third = next();
  ask();
  // The second never ends.
  await third;
  expect(ends).toHaveLength(3);
});

test("a slow read may take its time: it is not begun anew because something changed", async () => {
  vi.useFakeTimers();
  let begun = 0;
  const ends: (() => void)[] = [];
  const ask = oneAtATime(() => {
    begun++;
    return new Promise<void>((resolve) => {
      ends.push(resolve);
    });
  });
  ask();
  ask();
  await vi.advanceTimersByTimeAsync(14_000);
  expect(begun).toBe(1);
  ends[0]?.();
  await vi.advanceTimersByTimeAsync(0);
  expect(begun).toBe(2);
  // Nothing is left to wake up for.
  ends[1]?.();
  await vi.advanceTimersByTimeAsync(0);
  expect(vi.getTimerCount()).toBe(0);
});

/** A browser's end of a stream: the test says what becomes of it. */
class Source {
  static readonly CLOSED = 2;
  static readonly opened: Source[] = [];
  readyState = 0;
  onopen = () => {};
  onerror = () => {};
  onmessage = () => {};

  constructor(readonly url: string) {
    Source.opened.push(this);
  }

  close(): void {
    this.readyState = Source.CLOSED;
  }

  refuse(): void {
    this.readyState = Source.CLOSED;
    this.onerror();
  }
}

test("a stream that is refused is asked for less and less often, and each time who is logged in is asked too; once it is there, all begins anew", async () => {
  vi.useFakeTimers({ now: 0 });
  vi.stubGlobal("EventSource", Source);
  const news: News[] = [];
  const leave = follow("a project", (each) => news.push(each));
  const newest = () => Source.opened.at(-1) as Source;
  expect(newest().url).toBe("/env/a%20project/watch");
  const pauses: number[] = [];
  for (let turn = 0; turn < 7; turn++) {
    const [count, at] = [Source.opened.length, Date.now()];
    newest().refuse();
    expect(news.splice(0)).toEqual([{ type: "away", since: 0, refused: true }, { type: "session" }]);
    while (Source.opened.length === count) await vi.advanceTimersByTimeAsync(1_000);
    pauses.push((Date.now() - at) / 1_000);
  }
  expect(pauses).toEqual([3, 6, 12, 24, 48, 60, 60]);

  newest().onopen();
  expect(news.splice(0)).toEqual([{ type: "live" }, { type: "session" }, { type: "changed" }]);
  const count = Source.opened.length;
  newest().refuse();
  await vi.advanceTimersByTimeAsync(3_000);
  expect(Source.opened).toHaveLength(count + 1);
  leave();
  await vi.advanceTimersByTimeAsync(120_000);
  expect(Source.opened).toHaveLength(count + 1);
});
