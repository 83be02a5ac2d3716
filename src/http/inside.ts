import { createServer, type IncomingHttpHeaders, type RequestListener, type Server, request as send } from "node:http";
import { duplexPair } from "node:stream";
import type { Request } from "express";
import { LIMITS } from "../limits.ts";
import type { ErrorReply } from "../schemas/operations.ts";

type Fetch = (input: string, init: RequestInit) => Promise<Response>;

/** What says who asks, from where and through what: it goes along, so that the request is judged as its sender's. */
const CARRIED = [
  "authorization",
  "host",
  "origin",
  "traceparent",
  "tracestate",
  "x-actor",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
] as const;

/**
 * Requests to the engine from within: HTTP like any other, over a connection that is in memory. They come in by the front door, so that
 * every guard, right, rate and record is as it is for everybody.
 */
export class Inside {
  readonly #server: Server;

  constructor(listener: RequestListener) {
    this.#server = createServer(listener);
  }

  /**
   * Asks as whoever sent `outer`: with their token, from their address, under the same request id. What is answered is kept in memory, so that
   * of more than `LIMITS.mcpReplyBytes` nothing is told but that: 413 `too_large`.
   */
  fetchFor(outer: Request, requestId: string): Fetch {
    const { remoteAddress, encrypted } = outer.socket as { readonly remoteAddress?: string; readonly encrypted?: boolean };
    const carried = carriedOf(outer.headers, requestId);
    return (input, { method = "GET", headers, body, signal }) =>
      new Promise((resolve, reject) => {
        const [near, far] = duplexPair();
        Object.defineProperties(far, { remoteAddress: { value: remoteAddress }, encrypted: { value: encrypted } });
        const { pathname, search } = new URL(input);
        const asked = send({
          method,
          path: pathname + search,
          headers: { ...(headers as Readonly<Record<string, string>>), ...carried },
          createConnection: () => near,
          ...(signal != null && { signal }),
        });
        asked.once("error", reject).once("response", (response) => {
          const chunks: Buffer[] = [];
          let bytes = 0;
          response.once("error", reject).on("data", (chunk: Buffer) => {
            chunks.push(chunk);
            bytes += chunk.length;
            if (bytes <= LIMITS.mcpReplyBytes) return;
            resolve(tooLarge(requestId));
            asked.destroy();
          });
          response.once("end", () => resolve(replyOf(response.statusCode ?? 0, response.headers, Buffer.concat(chunks))));
        });
        asked.once("close", () => near.destroy());
        // What cuts one end off cuts the other off, which a pair in memory does not do by itself.
        near.once("close", () => far.destroy());
        far.once("close", () => near.destroy());
        this.#server.emit("connection", far);
        asked.end(body ?? undefined);
      });
  }
}

function carriedOf(headers: IncomingHttpHeaders, requestId: string): Record<string, string> {
  const carried: Record<string, string> = { "x-request-id": requestId };
  for (const name of CARRIED) {
    const value = headers[name];
    if (typeof value === "string") carried[name] = value;
  }
  return carried;
}

/** Statuses whose reply has no body. */
const EMPTY: readonly number[] = [204, 304];

function replyOf(status: number, headers: IncomingHttpHeaders, body: Buffer): Response {
  const told = Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]);
  return new Response(EMPTY.includes(status) ? null : new Uint8Array(body), { status, headers: told });
}

function tooLarge(requestId: string): Response {
  const reply: ErrorReply = {
    status: "error",
    code: "too_large",
    reason: `The answer has more than ${LIMITS.mcpReplyBytes} bytes, which is more than a tool takes.`,
    fix_suggestion:
      "Ask for less: for names without what is behind them, for one component, or for fewer. The API and `envm` have all of it.",
    details: {},
    request_id: requestId,
  };
  return Response.json(reply, { status: 413 });
}
