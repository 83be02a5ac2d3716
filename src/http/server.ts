import { randomUUID } from "node:crypto";
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { LIMITS } from "../limits.ts";
import { connections } from "./connections.ts";
import { lateListener } from "./late.ts";

/** The socket's side of HTTP: nothing here knows a route, so that it can listen before they are loaded. */
export interface EngineServer {
  /** Resolves with the address, for example `http://127.0.0.1:4006`. Port 0 takes any free one. */
  listen(port: number, host: string): Promise<string>;
  /** Goes on taking requests, each as the last of its connection, so that whoever keeps connections lets go of these. */
  drain(): void;
  /** Takes no more requests, and waits for those under way; after `graceMs` it cuts them off. */
  close(graceMs: number): Promise<void>;
}

/** The bounds of a server, as `LIMITS` describes them. */
export type ServerBounds = Readonly<
  Record<
    | "headerBytes"
    | "headers"
    | "headersMs"
    | "requestMs"
    | "slowCheckMs"
    | "stalledMs"
    | "keepAliveMs"
    | "refusedMs"
    | "connections"
    | "closingCheckMs",
    number
  >
>;

/**
 * Requests that come before `handler` is there wait for it. What is no request, is too large or comes too slowly never gets
 * to it: it is answered here, with an error like every other, and its connection is closed.
 *
 * Offers to upgrade are not taken up, which is how HTTP declines them (RFC 9110 §7.8): clients that offer HTTP/2 on every first
 * request go on with HTTP/1.1.
 */
export function createServer(handler: Promise<RequestListener>, bounds: ServerBounds = LIMITS): EngineServer {
  // Whoever made the promise hears of it; whoever asks is answered.
  handler.catch(() => {});
  const answer = lateListener(
    () => handler,
    (_error, _request, response) => sendRefusal(response, CANNOT_START),
  );

  let closing = false;
  const server = boundedServer(bounds);
  const open = new Set<Socket>();
  function forget(this: Socket): void {
    open.delete(this);
  }
  server.on("connection", (socket) => void open.add(socket.on("close", forget)));
  /** Whoever asks with what is left of a connection hears that it ends: another request on it might be lost, and nobody could tell. */
  const begin = () => {
    closing = true;
    for (const socket of open) {
      const response = connections.last(socket);
      if (response !== undefined && !response.headersSent) response.setHeader("connection", "close");
    }
  };
  const refusals = new Refusals(bounds);
  server.on("request", (request, response) => {
    // RFC 9112 §9.6: a request behind the last one of its connection is not to be carried out.
    if (closing && connections.last(request.socket)?.getHeader("connection") === "close") return;
    if (!refusals.admit(request, response)) return;
    if (closing) response.setHeader("connection", "close");
    answer(request, response);
  });
  server.on("checkExpectation", (request, response) => {
    if (refusals.admit(request, response)) refusals.reject(request, response, malformed("What it expects is not known here."));
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => refusals.refuse(socket, refusalFor(error)));
  server.on("connect", (_request, socket) => {
    socket.on("error", () => {}).resume();
    // From here on Node leaves the connection to whoever listens: it sees no reply through that is under way on it.
    if (connections.isBusy(socket)) socket.destroy();
    else refusals.refuse(socket, malformed("The engine is no proxy, and takes no CONNECT."));
  });

  return {
    listen: (port, host) => listen(server, port, host),
    drain: begin,
    close(graceMs) {
      begin();
      return close(server, graceMs, bounds.closingCheckMs);
    },
  };
}

/** Requests on one connection are not counted: whoever sends many meets the rate limits, and new connections cost more. */
function boundedServer(bounds: ServerBounds): Server {
  const server = createHttpServer({
    // Node refuses what reaches its bound.
    maxHeaderSize: bounds.headerBytes + 1,
    headersTimeout: bounds.headersMs,
    requestTimeout: bounds.requestMs,
    connectionsCheckingInterval: bounds.slowCheckMs,
    keepAliveTimeout: bounds.keepAliveMs,
    // Whatever Node is started with.
    insecureHTTPParser: false,
    // Node would answer without a word: `faultOf` asks for it.
    requireHostHeader: false,
  });
  // Node would drop the headers after it and go on: `faultOf` counts them.
  server.maxHeadersCount = 0;
  server.maxConnections = bounds.connections;
  server.timeout = bounds.stalledMs;
  return server;
}

interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly reason: string;
  readonly fix: string;
}

