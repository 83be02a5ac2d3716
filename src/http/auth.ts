import type { ServerResponse } from "node:http";
import { isTakenName } from "../actors.ts";
import type { Authentication } from "../authentication.ts";
import { mayDoAll } from "../callers.ts";
import type { Freshness } from "../document-cache.ts";
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Caller } from "../model.ts";
import { quoted } from "../names.ts";
import type { Refusals } from "../refusals.ts";
import type { Principal } from "../tokens.ts";
import type { Asked } from "./asked.ts";
import type { FastCallers } from "./fast-callers.ts";
import { basicToken, isGit } from "./git-client.ts";
import { type BodyBounds, readJsonBytes } from "./json.ts";
import { isOfrep } from "./ofrep.ts";
import { addressKey, type RateLimiter } from "./rate.ts";
import { valuesOf } from "./raw-headers.ts";
import type { Connection } from "./route.ts";
import { holdStream } from "./streams.ts";

/** Who gets in: tells who asks, and how often they may. */
export interface Gate {
  /** @throws unauthorized, forbidden, origin_not_allowed, too_many_requests, identity_unavailable */
  admit(request: Asked, requestId: string, freshness?: Freshness): Promise<Caller>;
  connection(request: Asked, response: ServerResponse): Connection;
}

export interface Rates {
  /** All requests, whoever sends them. */
  readonly perAddress: RateLimiter;
  readonly perToken: RateLimiter;
  /** Log-ins with one token. */
  readonly sessions: RateLimiter;
  /** Requests that showed what is no token: they alone count, so that nobody is locked out by a neighbour. */
  readonly refused: RateLimiter;
}

interface GateParts {
  /** `null` where auth is off: for development on a loopback host, whoever gets here may do everything. */
  readonly authentication: Authentication | null;
  /** Who is known without being looked up. */
  readonly callers: Pick<FastCallers, "now"> | null;
  readonly rates: Rates;
  readonly refusals: Pick<Refusals, "note">;
}

export function openGate({ authentication, callers, rates, refusals }: GateParts): Gate {
  const parts = { authentication, rates };
  return {
    connection: (request, response) => new RequestConnection(parts, request, response),
    async admit(request, requestId, freshness = "current") {
      const principal =
        authentication === null
          ? LOCAL_PRINCIPAL
          : (knownPrincipal(request, callers) ?? (await counted(request, rates, () => principalOf(request, authentication, freshness))));
      checkRate(rates.perToken, principal.token, "with this token");
      const { subject, token, grants } = principal;
      const caller = { actor: subject, subject, token, requestId, grants };
      try {
        return { ...caller, actor: actorOf(request, principal) };
      } catch (error) {
        if (error instanceof AppError && error.code === "forbidden") {
          refusals.note(caller, { action: "access_refused", what: "x-actor", details: { reason: error.message } });
        }
        throw error;
      }
    },
  };
}

/**
 * How one request came in. A class, and not an object literal: V8 gives a literal with getters that are closures a hidden class of its own
 * each time, which lies in the old generation and keeps all of the request until that is collected.
 */
class RequestConnection implements Connection {
  readonly #parts: Pick<GateParts, "authentication" | "rates">;
  readonly #request: Asked;
  readonly #response: ServerResponse;

  constructor(parts: Pick<GateParts, "authentication" | "rates">, request: Asked, response: ServerResponse) {
    this.#parts = parts;
    this.#request = request;
    this.#response = response;
  }

  get secure(): boolean {
    return this.#request.secure;
  }

