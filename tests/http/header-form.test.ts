import { once } from "node:events";
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { HeaderForm } from "../../src/http/header-form.ts";

test("a head that is kept says keep-alive to nobody whose connection ends, and learns nothing of theirs", async () => {
  const form = new HeaderForm(200, [["content-length", null]]);
  const server = createServer((asked: IncomingMessage, response: ServerResponse) => {
    if (asked.url === "/last") response.setHeader("connection", "close");
    form.write(response, "an-id", ["2"]);
    response.end("{}");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const agent = new Agent({ keepAlive: true });
  const { port } = server.address() as AddressInfo;
  const read = async (path: string) => {
    const sent = request({ host: "127.0.0.1", port, path, agent }).end();
    const [reply] = (await once(sent, "response")) as [IncomingMessage];
    reply.resume();
    await once(reply, "end");
    const { connection, "x-request-id": id, "content-length": length } = reply.headers;
    return { connection, id, length };
  };
  const usual = { connection: "keep-alive", id: "an-id", length: "2" };
  // The first of a form is a last one: what it says is not kept.
  expect(await read("/last")).toEqual({ ...usual, connection: "close" });
  for (let n = 0; n < 3; n++) expect(await read("/")).toEqual(usual);
  expect(await read("/last")).toEqual({ ...usual, connection: "close" });
  expect(await read("/")).toEqual(usual);
  agent.destroy();
  server.closeAllConnections();
  server.close();
});
