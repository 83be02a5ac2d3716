import { AsyncLocalStorage } from "node:async_hooks";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Context, type ContextManager, context, propagation, ROOT_CONTEXT, type TextMapPropagator, trace } from "@opentelemetry/api";
import { BasicTracerProvider, InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Sibling } from "../../src/engines/sibling.ts";
import { isTracing, openTracing, traced } from "../../src/tracing.ts";
import { openWorld, PROJECT } from "../domain/support.ts";
import { serveApp } from "../http/support.ts";

/** What SDKs for Node bring: the span that work is begun in follows it through its awaits. */
class Following implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();
  active = () => this.#storage.getStore() ?? ROOT_CONTEXT;
  with: ContextManager["with"] = (active, work, self, ...args) => this.#storage.run(active, () => work.call(self as never, ...args));
  bind: ContextManager["bind"] = (_active, target) => target;
  enable = () => this;
  disable = () => this;
}

/** The W3C's Trace Context, as far as one trace needs it. */
const traceContext: TextMapPropagator = {
  fields: () => ["traceparent"],
  inject(active, carrier, setter) {
    const span = trace.getSpanContext(active);
    if (span !== undefined) setter.set(carrier, "traceparent", `00-${span.traceId}-${span.spanId}-01`);
  },
  extract(active, carrier, getter) {
    const [, traceId = "", spanId = ""] = String(getter.get(carrier, "traceparent")).split("-");
    return traceId === "" ? active : trace.setSpanContext(active, { traceId, spanId, traceFlags: 1, isRemote: true });
  },
};

const exporter = new InMemorySpanExporter();
const SECRET = "canary-of-the-traces-5d1c90f7";
const PARENT = { trace: "0af7651916cd43dd8448eb211c80319c", span: "b7ad6b7169203331" };
const TRACEPARENT = `00-${PARENT.trace}-${PARENT.span}-01`;

test("without an SDK nothing is loaded, and work is done as it is", async () => {
  await openTracing();
  expect(isTracing()).toBe(false);
  expect(await traced({ name: "x", kind: "internal" }, async () => 7)).toBe(7);
});

describe("with an SDK that was set up before", () => {
  beforeAll(async () => {
    context.setGlobalContextManager(new Following());
    propagation.setGlobalPropagator(traceContext);
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
    await openTracing();
    expect(isTracing()).toBe(true);
  });
  beforeEach(() => exporter.reset());
  afterAll(() => {
    trace.disable();
    context.disable();
    propagation.disable();
  });

  const spanOf = (name: string): ReadableSpan => {
    const found = exporter.getFinishedSpans().find((span) => span.name === name);
    if (found === undefined) throw new Error(`no span ${name} among ${exporter.getFinishedSpans().map((span) => span.name)}`);
    return found;
  };

  test("a request is part of what its traceparent names, and its commit is part of the request", async () => {
    const world = await openWorld();
    await world.project.create("staging");
    const ask = await serveApp(world.domain);
    exporter.reset();
    const body = { vars: { REGION: SECRET }, secrets: { API_KEY: SECRET } };
    const path = `/env/${PROJECT}/staging/config`;
    const reply = await ask({ method: "PATCH", path, body, headers: { traceparent: TRACEPARENT, authorization: `Bearer ${SECRET}` } });
    expect(reply.status).toBe(200);
    const request = spanOf("PATCH /env/:project/:env/config");
    expect(request.spanContext().traceId).toBe(PARENT.trace);
    expect(request.parentSpanContext?.spanId).toBe(PARENT.span);
    expect(request.attributes).toMatchObject({ "envm.operation": "patchConfig", "http.response.status_code": 200 });
    const commit = spanOf("commit");
    expect(commit.spanContext().traceId).toBe(PARENT.trace);
    expect(commit.attributes).toMatchObject({ "envm.project": PROJECT, "envm.writers": 1 });
    const told = JSON.stringify(
      exporter.getFinishedSpans().map(({ name, attributes, events, status }) => ({ name, attributes, events, status })),
    );
    expect(told).not.toContain(SECRET);
  });

  test("reads are spans too, and a refusal is one that is told by its code", async () => {
    const world = await openWorld();
    await world.project.create("staging");
    const ask = await serveApp(world.domain);
    for (let time = 0; time < 2; time++) await ask(`/env/${PROJECT}/staging/config`);
    expect(exporter.getFinishedSpans().filter(({ name }) => name === "GET /env/:project/:env/config")).toHaveLength(2);
    await ask(`/env/${PROJECT}/nothing/active`);
    const { attributes, status } = spanOf("GET /env/:project/:env/active");
    expect(attributes).toMatchObject({ "error.type": "environment_not_found", "http.response.status_code": 404 });
    expect(status.code).toBe(0);
  });

  test("a sibling engine is sent what the request is part of", async () => {
    let sent: string | undefined;
    const server = createServer((request, response) => {
      sent = String(request.headers.traceparent);
      response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const sibling = new Sibling("Validation", `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await traced({ name: "outer", kind: "server", from: { traceparent: TRACEPARENT } }, () =>
      sibling.call(["validation", "check"], { method: "POST", json: {}, idempotent: true }),
    );
    const client = spanOf("Validation POST");
    expect(client.attributes).toMatchObject({ "peer.service": "Validation", "http.response.status_code": 404 });
    expect(sent).toBe(`00-${PARENT.trace}-${client.spanContext().spanId}-01`);
    await sibling.close();
    server.closeAllConnections();
    server.close();
  });
});
