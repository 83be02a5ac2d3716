import { afterEach, describe, expect, test, vi } from "vitest";
import { AllowList } from "../../src/engines/address.ts";
import type { Lookup } from "../../src/engines/lookup.ts";
import { PublicTarget } from "../../src/engines/request.ts";
import { askPublic, closedPort, failureOf, gone, type Listening, publicAt, refusal, serve, serveRaw, shown } from "./support.ts";

afterEach(() => vi.unstubAllEnvs());

const POST = { method: "POST", json: { event: "test" } } as const;
/** What stands for the public internet, which no test may depend on. */
const allow = new AllowList(["127.0.0.1"]);
const PUBLIC = ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"];

/** A DNS that gives these answers in turn, the last one again and again, and counts. */
function answers(...given: readonly (readonly string[])[]): Lookup & { readonly asked: string[] } {
  const asked: string[] = [];
  const lookup = async (host: string) => given[Math.min(asked.push(host), given.length) - 1] ?? [];
  return Object.assign(lookup, { asked });
}

const serveOk = () => serve((_, response) => response.end("ok"));
const at = ({ port }: Listening, path = "/") => `http://hooks.example:${port}${path}`;

describe("a name is refused for the addresses that it has:", () => {
  test.each([
    ["a loopback one", ["127.0.0.1"]],
    ["the metadata service", ["169.254.169.254"]],
    ["a private one", ["10.0.0.1"]],
    ["a mapped private one", ["::ffff:10.0.0.1"]],
    ["a loopback one of IPv6", ["::1"]],
    ["a link-local one with a zone", ["fe80::1%1"]],
    ["a private one after public ones", [...PUBLIC, "127.0.0.1"]],
    ["a private one before public ones", ["127.0.0.1", ...PUBLIC]],
    ["a private one behind very many public ones", [...Array<string>(500).fill(PUBLIC[0] as string), "10.0.0.1"]],
    ["no address at all", ["hooks.internal"]],
  ])("%s", async (_, addresses) => {
    const server = await serveOk();
    const lookup = answers(addresses);
    const error = await refusal(askPublic(at(server, "/canary?canary"), { ...POST, headers: { canary: "canary" } }, { lookup }));
    expect(error.code).toBe("target_not_allowed");
    expect(error.message).toContain("a private address");
    expect(shown(error)).not.toContain("canary");
    for (const address of addresses) expect(`${error.message} ${error.fix}`).not.toContain(address);
    expect([lookup.asked, server.sockets.length]).toEqual([["hooks.example"], 0]);
  });

  test("none", async () => {
    const error = await refusal(askPublic("http://hooks.example/", POST, { lookup: answers([]) }));
    expect([error.code, error.details]).toEqual(["engine_unavailable", { failure: "unreachable" }]);
  });

  test("a resolver that fails", async () => {
    const lookup = () => Promise.reject(Object.assign(new Error("queryA ESERVFAIL canary"), { code: "ESERVFAIL" }));
    const error = await refusal(askPublic("http://hooks.example/", POST, { lookup }));
    expect(error.message).toBe('The host "hooks.example" cannot be reached (ESERVFAIL).');
    expect(shown(error)).not.toContain("canary");
  });

  test("localhost, by the system's own resolver", async () => {
    const server = await serveOk();
    expect(await failureOf(askPublic(`http://localhost:${server.port}/`, POST))).toBe("target_not_allowed");
    expect(server.sockets).toEqual([]);
  });
});

