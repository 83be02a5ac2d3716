import diagnostics from "node:diagnostics_channel";
import type { IncomingMessage, RequestListener } from "node:http";
import { pino } from "pino";
import { describe, expect, test, vi } from "vitest";
import { createApp } from "../../src/http/app.ts";
import { EventStreams } from "../../src/http/event-streams.ts";
import { sendReply } from "../../src/http/reply.ts";
import { createServer } from "../../src/http/server.ts";
import { LIMITS } from "../../src/limits.ts";
import { type Access, openAccess, ROOT } from "../access/support.ts";
import { PROJECT } from "../domain/support.ts";
import { echo, expectRefusal, openServer, pending, Wire } from "../limits/support.ts";
import { ROOT_TOKEN, SETTINGS, withTokens } from "./support.ts";

/** Requests on one connection that do not wait for one another's replies, as HTTP/1.1 lets a client send them. */

const get = (path: string, ...lines: readonly string[]) => [`GET ${path} HTTP/1.1`, "Host: 127.0.0.1", ...lines, "", ""].join("\r\n");
const WATCH = `/env/${PROJECT}/staging/watch`;
const WAIT = `/env/${PROJECT}/staging/active?wait=30s&after=1`;

interface Scene extends Access {
  readonly port: number;
  /** One request with a token that may read. */
  asks(path: string, ...lines: readonly string[]): string;
  edit(): Promise<unknown>;
  /** A number out of the metrics. */
  metric(name: "streams" | "watchers"): Promise<number>;
}

async function scene(): Promise<Scene> {
  const access = await openAccess();
  const { domain, project } = access;
  await project.create("staging");
  const authentication = await withTokens(domain);
  const logger = pino({ level: "silent" });
  // A test may ask again and again until something is so.
  const settings = { ...SETTINGS, requestsPerSecond: { perToken: 1_000_000, perAddress: 1_000_000 } };
  const port = await openServer(createApp({ domain, settings, logger, authentication, readiness: async () => ({}) }));
  const { token } = await domain.tokens.create(ROOT, { name: "a reader", role: "reader", projects: [PROJECT] });
  let edits = 0;
  return {
    ...access,
    port,
    asks: (path, ...lines) => get(path, `Authorization: Bearer ${token}`, ...lines),
    edit: () => project.configure("staging", { vars: { N: String(edits++) } }),
    async metric(name) {
      const reply = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { authorization: `Bearer ${ROOT_TOKEN}` } });
      const text = await reply.text();
      return Number(new RegExp(`^environment_manager_${name} (\\d+)$`, "m").exec(text)?.[1]);
    },
  };
}

/** Lines of server-sent events and nothing else; the last one may have broken off. */
const EVENTS = /^(?:(?:retry|id|data): ?[^\n]*\n|:\n|\n)*[^\n]*$/;

describe("what comes with a watch, behind it, never gets into it:", () => {
  test.each([
    ["what is no request", "smuggled\r\n\r\n"],
    ["a tunnel", "CONNECT smuggled:443 HTTP/1.1\r\nHost: smuggled:443\r\n\r\n"],
    ["an expectation that nobody knows", get("/env", "Expect: smuggled")],
    ["an expectation that is met", get("/env", "Expect: 100-continue")],
    ["two Hosts", get("/env", "Host: smuggled")],
    ["another request", get("/env")],
  ])("%s", async (_what, behind) => {
    const { port, asks, edit, domain } = await scene();
    const wire = new Wire(port).send(asks(WATCH) + behind);
    // It begins, or the connection ends.
    await Promise.race([wire.receive(/id: 1\n/), wire.closed]);
    await edit();
    await Promise.race([wire.receive(/id: 2\n/), wire.closed]);
    domain.news.close();
    await wire.closed;
    const [head = "", body = "", ...more] = (await wire.receive(/(?:)/)).split("\r\n\r\n");
    expect(more).toEqual([]);
    if (head === "") return;
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(body).toMatch(EVENTS);
    expect(body).not.toMatch(/HTTP|smuggled/);
  });
});

describe("a connection that ends before the turn of the replies that wait on it", () => {
  test("gives back their places among the streams, and among those who watch", async () => {
    const { port, asks, metric } = await scene();
    const behind = [WATCH, `/env/${PROJECT}/watch`, WAIT, `/env/${PROJECT}/audit/export`].map((path) => asks(path));
    const wire = new Wire(port).send(asks(WAIT) + behind.join(""));
    while ((await metric("streams")) < 5 || (await metric("watchers")) < 1) await new Promise(setImmediate);
    wire.socket.destroy();
    while ((await metric("streams")) > 0 || (await metric("watchers")) > 0) await new Promise(setImmediate);
    const next = Array.from({ length: LIMITS.streamsPerToken }, () => new Wire(port).send(asks(WATCH)));
    const heads = await Promise.all(next.map((one) => one.receive(/^[^\r]+\r\n/)));
    expect(new Set(heads.map((head) => head.slice(9, 12)))).toEqual(new Set(["200"]));
  });

  test("ends the reading of lines that are sent by nobody", async () => {
    const over = pending<void>();
    async function* lines() {
      try {
        while (true) yield "x".repeat(LIMITS.linesLength);
      } finally {
        over.resolve();
      }
    }
    let sent: Promise<void> | undefined;
    const first = pending<IncomingMessage>();
    const port = await openServer((request, response) => {
      if (request.url === "/first") first.resolve(request);
      else sent = sendReply(request, response, { lines: lines() });
    });
    const wire = new Wire(port).send(get("/first") + get("/second"));
    await first.promise;
    wire.socket.destroy();
    await over.promise;
    await sent;
  });
});

