import { once } from "node:events";
import { connect } from "node:net";
import { pino } from "pino";
import { expect, vi } from "vitest";
import { Authentication } from "../../src/authentication.ts";
import type { Domain } from "../../src/domain.ts";
import { createApp } from "../../src/http/app.ts";
import { createServer } from "../../src/http/server.ts";
import { LIMITS } from "../../src/limits.ts";
import { tokenDigest } from "../../src/token-documents.ts";
import { type Access, openAccess, ROOT } from "../access/support.ts";
import { PROJECT } from "../domain/support.ts";
import { afterThisFile } from "../support/clean-up.ts";
import { ROOT_TOKEN, SETTINGS } from "./support.ts";
export interface Options {
  /** Whether the engine knows by itself how new its store is. */
  readonly exclusive?: boolean;
  readonly auth?: boolean;
  readonly settings?: Partial<typeof SETTINGS>;
}

/** The same engine behind two doors: one with the fast lane, one without. */
export interface Doors extends Access {
  readonly tokens: Readonly<Record<"reader" | "client" | "stranger" | "engine" | "revoked" | "brief" | "rotated" | "renewed", string>>;
  /** What both answer to these bytes; and how often the routes were asked by the door with the lane. */
  both(request: string): Promise<{ readonly lane: string; readonly routes: string; readonly asked: number }>;
  /** Sends both all of a request but its last byte, and that after something else has happened. */
  inTwo(request: string, meanwhile: () => Promise<unknown>): Promise<{ readonly lane: string; readonly routes: string }>;
  /** Sends these bytes to both, and leaves when they have been taken. What was left is known of afterwards. */
  leave(bytes: string): Promise<void>;
  /** How many requests both have counted, by operation and status. */
  counted(): Promise<Readonly<Record<"lane" | "routes", readonly Count[]>>>;
}

type Count = readonly [operation: string, status: string, requests: string];

export async function doors({ exclusive = true, auth = true, settings = {} }: Options = {}): Promise<Doors> {
  const access = await openAccess(undefined, undefined, exclusive);
  const { domain, project } = access;
  await project.create("staging", { env_variables: { GREETING: "grüß dich 🚀", API_KEY: "sk-1" } });
  await project.create("big", { env_variables: { LONG: "x".repeat(2 * LIMITS.readyTextBytes) } });
  await project.create("pr-1", { type: "preview", expires_in: "1h" });
  await project.create("old");
  await domain.environments.archive(project.caller, { project: PROJECT, env: "old" });
  const make = async (role: "reader" | "client" | "engine", projects: string, expires_in?: string) =>
    domain.tokens.create(ROOT, { name: `${role}-of-${projects}`, role, projects: [projects], ...(expires_in && { expires_in }) });
  const revoked = await make("reader", PROJECT);
  const rotated = await make("reader", PROJECT);
  const renewed = await domain.tokens.rotate(ROOT, rotated.id, {});
  const tokens = {
    reader: (await make("reader", PROJECT)).token,
    client: (await make("client", PROJECT)).token,
    stranger: (await make("reader", "elsewhere")).token,
    engine: (await make("engine", PROJECT)).token,
    brief: (await make("reader", PROJECT, "30m")).token,
    revoked: revoked.token,
    rotated: rotated.token,
    renewed: renewed.token,
  };
  await domain.tokens.revoke(ROOT, revoked.id);
  const open = (fastLane: boolean) => listening(domain, { auth, settings, fastLane });
  const [withLane, without] = [await open(true), await open(false)];
  const read = vi.spyOn(domain.config, "read");
  const active = vi.spyOn(domain.deployments, "active");
  const evaluated = vi.spyOn(domain.evaluations, "head");
  const asked = () => read.mock.calls.length + active.mock.calls.length + evaluated.mock.calls.length;
  const both: Doors["both"] = async (request) => {
    const before = asked();
    const lane = plain(await exchange(withLane, request));
    const after = asked();
    return { lane, asked: after - before, routes: plain(await exchange(without, request)) };
  };
  return {
    ...access,
    tokens,
    both,
    async inTwo(request, meanwhile) {
      const ends = [await begin(withLane, request), await begin(without, request)];
      await meanwhile();
      const [lane = "", routes = ""] = await Promise.all(ends.map((end) => end()));
      return { lane: plain(lane), routes: plain(routes) };
    },
    async leave(bytes) {
      await leave(withLane, bytes);
      await leave(without, bytes);
      // A connection that breaks is seen before what comes later.
      await both(written({ path: "/healthz" }));
    },
    async counted() {
      const { lane, routes } = await both(written({ path: "/metrics" }));
      return { lane: countsIn(lane), routes: countsIn(routes) };
    },
  };
}

