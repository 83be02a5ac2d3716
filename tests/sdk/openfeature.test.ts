import { type EvaluationContext, type Hook, OpenFeature, ProviderEvents } from "@openfeature/server-sdk";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { createClient } from "../../src/sdk/index.ts";
import { EnvironmentManagerProvider } from "../../src/sdk/openfeature.ts";
import { Engine, useEngine } from "../support/engine.ts";
import { connected, deadUrl, Relay, streaming } from "./support.ts";

const TOKEN = "root-token-of-the-openfeature-tests";
const engine = useEngine({ token: TOKEN });
const client = () => createClient({ url: engine.url, token: TOKEN });

afterEach(() => OpenFeature.close());

const FLAGS = {
  "new-checkout": true,
  banner: {
    state: "ENABLED",
    variants: { plain: "hello", pro: "hello, pro" },
    defaultVariant: "plain",
    targeting: { if: [{ "==": [{ var: "plan" }, "pro"] }, "pro"] },
    metadata: { owner: "growth", since: 3 },
  },
  rate: { state: "ENABLED", variants: { half: 0.5 }, defaultVariant: "half" },
  limits: { state: "ENABLED", variants: { small: { max: 1 } }, defaultVariant: "small" },
  off: { state: "DISABLED", variants: { on: true }, defaultVariant: "on" },
  launch: {
    state: "ENABLED",
    variants: { yes: true, no: false },
    defaultVariant: "no",
    targeting: { if: [{ ">=": [{ var: "at" }, "2026-01-01T00:00:00.000Z"] }, "yes"] },
  },
} as const;

async function environment(project: string) {
  await client().createEnvironment({ project_id: project, new_environment: "dev" });
  await client().patchConfig({ project, env: "dev", flags: FLAGS });
  return { url: engine.url, token: TOKEN, project, env: "dev" };
}

/** Resolves with the next event of OpenFeature's own. */
function heard(event: ProviderEvents): Promise<unknown> {
  return new Promise((resolve) => {
    const handler = (details?: unknown) => {
      OpenFeature.removeHandler(event, handler);
      resolve(details);
    };
    OpenFeature.addHandler(event, handler);
  });
}

