import { once } from "node:events";
import type { RequestListener } from "node:http";
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { createServer } from "../../src/http/server.ts";

const GRACE_MS = 60_000;
const hello: RequestListener = (_request, response) => {
  response.end("hello");
};

/** A promise, and what settles it. */
function pending<Value>() {
  let resolve: (value: Value) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<Value>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

describe("a server", () => {
  test("says where it listens", async () => {
    const server = createServer(Promise.resolve(hello));
    const url = await server.listen(0, "127.0.0.1");
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(await (await fetch(url)).text()).toBe("hello");
    await server.close(GRACE_MS);
  });

  test("holds requests that come before there is an app, and answers them then", async () => {
    const app = pending<RequestListener>();
    const server = createServer(app.promise);
    const url = await server.listen(0, "127.0.0.1");
    const early = fetch(url).then((reply) => reply.text());
    app.resolve(hello);
    expect(await early).toBe("hello");
    expect(await (await fetch(url)).text()).toBe("hello");
    await server.close(GRACE_MS);
  });

  test("answers 503 where the app cannot be loaded", async () => {
    const app = pending<RequestListener>();
    const server = createServer(app.promise);
    const url = await server.listen(0, "127.0.0.1");
    app.reject(new Error("no"));
    const reply = await fetch(url);
    expect(reply.status).toBe(503);
    expect(await reply.json()).toMatchObject({ status: "error", fix_suggestion: expect.stringMatching(/\S/) });
    await server.close(GRACE_MS);
  });

  test("rejects where the port is taken", async () => {
    const first = createServer(Promise.resolve(hello));
    const url = await first.listen(0, "127.0.0.1");
    const second = createServer(Promise.resolve(hello));
    await expect(second.listen(Number(new URL(url).port), "127.0.0.1")).rejects.toMatchObject({ code: "EADDRINUSE" });
    await first.close(GRACE_MS);
    await second.close(GRACE_MS);
  });

  test("finishes what is under way before it closes, and takes nothing more", async () => {
    const [arrived, go] = [pending<void>(), pending<void>()];
    const server = createServer(
      Promise.resolve(async (_request, response) => {
        arrived.resolve();
        await go.promise;
        response.end("done");
      }),
    );
    const url = await server.listen(0, "127.0.0.1");
    const reply = fetch(url);
    await arrived.promise;
    const closed = server.close(GRACE_MS);
    await expect(fetch(url)).rejects.toThrow();
    go.resolve();
    expect(await (await reply).text()).toBe("done");
    await closed;
  });

  test("cuts off what does not finish in time", async () => {
    const server = createServer(Promise.resolve(() => {}));
    const url = await server.listen(0, "127.0.0.1");
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    const gone = pending<void>();
    socket.on("error", () => {}).once("close", () => gone.resolve());
    socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await once(socket, "connect");
    await server.close(1);
    await gone.promise;
  });

  test("refuses headers that are larger than 16 KiB", async () => {
    const server = createServer(Promise.resolve(hello));
    const url = await server.listen(0, "127.0.0.1");
    expect((await fetch(url, { headers: { "x-large": "x".repeat(17_000) } })).status).toBe(431);
    await server.close(GRACE_MS);
  });
});
