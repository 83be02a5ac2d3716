import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import { AppError } from "../errors.ts";

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Range = [Address, number];

/** What IANA gives out for the public internet. All else of IPv6 is reserved, whether a table of special ranges names it or not. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR("2000::/3");

/** IPv6 addresses whose last four bytes are the IPv4 address that is reached: mapped ones, and NAT64's well-known prefix. */
const EMBEDDING = [ipaddr.IPv6.parseCIDR("::ffff:0:0/96"), ipaddr.IPv6.parseCIDR("64:ff9b::/96")];

/**
 * Whether an IP address is one of the public internet: `isPublicAddress("93.184.215.14")`, but not `isPublicAddress("10.0.0.1")`.
 *
 * An address that stands for an IPv4 one (`::ffff:10.0.0.1`, `64:ff9b::a00:1`) is what it stands for. Tunnels (6to4, Teredo),
 * network-specific NAT64, zone ids, and what is no address in its usual notation are not public.
 */
export function isPublicAddress(address: string): boolean {
  const reached = parseAddress(address);
  if (reached === null) return false;
  if (reached instanceof ipaddr.IPv6 && !reached.match(GLOBAL_UNICAST)) return false;
  return reached.range() === "unicast";
}

/** What an operator allows besides the public internet: host names, IP addresses and CIDR ranges. */
export class AllowList {
  readonly #names = new Set<string>();
  readonly #ranges: Range[] = [];

  /** @throws AppError `invalid_request` for an entry that is none of these */
  constructor(entries: readonly string[] = [], setting = "The list of what is allowed") {
    for (const entry of entries) this.#add(entry.trim(), setting);
  }

  hasName(host: string): boolean {
    return this.#names.has(withoutRootDot(host.toLowerCase()));
  }

  hasAddress(address: string): boolean {
    const reached = parseAddress(address);
    return reached !== null && this.#ranges.some(([network, bits]) => network.kind() === reached.kind() && reached.match(network, bits));
  }

  #add(entry: string, setting: string): void {
    const range = parseRange(entry);
    if (range !== null) {
      this.#ranges.push(range);
      return;
    }
    const name = parseName(entry);
    if (name === null) {
      throw new AppError("invalid_request", {
        reason: `${setting} holds "${entry}", which is neither a host name nor an IP address nor a CIDR range.`,
        fix: "Give entries such as hooks.internal, 10.1.2.3 or 10.0.0.0/8.",
      });
    }
    this.#names.add(name);
  }
}

/** The address that is reached in the end, or `null`. */
function parseAddress(address: string): Address | null {
  // ipaddr.js alone would read 010.0.0.1 as octal, where others read ten: only what every resolver reads alike is taken.
  const family = isIP(address);
  if (family === 4) return ipaddr.IPv4.parse(address);
  if (family !== 6 || address.includes("%")) return null;
  const parsed = ipaddr.IPv6.parse(inHexadecimal(address));
  return EMBEDDING.some((range) => parsed.match(range)) ? new ipaddr.IPv4(parsed.toByteArray().slice(-4)) : parsed;
}

/** ipaddr.js takes `::8.8.8.8` for `::ffff:8.8.8.8`, which is another address; the URL parser writes neither with dots. */
function inHexadecimal(address: string): string {
  return new URL(`http://[${address}]/`).hostname.slice(1, -1);
}

function parseRange(entry: string): Range | null {
  const [, address = entry, bits] = /^([^/]*)\/(\d{1,3})$/.exec(entry) ?? [];
  const network = parseAddress(address);
  if (network === null) return null;
  const width = network.kind() === "ipv4" ? 32 : 128;
  if (bits === undefined) return [network, width];
  // A range of embedded addresses has no width of its own: it is written as the IPv4 range that it stands for.
  const embedded = isIP(address) === 6 && width === 32;
  return Number(bits) <= width && !embedded ? [network, Number(bits)] : null;
}

/** As a URL would name it. `null` for what no resolver is asked for: 10.1 is an address, and a wildcard is nobody's name. */
function parseName(entry: string): string | null {
  if (!URL.canParse(`http://${entry}/`)) return null;
  const { href, hostname } = new URL(`http://${entry}/`);
  const isName = /^[a-z0-9_][a-z0-9._-]*$/.test(hostname) && isIP(hostname) === 0;
  return isName && href === `http://${hostname}/` ? withoutRootDot(hostname) : null;
}

function withoutRootDot(host: string): string {
  return host.endsWith(".") ? host.slice(0, -1) : host;
}

export function notAllowed(reason: string, fix: string): AppError {
  return new AppError("target_not_allowed", { reason, fix });
}
