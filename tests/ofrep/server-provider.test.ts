import { OFREPProvider } from "@openfeature/ofrep-provider";
import { type Client, ErrorCode, OpenFeature } from "@openfeature/server-sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bucketOf } from "../flagd/murmur3.ts";
import { runningFlags } from "./running.ts";

/** OpenFeature's own provider for servers, as it is published, against the engine as a process. */

type Running = Awaited<ReturnType<typeof runningFlags>>;

let running: Running;
let client: Client;

beforeAll(async () => {
  running = await runningFlags();
  const headers = [["Authorization", `Bearer ${running.token}`]] as [string, string][];
  await OpenFeature.setProviderAndWait("engine", new OFREPProvider({ baseUrl: running.engine.url, headers }));
  client = OpenFeature.getClient("engine");
}, 120_000);

afterAll(async () => {
  await OpenFeature.close();
  await running.engine.dispose();
}, 120_000);

const PRO = { targetingKey: "u1", plan: "pro", email: "ann@example.com" };

describe("OpenFeature's provider for servers", () => {
  test("gets values of every type, with variant, reason and metadata", async () => {
    expect(await client.getBooleanDetails("beta", false, PRO)).toMatchObject({
      value: true,
      variant: "on",
      reason: "TARGETING_MATCH",
      flagMetadata: { flagSetId: "shop", owner: "ann" },
    });
    expect(await client.getBooleanValue("staff", false, PRO)).toBe(true);
    expect(await client.getNumberDetails("rate", 1, PRO)).toMatchObject({ value: 0.5, reason: "STATIC" });
    expect(await client.getObjectValue("limits", {}, PRO)).toEqual({ seats: 5, tags: ["x"] });
    for (const targetingKey of ["u1", "u2", "josé"]) {
      const variant = bucketOf(`headline${targetingKey}`, [
        ["a", 50],
        ["b", 50],
      ]);
      expect(await client.getStringDetails("headline", "none", { targetingKey })).toMatchObject({
        variant,
        value: variant === "a" ? "Hello" : "Hi",
      });
    }
  });

  test.each([
    ["nope", ErrorCode.FLAG_NOT_FOUND],
    ["broken", ErrorCode.GENERAL],
    ["headline", ErrorCode.TYPE_MISMATCH],
  ])("%s: the application's default, and why", async (key, errorCode) => {
    expect(await client.getBooleanDetails(key, true, PRO)).toMatchObject({ value: true, reason: "ERROR", errorCode });
  });

  test("a context that cannot be used: the application's default, and why", async () => {
    const context = { targetingKey: 5 as unknown as string };
    expect(await client.getBooleanDetails("beta", true, context)).toMatchObject({ value: true, errorCode: ErrorCode.INVALID_CONTEXT });
    const large = { targetingKey: "u1", text: "x".repeat(1_000_000) };
    expect(await client.getBooleanDetails("beta", true, large)).toMatchObject({ value: true, errorCode: ErrorCode.INVALID_CONTEXT });
  });

  test("a flag that is switched off: the application's default", async () => {
    expect((await client.getBooleanDetails("gone", true, PRO)).value).toBe(true);
  });

  test("sees a change with the next evaluation", async () => {
    expect(await client.getBooleanValue("plain", true)).toBe(true);
    await running.change({ plain: false });
    expect(await client.getBooleanValue("plain", true)).toBe(false);
  });

  test("shows its key as X-API-Key too", async () => {
    const provider = new OFREPProvider({ baseUrl: running.engine.url, headers: [["X-API-Key", running.token]] });
    await OpenFeature.setProviderAndWait("by-key", provider);
    expect(await OpenFeature.getClient("by-key").getBooleanValue("beta", false, PRO)).toBe(true);
  });
});
