import type { IncomingMessage } from "node:http";

/** Headers of a request as Node's parser left them, name after value: read without making an object of them all. */

/** Each value that a header was given, in their order. `name` is in small letters. */
export function valuesOf({ rawHeaders }: Pick<IncomingMessage, "rawHeaders">, name: string): readonly string[] {
  const values: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const given = rawHeaders[i] as string;
    if (given.length === name.length && given.toLowerCase() === name) values.push(rawHeaders[i + 1] as string);
  }
  return values;
}

/** All that the fast lane goes by. */
export interface PlainHeaders {
  readonly host: string | undefined;
  readonly authorization: string | undefined;
  readonly ifNoneMatch: string | undefined;
  readonly requestId: string | undefined;
}

/** Headers that may change how a request is to be answered. Those that begin with `x-forwarded-` are unusual without being named. */
export class Unusual {
  readonly #names: ReadonlySet<string>;
  readonly #lengths: ReadonlySet<number>;

  constructor(...names: readonly string[]) {
    this.#names = new Set(names);
    this.#lengths = new Set(names.map(({ length }) => length));
  }

  has(name: string): boolean {
    return this.#lengths.has(name.length) && this.#names.has(name.toLowerCase());
  }
}

const OF_ANY = ["cookie", "expect", "transfer-encoding", "upgrade", "x-actor"] as const;
export const OF_READS = new Unusual(...OF_ANY, "content-length");
/** Pages of other origins may evaluate flags, and a token may come in a header of OFREP's. */
export const OF_EVALUATIONS = new Unusual(...OF_ANY, "origin", "x-api-key");

/** `null` where a request says anything that is unusual, or says one of these twice. */
export function plainHeaders(raw: readonly string[], unusual: Unusual, believesProxies: boolean): PlainHeaders | null {
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
        if (unusual.has(name)) return null;
        if (believesProxies && name.length > 12 && name.toLowerCase().startsWith("x-forwarded-")) return null;
    }
  }
  return { host, authorization, ifNoneMatch, requestId };
}
