import type { ErrorCode } from "../errors.ts";
import type { OfrepErrorReply } from "../schemas/ofrep.ts";
import type { Failure } from "./errors.ts";

/** Where OFREP is spoken: in its own shape of errors, with its own header for tokens, and to pages of other origins. */

const PATH = /^\/ofrep(?:\/|$)/i;
const KEY = /^\/ofrep\/v1\/evaluate\/flags\/([^/?]+)/;

export function isOfrep(target: string): boolean {
  return PATH.test(target);
}

/** OFREP's word for an error of the engine's; those that are about the request's sender have none. */
const CODES: Partial<Record<ErrorCode, OfrepErrorReply["errorCode"]>> = {
  invalid_json: "PARSE_ERROR",
  unsupported_media_type: "PARSE_ERROR",
  invalid_context: "INVALID_CONTEXT",
};
const WITHOUT_CODE: ReadonlySet<number> = new Set([401, 403, 429]);

/** The same failure as OFREP tells it. */
export function ofrepFailure({ status, headers, body: { code, reason, fix_suggestion } }: Failure, target: string) {
  const key = keyIn(target);
  const missing = status === 404 && key !== null ? "FLAG_NOT_FOUND" : "GENERAL";
  const errorCode = status >= 500 || WITHOUT_CODE.has(status) ? undefined : (CODES[code as ErrorCode] ?? missing);
  const body: OfrepErrorReply = {
    ...(key !== null && errorCode !== undefined && { key }),
    ...(errorCode !== undefined && { errorCode }),
    errorDetails: `${reason} ${fix_suggestion}`,
  };
  return { status, headers, body };
}

function keyIn(target: string): string | null {
  const [, key] = KEY.exec(target) ?? [];
  if (key === undefined) return null;
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}

/** Where to be told of changes; a page that is not looked at stops listening after a while. */
export function eventStreams(project: string, env: string, query: string | null) {
  if (query === null) return {};
  const requestUri = `/env/${project}/${env}/watch${query}`;
  return { eventStreams: [{ type: "sse", endpoint: { requestUri }, inactivityDelaySec: 120 }] };
}
