import { AppError } from "../errors.ts";
import { AllowList, notAllowed } from "./address.ts";
import { lookupBySystem } from "./lookup.ts";
import { allowedAddresses, pinOf, type RepositoryOptions, withoutLastDots } from "./repository-pins.ts";
import { PublicTarget } from "./request.ts";

/** Where a repository is, once that was looked at. */
interface RepositoryAddress {
  readonly url: string;
  readonly protocol: "https" | "http";
  /** Host, port and addresses as curl takes them, so that what was checked is what is connected to; `null` for an address itself. */
  readonly resolve: string | null;
}

/**
 * Looks where a repository's URL leads, as for a webhook: https to a public address, or what the operator allows.
 * @throws target_not_allowed, repository_unavailable where the name leads nowhere
 */
export async function checkRepository(
  text: string,
  { allow = new AllowList(), lookup = lookupBySystem }: RepositoryOptions = {},
): Promise<RepositoryAddress> {
  const address = withoutDots(text);
  checkNobody(address);
  const target = new PublicTarget(address, { allow, lookup });
  await target.close();
  const url = new URL(address);
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

function checkNobody(address: string): void {
  const { username, password } = URL.canParse(address) ? new URL(address) : { username: "", password: "" };
  if (username + password === "") return;
  throw notAllowed("The URL of a repository holds a name or a password.", "Send the name as `username`, and the password as `credential`.");
}

/** The dots at the end go before anything looks at the name. */
function withoutDots(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url?.hostname.endsWith(".")) return text;
  url.hostname = withoutLastDots(url.hostname);
  return url.href;
}
