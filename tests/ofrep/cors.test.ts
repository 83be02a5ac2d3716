import { beforeEach, describe, expect, test } from "vitest";
import { BULK, CORS_ORIGIN, openFlags } from "./support.ts";

type World = Awaited<ReturnType<typeof openFlags>>;

let world: World;
beforeEach(async () => {
  world = await openFlags();
});

const preflight = (path: string, origin: string, method = "POST") =>
  world.ask({
    method: "OPTIONS",
    path,
    headers: {
      origin,
      "access-control-request-method": method,
      "access-control-request-headers": "authorization,content-type,if-none-match",
    },
  });

describe("a page of an origin that is allowed", () => {
  test("is told so before it asks, without a token", async () => {
    const { status, headers } = await preflight(BULK, CORS_ORIGIN);
    expect(status).toBe(204);
    expect(headers).toMatchObject({
      "access-control-allow-origin": CORS_ORIGIN,
      vary: "Origin",
      "access-control-allow-methods": "GET, POST",
    });
    expect(String(headers["access-control-allow-headers"]).split(", ")).toEqual(
      expect.arrayContaining(["authorization", "content-type", "if-none-match", "x-api-key"]),
    );
    expect(headers["access-control-allow-credentials"]).toBeUndefined();
  });

  test("may evaluate, see the tag, and see why not", async () => {
    const found = await world.send(BULK, {}, { origin: CORS_ORIGIN });
    expect(found).toMatchObject({ status: 200, headers: { "access-control-allow-origin": CORS_ORIGIN, vary: "Origin" } });
    expect(found.headers["access-control-expose-headers"]).toContain("etag");
    const refused = await world.send(BULK, {}, { origin: CORS_ORIGIN, authorization: "Bearer nonsense" });
    expect(refused).toMatchObject({ status: 401, headers: { "access-control-allow-origin": CORS_ORIGIN } });
  });

  test("may do nothing else", async () => {
    const config = `/env/${world.project.id}/staging/config`;
    expect((await preflight(config, CORS_ORIGIN, "PATCH")).headers["access-control-allow-origin"]).toBeUndefined();
    const patched = await world.ask({ method: "PATCH", path: config, headers: { origin: CORS_ORIGIN }, body: { vars: { A: "1" } } });
    expect(patched).toMatchObject({ status: 403, body: { code: "origin_not_allowed" } });
    expect((await preflight("/tokens", CORS_ORIGIN)).status).not.toBe(204);
  });
});

describe("a page of another origin", () => {
  test.each(["https://evil.example.com", "https://app.example.com.evil.example", "http://app.example.com", "null"])(
    "%s is refused",
    async (origin) => {
      const asked = await preflight(BULK, origin);
      expect(asked.status).toBe(403);
      expect(asked.headers["access-control-allow-origin"]).toBeUndefined();
      const sent = await world.send(BULK, {}, { origin });
      expect(sent).toMatchObject({ status: 403, body: { errorDetails: expect.any(String) } });
      expect(sent.headers["access-control-allow-origin"]).toBeUndefined();
      // A cache that has this reply must not hand it to the page that is allowed.
      expect(sent.headers.vary).toBe("Origin");
    },
  );
});
