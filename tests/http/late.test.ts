import type { RequestListener } from "node:http";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { lateListener } from "../../src/http/late.ts";
import { gate } from "../domain/support.ts";
import { openServer } from "../limits/support.ts";

const answering: RequestListener = (request, response) => void response.end(request.url);
const refusing = (_error: unknown, _request: unknown, response: Parameters<RequestListener>[1]) => void response.writeHead(500).end();

test("is loaded once, with the first request, and those that come meanwhile are answered in their turn", async () => {
  const go = gate();
  let loads = 0;
  const late = lateListener(async () => {
    loads++;
    await go.opened;
    return answering;
  }, refusing);
  const port = await openServer(late);
  expect(loads).toBe(0);

  const socket = connect(port, "127.0.0.1").setEncoding("utf8");
  const end = "HTTP/1.1\r\nhost: localhost\r\n";
  socket.write(`GET /first ${end}\r\nGET /second ${end}connection: close\r\n\r\n`);
  const other = fetch(`http://127.0.0.1:${port}/other`).then((reply) => reply.text());
  go.open();
  const told = (await socket.toArray()).join("");
  expect(told.indexOf("/first")).toBeGreaterThan(0);
  expect(told.indexOf("/second")).toBeGreaterThan(told.indexOf("/first"));
  expect(await other).toBe("/other");
  expect(loads).toBe(1);
});

test("is loaded again where it could not be loaded, and the request is answered", async () => {
  let loads = 0;
  const late = lateListener(async () => {
    if (++loads === 1) throw new Error("no such file");
    return answering;
  }, refusing);
  const port = await openServer(late);
  expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(500);
  expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(200);
});

test("whoever left while it was loaded is not served: they may have asked again", async () => {
  const [asked, left, go] = [gate(), gate(), gate()];
  const served: (string | undefined)[] = [];
  const late = lateListener(async () => {
    await go.opened;
    return (request, response) => {
      served.push(request.url);
      answering(request, response);
    };
  }, refusing);
  const port = await openServer((request, response) => {
    if (request.url === "/behind") asked.open();
    response.once("close", left.open);
    late(request, response);
  });
  const end = "HTTP/1.1\r\nhost: localhost\r\n\r\n";
  const socket = connect(port, "127.0.0.1").on("error", () => {});
  socket.write(`GET /gone ${end}GET /behind ${end}`);
  await asked.opened;
  socket.destroy();
  await left.opened;
  const stays = fetch(`http://127.0.0.1:${port}/stays`).then((reply) => reply.text());
  go.open();
  expect(await stays).toBe("/stays");
  expect(served).toEqual(["/stays"]);
});

test("a request that was answered while it waited is not answered again", async () => {
  const go = gate();
  const late = lateListener(async () => {
    await go.opened;
    return () => {
      throw new Error("asked twice");
    };
  }, refusing);
  const port = await openServer((request, response) => {
    late(request, response);
    response.writeHead(431).end();
    go.open();
  });
  expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(431);
});
