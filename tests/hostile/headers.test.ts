import { beforeAll, describe, expect, test } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { domainOn, memoryStore, openVault } from "../domain/support.ts";
import { type Answer, ROOT_TOKEN, SETTINGS, serveApp, withTokens } from "../http/support.ts";
import { useEngine } from "../support/engine.ts";
import type { Project } from "../support/project.ts";
import { ask, filled, issue, operationsOf, type Question, ROOT, rawRequest, sendRaw } from "./support.ts";
import { projectNamed } from "./two-projects.ts";

/** Headers that keep a browser from doing what a page or a network means it to do: on every kind of reply there is. */

const engine = useEngine({ token: ROOT });
let project: Project;
let reader = "";
beforeAll(async () => {
  project = await projectNamed(engine, "headed");
  reader = (await issue(engine, { role: "reader", projects: [project.id] })).token;
});

const post = (path: string, body: unknown): Question => ({ method: "POST", path, body });

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

function directivesOf(headers: Headers): ReadonlyMap<string, readonly string[]> {
  const policy = String(headers["content-security-policy"]);
  return new Map(
    policy.split(";").map((directive) => {
      const [name = "", ...sources] = directive.trim().split(/ +/);
      return [name, sources];
    }),
  );
}

function expectGuarded(headers: Headers): void {
  const directives = directivesOf(headers);
  expect(directives.get("default-src")).toEqual(["'self'"]);
  for (const name of ["frame-ancestors", "object-src", "base-uri"]) expect(directives.get(name), name).toEqual(["'none'"]);
  for (const [name, sources] of directives) {
    // The icons of the reference are written into its style sheet.
    const allowed = ["'self'", "'none'", ...(name === "img-src" ? ["data:"] : [])];
    for (const source of sources) expect(allowed, `${name} ${source}`).toContain(source);
  }
  expect(headers).toMatchObject({
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": expect.stringContaining("camera=()"),
    "x-request-id": expect.stringMatching(/^[\w.-]+$/),
  });
}

/** What tells of the software, or lets other pages in, is on no reply. */
function expectNothingMore(headers: Headers): void {
  const names = Object.keys(headers);
  expect(
    names.filter((name) => name.startsWith("access-control-") || ["x-powered-by", "server", "via", "timing-allow-origin"].includes(name)),
  ).toEqual([]);
}

interface Kind {
  readonly status: number;
  /** How the reply may be kept. */
  readonly cache: string;
  readonly type?: string;
}

const READ: Kind = { status: 200, cache: "private, no-cache", type: "application/json; charset=utf-8" };
const WRITTEN: Kind = { ...READ, cache: "no-store" };
const refused = (status: number): Kind => ({ ...WRITTEN, status });

