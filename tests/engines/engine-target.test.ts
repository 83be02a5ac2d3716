import { inspect } from "node:util";
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { EngineTarget } from "../../src/engines/request.ts";
import { engineAt, failureOf, gone, readAll, refusal, serve, shown } from "./support.ts";

afterEach(() => vi.unstubAllEnvs());

/** Answers with what it was asked. */
const serveEcho = () =>
  serve(async (request, response) => {
    const body = await readAll(request);
    response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body }));
  });

interface Echo {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

async function ask(target: EngineTarget, path: readonly string[], request: Parameters<EngineTarget["request"]>[1] = { method: "GET" }) {
  return (await target.request(path, request)).json() as unknown as Echo;
}

describe("a request goes under the base path, and nowhere else", () => {
  test.each([
    ["", "/a"],
    ["/", "/a"],
    ["/base", "/base/a"],
    ["/base/", "/base/a"],
    ["/two/parts//", "/two/parts/a"],
    ["/up/../down", "/down/a"],
    ["/with%2Fslash", "/with%2Fslash/a"],
  ])("base path %j", async (base, expected) => {
    const { url } = await serveEcho();
    expect((await ask(engineAt(url + base), ["a"])).url).toBe(expected);
  });

  test("with no parts it is the base path itself", async () => {
    const { url } = await serveEcho();
    expect((await ask(engineAt(url), [])).url).toBe("/");
    expect((await ask(engineAt(`${url}/base`), [])).url).toBe("/base");
  });

  test.each([
    ["pf-777/staging", "pf-777%2Fstaging"],
    ["../admin", "..%2Fadmin"],
    ["..\\admin", "..%5Cadmin"],
    ["%2e%2e", "%252e%252e"],
    ["%2F", "%252F"],
    ["a?b=c", "a%3Fb%3Dc"],
    ["a#b", "a%23b"],
    ["a;b", "a%3Bb"],
    ["http://evil.example/", "http%3A%2F%2Fevil.example%2F"],
    ["//evil.example", "%2F%2Fevil.example"],
    ["@evil.example", "%40evil.example"],
    ["a b\tc\r\nHost: evil", "a%20b%09c%0D%0AHost%3A%20evil"],
    ["a\u0000b", "a%00b"],
    ["ünï", "%C3%BCn%C3%AF"],
    ["...", "..."],
  ])("the part %j stays one part", async (part, encoded) => {
    const { url } = await serveEcho();
    expect((await ask(engineAt(`${url}/base`), ["x", part, "y"])).url).toBe(`/base/x/${encoded}/y`);
  });

  test("whatever the parts hold, the server finds the same parts", async () => {
    const { url } = await serveEcho();
    const target = engineAt(`${url}/base`);
    const part = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => text !== "." && text !== "..");
    await fc.assert(
      fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 4 }), async (parts) => {
        const found = (await ask(target, parts)).url.split("/").map(decodeURIComponent);
        expect(found).toEqual(["", "base", ...parts]);
      }),
      { numRuns: 300 },
    );
  });

  test.each([["."], [".."], [""], ["\ud800"]])("the part %j is refused, wherever it stands, and nothing is sent", async (part) => {
    const { url, hits } = await serveEcho();
    const target = engineAt(url);
    for (const parts of [[part], ["a", part], [part, "a"]]) {
      expect(await failureOf(target.request(parts, { method: "GET" }))).toBe("invalid_request");
    }
    expect(hits).toEqual([]);
  });

  test("a redirect is a reply, and its target is never asked", async () => {
    const elsewhere = await serveEcho();
    const { url, hits } = await serve((_, response) => response.writeHead(307, { location: `${elsewhere.url}/secret` }).end("moved"));
    const reply = await engineAt(url).request(["a"], { method: "GET" });
    expect([reply.status, reply.headers.get("location"), reply.text()]).toEqual([307, `${elsewhere.url}/secret`, "moved"]);
    expect([hits.length, elsewhere.hits.length]).toEqual([1, 0]);
  });

  test("no proxy of the environment is used", async () => {
    const proxy = await serve((_, response) => response.end("proxied"));
    for (const name of ["http_proxy", "https_proxy", "all_proxy"]) {
      vi.stubEnv(name, proxy.url);
      vi.stubEnv(name.toUpperCase(), proxy.url);
    }
    vi.stubEnv("NODE_USE_ENV_PROXY", "1");
    const { url, hits } = await serveEcho();
    await ask(engineAt(url), ["a"]);
    expect([hits.length, proxy.sockets.length]).toEqual([1, 0]);
  });
});

