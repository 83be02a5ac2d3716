import { once } from "node:events";
import type { RequestListener, ServerResponse } from "node:http";
import { connect } from "node:net";
import { pino } from "pino";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createApp } from "../../src/http/app.ts";
import { EventStreams } from "../../src/http/event-streams.ts";
import { createServer, type EngineServer } from "../../src/http/server.ts";
import { LIMITS } from "../../src/limits.ts";
import type { HeadEvent, Watcher } from "../../src/watches.ts";
import { type Access, openAccess, pass, ROOT } from "../access/support.ts";
import { PROJECT } from "../domain/support.ts";
import { EventReader } from "./events.ts";
import { SETTINGS, serve, withTokens } from "./support.ts";

const readers: EventReader[] = [];
afterEach(() => {
  vi.useRealTimers();
  for (const reader of readers.splice(0)) reader.leave();
});

interface Scene extends Access {
  readonly port: number;
  token(role: "client" | "reader", expires_in?: string): Promise<{ readonly id: string; readonly token: string }>;
  read(token: string, headers?: Readonly<Record<string, string>>, query?: string): EventReader;
  edit(): Promise<unknown>;
}

async function scene(settings: Partial<typeof SETTINGS> = {}): Promise<Scene> {
  const access = await openAccess();
  await access.project.create("staging");
  const app = createApp({
    domain: access.domain,
    settings: { ...SETTINGS, ...settings },
    logger: pino({ level: "silent" }),
    authentication: await withTokens(access.domain),
    readiness: async () => ({}),
  });
  const { port } = await serve(app);
  let edits = 0;
  return {
    ...access,
    port,
    token: (role, expires_in) =>
      access.domain.tokens.create(ROOT, { name: `a ${role}`, role, projects: [PROJECT], ...(expires_in !== undefined && { expires_in }) }),
    read(token, headers = {}, query = "") {
      const reader = new EventReader(port, `/env/${PROJECT}/staging/watch${query}`, { authorization: `Bearer ${token}`, ...headers });
      readers.push(reader);
      return reader;
    },
    edit: () => access.project.configure("staging", { vars: { N: String(edits++) } }),
  };
}