const config = () => project.path("staging", "config");
const KINDS: readonly (readonly [string, () => Question | Promise<Question>, Kind])[] = [
  ["a read", () => ({ path: config() }), READ],
  ["a read of headers alone", () => ({ method: "HEAD", path: config() }), READ],
  [
    "a read of what the reader has",
    async () => ({ path: config(), headers: { "if-none-match": String((await engine.get(config())).headers.etag) } }),
    { status: 304, cache: "private, no-cache" },
  ],
  ["a list", () => ({ path: "/env" }), READ],
  ["who one is", () => ({ path: "/session" }), READ],
  ["a write", () => ({ method: "PATCH", path: config(), body: { vars: { A: "1" } } }), WRITTEN],
  ["a creation", () => post("/env/create", { project_id: project.id, new_environment: "made" }), { ...WRITTEN, status: 201 }],
  ["a token that is shown", () => post("/tokens", { name: "shown", role: "reader", projects: ["*"] }), { ...WRITTEN, status: 201 }],
  ["secrets that are revealed", () => post(project.path("staging", "secrets", "reveal"), {}), WRITTEN],
  ["secrets for a platform that runs", () => ({ path: project.path("staging", "runtime") }), WRITTEN],
  [
    "an audit log that is exported",
    () => ({ path: project.path("audit", "export") }),
    { status: 200, cache: "no-store", type: "application/x-ndjson; charset=utf-8" },
  ],
  ["a verification", () => ({ path: project.path("audit", "verify") }), WRITTEN],
  ["health", () => ({ path: "/healthz", token: null }), WRITTEN],
  ["readiness", () => ({ path: "/readyz", token: null }), WRITTEN],
  ["the reference as data", () => ({ path: "/openapi.json", token: null }), READ],
  ["the reference as a page", () => ({ path: "/docs", token: null }), { status: 200, cache: "no-cache", type: "text/html; charset=utf-8" }],
  [
    "a script of the engine's",
    () => ({ path: "/docs/start.js", token: null }),
    { status: 200, cache: "no-cache", type: "text/javascript; charset=utf-8" },
  ],
  [
    "a script from a package",
    () => ({ path: "/docs/swagger-ui-bundle.js", token: null }),
    { status: 200, cache: "public, max-age=3600", type: "text/javascript; charset=utf-8" },
  ],
  [
    "a style sheet",
    () => ({ path: "/docs/swagger-ui.css", token: null }),
    { status: 200, cache: "public, max-age=3600", type: "text/css; charset=utf-8" },
  ],
  ["an icon", () => ({ path: "/docs/favicon-32x32.png", token: null }), { status: 200, cache: "public, max-age=3600", type: "image/png" }],
  [
    "a file that the reader has",
    async () => ({
      path: "/docs/swagger-ui.css",
      token: null,
      headers: { "if-modified-since": String((await engine.get("/docs/swagger-ui.css")).headers["last-modified"]) },
    }),
    { status: 304, cache: "public, max-age=3600" },
  ],
  ["no such file", () => ({ path: "/docs/index.html" }), refused(404)],
  ["no such route", () => ({ path: "/nothing" }), refused(404)],
  ["no such route, to a stranger", () => ({ path: "/nothing", token: null }), refused(401)],
  ["no such environment", () => ({ path: project.path("nowhere") }), refused(404)],
  ["a bad path", () => ({ path: "/env/%ff" }), refused(400)],
  ["a bad body", () => ({ method: "PATCH", path: config(), body: "{" }), refused(400)],
  ["a body that is too large", () => ({ method: "PATCH", path: config(), body: "x".repeat(LIMITS.bodyBytes + 1) }), refused(413)],
  ["a body of another type", () => ({ ...post("/env/create", "<a/>"), headers: { "content-type": "text/xml" } }), refused(415)],
  ["no right", () => ({ ...post(project.path("staging", "secrets", "reveal"), {}), token: reader }), refused(403)],
  ["another method", () => ({ method: "DELETE", path: config() }), refused(405)],
  ["a method that nothing has", () => ({ method: "TRACE", path: config() }), refused(405)],
  ["a conflict", () => post("/env/create", { project_id: project.id, new_environment: "staging" }), refused(409)],
  [
    "a condition that does not hold",
    () => ({ method: "PATCH", path: config(), body: {}, headers: { "if-match": '"none"' } }),
    refused(412),
  ],
  ["another host", () => ({ path: "/env", headers: { host: "evil.example" } }), refused(403)],
  ["another origin", () => ({ ...post("/env/create", {}), headers: { origin: "https://evil.example" } }), refused(403)],
];

describe("every kind of reply is guarded, and is kept no longer than it may be:", () => {
  test.each(KINDS)("%s", async (_what, question, { status, cache, type }) => {
    const { status: answered, headers, text } = await ask(engine, await question());
    expect(answered, text.slice(0, 500)).toBe(status);
    expectGuarded(headers);
    expectNothingMore(headers);
    expect(headers["cache-control"]).toBe(cache);
    if (type !== undefined) expect(headers["content-type"]).toBe(type);
    if (cache === "no-store" && status < 300) expect(headers).not.toHaveProperty("last-modified");
    expect(headers["strict-transport-security"]).toBeUndefined();
  });

  test("what reveals has no tag that somebody could ask by", async () => {
    for (const question of [
      { path: project.path("staging", "runtime") },
      post(project.path("staging", "secrets", "reveal"), {}),
      { path: project.path("staging", "runtime"), headers: { "if-none-match": "*" } },
    ]) {
      const { status, headers } = await ask(engine, question);
      expect({ status, etag: headers.etag }).toEqual({ status: 200, etag: undefined });
    }
  });

  test("what is refused before it is a request is data, is not kept, and ends the connection", async () => {
    for (const [bytes, status] of [
      [rawRequest(engine, "GET", "/env", `X-Big: ${"x".repeat(2 * LIMITS.headerBytes)}`), 431],
      [rawRequest(engine, "GET", "/env", "Host: other"), 400],
      [rawRequest(engine, "GET", "/env", "Transfer-Encoding: gzip"), 400],
      ["nonsense\r\n\r\n", 400],
    ] as const) {
      const { status: answered, headers } = await sendRaw(engine, bytes);
      expect(answered).toBe(status);
      expect(headers).toMatchObject({
        "content-type": "application/json; charset=utf-8",
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
        connection: "close",
      });
      expectNothingMore(headers);
    }
  });

  test.each([{ "if-match": '"none"' }, { "if-unmodified-since": "Thu, 01 Jan 1970 00:00:00 GMT" }])(
    "a file on a condition that does not hold: %j",
    async (headers) => {
      const reply = await ask(engine, { path: "/docs/swagger-ui.css", token: null, headers });
      expect(reply.status).toBeLessThan(500);
    },
  );
});

