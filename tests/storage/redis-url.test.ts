import { describe, expect, it } from "vitest";
import { AppError } from "../../src/errors.ts";
import { LIMITS } from "../../src/limits.ts";
import { slotOf } from "../../src/storage/redis-cluster.ts";
import { redisTarget } from "../../src/storage/redis-url.ts";

describe("STORE_URL for Redis", () => {
  it("names a server, a user, a password and a database", () => {
    expect(redisTarget("redis://anna:p%40ss:word@redis.example:6380/3")).toEqual({
      addresses: [{ host: "redis.example", port: 6380 }],
      cluster: false,
      tls: false,
      username: "anna",
      password: "p@ss:word",
      database: 3,
      replyMs: LIMITS.storeReplyMs,
    });
  });

  it.each([
    ["redis://localhost", { addresses: [{ host: "localhost", port: 6379 }], tls: false, cluster: false }],
    ["rediss://[::1]:7000", { addresses: [{ host: "::1", port: 7000 }], tls: true, cluster: false }],
    ["redis://:secret@h", { username: undefined, password: "secret", database: 0 }],
    [
      "redis+cluster://a:1,b,[::1]:3",
      {
        addresses: [
          { host: "a", port: 1 },
          { host: "b", port: 6379 },
          { host: "::1", port: 3 },
        ],
        tls: false,
        cluster: true,
      },
    ],
    ["rediss+cluster://u:p@a:1/0", { username: "u", password: "p", tls: true, cluster: true }],
  ])("may be written as %s", (url, expected) => {
    expect(redisTarget(url)).toMatchObject(expected);
  });

  it.each([
    ["no host", "redis://"],
    ["a port that is none", "redis://secret-user:hidden@host:99999"],
    ["several servers and no cluster", "redis://secret-user:hidden@a:1,b:2"],
    ["a database of a cluster", "redis+cluster://secret-user:hidden@a:1/2"],
    ["options", "redis://secret-user:hidden@a:1/0?db=1"],
    ["a password that is not percent-encoded", "redis://secret-user:%hidden@a:1"],
    ["a database that is no number", "redis://secret-user:hidden@a:1/main"],
  ])("with %s is refused, with how to write it, and its password is not repeated", (_, url) => {
    try {
      redisTarget(url);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(AppError);
      expect(error).toMatchObject({ code: "invalid_request", fix: expect.stringContaining("redis://user:password@host:6379/0") });
      expect((error as AppError).message).not.toContain("hidden");
    }
  });
});

describe("the slot of a partition", () => {
  it.each([
    ["123456789", 0x31c3],
    ["", 0],
    ["foo", 12182],
    ["_system", 2637],
  ])("%j is that of the Redis Cluster specification", (tag, slot) => {
    expect(slotOf(tag)).toBe(slot % 16_384);
  });
});
