import { once } from "node:events";
import { connect } from "node:net";
import { pino } from "pino";
import { describe, expect, test, vi } from "vitest";
import { AppError } from "../../src/errors.ts";
import { createApp } from "../../src/http/app.ts";
import type { Caller } from "../../src/model.ts";
import { domainOf, SETTINGS, serve, serveApp } from "./support.ts";

const EMPTY_PAGE = { items: [], next_cursor: null };
const projects = () => domainOf({ environments: { projects: async () => EMPTY_PAGE } });

describe("every reply", () => {
  test("has the request's id: its own where it is well-formed, one of ours otherwise", async () => {
    const ask = await serveApp(projects());
    const idFor = async (id: string) => (await ask({ path: "/env", headers: { "x-request-id": id } })).headers["x-request-id"];
    expect(await idFor("r-1.a_B")).toBe("r-1.a_B");
    for (const bad of ["", "a b", "x".repeat(65), "ü", "<script>"]) expect(await idFor(bad)).toMatch(/^[0-9a-f-]{36}$/);
    const { body, headers } = await ask({ path: "/nothing", headers: { "x-request-id": "r-2" } });
    expect(body.request_id).toBe("r-2");
    expect(headers["x-request-id"]).toBe("r-2");
  });

  test.each(["/env", "/nothing", "/docs", "/healthz"])("has the headers that keep a browser safe: %s", async (path) => {
    const { headers } = await (await serveApp(projects()))(path);
    expect(headers).toMatchObject({ "x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "x-frame-options": "DENY" });
    expect(headers["content-security-policy"]).toMatch(/default-src 'self'/);
    expect(headers["content-security-policy"]).not.toMatch(/unsafe/);
    expect(headers["x-powered-by"]).toBeUndefined();
  });
});

describe("routing", () => {
  test.each([
    ["/nothing", 404, "route_not_found"],
    ["/assets/none.js", 404, "route_not_found"],
    ["/env/", 404, "route_not_found"],
    ["/ENV", 404, "route_not_found"],
    ["/env/p/e/x", 404, "route_not_found"],
    ["/env/%ZZ", 400, "invalid_request"],
    ["/env/%C0%AF", 400, "invalid_request"],
    ["/env?limit=0", 400, "invalid_request"],
    ["/env?limit=1&limit=2", 400, "invalid_request"],
    ["/env?unknown=1", 400, "invalid_request"],
    ["/env/p/e/revisions/zero", 400, "invalid_request"],
  ])("GET %s: %d %s", async (path, status, code) => {
    const reply = await (await serveApp(projects()))(path);
    expect({ status: reply.status, code: reply.body.code }).toEqual({ status, code });
  });

  test.each([
    ["GET", "/env/create", "POST"],
    ["DELETE", "/env/create", "POST"],
    ["POST", "/env", "GET, HEAD"],
    ["PUT", "/env/p/policy", null],
    ["DELETE", "/env/p/policy", "GET, HEAD, PUT"],
    ["POST", "/env/p/e/state", "GET, HEAD, PUT, PATCH"],
    ["OPTIONS", "/env", "GET, HEAD"],
  ])("%s %s is told that it may: %s", async (method, path, allow) => {
    const ask = await serveApp(domainOf({ policies: { replace: async () => ({ tag: "t" }) as never } }));
    const { status, headers, body } = await ask({ method, path, ...(method === "PUT" && { body: {} }) });
    if (allow === null) expect(status).toBe(200);
    else expect({ status, allow: headers.allow, code: body.code }).toEqual({ status: 405, allow, code: "method_not_allowed" });
  });

  test("a literal segment wins over a name", async () => {
    const compare = vi.fn(async () => ({}) as never);
    const view = vi.fn(async () => ({}) as never);
    const ask = await serveApp(domainOf({ comparison: { compare }, environments: { view } }));
    await ask("/env/compare?project_id=p&left=a&right=b");
    await ask("/env/p/e");
    expect(compare).toHaveBeenCalledOnce();
    expect(view).toHaveBeenCalledExactlyOnceWith("p", "e");
  });

  test("a name is decoded once, slashes and all", async () => {
    const component = vi.fn(async () => ({ tag: "t", load: async () => ({}) }) as never);
    const ask = await serveApp(domainOf({ state: { component } }));
    await ask("/env/p/e/state/flows/a%2Fb%252F%20%C3%BC?at=3");
    expect(component).toHaveBeenCalledExactlyOnceWith("p", "e", { at: 3, collection: "flows", name: "a/b%2F ü" });
  });
});

describe("reads", () => {
  const load = vi.fn(async () => ({ project_id: "p", vars: {} }));
  const config = () => domainOf({ config: { read: async () => ({ tag: "abc", load }) as never } });

  test("have a tag, and answer 304 to who has it, without loading", async () => {
    const ask = await serveApp(config());
    const { headers, body } = await ask("/env/p/e/config");
    expect(headers).toMatchObject({ etag: '"abc"', "cache-control": "private, no-cache" });
    expect(body).toEqual({ project_id: "p", vars: {} });
    load.mockClear();
    const known = await ask({ path: "/env/p/e/config", headers: { "if-none-match": '"x", W/"abc"' } });
    expect(known).toMatchObject({ status: 304, text: "", headers: { etag: '"abc"' } });
    expect(load).not.toHaveBeenCalled();
    expect(await ask({ path: "/env/p/e/config", headers: { "if-none-match": '"other"' } })).toMatchObject({ status: 200 });
  });

  test("have a tag of their bytes where the domain gives none", async () => {
    const ask = await serveApp(projects());
    const { headers } = await ask("/env");
    expect(headers.etag).toMatch(/^"[0-9a-f]{32}"$/);
    expect(await ask({ path: "/env", headers: { "if-none-match": headers.etag } })).toMatchObject({ status: 304, text: "" });
  });

  test("can be asked for their headers alone", async () => {
    const ask = await serveApp(config());
    const { text, headers } = await ask("/env/p/e/config");
    const head = await ask({ method: "HEAD", path: "/env/p/e/config" });
    expect(head).toMatchObject({ status: 200, text: "", headers: { etag: '"abc"', "content-length": String(Buffer.byteLength(text)) } });
    expect(head.headers["content-type"]).toBe(headers["content-type"]);
    expect(await ask({ method: "HEAD", path: "/nothing" })).toMatchObject({ status: 404, text: "" });
  });

  test("that reveal are neither kept nor tagged", async () => {
    const ask = await serveApp(domainOf({ config: { runtime: async () => ({}) as never, reveal: async () => ({}) as never } }));
    for (const question of ["/env/p/e/runtime", { method: "POST", path: "/env/p/e/secrets/reveal", body: {} }]) {
      const { status, headers } = await ask(question);
      expect({ status, cache: headers["cache-control"], etag: headers.etag }).toEqual({ status: 200, cache: "no-store", etag: undefined });
    }
  });
});

describe("writes", () => {
  test("pass the tags of If-Match on, and answer with the new one", async () => {
    const patch = vi.fn(async () => ({ status: "updated", tag: "new" }) as never);
    const ask = await serveApp(domainOf({ config: { patch } }));
    const send = (headers: Record<string, string>) =>
      ask({ method: "PATCH", path: "/env/p/e/config", body: { vars: { A: "1" } }, headers });
    const { headers, body } = await send({ "if-match": '"old"' });
    expect(headers).toMatchObject({ etag: '"new"', "cache-control": "no-store" });
    expect(body).toEqual({ status: "updated" });
    await send({});
    await send({ "if-match": "*" });
    expect(patch.mock.calls.map((call: unknown[]) => (call[1] as { ifMatch: unknown }).ifMatch)).toEqual([["old"], null, ["*"]]);
    expect(await send({ "if-match": "old" })).toMatchObject({ status: 400 });
  });

  test("hand the body on as it was sent, whatever its names", async () => {
    const replace = vi.fn(async () => ({ tag: "t" }) as never);
    const ask = await serveApp(domainOf({ state: { replace } }));
    const state = '{"flows":{"a":{"__proto__":{"x":1},"constructor":2}}}';
    await ask({ method: "PUT", path: "/env/p/e/state", body: `{"state":${state}}` });
    expect(JSON.stringify((replace.mock.lastCall as unknown[] as [Caller, { state: unknown }])[1].state)).toBe(state);
    expect(await ask({ method: "PUT", path: "/env/p/e/state", body: '{"state":{"__proto__":{}}}' })).toMatchObject({ status: 400 });
  });

  test("are refused before they reach the domain, with the place of every fault", async () => {
    const ask = await serveApp(domainOf({}));
    const { status, body } = await ask({ method: "POST", path: "/env/promote", body: { project_id: 7, source_env: "a", farce: true } });
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: "invalid_request", details: { in: "body" } });
    expect((body.details as { issues: unknown }).issues).toEqual([
      { path: "project_id", message: "must be a string" },
      { path: "target_env", message: "is required" },
      { path: "farce", message: "is not a known field" },
    ]);
    expect(body.fix_suggestion).toContain("known are: project_id, source_env, target_env");
  });

  test("say of a slip in a field's name what was meant, beside what is missing for it", async () => {
    const ask = await serveApp(domainOf({}));
    const { body } = await ask({ method: "POST", path: "/env/create", body: { project_id: "p", new_enviroment: "staging" } });
    expect(body.reason).toBe("The body is not valid: `new_environment` is required, and `new_enviroment` is not a known field.");
    expect(body.fix_suggestion).toMatch(/^Did you mean `new_environment` by `new_enviroment`\? Leave unknown fields out; known are: /);
  });

  test("show no value in a refusal, and of many faults only some", async () => {
    const ask = await serveApp(domainOf({}));
    const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`k${index}`, index]));
    const { text } = await ask({ method: "PATCH", path: "/env/p/e/config", body: { secrets: { A: ["s3cr3t"] }, vars: many, ...many } });
    expect(text).not.toContain("s3cr3t");
    expect(text.length).toBeLessThan(4_000);
  });

  test("have bodies of 1 MiB, on state routes of 64", async () => {
    const ask = await serveApp(
      domainOf({ state: { patch: async () => ({ tag: "t" }) as never }, config: { patch: async () => ({ tag: "t" }) as never } }),
    );
    const big = "x".repeat(1024 * 1024);
    expect(await ask({ method: "PATCH", path: "/env/p/e/config", body: { vars: { A: big } } })).toMatchObject({ status: 413 });
    expect(await ask({ method: "PATCH", path: "/env/p/e/state", body: { set: { "a/b": big } } })).toMatchObject({ status: 200 });
    const many = Array.from({ length: 60_000 }, () => 1);
    expect(await ask({ method: "PATCH", path: "/env/p/e/config", body: { flags: { A: many } } })).toMatchObject({ status: 413 });
    expect(await ask({ method: "PATCH", path: "/env/p/e/state", body: { set: { "a/b": many } } })).toMatchObject({ status: 200 });
  });
});