describe("pages of others are let in nowhere", () => {
  const ORIGINS = ["https://evil.example", "null", "http://localhost:1", "file://"];

  test("neither by asking first, on any path, nor by reading what is open", async () => {
    const names = { project: project.id, env: "staging", collection: "flows", name: "a", version: "v0.1.0", n: "1", id: "0".repeat(16) };
    const paths = new Set((await operationsOf(engine)).map(({ path }) => filled(path, names)));
    for (const path of [...paths, "/docs", "/docs/start.js", "/nothing"]) {
      for (const origin of ORIGINS) {
        const headers = {
          origin,
          "access-control-request-method": "POST",
          "access-control-request-headers": "authorization, content-type",
        };
        for (const token of [ROOT, null]) {
          const { status, headers: replied } = await ask(engine, { method: "OPTIONS", path, token, headers });
          expect([401, 403, 404, 405], `${path} ${origin}: ${status}`).toContain(status);
          expectNothingMore(replied);
          expectGuarded(replied);
        }
        expectNothingMore((await ask(engine, { path, headers: { origin } })).headers);
      }
    }
  });

  test("nor where the request names the very host that it goes to: that is no page of others, and asks for no leave", async () => {
    const reply = await ask(engine, { path: "/env", headers: { origin: engine.url } });
    expect(reply.status).toBe(200);
    expectNothingMore(reply.headers);
  });
});

describe("a session's cookie", () => {
  /** The app behind a proxy that it trusts, which says how the request came to it. */
  async function served() {
    const store = memoryStore();
    const domain = domainOn(store, await openVault(store));
    const trusting = await serveApp(domain, {
      authentication: await withTokens(domain),
      settings: { ...SETTINGS, trustedProxies: ["loopback"] },
    });
    return (question: Question, proto: string): Promise<Answer> =>
      trusting({
        method: question.method ?? "GET",
        path: question.path,
        body: question.body,
        headers: { ...question.headers, "x-forwarded-proto": proto, "x-forwarded-for": "203.0.113.7" },
      });
  }

  const attributesOf = ({ headers }: Answer): readonly string[] => {
    const cookies = headers["set-cookie"] ?? [];
    expect(cookies).toHaveLength(1);
    return (cookies[0] ?? "").split("; ");
  };

  const logIn = post("/session", { token: ROOT_TOKEN });

  test.each([
    ["http", "envm_session", []],
    ["https", "__Host-envm_session", ["Secure"]],
  ])("over %s is out of reach for scripts, for other sites and for other hosts", async (proto, name, more) => {
    const send = await served();
    const [value = "", ...attributes] = attributesOf(await send(logIn, proto));
    expect(value).toMatch(new RegExp(`^${name}=[\\w-]{43}$`));
    const age = attributes.find((attribute) => attribute.startsWith("Max-Age=")) ?? "";
    expect(new Set(attributes)).toEqual(new Set(["Path=/", "HttpOnly", "SameSite=Strict", age, ...more]));
    expect(Number(age.slice("Max-Age=".length))).toBeGreaterThan(0);
    expect(Number(age.slice("Max-Age=".length))).toBeLessThanOrEqual(LIMITS.sessionMs / 1_000);

    const origin = `${proto}://localhost`;
    const close = await send({ method: "DELETE", path: "/session", headers: { cookie: value, host: "localhost", origin } }, proto);
    expect(close.status, close.text).toBe(200);
    expect(new Set(attributesOf(close))).toEqual(new Set([`${name}=`, "Path=/", "HttpOnly", "SameSite=Strict", "Max-Age=0", ...more]));
    expect((await send({ path: "/session", headers: { cookie: value } }, proto)).status).toBe(401);
  });

  test("that came without TLS is none with it, so that nobody on the way can set one", async () => {
    const send = await served();
    const [value = ""] = attributesOf(await send(logIn, "http"));
    expect((await send({ path: "/session", headers: { cookie: value } }, "http")).status).toBe(200);
    expect((await send({ path: "/session", headers: { cookie: value } }, "https")).status).toBe(401);
  });

  test("is set by logging in and taken away by logging out, and by nothing else", async () => {
    for (const [, question] of KINDS) expect((await ask(engine, await question())).headers).not.toHaveProperty("set-cookie");
  });

  test("TLS is asked for ever after by replies that came over it, and by no other", async () => {
    const send = await served();
    for (const path of ["/healthz", "/docs", "/docs/swagger-ui.css", "/nothing", "/env"]) {
      expect((await send({ path }, "https")).headers["strict-transport-security"]).toMatch(/^max-age=\d{8,}; includeSubDomains$/);
      expect((await send({ path }, "http")).headers["strict-transport-security"]).toBeUndefined();
    }
  });
});

test("the page of the reference runs nothing but files of the engine's own", async () => {
  const { text } = await ask(engine, { path: "/docs", token: null });
  const scripts = [...text.matchAll(/<script\b([^>]*)>([^<]*)/g)];
  expect(scripts.length).toBeGreaterThan(0);
  for (const [, attributes, inline] of scripts) expect([attributes, inline]).toEqual([expect.stringMatching(/^ src="docs\/[\w.-]+"$/), ""]);
  expect(text).not.toMatch(/\son\w+=|javascript:|<style|style=|<iframe|<base|https?:\/\//i);
});
