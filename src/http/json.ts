import { isAscii, isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { AppError } from "../errors.ts";
import { isObject } from "../json.ts";
import { scanJson } from "../json-text/scan.ts";
import { LIMITS } from "../limits.ts";
import type { Json, JsonObject } from "../ports.ts";

export interface BodyBounds {
  readonly bytes: number;
  /** Members and elements, all levels together. */
  readonly members: number;
}

/** What bodies may hold on state routes, and everywhere else. */
export const STATE_BODY: BodyBounds = { bytes: LIMITS.stateBodyBytes, members: Number.POSITIVE_INFINITY };
export const PUSH_BODY: BodyBounds = { bytes: LIMITS.pushBytes, members: Number.POSITIVE_INFINITY };
/** From whoever has shown no token yet. */
export const LOGIN_BODY: BodyBounds = { bytes: LIMITS.loginBytes, members: LIMITS.jsonMembers };
export const SMALL_BODY: BodyBounds = { bytes: LIMITS.bodyBytes, members: LIMITS.jsonMembers };

/** `application/json` or `application/<anything>+json`, in UTF-8 where a charset is named. */
const JSON_TYPE = /^application\/(?:[a-z0-9.!#$&^_-]{1,100}\+)?json\s*(?:;\s*charset\s*=\s*"?utf-?8"?\s*)?$/i;

export interface BodyOptions {
  readonly mayBeEmpty: boolean;
}

/**
 * Reads a request's body as a JSON object.
 * @throws unsupported_media_type, too_large, invalid_json, invalid_request
 */
export async function readJsonBody(
  request: IncomingMessage,
  bounds: BodyBounds,
  { mayBeEmpty }: BodyOptions = { mayBeEmpty: false },
): Promise<JsonObject> {
  if (mayBeEmpty && hasNoBody(request)) return {};
  const bytes = await readJsonBytes(request, bounds);
  // In chunks, only the first one tells whether there is anything.
  return mayBeEmpty && bytes.length === 0 ? {} : objectIn(bytes, bounds);
}

/**
 * Reads a body that is to be JSON as it was sent: nothing is made of it yet.
 * @throws unsupported_media_type, too_large, invalid_json, invalid_request
 */
export async function readJsonBytes(request: IncomingMessage, { bytes }: BodyBounds): Promise<Buffer> {
  const fault = faultOf(request, bytes);
  if (fault !== null) {
    if (!hasNoBody(request)) discard(request);
    throw fault;
  }
  return readAhead.get(request) ?? readBytes(request, bytes);
}

/** The JSON object that a body is. @throws invalid_json, too_large, invalid_request */
export function objectIn(bytes: Buffer, { members }: BodyBounds): JsonObject {
  const value = parseJson(bytes, members);
  if (isObject(value)) return value;
  throw new AppError("invalid_request", { reason: `The body must be a JSON object, and is ${kindOf(value)}.` });
}

/** Bodies that were read by somebody who may leave the request to others. */
const readAhead = new WeakMap<IncomingMessage, Promise<Buffer> | Buffer>();

/** Whether a body, as its request's headers describe it, may be read. */
export function hasGoodBody(request: IncomingMessage, { bytes }: BodyBounds): boolean {
  return hasNoBody(request) || faultOf(request, bytes) === null;
}

/** As `readJsonBody`, of a request with a good body or none; whoever reads it after that, reads the same. @throws the same */
export function readJsonBodyAhead(request: IncomingMessage, bounds: BodyBounds): Promise<JsonObject> {
  if (!hasNoBody(request)) readAhead.set(request, readBytes(request, bounds.bytes));
  return readJsonBody(request, bounds, { mayBeEmpty: true });
}

/**
 * Parses JSON that is safe to hand on: see `scanJson`. A member called `__proto__` becomes an own property like any other.
 * @throws invalid_json, too_large
 */
export function parseJson(bytes: Buffer, members: number): Json {
  const text = hasByteOrderMark(bytes) ? bytes.subarray(3) : bytes;
  const ascii = isAscii(text);
  if (!ascii && !isUtf8(text)) throw new AppError("invalid_json", { reason: "The body is not valid UTF-8." });
  scanJson(text, { depth: LIMITS.jsonDepth, members });
  return JSON.parse(text.toString(ascii ? "latin1" : "utf8")) as Json;
}

/** What is wrong with a body, as far as the headers tell. */
function faultOf(request: IncomingMessage, limit: number): AppError | null {
  const { "content-type": type, "content-encoding": encoding = "identity" } = request.headers;
  if (hasNoBody(request)) return new AppError("invalid_json", { reason: "The request has no body." });
  if (type === undefined || !JSON_TYPE.test(type)) {
    return new AppError("unsupported_media_type", { reason: "The body's Content-Type is not application/json in UTF-8." });
  }
  if (encoding.toLowerCase() !== "identity") {
    return new AppError("unsupported_media_type", {
      reason: "Compressed bodies are not taken.",
      fix: "Send the body without Content-Encoding.",
    });
  }
  return Number(request.headers["content-length"]) > limit ? tooLarge(limit) : null;
}

/** Whether all of a request's body has come. Its end may be told after its bytes. */
export function isBodyHere({ complete, readableLength, headers }: IncomingMessage): boolean {
  return complete || readableLength === Number(headers["content-length"]);
}

function hasNoBody({ headers }: IncomingMessage): boolean {
  const length = headers["content-length"];
  return headers["transfer-encoding"] === undefined && (length === undefined || Number(length) === 0);
}

function readBytes(request: IncomingMessage, limit: number): Promise<Buffer> | Buffer {
  return bytesAtHand(request, limit) ?? bytesToCome(request, limit);
}

/** A body that came along with its headers, as most do: nothing has to be waited for. `null` where more of it is to come. */
function bytesAtHand(request: IncomingMessage, limit: number): Buffer | null {
  const { readableLength, destroyed, headers } = request;
  if (destroyed || readableLength > limit || readableLength !== Number(headers["content-length"])) return null;
  const bytes: unknown = request.read();
  // Node waits for somebody to come to the end.
  request.resume();
  return bytes instanceof Buffer ? bytes : null;
}

function bytesToCome(request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) {
        chunks.push(chunk);
        return;
      }
      chunks.length = 0;
      stop();
      discard(request);
      reject(tooLarge(limit));
    };
    const onEnd = () => {
      stop();
      const [only] = chunks;
      resolve(only !== undefined && chunks.length === 1 ? only : Buffer.concat(chunks, size));
    };
    const onAbort = () => {
      stop();
      reject(new AppError("invalid_request", { reason: "The request broke off before its body was complete." }));
    };
    const stop = () => {
      request.off("data", onData).off("end", onEnd).off("close", onAbort);
      // A socket that breaks later, while the reply is under way, is nobody's error.
      request.off("error", onAbort).on("error", () => {});
    };
    request.on("data", onData).once("end", onEnd).once("close", onAbort).once("error", onAbort);
    // Whoever sent it may have left before anybody reads: nothing of the above comes then.
    if (request.closed) onAbort();
  });
}

/**
 * Lets the rest of a body that nobody wants run through, so that a client that is still sending gets to read the reply
 * instead of a broken connection; one that will not stop is cut off.
 */
function discard(request: IncomingMessage): void {
  let left: number = LIMITS.stateBodyBytes;
  request.on("data", (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) request.socket.destroy();
  });
  request.on("error", () => {});
  request.resume();
}

function tooLarge(limit: number): AppError {
  return new AppError("too_large", {
    reason: `The body is larger than ${limit} bytes.`,
    fix: "Send less in one request.",
    details: { limit },
  });
}

function hasByteOrderMark(bytes: Buffer): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}

function kindOf(value: Json): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : `a ${typeof value}`;
}
