import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { echo, expectRefusal, openServer, pending, Wire } from "./support.ts";

/** Long enough for a busy machine to answer who is in time, and short enough to wait for. */
const SHORT_MS = 1_000;

/** A request whose target, header names and header values have so many bytes, in so many lines. */
function request(bytes: number, lines: number): string {
  const others = Array.from({ length: lines - 2 }, (_, index) => [`X${index}`, ""]);
  const headers = [["Host", "a"], ["Connection", "close"], ...others];
  const target = "/".padEnd(bytes - headers.flat().join("").length, "x");
  return `GET ${target} HTTP/1.1\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
}

describe("a request's headers", () => {
  test("together with its target: as many bytes as there may be, and one more", async () => {
    const port = await openServer(echo);
    expect((await new Wire(port).send(request(LIMITS.headerBytes, 10)).reply()).status).toBe(200);
    expectRefusal(await new Wire(port).send(request(LIMITS.headerBytes + 1, 10)).reply(), 431, "headers_too_large");
  });

  test("as many lines as there may be, and one more", async () => {
    const port = await openServer(echo);
    expect((await new Wire(port).send(request(5_000, LIMITS.headers)).reply()).status).toBe(200);
    expectRefusal(await new Wire(port).send(request(5_000, LIMITS.headers + 1)).reply(), 431, "headers_too_large");
  });
});

/** Sends a little now and then, for as long as it can. */
function drip(wire: Wire, bytes: string): void {
  const timer = setInterval(() => wire.send(bytes), SHORT_MS / 50);
  wire.socket.once("close", () => clearInterval(timer));
}

describe("a client that is slow", () => {
  test("with its headers is refused; one whose headers came in time may take longer for its body", async () => {
    const port = await openServer(echo, { headersMs: SHORT_MS, slowCheckMs: 10 });
    const inTime = new Wire(port).send("POST /in-time HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\nab");
    await once(inTime.socket, "connect");
    const late = new Wire(port).send("POST /late HTTP/1.1\r\nHost: a\r\n");
    drip(late, "X-A: b\r\n");
    const silent = new Wire(port);
    expectRefusal(await late.reply(), 408, "request_timeout");
    expectRefusal(await silent.reply(), 408, "request_timeout");
    expect(JSON.parse((await inTime.send("cd").reply()).text)).toMatchObject({ url: "/in-time", body: "abcd" });
  });

  test.each([
    ["with a body that says its length", "Content-Length: 1000000", "x"],
    ["with a body in chunks", "Transfer-Encoding: chunked", "1\r\nx\r\n"],
  ])("%s is refused, however it drips", async (_what, header, bytes) => {
    const port = await openServer(echo, {
      headersMs: SHORT_MS,
      requestMs: SHORT_MS,
      slowCheckMs: 10,
    });
    const late = new Wire(port).send(`POST /late HTTP/1.1\r\nHost: a\r\n${header}\r\n\r\n`);
    drip(late, bytes);
    expectRefusal(await late.reply(), 408, "request_timeout");
    const next = new Wire(port).send("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\nab", "cd");
    expect(JSON.parse((await next.reply()).text)).toMatchObject({ body: "abcd" });
  });

  test("to read is cut off once it takes nothing any more", async () => {
    const over = pending<void>();
    const port = await openServer(
      (_asked, response) => {
        response.once("close", () => over.resolve());
        response.end(Buffer.alloc(LIMITS.stateBodyBytes));
      },
      { stalledMs: SHORT_MS },
    );
    const wire = new Wire(port).send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    wire.socket.pause();
    await over.promise;
    wire.socket.resume();
    await wire.closed;
    expect(wire.socket.bytesRead).toBeLessThan(LIMITS.stateBodyBytes);
  });
});

test("a connection that carries nothing for too long is cut off, and one that carries a little now and then is not", async () => {
  const cut = pending<void>();
  const port = await openServer(
    (asked, response) => {
      response.writeHead(200, { connection: "close" }).write(":");
      if (asked.url === "/silent") response.once("close", () => cut.resolve());
      else {
        const timer = setInterval(() => response.write(":"), SHORT_MS / 50);
        cut.promise.then(() => {
          clearInterval(timer);
          response.end("the end");
        });
      }
    },
    { stalledMs: SHORT_MS },
  );
  const talking = new Wire(port).send("GET /talking HTTP/1.1\r\nHost: a\r\n\r\n");
  await talking.receive(/:/);
  const silent = new Wire(port).send("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n");
  await silent.closed;
  await talking.receive(/the end/);
});

test("an idle connection is closed, and until then it may be used again", async () => {
  const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const port = await openServer(echo);
  const kept = new Wire(port).send(get);
  expect(await kept.receive(/\}$/)).toContain(`Keep-Alive: timeout=${LIMITS.keepAliveMs / 1_000}\r\n`);
  await kept.send(get).receive(/\}[\s\S]+\}$/);
  const impatient = await openServer(echo, { keepAliveMs: 1 });
  expect((await new Wire(impatient).send(get).reply()).status).toBe(200);
});

test("who was refused and goes on sending is cut off after a while", async () => {
  const port = await openServer(echo, { refusedMs: SHORT_MS });
  const wire = new Wire(port, { allowHalfOpen: true });
  drip(wire, "no request");
  expectRefusal(await wire.reply(), 400, "invalid_request");
  expect(await wire.closed).toBe("by an error");
});

test("as many connections as there may be, and one more: that is closed, until another one ends", async () => {
  const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const port = await openServer(echo, { connections: 3 });
  const wires = [new Wire(port), new Wire(port), new Wire(port)];
  for (const wire of wires) await wire.send(get).receive(/\}$/);
  const late = new Wire(port).send(get);
  expect(await late.replies()).toEqual([]);
  wires[1]?.socket.end();
  await wires[1]?.closed;
  // The server hears of it in its own time.
  for (let replies = 0; replies === 0; ) {
    const wire = new Wire(port).send(get.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
    replies = (await wire.replies()).length;
  }
  await wires[0]?.send(get).receive(/\}[\s\S]+\}$/);
});
