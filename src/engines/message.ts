import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Json } from "../ports.ts";

export interface OutgoingRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** None that says where the request goes or how it is framed: those are set here. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly json?: Json | undefined;
  /** Sent as it is, instead of `json`; its `content-type` is among the headers. */
  readonly body?: string | Uint8Array | undefined;
  /** Passed on as `x-request-id`. */
  readonly requestId?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds from the call to the last byte of the reply. */
  readonly timeoutMs?: number | undefined;
  /** Bytes of the reply's body. */
  readonly maxResponseBytes?: number | undefined;
}

/** A request as it is sent. */
export interface Message {
  readonly method: OutgoingRequest["method"];
  readonly path: string;
  readonly headers: string[];
  readonly body: string | Uint8Array | null;
}

/** `preset` are headers that the request's own replace. */
export function toMessage(path: string, request: OutgoingRequest, preset: Readonly<Record<string, string>> = {}): Message {
  const { method, json } = request;
  const body = json === undefined ? (request.body ?? null) : JSON.stringify(json);
  if (body !== null && Buffer.byteLength(body) > LIMITS.outgoingBytes) {
    throw new AppError("too_large", { reason: `The body of an outgoing request has more than ${LIMITS.outgoingBytes} bytes.` });
  }
  const headers = new Map([["user-agent", "environment-manager"]]);
  if (json !== undefined) headers.set("content-type", "application/json");
  if (request.requestId !== undefined) headers.set("x-request-id", request.requestId);
  for (const [name, value] of Object.entries({ ...preset, ...request.headers })) headers.set(name.toLowerCase(), value);
  checkHeaders(headers);
  headers.set("accept-encoding", "identity");
  return { method, path, headers: [...headers].flat(), body };
}

/**
 * `encodePath(["vault", "token", "pf-777/staging"])` is `/vault/token/pf-777%2Fstaging`: whatever a part holds, it stays one part.
 *
 * @throws AppError `invalid_request` for an empty part, `.` and `..`, which no encoding keeps from changing the path
 */
export function encodePath(parts: readonly string[]): string {
  return parts.map((part) => `/${encodePart(part)}`).join("");
}

function encodePart(part: string): string {
  if (part === "" || part === "." || part === ".." || /\p{Surrogate}/u.test(part)) {
    throw new AppError("invalid_request", {
      reason: "A part of an outgoing request's path is empty, `.`, `..` or not valid Unicode text.",
      fix: "Use another name.",
    });
  }
  return encodeURIComponent(part);
}

/** They say where a request goes, how long it is, or what becomes of its connection. */
const RESERVED_HEADERS: ReadonlySet<string> = new Set([
  "accept-encoding",
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Names and values are told in no message: a value may be a credential, and a name may have been meant as one. */
function checkHeaders(headers: ReadonlyMap<string, string>): void {
  let bytes = 0;
  for (const [name, value] of headers) {
    bytes += name.length + value.length;
    if (!/^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name) || /[^\t\x20-\x7e\x80-\xff]/.test(value)) {
      throw badHeader("A header of an outgoing request holds a character that HTTP does not allow there, such as a line break.");
    }
    if (RESERVED_HEADERS.has(name)) throw badHeader("A header of an outgoing request is one that the engine sets itself.");
  }
  if (bytes > LIMITS.outgoingHeaderBytes)
    throw badHeader(`The headers of an outgoing request have more than ${LIMITS.outgoingHeaderBytes} bytes.`);
}

function badHeader(reason: string): AppError {
  return new AppError("invalid_request", { reason, fix: "Correct or remove the header." });
}