describe("a name is resolved once for each connection, and the address checked is the one connected to:", () => {
  test("an answer that changes after the check changes nothing", async () => {
    const server = await serveOk();
    const lookup = answers(["127.0.0.1"], ["10.0.0.1"]);
    expect((await askPublic(at(server), POST, { allow, lookup })).text()).toBe("ok");
    expect([lookup.asked.length, server.hits.length]).toEqual([1, 1]);
  });

  test("each new connection is checked anew", async () => {
    const server = await serve((_, response) => response.setHeader("connection", "close").end("ok"));
    const lookup = answers(["127.0.0.1"], ["127.0.0.1"], ["10.0.0.1"]);
    const target = publicAt(at(server), { allow, lookup });
    for (let nth = 0; nth < 2; nth++) expect((await target.request(POST)).text()).toBe("ok");
    expect(await failureOf(target.request(POST))).toBe("target_not_allowed");
    expect([lookup.asked.length, server.sockets.length]).toEqual([3, 2]);
  });

  test("of several addresses, one that does not answer is passed over for the next", async () => {
    const server = await serveOk();
    const lookup = answers(["::1", "127.0.0.1"]);
    const reply = await askPublic(at(server), POST, { allow: new AllowList(["::1", "127.0.0.1"]), lookup });
    expect([reply.text(), lookup.asked.length]).toEqual(["ok", 1]);
  });

  test("of very many addresses, the first 16 are tried", async () => {
    // Of these two, the server listens at the second alone.
    const addresses = (nth: number) => [...Array<string>(nth).fill("::1"), "127.0.0.1"];
    const server = await serveOk();
    const ask = (nth: number) => askPublic(at(server), POST, { allow: new AllowList(addresses(1)), lookup: answers(addresses(nth)) });
    expect((await ask(15)).text()).toBe("ok");
    expect(await failureOf(ask(16))).toBe("engine_unavailable: unreachable");
  });

  test("the server hears the name, not the address", async () => {
    const server = await serve((request, response) => response.end(request.headers.host));
    const reply = await askPublic(at(server), POST, { allow, lookup: answers(["127.0.0.1"]) });
    expect(reply.text()).toBe(`hooks.example:${server.port}`);
  });

  test("a resolver that never answers is not waited for beyond the request's time", async () => {
    const answer = withResolvers();
    const target = publicAt("http://hooks.example/", { lookup: () => answer.promise, connectTimeoutMs: 600_000 });
    expect(await failureOf(target.request({ ...POST, timeoutMs: 50 }))).toBe("engine_unavailable: timeout");
    answer.resolve(["10.0.0.1"]);
  });

  test("nor beyond the time that a connection may take", async () => {
    const answer = withResolvers();
    const target = publicAt("http://hooks.example/", { lookup: () => answer.promise, connectTimeoutMs: 50 });
    const error = await refusal(target.request(POST));
    expect(error.message).toBe('The host "hooks.example" cannot be reached (UND_ERR_CONNECT_TIMEOUT).');
    answer.resolve(["10.0.0.1"]);
  });

  test("a resolver that answers after the request ended leads to no request", async () => {
    const server = await serveOk();
    const answer = withResolvers();
    const target = publicAt(at(server), { allow, lookup: () => answer.promise });
    expect(await failureOf(target.request({ ...POST, timeoutMs: 50 }))).toBe("engine_unavailable: timeout");
    answer.resolve(["127.0.0.1"]);
    expect((await target.request({ ...POST, headers: { second: "1" } })).text()).toBe("ok");
    expect(server.hits.length).toBe(1);
  });
});

describe("what the operator allows passes:", () => {
  test.each([
    ["an address", "127.0.0.1", "127.0.0.1"],
    ["a range", "127.0.0.0/8", "127.0.0.1"],
    ["a range, for a mapped address", "127.0.0.0/8", "[::ffff:127.0.0.1]"],
    ["a range, for a decimal address", "127.0.0.0/8", "2130706433"],
  ])("%s", async (_, entry, host) => {
    const server = await serveOk();
    const reply = await askPublic(`http://${host}:${server.port}/`, POST, { allow: new AllowList([entry]) });
    expect(reply.text()).toBe("ok");
  });

  test("a host name, whatever address it has", async () => {
    const server = await serveOk();
    const options = { allow: new AllowList(["hooks.example"]), lookup: answers(["127.0.0.1"]) };
    expect((await askPublic(at(server), POST, options)).text()).toBe("ok");
    expect((await askPublic(at(server).replace("example", "example."), POST, options)).text()).toBe("ok");
    expect(await failureOf(askPublic(at(server).replace("hooks", "other"), POST, options))).toBe("target_not_allowed");
  });

  test("and nothing beside it", async () => {
    const lookup = answers(["127.0.0.1", "10.0.0.1"]);
    expect(await failureOf(askPublic("http://hooks.example/", POST, { allow, lookup }))).toBe("target_not_allowed");
    expect(await failureOf(() => new PublicTarget("http://127.0.0.2/", { allow }))).toBe("target_not_allowed");
  });
});