const CANNOT_START: Refusal = {
  status: 503,
  code: "shutting_down",
  reason: "The engine could not start.",
  fix: "Look at what it printed.",
};
const HEADERS_TOO_LARGE: Refusal = {
  status: 431,
  code: "headers_too_large",
  reason: "The request's target and headers are too large.",
  fix: `Send at most ${LIMITS.headers} headers, and ${LIMITS.headerBytes} bytes of them and the target together.`,
};
const TOO_SLOW: Refusal = {
  status: 408,
  code: "request_timeout",
  reason: "The request did not arrive in time.",
  fix: "Send it again, over a faster line or in smaller parts.",
};

/** Says what is wrong in words of its own: what was sent may hold anything. */
function malformed(reason: string): Refusal {
  return { status: 400, code: "invalid_request", reason: `This is no request that can be answered. ${reason}`, fix: "Send HTTP/1.1." };
}

/** What Node's parser found. */
function refusalFor({ code }: NodeJS.ErrnoException): Refusal {
  if (code === "HPE_HEADER_OVERFLOW") return HEADERS_TOO_LARGE;
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return TOO_SLOW;
  return malformed("It breaks the rules of HTTP.");
}

/** What Node's parser lets pass and others read otherwise: where two disagree on a request, one can be hidden in another. */
function faultOf(request: IncomingMessage, bounds: ServerBounds): Refusal | null {
  const { rawHeaders, httpVersion } = request;
  if (rawHeaders.length > 2 * bounds.headers) return HEADERS_TOO_LARGE;
  if (httpVersion !== "1.1" && httpVersion !== "1.0") return malformed("Its version is neither HTTP/1.1 nor HTTP/1.0.");
  const { hosts, isCoded } = framingOf(rawHeaders);
  // Node makes an object of all headers as soon as one is asked for.
  const coding = isCoded ? request.headers["transfer-encoding"] : undefined;
  // RFC 9112 §6.1: HTTP/1.0 has no transfer codings, and of the others none but this is understood here.
  if (coding !== undefined && (httpVersion === "1.0" || coding.toLowerCase() !== "chunked")) {
    return malformed("Its only transfer coding can be chunked, in HTTP/1.1.");
  }
  // RFC 9112 §3.2.
  if (hosts !== 1 && !(hosts === 0 && httpVersion === "1.0")) return malformed("It must have one Host header.");
  const target = originForm(request);
  if (target === null) return malformed("Its target must be a path, or a whole address with the same host as the Host header.");
  if (target !== request.url) request.url = target;
  return null;
}

function framingOf(rawHeaders: readonly string[]): { readonly hosts: number; readonly isCoded: boolean } {
  let hosts = 0;
  let isCoded = false;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const { length } = rawHeaders[index] ?? "";
    if (length !== 4 && length !== 17) continue;
    const name = rawHeaders[index]?.toLowerCase();
    if (name === "host") hosts++;
    else if (name === "transfer-encoding") isCoded = true;
  }
  return { hosts, isCoded };
}

/** The target as routes know it: `http://host/path` means `/path` on that very host (RFC 9112 §3.2.2). */
function originForm(request: IncomingMessage): string | null {
  const { method, url = "" } = request;
  if (url === "*" && method === "OPTIONS") return url;
  if (url.includes("#")) return null;
  if (url.startsWith("/")) return url;
  const [, authority, rest = ""] = /^https?:\/\/([^/?]*)(.*)$/i.exec(url) ?? [];
  if (authority === undefined || authority.toLowerCase() !== request.headers.host?.toLowerCase()) return null;
  return rest.startsWith("/") ? rest : `/${rest}`;
}