test("a stream that nobody reads is cut off with its connection, also before its turn", async () => {
  const [gone, begun] = [pending<void>(), pending<void>()];
  const streams = new EventStreams({ ...LIMITS, watchBufferBytes: 64 * 1024 });
  const port = await openServer((request, response) => {
    if (request.url === "/first") return;
    streams.send(request, response, {
      view: "whole",
      watch(watcher) {
        const type = "projectWatched";
        for (let seq = 1; seq < 100; seq++) watcher.tell([{ type, project_id: "x".repeat(10_000), seq }]);
        begun.resolve();
        return () => gone.resolve();
      },
    });
  });
  const wire = new Wire(port).send(get("/first") + get("/second"));
  await begun.promise;
  await gone.promise;
  expect(await wire.replies()).toEqual([]);
});

test("a watch that fails when it has begun ends its connection, and holds nothing", async () => {
  const { port, asks, metric, domain } = await scene();
  const watch = vi.spyOn(domain.watches, "watch").mockImplementation(() => {
    throw new Error("broken");
  });
  const wire = new Wire(port).send(asks(WATCH));
  await wire.closed;
  expect(await wire.receive(/(?:)/)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(await metric("streams")).toBe(0);
  watch.mockRestore();
  await new Wire(port).send(asks(WATCH)).receive(/id: 1\n/);
});

describe("the server", () => {
  test("reads nothing any more of a connection on which it refused something, however long the reply before it takes", async () => {
    let begun = 0;
    const count = () => {
      begun++;
    };
    const first = pending<IncomingMessage>();
    const go = pending<void>();
    const port = await openServer(async (request, response) => {
      first.resolve(request);
      await go.promise;
      echo(request, response);
    });
    diagnostics.subscribe("http.server.request.start", count);
    try {
      const wire = new Wire(port).send(get("/first") + get("/refused", "Expect: smuggled"));
      const { socket } = await first.promise;
      const more = get("/more").repeat(100);
      const before = socket.bytesRead;
      wire.send(more);
      while (socket.bytesRead < before + more.length) await new Promise(setImmediate);
      expect(begun).toBe(2);
      go.resolve();
      const replies = await wire.replies();
      expect(replies.map(({ status }) => status)).toEqual([200, 400]);
      for (const refused of replies.slice(1)) expectRefusal(refused, 400, "invalid_request");
    } finally {
      diagnostics.unsubscribe("http.server.request.start", count);
    }
  });

  test("does not refuse in the middle of a reply, also where the one behind it was given up", async () => {
    const go = pending<void>();
    const port = await openServer(async (request, response) => {
      if (request.url === "/given-up") {
        response.destroy();
        return;
      }
      response.writeHead(200, { "content-length": 8 }).write("half");
      await go.promise;
      response.end("half");
    });
    const wire = new Wire(port).send(`${get("/first")}${get("/given-up")}smuggled\r\n\r\n`);
    await wire.receive(/half/);
    go.resolve();
    expect((await wire.reply()).text).toBe("halfhalf");
  });

  test("carries nothing out that comes behind the last request of its connection, once it is about to stop", async () => {
    const urls: unknown[] = [];
    const listener: RequestListener = (request, response) => {
      urls.push(request.url);
      // Later than the next request comes.
      setImmediate(() => echo(request, response));
    };
    const server = createServer(Promise.resolve(listener));
    const wire = new Wire(Number(new URL(await server.listen(0, "127.0.0.1")).port));
    await wire.send(get("/before")).receive(/before/);
    server.drain();
    await wire.send(get("/last") + get("/smuggled")).closed;
    expect(urls).toEqual(["/before", "/last"]);
    await server.close(0);
  });

  test.each([
    ["that is there then", (app: ReturnType<typeof pending<RequestListener>>, listener: RequestListener) => app.resolve(listener)],
    ["that never comes", (app: ReturnType<typeof pending<RequestListener>>) => app.reject(new Error("no"))],
  ])("leaves what it refused before there was an app to no app %s", async (_what, settle) => {
    const app = pending<RequestListener>();
    const asked = vi.fn<RequestListener>();
    const server = createServer(app.promise);
    const port = Number(new URL(await server.listen(0, "127.0.0.1")).port);
    const wire = new Wire(port).send("POST /early HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nsmuggled\r\n");
    expectRefusal(await wire.reply(), 400, "invalid_request");
    settle(app, asked);
    // Whatever comes of it comes before this is answered.
    await new Promise(setImmediate);
    expect(asked).not.toHaveBeenCalled();
    await server.close(0);
  });
});
