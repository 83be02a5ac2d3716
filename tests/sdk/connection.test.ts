import { describe, expect, test, vi } from "vitest";
import { createClient, type EnvmError, type Fetch } from "../../src/sdk/index.ts";
import { Engine, useEngine } from "../support/engine.ts";
import { connected, deadUrl, failure, next, Relay, reached, streaming } from "./support.ts";

const TOKEN = "root-token-of-the-connection-tests";
const engine = useEngine({ token: TOKEN });
const client = () => createClient({ url: engine.url, token: TOKEN });

/** An environment of its own, with a var that says its revision. */
async function environment(project: string, env = "dev") {
  await client().createEnvironment({ project_id: project, new_environment: env, env_variables: { N: "1" } });
  return { url: engine.url, token: TOKEN, project, env };
}

const place = ({ project, env }: { readonly project: string; readonly env: string }) => ({ project, env });

const set = (project: string, n: number, env = "dev") => client().patchConfig({ project, env, vars: { N: String(n) } });

describe("what is read", () => {
  test("is vars and flags of one revision, in process", async () => {
    const at = await environment("reads");
    await client().patchConfig({
      ...place(at),
      vars: { API_URL: "https://a" },
      secrets: { API_KEY: "s3cret-of-reads" },
      flags: {
        "new-checkout": true,
        banner: {
          state: "ENABLED",
          variants: { a: "hello", b: "goodbye" },
          defaultVariant: "a",
          targeting: { if: [{ "==": [{ var: "plan" }, "pro"] }, "b"] },
        },
        limits: { state: "ENABLED", variants: { small: { max: 1 } }, defaultVariant: "small" },
        off: { state: "DISABLED", variants: { on: true }, defaultVariant: "on" },
      },
    });
    const env = await connected(at).ready();
    expect(env.status).toMatchObject({ state: "current", source: "engine", revision: 2, error: null });
    expect(env.vars).toEqual({ N: "1", API_URL: "https://a" });
    expect(env.var("API_URL")).toBe("https://a");
    expect(env.var("toString")).toBeUndefined();
    expect(env.copy.secretNames).toEqual(["API_KEY"]);
    expect(env.secret("API_KEY")).toBeUndefined();
    expect(env.value("new-checkout", false)).toBe(true);
    expect(env.value("banner", "")).toBe("hello");
    expect(env.value("banner", "", { plan: "pro" })).toBe("goodbye");
    expect(env.value("banner", 3)).toBe(3);
    expect(env.value("limits", { max: 0 })).toEqual({ max: 1 });
    expect(env.value("off", false)).toBe(false);
    expect(env.value("no-such-flag", "fallback")).toBe("fallback");
    expect(env.evaluate("banner", { plan: "pro" })).toMatchObject({ value: "goodbye", variant: "b", reason: "TARGETING_MATCH" });
    expect(env.evaluate("no-such-flag")).toMatchObject({ errorCode: "FLAG_NOT_FOUND" });
    expect(
      env
        .evaluateAll()
        .map(({ key }) => key)
        .sort(),
    ).toEqual(["banner", "limits", "new-checkout", "off"]);
    expect(() => Object.assign(env.vars, { N: "2" })).toThrow();
  });

  test("is the same for all parts of a program: none can change it for the others", async () => {
    const at = await environment("frozen");
    const limits = { state: "ENABLED", variants: { small: { max: 1, of: ["a"] } }, defaultVariant: "small" };
    await client().patchConfig({ ...place(at), flags: { limits } });
    const env = await connected(at).ready();
    const value = env.value("limits", { max: 0, of: [""] });
    expect(() => Object.assign(value, { max: 99 })).toThrow();
    expect(() => value.of.push("b")).toThrow();
    expect(() => Object.assign(env.copy.flags, { limits: false })).toThrow();
    expect(env.value("limits", { max: 0 })).toEqual({ max: 1, of: ["a"] });
  });

  test("holds what the platform has for keys that the environment does not bind, as whoever evaluates for it says", async () => {
    const at = await environment("defaults");
    const requires = {
      "requires/new-ui": { kind: "flag", default: true },
      "requires/old-ui": { kind: "flag", default: true },
      "requires/TIMEOUT": { kind: "var", default: 30 },
      "requires/N": { kind: "var", default: "0" },
    };
    await client().patchConfig({ ...place(at), flags: { "old-ui": false } });
    const env = await connected(at).ready();
    const changed = next(env, "changed");
    await client().patchState({ ...place(at), set: requires });
    expect(await changed).toMatchObject({ vars: ["TIMEOUT"], flags: ["new-ui"] });
    const { vars, flag_values: values } = await client().getRuntime(place(at));
    expect(env.vars).toEqual(vars);
    expect(env.vars).toEqual({ N: "1", TIMEOUT: "30" });
    const { flags } = await client().evaluateFlags({ project_id: at.project, env: at.env, context: {} });
    expect(env.evaluateAll({})).toEqual(flags);
    expect({ "new-ui": env.value("new-ui", false), "old-ui": env.value("old-ui", true) }).toEqual(values);
    const { vars: bound, flags: defined, defaults } = await client().getConfig(place(at));
    expect([Object.keys(bound), Object.keys(defined)]).toEqual([["N"], ["old-ui"]]);
    expect(defaults).toMatchObject({ vars: { TIMEOUT: "30" }, flags: { "new-ui": { state: "ENABLED", defaultVariant: "on" } } });
  });

  test("evaluates what flags share as the engine does, and says which flags a shared rule changes", async () => {
    const at = await environment("shared");
    const targeting = { if: [{ $ref: "staff" }, "on"] };
    const flag = { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "off" } as const;
    const staff = (domain: string) => ({ ends_with: [{ var: "email" }, domain] });
    await client().patchConfig({
      ...place(at),
      flags: { internal: { ...flag, targeting }, plain: flag },
      evaluators: { staff: staff("@a.example") },
      flag_metadata: { owner: "growth" },
    });
    const env = await connected(at).ready();
    expect(env.value("internal", false, { email: "ada@a.example" })).toBe(true);
    expect(env.evaluate("plain")).toMatchObject({ metadata: { owner: "growth" } });
    const changed = next(env, "changed");
    await client().patchConfig({ ...place(at), evaluators: { staff: staff("@b.example") } });
    expect((await changed).flags).toEqual(["internal"]);
    expect(env.value("internal", true, { email: "ada@a.example" })).toBe(false);
    const all = next(env, "changed");
    await client().patchConfig({ ...place(at), flag_metadata: { owner: "platform" } });
    expect((await all).flags).toEqual(["internal", "plain"]);
  });

  test("has secret values where they are asked for, and says which were replaced", async () => {
    const at = await environment("with-secrets");
    await client().patchConfig({ ...place(at), secrets: { API_KEY: "first-s3cret" } });
    const env = await connected({ ...at, secrets: true }).ready();
    expect(env.secret("API_KEY")).toBe("first-s3cret");
    const changed = next(env, "changed");
    await client().patchConfig({ ...place(at), secrets: { API_KEY: "second-s3cret" } });
    expect(await changed).toMatchObject({ secrets: ["API_KEY"], vars: [], flags: [] });
    expect(env.secret("API_KEY")).toBe("second-s3cret");
  });

  test("follows the head, and says by name what changed", async () => {
    const at = await environment("follows");
    const changes: unknown[] = [];
    const env = await connected({ ...at, onChange: (change) => changes.push(change) }).ready();
    await client().patchConfig({ ...place(at), vars: { A: "1", B: "1" }, flags: { f: true }, unset: ["vars/N"] });
    await reached(env, 2);
    await client().patchState({ ...place(at), set: { "flows/a": {} } });
    await reached(env, 3);
    expect(changes).toMatchObject([
      { previous: 1, revision: 2, vars: ["A", "B", "N"], secrets: [], flags: ["f"] },
      { previous: 2, revision: 3, vars: [], secrets: [], flags: [] },
    ]);
    await streaming(env);
  });

  test("never goes backwards through 200 rapid changes, and ends with the last", async () => {
    const at = await environment("rapid");
    const seen: number[] = [];
    const mixed: string[] = [];
    const env = await connected(at).ready();
    env.on("changed", ({ revision }) => {
      seen.push(revision);
      if (env.var("N") !== String(revision)) mixed.push(`${revision}: ${env.var("N")}`);
    });
    for (let n = 2; n <= 201; n++) await set("rapid", n);
    await reached(env, 201);
    expect(env.vars).toEqual({ N: "201" });
    expect(seen).toEqual([...seen].sort((left, right) => left - right));
    expect(new Set(seen).size).toBe(seen.length);
    expect(mixed).toEqual([]);
  });
});