describe("a base URL", () => {
  test.each([
    "",
    "127.0.0.1:4001",
    "ftp://a.example",
    "file:///etc/passwd",
    "unix:/run/a.sock",
    "javascript:1",
    "http://a.example/?x=1",
    "http://a.example/#x",
    "http://u:%zz@a.example/",
  ])("%j is refused", async (url) => {
    const error = await refusal(() => new EngineTarget(url, { name: "The Test engine" }));
    expect(error.code).toBe("target_not_allowed");
    expect(error.message).toContain("The Test engine");
  });

  test("with credentials sends them as Basic, decoded, in UTF-8", async () => {
    const { url, port } = await serveEcho();
    const target = engineAt(`http://us%C3%A9r:p%40ss%2Fw%3Ard@127.0.0.1:${port}`);
    const echo = await ask(target, ["a"]);
    expect(Buffer.from(echo.headers.authorization?.replace("Basic ", "") ?? "", "base64").toString()).toBe("usér:p@ss/w:rd");
    expect(target.origin).toBe(url);
  });

  test("with credentials gives way to a request's own Authorization, in any case", async () => {
    const { port } = await serveEcho();
    const echo = await ask(engineAt(`http://u:p@127.0.0.1:${port}`), ["a"], { method: "GET", headers: { AUTHORIZATION: "Bearer mine" } });
    expect(echo.headers.authorization).toBe("Bearer mine");
  });

  test("with credentials shows them nowhere", async () => {
    const target = engineAt("http://canary-user:canary-pass@127.0.0.1:1/canary-path");
    const basic = Buffer.from("canary-user:canary-pass").toString("base64");
    const all = inspect(target, { depth: 10 }) + shown(await refusal(target.request(["a"], { method: "GET" })));
    expect(all).not.toContain("canary");
    expect(all).not.toContain(basic);
    const bad = await refusal(() => new EngineTarget("http://canary:%zz@h/", { name: "The Test engine" }));
    expect(shown(bad)).not.toContain("canary");
  });
});

