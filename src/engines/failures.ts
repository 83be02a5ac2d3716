import { errors } from "undici";
import { AppError } from "../errors.ts";

/**
 * How an outgoing request failed, in `details.failure` of `engine_unavailable`. Nothing was sent where it is `unreachable`
 * or `overloaded`; otherwise the other side may have acted on the request. `aborted` is the caller's own wish.
 */
export type Failure = "unreachable" | "overloaded" | "timeout" | "aborted" | "broken" | "malformed" | "too_large";

/**
 * `what` is said of `subject`, which names the other side without its path, its query or credentials. `retryAfterMs`: where it
 * said when it may be asked again.
 */
export function unavailable(failure: Failure, subject: string, what: string, retryAfterMs: number | null = null): AppError {
  return new AppError("engine_unavailable", {
    reason: `${subject} ${what}.`,
    fix: "See whether it runs, can be reached from here and answers as it should, then try again.",
    details: { failure, ...(retryAfterMs !== null && { retry_after_ms: Math.ceil(retryAfterMs) }) },
  });
}

/** No connection came to be. */
export function connectionFailure(error: Error, subject: string): AppError {
  return error instanceof AppError ? error : unavailable("unreachable", subject, `cannot be reached (${codeOf(error)})`);
}

/**
 * What an exchange failed of, once there was a connection. The error itself is not kept as a cause: the parser's holds pieces
 * of the reply, and whoever logs a cause would log them.
 */
export function exchangeFailure(error: unknown, subject: string): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof errors.ClientDestroyedError || error instanceof errors.ClientClosedError) return new AppError("shutting_down");
  if (error instanceof errors.InvalidArgumentError || error instanceof errors.NotSupportedError) {
    return new AppError("invalid_request", { reason: "The outgoing request is not one that HTTP allows." });
  }
  if (MALFORMED.some((kind) => error instanceof kind)) return unavailable("malformed", subject, "does not answer in valid HTTP");
  return unavailable("broken", subject, `broke off before the reply was complete (${codeOf(error)})`);
}

const MALFORMED = [errors.HTTPParserError, errors.HeadersOverflowError, errors.ResponseContentLengthMismatchError];

/** Alone what has the form of a code: a message may hold addresses. */
function codeOf(error: unknown): string {
  const code: unknown = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && /^[A-Z][A-Z0-9_]{1,63}$/.test(code) ? code : "unknown error";
}
