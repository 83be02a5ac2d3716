import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Authentication } from "../authentication.ts";
import type { Domain } from "../domain.ts";
import type { Settings } from "../settings.ts";
import type { Principal } from "../tokens.ts";
import { bearerOf, LOCAL_PRINCIPAL, type Rates } from "./auth.ts";
import type { FastCallers } from "./fast-callers.ts";
import { isHostGuarded, isKnownHost } from "./guards.ts";
import type { Metrics } from "./metrics.ts";
import type { Place } from "./ofrep.ts";
import { type PlainHeaders, plainHeaders, type Unusual } from "./raw-headers.ts";
import { addressOf, digestOf } from "./visitors.ts";

export interface FastLaneParts {
  readonly domain: Domain;
  /** `null` where auth is off. */
  readonly authentication: Authentication | null;
  /** The same. */
  readonly callers: FastCallers | null;
  readonly settings: Pick<Settings, "host" | "allowedHosts" | "trustedProxies" | "ofrepCorsOrigins">;
  readonly rates: Rates;
  readonly metrics: Metrics;
}

/** Of `_system` and of a project. */
type Revisions = readonly [system: number, project: number];

/** Who is let into the fast lane: what is true of a request whatever it asks for. It refuses nobody, and sends them to the routes. */
export class FastDoor {
  readonly #parts: FastLaneParts;
  readonly #callers: FastCallers | null;
  readonly #isHostGuarded: boolean;
  readonly #believesProxies: boolean;
  /** The last one that was found to be good. */
  #host: string | undefined;

  constructor(parts: FastLaneParts) {
    const { callers, settings } = parts;
    this.#parts = parts;
    this.#callers = callers;
    this.#isHostGuarded = isHostGuarded(settings, callers === null);
    this.#believesProxies = settings.trustedProxies.length > 0;
  }

  /** Whether nobody needs a token. */
  get isOpen(): boolean {
    return this.#callers === null;
  }

  /** The headers of a request that is as plain as can be. */
  headersOf({ httpVersionMinor, rawHeaders }: IncomingMessage, unusual: Unusual): PlainHeaders | null {
    if (httpVersionMinor !== 1) return null;
    const headers = plainHeaders(rawHeaders, unusual, this.#believesProxies);
    return headers !== null && this.#isGoodHost(headers.host) ? headers : null;
  }

  #isGoodHost(host: string | undefined): boolean {
    if (!this.#isHostGuarded || (host !== undefined && host === this.#host)) return true;
    if (!isKnownHost(host, this.#parts.settings.allowedHosts)) return false;
    this.#host = host;
    return true;
  }

  /** The store is asked nothing for whoever shows no token, or is over what their address may. */
  isWorthAsking({ socket }: IncomingMessage, { authorization }: PlainHeaders, now: number): boolean {
    if (this.#callers !== null && bearerOf(authorization ?? "") === null) return false;
    return this.#parts.rates.perAddress.admits(addressOf(socket), now);
  }

  /** Who asks, where that is known as of that revision of `_system`. */
  callerAt(socket: Socket, { authorization }: PlainHeaders, system: number): Principal | null {
    if (this.#callers === null) return LOCAL_PRINCIPAL;
    return authorization === undefined ? null : this.#callers.at(authorization, digestOf(socket, authorization), system);
  }

  /** Has a token that was known before looked up as of that revision of `_system`. @throws unauthorized, and the like */
  async renew(socket: Socket, { authorization }: PlainHeaders, system: number): Promise<void> {
    if (this.#callers !== null && authorization !== undefined) {
      await this.#callers.renew(authorization, digestOf(socket, authorization), system);
    }
  }

  /** Notes of a reader, and of a head, that they were current at a moment after `at`: what may be shown while the store is away is that old. */
  confirm({ token }: Principal, { project, env }: Place, [system, revision]: Revisions, at: number): void {
    const { authentication, domain } = this.#parts;
    if (authentication !== null) domain.tokens.confirm(token, system, at);
    domain.heads.confirm(project, env, revision, at);
  }

  /** Whether one more request may be answered: counts nothing. */
  admits({ socket }: IncomingMessage, { token }: Principal, now: number): boolean {
    const { perAddress, perToken } = this.#parts.rates;
    return perAddress.admits(addressOf(socket), now) && perToken.admits(token, now);
  }

  /** Counts a request that is sure to be answered here. */
  take({ socket }: IncomingMessage, { token }: Principal, now: number): void {
    const { perAddress, perToken } = this.#parts.rates;
    perAddress.take(addressOf(socket), now);
    perToken.take(token, now);
  }
}
