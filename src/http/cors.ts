import type { IncomingMessage, ServerResponse } from "node:http";

/** Any origin. */
const ANY = "*";
/** Flags are evaluated, and changes watched, from pages; nothing else is. */
const PATHS = /^\/(?:ofrep\/v1\/evaluate\/flags(?:\/[^/?]+)?|env\/[^/?]+\/[^/?]+\/watch)(?:\?|$)/;
const ALLOW_HEADERS = "authorization, content-type, if-none-match, last-event-id, x-api-key, x-request-id";
const EXPOSE_HEADERS = "etag, retry-after, x-request-id";
/** Seconds for which a browser need not ask again. */
const MAX_AGE = "600";

/**
 * Which pages of other origins may read flags (Fetch standard, CORS). A browser sends them no cookie of the engine's: a page has a token
 * or nothing, so that what is allowed here opens nothing to somebody who is logged in.
 */
export class Cors {
  readonly #origins: ReadonlySet<string>;

  constructor(origins: readonly string[]) {
    this.#origins = new Set(origins);
  }

  /** Whether this request may come from the page that sends it. */
  allows({ url = "", headers: { origin } }: IncomingMessage): boolean {
    return origin !== undefined && PATHS.test(url) && (this.#origins.has(ANY) || this.#origins.has(origin));
  }

  /** Says so in the reply; and answers, where the browser only asks whether it may. @returns whether it did */
  apply(request: IncomingMessage, response: ServerResponse): boolean {
    if (this.#origins.size === 0 || !PATHS.test(request.url ?? "")) return false;
    response.setHeader("vary", "Origin");
    if (!this.allows(request)) return false;
    response.setHeader("access-control-allow-origin", this.#origins.has(ANY) ? ANY : (request.headers.origin ?? ""));
    response.setHeader("access-control-expose-headers", EXPOSE_HEADERS);
    if (request.method !== "OPTIONS" || request.headers["access-control-request-method"] === undefined) return false;
    response.setHeader("access-control-allow-methods", "GET, POST");
    response.setHeader("access-control-allow-headers", ALLOW_HEADERS);
    response.setHeader("access-control-max-age", MAX_AGE);
    response.writeHead(204).end();
    return true;
  }
}
