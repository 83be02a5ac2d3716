import { describe, expect, test, vi } from "vitest";
import type { Caller } from "../../src/model.ts";
import { domainOf, ROOT_TOKEN, SETTINGS, serveApp, withTokens } from "./support.ts";

const projects = () => domainOf({ environments: { projects: async () => ({ items: [], next_cursor: null }) } });
const withAuth = async () => ({ authentication: await withTokens() });
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe("with auth on", () => {
  test("the root token is let in, as root", async () => {
    const create = vi.fn(async (_caller: Caller) => ({ env: "e", status: "env_created" }) as never);
    const ask = await serveApp(domainOf({ creation: { create } }), await withAuth());
    const body = { project_id: "p", new_environment: "e" };
    const headers = { ...bearer(ROOT_TOKEN), "x-request-id": "r-1" };
    expect(await ask({ method: "POST", path: "/env/create", body, headers })).toMatchObject({ status: 201 });
    expect(create.mock.lastCall?.[0]).toMatchObject({ actor: "root", requestId: "r-1" });
  });

  test.each([
    ["none", {}],
    ["a wrong one", bearer("another-token-of-this-test")],
    ["a prefix of the right one", bearer(ROOT_TOKEN.slice(0, -1))],
    ["the right one and more", bearer(`${ROOT_TOKEN}x`)],
    ["another scheme", { authorization: `Basic ${ROOT_TOKEN}` }],
    ["no scheme", { authorization: ROOT_TOKEN }],
    ["an empty one", { authorization: "Bearer " }],
    ["two in one header", bearer(`${ROOT_TOKEN}, Bearer ${ROOT_TOKEN}`)],
    ["two headers", { authorization: [`Bearer ${ROOT_TOKEN}`, `Bearer ${ROOT_TOKEN}`] as unknown as string }],
  ])("a request with %s is refused", async (_name, headers) => {
    const ask = await serveApp(projects(), await withAuth());
    const { status, body, headers: replied } = await ask({ path: "/env", headers });
    expect({ status, code: body.code }).toEqual({ status: 401, code: "unauthorized" });
    expect(replied["www-authenticate"]).toMatch(/^Bearer/);
  });

  test("without a token, a route that there is and one that there is not look the same", async () => {
    const ask = await serveApp(projects(), await withAuth());
    for (const question of [
      "/env",
      "/env/create",
      "/nothing",
      { method: "DELETE", path: "/env" },
      { method: "POST", path: "/env/create", body: "nonsense" },
    ]) {
      expect(await ask(question)).toMatchObject({ status: 401 });
    }
  });

  test("what tells nothing needs no token", async () => {
    const ask = await serveApp(projects(), await withAuth());
    for (const path of [
      "/healthz",
      "/readyz",
      "/openapi.json",
      "/docs",
      "/docs/start.js",
      "/docs/swagger-ui.css",
      "/docs/swagger-ui-bundle.js",
    ]) {
      expect(await ask(path), path).toMatchObject({ status: 200 });
    }
  });

  test.each([
    ["0.0.0.0", [], "environments.example", 200],
    ["0.0.0.0", ["environments.example"], "environments.example", 200],
    ["0.0.0.0", ["environments.example"], "rebound.example", 403],
    ["127.0.0.1", [], "rebound.example", 403],
    ["127.0.0.1", ["environments.example"], "environments.example", 200],
  ])("bound to %s with %j allowed, Host %s is answered %i", async (host, allowedHosts, named, status) => {
    const ask = await serveApp(projects(), { ...(await withAuth()), settings: { ...SETTINGS, host, allowedHosts } });
    expect(await ask({ path: "/env", headers: { ...bearer(ROOT_TOKEN), host: named } })).toMatchObject({ status });
  });
});

describe("with auth off, a page elsewhere cannot use the browser of whoever runs the engine", () => {
  test.each([
    "localhost",
    "localhost:4006",
    "127.0.0.1:1",
    "127.8.9.10",
    "[::1]:4006",
    "[::1]",
    "LOCALHOST",
    "envs.local",
    "envs.local:80",
  ])("Host %s is served", async (host) => {
    const ask = await serveApp(projects(), { settings: { ...SETTINGS, allowedHosts: ["envs.local"] } });
    expect(await ask({ path: "/env", headers: { host } })).toMatchObject({ status: 200 });
  });

  test.each([
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "0.0.0.0",
    "10.0.0.1",
    "evil@localhost",
    "localhost:x",
    "[::2]",
  ])("Host %s is not", async (host) => {
    const ask = await serveApp(projects());
    const { status, body } = await ask({ path: "/env", headers: { host } });
    expect({ status, code: body.code }).toEqual({ status: 403, code: "host_not_allowed" });
  });

  test.each([
    "http://evil.example",
    "null",
    "http://localhost.evil.example",
    "http://localhost:1",
    "https://envs.local.evil.example",
    "nonsense",
    "file://",
  ])("a write from a page of %s is refused", async (origin) => {
    const ask = await serveApp(projects());
    const { status, body } = await ask({ method: "POST", path: "/env/create", body: {}, headers: { origin, host: "localhost:4006" } });
    expect({ status, code: body.code }).toEqual({ status: 403, code: "origin_not_allowed" });
  });

  test.each([
    ["http://localhost:4006", 400],
    ["https://localhost:4006", 400],
    ["https://envs.local", 400],
  ])("a write from a page of %s goes on", async (origin, status) => {
    const ask = await serveApp(projects(), { settings: { ...SETTINGS, allowedHosts: ["envs.local"] } });
    expect(await ask({ method: "POST", path: "/env/create", body: {}, headers: { origin, host: "localhost:4006" } })).toMatchObject({
      status,
    });
  });
});
