import { isIP } from "node:net";
import { AppError } from "../errors.ts";
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
  if (isIP(target.host) !== 0) return { url: url.href, protocol, resolve: null };
  const addresses = await lookup(target.host).catch(() => []);
  if (addresses.length === 0) throw new AppError("repository_unavailable", { reason: `The host "${target.host}" has no address.` });
  if (!allow.hasName(target.host) && !addresses.every((address) => isPublicAddress(address) || allow.hasAddress(address))) {
    throw notAllowed(
      `The host "${target.host}" has a private address, and repositories are fetched from public ones alone.`,
      "Give a public address, or ask the operator to allow this host (GIT_ALLOW).",
    );
  }
  const port = url.port === "" ? (protocol === "https" ? "443" : "80") : url.port;
  const list = addresses.map((address) => (isIP(address) === 6 ? `[${address}]` : address)).join(",");
  return { url: url.href, protocol, resolve: `${target.host}:${port}:${list}` };
}
