import type { ErrorCode, ErrorReply } from "../schemas/operations.ts";

/** What the client itself finds wrong, beside the engine's own codes. */
export type ClientErrorCode =
  /** No answer came: nothing listens there, or the connection broke. */
  | "connection_failed"
  /** No answer came in time. */
  | "timeout"
  /** The caller's signal was aborted. */
  | "aborted"
  /** What answered is not the engine: a proxy's page, a redirect. */
  | "invalid_answer"
  /** The request cannot be sent as it was given. */
  | "invalid_call"
  /** The kept copy was sealed with another token or for another environment, or somebody changed it. */
  | "copy_unreadable"
  /** The kept copy could not be read or written. */
  | "copy_store_failed"
  /** The engine does not know the revision that this connection has: it was set back to an older backup. */
  | "history_replaced"
  /** The function that finds the token failed. */
  | "token_unavailable";

/** Codes that a newer engine may add are strings like the others. */
export type AnyErrorCode = ErrorCode | ClientErrorCode | (string & Record<never, never>);

export interface EnvmErrorFacts {
  /** What happened, for a person; never a secret. */
  readonly reason: string;
  /** What to do next. */
  readonly fix?: string;
  /** HTTP status; 0 where no answer came. */
  readonly status?: number;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly requestId?: string | null;
  /** Milliseconds after which the engine said it may be asked again. */
  readonly retryAfterMs?: number | null;
  readonly cause?: unknown;
}

/** Every failure of the SDK. `code` is what a program decides by; `reason` and `fix` are for people. */
export class EnvmError extends Error {
  override readonly name = "EnvmError";
  readonly code: AnyErrorCode;
  readonly status: number;
  readonly fix: string;
  readonly details: Readonly<Record<string, unknown>>;
  /** By which the engine's log knows the request; `null` where no answer came. */
  readonly requestId: string | null;
  readonly retryAfterMs: number | null;

  constructor(
    code: AnyErrorCode,
    { reason, fix = "", status = 0, details = {}, requestId = null, retryAfterMs = null, cause }: EnvmErrorFacts,
  ) {
    super(reason, cause === undefined ? undefined : { cause });
    this.code = code;
    this.status = status;
    this.fix = fix;
    this.details = details;
    this.requestId = requestId;
    this.retryAfterMs = retryAfterMs;
  }

  get reason(): string {
    return this.message;
  }
}

/** The request cannot be sent as it was given. */
export function invalidCall(reason: string, fix: string): EnvmError {
  return new EnvmError("invalid_call", { reason, fix });
}

/** The failure that an answer tells of. */
export function failureOf(response: Response, text: string): EnvmError {
  const { status, headers } = response;
  const facts = { status, requestId: headers.get("x-request-id"), retryAfterMs: retryAfter(headers.get("retry-after")) };
  const body = errorReply(text);
  if (body === null) return notTheEngine(response, facts);
  return new EnvmError(body.code, { ...facts, reason: body.reason, fix: body.fix_suggestion, details: body.details });
}

export function notTheEngine({ status, headers }: Response, facts: Partial<EnvmErrorFacts> = {}): EnvmError {
  const type = headers.get("content-type")?.split(";", 1)[0] ?? "no content type";
  const redirected = status === 0 || (status >= 300 && status < 400);
  return new EnvmError("invalid_answer", {
    status,
    ...facts,
    reason: redirected ? "The address answers with a redirect." : `What answers is not the engine (status ${status}, ${type}).`,
    fix: redirected
      ? "Give the address that it leads to."
      : status === 413
        ? "Send less in one request, or let the proxy before the engine take bodies as large as the engine does: 64 MiB."
        : "Check the address, and what stands between here and the engine.",
  });
}

function errorReply(text: string): ErrorReply | null {
  const body = parsed(text);
  if (typeof body !== "object" || body === null) return null;
  const { status, code, reason, fix_suggestion = "", details = {}, request_id = "" } = body as Partial<ErrorReply>;
  if (status !== "error" || typeof code !== "string" || typeof reason !== "string") return null;
  return { status, code, reason, fix_suggestion, details, request_id };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Seconds or a date (RFC 9110 §10.2.3), as milliseconds from now on. */
function retryAfter(header: string | null): number | null {
  if (header === null) return null;
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
}
