import { Agent, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { connect } from "node:net";
import { bodyOf } from "../support/body.ts";
import type { Sent } from "./requests.ts";

export interface Received {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Only so that a run ends where an engine hangs: nothing that it answers takes a part of this. */
const PATIENCE_MS = 30_000;

/** One connection that is kept, as a client's is: a request that spoils it spoils those after it, and that shows. */
export class Connection {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #url: URL;

  constructor(url: string) {
    this.#url = new URL(url);
  }

  /** Rejects where no reply came. */
  send({ method, target, headers, body }: Sent): Promise<Received> {
    const length = body === null || "transfer-encoding" in headers ? {} : { "content-length": body.length };
    const { hostname, port } = this.#url;
    return new Promise((resolve, reject) => {
      const options = { hostname, port, method, path: target, headers: { ...length, ...headers }, agent: this.#agent };
      const request = httpRequest(options, (response) => {
        bodyOf(response)
          .finally(() => clearTimeout(patience))
          .then((text) => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }), reject);
      });
      const patience = setTimeout(() => request.destroy(new Error("no reply: it hangs")), PATIENCE_MS);
      request.once("error", (error) => {
        clearTimeout(patience);
        reject(error);
      });
      request.end(body ?? undefined);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/**
 * Bytes on a connection of their own, whatever they are, and all that comes back until the other side closes it. Where nothing has to
 * come, since the bytes are the beginning of something, it is cut off as soon as they are gone.
 */
export function exchange(url: string, bytes: Buffer, unfinished: boolean): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let received = "";
    const socket = connect({ host: hostname, port: Number(port) });
    const patience = setTimeout(() => socket.destroy(new Error("no end: it hangs")), PATIENCE_MS);
    socket.setEncoding("latin1").on("data", (text: string) => {
      received += text;
    });
    // Being cut off is an end like another: what counts is what came before.
    socket.once("error", (error) => (error.message.includes("hangs") ? reject(error) : undefined));
    socket.once("close", () => {
      clearTimeout(patience);
      resolve(received);
    });
    socket.write(bytes, () => unfinished && socket.destroy());
  });
}

/** Replies one after the other, each of which says its length. @throws where it is something else */
export function parseReplies(text: string): Received[] {
  const replies: Received[] = [];
  for (let rest = text; rest !== ""; ) {
    const end = rest.indexOf("\r\n\r\n");
    const [first = "", ...lines] = rest.slice(0, end).split("\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1]);
    if (end < 0 || Number.isNaN(status)) throw new Error(`this is no reply: ${JSON.stringify(rest.slice(0, 200))}`);
    const headers = Object.fromEntries(lines.map((line) => [line.split(":", 1)[0]?.toLowerCase(), line.replace(/^[^:]*:\s*/, "")]));
    const from = end + 4;
    const length = Number(headers["content-length"] ?? 0);
    if (rest.length < from + length) throw new Error(`a reply breaks off: ${JSON.stringify(rest.slice(0, 200))}`);
    if (status >= 200) replies.push({ status, headers, text: Buffer.from(rest.slice(from, from + length), "latin1").toString("utf8") });
    rest = rest.slice(from + length);
  }
  return replies;
}
