import { isIP } from "node:net";
import { LIMITS } from "../limits.ts";
import { AllowList, isPublicAddress, notAllowed } from "./address.ts";
import { Channel } from "./channel.ts";
import { type Lookup, lookupBySystem } from "./lookup.ts";
import { encodePath, type OutgoingRequest, toMessage } from "./message.ts";
import type { OutgoingResponse } from "./reply.ts";

interface EngineOptions {
  /** Names the engine in messages: `The Vault engine`. */
  readonly name: string;
  readonly connectTimeoutMs?: number;
}

/**
 * An engine that the operator configured. Requests go to its base URL's origin, under its base path, and nowhere else: a
 * redirect is a reply like any other.
 *
 *     const vault = new EngineTarget("http://127.0.0.1:4001", { name: "The Vault engine" });
 *     const reply = await vault.request(["vault", "token", "pf-777/staging", "DB@1"], { method: "GET" });
 */
export class EngineTarget {
  /** Scheme, host and port: fit to be logged. */
  readonly origin: string;
  readonly #basePath: string;
  readonly #preset: Readonly<Record<string, string>>;
  readonly #channel: Channel;

  /**
   * Credentials in the URL become an `Authorization` header; a request may bring its own instead.
   * @throws AppError `target_not_allowed` where the URL is no base of an engine
   */
  constructor(baseUrl: string, { name, connectTimeoutMs }: EngineOptions) {
    const url = parseUrl(baseUrl, `${name}'s base URL`);
    if (url.search !== "" || url.hash !== "") {
      throw notAllowed(`${name}'s base URL has a query or a fragment.`, "Give scheme, host, port and path alone.");
    }
    this.origin = url.origin;
    this.#basePath = url.pathname.replace(/\/+$/, "");
    this.#preset = { accept: "application/json", ...authorization(url, name) };
    this.#channel = new Channel(url.origin, {
      subject: name,
      connections: LIMITS.engineConnections,
      lookup: lookupBySystem,
      connectTimeoutMs,
    });
  }

  /**
   * Each element of `path` is one part of the path, whatever it holds.
   * @throws AppError `engine_unavailable` (see `Failure`), `invalid_request`, `too_large`, `shutting_down`
   */
  async request(path: readonly string[], request: OutgoingRequest): Promise<OutgoingResponse> {
    const target = this.#basePath + encodePath(path) || "/";
    return this.#channel.send(toMessage(target, request, this.#preset), boundsOf(request, LIMITS.engineReplyBytes));
  }

  /** Ends its connections; what is under way is refused with `shutting_down`. */
  close(): Promise<void> {
    return this.#channel.close();
  }
}

export interface PublicOptions {
  /** What the operator allows besides public addresses. */
  readonly allow?: AllowList | undefined;
  /** Tests replace it. */
  readonly lookup?: Lookup | undefined;
  readonly connectTimeoutMs?: number | undefined;
}

/**
 * An address that a user gave, such as a webhook's. It is public, and so is every address that its host name has at the time
 * of each connection, or the operator allowed it. The name is resolved once for a connection, and the addresses checked are
 * those connected to.
 */
export class PublicTarget {
  /** Fit to be logged; the rest of the URL may be a credential. */
  readonly host: string;
  readonly #path: string;
  readonly #channel: Channel;

  /** Resolves nothing. @throws AppError `target_not_allowed` for what can be told from the URL alone */
  constructor(address: string, { allow = new AllowList(), lookup = lookupBySystem, connectTimeoutMs }: PublicOptions = {}) {
    const url = parsePublicUrl(address);
    this.host = url.hostname.replace(/^\[|\]$/g, "");
    if (isIP(this.host) !== 0) checkAddresses([this.host], allow);
    this.#path = url.pathname + url.search;
    this.#channel = new Channel(url.origin, {
      subject: `The host "${this.host}"`,
      connections: LIMITS.publicConnections,
      lookup: async (host) => {
        const addresses = await lookup(host);
        if (!allow.hasName(host)) checkAddresses(addresses, allow);
        return addresses;
      },
      connectTimeoutMs,
    });
  }

  /** @throws AppError `target_not_allowed` also for a redirect; `engine_unavailable`, `invalid_request`, `too_large`, `shutting_down` */
  async request(request: OutgoingRequest): Promise<OutgoingResponse> {
    const response = await this.#channel.send(toMessage(this.#path, request), boundsOf(request, LIMITS.publicReplyBytes));
    if (response.status < 300 || response.status > 399) return response;
    throw notAllowed(`The host "${this.host}" answers with a redirect, and redirects are not followed.`, "Give the URL that it leads to.");
  }

  /** Ends its connections; what is under way is refused with `shutting_down`. */
  close(): Promise<void> {
    return this.#channel.close();
  }
}

/** One private address among public ones is enough to refuse: which of them is connected to is not ours to choose. */
function checkAddresses(addresses: readonly string[], allow: AllowList): void {
  if (addresses.every((address) => isPublicAddress(address) || allow.hasAddress(address))) return;
  throw notAllowed(
    "The URL leads to a private address, and requests go to public ones alone.",
    "Give a public address, or ask the operator to allow this host.",
  );
}

function parsePublicUrl(address: string): URL {
  if (address.length > LIMITS.urlLength) throw notAllowed(`The URL has more than ${LIMITS.urlLength} characters.`, "Give a shorter one.");
  const url = parseUrl(address, "The URL");
  if (url.username !== "" || url.password !== "") {
    throw notAllowed("The URL holds a user name or a password.", "Send credentials in a header instead.");
  }
  if (url.port !== "" && url.port !== "80" && url.port !== "443" && Number(url.port) < 1024) {
    throw notAllowed("The URL's port is one of a service other than HTTP.", "Use port 80, 443, or one from 1024 on.");
  }
  return url;
}

function parseUrl(text: string, what: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol === "http:" || url?.protocol === "https:") return url;
  throw notAllowed(`${what} is not a valid http or https URL.`, "Give an absolute URL such as https://example.com/path.");
}

function authorization({ username, password }: URL, name: string): Readonly<Record<string, string>> {
  if (username === "" && password === "") return {};
  try {
    const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return { authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
  } catch {
    throw notAllowed(`The credentials in ${name}'s base URL cannot be decoded.`, "Percent-encode them.");
  }
}

function boundsOf({ timeoutMs = LIMITS.outgoingMs, maxResponseBytes, signal }: OutgoingRequest, defaultBytes: number) {
  return { timeoutMs: Math.min(timeoutMs, LIMITS.outgoingMaxMs), maxResponseBytes: maxResponseBytes ?? defaultBytes, signal };
}
