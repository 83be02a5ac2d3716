import type { ServerResponse } from "node:http";
import { SECURITY_HEADERS } from "./guards.ts";

/** Where Node keeps the head of a reply, as text, from the moment on that it is known. */
interface WithHead {
  _header?: string | null;
}

const DATE = /\r\nDate: ([^\r]+)\r\n/;
export const REQUEST_ID = "x-request-id";

/**
 * The head of replies of which the request's id, the date and some values alone change. Node makes the text of a head from its names and
 * values each time, which takes longer than all the rest of a short reply: here what all of them share is kept as Node made it the first
 * time, once for all. What Node does with a head that it has is Node's; where it did not keep one, it makes it each time.
 */
export class HeaderForm {
  readonly #status: number;
  readonly #names: readonly string[];
  /** Where a reply has its own value, `null`. */
  readonly #values: readonly (string | null)[];
  /** What stands before, between and after what changes: the request's id, the replies' own values, and the date. */
  #parts: readonly string[] | null = null;

  /** @param headers after those that every reply has; `null` for a value of each reply's own */
  constructor(status: number, headers: readonly (readonly [name: string, value: string | null])[]) {
    const all = [[REQUEST_ID, null] as const, ...SECURITY_HEADERS, ...headers];
    this.#status = status;
    this.#names = all.map(([name]) => name);
    this.#values = all.map(([, value]) => value);
  }

  /**
   * Gives a reply its head. Its body, or its end, comes next.
   * @param own the reply's own values, in the order of their headers
   */
  write(response: ServerResponse, requestId: string, own: readonly string[]): void {
    const within = response as WithHead;
    // A connection that ends with this reply says so in its head: whoever asked for it, or a server that began to end meanwhile, in a header.
    const goesOn = response.shouldKeepAlive && !response.hasHeader("connection");
    if (this.#parts !== null && goesOn && within._header === null) {
      response.statusCode = this.#status;
      within._header = filled(this.#parts, requestId, own);
      return;
    }
    let next = 0;
    const given = [requestId, ...own];
    const list = this.#names.flatMap((name, index) => [name, this.#values[index] ?? given[next++] ?? ""]);
    response.writeHead(this.#status, list);
    if (goesOn) this.#learn(within._header ?? "", given);
  }

  #learn(head: string, given: readonly string[]): void {
    const date = DATE.exec(head)?.[1] ?? "";
    const names = [...this.#names.filter((_, index) => this.#values[index] === null), "Date"];
    const parts: string[] = [];
    let rest = head;
    for (const [index, name] of names.entries()) {
      const line = `\r\n${name}: ${given[index] ?? date}\r\n`;
      const at = rest.indexOf(line);
      if (at < 0) return;
      parts.push(`${rest.slice(0, at)}\r\n${name}: `);
      rest = rest.slice(at + line.length - "\r\n".length);
    }
    this.#parts = [...parts, rest];
  }
}

function filled(parts: readonly string[], requestId: string, own: readonly string[]): string {
  let head = `${parts[0]}${requestId}`;
  for (let index = 0; index < own.length; index++) head += `${parts[index + 1]}${own[index]}`;
  return `${head}${parts[own.length + 1]}${httpDate()}${parts[own.length + 2]}`;
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