describe("OpenFeature's server SDK", () => {
  test("evaluates every type, with variant, reason and metadata", async () => {
    await OpenFeature.setProviderAndWait(new EnvironmentManagerProvider(await environment("of-types")));
    const flags = OpenFeature.getClient();
    expect(await flags.getBooleanDetails("new-checkout", false)).toMatchObject({ value: true, reason: "STATIC", variant: "on" });
    expect(await flags.getStringDetails("banner", "", { plan: "pro" })).toMatchObject({
      value: "hello, pro",
      variant: "pro",
      reason: "TARGETING_MATCH",
      flagMetadata: { owner: "growth", since: 3 },
    });
    expect(await flags.getStringDetails("banner", "")).toMatchObject({ value: "hello", reason: "DEFAULT" });
    expect(await flags.getNumberValue("rate", 0)).toBe(0.5);
    expect(await flags.getObjectValue("limits", {})).toEqual({ max: 1 });
    expect(await flags.getBooleanValue("launch", false, { at: new Date("2026-06-01") })).toBe(true);
    expect(await flags.getBooleanValue("launch", false, { at: new Date("2025-06-01") })).toBe(false);
  });

  test("says once that it is ready, also where it has but what was kept", async () => {
    const at = await environment("of-once");
    const kept = new Map<string, string>();
    const store = { read: async () => kept.get("copy") ?? null, write: async (text: string) => void kept.set("copy", text) };
    const first = await connected({ ...at, persist: { store } }).ready();
    await first.kept();
    first.close();
    const told: string[] = [];
    const events = [ProviderEvents.Ready, ProviderEvents.Stale, ProviderEvents.Error] as const;
    const handlers = events.map((event) => [event, () => void told.push(event)] as const);
    for (const [event, handler] of handlers) OpenFeature.addHandler(event, handler);
    onTestFinished(() => {
      for (const [event, handler] of handlers) OpenFeature.removeHandler(event, handler);
    });
    // Who listens is told at once of what the provider before is.
    told.length = 0;
    await OpenFeature.setProviderAndWait(new EnvironmentManagerProvider(at));
    expect(told).toEqual([ProviderEvents.Ready]);
    const stale = heard(ProviderEvents.Stale);
    const away = { ...at, url: engine.url, fetch: () => Promise.reject(new Error("nobody there")) };
    await OpenFeature.setProviderAndWait(new EnvironmentManagerProvider({ ...away, persist: { store } }));
    await stale;
    expect(told).toEqual([ProviderEvents.Ready, ProviderEvents.Ready, ProviderEvents.Stale]);
  });

  test("gives values that the application may change, and nobody else sees that", async () => {
    await OpenFeature.setProviderAndWait(new EnvironmentManagerProvider(await environment("of-own")));
    const flags = OpenFeature.getClient();
    const value = await flags.getObjectValue<{ max: number }>("limits", { max: 0 });
    value.max = 99;
    expect(await flags.getObjectValue("limits", {})).toEqual({ max: 1 });
  });

  test("has the application's own value, and why, where there is none", async () => {
    await OpenFeature.setProviderAndWait(new EnvironmentManagerProvider(await environment("of-errors")));
    const flags = OpenFeature.getClient();
    expect(await flags.getBooleanDetails("nowhere", true)).toMatchObject({ value: true, reason: "ERROR", errorCode: "FLAG_NOT_FOUND" });
    expect(await flags.getBooleanDetails("banner", true)).toMatchObject({ value: true, reason: "ERROR", errorCode: "TYPE_MISMATCH" });
    expect(await flags.getObjectDetails("rate", { a: 1 })).toMatchObject({ value: { a: 1 }, errorCode: "TYPE_MISMATCH" });
    expect(await flags.getBooleanDetails("off", false)).toMatchObject({ value: false, reason: "DISABLED" });
    const unusable = { targetingKey: 7 } as unknown as EvaluationContext;
    expect(await flags.getBooleanDetails("new-checkout", false, unusable)).toMatchObject({ value: false, errorCode: "INVALID_CONTEXT" });
  });

  test("says which flags changed, and nothing where none did", async () => {
    await OpenFeature.setProviderAndWait(new EnvironmentManagerProvider(await environment("of-changes")));
    const changed = heard(ProviderEvents.ConfigurationChanged);
    await client().patchConfig({ project: "of-changes", env: "dev", vars: { A: "1" } });
    await client().patchConfig({ project: "of-changes", env: "dev", flags: { "new-checkout": false }, unset: ["flags/rate"] });
    expect(await changed).toMatchObject({ flagsChanged: ["new-checkout", "rate"] });
    expect(await OpenFeature.getClient().getBooleanValue("new-checkout", true)).toBe(false);
  });

  test("runs the provider's hooks beside the application's", async () => {
    const calls: string[] = [];
    const hook = (name: string): Hook => ({
      before: () => void calls.push(`${name} before`),
      after: (_context, { variant }) => void calls.push(`${name} after ${variant}`),
      error: () => void calls.push(`${name} error`),
      finally: () => void calls.push(`${name} finally`),
    });
    await OpenFeature.setProviderAndWait(new EnvironmentManagerProvider(await environment("of-hooks"), { hooks: [hook("provider")] }));
    const flags = OpenFeature.getClient();
    await flags.getBooleanValue("new-checkout", false, {}, { hooks: [hook("call")] });
    expect(calls).toEqual(["call before", "provider before", "provider after on", "call after on", "provider finally", "call finally"]);
    calls.length = 0;
    await flags.getBooleanValue("nowhere", false);
    expect(calls).toEqual(["provider before", "provider error", "provider finally"]);
  });

  test("is told that it is stale while the engine is away, and ready when it is back", async () => {
    const own = await new Engine({ token: TOKEN }).start();
    try {
      await createClient({ url: own.url, token: TOKEN }).createEnvironment({ project_id: "of-away", new_environment: "dev" });
      const relay = await Relay.to(own.url);
      const connection = connected({ url: relay.url, token: TOKEN, project: "of-away", env: "dev" });
      await OpenFeature.setProviderAndWait(new EnvironmentManagerProvider(connection));
      await streaming(connection);
      const stale = heard(ProviderEvents.Stale);
      await own.kill9();
      await stale;
      expect(OpenFeature.getClient().providerStatus).toBe("STALE");
      await own.start();
      const ready = heard(ProviderEvents.Ready);
      relay.lead(own.url);
      await ready;
      expect(OpenFeature.getClient().providerStatus).toBe("READY");
      await OpenFeature.close();
      expect(connection.status.state).toBe("current");
    } finally {
      await own.dispose();
    }
  });

  test("is told of an error where there is nothing at the start, and ready when the engine comes", async () => {
    const at = await environment("of-late");
    const relay = await Relay.to(await deadUrl());
    const provider = new EnvironmentManagerProvider({ ...at, url: relay.url, readyTimeoutMs: 200 });
    await expect(OpenFeature.setProviderAndWait(provider)).rejects.toThrow(/Nothing came from the engine/);
    expect(await OpenFeature.getClient().getBooleanDetails("new-checkout", false)).toMatchObject({ value: false, reason: "ERROR" });
    const ready = heard(ProviderEvents.Ready);
    relay.lead(engine.url);
    await ready;
    expect(await OpenFeature.getClient().getBooleanValue("new-checkout", false)).toBe(true);
  });

  test("is told that it is over where the token is not one", async () => {
    const at = await environment("of-token");
    const provider = new EnvironmentManagerProvider({ ...at, token: "envm_0000000000000000_nothing" });
    await expect(OpenFeature.setProviderAndWait(provider)).rejects.toThrow();
    expect(OpenFeature.getClient().providerStatus).toBe("FATAL");
  });
});
