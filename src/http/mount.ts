import type { ServerResponse } from "node:http";
import type { Writable } from "node:stream";
import type { Express, RequestHandler } from "express";
import { mayDoLittle } from "../callers.ts";
import type { Domain } from "../domain.ts";
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Caller } from "../model.ts";
import type { JsonObject } from "../ports.ts";
import { isTracing, traced } from "../tracing.ts";
import type { Asked } from "./asked.ts";
import type { Gate } from "./auth.ts";
import { endWire } from "./connections.ts";
import { parseIfMatch } from "./etag.ts";
import { EventStreams } from "./event-streams.ts";
import { type BodyBounds, type BodyOptions, isBodyHere, readJsonBody } from "./json.ts";
import type { Metrics } from "./metrics.ts";
import { type EventsReply, type Reply, sendReply } from "./reply.ts";
import { accessOf } from "./rights.ts";
import type { Connection, Route } from "./route.ts";
import { Standing } from "./standing.ts";
import { holdStream, type Streams } from "./streams.ts";
import { WrittenReplies } from "./written-replies.ts";

export interface RouteServices {
  readonly domain: Domain;
  readonly gate: Gate;
  readonly streams: Streams;
  readonly metrics: Metrics;
}

/** Answers a request to one route, which was judged. It throws what is to be told as an error. */
export type Answer = (request: Asked, response: ServerResponse) => Promise<void>;

export interface Served {
  readonly route: Route;
  readonly answer: Answer;
}

/** The one function of each route that answers it, whoever found the way to it. */
export function servedRoutes(routes: readonly Route[], given: RouteServices): readonly Served[] {
  const { news, tokens } = given.domain;
  const services = {
    ...given,
    events: new EventStreams(),
    written: new WrittenReplies(),
    standing: new Standing(news, () => tokens.now()),
  };
  return routes.map((route) => ({ route, answer: serve(route, services) }));
}

/**
 * Tells Express of the routes. Paths with a literal segment come before those with a parameter in its place, and each path refuses the
 * methods that it does not have before a wider path can take them: `GET /env/create` is 405, not a project called `create`.
 */
export function mountRoutes(app: Express, served: readonly Served[], gate: Gate): void {
  for (const [path, siblings] of [...groupByPath(served)].sort(([left], [right]) => comparePaths(left, right))) {
    for (const { route, answer } of siblings) app[route.method](path, answer);
    const routes = siblings.map(({ route }) => route);
    const allow = routes.flatMap(({ method }) => (method === "get" ? ["GET", "HEAD"] : [method.toUpperCase()]));
    app.all(path, authenticated(gate, routes), () => {
      throw new AppError("method_not_allowed", { details: { allow } });
    });
  }
}

interface Services extends RouteServices {
  readonly events: EventStreams;
  readonly written: WrittenReplies;
  readonly standing: Standing;
}

/** One request, from its token to its reply: the order in which every route's request is judged. */
function serve(route: Route, services: Services): Answer {
  const { domain, gate, streams, metrics, written } = services;
  const method = route.method.toUpperCase();
  const attributes = { "http.request.method": method, "http.route": route.path, "envm.operation": route.operationId };
  const span = { name: `${method} ${route.path}`, kind: "server", attributes } as const;
  return (request, response) => (isTracing() ? tracedAnswer(request, response) : answerTo(request, response));

  function tracedAnswer(request: Asked, response: ServerResponse): Promise<void> {
    return traced({ from: request.headers, ...span }, async (tell) => {
      await answerTo(request, response);
      tell({ "http.response.status_code": response.statusCode });
    });
  }

  async function answerTo(request: Asked, response: ServerResponse): Promise<void> {
    const observe = metrics.follow(route.operationId, response);
    const requestId = requestIdOf(response);
    const caller = isOpen(route) ? NOBODY(requestId) : await gate.admit(request, requestId, route.mayBeStale ? "known" : "current");
    // Whoever waits for news holds a connection, as whoever reads a stream does.
    if (request.query["wait"] !== undefined) holdStream(response, streams.open(caller.token));
    const connection = gate.connection(request, response);
    let reply: Reply;
    try {
      reply = await route.reply({
        params: request.params,
        query: request.query,
        readBody: (bounds, options) =>
          isBodyHere(request) || isOpen(route)
            ? readJsonBody(request, bounds, options)
            : readLateBody(request, connection, bounds, options),
        caller,
        connection,
        domain,
        once: route.idempotent ? onceOf(caller, route, request.headers["idempotency-key"]) : null,
        ifMatch: route.conditional === "write" ? parseIfMatch(request.headers["if-match"]) : null,
      });
    } catch (error) {
      // That somebody known asks for more than they may is worth a record; what they wrote is not, since it may be anything.
      if (error instanceof AppError && error.code === "forbidden") {
        const { operationId: what } = route;
        domain.refusals.note(caller, { action: "access_refused", what, details: { operation: what } });
      }
      throw error;
    }
    if ("events" in reply) {
      sendEvents(request, response, { reply, connection, caller }, services);
      observe();
    } else {
      if ("lines" in reply) holdStream(response, streams.open(caller.token));
      if (!("body" in reply && written.send(request, response, reply))) await sendReply(request, response, reply);
    }
  }
}

