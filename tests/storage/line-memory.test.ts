import { expect, test } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { LineMemory } from "../../src/storage/line-memory.ts";

const object = (n: number) => ({ hash: String(n).padStart(64, "0"), place: 0, base: null, bytes: new Uint8Array(1_000) });

test("objects that others may stand upon are forgotten after a while, where newer ones come", () => {
  let now = 0;
  const memory = new LineMemory(() => now);
  const known = (n: number) => memory.get("p", object(n).hash) !== undefined;
  for (let n = 0; n < 10; n++) memory.keep("p", object(n));
  now = LIMITS.cacheIdleMs;
  memory.keep("p", object(10));
  expect(known(0)).toBe(true);
  now++;
  memory.keep("p", object(11));
  expect([known(0), known(1), known(2)]).toEqual([false, false, true]);
  for (let n = 12; n < 20; n++) memory.keep("p", object(n));
  expect([known(9), known(10), known(19)]).toEqual([false, true, true]);
});

test("objects that others may stand upon are kept up to a bound, the newest of them", () => {
  const memory = new LineMemory(() => 0);
  const count = Math.ceil((2 * LIMITS.deltaBaseBytes) / 1_300);
  for (let n = 0; n < count; n++) memory.keep("p", object(n));
  const left = Array.from({ length: count }, (_, n) => memory.get("p", object(n).hash)).filter((one) => one !== undefined);
  expect(left.length * 1_300).toBeLessThanOrEqual(LIMITS.deltaBaseBytes);
  expect(left.length * 1_300).toBeGreaterThan(LIMITS.deltaBaseBytes / 2);
  expect(left.at(-1)?.hash).toBe(object(count - 1).hash);
});

test("objects that others may stand upon are kept as they were, whatever becomes of the bytes they came in", () => {
  const memory = new LineMemory(() => 0);
  const sizes = [0, 1, 1_000, 64 * 1024, 64 * 1024 + 1, 60_000, 60_000, 60_000, 60_000, 60_000, 300 * 1024, 5];
  const room = new Uint8Array(Math.max(...sizes));
  for (const [n, size] of sizes.entries()) {
    room.fill(n + 1);
    memory.keep("p", { ...object(n), bytes: room.subarray(0, size) });
  }
  room.fill(0);
  for (const [n, size] of sizes.entries()) {
    const kept = memory.get("p", object(n).hash)?.bytes;
    expect(kept?.length).toBe(size);
    expect(kept?.every((byte) => byte === n + 1)).toBe(true);
  }
});
