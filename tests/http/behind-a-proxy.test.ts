import { describe, expect, test } from "vitest";
import { ROOT, sendRaw } from "../hostile/support.ts";
import { useEngine } from "../support/engine.ts";
import { Project } from "../support/project.ts";

const engine = useEngine({ token: ROOT, env: { ENV_MANAGER_ALLOWED_HOSTS: "envm.example.com" } });

describe("where the engine is served by one name alone", () => {
  const statusOf = async (path: string, lines: readonly string[]) => {
    const version = lines.length === 0 ? "1.0" : "1.1";
    return (await sendRaw(engine, [`GET ${path} HTTP/${version}`, ...lines, "", ""].join("\r\n"))).status;
  };

  test.each(["/healthz", "/readyz", "/metrics"])(
    "%s is answered to whoever looks at it by its address, or by HTTP/1.0 without a name",
    async (path) => {
      expect(await statusOf(path, [])).toBe(200);
      for (const host of ["10.1.2.3:4006", "[2001:db8::1]:4006", "envm.example.com"])
        expect(await statusOf(path, [`Host: ${host}`, "Connection: close"]), host).toBe(200);
      for (const host of ["rebound.example", "10.1.2.3.rebound.example", "10.1.2.3@rebound.example"])
        expect(await statusOf(path, [`Host: ${host}`, "Connection: close"]), host).toBe(403);
    },
  );

  test("nothing else is", async () => {
    for (const path of ["/env", "/openapi.json", "/", "/readyz/", "/healthz?x=1"]) {
      expect(await statusOf(path, []), path).toBe(403);
      expect(await statusOf(path, ["Host: 10.1.2.3:4006", "Connection: close"]), path).toBe(403);
    }
  });
});

test("a write with the tag that a compressing proxy weakened is told that this is so, and not that something changed", async () => {
  const project = new Project(engine);
  await project.create("development");
  const { headers } = await engine.get(project.path("development", "config"));
  const path = project.path("development", "config");
  const { headers: policyHeaders } = await engine.get(`/env/${project.id}/policy`);
  const writes = [
    ["PATCH", path, { vars: { A: "1" } }, headers.etag],
    ["PATCH", project.path("development", "state"), { set: { "flows/a": {} } }, headers.etag],
    ["PUT", `/env/${project.id}/policy`, { preset: "team" }, policyHeaders.etag],
  ] as const;
  for (const [method, url, body, tag] of writes) {
    expect(await engine.request(method, url, body, { "if-match": `W/${tag}` })).toMatchObject({
      status: 412,
      body: {
        code: "precondition_failed",
        reason: expect.stringContaining("a proxy that compresses"),
        fix_suggestion: expect.stringContaining("without its W/"),
      },
    });
    expect(await engine.request(method, url, body, { "if-match": '"another"' })).toMatchObject({
      status: 412,
      body: { reason: expect.stringContaining("changed since it was read") },
    });
  }
  expect(await engine.request("PATCH", path, { vars: { A: "1" } }, { "if-match": `W/"x", ${headers.etag}` })).toMatchObject({
    status: 200,
  });
});