describe("while the engine is away", () => {
  test("kill -9 in the middle: stale and still read, current again after the restart, and nothing missed", async () => {
    const own = await new Engine({ token: TOKEN }).start();
    try {
      const relay = await Relay.to(own.url);
      const direct = () => createClient({ url: own.url, token: TOKEN });
      await direct().createEnvironment({ project_id: "killed", new_environment: "dev", env_variables: { N: "1" } });
      const env = await connected({ url: relay.url, token: TOKEN, project: "killed", env: "dev" }).ready();
      await streaming(env);
      const before = Date.now();
      const stale = next(env, "stale");
      await own.kill9();
      const told = await stale;
      expect(told).toMatchObject({ state: "stale", revision: 1 });
      expect(told.error?.code).toBe("connection_failed");
      expect(told.since?.getTime()).toBeLessThanOrEqual(Date.now());
      expect(told.since?.getTime()).toBeGreaterThan(before - 60_000);
      expect(env.vars).toEqual({ N: "1" });
      const current = next(env, "current");
      await own.start();
      // It changes before the connection is back: what happened meanwhile must not be missed.
      await direct().patchConfig({ project: "killed", env: "dev", vars: { N: "2" } });
      relay.lead(own.url);
      await current;
      await reached(env, 2);
      expect(env.vars).toEqual({ N: "2" });
      expect(env.status).toMatchObject({ state: "current", error: null, source: "engine" });
    } finally {
      await own.dispose();
    }
  });

  test("a connection that is cut is made again, and what changed meanwhile is read", async () => {
    const at = await environment("cut");
    const relay = await Relay.to(engine.url);
    const env = await connected({ ...at, url: relay.url }).ready();
    await streaming(env);
    const cut = next(env, "updates", ({ updates }) => updates === null);
    relay.cut();
    await cut;
    await set("cut", 2);
    await streaming(env);
    expect(env.vars).toEqual({ N: "2" });
    expect(env.status.state).toBe("current");
  });

  test("a connection that carries nothing any more is given up, and made again", async () => {
    const at = await environment("silent");
    const relay = await Relay.to(engine.url);
    const env = await connected({ ...at, url: relay.url, silenceMs: 1_500, timeoutMs: 1_500 }).ready();
    await streaming(env);
    const stale = next(env, "stale", ({ error }) => error?.code === "timeout");
    relay.silence();
    await set("silent", 2);
    await stale;
    await reached(env, 2);
    expect(env.vars).toEqual({ N: "2" });
  });

  test("at the start, without a kept copy: ready says why after its time, and comes when the engine does", async () => {
    const at = await environment("late");
    const relay = await Relay.to(await deadUrl());
    const env = connected({ ...at, url: relay.url, readyTimeoutMs: 300 });
    expect(await failure(env.ready())).toMatchObject({ code: "timeout", details: { code: "connection_failed" } });
    expect(() => env.vars).toThrow(/ended without an answer/);
    expect(env.value("any", "fallback")).toBe("fallback");
    const ready = next(env, "ready");
    relay.lead(engine.url);
    await ready;
    expect(env.vars).toEqual({ N: "1" });
    expect(await env.ready()).toBe(env);
  });

  test("whoever has all the time in the world waits", async () => {
    const at = await environment("patient");
    const relay = await Relay.to(await deadUrl());
    const forever = Number.POSITIVE_INFINITY;
    const env = connected({ ...at, url: relay.url, readyTimeoutMs: forever, silenceMs: forever });
    const ready = env.ready();
    relay.lead(engine.url);
    expect((await ready).status).toMatchObject({ state: "current", revision: 1 });
    await streaming(env);
    await set("patient", 2);
    await reached(env, 2);
  });
});

