import { createServer as createHttpServer, type RequestListener, type Server } from "node:http";

/** The socket's side of HTTP: nothing here knows a route, so that it can listen before they are loaded. */
export interface EngineServer {
  /** Resolves with the address, for example `http://127.0.0.1:4006`. Port 0 takes any free one. */
  listen(port: number, host: string): Promise<string>;
  /** Takes no more requests, and waits for those under way; after `graceMs` it cuts them off. */
  close(graceMs: number): Promise<void>;
}

/** Bytes of all of a request's headers together. */
const MAX_HEADER_BYTES = 16 * 1024;
/** Milliseconds that a client may take for its headers. */
const HEADERS_TIMEOUT_MS = 10_000;
/** Milliseconds that a client may take for a whole request: 64 MiB over a slow line. */
const REQUEST_TIMEOUT_MS = 120_000;
/** Milliseconds that an idle connection stays open: longer than the minute of most load balancers. */
const KEEP_ALIVE_MS = 65_000;
/** Milliseconds between two looks for clients that are too slow. */
const CHECK_INTERVAL_MS = 5_000;
/** Milliseconds between two looks for idle connections while closing. */
const IDLE_SWEEP_MS = 20;

/** Requests that come before `handler` is there wait for it. */
export function createServer(handler: Promise<RequestListener>): EngineServer {
  let answer: RequestListener = (request, response) => {
    handler.then(
      (ready) => ready(request, response),
      () => response.writeHead(503, { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" }).end(CANNOT_START),
    );
  };
  handler.then(
    (ready) => {
      answer = ready;
    },
    () => {}, // Whoever made the promise hears of it; here it is answered above.
  );

  let closing = false;
  const options = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
  };
  const server = createHttpServer(options, (request, response) => {
    if (closing) response.setHeader("connection", "close");
    answer(request, response);
  });

  return {
    listen: (port, host) => listen(server, port, host),
    close(graceMs) {
      closing = true;
      return close(server, graceMs);
    },
  };
}

const CANNOT_START = JSON.stringify({
  status: "error",
  code: "shutting_down",
  reason: "The engine could not start.",
  fix_suggestion: "Look at what it printed.",
  details: {},
  request_id: "",
});

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

function close(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
    // Closing ends the connections that are idle now; those that answer their last request fall idle later.
    const sweep = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS);
    // Not listening is the only error there is, and is what was asked for.
    server.close(() => {
      clearTimeout(cut);
      clearInterval(sweep);
      resolve();
    });
  });
}
