import { isIP } from "node:net";
import { LIMITS } from "../limits.ts";
import { AllowList, isPublicAddress, notAllowed } from "./address.ts";
import { type Lookup, lookupBySystem } from "./lookup.ts";

export interface RepositoryOptions {
  /** What the operator allows besides public addresses; plain http is allowed there, and nowhere else. */
  readonly allow?: AllowList;
  /** Tests replace it. */
  readonly lookup?: Lookup;
}

/** What the name of a repository's host leads to now, all of it allowed. @throws target_not_allowed */
export async function allowedAddresses(
  host: string,
  { allow = new AllowList(), lookup = lookupBySystem }: RepositoryOptions,
): Promise<readonly string[]> {
  const found = isIP(host) === 0 ? await lookup(host).catch(() => []) : [host];
  if (allow.hasName(host) || found.every((address) => isPublicAddress(address) || allow.hasAddress(address))) {
    return found.slice(0, LIMITS.addressesTried);
  }
  throw notAllowed(
    `The host "${host}" has a private address, and the engine goes to repositories at public ones alone.`,
    "Give a public address, or ask the operator to allow this host (GIT_ALLOW).",
  );
}

/** Host, port and addresses as curl takes them; `null` where the host is an address itself. */
export function pinOf({ hostname, port, protocol }: URL, addresses: readonly string[]): string | null {
  if (isIP(hostname.replace(/^\[|\]$/g, "")) !== 0) return null;
  const list = addresses.map((address) => (isIP(address) === 6 ? `[${address}]` : address)).join(",");
  return `${hostname}:${port || (protocol === "https:" ? "443" : "80")}:${list}`;
}

/** curl may look up `host.` as `host`, for which nothing was pinned. */
export function withoutLastDots(host: string): string {
  let end = host.length;
  while (host[end - 1] === ".") end--;
  return host.slice(0, end);
}