/** Serves a domain until the test file ends. @returns the port */
export async function listening(
  domain: Domain,
  { auth = true, settings = {}, fastLane }: Options & { fastLane: boolean },
): Promise<number> {
  const { sessions } = domain;
  const authentication = auth
    ? new Authentication({ rootDigest: tokenDigest(ROOT_TOKEN), tokens: domain.tokens, sessions, identities: null })
    : null;
  const app = createApp({
    domain,
    settings: { ...SETTINGS, ...settings },
    logger: pino({ level: "silent" }),
    authentication,
    readiness: async () => ({}),
    fastLane,
  });
  const server = createServer(Promise.resolve(app));
  afterThisFile(() => server.close(0));
  return Number(new URL(await server.listen(0, "127.0.0.1")).port);
}

/** All that comes back until the other side closes, one character for each byte. */
export function exchange(port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect({ port, host: "127.0.0.1" }, () => socket.write(request, "latin1"));
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    socket.once("close", () => resolve(text));
    socket.once("error", reject);
  });
}

/** What comes first is answered when all of it has been taken, so that what is sent along with it has been taken too. */
const AHEAD = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

/** Sends all of a request but its last byte. @returns what sends that, and gives what comes back after the reply to `AHEAD` */
function begin(port: number, request: string): Promise<() => Promise<string>> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect({ port, host: "127.0.0.1" }, () => socket.write(AHEAD + request.slice(0, -1), "latin1"));
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    socket.once("error", reject);
    socket.once("data", () =>
      resolve(async () => {
        text = "";
        socket.write(request.slice(-1), "latin1");
        await once(socket, "close");
        return text;
      }),
    );
  });
}

/** Sends so much of a request, and breaks the connection. */
function leave(port: number, bytes: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1" }, () => socket.write(AHEAD + bytes, "latin1"));
    socket.once("data", () => socket.resetAndDestroy());
    socket.once("close", () => resolve());
    socket.once("error", reject);
  });
}

function countsIn(text: string): readonly Count[] {
  const counts = [...text.matchAll(/_count\{operation="(\w+)",status="(\d+)"\} (\d+)/g)];
  return counts.map(([, operation = "", status = "", requests = ""]) => [operation, status, requests] as const);
}

/** But for what time it is, and ids that are made up. */
export function plain(reply: string): string {
  return reply.replace(/\r\nDate: [^\r]+/gi, "\r\nDate: now").replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "made-up");
}

export const CONFIG = `/env/${PROJECT}/staging/config`;
export const ACTIVE = `/env/${PROJECT}/staging/active`;

export interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly token?: string | null;
  readonly headers?: readonly string[];
  readonly version?: string;
  readonly host?: readonly string[];
  readonly body?: string;
}

export function written(asked: Asked, connection: "close" | "keep-alive" = "close") {
  const { method = "GET", path = CONFIG, token = null, headers = [], version = "1.1", host = ["Host: 127.0.0.1"], body = "" } = asked;
  const lines = [...host, ...(token === null ? [] : [`Authorization: Bearer ${token}`]), ...headers, `Connection: ${connection}`];
  return `${method} ${path} HTTP/${version}\r\n${lines.join("\r\n")}\r\n\r\n${body}`;
}

/** Three times on one connection. */
export function thrice(asked: Asked): string {
  return written(asked, "keep-alive").repeat(2) + written(asked);
}

/** What both doors answer the second time, when the lane knows of it; the very same each time. */
export async function answeredAlike(world: Doors, request: string): Promise<{ readonly lane: string; readonly asked: number }> {
  const first = await world.both(request);
  expect(first.lane).toBe(first.routes);
  const { lane, routes, asked } = await world.both(request);
  expect(lane).toBe(routes);
  return { lane, asked };
}

/** Asserts that the lane answered all three by itself. */
export function expectTaken({ lane, asked }: { readonly lane: string; readonly asked: number }, looks = 0): void {
  expect(lane.match(/HTTP\/1\.1 (200|304) /g)).toHaveLength(3);
  expect(asked).toBe(looks);
}

export function statusesOf({ lane }: { readonly lane: string }): readonly string[] {
  return (lane.match(/HTTP\/1\.1 \d+/g) ?? []).map((line) => line.slice(9));
}

export const STORES = [
  ["on a store of its own", { exclusive: true }],
  ["on a store that engines share", { exclusive: false }],
] as const;
