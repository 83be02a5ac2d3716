import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { inspect } from "node:util";
import type { OutgoingRequest } from "../../src/engines/message.ts";
import { EngineTarget, type PublicOptions, PublicTarget } from "../../src/engines/request.ts";
import { AppError } from "../../src/errors.ts";
import { later } from "../support/clean-up.ts";

export { later };

export interface Listening {
  readonly port: number;
  readonly url: string;
  /** Of every connection, in the order in which they came. */
  readonly sockets: readonly Socket[];
}

export interface Served extends Listening {
  /** `METHOD path` of each request. */
  readonly hits: readonly string[];
  /** When that many requests have come. */
  arrived(count: number): Promise<void>;
}

/** A real HTTP server on loopback. */
export async function serve(handler: RequestListener): Promise<Served> {
  const hits: string[] = [];
  const server = createServer((request, response) => {
    hits.push(`${request.method} ${request.url}`);
    handler(request, response);
    server.emit("hit");
  });
  const arrived = async (count: number) => {
    while (hits.length < count) await once(server, "hit");
  };
  return { ...(await listen(server)), hits, arrived };
}

/** A server that says `bytes` to every request, whatever HTTP thinks of them. */
export function serveRaw(bytes: string | Buffer, andThen: "end" | "stay" = "end"): Promise<Listening> {
  return listen(createTcpServer((socket) => socket.on("data", () => (andThen === "end" ? socket.end(bytes) : socket.write(bytes)))));
}

export async function listen(server: Server): Promise<Listening> {
  const sockets: Socket[] = [];
  // What is tested here resets connections.
  server.on("connection", (socket: Socket) => sockets.push(socket.on("error", () => {})));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  later(async () => {
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  });
  const { port } = server.address() as AddressInfo;
  return { port, url: `http://127.0.0.1:${port}`, sockets };
}

/** For when the other side has closed the first connection. */
export async function gone({ sockets: [socket] }: Listening): Promise<void> {
  await new Promise<void>((resolve) => (socket === undefined || socket.destroyed ? resolve() : socket.once("close", () => resolve())));
}

/** A port on which nobody listens any more. */
export async function closedPort(): Promise<number> {
  const server = createTcpServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

export function engineAt(url: string, options: Partial<ConstructorParameters<typeof EngineTarget>[1]> = {}): EngineTarget {
  const target = new EngineTarget(url, { name: "The Test engine", ...options });
  later(() => target.close());
  return target;
}

export function publicAt(...arguments_: ConstructorParameters<typeof PublicTarget>): PublicTarget {
  const target = new PublicTarget(...arguments_);
  later(() => target.close());
  return target;
}

/** One request to an address that a user gave. */
export async function askPublic(address: string, request: OutgoingRequest, options?: PublicOptions) {
  const target = new PublicTarget(address, options);
  try {
    return await target.request(request);
  } finally {
    await target.close();
  }
}

export async function readAll(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += chunk;
  return text;
}

/** The error that something is refused with; fails where it is not refused, or not with an `AppError`. */
export async function refusal(attempt: (() => unknown) | Promise<unknown>): Promise<AppError> {
  let result: unknown;
  try {
    result = await (typeof attempt === "function" ? attempt() : attempt);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error(`It was not refused: ${inspect(result)}`);
}

/** `code` and `details.failure` in one. */
export async function failureOf(attempt: (() => unknown) | Promise<unknown>): Promise<string> {
  const { code, details } = await refusal(attempt);
  return details?.failure === undefined ? code : `${code}: ${details.failure}`;
}

/** Everything that a log could show of a value, private parts and causes too. */
export function shown(value: unknown): string {
  const error = value instanceof AppError ? [value.message, value.fix, JSON.stringify(value.details), value.stack] : [];
  return [...error, inspect(value, { depth: 10, showHidden: true })].join("\n");
}
