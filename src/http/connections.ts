import type { ServerResponse } from "node:http";
import type { Duplex, Writable } from "node:stream";
import { LIMITS } from "../limits.ts";

/** The last response that was begun on each connection. */
const last = new WeakMap<Duplex, ServerResponse>();
/** Connections of which no request is taken any more. */
const closed = new WeakSet<Duplex>();
/** Responses whose turn on their connection has not come. */
const waiting = new WeakMap<Duplex, Set<ServerResponse>>();

/** What is known of a connection beside what Node knows: it lives as long as the connection does. */
export const connections = {
  begun(connection: Duplex, response: ServerResponse): void {
    last.set(connection, response);
    if (response.socket === null) tellOfEnd(connection, response);
  },
  last: (connection: Duplex): ServerResponse | undefined => last.get(connection),
  /** Whether there is a reply on it that is not over. */
  isBusy: (connection: Duplex): boolean => closed.has(connection) || last.get(connection)?.closed === false,
  /** What comes in on it from here on is read by nobody, so that nothing is kept of it however much it is. */
  takeNoMore(connection: Duplex): void {
    closed.add(connection);
    connection.removeAllListeners("data").on("data", ignored);
  },
  takesRequests: (connection: Duplex): boolean => !closed.has(connection),
};

/**
 * Node tells of a connection's end to the response whose turn it is, and to none that waits behind it: whatever these hold would be held
 * for good.
 */
function tellOfEnd(connection: Duplex, response: ServerResponse): void {
  const others = waiting.get(connection);
  const all = others ?? new Set();
  all.add(response);
  response.once("socket", () => all.delete(response));
  if (others !== undefined) return;
  waiting.set(connection, all);
  connection.once("close", () => {
    for (const one of all) one.destroy().emit("close");
  });
}

/** Whether Node ends a connection with this reply: what Node keeps for itself, so that it may be called otherwise one day. */
interface WithLast {
  _last?: boolean;
}

/**
 * Sends the head of a reply that lasts as long as its connection, and answers what the rest of it is to be written to: the connection. As
 * far as Node's HTTP can tell the reply is complete then, so that nothing is kept of the request, the response and all that it took to
 * answer, which is four times what a connection alone takes. What comes in on it after that is read by nobody.
 *
 * It is the response where others are before or behind it on its connection, where something behind it was refused, which is told as soon
 * as Node takes this reply for complete, and where Node does not say what was to be set right here.
 */
export function wireOf(response: ServerResponse): Writable {
  const { socket } = response.req;
  const within = response as ServerResponse & WithLast;
  const isAlone = response.socket !== null && last.get(socket) === response && connections.takesRequests(socket);
  response.writeHead(response.statusCode);
  connections.takeNoMore(socket);
  if (!isAlone || within._last !== true) return response;
  within._last = false;
  last.delete(socket);
  // Node takes a connection without a request for an idle one, and would end it as such.
  response.once("finish", () => socket.setTimeout(LIMITS.stalledMs));
  response.end();
  return socket;
}

/** Ends such a reply, and its connection with it: whoever does not close their end is not waited for. */
export function endWire(wire: Writable): void {
  wire.end(() => wire.destroy());
}

/** Cuts such a reply off, and its connection with it, also where its turn on that has not come. */
export function cutWire(wire: Writable | ServerResponse): void {
  const connection = "req" in wire ? wire.req.socket : wire;
  connection.destroy();
}

function ignored(): void {}
