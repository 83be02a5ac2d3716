import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { DeploymentPlanner } from "../../src/engines/deployment.ts";
import { Sibling, type SiblingBounds } from "../../src/engines/sibling.ts";
import { LIMITS } from "../../src/limits.ts";
import { gate } from "../domain/support.ts";
import { later, serve } from "./support.ts";

const BOUNDS: SiblingBounds = { attempts: 3, firstPauseMs: 1, failures: 5, pauseMs: 60_000, timeoutMs: 5_000 };
const GET = { method: "GET", idempotent: true } as const;

/** An engine that answers each request with the next of `statuses`, and then with the last of them. */
async function answering(statuses: readonly number[], headers: Readonly<Record<string, string>> = {}, bounds = BOUNDS) {
  let nth = 0;
  const server = await serve((_request: IncomingMessage, response: ServerResponse) => {
    const status = statuses[Math.min(nth++, statuses.length - 1)] ?? 200;
    response.writeHead(status, status === 429 || status === 503 ? headers : {}).end("{}");
  });
  const sibling = new Sibling("Test", server.url, bounds);
  later(() => sibling.close());
  return { sibling, hits: server.hits };
}

describe("another engine", () => {
  test("is asked again where it failed and the request may be repeated, and only then", async () => {
    const { sibling, hits } = await answering([500, 502, 200]);
    expect((await sibling.call(["a"], GET)).status).toBe(200);
    expect(hits).toHaveLength(3);
    expect(sibling.counts()).toEqual({ requests: 3, failures: 2, retries: 2, notSent: 0 });
    expect(sibling.status().status).toBe("ok");

    const once = await answering([500, 200]);
    await expect(once.sibling.call(["a"], { method: "POST", idempotent: false })).rejects.toMatchObject({ code: "engine_unavailable" });
    expect(once.hits).toHaveLength(1);
    expect(once.sibling.status()).toMatchObject({ status: "degraded", last_error: expect.stringContaining("status 500") });
  });

  test("is not asked again after an answer, whatever that says", async () => {
    for (const status of [200, 302, 400, 404, 429]) {
      const { sibling, hits } = await answering([status]);
      expect((await sibling.call(["a"], GET)).status).toBe(status);
      expect(hits).toHaveLength(1);
    }
  });

  test("that is asked more at once than may wait for it is not taken for one that fails", async () => {
    const go = gate();
    const server = await serve((_request: IncomingMessage, response: ServerResponse) => void go.opened.then(() => response.end("{}")));
    const sibling = new Sibling("Test", server.url, { ...BOUNDS, timeoutMs: 60_000 });
    later(() => sibling.close());
    const room = LIMITS.engineConnections + LIMITS.waitingRequests;
    const asked = Array.from({ length: room + 2 * BOUNDS.failures }, () => sibling.call(["a"], GET));
    const refused = await Promise.allSettled(asked.slice(room));
    for (const outcome of refused) expect(outcome).toMatchObject({ status: "rejected", reason: { details: { failure: "overloaded" } } });
    expect(sibling.status()).toEqual({ status: "ok", since: null });
    go.open();
    for (const { status } of await Promise.all(asked.slice(0, room))) expect(status).toBe(200);
    expect(sibling.status().status).toBe("ok");
  });

  test("is left alone after so many failures in a row, and asked with one request after a while", async () => {
    const { sibling, hits } = await answering([500, 500, 500, 500, 500, 200], {}, { ...BOUNDS, attempts: 1, pauseMs: 1_000 });
    for (let failure = 0; failure < 5; failure++) await expect(sibling.call(["a"], GET)).rejects.toThrow("status 500");
    expect(sibling.status().status).toBe("down");
    await expect(sibling.call(["a"], GET)).rejects.toThrow(/left alone for a while: .*[^.]\.$/);
    expect([hits.length, sibling.counts().notSent]).toEqual([5, 1]);
    await expect
      .poll(() =>
        sibling.call(["a"], GET).then(
          ({ status }) => status,
          () => null,
        ),
      )
      .toBe(200);
    expect([hits.length, sibling.status().status]).toEqual([6, "ok"]);
  });

  test("is left alone no longer where this machine's clock is set back meanwhile, and asked with one request as ever", async () => {
    const { sibling, hits } = await answering([500], {}, { ...BOUNDS, attempts: 1, pauseMs: 1_000 });
    for (let failure = 0; failure < 5; failure++) await expect(sibling.call(["a"], GET)).rejects.toThrow("status 500");
    const yesterday = Date.now() - 24 * 3_600_000;
    vi.spyOn(Date, "now").mockImplementation(() => yesterday);
    onTestFinished(() => void vi.restoreAllMocks());
    await expect.poll(() => sibling.call(["a"], GET).catch(({ message }: Error) => message)).not.toContain("left alone");
    expect(hits).toHaveLength(6);
    await Promise.all(Array.from({ length: 3 }, () => expect(sibling.call(["a"], GET)).rejects.toThrow("left alone for a while")));
    expect(hits).toHaveLength(6);
  });
});

