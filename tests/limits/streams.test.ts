import { once } from "node:events";
import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import { holdStream, Streams } from "../../src/http/streams.ts";
import { LIMITS } from "../../src/limits.ts";

function refusal(open: () => unknown): AppError {
  try {
    open();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error("It was not refused.");
}

describe("streams", () => {
  test("of one token: as many as it may have and not one more, until one of them ends", () => {
    const streams = new Streams();
    const closes = Array.from({ length: LIMITS.streamsPerToken }, () => streams.open("ann"));
    const { code, message, fix } = refusal(() => streams.open("ann"));
    expect([code, message, fix]).toEqual(["too_many_requests", expect.stringContaining("100 streams"), expect.stringMatching(/\S/)]);
    expect(() => streams.open("ben")).not.toThrow();
    closes[7]!();
    expect(() => streams.open("ann")).not.toThrow();
    expect(refusal(() => streams.open("ann")).code).toBe("too_many_requests");
  });

  test("are over with their reply, also where its reader was gone before they began", async () => {
    const streams = new Streams();
    const [here, gone] = [new PassThrough(), new PassThrough()];
    gone.destroy();
    await once(gone, "close");
    for (const reply of [here, gone]) holdStream(reply, streams.open("ann"));
    expect(streams.size).toBe(1);
    here.destroy();
    await once(here, "close");
    expect(streams.size).toBe(0);
  });

  test("of all tokens: as many as there may be and not one more, until one of them ends", () => {
    const streams = new Streams();
    const closes = Array.from({ length: LIMITS.streams }, (_, index) => streams.open(`token ${index % 1_000}`));
    const { code, message, fix } = refusal(() => streams.open("late"));
    expect([code, message, fix]).toEqual(["too_many_requests", expect.stringContaining("10000 streams"), expect.stringMatching(/\S/)]);
    closes[0]!();
    expect(() => streams.open("late")).not.toThrow();
    expect(streams.size).toBe(LIMITS.streams);
  });

  test("that end twice count once, and what was refused counts not at all", () => {
    const streams = new Streams({ streams: 3, streamsPerToken: 2 });
    const [first] = [streams.open("ann"), streams.open("ann")];
    refusal(() => streams.open("ann"));
    first();
    first();
    expect(streams.size).toBe(1);
    streams.open("ann");
    refusal(() => streams.open("ann"));
    streams.open("ben");
    refusal(() => streams.open("cleo"));
    expect(streams.size).toBe(3);
  });

  test("leave nothing behind", () => {
    const streams = new Streams();
    const closes = Array.from({ length: 500 }, (_, index) => streams.open(`token ${index % 50}`));
    for (const close of closes) close();
    expect(streams.size).toBe(0);
    expect(Array.from({ length: LIMITS.streamsPerToken }, () => streams.open("token 7"))).toHaveLength(LIMITS.streamsPerToken);
  });
});