describe("errors", () => {
  test("of the domain reach the caller as they are", async () => {
    const refused = new AppError("environment_exists", { reason: "It exists.", fix: "Take another.", details: { env: "e" } });
    const ask = await serveApp(domainOf({ environments: { projects: () => Promise.reject(refused) } }));
    expect(await ask({ path: "/env", headers: { "x-request-id": "r-1" } })).toMatchObject({
      status: 409,
      body: {
        status: "error",
        code: "environment_exists",
        reason: "It exists.",
        fix_suggestion: "Take another.",
        details: { env: "e" },
        request_id: "r-1",
      },
    });
  });

  test("that nobody expected are logged with the request's id, and say nothing to the caller", async () => {
    const lines: string[] = [];
    const logger = pino({ level: "info", base: null }, { write: (line: string) => lines.push(line) });
    const ask = await serveApp(domainOf({ environments: { projects: () => Promise.reject(new TypeError("the inside story")) } }), {
      logger,
    });
    const { status, text } = await ask({ path: "/env", headers: { "x-request-id": "r-9" } });
    expect(status).toBe(500);
    expect(text).not.toContain("inside story");
    expect(JSON.parse(lines.join(""))).toMatchObject({
      level: 50,
      request_id: "r-9",
      err: { type: "TypeError", message: "the inside story" },
    });
  });
});

