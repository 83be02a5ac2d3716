import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * What the stand-ins of vaults have in common: each is a process of its own with two ports, one that speaks the vault's contract,
 * and one by which a test tells it how to fail and looks at what it holds. It prints the addresses of both as one line of JSON.
 */
export type Fault =
  /** The request takes effect at once; the answer never comes. */
  | "lost"
  /** Neither happens before `release`, by which time nobody may be waiting. */
  | "late"
  | "silent"
  | "status-500"
  | "garbage"
  | "wrong-shape"
  | "foreign-404"
  | "half"
  | "redirect"
  | "huge"
  | "hang-up";

export interface FaultOrder {
  readonly fault: Fault;
  /** Requests of this method alone. */
  readonly method?: string;
  /** Requests whose path holds this. */
  readonly path?: string;
  /** So many requests pass before. */
  readonly skip?: number;
  /** So many requests; all until `heal` where left out. */
  readonly times?: number;
}

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: unknown;
}

export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Contract {
  answer(request: Seen): Answer;
  /** What is kept, as `<project>/<env>/<NAME>@<id>`. */
  entries(): readonly string[];
  /** Forgets everything that it was told and given. */
  clear(): void;
  /** Told by a test: whatever this vault can do besides. */
  control(order: Readonly<Record<string, unknown>>): void;
}

export function run(contract: Contract): void {
  let order: { -readonly [Name in keyof FaultOrder]: FaultOrder[Name] } | null = null;
  const seen: Seen[] = [];
  const held: (() => void)[] = [];

  const vault = createServer(async (request, response) => {
    const asked: Seen = {
      method: request.method ?? "",
      path: request.url ?? "",
      headers: request.headers,
      body: parse(await read(request)),
    };
    seen.push(asked);
    const fault = faultFor(asked);
    if (fault === null) send(response, contract.answer(asked));
    else if (fault === "late") held.push(() => send(response, contract.answer(asked)));
    else if (fault === "lost") contract.answer(asked);
    else misbehave(fault, response);
  });

  function faultFor({ method, path }: Seen): Fault | null {
    if (order === null || (order.method ?? method) !== method || !path.includes(order.path ?? "")) return null;
    const { fault, times, skip = 0 } = order;
    order.skip = Math.max(0, skip - 1);
    if (skip > 0) return null;
    if (times !== undefined && times <= 1) order = null;
    else if (times !== undefined) order.times = times - 1;
    return fault;
  }

  const control = createServer(async (request, response) => {
    const body = parse(await read(request)) as Record<string, unknown>;
    switch (request.url) {
      case "/fault":
        order = body as unknown as FaultOrder;
        break;
      case "/heal":
        order = null;
        break;
      case "/release":
        for (const go of held.splice(0)) go();
        break;
      case "/control":
        contract.control(body);
        break;
      case "/clear":
        [order, held.length, seen.length] = [null, 0, 0];
        contract.clear();
        break;
    }
    send(response, { status: 200, body: { entries: contract.entries(), seen, held: held.length } });
  });

  void Promise.all([listening(vault), listening(control)]).then(([url, controlUrl]) => {
    process.stdout.write(`${JSON.stringify({ url, control: controlUrl })}\n`);
  });
  // Whoever started it is gone.
  process.stdin.on("end", () => process.exit(0)).resume();
}

function misbehave(fault: Exclude<Fault, "late" | "lost">, response: ServerResponse): void {
  const json = { "content-type": "application/json" };
  switch (fault) {
    case "silent":
      break;
    case "status-500":
      send(response, { status: 500, body: { errors: ["internal error"], error: "internal error" } });
      break;
    case "garbage":
      response.writeHead(200, json).end('{"token": "half a te');
      break;
    case "wrong-shape":
      send(response, { status: 200, body: { token: 7, data: { data: { value: 7 }, metadata: {} }, success: "yes", ok: true } });
      break;
    case "foreign-404":
      response.writeHead(404, { "content-type": "text/html" }).end("<html><body>404 page not found</body></html>");
      break;
    case "half":
      response.writeHead(200, { ...json, "content-length": "1000" }).write('{"token": "');
      setImmediate(() => response.destroy());
      break;
    case "redirect":
      response.writeHead(307, { location: "http://127.0.0.1:1/elsewhere" }).end();
      break;
    case "huge":
      response.writeHead(200, json).end(JSON.stringify({ token: "x".repeat(10 * 1024 * 1024) }));
      break;
    case "hang-up":
      response.destroy();
  }
}

function send(response: ServerResponse, { status, body, headers }: Answer): void {
  if (response.destroyed) return;
  if (body === undefined) response.writeHead(status, headers).end();
  else response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

async function read(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += chunk;
  return text;
}

function parse(text: string): unknown {
  return text === "" ? {} : JSON.parse(text);
}

function listening(server: Server): Promise<string> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  });
}
