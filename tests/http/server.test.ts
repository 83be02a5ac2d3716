import { once } from "node:events";
import { Agent, type IncomingMessage, type RequestListener, request } from "node:http";
import { connect } from "node:net";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { createApp } from "../../src/http/app.ts";
import { createServer } from "../../src/http/server.ts";
import { openWorld } from "../domain/support.ts";
import { echo, expectRefusal, openServer, pending, Wire } from "../limits/support.ts";
import { SETTINGS } from "./support.ts";

const GRACE_MS = 60_000;
const hello: RequestListener = (_request, response) => {
  response.end("hello");
};

describe("a server", () => {
  test("says where it listens", async () => {
    const server = createServer(Promise.resolve(hello));
    const url = await server.listen(0, "127.0.0.1");
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(await (await fetch(url)).text()).toBe("hello");
    await server.close(GRACE_MS);
  });

  test("holds requests that come before there is an app, and answers them then", async () => {
    const app = pending<RequestListener>();
    const server = createServer(app.promise);
    const url = await server.listen(0, "127.0.0.1");
    const early = fetch(url).then((reply) => reply.text());
    app.resolve(hello);
    expect(await early).toBe("hello");
    expect(await (await fetch(url)).text()).toBe("hello");
    await server.close(GRACE_MS);
  });

  test("answers 503 where the app cannot be loaded", async () => {
    const app = pending<RequestListener>();
    const server = createServer(app.promise);
    const url = await server.listen(0, "127.0.0.1");
    app.reject(new Error("no"));
    const reply = await fetch(url);
    expect(reply.status).toBe(503);
    expect(await reply.json()).toMatchObject({ status: "error", fix_suggestion: expect.stringMatching(/\S/) });
    await server.close(GRACE_MS);
  });

  test("rejects where the port is taken", async () => {
    const first = createServer(Promise.resolve(hello));
    const url = await first.listen(0, "127.0.0.1");
    const second = createServer(Promise.resolve(hello));
    await expect(second.listen(Number(new URL(url).port), "127.0.0.1")).rejects.toMatchObject({ code: "EADDRINUSE" });
    await first.close(GRACE_MS);
    await second.close(GRACE_MS);
  });

  test("finishes what is under way before it closes, and takes nothing more", async () => {
    const [arrived, go] = [pending<void>(), pending<void>()];
    const server = createServer(
      Promise.resolve(async (_request, response) => {
        arrived.resolve();
        await go.promise;
        response.end("done");
      }),
    );
    const url = await server.listen(0, "127.0.0.1");
    const reply = fetch(url);
    await arrived.promise;
    const closed = server.close(GRACE_MS);
    await expect(fetch(url)).rejects.toThrow();
    go.resolve();
    expect(await (await reply).text()).toBe("done");
    await closed;
  });

  test.each(["drain", "close"] as const)(
    "says with replies that were under way at its %s that their connections end: nobody sends another request on them",
    async (end) => {
      const [arrived, go] = [pending<void>(), pending<void>()];
      const server = createServer(
        Promise.resolve(async (request, response) => {
          if (request.url !== "/") return response.end("before");
          arrived.resolve();
          await go.promise;
          response.end("done");
        }),
      );
      const url = await server.listen(0, "127.0.0.1");
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const asked = (path: string) => {
        const sent = request(url + path, { agent }).end();
        return once(sent, "response") as Promise<[IncomingMessage]>;
      };
      const [before] = await asked("/before");
      expect(before.headers.connection).toBe("keep-alive");
      before.resume();
      const reply = asked("/");
      await arrived.promise;
      const closed = end === "close" ? server.close(GRACE_MS) : server.drain();
      go.resolve();
      const [last] = await reply;
      expect(last.headers.connection).toBe("close");
      last.resume();
      await closed;
      await server.close(GRACE_MS);
      agent.destroy();
    },
  );

  test("cuts off what does not finish in time", async () => {
    const server = createServer(Promise.resolve(() => {}));
    const url = await server.listen(0, "127.0.0.1");
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    const gone = pending<void>();
    socket.on("error", () => {}).once("close", () => gone.resolve());
    socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await once(socket, "connect");
    await server.close(1);
    await gone.promise;
  });
});

