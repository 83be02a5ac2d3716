import { getEventListeners, once } from "node:events";
import { createServer } from "node:net";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import { closedPort, engineAt, failureOf, gone, listen, refusal, serve, serveRaw, shown } from "./support.ts";

const GET = { method: "GET" } as const;

describe("a reply of more bytes than are allowed is cut, and its connection destroyed:", () => {
  test("one that says so is not even read", async () => {
    const server = await serve((_, response) => response.writeHead(200, { "content-length": 1e12 }).flushHeaders());
    expect(await failureOf(engineAt(server.url).request(["a"], GET))).toBe("engine_unavailable: too_large");
    await gone(server);
  });

  test("one that never ends", async () => {
    const server = await serve((_, response) => {
      const write = () => {
        while (!response.destroyed && response.write("x".repeat(10_000)));
      };
      response.on("drain", write);
      write();
    });
    const error = await refusal(engineAt(server.url).request(["a"], { ...GET, maxResponseBytes: 100_000 }));
    expect(error.details).toEqual({ failure: "too_large" });
    expect(error.message).toBe("The Test engine answers with more than 100000 bytes.");
    await gone(server);
  });

  test("one byte too many, and not one byte less", async () => {
    const { url } = await serve((request, response) => response.end("x".repeat(Number(request.url?.slice(1)))));
    const target = engineAt(url);
    expect((await target.request(["5000"], { ...GET, maxResponseBytes: 5_000 })).text()).toBe("x".repeat(5_000));
    expect((await target.request(["0"], { ...GET, maxResponseBytes: 0 })).text()).toBe("");
    expect(await failureOf(target.request(["5001"], { ...GET, maxResponseBytes: 5_000 }))).toBe("engine_unavailable: too_large");
  });

  test("the bound where none is given is 1 MiB", async () => {
    const { url } = await serve((request, response) => response.end(Buffer.alloc(1024 * 1024 + Number(request.url?.slice(1)), "x")));
    const target = engineAt(url);
    expect((await target.request(["0"], GET)).text().length).toBe(1024 * 1024);
    expect(await failureOf(target.request(["1"], GET))).toBe("engine_unavailable: too_large");
  });

  test("many small chunks within the bound come whole", async () => {
    const text = Array.from({ length: 3_000 }, (_, nth) => `${nth};`).join("");
    const { url } = await serve((_, response) => {
      for (const character of text) response.write(character);
      response.end();
    });
    expect((await engineAt(url).request(["a"], GET)).text()).toBe(text);
  });

  test("headers of more than 16 KiB", async () => {
    const { url } = await serveRaw(`HTTP/1.1 200 OK\r\nx-long: ${"canary".repeat(4_000)}\r\ncontent-length: 0\r\n\r\n`);
    expect(await failureOf(engineAt(url).request(["a"], GET))).toBe("engine_unavailable: malformed");
  });

  test("compressed bodies, which are never asked for", async () => {
    const bomb = gzipSync(Buffer.alloc(10_000_000));
    const server = await serve((_, response) => response.writeHead(200, { "content-encoding": "gzip" }).end(bomb));
    expect(await failureOf(engineAt(server.url).request(["a"], GET))).toBe("engine_unavailable: malformed");
    await gone(server);
  });
});

describe("a reply whose length is a lie", () => {
  test("is broken off where it is shorter than it says", async () => {
    const { url } = await serveRaw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\ncanary");
    const error = await refusal(engineAt(url).request(["a"], GET));
    expect(error.message).toBe("The Test engine broke off before the reply was complete (UND_ERR_SOCKET).");
    expect(error.details).toEqual({ failure: "broken" });
    expect(shown(error)).not.toContain("canary");
  });

  test("is what it says where it is longer, and the rest is no answer to the next request", async () => {
    const { url, sockets } = await serveRaw(
      "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
      "stay",
    );
    const target = engineAt(url);
    for (let nth = 0; nth < 3; nth++) expect((await target.request(["a"], GET)).text()).toBe("hello");
    expect(sockets.length).toBe(3);
  });
});

