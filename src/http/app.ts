import type { RequestListener } from "node:http";
import type { Logger } from "pino";
import type { Authentication } from "../authentication.ts";
import type { Domain } from "../domain.ts";
import type { GitReader } from "../git-reading.ts";
import { LIMITS } from "../limits.ts";
import { packageVersion } from "../package.ts";
import type { Settings } from "../settings.ts";
import { isTracing } from "../tracing.ts";
import { openGate, type Rates } from "./auth.ts";
import { Cors } from "./cors.ts";
import { answerJudged, asked, Dispatch } from "./dispatch.ts";
import { failedOf } from "./errors.ts";
import { tagOfBody } from "./etag.ts";
import { FastCallers } from "./fast-callers.ts";
import { FastLane } from "./fast-lane.ts";
import { judgeOf } from "./judge.ts";
import { lateListener } from "./late.ts";
import { Metrics, type Sample } from "./metrics.ts";
import { servedRoutes } from "./mount.ts";
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
  readonly settings: Pick<
    Settings,
    "host" | "allowedHosts" | "trustedProxies" | "requestsPerSecond" | "streamsPerToken" | "ofrepCorsOrigins"
  >;
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
  const open = authentication === null;
  const callers = open ? null : new FastCallers(authentication, domain.readIndex);
  const gate = openGate({ authentication, callers, rates, refusals: domain.refusals });
  const streams = new Streams({ streams: LIMITS.streams, streamsPerToken: settings.streamsPerToken });
  const metrics = new Metrics(() => readingsOf(domain, streams, counted?.() ?? []));
  const version = packageVersion();
  // Written once: it takes as long as hundreds of other answers, and anybody may ask.
  const document = lazy(() => {
    const text = JSON.stringify(openApiDocument(routes, version));
    return { text: Buffer.from(text), tag: tagOfBody(text) };
  });
  const routes: readonly Route[] = [
    ...apiRoutes,
    ...sessionRoutes(authentication),
    ...operationRoutes({ version, readiness, ...(draining !== undefined && { draining }), document, metrics }),
  ];

  const judge = judgeOf(settings, rates, new Cors(settings.ofrepCorsOrigins), open);
  const served = servedRoutes(routes, { domain, gate, streams, metrics });
  const failed = failedOf(logger);
  const { trustedProxies } = settings;
  const parts = {
    domain,
    gate,
    metrics,
    judge,
    served,
    failed,
    logger,
    trustedProxies,
    version,
    open,
    gitReader,
    listener: () => listener,
  };
  // Loaded with the first request that needs it: no start waits for Express, and its memory is only there where it is used.
  const router = lateListener(
    async () => (await import("./router.ts")).createRouter(parts),
    (error, request, response) => void answerJudged(parts, asked(request, {}), response, () => Promise.reject(error)),
  );
  // Who wants to be told of every request has them all go one way.
  const dispatch = () => new Dispatch({ ...parts, believesProxies: trustedProxies.length > 0 }, router).handle;
  const isPlain = !fastLane || logger.isLevelEnabled("debug") || isTracing();
  const listener: RequestListener = isPlain
    ? router
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

function lazy<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
