import type { RequestListener } from "node:http";
import express, { type RequestHandler } from "express";
import type { Logger } from "pino";
import type { GitReader } from "../git-reading.ts";
import type { Settings } from "../settings.ts";
import { mountDashboard } from "./dashboard.ts";
import { mountDocs } from "./docs.ts";
import { errorHandler, type Failed } from "./errors.ts";
import { mountGit } from "./git.ts";
import type { Judge } from "./judge.ts";
import { mountMcp } from "./mcp.ts";
import { statusOf } from "./metrics.ts";
import { mountRoutes, type RouteServices, refuseUnknown, requestIdOf, type Served } from "./mount.ts";

interface RouterParts extends Pick<RouteServices, "domain" | "gate" | "metrics"> {
  readonly judge: Judge;
  readonly served: readonly Served[];
  readonly failed: Failed;
  readonly logger: Logger;
  readonly trustedProxies: Settings["trustedProxies"];
  readonly version: string;
  /** Whether nobody needs a token. */
  readonly open: boolean;
  /** Projects as Git repositories; without it there are none. */
  readonly gitReader: GitReader | undefined;
  /** What answers every request to the engine. */
  readonly listener: () => RequestListener;
}

/** Express: it finds the way of whatever is not as plain as `Dispatch` takes it, and of pages, git and assistants. */
export function createRouter(parts: RouterParts): RequestListener {
  const { domain, gate, metrics, judge, served, failed, logger, trustedProxies, version, open, gitReader, listener } = parts;
  const app = express();
  app.disable("x-powered-by").disable("etag");
  app.enable("strict routing").enable("case sensitive routing");
  app.set("query parser", "simple");
  app.set("trust proxy", [...trustedProxies]);
  app.use(logged(logger), judged(judge));
  mountRoutes(app, served, gate);
  if (gitReader !== undefined) mountGit(app, { domain, gate, metrics, reader: gitReader });
  mountMcp(app, { gate, open, version, listener });
  mountDocs(app);
  mountDashboard(app);
  app.use(refuseUnknown(gate));
  app.use(errorHandler(failed));
  return app;
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
        { request_id: requestIdOf(response), method: request.method, route, status: statusOf(response), milliseconds },
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
