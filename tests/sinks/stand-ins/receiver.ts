import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { CloudEvent, HTTP } from "cloudevents";
import { Webhook } from "standardwebhooks";

/**
 * Whoever is told of what happens, in a process of its own: a Monitoring engine (`/monitoring/logs`, `/monitoring/alert`) and a
 * webhook's receiver (`/hook`), both as their contracts have it and no more forgiving. `PUT /behaviour` makes it faulty, `PUT
 * /secrets` says what events are signed with, `GET /seen` tells what came.
 */

export type Behaviour =
  | "well"
  | "hold"
  | "nothing"
  | "silent"
  | "500"
  | "garbage"
  | "half"
  | "redirect"
  | "huge"
  | "503"
  | "401"
  | "400"
  | "404"
  | "410"
  | "429";

/** What came, in the order in which it came. */
export interface Seen {
  /** Ids of records, however they were answered. */
  arrived: string[];
  /** Ids of records that were answered as taken. */
  taken: string[];
  logs: Record<string, unknown>[];
  alerts: Record<string, unknown>[];
  events: Record<string, unknown>[];
  /** How many signatures the newest event came with, and when it was signed, in seconds. */
  signatures: number;
  signedAt: number;
  /** What was not as the contract has it. */
  breaches: string[];
}

let behaviour: Behaviour = "well";
/** Records with this text in them are answered with the behaviour; all, where it is empty. */
let only = "";
/** What a status asks for with `Retry-After`, where it does. */
let retryAfter: string | null = null;
let secrets: string[] = [];
const held = new Set<() => void>();
const seen: Seen = { arrived: [], taken: [], logs: [], alerts: [], events: [], signatures: 0, signedAt: 0, breaches: [] };

const LOG: Readonly<Record<string, readonly string[]>> = {
  message: ["string"],
  level: ["string"],
  engine: ["string"],
  project_id: ["string"],
  env: ["string", "null"],
  version: ["string", "null"],
  user: ["string"],
  event_type: ["string"],
  action: ["string"],
  status: ["string"],
  timestamp: ["string"],
  id: ["string"],
};
const ALERT: Readonly<Record<string, readonly string[]>> = {
  project_id: ["string"],
  severity: ["string"],
  message: ["string"],
  triggered_by: ["string"],
};

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await read(request);
  switch (`${request.method} ${request.url}`) {
    case "PUT /behaviour":
      ({ behaviour, only = "", retryAfter = null } = JSON.parse(body) as { behaviour: Behaviour; only?: string; retryAfter?: string });
      for (const release of held) release();
      held.clear();
      return send(response, 200, {});
    case "PUT /secrets":
      secrets = JSON.parse(body) as string[];
      return send(response, 200, {});
    case "GET /seen":
      return send(response, 200, seen);
    case "POST /monitoring/logs":
      return reply(response, body, () => takeLog(body));
    case "POST /monitoring/alert":
      return reply(response, body, () => takeAlert(body));
    case "POST /hook":
      return reply(response, body, () => takeEvent(request, body));
    default:
      seen.breaches.push(`${request.method} ${request.url}`);
      return send(response, 404, { error: "no such route" });
  }
}

/** `take` checks what came, and returns what to do where it is answered as taken. */
async function reply(response: ServerResponse, body: string, take: () => () => void): Promise<void> {
  const taken = take();
  if (behaviour === "hold" && body.includes(only)) await new Promise<void>((resolve) => held.add(resolve));
  if (behaviour !== "well" && behaviour !== "hold" && body.includes(only)) return misbehave(response);
  taken();
  send(response, 200, { ok: true });
}

function takeLog(body: string): () => void {
  const log = shaped(body, LOG);
  if (!["info", "warn", "error"].includes(String(log.level))) seen.breaches.push(`the level ${log.level}`);
  if (log.engine !== "environment-manager") seen.breaches.push(`the engine ${log.engine}`);
  seen.arrived.push(String(log.id));
  return () => {
    seen.taken.push(String(log.id));
    seen.logs.push(log);
  };
}

function takeAlert(body: string): () => void {
  const alert = shaped(body, ALERT);
  return () => void seen.alerts.push(alert);
}

function takeEvent(request: IncomingMessage, body: string): () => void {
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
  seen.signedAt = Number(headers["webhook-timestamp"]);
  const verified = secrets.filter((secret) => {
    const ownClock = Date.now;
    try {
      // A store's clock may stand anywhere in a test, and the library knows this machine's alone.
      Date.now = () => seen.signedAt * 1_000;
      return new Webhook(secret).verify(body, headers) !== undefined;
    } catch {
      return false;
    } finally {
      Date.now = ownClock;
    }
  });
  if (verified.length !== secrets.length) seen.breaches.push(`verified by ${verified.length} of ${secrets.length} secrets`);
  const parsed = HTTP.toEvent({ headers: request.headers as Record<string, string>, body });
  const event = Array.isArray(parsed) ? parsed[0] : parsed;
  if (!(event instanceof CloudEvent) || !event.validate()) {
    seen.breaches.push("no CloudEvent");
    return () => {};
  }
  if (event.id !== headers["webhook-id"]) seen.breaches.push("the ids differ");
  seen.signatures = (headers["webhook-signature"] ?? "").split(" ").length;
  seen.arrived.push(event.id);
  return () => {
    seen.taken.push(event.id);
    seen.events.push(event.toJSON());
  };
}

/** Neither more members nor fewer, each of its type. */
function shaped(body: string, shape: Readonly<Record<string, readonly string[]>>): Record<string, unknown> {
  const value = JSON.parse(body) as Record<string, unknown>;
  for (const name of new Set([...Object.keys(value), ...Object.keys(shape)])) {
    const type = value[name] === null ? "null" : typeof value[name];
    if (!shape[name]?.includes(type)) seen.breaches.push(`${name} is ${type}`);
  }
  return value;
}

function misbehave(response: ServerResponse): void {
  const status = Number(behaviour);
  if (status > 0) send(response, status, { error: behaviour }, retryAfter === null ? {} : { "retry-after": retryAfter });
  else MISBEHAVIOURS[behaviour]?.(response);
}

/** Those that are no status. `silent` is nothing, ever. */
const MISBEHAVIOURS: Partial<Record<Behaviour, (response: ServerResponse) => void>> = {
  nothing: (response) => response.destroy(),
  garbage: (response) => response.socket?.end("it is well\r\n\r\n"),
  half: (response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": "100" });
    response.write('{"ok":');
    setImmediate(() => response.destroy());
  },
  redirect: (response) => response.writeHead(302, { location: "/elsewhere" }).end(),
  huge: (response) => response.writeHead(200, { "content-type": "application/json" }).end(`{"filler":"${"x".repeat(10_000_000)}"}`),
};

function send(response: ServerResponse, status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

async function read(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += String(chunk);
  return text;
}

const server = createServer((request, response) => void answer(request, response));
server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => {
  process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })}\n`);
});