describe("what is no clear request is refused, and nothing after it is taken:", () => {
  const post = (...lines: readonly string[]) => ["POST /smuggled HTTP/1.1", "Host: a", ...lines, "", ""].join("\r\n");
  const get = (target: string, ...lines: readonly string[]) => [`GET ${target} HTTP/1.1`, "Host: a", ...lines, "", ""].join("\r\n");
  const chunks = "1\r\nx\r\n0\r\n\r\n";

  test.each([
    ["a Content-Length and a Transfer-Encoding", post("Content-Length: 4", "Transfer-Encoding: chunked") + chunks],
    ["a Transfer-Encoding and a Content-Length", post("Transfer-Encoding: chunked", "Content-Length: 4") + chunks],
    ["two lengths", `${post("Content-Length: 4", "Content-Length: 5")}abcde`],
    ["one length twice", `${post("Content-Length: 4", "Content-Length: 4")}abcd`],
    ["one length twice in one line", `${post("Content-Length: 4, 4")}abcd`],
    ["a length with a sign", `${post("Content-Length: +4")}abcd`],
    ["a length below zero", post("Content-Length: -1")],
    ["a length beyond all numbers", post("Content-Length: 99999999999999999999999")],
    ["a space before a colon", `${post("Content-Length : 4")}abcd`],
    ["a space before the first header", "GET / HTTP/1.1\r\n Host: smuggled\r\n\r\n"],
    ["a coding that is almost chunked", post("Transfer-Encoding: xchunked") + chunks],
    ["a coding after chunked", post("Transfer-Encoding: chunked, identity") + chunks],
    ["a coding before chunked", post("Transfer-Encoding: gzip, chunked") + chunks],
    ["a coding in a line of its own", post("Transfer-Encoding: chunked", "Transfer-Encoding: identity") + chunks],
    ["a coding that is none", post("Transfer-Encoding: identity")],
    ["a coding hidden behind a control character", post("Transfer-Encoding:\x0bchunked") + chunks],
    ["a coding in HTTP/1.0", post("Transfer-Encoding: chunked").replace("1.1", "1.0") + chunks],
    ["a header that goes on in the next line", get("/", "X-A: a", " smuggled: b")],
    ["a coding in the next line", post("Transfer-Encoding:", " chunked") + chunks],
    ["lines that end in a bare line feed", "GET / HTTP/1.1\nHost: a\n\n"],
    ["one line that ends in a bare line feed", "GET / HTTP/1.1\r\nHost: a\nX-Smuggled: b\r\n\r\n"],
    ["a bare carriage return", get("/", "X-A: a\rX-Smuggled: b")],
    ["a header with NUL in it", get("/", "X-A: a\0b")],
    ["no Host", "GET / HTTP/1.1\r\n\r\n"],
    ["two Hosts", get("/", "Host: smuggled")],
    ["two Hosts that are the same", get("/", "host: a")],
    ["a target that is no path", get("smuggled")],
    ["a target with a space", get("/smuggled path")],
    ["a target with NUL in it", get("/smuggled\0")],
    ["a target beyond ASCII", get("/smuggled\xe9")],
    ["a target with a fragment", get("/smuggled#there")],
    ["all of the server, to any method but OPTIONS", get("*")],
    ["a whole address of another host", get("http://smuggled/")],
    ["a whole address that only begins like the host", get("http://a@smuggled/")],
    ["a whole address of another scheme", get("ftp://a/")],
    ["a method that there is not", get("/").replace("GET", "SMUGGLE")],
    ["a tunnel", "CONNECT smuggled:443 HTTP/1.1\r\nHost: smuggled:443\r\n\r\n"],
    ["an expectation that nobody knows", `${post("Expect: smuggled", "Content-Length: 4")}abcd`],
    ["HTTP/0.9", "GET /smuggled\r\n\r\n"],
    ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["HTTP/0.9 with a version", get("/").replace("1.1", "0.9")],
    ["HTTP/2 in the words of HTTP/1.1", get("/").replace("1.1", "2.0")],
    ["HTTP/3", get("/").replace("1.1", "3.0")],
    ["TLS", Buffer.from("16030100c8010000c40303", "hex").toString("latin1")],
    ["nonsense", "smuggled\r\n\r\n"],
  ])("%s", async (_what, bytes) => {
    const urls: unknown[] = [];
    const port = await openServer((request, response) => {
      urls.push(request.url);
      echo(request, response);
    });
    const wire = new Wire(port).send(bytes, get("/smuggled"));
    expectRefusal(await wire.reply(), 400, "invalid_request");
    expect(urls).toEqual([]);
  });

  test.each([
    ["no number", "smuggled\r\n"],
    ["below zero", "-1\r\nx\r\n"],
    ["beyond all numbers", "fffffffffffffffff\r\nx\r\n"],
    ["that ends in a bare line feed", "1\nx\r\n0\r\n\r\n"],
    ["that is longer than it says", "1\r\nxsmuggled\r\n0\r\n\r\n"],
    ["with more said about it than there is room for", `1;${"x".repeat(20_000)}\r\nx\r\n0\r\n\r\n`],
    ["with a length after it", "1\r\nx\r\n0\r\nContent-Length: 3\r\n\r\n"],
  ])("a chunk %s", async (_what, bytes) => {
    const port = await openServer(echo);
    expectRefusal(await new Wire(port).send(post("Transfer-Encoding: chunked"), bytes, get("/smuggled")).reply(), 400, "invalid_request");
  });

  test("trailers that are larger than headers may be", async () => {
    const port = await openServer(echo);
    const wire = new Wire(port).send(post("Transfer-Encoding: chunked"), `1\r\nx\r\n0\r\nX-Large: ${"x".repeat(17_000)}\r\n\r\n`);
    expectRefusal(await wire.reply(), 431, "headers_too_large");
  });

  test("after a good request: it is answered first, in full", async () => {
    const [arrived, go] = [pending<void>(), pending<void>()];
    const port = await openServer(async (request, response) => {
      arrived.resolve();
      await go.promise;
      echo(request, response);
    });
    const wire = new Wire(port).send(get("/first"), "smuggled\r\n\r\n");
    await arrived.promise;
    go.resolve();
    const replies = await wire.replies();
    expect(replies.map(({ status }) => status)).toEqual([200, 400]);
    expect(JSON.parse(replies[0]!.text)).toMatchObject({ url: "/first" });
    expectRefusal(replies[1]!, 400, "invalid_request");
  });

  test("after a good request that was the last by its own word: only that is answered", async () => {
    const port = await openServer(echo);
    const wire = new Wire(port).send(get("/last", "Connection: close"), get("/smuggled"));
    expect(JSON.parse((await wire.reply()).text)).toMatchObject({ url: "/last" });
  });

  test("after a reply has begun: it breaks off, since nothing else can be said any more", async () => {
    const begun = pending<void>();
    const port = await openServer((_request, response) => {
      response.writeHead(200, { "content-length": 100 }).write("begun");
      begun.resolve();
    });
    const wire = new Wire(port).send(post("Transfer-Encoding: chunked"));
    await begun.promise;
    await wire.receive(/begun/);
    wire.send("smuggled\r\n");
    await wire.closed;
    expect(await wire.receive(/begun$/)).toMatch(/^HTTP\/1\.1 200 /);
  });

  test("a client that is still sending gets to read the refusal, and is not cut off while it does", async () => {
    const port = await openServer(echo, { refusedMs: 60_000 });
    const wire = new Wire(port, { allowHalfOpen: true }).send(get("/", `X-Large: ${"x".repeat(5_000_000)}`));
    expectRefusal(await wire.reply(), 431, "headers_too_large");
    await new Promise((resolve) => wire.socket.write("x".repeat(5_000_000), resolve));
    wire.socket.end();
    expect(await wire.closed).toBe("in peace");
  });

  test("a client that goes away in the middle of a request leaves nothing behind", async () => {
    const port = await openServer(echo);
    for (const bytes of ["GET / HT", get("/").slice(0, -2), post("Content-Length: 9"), "smuggled\r\n"]) {
      const wire = new Wire(port).send(bytes);
      await once(wire.socket, "connect");
      wire.socket.resetAndDestroy();
      await wire.closed;
    }
    const wire = new Wire(port).send(get("/still-there", "Connection: close"));
    expect((await wire.reply()).status).toBe(200);
  });
});

