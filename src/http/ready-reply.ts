import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import { LIMITS } from "../limits.ts";
import type { Environment } from "../model.ts";
import { noneMatchHits, quoteTag } from "./etag.ts";
import { SECURITY_HEADERS } from "./guards.ts";

const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;

/** The request's own id, where it gave a good one, else a new one. */
export function requestIdFor(given: string | undefined): string {
  return given !== undefined && REQUEST_ID.test(given) ? given : randomUUID();
}

/** Where the request's id goes in the list of headers that are ready. */
const ID_AT = 1;

function headersOf(more: readonly (readonly [name: string, value: string])[]): string[] {
  return [["x-request-id", ""], ...SECURITY_HEADERS, ...more].flat();
}

/** A reply that needs nothing but the request's id: the same bytes as `sendReply` sends of a read with that tag and body. */
export class ReadyReply {
  readonly tag: string;
  readonly bytes: number;
  #asOf: number;
  #head: Environment;
  readonly #etag: string;
  /** One character for each byte, which Node sends together with the headers; of a large one the bytes. */
  readonly #body: string | Buffer;
  readonly #found: string[];
  readonly #unchanged: string[];

  constructor(head: Environment, asOf: number, tag: string, text: string) {
    const bytes = Buffer.from(text);
    const etag = quoteTag(tag);
    this.#head = head;
    this.#asOf = asOf;
    this.tag = tag;
    this.bytes = bytes.length;
    this.#etag = etag;
    this.#body = bytes.length > LIMITS.readyTextBytes ? bytes : bytes.toString("latin1");
    this.#unchanged = headersOf([
      ["etag", etag],
      ["cache-control", "private, no-cache"],
    ]);
    this.#found = headersOf([
      ["etag", etag],
      ["cache-control", "private, no-cache"],
      ["content-type", "application/json; charset=utf-8"],
      ["content-length", String(bytes.length)],
    ]);
  }

  /** The revision of its project as of which it is what a read shows. */
  get asOf(): number {
    return this.#asOf;
  }

  get head(): Environment {
    return this.#head;
  }

  /** It is what a read shows as of a later revision too. */
  renew(head: Environment, asOf: number): void {
    if (asOf < this.#asOf) return;
    this.#head = head;
    this.#asOf = asOf;
  }

  /** @returns the status */
  send(response: ServerResponse, requestId: string, ifNoneMatch: string | undefined, isHead: boolean): number {
    if (ifNoneMatch !== undefined && (ifNoneMatch === this.#etag || noneMatchHits(ifNoneMatch, this.tag))) {
      this.#unchanged[ID_AT] = requestId;
      response.writeHead(304, this.#unchanged).end();
      return 304;
    }
    this.#found[ID_AT] = requestId;
    response.writeHead(200, this.#found);
    if (isHead) response.end();
    else response.end(this.#body, "latin1");
    return 200;
  }
}
