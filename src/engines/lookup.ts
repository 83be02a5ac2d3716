import { lookup as systemLookup } from "node:dns/promises";

/** The IP addresses of a host name. Rejects where there are none, or where they may not be used. */
export type Lookup = (host: string) => Promise<readonly string[]>;

export const lookupBySystem: Lookup = async (host) => (await systemLookup(host, { all: true })).map(({ address }) => address);
