import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { Request } from "express";
import { expect, test } from "vitest";
import { Inside } from "../../src/http/inside.ts";
import { LIMITS } from "../../src/limits.ts";
import { pending } from "../limits/support.ts";

/** Whoever the engine asks itself for. */
const OUTER = { socket: { remoteAddress: "127.0.0.1" }, headers: { host: "engine" } } as unknown as Request;

test("a request from within that is given up ends for whoever answers it, also while they write", async () => {
  const begun = pending<ServerResponse>();
  const inside = new Inside((_request, response) => {
    response.write("x".repeat(1_000_000));
    begun.resolve(response);
  });
  const leave = new AbortController();
  const asked = inside.fetchFor(OUTER, "r-1")("http://engine/", { signal: leave.signal });
  asked.catch(() => {});
  const response = await begun.promise;
  const closed = once(response, "close");
  leave.abort();
  await closed;
  await expect(asked).rejects.toThrow();
});

test.each([
  ["before it has begun", ""],
  ["in the middle", "half"],
])("a reply to one that breaks off %s fails, and is not waited for", async (_what, written) => {
  const inside = new Inside((_request, response) => {
    if (written === "") response.destroy();
    else response.write(written, () => response.destroy());
  });
  await expect(inside.fetchFor(OUTER, "r-1")("http://engine/", {})).rejects.toThrow();
});

test("a reply is told up to so many bytes, and of a larger one that it is too large", async () => {
  let closed: Promise<unknown> = Promise.resolve();
  const inside = new Inside((request, response) => {
    closed = once(response, "close");
    response.end("x".repeat(Number(request.url?.slice(1))));
  });
  const ask = (bytes: number) => inside.fetchFor(OUTER, "r-1")(`http://engine/${bytes}`, {});
  const most = await ask(LIMITS.mcpReplyBytes);
  expect((await most.text()).length).toBe(LIMITS.mcpReplyBytes);
  const more = await ask(LIMITS.mcpReplyBytes + 1);
  expect(more.status).toBe(413);
  expect(await more.json()).toMatchObject({ status: "error", code: "too_large", request_id: "r-1" });
  await closed;
});

test("each ends its connection when it is over", async () => {
  const sockets: Request["socket"][] = [];
  const inside = new Inside((request, response) => {
    sockets.push(request.socket);
    response.end(request.url);
  });
  const reply = await inside.fetchFor(OUTER, "r-1")("http://engine/a?b=c", {});
  expect(await reply.text()).toBe("/a?b=c");
  const [socket] = sockets;
  if (socket?.closed === false) await once(socket, "close");
  expect(sockets).toHaveLength(1);
});
