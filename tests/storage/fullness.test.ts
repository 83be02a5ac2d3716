import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { AppError } from "../../src/errors.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Change } from "../../src/ports.ts";
import { Fullness } from "../../src/storage/fullness.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

const written = (size: number): Pick<Change<string>, "puts" | "objects"> => ({
  puts: [{ key: "a", value: "x".repeat(size) }],
  objects: [],
});
const noRoom = () => Promise.reject(new AppError("storage_full", { reason: "The disk is full." }));

test("a write that was refused for want of room is remembered until one as large is taken", async () => {
  const fullness = new Fullness();
  await expect(fullness.told(written(100), noRoom())).rejects.toMatchObject({ code: "storage_full" });
  expect(await fullness.told(written(99), Promise.resolve("taken"))).toBe("taken");
  expect(fullness.reason).toBe("The disk is full.");
  await fullness.told(written(100), Promise.resolve());
  expect(fullness.reason).toBeNull();
});

test("a refusal of long ago says nothing of now", async () => {
  const fullness = new Fullness();
  await fullness.told(written(100), noRoom()).catch(() => {});
  vi.advanceTimersByTime(LIMITS.fullToldMs - 1);
  expect(fullness.reason).toBe("The disk is full.");
  vi.advanceTimersByTime(1);
  expect(fullness.reason).toBeNull();
});

test("what fails for another reason tells nothing of the room", async () => {
  const fullness = new Fullness();
  await fullness.told(written(1), Promise.reject(new AppError("store_unavailable"))).catch(() => {});
  expect(fullness.reason).toBeNull();
});