describe("what is a request is answered:", () => {
  const host = "Host: a:1\r\n";
  test.each([
    ["with a length", `POST /x HTTP/1.1\r\n${host}Content-Length: 4\r\n\r\nabcd`, { url: "/x", body: "abcd" }],
    ["in chunks", `POST /x HTTP/1.1\r\n${host}Transfer-Encoding: Chunked\r\n\r\n4;a=b\r\nabcd\r\n0\r\nX: y\r\n\r\n`, { body: "abcd" }],
    ["of HTTP/1.0, without a Host", "GET /x HTTP/1.0\r\n\r\n", { url: "/x" }],
    ["with a whole address of the same host", `GET HTTP://A:1/x?y=1 HTTP/1.1\r\n${host}\r\n`, { url: "/x?y=1" }],
    ["with a whole address without a path", `GET http://a:1?y=http://b HTTP/1.1\r\n${host}\r\n`, { url: "/?y=http://b" }],
    ["about all of the server", `OPTIONS * HTTP/1.1\r\n${host}\r\n`, { method: "OPTIONS", url: "*" }],
    [
      "with control characters behind percent signs, which stay there",
      `GET /%00%0d%0aX:%20y HTTP/1.1\r\n${host}\r\n`,
      { url: "/%00%0d%0aX:%20y" },
    ],
    [
      "with an offer to speak HTTP/2",
      `GET /x HTTP/1.1\r\n${host}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n`,
      { url: "/x" },
    ],
    [
      "with a body, and an offer to speak something else",
      `POST /x HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 4\r\n\r\nabcd`,
      { body: "abcd" },
    ],
  ])("one %s", async (_what, bytes, expected) => {
    const port = await openServer(echo);
    const wire = new Wire(port).send(bytes);
    await wire.receive(/\}$/);
    // The connection stays good for more, unless HTTP/1.0 ends it.
    wire.send(`GET /last HTTP/1.1\r\n${host}Connection: close\r\n\r\n`);
    const [first] = await wire.replies();
    expect(first!.status).toBe(200);
    expect(JSON.parse(first!.text)).toMatchObject(expected);
  });

  test("one that asks first whether it may send its body", async () => {
    const port = await openServer(echo);
    const wire = new Wire(port).send(`POST /x HTTP/1.1\r\n${host}Expect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n`);
    await wire.receive(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
    wire.send("abcd");
    const replies = await wire.replies();
    expect(replies.map(({ status }) => status)).toEqual([100, 200]);
    expect(JSON.parse(replies[1]!.text)).toMatchObject({ body: "abcd" });
  });

  test("several at once, in their order, however long each takes", async () => {
    const go = pending<void>();
    const port = await openServer(async (request, response) => {
      if (request.url === "/1") await go.promise;
      await echo(request, response);
      if (request.url === "/3") go.resolve();
    });
    const wire = new Wire(port).send(
      ...["/1", "/2", "/3"].map((path) => `GET ${path} HTTP/1.1\r\n${host}${path === "/3" ? "Connection: close\r\n" : ""}\r\n`),
    );
    expect((await wire.replies()).map(({ text }) => JSON.parse(text).url)).toEqual(["/1", "/2", "/3"]);
  });
});