/** Whoever leaves a body for later is judged again when it is there: with a token that was revoked meanwhile, nothing that was begun is ended. */
async function readLateBody(request: Asked, connection: Connection, ...wishes: [BodyBounds, BodyOptions]): Promise<JsonObject> {
  const body = await readJsonBody(request, ...wishes);
  await connection.admitAgain();
  return body;
}

/** For as long as the reader stays, and their token holds. Nothing here is a closure: what lasts as long need not know of the request. */
function sendEvents(request: Asked, response: ServerResponse, { reply, connection, caller }: Watching, services: Services): void {
  const { streams, events, standing } = services;
  const close = streams.open(caller.token);
  try {
    const wire = events.send(request, response, reply.events);
    if (wire === null) {
      close();
      return;
    }
    holdStream(wire, close);
    holdStream(wire, standing.hold(connection, endOf(wire)));
  } catch (error) {
    close();
    // The response may know nothing of its connection any more.
    if (response.headersSent) request.socket.destroy();
    throw error;
  }
}

interface Watching {
  readonly reply: EventsReply;
  readonly connection: Connection;
  readonly caller: Caller;
}

const endOf = (wire: Writable) => () => endWire(wire);

function isOpen({ operationId }: Route): boolean {
  return accessOf(operationId) === "open";
}

/** An idempotency key belongs to one token and one route: two callers that choose the same key do not meet. */
function onceOf(caller: Caller, route: Route, key: string | string[] | undefined): string | null {
  if (key === undefined) return null;
  if (typeof key !== "string" || !IDEMPOTENCY_KEY.test(key)) {
    throw new AppError("invalid_request", {
      reason: "The Idempotency-Key header is not valid.",
      fix: `Send 1 to ${LIMITS.onceKeyLength} visible ASCII characters, for example a UUID.`,
    });
  }
  return [caller.token, route.operationId, key].join("\0");
}

const IDEMPOTENCY_KEY = new RegExp(`^[\\x21-\\x7e]{1,${LIMITS.onceKeyLength}}$`);

/** Which methods a path has is told to those alone who may use it. */
function authenticated(gate: Gate, siblings: readonly Route[]): RequestHandler {
  return async (request, response, next) => {
    if (!siblings.every(isOpen)) await gate.admit(request, requestIdOf(response));
    next();
  };
}

/** Whoever asks for an open route. */
const NOBODY = (requestId: string) => mayDoLittle("anonymous", requestId);

export function requestIdOf(response: ServerResponse): string {
  return String(response.getHeader("x-request-id") ?? "");
}

/** Refuses what no route takes: to whoever has no token, a route that there is and one that there is not look the same. */
export function refuseUnknown(gate: Gate): RequestHandler {
  return async (request: Asked, response) => {
    await gate.admit(request, requestIdOf(response));
    throw new AppError("route_not_found");
  };
}

export function groupByPath(served: readonly Served[]): Map<string, Served[]> {
  const groups = new Map<string, Served[]>();
  for (const one of served) groups.set(one.route.path, [...(groups.get(one.route.path) ?? []), one]);
  return groups;
}

/** Segment by segment, literal ones first. */
function comparePaths(left: string, right: string): number {
  const [lefts, rights] = [left.split("/"), right.split("/")];
  for (const [index, segment] of lefts.entries()) {
    const other = rights[index];
    if (other === undefined) return 1;
    const order = Number(segment.startsWith(":")) - Number(other.startsWith(":"));
    if (order !== 0) return order;
  }
  return lefts.length - rights.length;
}
