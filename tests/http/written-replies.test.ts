import type { IncomingMessage, ServerResponse } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { setSecurityHeaders } from "../../src/http/guards.ts";
import { type BodyReply, sendReply } from "../../src/http/reply.ts";
import { WrittenReplies } from "../../src/http/written-replies.ts";
import { serve } from "./support.ts";

const REPLY: BodyReply = { body: { status: "updated", name: "plain" }, tag: "a-tag" };

interface Asked {
  readonly method?: string;
  readonly version?: string;
  readonly reply?: BodyReply;
  /** Headers that the reply has already. */
  readonly more?: Readonly<Record<string, string>>;
}

/** Serves what is asked one after another on one connection, and answers all that came back, but for its dates; and what was sent how. */
async function answered(asked: readonly Asked[], send: (request: IncomingMessage, response: ServerResponse, reply: BodyReply) => unknown) {
  let next = 0;
  const { port } = await serve((request, response) => {
    const { reply = REPLY, more = {} } = asked[next] ?? {};
    response.setHeader("x-request-id", `id-${next++}`);
    setSecurityHeaders(response, false);
    for (const [name, value] of Object.entries(more)) response.setHeader(name, value);
    void send(request, response, reply);
  });
  const lines = asked.map(({ method = "PATCH", version = "1.1" }, index) => {
    const connection = index === asked.length - 1 ? "close" : "keep-alive";
    return `${method} / HTTP/${version}\r\nHost: 127.0.0.1\r\nConnection: ${connection}\r\n\r\n`;
  });
  const socket = connect(port, "127.0.0.1");
  socket.write(lines.join(""));
  return (await text(socket)).replace(/\r\nDate: [^\r]+/g, "");
}

async function both(asked: readonly Asked[]) {
  const replies = new WrittenReplies();
  const taken: boolean[] = [];
  const ready = await answered(asked, (request, response, reply) => {
    const isTaken = replies.send(request, response, reply);
    taken.push(isTaken);
    return isTaken || sendReply(request, response, reply);
  });
  return { ready, usual: await answered(asked, sendReply), taken };
}

test("a write is answered with the bytes that Node would have made, the first time and each time after", async () => {
  const bodies = ["plain", "Zoë", "\u{1f600}", '"\n'].map((name): Asked => ({ reply: { body: { name }, tag: `tag-${name.length}` } }));
  const { ready, usual, taken } = await both([{}, {}, ...bodies, {}]);
  expect(ready).toBe(usual);
  expect(ready.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(7);
  expect(taken).not.toContain(false);
});

test.each<[string, Asked]>([
  ["a read", { method: "GET" }],
  ["a reply without a tag", { reply: { body: REPLY.body } }],
  ["another status", { reply: { ...REPLY, status: 201 } }],
  ["a reply with a header of its own", { reply: { ...REPLY, headers: { location: "/env" } } }],
  ["a reply that had another header before", { more: { vary: "Origin" } }],
  ["HTTP/1.0", { version: "1.0" }],
])("what is not like others is left to be answered as usual: %s", async (_, asked) => {
  const { ready, usual, taken } = await both([{}, {}, asked, {}]);
  expect(ready).toBe(usual);
  expect(taken).toEqual([true, true, false, true]);
});
