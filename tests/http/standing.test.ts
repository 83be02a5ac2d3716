import { afterEach, expect, test, vi } from "vitest";
import { AppError } from "../../src/errors.ts";
import { Standing } from "../../src/http/standing.ts";
import { LIMITS } from "../../src/limits.ts";
import { News } from "../../src/news.ts";
import { memoryStore } from "../domain/support.ts";

afterEach(() => {
  vi.useRealTimers();
});

test("who cannot be judged, since the store is away for a moment, is judged again soon, though nobody tells of a change", async () => {
  vi.useFakeTimers();
  const verdicts = [new AppError("store_unavailable"), new AppError("store_unavailable"), new AppError("unauthorized")];
  const admitAgain = vi.fn(async () => {
    throw verdicts.shift();
  });
  const end = vi.fn();
  new Standing(new News(memoryStore()), () => Date.now()).hold({ credential: "a token", admitAgain }, end);
  await vi.advanceTimersByTimeAsync(2 * LIMITS.watchRetryMs - 1);
  expect([admitAgain.mock.calls.length, end.mock.calls.length]).toEqual([2, 0]);
  await vi.advanceTimersByTimeAsync(1);
  expect([admitAgain.mock.calls.length, end.mock.calls.length]).toEqual([3, 1]);
});

test("nobody is judged who has left", async () => {
  vi.useFakeTimers();
  const admitAgain = vi.fn(async () => {
    throw new AppError("store_unavailable");
  });
  const standing = new Standing(new News(memoryStore()), () => Date.now());
  const leave = standing.hold({ credential: "a token", admitAgain }, () => {});
  leave();
  await vi.advanceTimersByTimeAsync(2 * LIMITS.waitMs);
  expect(admitAgain).toHaveBeenCalledTimes(1);
});
