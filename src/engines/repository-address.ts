import { isIP } from "node:net";
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { AllowList, isPublicAddress } from "./address.ts";
import { type Lookup, lookupBySystem } from "./channel.ts";
import { notAllowed } from "./failures.ts";
import { PublicTarget } from "./request.ts";

/** Where a repository is, once that was looked at. */
export interface RepositoryAddress {
  readonly url: string;
  readonly protocol: "https" | "http";
  /** Host, port and addresses as curl takes them, so that what was checked is what is connected to; `null` for an address itself. */
  readonly resolve: string | null;
}

export interface RepositoryOptions {
  /** What the operator allows besides public addresses; plain http is allowed there, and nowhere else. */
  readonly allow?: AllowList;
  /** Tests replace it. */
  readonly lookup?: Lookup;
}

/**
 * Looks where a repository's URL leads, as for a webhook: https to a public address, or what the operator allows.
 * @throws target_not_allowed, repository_unavailable where the name leads nowhere
 */
export async function checkRepository(
  text: string,
  { allow = new AllowList(), lookup = lookupBySystem }: RepositoryOptions = {},
): Promise<RepositoryAddress> {
  const target = new PublicTarget(text, { allow, lookup });
  await target.close();
  const url = new URL(text);
  if (url.search !== "" || url.hash !== "")
    throw notAllowed("The URL of a repository has neither a query nor a fragment.", "Leave them out.");
  const isAllowed = allow.hasName(target.host) || allow.hasAddress(target.host);
  if (url.protocol !== "https:" && !isAllowed) {
    throw notAllowed("The URL of a repository must begin with https.", "Give an https URL, or ask the operator to allow this host.");
  }
  const protocol = url.protocol === "https:" ? "https" : "http";
  const addresses = await allowedAddresses(target.host, { allow, lookup });
  if (addresses.length === 0) throw new AppError("repository_unavailable", { reason: `The host "${target.host}" has no address.` });
  return { url: url.href, protocol, resolve: pinOf(url, addresses) };
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
