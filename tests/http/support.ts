import { createServer, request as httpRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import { pino } from "pino";
import { onTestFinished, vi } from "vitest";
import { Authentication } from "../../src/authentication.ts";
import { mayDoAll } from "../../src/callers.ts";
import type { Domain } from "../../src/domain.ts";
import { AppError } from "../../src/errors.ts";
import { type AppOptions, createApp } from "../../src/http/app.ts";
import type { Gate } from "../../src/http/auth.ts";
import { errorHandler, failedOf } from "../../src/http/errors.ts";
import { Metrics } from "../../src/http/metrics.ts";
import { mountRoutes, servedRoutes } from "../../src/http/mount.ts";
import { apiRoutes } from "../../src/http/routes/index.ts";
import { Streams } from "../../src/http/streams.ts";
import { LIMITS } from "../../src/limits.ts";
import { tokenDigest } from "../../src/token-documents.ts";
import { domainOn, memoryStore, openVault } from "../domain/support.ts";
import { bodyOf } from "../support/body.ts";
import { later } from "../support/clean-up.ts";

/** A domain of which a test needs a function or two: what HTTP does with their answers is the subject. */
export function domainOf(parts: { readonly [Part in keyof Domain]?: Partial<Domain[Part]> }): Domain {
  const unknown = {
    known: () => null,
    onDoubt: () => {},
    confirm: () => Promise.reject(new Error("nothing is kept ready here")),
    inTime: <Result>(work: Promise<Result>) => work,
    exclusive: true,
  };
  return { refusals: { note() {} }, readIndex: unknown, ...parts } as Domain;
}

/** Lets the clock stand by which rates are told, until the test ends: no allowance comes back, however slow the machine is. */
export function rateClockStands(): void {
  const clock = vi.spyOn(performance, "now").mockReturnValue(performance.now());
  onTestFinished(() => clock.mockRestore());
}

/** What an engine that binds a loopback address is set to, where nobody sets anything. */
export const SETTINGS: AppOptions["settings"] = {
  host: "127.0.0.1",
  allowedHosts: [],
  trustedProxies: [],
  requestsPerSecond: { perToken: 1_000, perAddress: 1_000 },
  streamsPerToken: LIMITS.streamsPerToken,
  ofrepCorsOrigins: [],
};

/** With auth on: lets the root token in, and whoever has a token of this domain's. */
export async function withTokens(domain?: Domain): Promise<Authentication> {
  const store = memoryStore();
  const { tokens, sessions } = domain ?? domainOn(store, await openVault(store));
  return new Authentication({ rootDigest: tokenDigest(ROOT_TOKEN), tokens, sessions, identities: null });
}

export const ROOT_TOKEN = "a-token-of-this-test";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly body: Record<string, unknown>;
}

export interface Question {
  readonly method?: string;
  readonly path: string;
  /** Names with several values are sent several times. */
  readonly headers?: OutgoingHttpHeaders;
  /** Text and bytes as they are; anything else as JSON. */
  readonly body?: unknown;
}

export type Ask = (question: Question | string) => Promise<Answer>;

/** Serves a listener for one test. */
export async function serve(listener: RequestListener): Promise<{ readonly port: number; readonly ask: Ask }> {
  const server = createServer(listener);
  later(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { port, ask: (question) => ask(port, typeof question === "string" ? { path: question } : question) };
}

/** Serves the app for one test: without tokens, unless the options say otherwise. */
export async function serveApp(domain: Domain, options: Partial<AppOptions> = {}): Promise<Ask> {
  const app = createApp({
    domain,
    settings: SETTINGS,
    logger: pino({ level: "silent" }),
    authentication: null,
    readiness: async () => ({ store: { status: "ok" }, vault: { status: "ok" } }),
    ...options,
  });
  return (await serve(app)).ask;
}

/** Tokens are names here: each acts for the person of that name, who may do everything. */
const byName: Gate = {
  async admit(request, requestId) {
    const { authorization } = request.headers;
    if (authorization === undefined) throw new AppError("unauthorized");
    return mayDoAll(authorization, requestId);
  },
  connection: () => ({
    secure: false,
    signal: new AbortController().signal,
    admitAgain: async () => null,
    streamQuery: async () => null,
    credential: "",
    lastEventId: null,
    header: () => null,
    readBytes: () => Promise.resolve(Buffer.alloc(0)),
    session: null,
    signIn: () => Promise.reject(new AppError("unauthorized")),
  }),
};

/** Serves the routes for one test, to several people. */
export async function serveRoutes(domain: Domain): Promise<Ask> {
  const app = express();
  app.set("query parser", "simple");
  mountRoutes(app, servedRoutes(apiRoutes, { domain, gate: byName, streams: new Streams(), metrics: new Metrics() }), byName);
  app.use(errorHandler(failedOf(pino({ level: "silent" }))));
  return (await serve(app)).ask;
}

function ask(port: number, { method = "GET", path, headers = {}, body }: Question): Promise<Answer> {
  const payload = body === undefined || typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const sent: OutgoingHttpHeaders = payload === undefined ? {} : { "content-type": "application/json" };
  if (payload !== undefined && !("transfer-encoding" in headers)) sent["content-length"] = Buffer.byteLength(payload);
  return new Promise((resolve, reject) => {
    const request = httpRequest({ port, host: "127.0.0.1", method, path, headers: { ...sent, ...headers }, agent: false }, (response) => {
      bodyOf(response).then((text) => {
        const isJson = response.headers["content-type"]?.startsWith("application/json") === true && text !== "";
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, body: isJson ? JSON.parse(text) : {} });
      }, reject);
    });
    request.once("error", reject);
    request.end(payload);
  });
}
