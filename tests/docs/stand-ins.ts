import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Json } from "../../src/ports.ts";

/** A request as a page shows it, and what may be answered. */
export interface Contract {
  readonly line: string;
  readonly method: string;
  /** Its parts, decoded. */
  readonly path: readonly string[];
  readonly body: Json | undefined;
  readonly answers: readonly { readonly status: number; readonly body: Json }[];
}

/** Reads blocks of a request line, a body where there is one, and lines of `→ <status> <body>`. */
export function contractsOf(texts: readonly string[]): Contract[] {
  return texts.map((text) => {
    const [line = "", ...rest] = text.trim().split("\n");
    const [method = "", path = ""] = line.split(" ");
    const sent = rest.find((one) => one.startsWith("{"));
    const answers = rest.flatMap((one) => {
      const [, status, body = ""] = /^→ (\d{3}) (.*)$/.exec(one) ?? [];
      return status === undefined ? [] : [{ status: Number(status), body: JSON.parse(body) as Json }];
    });
    return { line, method, path: partsOf(path), body: sent === undefined ? undefined : (JSON.parse(sent) as Json), answers };
  });
}

/**
 * All that a page's contracts speak of, in one server: it answers as they say, and keeps what was asked otherwise. Besides, it
 * takes the events of webhooks at `/hook`.
 */
export class StandIns {
  url = "";
  /** Whether the last of a contract's answers is given instead of the first. */
  otherwise = false;
  readonly breaches: string[] = [];
  /** Ids of the records that came to `/monitoring/logs`. */
  readonly logged: string[] = [];
  readonly events: { readonly headers: IncomingHttpHeaders; readonly event: Readonly<Record<string, unknown>> }[] = [];
  readonly #contracts: readonly Contract[];
  readonly #asked = new Set<Contract>();
  readonly #secrets = new Map<string, Json>();
  #server: Server | null = null;

  constructor(contracts: readonly Contract[]) {
    this.#contracts = contracts;
  }

  /** On the port that it had before, where it had one. */
  async start(): Promise<string> {
    const server = createServer((request, response) => void this.#serve(request, response));
    server.listen(this.url === "" ? 0 : Number(new URL(this.url).port), "127.0.0.1");
    await once(server, "listening");
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return this.url;
  }

  async stop(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => (this.#server === null ? resolve(null) : this.#server.close(resolve)));
    this.#server = null;
  }

  /** An address that nobody listens on. */
  async reserve(): Promise<string> {
    const url = await this.start();
    await this.stop();
    return url;
  }

  /** Requests that the contracts show and nobody sent. */
  unasked(): string[] {
    return this.#contracts.filter((contract) => !this.#asked.has(contract)).map(({ line }) => line);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    for await (const chunk of request.setEncoding("utf8")) text += String(chunk);
    const { method = "", url = "", headers } = request;
    if (url === "/hook") {
      this.events.push({ headers, event: JSON.parse(text) as Readonly<Record<string, unknown>> });
      return void response.writeHead(204).end();
    }
    const { status, body } = this.#answer(method, partsOf(url), text === "" ? undefined : (JSON.parse(text) as Json));
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  }

  #answer(method: string, path: readonly string[], body: Json | undefined): { readonly status: number; readonly body: Json } {
    const contract = this.#contracts.find((one) => one.method === method && leadsTo(one.path, path));
    if (contract === undefined || !isLike(contract.body, body)) {
      this.breaches.push(`${method} /${path.join("/")} ${JSON.stringify(body)}`);
      return { status: 400, body: { error: "This is not in the contract." } };
    }
    this.#asked.add(contract);
    const { id, token } = (body ?? {}) as { readonly id?: string; readonly token?: Json };
    if (path[1] === "logs") this.logged.push(String(id));
    const [first, ...others] = contract.answers;
    const usual = first ?? { status: 204, body: {} };
    if (path[0] !== "vault") return this.otherwise && path[0] !== "monitoring" ? (others.at(-1) ?? usual) : usual;
    const { project, service } = (body ?? {}) as { readonly project?: string; readonly service?: string };
    const entry = method === "POST" ? `${project}/${service}` : path.slice(2).join("/");
    if (method === "POST") this.#secrets.set(entry, token ?? null);
    if (method === "DELETE") this.#secrets.delete(entry);
    if (method !== "GET") return usual;
    const value = this.#secrets.get(entry);
    return value === undefined ? (others.at(-1) ?? usual) : { ...usual, body: { token: value } };
  }
}

function partsOf(path: string): string[] {
  return path.split("/").slice(1).map(decodeURIComponent);
}

/** Parts that hold `/` or `@` once they are decoded are examples of names. */
function leadsTo(shown: readonly string[], path: readonly string[]): boolean {
  return shown.length === path.length && shown.every((part, index) => /[/@]/.test(part) || part === path[index]);
}

/** The same members, of the same types; what a flow is made of is its own affair, and anything may be `null` that is not there. */
function isLike(shown: Json | undefined, body: Json | undefined): boolean {
  if (shown === undefined || body === undefined) return shown === body;
  const [one, other] = [shown, body].map((value) => Object.entries(value as object).sort(([left], [right]) => (left < right ? -1 : 1)));
  return (
    one?.length === other?.length &&
    one?.every(([name, value], index) => {
      const [otherName, otherValue] = other?.[index] ?? [];
      return name === otherName && (otherValue === null || typeof value === typeof otherValue);
    }) === true
  );
}