describe("behind it, the app answers", () => {
  const host = "Host: localhost\r\nConnection: close\r\n\r\n";
  const serveEngine = async () => {
    const { domain } = await openWorld();
    const logger = pino({ level: "silent" });
    return openServer(createApp({ domain, settings: SETTINGS, logger, authentication: null, readiness: async () => ({}) }));
  };
  test.each([
    ["TRACE, which it has nowhere", "TRACE /env", 405, "method_not_allowed"],
    ["TRACE of what is no route", "TRACE /nowhere", 404, "route_not_found"],
    ["a method of WebDAV", "PROPFIND /env", 405, "method_not_allowed"],
    ["a question about all of the server", "OPTIONS *", 404, "route_not_found"],
    ["NUL in a name", "GET /env/%00/staging/active", 400, "invalid_name"],
    ["a line's end in a name", "GET /env/p%0d%0aX-Injected:%20y/staging/active", 400, "invalid_name"],
    ["a line's end in a query", "GET /env?limit=1%0d%0aX-Injected:%20y", 400, "invalid_request"],
    ["a path of another host, by its look", "GET //localhost/env", 404, "route_not_found"],
  ])("%s with an error", async (_what, line, status, code) => {
    const reply = await new Wire(await serveEngine()).send(`${line} HTTP/1.1\r\n${host}`).reply();
    expect({ status: reply.status, code: JSON.parse(reply.text).code }).toEqual({ status, code });
    expect(reply.headers).not.toHaveProperty("x-injected");
  });

  test("a whole address like its path", async () => {
    const reply = await new Wire(await serveEngine()).send(`GET http://localhost/healthz HTTP/1.1\r\n${host}`).reply();
    expect(reply.status).toBe(200);
  });
});