describe("a reply that is not HTTP is refused:", () => {
  test.each([
    ["another protocol", "SSH-2.0-canary\r\n"],
    ["an unknown status line", "HTTP/1.1 canary\r\n\r\n"],
    ["two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\ncanary"],
    ["a length and chunks", "HTTP/1.1 200 OK\r\ncontent-length: 6\r\ntransfer-encoding: chunked\r\n\r\n6\r\ncanary\r\n0\r\n\r\n"],
    ["chunks of no size", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\ncanary\r\n"],
    ["a header without a colon", "HTTP/1.1 200 OK\r\ncanary\r\n\r\n"],
  ])("%s", async (_, bytes) => {
    const { url } = await serveRaw(bytes);
    const error = await refusal(engineAt(url).request(["a"], GET));
    expect([error.code, error.details]).toEqual(["engine_unavailable", { failure: "malformed" }]);
    expect(shown(error)).not.toContain("canary");
  });

  test.each([
    ["nothing at all", ""],
    ["an upgrade that nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nupgrade: canary\r\nconnection: upgrade\r\n\r\n"],
    ["half of its headers", "HTTP/1.1 200 OK\r\nx-canary: 1"],
  ])("%s", async (_, bytes) => {
    const { url } = await serveRaw(bytes);
    const error = await refusal(engineAt(url).request(["a"], GET));
    expect(error.code).toBe("engine_unavailable");
    expect(shown(error)).not.toContain("canary");
  });
});

describe("a request ends", () => {
  test("when no headers come in time", async () => {
    const server = await serve(() => {});
    const error = await refusal(engineAt(server.url).request(["canary"], { ...GET, timeoutMs: 50 }));
    expect(error.message).toBe("The Test engine did not answer within 50 ms.");
    expect(error.details).toEqual({ failure: "timeout" });
    expect(shown(error)).not.toContain("canary");
    await gone(server);
  });

  test("when the body stops half-way", async () => {
    const server = await serve((_, response) => response.write("half"));
    expect(await failureOf(engineAt(server.url).request(["a"], { ...GET, timeoutMs: 50 }))).toBe("engine_unavailable: timeout");
    await gone(server);
  });

  test("when the body drips without end, within its bound", async () => {
    const server = await serve((_, response) => {
      const drip = () => response.write("x", () => setImmediate(drip));
      drip();
    });
    const bounds = { timeoutMs: 50, maxResponseBytes: 1e9 };
    expect(await failureOf(engineAt(server.url).request(["a"], { ...GET, ...bounds }))).toBe("engine_unavailable: timeout");
    await gone(server);
  });

  test("when informational replies come without end", async () => {
    const server = await listen(
      createServer((socket) => {
        const hint = () => socket.writable && socket.write("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n", () => setImmediate(hint));
        socket.once("data", hint);
      }),
    );
    expect(await failureOf(engineAt(server.url).request(["a"], { ...GET, timeoutMs: 50 }))).toBe("engine_unavailable: timeout");
    await gone(server);
  });

  test("when the other side does not read what it is sent", async () => {
    const server = await listen(createServer((socket) => socket.pause()));
    const body = Buffer.alloc(32 * 1024 * 1024);
    const asked = engineAt(server.url).request(["a"], { method: "POST", body, timeoutMs: 50 });
    expect(await failureOf(asked)).toBe("engine_unavailable: timeout");
  });

  test("while it waits for a connection, and then is never sent", async () => {
    const { url, hits, arrived } = await serve(() => {});
    const target = engineAt(url);
    const first = Array.from({ length: 16 }, (_, nth) => failureOf(target.request([`${nth}`], GET)));
    await arrived(16);
    expect(await failureOf(target.request(["late"], { ...GET, timeoutMs: 50 }))).toBe("engine_unavailable: timeout");
    await target.close();
    await Promise.all(first);
    expect(hits).not.toContain("GET /late");
  });

  test("when its caller gives up, without a trace in the caller's signal", async () => {
    const server = await serve(() => {});
    const caller = new AbortController();
    const asked = failureOf(engineAt(server.url).request(["a"], { ...GET, signal: caller.signal }));
    await server.arrived(1);
    caller.abort();
    expect(await asked).toBe("engine_unavailable: aborted");
    expect(getEventListeners(caller.signal, "abort")).toEqual([]);
    await gone(server);
  });

  test("with the caller's own reason, where that is an error of the engine", async () => {
    const { url } = await serve(() => {});
    const caller = new AbortController();
    const asked = failureOf(engineAt(url).request(["a"], { ...GET, signal: caller.signal }));
    caller.abort(new AppError("overloaded"));
    expect(await asked).toBe("overloaded");
  });

  test("before it begins, where its caller has given up already", async () => {
    const { url, sockets } = await serve(() => {});
    expect(await failureOf(engineAt(url).request(["a"], { ...GET, signal: AbortSignal.abort() }))).toBe("engine_unavailable: aborted");
    expect(sockets).toEqual([]);
  });

  test("and gives its connection's place back, however it ends", async () => {
    const together: (() => void)[] = [];
    const { url } = await serve((request, response) => {
      const end = request.url?.slice(1);
      if (end === "large") response.end("x".repeat(1_000));
      else if (end === "compressed") response.setHeader("content-encoding", "gzip").end("x");
      else if (end === "broken") response.write("x", () => response.destroy());
      else if (end === "malformed") request.socket.end("canary\r\n");
      else if (end === "together" && together.push(() => response.end("ok")) === 16) for (const answer of together) answer();
    });
    const target = engineAt(url);
    const ends = ["large", "compressed", "broken", "malformed", "silent"];
    const asked = Array.from({ length: 200 }, (_, nth) => {
      const caller = new AbortController();
      if (nth % 7 === 0) setImmediate(() => caller.abort());
      const request = { ...GET, maxResponseBytes: 100, timeoutMs: 50 + nth, signal: caller.signal };
      return failureOf(target.request([ends[nth % ends.length] as string], request));
    });
    expect(new Set(await Promise.all(asked)).has("engine_unavailable: timeout")).toBe(true);
    // Sixteen answers that wait for one another come only where every place is free.
    const replies = await Promise.all(Array.from({ length: 16 }, () => target.request(["together"], GET)));
    expect(replies.map((reply) => reply.text())).toEqual(Array(16).fill("ok"));
  });

  test("well, without a trace in the caller's signal", async () => {
    const { url } = await serve((_, response) => response.end("ok"));
    const caller = new AbortController();
    const target = engineAt(url);
    for (let nth = 0; nth < 20; nth++) await target.request(["a"], { ...GET, signal: caller.signal });
    expect(getEventListeners(caller.signal, "abort")).toEqual([]);
  });
});

describe("an engine that is not there", () => {
  test("is unreachable for every request at once, however many wait", async () => {
    const target = engineAt(`http://canary:canary@127.0.0.1:${await closedPort()}/canary`);
    const asked = Array.from({ length: 100 }, () => refusal(target.request(["canary"], { ...GET })));
    const errors = await Promise.all(asked);
    expect(new Set(errors.map(({ message }) => message))).toEqual(new Set(["The Test engine cannot be reached (ECONNREFUSED)."]));
    expect(new Set(errors.map(({ details }) => details?.failure))).toEqual(new Set(["unreachable"]));
    expect(shown(errors[0])).not.toMatch(/canary|127\.0\.0\.1/);
  });

  test("is reached as soon as it is there", async () => {
    const port = await closedPort();
    const target = engineAt(`http://127.0.0.1:${port}`);
    expect(await failureOf(target.request(["a"], GET))).toBe("engine_unavailable: unreachable");
    const server = createServer((socket) => socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")));
    await once(server.listen(port, "127.0.0.1"), "listening");
    try {
      expect((await target.request(["a"], GET)).text()).toBe("ok");
    } finally {
      server.close();
    }
  });

  test("is unreachable where its name has no address", async () => {
    expect(await failureOf(engineAt("http://nobody.invalid").request(["a"], GET))).toBe("engine_unavailable: unreachable");
  });
});

describe("a body is JSON", () => {
  const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
  const serveBody = (body: string | Buffer) => serve((_, response) => response.end(body));

  test.each(['{"a":[1,2.5,null,true,"ü😀"]}', "null", '"text"', "\ufeff[]", nested(64)])("where it is %s", async (body) => {
    const { url } = await serveBody(body);
    expect((await engineAt(url).request(["a"], GET)).json()).toEqual(JSON.parse(body.replace("\ufeff", "")));
  });

  test.each<[string, string | Buffer]>([
    ["a page", "<html>canary</html>"],
    ["nothing", ""],
    ["half of it", '{"canary":'],
    ["deeper than the engine's own", nested(65)],
    ["very deep", nested(300_000)],
    ["of infinite numbers", "[1e999]"],
    ["of lone surrogates", '["canary\\ud800"]'],
    ["of lone surrogates in names", '{"canary\\udc00":1}'],
    ["of prototypes", '{"a":{"__proto__":{"canary":true}}}'],
    ["not UTF-8", Buffer.from([0x22, 0xff, 0x22])],
  ])("and not where it is %s", async (_, body) => {
    const { url } = await serveBody(body);
    const reply = await engineAt(url).request(["a"], GET);
    expect(reply.text()).toBe(new TextDecoder().decode(Buffer.from(body as string)));
    const error = await refusal(() => reply.json());
    expect([error.code, error.details]).toEqual(["engine_unavailable", { failure: "malformed" }]);
    expect(shown(error)).not.toContain("canary");
  });

  test("a status of 400 or more is a reply with its body and headers", async () => {
    const { url } = await serve((_, response) =>
      response
        .writeHead(
          503,
          [
            ["Retry-After", "7"],
            ["x-two", "1"],
            ["X-Two", "2"],
            ["__proto__", "x"],
          ].flat(),
        )
        .end('{"error":"down"}'),
    );
    const reply = await engineAt(url).request(["a"], GET);
    expect([reply.status, reply.json()]).toEqual([503, { error: "down" }]);
    expect([reply.headers.get("retry-after"), reply.headers.get("x-two"), reply.headers.get("__proto__")]).toEqual(["7", "1, 2", "x"]);
  });
});
