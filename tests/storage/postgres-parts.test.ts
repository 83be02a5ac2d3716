import pg from "pg";
import { describe, expect, it, vi } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { PostgresClock } from "../../src/storage/postgres-clock.ts";
import { isAnswer, storeError } from "../../src/storage/postgres-errors.ts";
import { Fences } from "../../src/storage/postgres-fences.ts";

describe("the database's clock", () => {
  it("is told without asking, within half a round trip", async () => {
    const clock = new PostgresClock();
    expect(clock.isSet).toBe(false);
    await clock.measure(async () => Date.now() + 3_600_000);
    expect(clock.isSet).toBe(true);
    expect(Math.abs(clock.now() - (Date.now() + 3_600_000))).toBeLessThan(1_000);
  });

  it("goes back with the database's where that is set back by more than can be waited for", async () => {
    const clock = new PostgresClock();
    await clock.measure(async () => Date.now() + 24 * 3_600_000);
    const before = clock.now();
    await clock.measure(async () => Date.now());
    expect(before - clock.now()).toBeGreaterThan(23 * 3_600_000);
    const after = clock.now();
    expect(clock.now()).toBeGreaterThanOrEqual(after);
  });

  it("never runs backwards, though the database's is set back a little", async () => {
    const clock = new PostgresClock();
    await clock.measure(async () => Date.now() + 60_000);
    const before = clock.now();
    await clock.measure(async () => Date.now());
    expect(clock.now()).toBeGreaterThanOrEqual(before);
  });

  it("follows the database's when that is set forward, and stays where nobody can be asked", async () => {
    const clock = new PostgresClock();
    await clock.measure(async () => Date.now());
    await clock.measure(async () => Date.now() + 60_000);
    expect(clock.now() - Date.now()).toBeGreaterThan(59_000);
    await clock.measure(async () => null);
    expect(clock.now() - Date.now()).toBeGreaterThan(59_000);
  });
});

describe("what the server says of a failure", () => {
  const said = (severity: string, code: string) => Object.assign(new pg.DatabaseError("it failed", 0, "error"), { severity, code });

  it.each(["ERROR", "FEHLER", "ERREUR", "错误"])("is an answer, in whatever language: %s", (severity) => {
    expect(isAnswer(said(severity, "53100"))).toBe(true);
    expect(storeError(said(severity, "53100"), "the server")).toMatchObject({ code: "storage_full" });
    expect(isAnswer(said(severity, "57P01"))).toBe(false);
  });

  it.each(["FATAL", "PANIC", "PANIK", "?"])(
    "is none where it ends the connection: a full disk may have been too late for the commit (%s)",
    (severity) => {
      expect(isAnswer(said(severity, "53100"))).toBe(false);
      expect(storeError(said(severity, "53100"), "the server")).toMatchObject({
        code: "store_unavailable",
        fix: expect.stringContaining("space"),
      });
    },
  );
});

describe("groups in doubt", () => {
  it("are as many as there may be and not one more, until one is settled", async () => {
    let raise: (() => void) | undefined;
    const fences = new Fences(
      (ticket) =>
        new Promise<void>((resolve) => {
          if (ticket === "0") raise = resolve;
        }),
    );
    const doubts = Array.from({ length: LIMITS.doubtfulGroups }, (_, n) => {
      fences.mustHaveRoom();
      return fences.doubt(String(n), [`p${n}`]);
    });
    expect(() => fences.mustHaveRoom()).toThrow(expect.objectContaining({ code: "store_unavailable" }));
    raise?.();
    await doubts[0];
    expect(() => fences.mustHaveRoom()).not.toThrow();
  });

  it("hold up who asks about their partitions, and nobody else", async () => {
    let raise: () => void = () => {};
    const fences = new Fences(
      () =>
        new Promise<void>((resolve) => {
          raise = resolve;
        }),
    );
    const doubt = fences.doubt("a", ["p"]);
    await fences.settled(["q"]);
    let isSettled = false;
    const asking = fences.settled(["q", "p"]).then(() => {
      isSettled = true;
    });
    await fences.settled(["q"]);
    expect(isSettled).toBe(false);
    raise();
    await Promise.all([asking, doubt]);
  });

  it("are settled though nobody asks about their partitions again, those of which it can be known", async () => {
    vi.useFakeTimers();
    let isDown = true;
    const fences = new Fences(async (ticket) => {
      if (isDown || ticket === "b") throw new Error("unreachable");
    });
    const doubts = [fences.doubt("b", ["q"]), fences.doubt("a", ["p"])];
    await vi.advanceTimersByTimeAsync(LIMITS.storeDoubtMs + LIMITS.storeRetryMaxMs);
    await Promise.all(doubts);
    expect(fences.size).toBe(2);
    isDown = false;
    await fences.settleAll();
    expect(fences.size).toBe(1);
    vi.useRealTimers();
  });

  it("are tried again by who asks, and that fails where it cannot be known", async () => {
    let attempts = 0;
    const fences = new Fences(async () => {
      attempts++;
      if (attempts < 3) throw new Error("unreachable");
    });
    const doubt = fences.doubt("a", ["p"]);
    await expect(fences.settled(["p"])).rejects.toThrow("unreachable");
    await doubt;
    expect(attempts).toBe(3);
    await fences.settled(["p"]);
    expect(attempts).toBe(3);
  });
});
