import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import { LIMITS } from "../limits.ts";
import type { Environment } from "../model.ts";
import { noneMatchHits, quoteTag } from "./etag.ts";
import { HeaderForm } from "./header-form.ts";

const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;

/** The request's own id, where it gave a good one, else a new one. */
export function requestIdFor(given: string | undefined): string {
  return given !== undefined && REQUEST_ID.test(given) ? given : randomUUID();
}

const TAGGED = [
  ["etag", null],
  ["cache-control", "private, no-cache"],
] as const;
const OF_BODY = [
  ["content-type", "application/json; charset=utf-8"],
  ["content-length", null],
] as const;

/** The heads of all replies of one server: there are many of them, and they differ in their tags and lengths. */
export class ReadyHeads {
  readonly found = new HeaderForm(200, [...TAGGED, ...OF_BODY]);
  readonly unchanged = new HeaderForm(304, TAGGED);
}

/** A reply that needs nothing but the request's id: the same bytes as `sendReply` sends of a read with that tag and body. */
export class ReadyReply {
  readonly tag: string;
  readonly bytes: number;
  #asOf: number;
  #head: Environment;
  readonly #etag: string;
  /** One character for each byte, which Node sends in one piece with the head; of a large one the bytes. */
  readonly #body: string | Buffer;
  readonly #heads: ReadyHeads;

  constructor(heads: ReadyHeads, head: Environment, asOf: number, tag: string, text: string) {
    const bytes = Buffer.from(text);
    this.#heads = heads;
    this.#head = head;
    this.#asOf = asOf;
    this.tag = tag;
    this.bytes = bytes.length;
    this.#etag = quoteTag(tag);
    this.#body = bytes.length > LIMITS.readyTextBytes ? bytes : bytes.toString("latin1");
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
      this.#heads.unchanged.write(response, requestId, [this.#etag]);
      response.end();
      return 304;
    }
    this.#heads.found.write(response, requestId, [this.#etag, String(this.bytes)]);
    if (isHead) response.end();
    else response.end(this.#body, "latin1");
    return 200;
  }
}