describe("the audit export", () => {
  async function* records(count: number, fail = false) {
    for (let seq = 1; seq <= count; seq++) yield { seq, filler: "x".repeat(1_000) };
    if (fail) throw new Error("the store is gone");
  }

  const exporting = (lines: AsyncIterable<unknown>) =>
    domainOf({
      audit: { export: async () => ({ records: lines, statement: {} }) as never },
      auditSigning: { sign: async () => "signature" },
    });

  test("is one record on each line", async () => {
    const ask = await serveApp(exporting(records(100)));
    const { headers, text } = await ask("/env/p/audit/export");
    expect(headers["content-type"]).toMatch(/^application\/x-ndjson/);
    const lines = text.trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).seq)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
  });

  test("that fails before its first record is a proper error", async () => {
    const ask = await serveApp(domainOf({ audit: { export: () => Promise.reject(new AppError("project_not_found")) } }));
    expect(await ask("/env/p/audit/export")).toMatchObject({ status: 404, body: { code: "project_not_found" } });
  });

  test("that fails on its way does not look complete", async () => {
    const ask = await serveApp(exporting(records(100, true)));
    await expect(ask("/env/p/audit/export")).rejects.toThrow();
  });

  test("waits for a reader that does not read, and stops when it is gone", async () => {
    let made = 0;
    let stopped = () => {};
    const ended = new Promise<void>((resolve) => {
      stopped = resolve;
    });
    async function* endless() {
      try {
        for (;;) yield { seq: ++made, filler: "x".repeat(100_000) };
      } finally {
        stopped();
      }
    }
    const domain = exporting(endless());
    const app = createApp({
      domain,
      settings: SETTINGS,
      logger: pino({ level: "silent" }),
      authentication: null,
      readiness: async () => ({}),
    });
    const { port } = await serve(app);
    const socket = connect(port, "127.0.0.1");
    socket.write("GET /env/p/audit/export HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await once(socket, "readable");
    socket.destroy();
    await ended;
    expect(made).toBeLessThan(1_000);
  });
});

test("readiness says what is missing", async () => {
  const ask = await serveApp(projects(), {
    readiness: async () => ({ store: { status: "down", reason: "The store cannot be reached." } }),
  });
  expect(await ask("/readyz")).toMatchObject({
    status: 503,
    body: { status: "unavailable", checks: { store: { status: "down", reason: "The store cannot be reached." } } },
    headers: { "cache-control": "no-store" },
  });
});

test("the reference page starts from files of the engine's own alone", async () => {
  const ask = await serveApp(projects());
  const { text, headers } = await ask("/docs");
  expect(headers["content-type"]).toMatch(/^text\/html/);
  expect(text).not.toMatch(/<script(?! src="docs\/)|style=|https?:/);
  expect((await ask("/docs/start.js")).headers["content-type"]).toMatch(/javascript/);
  expect(await ask("/docs/index.html")).toMatchObject({ status: 404 });
  expect(await ask("/docs/..%2fpackage.json")).toMatchObject({ status: 404 });
  expect((await ask("/openapi.json")).body).toMatchObject({ openapi: "3.1.0", info: { version: expect.stringMatching(/^\d+\.\d+\.\d+/) } });
});
