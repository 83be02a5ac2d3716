import type { IncomingMessage, ServerResponse } from "node:http";
import { quoteTag } from "./etag.ts";
import { SECURITY_HEADERS } from "./guards.ts";
import { HeaderForm, REQUEST_ID } from "./header-form.ts";
import { type BodyReply, isReading, JSON_TYPE } from "./reply.ts";

/** Headers that every reply has from the beginning: any that it has beside them is its own. */
const OF_EVERY_REPLY = SECURITY_HEADERS.length + 1;

/** Sends what writes are mostly answered with: the same as `sendReply` sends, byte for byte, with a head that need not be made each time. */
export class WrittenReplies {
  readonly #head = new HeaderForm(200, [
    ["etag", null],
    ["cache-control", "no-store"],
    ["content-type", JSON_TYPE],
    ["content-length", null],
  ]);

  /** @returns whether it did, as it does where a reply differs from others in its tag and body alone */
  send(request: IncomingMessage, response: ServerResponse, { status = 200, headers, tag, body }: BodyReply): boolean {
    if (tag === undefined || status !== 200 || headers !== undefined || isReading(request) || request.httpVersionMinor !== 1) return false;
    if (response.getHeaderNames().length !== OF_EVERY_REPLY) return false;
    const text = JSON.stringify(body);
    const bytes = Buffer.byteLength(text);
    this.#head.write(response, String(response.getHeader(REQUEST_ID)), [quoteTag(tag), String(bytes)]);
    response.end(text, bytes === text.length ? "latin1" : "utf8");
    return true;
  }
}
