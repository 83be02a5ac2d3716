import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { allows } from "../access.ts";
import type { Authentication } from "../authentication.ts";
import { inTime } from "../document-cache.ts";
import type { Domain } from "../domain.ts";
import { SYSTEM_PARTITION } from "../keys.ts";
import type { Settings } from "../settings.ts";
import type { Principal } from "../tokens.ts";
import { bearerOf, LOCAL_PRINCIPAL, type Rates } from "./auth.ts";
import { FastCallers } from "./fast-callers.ts";
import { isHostGuarded, isKnownHost } from "./guards.ts";
import type { Metrics } from "./metrics.ts";
import { addressKey } from "./rate.ts";
import { type PlainHeaders, plainHeaders } from "./raw-headers.ts";
import { type Lane, ReadyReplies } from "./ready-replies.ts";
import { type ReadyReply, requestIdFor } from "./ready-reply.ts";

export interface FastLaneParts {
  readonly domain: Domain;
  /** `null` where auth is off. */
  readonly authentication: Authentication | null;
  readonly settings: Pick<Settings, "host" | "allowedHosts" | "trustedProxies">;
  readonly rates: Rates;
  readonly metrics: Metrics;
}

/** A request that is as plain as can be. */
interface PlainRequest {
  readonly lane: Lane;
  readonly headers: PlainHeaders;
  /** Of `performance.now()`. */
  readonly start: number;
}

/**
 * Answers what machines ask thousands of times, plain reads of `config` and `active`, from bytes that are made once for each head.
 * It answers nothing but successes: what it does not take as a matter of course it leaves to the routes, which judge it from the
 * beginning, so that there is one place where anything is refused. Nothing is counted before it is sure to be answered here.
 */
export class FastLane {
  readonly #parts: FastLaneParts;
  readonly #routes: RequestListener;
  readonly #replies: ReadyReplies;
  readonly #callers: FastCallers | null;
  readonly #isHostGuarded: boolean;
  readonly #believesProxies: boolean;
  readonly #addresses = new WeakMap<Socket, string>();
  /** The last one that was found to be good. */
  #host: string | undefined;

  constructor(parts: FastLaneParts, routes: RequestListener) {
    const { domain, authentication, settings } = parts;
    this.#parts = parts;
    this.#routes = routes;
    this.#replies = new ReadyReplies(domain);
    this.#callers = authentication === null ? null : new FastCallers(authentication);
    this.#isHostGuarded = isHostGuarded(settings, authentication === null);
    this.#believesProxies = settings.trustedProxies.length > 0;
  }

  readonly handle: RequestListener = (request, response) => {
    const plain = this.#plain(request, response);
    if (plain === null) {
      this.#routes(request, response);
      return;
    }
    const { readIndex } = this.#parts.domain;
    const system = this.#callers === null ? 0 : readIndex.known(SYSTEM_PARTITION);
    const revision = readIndex.known(plain.lane.project);
    const { ready } = plain.lane;
    if (system !== null && revision !== null && ready !== null && ready.asOf >= revision) {
      const caller = this.#reader(plain, system);
      if (caller !== null && this.#send(plain, ready, caller, request, response)) return;
    }
    if (this.#isWorthAsking(plain, request.socket)) void this.#askFirst(plain, request, response);
    else this.#routes(request, response);
  };

  /** The store is asked nothing for whoever shows no token, or is over what their address may. */
  #isWorthAsking({ headers, start }: PlainRequest, socket: Socket): boolean {
    if (this.#callers !== null && bearerOf(headers.authorization ?? "") === null) return false;
    return this.#parts.rates.perAddress.admits(this.#addressOf(socket), start);
  }

  #plain(request: IncomingMessage, response: ServerResponse): PlainRequest | null {
    const { method, url = "" } = request;
    if ((method !== "GET" && method !== "HEAD") || request.httpVersionMinor !== 1) return null;
    const lane = this.#replies.lane(url);
    // A server that is closing has said so in a header.
    if (lane === null || response.hasHeader("connection")) return null;
    const headers = plainHeaders(request.rawHeaders, this.#believesProxies);
    if (headers === null || !this.#isGoodHost(headers.host)) return null;
    return { lane, headers, start: performance.now() };
  }

  #isGoodHost(host: string | undefined): boolean {
    if (!this.#isHostGuarded || (host !== undefined && host === this.#host)) return true;
    if (!isKnownHost(host, this.#parts.settings.allowedHosts)) return false;
    this.#host = host;
    return true;
  }

  /** Who asks, where that is known as of that revision of `_system`, and they may read. */
  #reader({ lane, headers }: PlainRequest, system: number): Principal | null {
    if (this.#callers === null) return LOCAL_PRINCIPAL;
    const caller = headers.authorization === undefined ? null : this.#callers.at(headers.authorization, system);
    return caller !== null && allows(caller.grants, "read", lane.project, lane.env) ? caller : null;
  }

  #send(
    { lane, headers, start }: PlainRequest,
    ready: ReadyReply,
    { token }: Principal,
    request: IncomingMessage,
    response: ServerResponse,
  ) {
    const { domain, metrics, rates } = this.#parts;
    const address = this.#addressOf(request.socket);
    if (!domain.heads.mayBeRead(ready.head) || !rates.perAddress.admits(address, start) || !rates.perToken.admits(token, start))
      return false;
    rates.perAddress.take(address, start);
    rates.perToken.take(token, start);
    const isHead = request.method === "HEAD";
    const status = ready.send(response, requestIdFor(headers.requestId), headers.ifNoneMatch, isHead);
    metrics.observe(lane.operation, status, (performance.now() - start) / 1_000);
    return true;
  }

  #addressOf(socket: Socket): string {
    const known = this.#addresses.get(socket);
    if (known !== undefined) return known;
    const address = addressKey(socket.remoteAddress ?? "");
    this.#addresses.set(socket, address);
    return address;
  }

  /** Has what is not known, or not as new as the request, looked up: those who wait for the same wait together. */
  async #askFirst(plain: PlainRequest, request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A store that does not answer is not waited for here: the routes may know what to show meanwhile.
    const found = await inTime(this.#look(plain)).catch(() => null);
    const isAnswered = found !== null && this.#send(plain, found.ready, found.caller, request, response);
    if (!isAnswered) this.#routes(request, response);
  }

  async #look(plain: PlainRequest): Promise<{ readonly ready: ReadyReply; readonly caller: Principal } | null> {
    const { lane, headers } = plain;
    const [system = 0, revision = 0] = await this.#parts.domain.readIndex.confirm([SYSTEM_PARTITION, lane.project]);
    if (this.#callers !== null && headers.authorization !== undefined) await this.#callers.renew(headers.authorization, system);
    const caller = this.#reader(plain, system);
    const ready = caller === null ? null : await this.#replies.make(lane, revision);
    return caller !== null && ready !== null && ready.asOf >= revision ? { ready, caller } : null;
  }
}