  get signal(): AbortSignal {
    const gone = new AbortController();
    holdStream(this.#response, () => gone.abort());
    return gone.signal;
  }

  async admitAgain(): Promise<number | null> {
    const { authentication } = this.#parts;
    return authentication === null ? null : (await principalOf(this.#request, authentication, "current")).expiresAt;
  }

  get credential(): string {
    return this.#request.headers.authorization ?? ticketOf(this.#request)?.text ?? `session ${sessionOf(this.#request)}`;
  }

  get lastEventId(): string | null {
    const id = this.#request.headers["last-event-id"];
    return typeof id === "string" && id !== "" ? id : null;
  }

  header(name: string): string | null {
    const [value, second] = this.#request.headersDistinct[name] ?? [];
    return second === undefined ? (value ?? null) : null;
  }

  readBytes(bounds: BodyBounds): Promise<Buffer> {
    return readJsonBytes(this.#request, bounds);
  }

  get session(): string | null {
    return sessionOf(this.#request);
  }

  async streamQuery(holder: string, project: string, env: string): Promise<string | null> {
    const { authentication } = this.#parts;
    if (authentication === null) return "";
    const ticket = showsToken(this.#request) ? await authentication.ticket(holder, project, env) : null;
    return ticket === null ? null : `?ticket=${ticket}`;
  }

  async signIn(token: string): Promise<Principal> {
    const { authentication, rates } = this.#parts;
    if (authentication === null) return LOCAL_PRINCIPAL;
    const principal = await counted(this.#request, rates, () => authentication.byToken(token));
    // A session is written down, so that sessions are rarer than other requests.
    checkRate(rates.sessions, principal.token, "to log in with this token");
    return principal;
  }
}

/** Whoever gets in where auth is off. */
export const LOCAL_PRINCIPAL: Principal = { ...mayDoAll("local", ""), expiresAt: null };

/** Of a request with one Authorization header, which counts before everything else. */
function knownPrincipal(request: Asked, callers: GateParts["callers"]): Principal | null {
  const [header, second] = valuesOf(request, "authorization");
  return callers === null || header === undefined || second !== undefined ? null : callers.now(request.socket, header);
}

function principalOf(request: Asked, authentication: Authentication, freshness: Freshness): Promise<Principal> {
  const ticket = ticketOf(request);
  if (ticket !== null) return authentication.byTicket(ticket.text, ticket.project, ticket.env);
  const session = showsToken(request) ? null : sessionOf(request);
  if (session === null) return authentication.byToken(bearerToken(request), freshness);
  checkSameSite(request);
  return authentication.bySession(session);
}

function showsToken(request: Asked): boolean {
  return request.headers.authorization !== undefined || (isOfrep(request.originalUrl) && apiKey(request) !== null);
}

const WATCH = /^\/env\/([A-Za-z0-9_-]+)\/([a-z0-9_-]+)\/watch\?/;

/** The ticket in the address of a request to watch, where it has no header that says more. */
function ticketOf({ originalUrl, query, headers }: Asked) {
  const [, project, env] = WATCH.exec(originalUrl) ?? [];
  const text = query["ticket"];
  if (project === undefined || env === undefined || typeof text !== "string" || headers.authorization !== undefined) return null;
  return { text, project, env };
}

const BEARER = /^Bearer +([\x21-\x7e]+)$/i;

function bearerToken(request: Asked): string {
  const [header, second] = valuesOf(request, "authorization");
  if (header === undefined) {
    const key = isOfrep(request.originalUrl) ? apiKey(request) : null;
    if (key !== null) return key;
    throw new AppError("unauthorized", { reason: "The request has no Authorization header." });
  }
  if (second !== undefined) throw new AppError("unauthorized", { reason: "The request has more than one Authorization header." });
  const token = bearerOf(header) ?? (isGit(request.originalUrl) ? basicToken(header) : null);
  if (token === null) throw new AppError("unauthorized", { reason: "The Authorization header is not of the form `Bearer <token>`." });
  return token;
}

/** The token that an Authorization header shows. */
export function bearerOf(header: string): string | null {
  return BEARER.exec(header)?.[1] ?? null;
}

/** OFREP's other header for a token. */
function apiKey(request: Asked): string | null {
  const [key, second] = valuesOf(request, "x-api-key");
  if (second !== undefined) throw new AppError("unauthorized", { reason: "The request has more than one X-API-Key header." });
  return key ?? null;
}

/** Over TLS the name has a prefix by which browsers keep other hosts and plain connections from setting it. */
export function sessionCookie(secure: boolean): string {
  return secure ? "__Host-envm_session" : "envm_session";
}

function sessionOf(request: Asked): string | null {
  const prefix = `${sessionCookie(request.secure)}=`;
  const found = request.headers.cookie?.split("; ").find((cookie) => cookie.startsWith(prefix));
  return found?.slice(prefix.length) ?? null;
}

/**
 * A browser sends the cookie along by itself: a write must show that a page of the engine's own sent it. `SameSite=Strict` says
 * the same in browsers that know it; this holds in the others, and between ports of one host.
 */
function checkSameSite(request: Asked): void {
  const site = request.headers["sec-fetch-site"];
  const isOwn = site === undefined || site === "same-origin" || site === "none";
  const isRead = request.method === "GET" || request.method === "HEAD";
  if (isOwn && (isRead || site === "same-origin" || request.headers.origin !== undefined)) return;
  throw new AppError("origin_not_allowed", {
    reason: "A session changes things from a page of the engine's own alone, and this request does not show that it comes from one.",
    fix: "Send an Authorization header with a token instead of the cookie.",
  });
}

const ACTOR = new RegExp(`^(?! )[\\x20-\\x7e]{1,${LIMITS.actorLength}}(?<! )$`);

/** Whoever acts: a sibling engine says for whom, and nobody else can. */
function actorOf(request: Asked, { subject, grants }: Principal): string {
  const [actor, second] = valuesOf(request, "x-actor");
  if (actor === undefined) return subject;
  if (grants.length === 0 || !grants.every(({ role }) => role === "engine")) {
    throw new AppError("forbidden", {
      reason: `${quoted(subject)} is no sibling engine, so it acts for nobody else.`,
      fix: "Leave the X-Actor header out, or use a token with the role engine.",
    });
  }
  if (second === undefined && ACTOR.test(actor) && !isTakenName(actor)) return actor;
  throw new AppError("invalid_request", {
    reason: "The X-Actor header names nobody.",
    fix: `Send one name of 1 to ${LIMITS.actorLength} printable ASCII characters that is not the engine's own.`,
  });
}

/** Counts what is refused: who shows too much that is no token is told to wait instead of being told so again. */
async function counted<Result>(request: Asked, { refused }: Rates, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AppError && error.code === "unauthorized")
      checkRate(refused, addressKey(request.ip ?? ""), "without a valid token");
    throw error;
  }
}

/** For every request, whoever sends it and whatever it asks for. @throws too_many_requests */
export function checkAddress(rate: RateLimiter, request: Asked): void {
  checkRate(rate, addressKey(request.ip ?? ""), "from this address");
}

function checkRate(rate: RateLimiter, key: string, which: string): void {
  const seconds = rate.take(key);
  if (seconds === 0) return;
  throw new AppError("too_many_requests", {
    reason: `There are too many requests ${which}.`,
    fix: `Wait ${seconds} s, as the Retry-After header says, and send fewer at once.`,
    details: { retry_after_seconds: seconds },
  });
}
