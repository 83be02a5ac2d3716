/** Headers of a request as Node's parser left them, name after value: read without making an object of them all. */

/** All that the fast lane goes by. */
export interface PlainHeaders {
  readonly host: string | undefined;
  readonly authorization: string | undefined;
  readonly ifNoneMatch: string | undefined;
  readonly requestId: string | undefined;
}

/** What may change how a request is to be answered. `x-forwarded-` stands for all that begin so. */
const UNUSUAL: ReadonlySet<string> = new Set(["content-length", "cookie", "expect", "transfer-encoding", "upgrade", "x-actor"]);
const UNUSUAL_LENGTHS: ReadonlySet<number> = new Set([...UNUSUAL].map(({ length }) => length));

/** `null` where a request says anything that a plain read does not, or says one of these twice. */
export function plainHeaders(raw: readonly string[], believesProxies: boolean): PlainHeaders | null {
  let host: string | undefined;
  let authorization: string | undefined;
  let ifNoneMatch: string | undefined;
  let requestId: string | undefined;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    const value = raw[i + 1] as string;
    switch (name.length) {
      case 4:
        if (name.toLowerCase() !== "host") break;
        if (host !== undefined) return null;
        host = value;
        break;
      case 12:
        if (name.toLowerCase() !== "x-request-id") break;
        if (requestId !== undefined) return null;
        requestId = value;
        break;
      case 13: {
        const lower = name.toLowerCase();
        if (lower === "authorization") {
          if (authorization !== undefined) return null;
          authorization = value;
        } else if (lower === "if-none-match") {
          if (ifNoneMatch !== undefined) return null;
          ifNoneMatch = value;
        }
        break;
      }
      default:
        if (UNUSUAL_LENGTHS.has(name.length) && UNUSUAL.has(name.toLowerCase())) return null;
        if (believesProxies && name.length > 12 && name.toLowerCase().startsWith("x-forwarded-")) return null;
    }
  }
  return { host, authorization, ifNoneMatch, requestId };
}