describe("a URL is refused", () => {
  test.each([
    ["with a user name", "http://canary@example.com/"],
    ["with a password", "http://:canary@example.com/"],
    ["whose user name looks like a host", "http://example.com@127.0.0.1/"],
    ["of another scheme", "ftp://canary.example/"],
    ["of a file", "file:///canary"],
    ["with no scheme", "canary.example/hook"],
    ["that is none", "http://"],
    ["with a space in its host", "http://canary example/"],
    ["for SSH", "http://example.com:22/canary"],
    ["for SMTP", "http://example.com:25/canary"],
    ["for port 0", "http://example.com:0/canary"],
    ["for port 1023", "https://example.com:1023/canary"],
    ["of more than 2,048 characters", `http://example.com/${"canary".repeat(400)}`],
  ])("%s", async (_, url) => {
    const error = await refusal(() => new PublicTarget(url));
    expect(error.code).toBe("target_not_allowed");
    expect(shown(error)).not.toContain("canary");
  });

  test.each([
    "http://example.com/",
    "https://example.com:80/",
    "http://example.com:443/",
    "http://example.com:1024/",
    "https://example.com:65535/",
  ])("but not %s", (url) => {
    expect(new PublicTarget(url).host).toBe("example.com");
  });
});

describe("a request to an address that a user gave", () => {
  test("goes to the URL's path and query as they are", async () => {
    const server = await serveOk();
    await askPublic(at(server, "/a/../b%2Fc?x=1&y=%20#fragment"), POST, { allow, lookup: answers(["127.0.0.1"]) });
    expect(server.hits).toEqual(["POST /b%2Fc?x=1&y=%20"]);
  });

  test.each([301, 302, 303, 307, 308, 300, 304])("follows no redirect (%i), and says so without the address", async (status) => {
    const secret = await serveOk();
    const server = await serve((_, response) => response.writeHead(status, { location: `${secret.url}/canary` }).end());
    const error = await refusal(askPublic(at(server), POST, { allow, lookup: answers(["127.0.0.1"]) }));
    expect(error.code).toBe("target_not_allowed");
    expect(error.message).toContain("redirect");
    expect(shown(error)).not.toContain("canary");
    expect([server.hits.length, secret.sockets.length]).toEqual([1, 0]);
  });

  test("takes 64 KiB of reply where it does not say", async () => {
    const server = await serve((_, response) => response.end("x".repeat(64 * 1024 + 1)));
    const options = { allow, lookup: answers(["127.0.0.1"]) };
    expect(await failureOf(askPublic(at(server), POST, options))).toBe("engine_unavailable: too_large");
    expect((await askPublic(at(server), { ...POST, maxResponseBytes: 100_000 }, options)).text().length).toBe(64 * 1024 + 1);
  });

  test("uses no proxy of the environment", async () => {
    const proxy = await serveOk();
    for (const name of ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]) vi.stubEnv(name, proxy.url);
    const server = await serveOk();
    await askPublic(at(server), POST, { allow, lookup: answers(["127.0.0.1"]) });
    expect(proxy.sockets).toEqual([]);
  });

  test("leaves no connection behind, however long the server would keep it", { timeout: 60_000 }, async () => {
    const server = await serveRaw("HTTP/1.1 200 OK\r\nkeep-alive: timeout=600\r\ncontent-length: 2\r\n\r\nok", "stay");
    const reply = await askPublic(at(server), POST, { allow, lookup: answers(["127.0.0.1"]) });
    expect(reply.text()).toBe("ok");
    await gone(server);
  });

  test("names the host where it fails, and neither path nor query", async () => {
    const url = `http://hooks.example:${await closedPort()}/canary?canary`;
    const error = await refusal(askPublic(url, POST, { allow, lookup: answers(["127.0.0.1"]) }));
    expect(error.message).toBe('The host "hooks.example" cannot be reached (ECONNREFUSED).');
    expect(shown(error)).not.toMatch(/canary|127\.0\.0\.1/);
  });
});

function withResolvers() {
  let resolve: (addresses: readonly string[]) => void = () => {};
  const promise = new Promise<readonly string[]>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