describe("where no stream can be had", () => {
  test("it is read now and then", async () => {
    const at = await environment("polled");
    const env = await connected({ ...at, stream: false, pollMs: 50 }).ready();
    await set("polled", 2);
    await reached(env, 2);
    expect(env.status).toMatchObject({ state: "current", updates: "polling" });
  });

  test("behind a proxy that packs answers, and changes their tags: what is known is not told as new, nor revealed again", async () => {
    const at = await environment("packed");
    let reads = 0;
    let reveals = 0;
    const packed: Fetch = async (url, init) => {
      const response = await fetch(url, init);
      if (url.includes("/runtime")) reveals++;
      if (url.endsWith("/config")) reads++;
      const headers = new Headers(response.headers);
      const tag = headers.get("etag");
      if (tag !== null) headers.set("etag", tag.replace(/"$/, '-gzip"'));
      return new Response(response.body, { status: response.status, headers });
    };
    const told: number[] = [];
    const env = connected({
      ...at,
      fetch: packed,
      stream: false,
      pollMs: 20,
      secrets: true,
      onChange: ({ revision }) => told.push(revision),
    });
    await env.ready();
    await vi.waitFor(() => expect(reads).toBeGreaterThan(5));
    await set("packed", 2);
    await reached(env, 2);
    expect(told).toEqual([2]);
    expect(reveals).toBe(2);
    expect(env.status.state).toBe("current");
  });

  test("behind one that takes them away, neither is told as new", async () => {
    const at = await environment("untagged");
    let reads = 0;
    const untagged: Fetch = async (url, init) => {
      const response = await fetch(url, init);
      reads++;
      const headers = new Headers(response.headers);
      headers.delete("etag");
      return new Response(response.body, { status: response.status, headers });
    };
    const told: number[] = [];
    const env = connected({ ...at, fetch: untagged, stream: false, pollMs: 20, onChange: ({ revision }) => told.push(revision) });
    await env.ready();
    await vi.waitFor(() => expect(reads).toBeGreaterThan(5));
    await set("untagged", 2);
    await reached(env, 2);
    expect(told).toEqual([2]);
  });
});

describe("what ends no connection:", () => {
  test("a host that is not allowed for a while, by a proxy or an engine that was set up wrong", async () => {
    const at = await environment("hosts");
    const refusal = { status: "error", code: "host_not_allowed", reason: "The Host header names no host of this engine." };
    let isAllowed = true;
    const through: Fetch = async (url, init) => (isAllowed ? fetch(url, init) : Response.json(refusal, { status: 403 }));
    const env = await connected({ ...at, fetch: through, stream: false, pollMs: 50 }).ready();
    await vi.waitFor(() => expect(env.status.updates).toBe("polling"));
    const stale = next(env, "stale");
    isAllowed = false;
    expect(await stale).toMatchObject({ error: { code: "host_not_allowed" }, updates: null });
    const current = next(env, "current");
    isAllowed = true;
    await current;
  });

  test("a token that has ended, where a function finds the next one", async () => {
    const at = await environment("renewed");
    const [first, second] = await Promise.all(
      ["first", "second"].map((name) => client().createToken({ name, role: "reader", projects: ["renewed"] })),
    );
    let token = first?.token ?? "";
    const env = await connected({ ...at, token: () => token }).ready();
    await streaming(env);
    const stale = next(env, "stale");
    await client().revokeToken({ id: first?.id ?? "" });
    expect((await stale).error?.code).toBe("unauthorized");
    const current = next(env, "current");
    token = second?.token ?? "";
    await current;
    await set("renewed", 2);
    await reached(env, 2);
  });

  test("one that no function finds any better at the start: what was kept is not used, and why is told in time", async () => {
    const at = await environment("never-valid");
    const kept = new Map<string, string>();
    const persist = {
      key: "a key of its own",
      store: { read: async () => kept.get("copy") ?? null, write: async (text: string) => void kept.set("copy", text) },
    };
    const first = await connected({ ...at, persist }).ready();
    await first.kept();
    const env = connected({ ...at, persist, token: () => "envm_0000000000000000_nothing", readyTimeoutMs: 500 });
    expect(await failure(env.ready())).toMatchObject({ code: "timeout", details: { code: "unauthorized" } });
    expect(env.status).toMatchObject({ state: "connecting", revision: null });
  });
});

describe("what ends a connection:", () => {
  const closed = async (end: () => Promise<unknown>, at: { project: string; token: string; url: string; env: string }) => {
    const env = await connected(at).ready();
    const told = next(env, "closed");
    await end();
    const { error, state } = await told;
    return { env, code: (error as EnvmError).code, state };
  };

  test("a revoked token", async () => {
    const at = await environment("revoked");
    const { id, token } = await client().createToken({ name: "app", role: "reader", projects: ["revoked"] });
    const { env, code, state } = await closed(() => client().revokeToken({ id }), { ...at, token });
    expect({ code, state }).toEqual({ code: "unauthorized", state: "closed" });
    expect(env.vars).toEqual({ N: "1" });
  });

  test("an environment that is archived", async () => {
    const at = await environment("archived");
    const { code } = await closed(() => client().archiveEnvironment({ project_id: "archived", env: "dev" }), at);
    expect(code).toBe("environment_archived");
  });

  test("a preview whose end has come", async () => {
    const project_id = "expired";
    await client().createEnvironment({ project_id, new_environment: "main" });
    await client().createEnvironment({ project_id, new_environment: "pr-1", base_from: "main", type: "preview" });
    const end = () => client().extendEnvironment({ project_id, env: "pr-1", expires_in: "1s" });
    const { code } = await closed(end, { url: engine.url, token: TOKEN, project: project_id, env: "pr-1" });
    expect(code).toBe("environment_expired");
  });

  test.each([
    ["a token that is not one", { token: "envm_0000000000000000_nothing" }, "unauthorized"],
    ["an environment that there is not", { env: "nowhere" }, "environment_not_found"],
  ])("%s, at the start", async (_what, other, code) => {
    const at = await environment(`start-${code.replaceAll("_", "-")}`);
    const env = connected({ ...at, ...other });
    const told = next(env, "closed");
    expect((await failure(env.ready())).code).toBe(code);
    expect((await told).state).toBe("closed");
  });

  test("close: nothing is asked any more, and what was read stays", async () => {
    const at = await environment("closing");
    const env = await connected(at).ready();
    const told = next(env, "closed");
    env.close();
    expect(await told).toMatchObject({ state: "closed", error: null });
    await set("closing", 2);
    env.close();
    expect(env.vars).toEqual({ N: "1" });
  });
});