/** Answers what never gets to the app. A client reads replies in the order of its requests, so each has to wait for its turn. */
class Refusals {
  readonly #bounds: ServerBounds;

  constructor(bounds: ServerBounds) {
    this.#bounds = bounds;
  }

  /** Whether the app may have this request; where not, it is answered. */
  admit(request: IncomingMessage, response: ServerResponse): boolean {
    const { socket } = request;
    if (!connections.takesRequests(socket)) return false;
    connections.begun(socket, response);
    const fault = faultOf(request, this.#bounds);
    if (fault !== null) this.reject(request, response, fault);
    return fault === null;
  }

  /** Where one request is not clear, nobody knows where the next one begins. */
  reject(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
    connections.takeNoMore(request.socket);
    sendRefusal(response, refusal);
  }

  /** Refuses what came last on a connection, be it the rest of a request or the beginning of one. */
  refuse(socket: Duplex, refusal: Refusal): void {
    // Node reports each further piece of what was refused.
    if (!connections.takesRequests(socket)) return;
    connections.takeNoMore(socket);
    const last = connections.last(socket);
    if (last === undefined) this.#write(socket, refusal);
    else if (!last.req.complete) breakOff(socket, last, refusal);
    // One that was destroyed before its turn came has others before it, which are not over.
    else if (last.closed) this.#write(socket, refusal);
    else last.once("close", () => this.#write(socket, refusal));
  }

  /**
   * Where no request is under way, so that Node has no response for it. Whoever is still sending gets time to read the answer: a
   * connection that is closed on what it has not read yet takes back what it has sent.
   */
  #write(socket: Duplex, refusal: Refusal): void {
    if (!socket.writable) {
      socket.destroy();
      return;
    }
    const { headers, text } = replyOf(refusal, randomUUID());
    const lines = Object.entries({ date: new Date().toUTCString(), ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.end(`HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\n${lines.join("")}\r\n${text}`);
    const cut = setTimeout(() => socket.destroy(), this.#bounds.refusedMs).unref();
    socket.once("close", () => clearTimeout(cut));
  }
}

/** Of a request whose body goes wrong. Where its reply is under way, breaking that off is all that can still be said. */
function breakOff(socket: Duplex, response: ServerResponse, refusal: Refusal): void {
  if (response.headersSent || !socket.writable) socket.destroy();
  else sendRefusal(response, refusal);
}

function sendRefusal(response: ServerResponse, refusal: Refusal): void {
  const known = response.getHeader("x-request-id");
  const { headers, text } = replyOf(refusal, typeof known === "string" ? known : randomUUID());
  response.writeHead(refusal.status, headers).end(text);
}

function replyOf({ status, code, reason, fix }: Refusal, requestId: string): { headers: Record<string, string | number>; text: string } {
  const text = JSON.stringify({ status: "error", code, reason, fix_suggestion: fix, details: {}, request_id: requestId });
  const headers = {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-request-id": requestId,
    ...(status === 503 && { "retry-after": 5 }),
    connection: "close",
  };
  return { headers, text };
}

function listen(server: Server, port: number, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      const address = server.address();
      if (address === null || typeof address === "string") reject(new Error("the server has no port"));
      else resolve(`http://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`);
    });
  });
}

function close(server: Server, graceMs: number, checkMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
    // Closing ends the connections that are idle now; those that answer their last request fall idle later.
    const sweep = setInterval(() => server.closeIdleConnections(), checkMs);
    // Not listening is the only error there is, and is what was asked for.
    server.close(() => {
      clearTimeout(cut);
      clearInterval(sweep);
      resolve();
    });
  });
}