describe("a watch over HTTP", () => {
  test("tells of the head and of each new one, as events without a name", async () => {
    const { token, read, edit, domain } = await scene();
    const reader = await read((await token("reader")).token).hears(1);
    await edit();
    await reader.hears(2);
    expect(await reader.status).toBe(200);
    expect(reader.headers).toMatchObject({
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
      "x-content-type-options": "nosniff",
    });
    expect(reader.retryMs).toBeGreaterThanOrEqual(LIMITS.watchReturnMs);
    expect(reader.text).not.toMatch(/^event:/m);
    const { tag, version } = await domain.config.read(PROJECT, "staging", {});
    expect(reader.told.at(-1)).toMatchObject({
      type: "refetchEvaluation",
      etag: tag,
      version,
      revision: 2,
      env: "staging",
      action: "config",
    });
  });

  test("goes on after the event that the header names, or the query; the header counts", async () => {
    const { token, read, edit } = await scene();
    for (let n = 0; n < 3; n++) await edit();
    const { token: shown } = await token("reader");
    expect((await read(shown, { "last-event-id": "1" }).hears(4)).ids).toEqual([2, 3, 4]);
    expect((await read(shown, {}, "?last_event_id=2").hears(4)).ids).toEqual([3, 4]);
    expect((await read(shown, { "last-event-id": "3" }, "?last_event_id=1").hears(4)).ids).toEqual([4]);
    expect((await read(shown, { "last-event-id": "" }).hears(4)).ids).toEqual([4]);
    const current = read(shown, { "last-event-id": "4" });
    await current.status;
    await edit();
    expect((await current.hears(5)).ids).toEqual([5]);
  });

  test.each([
    [{ "last-event-id": "twelve" }, ""],
    [{ "last-event-id": "-1" }, ""],
    [{ "last-event-id": "1".repeat(16) }, ""],
    [{}, "?last_event_id=x"],
    [{}, "?since=1"],
  ])("refuses %j with query %j", async (headers, query) => {
    const { token, read } = await scene();
    const reader = await read((await token("reader")).token, headers as Record<string, string>, query).over();
    expect(await reader.status).toBe(400);
    expect(JSON.parse(reader.text)).toMatchObject({ code: "invalid_request" });
  });

  test("tells whoever may only evaluate that there is a new head, and nothing of it", async () => {
    const { token, read, edit } = await scene();
    const [client, reader] = [read((await token("client")).token), read((await token("reader")).token)];
    await Promise.all([client.hears(1), reader.hears(1)]);
    await edit();
    await Promise.all([client.hears(2), reader.hears(2)]);
    expect(client.told.map((event) => Object.keys(event))).toEqual(Array(2).fill(["type", "etag", "lastModified"]));
    expect(client.told.at(-1)?.etag).toBe(reader.told.at(-1)?.etag);
  });

  test("ends at once for whoever's token is revoked, and for nobody else", async () => {
    const { token, read, edit, domain } = await scene();
    const [one, other] = [await token("reader"), await token("reader")];
    const [revoked, twice, stays] = [read(one.token), read(one.token), read(other.token)];
    await Promise.all([revoked, twice, stays].map((reader) => reader.hears(1)));
    await domain.tokens.revoke(ROOT, one.id);
    await Promise.all([revoked.over(), twice.over()]);
    await edit();
    await stays.hears(2);
    expect([revoked.ids, twice.ids]).toEqual([[1], [1]]);
    const again = await read(one.token).over();
    expect(await again.status).toBe(401);
  });

  test("ends at once though another was revoked a moment before", { timeout: LIMITS.waitMs / 2 }, async () => {
    const { token, read, domain } = await scene();
    const tokens = [await token("reader"), await token("reader"), await token("reader")];
    const readers = tokens.map((shown) => read(shown.token));
    await Promise.all(readers.map((reader) => reader.hears(1)));
    for (const [index, { id }] of tokens.entries()) {
      await domain.tokens.revoke(ROOT, id);
      await readers[index]?.over();
    }
  });

  test("ends when the token does", async () => {
    const { token, read, clock, domain } = await scene();
    const reader = await read((await token("reader", "1h")).token).hears(1);
    pass(clock, "2h");
    // Whatever happens to access makes all who watch be judged again.
    await domain.tokens.create(ROOT, { name: "another", role: "client", projects: ["*"] });
    await reader.over();
  });

  test("ends when the token does by the store's clock, though this machine's is behind", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const { token, read, clock } = await scene();
    vi.setSystemTime(clock.time - 3_600_000);
    const shown = (await token("reader", "1h")).token;
    clock.time += 3_600_000 - 500;
    const reader = await read(shown).hears(1);
    clock.time += 500;
    await reader.over();
  });

  test("ends with the environment that is archived, and keeps those away who know", async () => {
    const { token, read, domain, project } = await scene();
    const { token: shown } = await token("reader");
    const reader = await read(shown).hears(1);
    await domain.environments.archive(project.caller, { project: PROJECT, env: "staging" });
    await reader.over();
    expect(reader.told.at(-1)).toMatchObject({ revision: 2, action: "archive", final: "archived" });
    const knows = await read(shown, { "last-event-id": "2" }).over();
    expect([await knows.status, knows.text]).toEqual([204, ""]);
    const late = await read(shown, { "last-event-id": "1" }).over();
    expect(late.told).toEqual([expect.objectContaining({ revision: 2, final: "archived" })]);
  });

  test("ends when the engine stops, so that readers come back to another", async () => {
    const { token, read, domain } = await scene();
    const reader = await read((await token("reader")).token).hears(1);
    domain.news.close();
    await reader.over();
    expect(reader.ids).toEqual([1]);
  });

  test("counts as a stream for as long as it lasts", async () => {
    const { token, read } = await scene();
    const { token: shown } = await token("reader");
    const open = Array.from({ length: LIMITS.streamsPerToken }, () => read(shown));
    await Promise.all(open.map((reader) => reader.hears(1)));
    const refused = await read(shown).over();
    expect(await refused.status).toBe(429);
    open[0]?.leave();
    while ((await read(shown).status) === 429) await new Promise(setImmediate);
  });

  test("is had by as many at a time with one token as the operator allows", async () => {
    const { token, read } = await scene({ streamsPerToken: 2 });
    const { token: shown } = await token("client");
    await Promise.all([read(shown).hears(1), read(shown).hears(1)]);
    expect(await (await read(shown).over()).status).toBe(429);
  });

  test("answers HEAD with its headers alone", async () => {
    const { port, token } = await scene();
    const { token: shown } = await token("reader");
    const text = await exchange(
      port,
      `HEAD /env/${PROJECT}/staging/watch HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${shown}\r\n\r\n`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(text).toMatch(/content-type: text\/event-stream/i);
    expect(text.endsWith("\r\n\r\n")).toBe(true);
  });

  test("waits for its turn behind the reply before it on the same connection", async () => {
    const { port, token, edit } = await scene();
    const { token: shown } = await token("reader");
    const ask = (path: string) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${shown}\r\n\r\n`;
    const wait = `/env/${PROJECT}/staging/active?wait=30s&after=1`;
    const socket = connect({ port, host: "127.0.0.1" });
    let text = "";
    const both = new Promise<void>((resolve) => {
      socket.on("data", (chunk) => {
        text += chunk.toString("latin1");
        if (/id: 2\ndata: /.test(text)) resolve();
      });
    });
    socket.write(ask(wait) + ask(`/env/${PROJECT}/staging/watch`));
    await edit();
    await both;
    socket.destroy();
    expect(text).toMatch(/"revision":2.*HTTP\/1\.1 200 OK.*retry: \d+\n\nid: /s);
  });
});

/** All that comes back until the other side closes. */
function exchange(port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect({ port, host: "127.0.0.1" }, () => socket.write(request));
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    socket.once("close", () => resolve(text));
    socket.once("error", reject);
  });
}

/** Starts a server, and answers its port. */
type Serving = (listener: RequestListener) => Promise<number>;

const closing: EngineServer[] = [];
afterEach(async () => {
  for (const server of closing.splice(0)) await server.close(0);
});

const byTheEngine: Serving = async (listener) => {
  const server = createServer(Promise.resolve(listener));
  closing.push(server);
  return Number(new URL(await server.listen(0, "127.0.0.1")).port);
};
/** Without what the engine knows of its connections. */
const byNodeAlone: Serving = async (listener) => (await serve(listener)).port;

/** A source that a test speaks through, served without any route around it. */
async function spoken(serving: Serving, bounds: Partial<Record<"watchReturnMs" | "watchHeartbeatMs" | "watchBufferBytes", number>> = {}) {
  const watchers = new Set<Watcher>();
  const responses: ServerResponse[] = [];
  const streams = new EventStreams({ ...LIMITS, ...bounds });
  const port = await serving((request, response) => {
    responses.push(response);
    const source = {
      view: "whole" as const,
      watch: (watcher: Watcher) => {
        watchers.add(watcher);
        return () => void watchers.delete(watcher);
      },
    };
    streams.send(request, response, source);
  });
  return { port, watchers, responses };
}

const event = (revision: number, more = ""): HeadEvent => ({
  type: "refetchEvaluation",
  etag: more,
  lastModified: "",
  project_id: "p",
  env: "e",
  version: "v1.0.0",
  revision,
  snapshot: "",
  action: "config",
  timestamp: "",
});

describe("a stream of events", () => {
  test("gives signs of life while there is nothing to tell", async () => {
    const { port } = await spoken(byTheEngine, { watchHeartbeatMs: 15 });
    const reader = new EventReader(port, "/");
    readers.push(reader);
    await reader.until(() => reader.comments.length >= 3);
    expect(reader.events).toEqual([]);
  });

  test("keeps neither the request nor the response while somebody reads", async () => {
    const { port, watchers, responses } = await spoken(byTheEngine);
    const reader = new EventReader(port, "/");
    readers.push(reader);
    await reader.until(() => reader.retryMs !== null);
    const [response] = responses;
    if (response?.closed === false) await once(response, "close");
    expect(response?.socket).toBeNull();
    for (const watcher of watchers) watcher.tell([event(1)]);
    await reader.hears(1);
    reader.leave();
    while (watchers.size > 0) await new Promise(setImmediate);
  });

  test("ends its connection, also where the reader does not close their end", async () => {
    const { port, watchers, responses } = await spoken(byTheEngine);
    const reader = connect({ port, host: "127.0.0.1", allowHalfOpen: true }).resume();
    reader.write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    while (watchers.size === 0) await new Promise(setImmediate);
    const socket = responses[0]?.req.socket;
    for (const watcher of [...watchers]) watcher.end();
    if (socket?.closed === false) await once(socket, "close");
    expect(watchers.size).toBe(0);
    reader.destroy();
  });

  test("is followed by no other reply, whatever else is asked on its connection", async () => {
    const { port, watchers, responses } = await spoken(byTheEngine);
    const socket = connect({ port, host: "127.0.0.1" });
    const ask = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    let text = "";
    const heard = (part: string) =>
      new Promise<void>((resolve) => {
        const look = () => text.includes(part) && resolve();
        socket.on("data", look);
        look();
      });
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    // One behind it at once, and one when it has begun.
    socket.write(ask + ask);
    await heard("retry: ");
    socket.write(ask);
    for (let revision = 1; revision <= 3; revision++) {
      for (const watcher of watchers) watcher.tell([event(revision)]);
      await heard(`id: ${revision}\n`);
    }
    for (const watcher of [...watchers]) watcher.end();
    await once(socket, "close");
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(responses.length).toBeLessThan(3);
  });

  test.each([
    { served: "by the engine", serving: byTheEngine },
    { served: "by Node alone", serving: byNodeAlone },
  ])("cuts off whoever does not read, and goes on for the others, served $served", async ({ serving }) => {
    const { port, watchers } = await spoken(serving, { watchBufferBytes: 64 * 1024 });
    const slow = connect({ port, host: "127.0.0.1" });
    slow.write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    slow.on("error", () => {});
    slow.pause();
    const reader = new EventReader(port, "/");
    readers.push(reader);
    while (watchers.size < 2) await new Promise(setImmediate);
    let sent = 0;
    while (watchers.size === 2) {
      const events = [event(++sent, "x".repeat(100_000))];
      for (const watcher of watchers) watcher.tell(events);
      await reader.hears(sent);
      expect(sent).toBeLessThan(1_000);
    }
    expect(watchers.size).toBe(1);
    for (const watcher of watchers) watcher.tell([event(++sent)]);
    await reader.hears(sent);
    slow.destroy();
  });
});

describe("a watch of a whole project", () => {
  const reads = (port: number, token: string, headers: Readonly<Record<string, string>> = {}) => {
    const reader = new EventReader(port, `/env/${PROJECT}/watch`, { authorization: `Bearer ${token}`, ...headers });
    readers.push(reader);
    return reader;
  };
  const actions = ({ told }: EventReader) => told.map(({ action, environment }) => [action, environment]);

  test("tells of what happens from now on, in every environment, also where no revision comes of it", async () => {
    const { token, edit, port, domain } = await scene();
    const reader = reads(port, (await token("reader")).token);
    await reader.status;
    await edit();
    await domain.environments.hold(ROOT, { project: PROJECT, env: "staging", reason: "Looking" });
    await reader.until(() => reader.told.length === 3);
    expect(reader.told[0]).toMatchObject({ type: "projectWatched", project_id: PROJECT });
    expect(actions(reader).slice(1)).toEqual([
      ["config", "staging"],
      ["hold", "staging"],
    ]);
    expect(reader.told[1]).toMatchObject({ type: "projectChanged", project_id: PROJECT, revision: 2 });
    expect(reader.ids).toEqual(reader.told.map(({ seq }) => seq));
  });

  test("goes on after the event that is named, without gaps or doubles", async () => {
    const { token, edit, port } = await scene();
    const { token: shown } = await token("reader");
    for (let n = 0; n < 3; n++) await edit();
    const all = reads(port, shown, { "last-event-id": "0" });
    await all.until(() => all.told.length >= 4);
    const later = reads(port, shown, { "last-event-id": String(all.ids[1]) });
    await later.hears(Number(all.ids.at(-1)));
    expect(later.ids).toEqual(all.ids.slice(2));
  });

  test("begins anew for who names an event that there is not yet", async () => {
    const { token, port } = await scene();
    const reader = reads(port, (await token("reader")).token, { "last-event-id": "999" });
    await reader.until(() => reader.told.length === 1);
    expect(reader.told[0]).toMatchObject({ type: "projectWatched" });
  });

  test("tells nobody of an environment that they may not see", async () => {
    const { domain, project, edit, port } = await scene();
    await project.create("production");
    const { token: narrow } = await domain.tokens.create(ROOT, {
      name: "narrow",
      role: "reader",
      projects: [PROJECT],
      envs: ["production"],
    });
    const reader = reads(port, narrow, { "last-event-id": "0" });
    await edit();
    await project.configure("production", { vars: { N: "1" } });
    await reader.until(() => actions(reader).some(([action]) => action === "config"));
    expect(new Set(reader.told.map(({ environment }) => environment))).toEqual(new Set(["production"]));
  });
});
