import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import express, { type Express, type RequestHandler } from "express";
import type { Logger } from "pino";
import type { Domain } from "../domain.ts";
import { packageRoot, type Settings } from "../settings.ts";
import { type Authenticate, rootTokenOnly, trustEveryone } from "./auth.ts";
import { mountDocs } from "./docs.ts";
import { errorHandler } from "./errors.ts";
import { checkHost, checkOrigin, setSecurityHeaders } from "./guards.ts";
import { mountRoutes, refuseUnknown, requestIdOf } from "./mount.ts";
import { openApiDocument } from "./openapi.ts";
import { apiRoutes } from "./routes/index.ts";
import { operationRoutes, type Readiness } from "./routes/operations.ts";

export interface AppOptions {
  readonly domain: Domain;
  readonly settings: Pick<Settings, "auth" | "allowedHosts">;
  readonly logger: Logger;
  /** What the engine depends on, looked at now. */
  readonly readiness: () => Promise<Readiness>;
  /** SHA-256 of the token that may do everything; needed where `settings.auth` is on. */
  readonly rootTokenDigest: Uint8Array | null;
}

/** The engine's HTTP side. Give it to a `node:http` server; see `server.ts`. */
export function createApp({ domain, settings, logger, rootTokenDigest, readiness }: AppOptions): Express {
  const authenticate = authenticator(settings.auth, rootTokenDigest);
  const version = packageVersion();
  const document = lazy(() => openApiDocument([...apiRoutes, ...operations], version));
  const operations = operationRoutes({ version, readiness, document });

  const app = express();
  app.disable("x-powered-by").disable("etag");
  app.enable("strict routing").enable("case sensitive routing");
  app.set("query parser", "simple");
  app.use(identify, logged(logger), guarded(settings));
  mountRoutes(app, [...apiRoutes, ...operations], { domain, authenticate });
  mountDocs(app);
  app.use(refuseUnknown(authenticate));
  app.use(errorHandler(logger));
  return app;
}

function authenticator(auth: Settings["auth"], rootTokenDigest: Uint8Array | null): Authenticate {
  if (auth === "off") return trustEveryone;
  if (rootTokenDigest === null) throw new Error("with auth on, a root token is needed");
  return rootTokenOnly(rootTokenDigest);
}

function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as { readonly version: string };
  return version;
}

const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;

const identify: RequestHandler = (request, response, next) => {
  const given = request.headers["x-request-id"];
  response.setHeader("x-request-id", typeof given === "string" && REQUEST_ID.test(given) ? given : randomUUID());
  setSecurityHeaders(response);
  next();
};

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

function guarded({ auth, allowedHosts }: Pick<Settings, "auth" | "allowedHosts">): RequestHandler {
  return (request, _response, next) => {
    if (auth === "off") checkHost(request, allowedHosts);
    checkOrigin(request, allowedHosts);
    next();
  };
}

function lazy<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
