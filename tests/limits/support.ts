import { once } from "node:events";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { expect } from "vitest";
import { ERRORS, type ErrorCode } from "../../src/errors.ts";
import { createServer, type ServerBounds } from "../../src/http/server.ts";
import { LIMITS } from "../../src/limits.ts";
import { openWorld, PROJECT, type Project } from "../domain/support.ts";
import { type Answer, type Ask, serveApp } from "../http/support.ts";
import { later } from "../support/clean-up.ts";

export interface Served {
  readonly ask: Ask;
  readonly project: Project;
  /** Sends what edits the environment `staging`. */
  patchState(body: unknown): Promise<Answer>;
  patchConfig(body: unknown): Promise<Answer>;
}

/** The app over an engine of memory, with the environment `staging`. */
export async function serveStaging(): Promise<Served> {
  const { domain, project } = await openWorld();
  await project.create("staging");
  const ask = await serveApp(domain);
  const patch = (what: string) => (body: unknown) => ask({ method: "PATCH", path: `/env/${PROJECT}/staging/${what}`, body });
  return { ask, project, patchState: patch("state"), patchConfig: patch("config") };
}

/** Both sides of a bound: what is at it is taken, and what is one past it is refused and changes nothing. */
export async function expectBound(
  { project }: Served,
  at: () => Promise<Answer>,
  past: () => Promise<Answer>,
  code: string,
): Promise<void> {
  const taken = await at();
  expect([200, 201], taken.text.slice(0, 1_000)).toContain(taken.status);
  const before = await project.revisionNumber("staging");
  const refused = await past();
  const status = ERRORS[code as ErrorCode].status;
  expect({ status: refused.status, code: refused.body.code }, refused.text.slice(0, 1_000)).toEqual({ status, code });
  expect(refused.body).toMatchObject({ reason: expect.stringMatching(/\S/), fix_suggestion: expect.stringMatching(/\S/) });
  expect(await project.revisionNumber("staging")).toBe(before);
}

/** A promise, and what settles it. */
export function pending<Value>() {
  let resolve: (value: Value) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<Value>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

/** The engine's own server for one test, with some bounds made smaller. Resolves with its port. */
export async function openServer(listener: RequestListener, bounds: Partial<ServerBounds> = {}): Promise<number> {
  const server = createServer(Promise.resolve(listener), { ...LIMITS, ...bounds });
  const url = await server.listen(0, "127.0.0.1");
  later(() => server.close(0));
  return Number(new URL(url).port);
}

export interface RawReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** A connection on which a test writes whatever it likes. */
export class Wire {
  readonly socket: Socket;
  readonly closed: Promise<"in peace" | "by an error">;
  readonly #ended: Promise<unknown>;
  #received = "";
  #changed = () => {};

  /** `allowHalfOpen`: goes on when the server has closed its side. */
  constructor(port: number, { allowHalfOpen = false } = {}) {
    this.socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen });
    this.closed = new Promise((resolve) => this.socket.once("close", (failed) => resolve(failed ? "by an error" : "in peace")));
    this.#ended = Promise.race([this.closed, once(this.socket, "end")]);
    this.socket.on("error", () => {}); // Being cut off is an end like another; tests look at what came before.
    this.socket.setEncoding("latin1").on("data", (text: string) => {
      this.#received += text;
      this.#changed();
    });
    later(() => this.socket.destroy());
  }

  send(...pieces: readonly (string | Buffer)[]): this {
    for (const piece of pieces) this.socket.write(typeof piece === "string" ? Buffer.from(piece, "latin1") : piece);
    return this;
  }

  /** What came until it matches. */
  async receive(pattern: RegExp): Promise<string> {
    while (!pattern.test(this.#received)) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
    return this.#received;
  }

  /** The replies that came until the server closed its side. */
  async replies(): Promise<readonly RawReply[]> {
    await this.#ended;
    return parseReplies(this.#received);
  }

  /** The one reply that came until the server closed its side. */
  async reply(): Promise<RawReply> {
    const [first, ...more] = await this.replies();
    if (first === undefined || more.length > 0) throw new Error(`One reply was expected, not: ${JSON.stringify(this.#received)}`);
    return first;
  }
}

/** Replies that say their length, one after the other. */
function parseReplies(text: string): RawReply[] {
  const replies: RawReply[] = [];
  for (let rest = text; rest !== ""; ) {
    const end = rest.indexOf("\r\n\r\n");
    const [statusLine = "", ...lines] = rest.slice(0, end).split("\r\n");
    const headers = Object.fromEntries(lines.map((line) => [line.replace(/: .*/, "").toLowerCase(), line.replace(/.*?: /, "")]));
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]);
    if (end < 0 || Number.isNaN(status)) throw new Error(`This is no reply: ${JSON.stringify(rest.slice(0, 200))}`);
    const length = status === 100 ? 0 : Number(headers["content-length"] ?? 0);
    const from = end + 4;
    replies.push({ status, headers, text: Buffer.from(rest.slice(from, from + length), "latin1").toString("utf8") });
    rest = rest.slice(from + length);
  }
  return replies;
}

/** Says what it was asked, once it has read all of it; nothing, where that breaks off. */
export async function echo(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = "";
  try {
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
  } catch {
    return;
  }
  const text = JSON.stringify({ method: request.method, url: request.url, body });
  response.writeHead(200, { "content-length": Buffer.byteLength(text) }).end(text);
}

/** A reply that is an error like every other, tells nothing of what was sent, and ends the connection. */
export function expectRefusal(reply: RawReply, status: number, code: string): void {
  expect({ status: reply.status, ...JSON.parse(reply.text) }, reply.text).toEqual({
    status: "error",
    code,
    reason: expect.stringMatching(/\S/),
    fix_suggestion: expect.stringMatching(/\S/),
    details: {},
    request_id: reply.headers["x-request-id"],
  });
  expect(reply.status).toBe(status);
  expect(reply.headers).toMatchObject({
    connection: "close",
    "content-type": "application/json; charset=utf-8",
    "cache-control": "no-store",
    date: expect.stringMatching(/GMT$/),
    "x-request-id": expect.stringMatching(/^[0-9a-f-]{36}$/),
  });
  expect(reply.text).not.toMatch(/smuggled/i);
}
