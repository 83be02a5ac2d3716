import { describe, expect, test } from "vitest";
import { useEngine } from "../support/engine.ts";
import { expectError, Project, succeeded } from "../support/project.ts";

describe("an engine without auth, on loopback", () => {
  const engine = useEngine();

  test.each(["/healthz", "/readyz"])("%s answers 200", async (path) => {
    expect((await engine.get(path)).status).toBe(200);
  });

  test("/openapi.json is OpenAPI 3.1, with an operationId, a description and documented errors on every route", async () => {
    const document = succeeded(
      await engine.get<{
        readonly openapi: string;
        readonly paths: Record<string, Record<string, { operationId?: string; description?: string; responses?: Record<string, unknown> }>>;
      }>("/openapi.json"),
    );
    expect(document.openapi).toMatch(/^3\.1\./);
    const operations = Object.values(document.paths).flatMap((item) => Object.values(item));
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
    for (const operation of operations) {
      expect(operation.operationId).toMatch(/\S/);
      expect(operation.description).toMatch(/\S/);
      expect(Object.keys(operation.responses ?? {})).not.toEqual([]);
    }
    for (const path of ["/env/create", "/env/promote", "/env/rollback", "/env/compare"])
      expect(Object.keys(document.paths)).toContain(path);
  });

  test("/docs is a page", async () => {
    const first = await engine.get("/docs");
    const page = first.status >= 300 && first.status < 400 ? await engine.get(first.headers.location ?? "") : first;
    expect(page.status).toBe(200);
    expect(page.headers["content-type"]).toContain("text/html");
  });

  test.each(["evil.example", "evil.example:4006", "4006.evil.example"])("a request that names the host %s is refused", async (host) => {
    expectError(await engine.get("/env", { host }), 403, "host_not_allowed");
  });

  test("a write from a page of another origin is refused", async () => {
    const project = new Project(engine);
    await project.create("development");
    const before = await project.mark("development");
    const url = project.path("development", "state");
    expectError(await engine.request("PUT", url, { state: {} }, { origin: "https://evil.example" }), 403, "origin_not_allowed");
    expect(await project.mark("development")).toEqual(before);
  });

  test("a shutdown is orderly: what was acknowledged is there after the next start", async () => {
    const project = new Project(engine);
    await project.create("development");
    const { revision } = await project.putState("development", { entities: { Order: {} } });
    await engine.restart();
    expect((await project.active("development")).revision).toBe(revision);
  });
});

describe("an engine with auth", () => {
  const token = "a-root-token-for-tests-0123456789";
  const engine = useEngine({ token });

  test.each([
    ["none", {}],
    ["another one", { authorization: "Bearer another-root-token-for-tests" }],
    ["the right one with something after it", { authorization: `Bearer ${token}x` }],
    ["the right one under the wrong scheme", { authorization: `Basic ${token}` }],
  ])("asks for its token: %s is 401", async (_what, headers) => {
    const anonymous = { authorization: "", ...headers };
    expectError(await engine.get("/env", anonymous), 401, "unauthorized");
    const create = await engine.request("POST", "/env/create", { project_id: "closed", new_environment: "development" }, anonymous);
    expectError(create, 401, "unauthorized");
    expectError(await engine.get("/env/closed"), 404, "project_not_found");
  });

  test("does its work for whoever has the token, and prints it nowhere", async () => {
    const project = new Project(engine);
    await project.create("development", { env_variables: { API_KEY: "value-a" } });
    expect((await project.runtime("development")).secrets).toEqual({ API_KEY: "value-a" });
    expect(engine.output()).not.toContain(token);
  });

  test("answers probes without one", async () => {
    expect((await engine.get("/healthz", { authorization: "" })).status).toBe(200);
    expect((await engine.get("/readyz", { authorization: "" })).status).toBe(200);
  });
});