describe("another engine that asks to be left alone", () => {
  const REST = { code: "engine_unavailable", message: expect.stringMatching(/asked to be left alone for another \d+ s/) };

  test.each([
    ["503, in seconds", 503, () => "30"],
    ["503, until a date", 503, () => new Date(Date.now() + 30_000).toUTCString()],
    ["429", 429, () => "30"],
  ])("is (%s): what comes meanwhile fails at once, and says when to come back", async (_how, status, header) => {
    const { sibling, hits } = await answering([status, 200], { "retry-after": header() });
    await sibling.call(["a"], GET).catch(() => {});
    for (let call = 0; call < 3; call++) await expect(sibling.call(["a"], GET)).rejects.toMatchObject(REST);
    expect([hits.length, sibling.counts().notSent, sibling.counts().retries]).toEqual([1, 3, 0]);
    const error = await sibling.call(["a"], GET).catch((thrown: unknown) => thrown);
    const { retry_after_ms } = (error as { details: { retry_after_ms: number } }).details;
    expect(retry_after_ms).toBeGreaterThan(20_000);
    expect(retry_after_ms).toBeLessThanOrEqual(30_000);
    if (status === 503) expect(sibling.status().status).toBe("down");
  });

  test("for a year has a minute", async () => {
    const { sibling } = await answering([503], { "retry-after": String(365 * 24 * 60 * 60) });
    await sibling.call(["a"], GET).catch(() => {});
    const error = await sibling.call(["a"], GET).catch((thrown: unknown) => thrown);
    const { retry_after_ms } = (error as { details: { retry_after_ms: number } }).details;
    expect(retry_after_ms).toBeLessThanOrEqual(LIMITS.siblingRestMs);
  });

  test("in words that nobody understands is not", async () => {
    for (const words of ["soon", "-1", "1.5", "", "99999999999"]) {
      const { sibling, hits } = await answering([503, 200], { "retry-after": words });
      expect((await sibling.call(["a"], GET)).status).toBe(200);
      expect(hits).toHaveLength(2);
    }
  });

  test("is asked again when the time is over", async () => {
    const { sibling } = await answering([503, 200], { "retry-after": "1" });
    await expect(sibling.call(["a"], GET)).rejects.toMatchObject({ details: { retry_after_ms: 1_000 } });
    await expect
      .poll(() =>
        sibling.call(["a"], GET).then(
          ({ status }) => status,
          () => null,
        ),
      )
      .toBe(200);
    expect(sibling.status().status).toBe("ok");
  });
});

test("a deployment is ordered under a key that tells the order when it comes again", async () => {
  const keys: unknown[] = [];
  const server = await serve((request: IncomingMessage, response: ServerResponse) => {
    keys.push(request.headers["idempotency-key"]);
    response.end('{"status":"success"}');
  });
  const sibling = new Sibling("Deployment Planner", server.url, BOUNDS);
  later(() => sibling.close());
  const order = { id: "pf-777:42", project: "pf-777", env: "production", version: "v1.0.0", deployer: "ann" };
  await new DeploymentPlanner(sibling).deploy(order, "request-1", new AbortController().signal);
  expect(keys).toEqual(["pf-777:42"]);
});
