import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { LIMITS } from "../limits.ts";
import { noneMatchHits, quoteTag, tagOfBody } from "./etag.ts";
import type { EventSource } from "./event-streams.ts";

export const JSON_TYPE = "application/json; charset=utf-8";

interface ReplyFacts {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A body at hand. Where it has no tag of its own, a read's tag is made from its bytes. */
export interface BodyReply extends ReplyFacts {
  readonly body: unknown;
  readonly tag?: string;
  /** Neither kept nor tagged: what reveals, and what is different each time. */
  readonly volatile?: true;
}

/** A body that need not be loaded where the reader has it already. */
interface LazyReply extends ReplyFacts {
  readonly tag: string;
  /** Where the store cannot be reached: how many milliseconds ago this was known to be current. */
  readonly ageMs?: number;
  load(): Promise<unknown>;
}

/** A body of any size, as the pieces of its JSON. Sent whole where it is short, and otherwise as fast as the reader takes it. */
interface PiecesReply extends ReplyFacts {
  readonly tag: string;
  readonly ageMs?: number;
  pieces(): AsyncIterable<string>;
}

/** Lines of JSON, one for each record, sent as fast as the reader takes them. */
interface LinesReply extends ReplyFacts {
  readonly lines: AsyncIterable<unknown>;
}

/** Text that is written already; as bytes, where it is sent again and again. Without a tag it is another each time. */
interface TextReply extends ReplyFacts {
  readonly text: string | Buffer;
  readonly contentType: string;
  readonly tag?: string;
}

/** Server-sent events, for as long as somebody reads them: see `EventStreams`. */
export interface EventsReply extends ReplyFacts {
  readonly events: EventSource;
}

/** A status that says everything. */
interface EmptyReply extends ReplyFacts {
  readonly status: 204;
}

export type Reply = BodyReply | LazyReply | PiecesReply | LinesReply | TextReply | EventsReply | EmptyReply;

export async function sendReply(request: IncomingMessage, response: ServerResponse, reply: Exclude<Reply, EventsReply>): Promise<void> {
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
  response.statusCode = reply.status ?? 200;
  if ("ageMs" in reply) setAge(response, reply.ageMs);
  if ("lines" in reply) await sendLines(request, response, reply.lines);
  else if ("text" in reply) sendTagged(request, response, reply.text, reply.tag, reply.contentType);
  else if ("load" in reply) await sendLazy(request, response, reply);
  else if ("pieces" in reply) await sendPieces(request, response, reply);
  else if ("body" in reply) sendBody(request, response, reply);
  else response.setHeader("cache-control", "no-store").end();
}

/** Says of what is shown while the store cannot be reached how old it may be, in whole seconds and never too few. */
function setAge(response: ServerResponse, ageMs = 0): void {
  if (ageMs === 0) return;
  response.setHeader("age", Math.ceil(ageMs / 1_000));
  response.setHeader("x-envm-stale", "store_unavailable");
}

function sendBody(request: IncomingMessage, response: ServerResponse, reply: BodyReply): void {
  const text = JSON.stringify(reply.body);
  const tag = reply.tag ?? (isReading(request) && reply.volatile !== true ? tagOfBody(text) : undefined);
  sendTagged(request, response, text, tag);
}

function sendTagged(request: IncomingMessage, response: ServerResponse, text: string | Buffer, tag?: string, contentType?: string): void {
  if (!isAnswered(request, response, tag)) sendText(request, response, text, contentType);
}

/** Tells of the tag. `true` where the reader has what it names, which is the whole answer then. */
function isAnswered(request: IncomingMessage, response: ServerResponse, tag: string | undefined): boolean {
  const isRead = isReading(request);
  if (tag !== undefined) response.setHeader("etag", quoteTag(tag));
  if (isRead && tag !== undefined && noneMatchHits(request.headers["if-none-match"], tag)) {
    sendNotModified(response);
    return true;
  }
  response.setHeader("cache-control", isRead && tag !== undefined ? "private, no-cache" : "no-store");
  return false;
}

export function isReading({ method }: IncomingMessage): boolean {
  return method === "GET" || method === "HEAD";
}

async function sendLazy(request: IncomingMessage, response: ServerResponse, { tag, load }: LazyReply): Promise<void> {
  if (!isAnsweredUnloaded(request, response, tag)) sendBody(request, response, { body: await load(), tag });
}

async function sendPieces(request: IncomingMessage, response: ServerResponse, { tag, pieces }: PiecesReply): Promise<void> {
  if (isAnsweredUnloaded(request, response, tag)) return;
  const chunks = gathered(pieces(), LIMITS.pieceLength);
  const first = await chunks.next();
  const second = await chunks.next();
  if (second.done) return sendTagged(request, response, first.value ?? "", tag);
  if (isAnswered(request, response, tag)) return void (await chunks.return());
  response.setHeader("content-type", JSON_TYPE);
  await sendChunks(request, response, [first.value ?? "", second.value], chunks);
}

/** `true` where the reader has what the tag names. `*` asks whether there is anything at all, which only loading tells. */
function isAnsweredUnloaded(request: IncomingMessage, response: ServerResponse, tag: string): boolean {
  const known = request.headers["if-none-match"];
  if (known?.trim() === "*" || !noneMatchHits(known, tag)) return false;
  response.setHeader("etag", quoteTag(tag));
  sendNotModified(response);
  return true;
}

function sendNotModified(response: ServerResponse): void {
  response.statusCode = 304;
  response.setHeader("cache-control", "private, no-cache");
  response.end();
}

function sendText(request: IncomingMessage, response: ServerResponse, text: string | Buffer, contentType = JSON_TYPE): void {
  response.setHeader("content-type", contentType);
  const bytes = Buffer.byteLength(text);
  response.setHeader("content-length", bytes);
  if (request.method === "HEAD") response.end();
  // ASCII need not be encoded.
  else response.end(text, bytes === text.length ? "latin1" : "utf8");
}

/** The first of them are fetched before anything is sent, so that a failure until then is a proper error. */
async function sendLines(request: IncomingMessage, response: ServerResponse, lines: AsyncIterable<unknown>): Promise<void> {
  const chunks = gathered(linesOf(lines), LIMITS.linesLength);
  const first = await chunks.next();
  response.setHeader("content-type", "application/x-ndjson; charset=utf-8");
  response.setHeader("cache-control", "no-store");
  await sendChunks(request, response, first.done ? [] : [first.value], chunks);
}

async function* linesOf(records: AsyncIterable<unknown>): AsyncGenerator<string, void> {
  for await (const record of records) yield `${JSON.stringify(record)}\n`;
}

/** The same text in pieces of at least so many characters, but for the last. */
async function* gathered(pieces: AsyncIterable<string>, length: number): AsyncGenerator<string, void> {
  let chunk = "";
  for await (const piece of pieces) {
    chunk += piece;
    if (chunk.length < length) continue;
    yield chunk;
    chunk = "";
  }
  if (chunk !== "") yield chunk;
}

/** Sends what is at hand, and then the rest, as fast as the reader takes it. */
async function sendChunks(
  request: IncomingMessage,
  response: ServerResponse,
  ready: readonly string[],
  rest: AsyncGenerator<string, void>,
): Promise<void> {
  const write = async (chunk: string) => {
    if (!response.write(chunk)) await drained(response);
    // Others have their turn, however fast this reader takes it.
    await new Promise((resolve) => setImmediate(resolve));
  };
  try {
    if (request.method !== "HEAD") {
      for (const chunk of ready) await write(chunk);
      for (let next = await rest.next(); !next.done && !response.destroyed; next = await rest.next()) await write(next.value);
    }
    response.end();
  } finally {
    await rest.return();
  }
}

/** Resolves when the reader has caught up, or is gone. */
async function drained(response: ServerResponse): Promise<void> {
  if (response.destroyed) return;
  const settled = new AbortController();
  const { signal } = settled;
  await Promise.race([once(response, "drain", { signal }), once(response, "close", { signal })]).finally(() => settled.abort());
}
