import { request as httpRequest } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { loadSettings } from "../../src/settings.ts";
import { Engine } from "../support/engine.ts";
import { Project } from "../support/project.ts";

const LONG = process.env.ENV_MANAGER_TEST_LONG !== undefined;
const engines: Engine[] = [];

afterEach(() => Promise.all(engines.splice(0).map((engine) => engine.dispose())));

async function start(env: Readonly<Record<string, string>> = {}): Promise<Engine> {
  const engine = new Engine({ env });
  engines.push(engine);
  return engine.start();
}

/** A request whose body is on its way: `end` sends the rest of it. */
function halfSent(engine: Engine, path: string, body: string) {
  const { hostname, port } = new URL(engine.url);
  const request = httpRequest({
    hostname,
    port,
    method: "PATCH",
    path,
    headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body), expect: "100-continue" },
  });
  const status = new Promise<number>((resolve, reject) => {
    request.once("error", reject);
    request.once("response", (response) => {
      response.resume().once("end", () => resolve(response.statusCode ?? 0));
    });
  });
  const taken = new Promise<void>((resolve) => request.once("continue", resolve));
  request.flushHeaders();
  return { status, taken, end: () => request.end(body) };
}

describe("an engine that is told to stop", () => {
  test("finishes what runs, answers who waits, and ends with 0", async () => {
    const engine = await start();
    const project = new Project(engine, "shop");
    await project.create("development");
    const { revision } = await project.active("development");
    const waiting = engine.get(`${project.path("development", "active")}?wait=60s&after=${revision}`);
    // Comes in after that one, and says when it has.
    const half = halfSent(engine, project.path("development", "config"), JSON.stringify({ vars: { LATE: "but here" } }));
    await half.taken;
    engine.signal("SIGTERM");
    half.end();
    expect(await half.status).toBe(200);
    expect((await waiting).status).toBe(200);
    expect(await engine.exited).toBe("exit code 0");
    await engine.restart();
    expect(await project.config("development")).toMatchObject({ vars: { LATE: "but here" } });
  });

  test("says at once that it is not ready, and goes on serving", async () => {
    const engine = await start({ SHUTDOWN_DELAY: "5m" });
    const project = new Project(engine, "shop");
    await project.create("development");
    expect(await engine.get("/readyz")).toMatchObject({ status: 200, body: { status: "ready" } });
    engine.signal("SIGTERM");
    await expect.poll(() => engine.get("/readyz")).toMatchObject({ status: 503, body: { status: "draining" } });
    expect((await engine.get("/healthz")).status).toBe(200);
    const written = await engine.request("PATCH", project.path("development", "config"), { vars: { A: "1" } });
    expect(written).toMatchObject({ status: 200, headers: { connection: "close" } });
  });

  test("ends by itself when the time is over that it was set to go on for", async () => {
    const engine = await start({ SHUTDOWN_DELAY: "1s" });
    engine.signal("SIGTERM");
    expect(await engine.exited).toBe("exit code 0");
  });

  test("a second signal ends it at once, with 1", async () => {
    const engine = await start({ SHUTDOWN_DELAY: "5m" });
    engine.signal("SIGTERM");
    await expect.poll(() => engine.get("/readyz")).toMatchObject({ status: 503 });
    engine.signal("SIGTERM");
    expect(await engine.exited).toBe("exit code 1");
  });

  test.runIf(LONG)(
    `a client that never ends its request holds it up for so long and no longer${LONG ? "" : " (skipped: npm run test:long has it)"}`,
    async () => {
      const engine = await start();
      const project = new Project(engine, "shop");
      await project.create("development");
      const half = halfSent(engine, project.path("development", "config"), "{}");
      await half.taken;
      const cut = expect(half.status).rejects.toThrow();
      engine.signal("SIGTERM");
      await cut;
      expect(await engine.exited).toBe("exit code 0");
    },
    LIMITS.shutdownMs * 3,
  );
});

test("writes down when tokens were last used before it ends", async () => {
  const engine = new Engine({ token: "the-root-token-of-this-test" });
  engines.push(engine);
  await engine.start();
  const { body } = await engine.request<{ id: string; token: string }>("POST", "/tokens", { name: "ci", role: "reader", projects: ["*"] });
  expect((await engine.get("/env", { authorization: `Bearer ${body.token}` })).status).toBe(200);
  await engine.restart();
  const { body: seen } = await engine.get<{ last_used_at: string | null }>(`/tokens/${body.id}`);
  expect(seen.last_used_at).not.toBeNull();
});

describe("SHUTDOWN_DELAY", () => {
  test("the setting takes what it may be at most, and nothing longer", () => {
    expect(loadSettings({ SHUTDOWN_DELAY: "5m" }, "/nowhere").shutdownDelayMs).toBe(LIMITS.shutdownDelayMaxMs);
    for (const wrong of ["6m", "5", "soon"]) expect(() => loadSettings({ SHUTDOWN_DELAY: wrong }, "/nowhere")).toThrow(/SHUTDOWN_DELAY/);
  });
});
