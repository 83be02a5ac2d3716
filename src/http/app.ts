import { readFileSync } from "node:fs";
import type { RequestListener } from "node:http";
import { join } from "node:path";
import express, { type RequestHandler } from "express";
import type { Logger } from "pino";
import type { Authentication } from "../authentication.ts";
import type { Domain } from "../domain.ts";
import type { GitReader } from "../git-reading.ts";
import { LIMITS } from "../limits.ts";
import { packageRoot, type Settings } from "../settings.ts";
import { isTracing } from "../tracing.ts";
import { openGate, type Rates } from "./auth.ts";
import { Cors } from "./cors.ts";
import { mountDashboard } from "./dashboard.ts";
import { Dispatch } from "./dispatch.ts";
import { mountDocs } from "./docs.ts";
import { errorHandler, failedOf } from "./errors.ts";
import { FastCallers } from "./fast-callers.ts";
import { FastLane } from "./fast-lane.ts";
import { mountGit } from "./git.ts";
import { type Judge, judgeOf } from "./judge.ts";
import { mountMcp } from "./mcp.ts";
import { Metrics, type Sample } from "./metrics.ts";
import { mountRoutes, refuseUnknown, requestIdOf, servedRoutes } from "./mount.ts";
import { openApiDocument } from "./openapi.ts";
import { RateLimiter } from "./rate.ts";
import { readingsOf } from "./readings.ts";
import type { Route } from "./route.ts";
import { apiRoutes } from "./routes/index.ts";
import { operationRoutes, type Readiness } from "./routes/operations.ts";
import { sessionRoutes } from "./routes/sessions.ts";
import { Streams } from "./streams.ts";

export interface AppOptions {
  readonly domain: Domain;
  readonly settings: Pick<Settings, "host" | "allowedHosts" | "trustedProxies" | "requestsPerSecond" | "ofrepCorsOrigins">;
  readonly logger: Logger;
  /** What the engine depends on, looked at now. */
  readonly readiness: () => Promise<Readiness>;
  /** Whether the engine is about to stop: then nothing new is to be sent here. */
  readonly draining?: () => boolean;
  /** What others count, for the metrics. */
  readonly counted?: (() => readonly Sample[]) | undefined;
  /** Projects as Git repositories; without it there are none. */
  readonly gitReader?: GitReader;
  /** `null` where auth is off. */
  readonly authentication: Authentication | null;
  /** Whether plain requests go past the router: unless it is said otherwise. */
  readonly fastLane?: boolean;
}

/** The engine's HTTP side. Give it to a `node:http` server; see `server.ts`. */
export function createApp(options: AppOptions): RequestListener {
  const { domain, settings, logger, authentication, readiness, draining, counted, gitReader, fastLane = true } = options;
  const rates = ratesOf(settings);
  const callers = authentication === null ? null : new FastCallers(authentication, domain.readIndex);
  const gate = openGate({ authentication, callers, rates, refusals: domain.refusals });
  const streams = new Streams();
  const metrics = new Metrics(() => readingsOf(domain, streams, counted?.() ?? []));
  const version = packageVersion();
  const document = lazy(() => openApiDocument(routes, version));
  const routes: readonly Route[] = [
    ...apiRoutes,
    ...sessionRoutes(authentication),
    ...operationRoutes({ version, readiness, ...(draining !== undefined && { draining }), document, metrics }),
  ];

  const app = express();
  app.disable("x-powered-by").disable("etag");
  app.enable("strict routing").enable("case sensitive routing");
  app.set("query parser", "simple");
  app.set("trust proxy", [...settings.trustedProxies]);
  const cors = new Cors(settings.ofrepCorsOrigins);
  const judge = judgeOf(settings, rates, cors, authentication === null);
  const served = servedRoutes(routes, { domain, gate, streams, metrics });
  const failed = failedOf(logger);
  app.use(logged(logger), judged(judge));
  mountRoutes(app, served, gate);
  if (gitReader !== undefined) mountGit(app, { domain, gate, metrics, reader: gitReader });
  mountMcp(app, { gate, open: authentication === null, version, listener: () => listener });
  mountDocs(app);
  mountDashboard(app);
  app.use(refuseUnknown(gate));
  app.use(errorHandler(failed));
  // Who wants to be told of every request has them all go one way.
  const dispatch = () => new Dispatch({ judge, served, failed, believesProxies: settings.trustedProxies.length > 0 }, app).handle;
  const isPlain = !fastLane || logger.isLevelEnabled("debug") || isTracing();
  const listener: RequestListener = isPlain
    ? app
    : new FastLane({ domain, authentication, callers, settings, rates, metrics }, dispatch()).handle;
  return listener;
}

function ratesOf({ requestsPerSecond: { perAddress, perToken } }: Pick<Settings, "requestsPerSecond">): Rates {
  return {
    perAddress: new RateLimiter({ perSecond: perAddress, burst: LIMITS.burstSeconds * perAddress }),
    perToken: new RateLimiter({ perSecond: perToken, burst: LIMITS.burstSeconds * perToken }),
    sessions: new RateLimiter({ perSecond: LIMITS.sessionsPerSecondPerToken, burst: LIMITS.sessionsBurstPerToken }),
    refused: new RateLimiter({ perSecond: LIMITS.refusedPerSecondPerAddress, burst: LIMITS.refusedBurstPerAddress }),
  };
}

function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as { readonly version: string };
  return version;
}

/** Which route, not which path: a path may hold anything. */
function logged(logger: Logger): RequestHandler {
  if (!logger.isLevelEnabled("debug")) return (_request, _response, next) => next();
  return (request, response, next) => {
    const start = performance.now();
    response.once("close", () => {
      const route: unknown = request.route?.path;
      const milliseconds = Math.round(performance.now() - start);
      logger.debug(
        { request_id: requestIdOf(response), method: request.method, route, status: response.statusCode, milliseconds },
        "request",
      );
    });
    next();
  };
}

function judged(judge: Judge): RequestHandler {
  return (request, response, next) => {
    if (judge(request, response)) next();
  };
}

function lazy<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
