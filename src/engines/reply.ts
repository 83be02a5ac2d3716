import type { Dispatcher } from "undici";
import { LIMITS } from "../limits.ts";
import type { Json } from "../ports.ts";
import { unavailable } from "./failures.ts";

/** Bytes with which a reply's buffer begins. */
const FIRST_BYTES = 4 * 1024;

type RawHeaders = Dispatcher.ResponseData["headers"];

/** What came back, read to its end and within its bound. A status of 400 or more is a reply like any other. */
export class OutgoingResponse {
  readonly status: number;
  /** By name in lower case. Those given several times are joined by `, `. */
  readonly headers: ReadonlyMap<string, string>;
  readonly #bytes: Buffer;
  readonly #subject: string;

  constructor(status: number, headers: ReadonlyMap<string, string>, bytes: Buffer, subject: string) {
    this.status = status;
    this.headers = headers;
    this.#bytes = bytes;
    this.#subject = subject;
  }

  /**
   * Milliseconds after which it may be asked again, as `Retry-After` of a reply with 429 or 503 says, in seconds or as a date; `null`
   * where none does.
   */
  retryAfterMs(): number | null {
    if (this.status !== 429 && this.status !== 503) return null;
    const asked = this.headers.get("retry-after")?.trim() ?? "";
    if (/^\d{1,9}$/.test(asked)) return Number(asked) * 1_000;
    const date = /^[A-Z][a-z]{2}/.test(asked) ? Date.parse(asked) : Number.NaN;
    return Number.isNaN(date) ? null : Math.max(0, date - Date.now());
  }

  /** As UTF-8; what is not becomes U+FFFD. */
  text(): string {
    return new TextDecoder().decode(this.#bytes);
  }

  /** @throws AppError `engine_unavailable` for what is not the JSON that the engine works with: finite, well-formed, not too deep */
  json(): Json {
    const value = parse(this.#bytes);
    if (value === undefined || !isSound(value, LIMITS.jsonDepth)) {
      throw unavailable("malformed", this.#subject, `answers with status ${this.status} and a body that is not valid JSON`);
    }
    return value;
  }
}

/** Reads a reply to its end, or to where it breaks its bound: then its connection is destroyed, whatever it had to say. */
export async function readReply(reply: Dispatcher.ResponseData, maxBytes: number, subject: string): Promise<OutgoingResponse> {
  const headers = readHeaders(reply.headers);
  const refusal = refuse(headers, maxBytes, subject);
  if (refusal !== null) {
    reply.body.on("error", () => {}).destroy();
    throw refusal;
  }
  return new OutgoingResponse(reply.statusCode, headers, await readBytes(reply.body, maxBytes, subject), subject);
}

function refuse(headers: ReadonlyMap<string, string>, maxBytes: number, subject: string): Error | null {
  if (Number(headers.get("content-length") ?? 0) > maxBytes) return tooLarge(maxBytes, subject);
  // What is compressed has no size before it is unpacked, so it is not asked for.
  const encoding = headers.get("content-encoding") ?? "identity";
  return encoding.toLowerCase() === "identity" ? null : unavailable("malformed", subject, "answers with a compressed body, unasked");
}

async function readBytes(body: AsyncIterable<Buffer>, maxBytes: number, subject: string): Promise<Buffer> {
  // One buffer that grows: a list of chunks would keep a hundred times the memory of a body that comes byte by byte.
  let bytes = Buffer.alloc(Math.min(FIRST_BYTES, maxBytes));
  let size = 0;
  for await (const chunk of body) {
    const end = size + chunk.length;
    // Leaving the loop destroys the stream, and with it the connection.
    if (end > maxBytes) throw tooLarge(maxBytes, subject);
    if (end > bytes.length) bytes = Buffer.concat([bytes.subarray(0, size)], Math.min(maxBytes, Math.max(end, 2 * bytes.length)));
    chunk.copy(bytes, size);
    size = end;
  }
  return bytes.subarray(0, size);
}

function tooLarge(maxBytes: number, subject: string): Error {
  return unavailable("too_large", subject, `answers with more than ${maxBytes} bytes`);
}

function readHeaders(headers: RawHeaders): ReadonlyMap<string, string> {
  const read = new Map<string, string>();
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) read.set(name.toLowerCase(), Array.isArray(value) ? value.join(", ") : value);
  }
  return read;
}

/** `undefined` where it is no JSON. The parser's own error quotes the text, so it is dropped. */
function parse(bytes: Buffer): Json | undefined {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as Json;
  } catch {
    return undefined;
  }
}

function isSound(value: Json, levels: number): boolean {
  if (typeof value === "string") return isWellFormed(value);
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || value === null) return true;
  if (levels === 0) return false;
  if (Array.isArray(value)) return value.every((element) => isSound(element, levels - 1));
  // A member of this name would become a prototype in the hands of whoever assigns members.
  return Object.entries(value).every(([name, member]) => name !== "__proto__" && isWellFormed(name) && isSound(member, levels - 1));
}

function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}