describe("what is sent", () => {
  test("JSON, with its type and length, and no chunks", async () => {
    const { url } = await serveEcho();
    const echo = await ask(engineAt(url), ["a"], { method: "POST", json: { grüße: [1, null] } });
    expect(echo.body).toBe('{"grüße":[1,null]}');
    expect(echo.headers).toMatchObject({ "content-type": "application/json", "content-length": `${Buffer.byteLength(echo.body)}` });
    expect(echo.headers["transfer-encoding"]).toBeUndefined();
  });

  test.each(["", "text", Buffer.from("bytes"), new Uint8Array([65, 66]).subarray(1)])("a body as it is: %j", async (body) => {
    const { url } = await serveEcho();
    const echo = await ask(engineAt(url), ["a"], { method: "PUT", body, headers: { "Content-Type": "text/plain" } });
    expect([echo.body, echo.headers["content-type"]]).toEqual([Buffer.from(body as string).toString(), "text/plain"]);
  });

  test.each(["GET", "POST", "PUT", "PATCH", "DELETE"] as const)("%s without a body", async (method) => {
    const { url } = await serveEcho();
    expect(await ask(engineAt(url), ["a"], { method })).toMatchObject({ method, body: "" });
  });

  test("the request id, who asks, and that nothing may be compressed", async () => {
    const { url } = await serveEcho();
    const { headers } = await ask(engineAt(url), ["a"], { method: "GET", requestId: "req-1" });
    expect(headers).toMatchObject({ "x-request-id": "req-1", "user-agent": "environment-manager", "accept-encoding": "identity" });
    expect((await ask(engineAt(url), ["a"])).headers["x-request-id"]).toBeUndefined();
  });

  test.each([
    ["a line break in a value", { "x-canary": "canary\r\nX-Evil: 1" }],
    ["a line feed in a value", { "x-canary": "canary\nX-Evil: 1" }],
    ["a NUL in a value", { "x-canary": "canary\0" }],
    ["a character beyond Latin 1", { "x-canary": "canary\u010a" }],
    ["a line break in a name", { "x-canary\r\nx-evil": "1" }],
    ["a colon in a name", { "x-canary:": "1" }],
    ["an empty name", { "": "canary" }],
    ["an umlaut in a name", { cänary: "canary" }],
    ["more than 16 KiB", { "x-canary": "canary".repeat(3_000) }],
    ["another Host", { Host: "canary.example" }],
    ["a Content-Length", { "content-length": "0" }],
    ["a Transfer-Encoding", { "transfer-encoding": "chunked" }],
    ["a Connection", { connection: "canary" }],
    ["an Upgrade", { upgrade: "canary" }],
    ["an Expect", { expect: "100-continue" }],
    ["an Accept-Encoding", { "Accept-Encoding": "gzip" }],
  ])("not a header with %s: a clear error, told without the header, and nothing is sent", async (_, headers) => {
    const { url, sockets } = await serveEcho();
    const error = await refusal(engineAt(url).request(["a"], { method: "GET", headers }));
    expect(error.code).toBe("invalid_request");
    expect(error.message).toContain("header");
    expect(shown(error)).not.toContain("canary");
    expect(sockets).toEqual([]);
  });

  test("not a request id that holds a line break", async () => {
    const { url, sockets } = await serveEcho();
    expect(await failureOf(engineAt(url).request(["a"], { method: "GET", requestId: "1\r\nx-evil: 1" }))).toBe("invalid_request");
    expect(sockets).toEqual([]);
  });

  test("not a body of more than 64 MiB", async () => {
    const { url, sockets } = await serveEcho();
    const body = Buffer.alloc(64 * 1024 * 1024 + 1);
    expect(await failureOf(engineAt(url).request(["a"], { method: "POST", body }))).toBe("too_large");
    expect(sockets).toEqual([]);
  });
});

describe("connections", () => {
  test("are kept for the next request", async () => {
    const { url, hits, sockets } = await serveEcho();
    const target = engineAt(url);
    for (let nth = 0; nth < 20; nth++) await ask(target, ["a"]);
    // Two take turns: one rests for a moment, in which a server may still close it.
    expect(hits.length).toBe(20);
    expect(sockets.length).toBeLessThanOrEqual(2);
  });

  test("are 16 at most, and the other requests wait in turn", async () => {
    const held: (() => void)[] = [];
    const { url, hits, sockets } = await serve((_, response) => {
      held.push(() => response.end("done"));
      if (hits.length >= 16) for (const release of held.splice(0)) release();
    });
    const target = engineAt(url);
    const replies = await Promise.all(Array.from({ length: 64 }, (_, nth) => target.request([`${nth}`], { method: "GET" })));
    expect(replies.map((reply) => reply.text())).toEqual(Array(64).fill("done"));
    expect([hits.length, sockets.length]).toEqual([64, 16]);
  });

  test("are waited for by 256 requests at most", async () => {
    const { url } = await serve(() => {});
    const target = engineAt(url);
    const asked = Array.from({ length: 16 + 256 }, () => failureOf(target.request(["a"], { method: "GET" })));
    expect(await failureOf(target.request(["a"], { method: "GET" }))).toBe("engine_unavailable: overloaded");
    await target.close();
    expect(new Set(await Promise.all(asked))).toEqual(new Set(["shutting_down"]));
  });

  test("end with close: what is under way is refused, and so is what comes later", async () => {
    const server = await serve((_, response) => response.write("half"));
    const target = engineAt(server.url);
    const asked = failureOf(target.request(["a"], { method: "GET" }));
    await server.arrived(1);
    await Promise.all([target.close(), target.close()]);
    expect(await asked).toBe("shutting_down");
    expect(await failureOf(target.request(["a"], { method: "GET" }))).toBe("shutting_down");
    await gone(server);
    expect(server.hits.length).toBe(1);
  });
});
