import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createApp } from "../../src/http/app.ts";
import { LIMITS } from "../../src/limits.ts";
import { openWorld, PROJECT } from "../domain/support.ts";
import { type Answer, type Ask, domainOf, ROOT_TOKEN, SETTINGS, serve, serveApp, withTokens } from "../http/support.ts";
import { pending } from "./support.ts";

/** Rates are told by this clock, which stands still unless a test moves it on. */
let clock = 0;
beforeEach(() => {
  clock = 1_000;
  vi.spyOn(performance, "now").mockImplementation(() => clock);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const asRoot = { headers: { authorization: `Bearer ${ROOT_TOKEN}` } };
const settings = (perToken: number, perAddress: number) => ({ ...SETTINGS, requestsPerSecond: { perToken, perAddress } });

/** How many of so many requests, one after the other, have which status. */
async function statuses(count: number, ask: () => Promise<Answer>): Promise<Readonly<Record<number, number>>> {
  const seen: Record<number, number> = {};
  for (let sent = 0; sent < count; sent++) {
    const { status } = await ask();
    seen[status] = (seen[status] ?? 0) + 1;
  }
  return seen;
}

async function expectTooMany(answer: Promise<Answer>, seconds: number): Promise<void> {
  const { status, headers, body } = await answer;
  expect([status, headers["retry-after"]]).toEqual([429, String(seconds)]);
  expect(body).toMatchObject({
    code: "too_many_requests",
    reason: expect.stringMatching(/\S/),
    fix_suggestion: expect.stringMatching(/\S/),
  });
}

describe("requests", () => {
  const served = async (perToken: number, perAddress: number): Promise<Ask> => {
    const { domain, project } = await openWorld();
    await project.create("staging");
    return serveApp(domain, { authentication: await withTokens(domain), settings: settings(perToken, perAddress) });
  };

  test.each([
    ["with one token", 3, 1_000],
    ["from one address", 1_000, 3],
  ])("%s: a whole burst is answered and not one more, and from then on as many as the rate says", async (_what, perToken, perAddress) => {
    const ask = await served(perToken, perAddress);
    const list = () => ask({ path: "/env", ...asRoot });
    // A burst is what two seconds allow.
    expect(await statuses(6, list)).toEqual({ 200: 6 });
    await expectTooMany(list(), 1);
    clock += 1_000;
    expect(await statuses(10, list)).toEqual({ 200: 3, 429: 7 });
    clock += 60_000;
    expect(await statuses(10, list)).toEqual({ 200: 6, 429: 4 });
  });

  test("of one token do not use up another's", async () => {
    const ask = await served(3, 1_000);
    const { body } = await ask({ method: "POST", path: "/tokens", body: { name: "ben", role: "reader", projects: ["*"] }, ...asRoot });
    expect(await statuses(5, () => ask({ path: "/env", ...asRoot }))).toEqual({ 200: 5 });
    await expectTooMany(ask({ path: "/env", ...asRoot }), 1);
    expect((await ask({ path: "/env", headers: { authorization: `Bearer ${String(body.token)}` } })).status).toBe(200);
  });

  test("without a valid token: as many are told so as may be, and not one more; whoever has one at the same address goes on", async () => {
    const ask = await served(10_000, 10_000);
    const guess = () => ask({ path: "/env", headers: { authorization: "Bearer guessed" } });
    expect(await statuses(LIMITS.refusedBurstPerAddress, guess)).toEqual({ 401: LIMITS.refusedBurstPerAddress });
    await expectTooMany(guess(), 1);
    expect((await ask({ path: "/env", ...asRoot })).status).toBe(200);
    clock += 1_000;
    expect(await statuses(LIMITS.refusedPerSecondPerAddress + 1, guess)).toEqual({ 401: LIMITS.refusedPerSecondPerAddress, 429: 1 });
  });
});

describe("log-ins", () => {
  test("with one token: a whole burst and not one more, and from then on as many as the rate says; with another token, more", async () => {
    const { domain } = await openWorld();
    const ask = await serveApp(domain, { authentication: await withTokens(domain), settings: settings(10_000, 10_000) });
    const logIn = (token: unknown) => ask({ method: "POST", path: "/session", body: { token } });
    expect(await statuses(LIMITS.sessionsBurstPerToken, () => logIn(ROOT_TOKEN))).toEqual({ 200: LIMITS.sessionsBurstPerToken });
    await expectTooMany(logIn(ROOT_TOKEN), 1);
    const { body } = await ask({ method: "POST", path: "/tokens", body: { name: "ben", role: "reader", projects: ["*"] }, ...asRoot });
    expect((await logIn(body.token)).status).toBe(200);
    clock += 1_000;
    expect(await statuses(LIMITS.sessionsPerSecondPerToken + 1, () => logIn(ROOT_TOKEN))).toEqual({
      200: LIMITS.sessionsPerSecondPerToken,
      429: 1,
    });
  });
});

describe("streamed replies", () => {
  /** An audit log of which each export goes on until the test ends it. */
  async function served() {
    const end = pending<void>();
    const audit = {
      export: async () => ({
        statement: {},
        records: (async function* () {
          // As much as is gathered before anything is sent.
          yield { text: "x".repeat(LIMITS.linesLength) };
          await end.promise;
        })(),
      }),
    };
    const app = createApp({
      domain: domainOf({ audit: audit as never, auditSigning: { sign: async () => "signature" } }),
      settings: settings(10_000, 10_000),
      logger: pino({ level: "silent" }),
      authentication: await withTokens(),
      readiness: async () => ({}) as never,
    });
    const { port, ask } = await serve(app);
    const path = `/env/${PROJECT}/audit/export`;
    const open = async (): Promise<IncomingMessage> => {
      const request = get({ port, host: "127.0.0.1", path, agent: false, ...asRoot });
      const [response] = (await once(request, "response")) as [IncomingMessage];
      response.on("error", () => {}).resume();
      return response;
    };
    return { open, end, once: () => ask({ path, ...asRoot }) };
  }

  test("of one token: as many at a time as may be, and not one more, until one of them ends", async () => {
    const streams = await served();
    const open = await Promise.all(Array.from({ length: LIMITS.streamsPerToken }, () => streams.open()));
    expect(open.map(({ statusCode }) => statusCode)).toEqual(open.map(() => 200));
    await expectTooMany(streams.once(), 1);
    // One reader goes away; the engine hears of it in its own time.
    open[0]?.destroy();
    let late = await streams.open();
    while (late.statusCode === 429) late = await streams.open();
    expect(late.statusCode).toBe(200);
    const ended = Promise.all(open.slice(1).map((response) => once(response, "end")));
    streams.end.resolve();
    await ended;
    expect((await streams.once()).status).toBe(200);
  });
});
