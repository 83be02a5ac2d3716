import { hash } from "node:crypto";
import type { Socket } from "node:net";
import { addressKey } from "./rate.ts";

/** What is known of a connection while it is open. */
interface Visitor {
  readonly address: string;
  /** The last Authorization header that it showed, which mostly is the next one too, and its digest. That request is kept as long anyway. */
  header: string;
  digest: string;
}

const known = new WeakMap<Socket, Visitor>();

function visitorOf(socket: Socket): Visitor {
  const before = known.get(socket);
  if (before !== undefined) return before;
  const visitor = { address: addressKey(socket.remoteAddress ?? ""), header: "", digest: "" };
  known.set(socket, visitor);
  return visitor;
}

/** Whom the other end of a connection stands for, in what counts by address. */
export function addressOf(socket: Socket): string {
  return visitorOf(socket).address;
}

/** By which an Authorization header is known that came in on a connection. */
export function digestOf(socket: Socket, header: string): string {
  const visitor = visitorOf(socket);
  if (visitor.header === header) return visitor.digest;
  visitor.header = header;
  visitor.digest = hash("sha256", header, "base64");
  return visitor.digest;
}
