import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { BOUNDS } from "../../src/sdk/bounds.ts";
import { type Client, createClient } from "../../src/sdk/index.ts";
import { backoffMs } from "../../src/sdk/waiting.ts";
import { selfSigned } from "../engines/certificate.ts";
import { tracesIn } from "../support/signals.ts";
import { deadUrl, failure } from "./support.ts";

let engine: ChildProcess;
let url = "";

beforeAll(async () => {
  engine = spawn(process.execPath, [fileURLToPath(new URL("faulty-engine.mjs", import.meta.url))], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(engine.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
  url = line.toString().trim();
});
afterAll(async () => {
  engine.kill();
  await once(engine, "exit");
});

const client = (scene: string, options = {}): Client => createClient({ url: `${url}/${scene}`, ...options });
const seen = async (scene: string) => (await (await fetch(`${url}/seen/${scene}`)).json()) as { method: string; key: string | null }[];
const AT = { project: "p", env: "e" };

describe("a request that may be sent again is:", () => {
  test("a read, while the engine says that it is away", async () => {
    await client("away-twice").getConfig(AT);
    expect(await seen("away-twice")).toHaveLength(3);
  });

  test("as often as it may be, though this machine's clock is set meanwhile", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    const sent: string[] = [];
    const fetch = async (input: string | URL | Request, init?: RequestInit) => {
      vi.setSystemTime(Date.now() + 24 * 3_600_000);
      sent.push(String(input));
      return globalThis.fetch(input, init);
    };
    await client("away-while-set", { fetch, totalMs: 60_000 }).getConfig(AT);
    expect(sent).toHaveLength(3);
  });

  test("a write whose answer was lost, with the key that it had", async () => {
    await client("lost-answer").patchConfig({ ...AT, vars: { A: "1" } });
    const [first, second, ...more] = await seen("lost-answer");
    expect(first?.key).toMatch(/^\d+(-\d+){3}$/);
    expect(second).toEqual(first);
    expect(more).toEqual([]);
  });

  test("no oftener than was asked for", async () => {
    const error = await failure(client("lost-answers", { retries: 1 }).getConfig(AT));
    expect(error).toMatchObject({ code: "connection_failed", status: 0 });
    expect(await seen("lost-answers")).toHaveLength(2);
  });

  test("after a pause that doubles up to a bound, and that is another for each", () => {
    expect(backoffMs(0, () => 1)).toBe(BOUNDS.retryMs);
    expect(backoffMs(3, () => 1)).toBe(8 * BOUNDS.retryMs);
    expect(backoffMs(1_000, () => 1)).toBe(BOUNDS.retryMaxMs);
    expect(backoffMs(1_000, () => 0)).toBe(0);
  });
});

describe("a request is not sent again", () => {
  test("where it takes no key, and may have been done", async () => {
    const before = (await seen("lost-answers")).length;
    const error = await failure(client("lost-answers").createToken({ name: "n", role: "reader", projects: ["p"] }));
    expect(error.code).toBe("connection_failed");
    expect((await seen("lost-answers")).slice(before)).toEqual([{ method: "POST", key: null }]);
  });

  test("where the engine asks to wait for longer than anybody would", async () => {
    const error = await failure(client("away-for-long").getConfig(AT));
    expect(error).toMatchObject({ code: "too_many_requests", status: 429, retryAfterMs: 3_600_000 });
    expect(await seen("away-for-long")).toHaveLength(1);
  });

  test("where something went wrong inside", async () => {
    expect(await failure(client("internal").getConfig(AT))).toMatchObject({ code: "internal_error", fix: "Wait." });
    expect(await seen("internal")).toHaveLength(1);
  });

  test("when the caller leaves", async () => {
    const leave = new AbortController();
    const call = failure(client("silent").getConfig(AT, { signal: leave.signal }));
    leave.abort();
    expect((await call).code).toBe("aborted");
  });
});

test.each(["nginx", "apache", "brotli"])(
  "a tag is the engine's own again, whatever %s made of it when it compressed the reply",
  async (scene) => {
    expect(await client(scene).answer("getConfig", AT)).toMatchObject({ etag: "abc" });
  },
);

describe("what is no answer of the engine's is told as that:", () => {
  test.each([
    ["proxy", "invalid_answer", 502],
    ["page", "invalid_answer", 200],
    ["moved", "invalid_answer", 301],
  ])("%s", async (scene, code, status) => {
    expect(await failure(client(scene, { retries: 0 }).getConfig(AT))).toMatchObject({ code, status });
  });

  test("nothing at all, in time", async () => {
    expect(await failure(client("silent", { timeoutMs: 50, retries: 0 }).getConfig(AT))).toMatchObject({ code: "timeout", status: 0 });
  });

  test("a body that a proxy finds too large, which the engine may not", async () => {
    const error = await failure(client("small-proxy", { retries: 0 }).patchConfig({ ...AT, vars: { A: "1" } }));
    expect(error).toMatchObject({ code: "invalid_answer", status: 413, fix: expect.stringContaining("64 MiB") });
  });

  test("a certificate that is not trusted: it is said how it would be, and not that nobody is there", async () => {
    const server = createTlsServer(selfSigned("localhost"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const error = await failure(createClient({ url: `https://localhost:${port}`, retries: 0 }).getConfig(AT));
    server.close();
    expect(error).toMatchObject({
      code: "connection_failed",
      reason: expect.stringMatching(/^The certificate at \S+ is not trusted \([A-Z_]+\)\.$/),
      fix: expect.stringContaining("NODE_EXTRA_CA_CERTS"),
    });
  });

  test("nobody there", async () => {
    const error = await failure(createClient({ url: await deadUrl(), retries: 0 }).getConfig(AT));
    expect(error.reason).toMatch(/cannot be reached \(ECONNREFUSED\)/);
  });

  test("an answer that breaks off in the middle, and a connection that ends without one: neither is an engine that is not there", async () => {
    const half = await failure(client("half", { retries: 0 }).getConfig(AT));
    expect(half).toMatchObject({
      code: "connection_failed",
      status: 0,
      reason: expect.stringMatching(/^The answer of the engine at \S+ broke off in the middle/),
    });
    const none = await failure(client("lost-answers", { retries: 0 }).getConfig(AT));
    expect(none).toMatchObject({
      code: "connection_failed",
      reason: expect.stringMatching(/^The connection to the engine at \S+ ended without an answer/),
    });
    for (const { fix } of [half, none]) expect(fix).not.toMatch(/address/);
    // A read is sent again all the same.
    const before = (await seen("half")).length;
    await failure(client("half", { retries: 1 }).getConfig(AT));
    expect((await seen("half")).length - before).toBe(2);
  });

  test("nothing at all, in the time that a call may take with its repetitions", async () => {
    const asked = async () => (await seen("silent")).length;
    const before = await asked();
    const error = await failure(client("silent", { timeoutMs: 60_000, totalMs: 100, retries: 5 }).getConfig(AT));
    expect(error).toMatchObject({ code: "timeout" });
    expect((await asked()) - before).toBe(1);
  });

  test.each(["cut", "broken"])("lines that are %s: those before are given, and it is not taken for the end", async (scene) => {
    const taken: unknown[] = [];
    const read = async () => {
      for await (const record of client(scene).exportAudit({ project: "p" })) taken.push(record.seq);
    };
    const error = await failure(read());
    expect(["connection_failed", "invalid_answer"]).toContain(error.code);
    if (scene === "cut") expect(error.reason).toMatch(/broke off in the middle/);
    expect(taken).toEqual([1, 2].slice(0, taken.length));
    expect(taken.length).toBeGreaterThan(0);
  });

  test("a function that finds no token", async () => {
    const token = () => Promise.reject(new Error("the key chain is locked"));
    expect((await failure(client("internal", { token }).getConfig(AT))).code).toBe("token_unavailable");
  });
});

test("a signal that lives long keeps no trace of the calls that it was given to", async () => {
  const long = new AbortController();
  const always = client("away-twice");
  for (let n = 0; n < 3; n++) await always.getConfig(AT, { signal: long.signal });
  expect(tracesIn(long.signal)).toBe(0);
});
