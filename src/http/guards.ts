import type { IncomingMessage, ServerResponse } from "node:http";
import { isIP } from "node:net";
import { AppError } from "../errors.ts";
import { isLoopback, type Settings } from "../settings.ts";
import type { Asked } from "./asked.ts";

/** Scripts, styles and connections from the engine alone; nobody may frame it. `data:` images are Swagger UI's icons. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "object-src 'none'",
].join("; ");

/** Two years: browsers that were here over TLS once do not come back without it. */
const STRICT_TRANSPORT = "max-age=63072000; includeSubDomains";

/** On every reply, in this order. */
export const SECURITY_HEADERS: readonly (readonly [name: string, value: string])[] = [
  ["content-security-policy", CONTENT_SECURITY_POLICY],
  ["x-content-type-options", "nosniff"],
  ["referrer-policy", "no-referrer"],
  ["x-frame-options", "DENY"],
  ["cross-origin-resource-policy", "same-origin"],
  ["cross-origin-opener-policy", "same-origin"],
  ["permissions-policy", "camera=(), geolocation=(), microphone=()"],
];

export function setSecurityHeaders(response: ServerResponse, secure: boolean): void {
  if (secure) response.setHeader("strict-transport-security", STRICT_TRANSPORT);
  for (const [name, value] of SECURITY_HEADERS) response.setHeader(name, value);
}

/** Whether the names that a request may be sent to are known: where no token guards the engine, and where it is not on a network. */
export function isHostGuarded({ host, allowedHosts }: Pick<Settings, "host" | "allowedHosts">, open: boolean): boolean {
  return open || allowedHosts.length > 0 || isLoopback(host);
}

/**
 * A page elsewhere that rebinds its own name to 127.0.0.1 gets a browser behind every firewall, and without tokens that is the
 * only gate. It sends its name in `Host`: where that can be known, only loopback names and allowed ones are served.
 * @throws host_not_allowed
 */
export function checkHost(request: Asked, allowed: readonly string[]): void {
  if (!isKnownHost(request.headers.host, allowed) && !isProbe(request)) throw new AppError("host_not_allowed");
}

const PROBED: ReadonlySet<string> = new Set(["/healthz", "/readyz", "/metrics"]);

/**
 * Load balancers, kubelets and Prometheus ask each engine by its address, or by HTTP/1.0 without a `Host`: there is no name in that by which a
 * page elsewhere could have got here.
 */
function isProbe({ originalUrl, headers: { host } }: Asked): boolean {
  if (!PROBED.has(originalUrl)) return false;
  return host === undefined || isIP(hostName(host)?.replace(/^\[|\]$/g, "") ?? "") !== 0;
}

/** Whether a `Host` header names a loopback host, or one that is allowed. */
export function isKnownHost(host: string | undefined, allowed: readonly string[]): boolean {
  const name = hostName(host);
  return name !== null && (isLoopback(name) || allowed.includes(name));
}

/**
 * A browser names the page that sends a request in `Origin`: what changes anything must come from a page of the engine's own.
 * @throws origin_not_allowed
 */
export function checkOrigin(request: IncomingMessage, allowed: readonly string[]): void {
  const { origin, host } = request.headers;
  if (origin === undefined || request.method === "GET" || request.method === "HEAD") return;
  const url = URL.canParse(origin) ? new URL(origin) : null;
  const isWeb = url !== null && (url.protocol === "http:" || url.protocol === "https:");
  if (isWeb && (url.host === host?.toLowerCase() || allowed.includes(url.hostname))) return;
  throw new AppError("origin_not_allowed");
}

/** The name in a `Host` header, without its port. */
function hostName(host: string | undefined): string | null {
  const found = /^(\[[0-9a-f:.]+\]|[^:/?#@[\]\s]+)(?::\d{1,5})?$/i.exec(host ?? "");
  return found?.[1]?.toLowerCase() ?? null;
}
