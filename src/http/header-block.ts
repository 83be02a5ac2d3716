import type { ServerResponse } from "node:http";
import { SECURITY_HEADERS } from "./guards.ts";

/** Where Node keeps the head of a reply, as text, from the moment on that it is known. */
interface WithHead {
  _header?: string | null;
}

interface Parts {
  readonly beforeId: string;
  readonly beforeDate: string;
  readonly rest: string;
}

const DATE = /\r\nDate: ([^\r]+)\r\n/;
/** Where the request's id is in the list of headers. */
const ID_AT = 1;

/**
 * The head of a reply of which the request's id and the date alone change. Node makes the text of a head from its names and values each
 * time, which takes longer than all the rest of a short reply: here it is kept as Node made it the first time. What Node does with a
 * head that it has is Node's; where it did not keep one, it makes it each time.
 */
export class HeaderBlock {
  readonly #status: number;
  readonly #headers: string[];
  #parts: Parts | null = null;

  constructor(status: number, headers: readonly (readonly [name: string, value: string])[]) {
    this.#status = status;
    this.#headers = [["x-request-id", ""], ...SECURITY_HEADERS, ...headers].flat();
  }

  /** Gives a reply its head. Its body, or its end, comes next. */
  write(response: ServerResponse, requestId: string): void {
    const within = response as WithHead;
    // A connection that ends with this reply says so in its head.
    if (this.#parts !== null && response.shouldKeepAlive && within._header === null) {
      const { beforeId, beforeDate, rest } = this.#parts;
      response.statusCode = this.#status;
      within._header = beforeId + requestId + beforeDate + httpDate() + rest;
      return;
    }
    this.#headers[ID_AT] = requestId;
    response.writeHead(this.#status, this.#headers);
    if (response.shouldKeepAlive) this.#learn(within._header, requestId);
  }

  #learn(head: string | null | undefined, requestId: string): void {
    const date = DATE.exec(head ?? "");
    const id = `x-request-id: ${requestId}\r\n`;
    const [beforeId, afterId, more] = (head ?? "").split(id);
    if (date === null || beforeId === undefined || afterId === undefined || more !== undefined) return;
    const [beforeDate, rest, again] = afterId.split(date[0]);
    if (beforeDate === undefined || rest === undefined || again !== undefined) return;
    this.#parts = { beforeId: `${beforeId}x-request-id: `, beforeDate: `\r\n${beforeDate}\r\nDate: `, rest: `\r\n${rest}` };
  }
}

let second = 0;
let dateOfSecond = "";

/** As Node writes it. */
function httpDate(): string {
  const now = Date.now();
  if (now < second || now >= second + 1_000) {
    second = now - (now % 1_000);
    dateOfSecond = new Date(now).toUTCString();
  }
  return dateOfSecond;
}
