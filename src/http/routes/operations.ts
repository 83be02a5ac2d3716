import { HealthReply, MetricsText, OpenApiDocument, ReadinessReply } from "../../schemas/operations.ts";
import { type Route, route } from "../route.ts";

export interface DependencyStatus {
  /** `degraded`: what needs it fails, and everything else goes on. */
  readonly status: "ok" | "degraded" | "down";
  /** What is wrong, in words that may be shown to anybody. */
  readonly reason?: string;
  /** Since when it is so, ISO 8601. */
  readonly since?: string;
  readonly last_error?: string;
}

/** What the engine depends on, by name. */
export type Readiness = Readonly<Record<string, DependencyStatus>>;

interface OperationServices {
  readonly version: string;
  readonly readiness: () => Promise<Readiness>;
  /** Whether the engine is about to stop. */
  readonly draining?: () => boolean;
  /** The reference, written, and what names exactly that. */
  readonly document: () => { readonly text: string | Buffer; readonly tag: string };
  readonly metrics: { text(): Promise<string> | string };
}

/** What nothing works without. */
const NEEDED = ["store"];

/** For whoever runs the engine: open to all, since they tell nothing of what it holds. */
export function operationRoutes({ version, readiness, draining = () => false, document, metrics }: OperationServices): readonly Route[] {
  const getHealth = route({
    method: "get",
    path: "/healthz",
    operationId: "getHealth",
    tag: "Operations",
    summary: "Whether the process answers",
    description: "Looks at nothing but the process itself.",
    responses: { 200: { description: "It answers.", schema: HealthReply } },
    errors: ["internal_error"],
    handler: () => ({ body: { status: "ok", version, uptime_seconds: Math.floor(process.uptime()) }, volatile: true }),
  });

  const getReadiness = route({
    method: "get",
    path: "/readyz",
    operationId: "getReadiness",
    tag: "Operations",
    summary: "Whether requests can be served",
    description:
      "Looks at what the engine depends on. An engine that is about to stop is not ready from the first moment on. One whose store has no room is ready, with its `store` `degraded`: writes are refused with `storage_full`, and reads go on.",
    responses: {
      200: { description: "Ready.", schema: ReadinessReply },
      503: { description: "Not ready; `checks` says why. `draining`: about to stop.", schema: ReadinessReply },
    },
    errors: ["internal_error"],
    async handler() {
      // At once, whatever else there is to be found out.
      if (draining()) return { status: 503, body: { status: "draining", checks: {} }, volatile: true };
      const checks = await readiness();
      // What is not needed for everything keeps nobody from the rest.
      const isReady = NEEDED.every((name) => checks[name]?.status !== "down");
      return { status: isReady ? 200 : 503, body: { status: isReady ? "ready" : "unavailable", checks }, volatile: true };
    },
  });

  const getOpenApi = route({
    method: "get",
    path: "/openapi.json",
    operationId: "getOpenApi",
    tag: "Operations",
    summary: "This reference as OpenAPI 3.1",
    description: "Made from the schemas that requests are checked with.",
    conditional: "read",
    responses: { 200: { description: "The document.", schema: OpenApiDocument } },
    errors: ["internal_error"],
    handler: () => ({ ...document(), contentType: "application/json; charset=utf-8" }),
  });

  const getMetrics = route({
    method: "get",
    path: "/metrics",
    operationId: "getMetrics",
    tag: "Operations",
    summary: "What the process counts",
    description:
      "Requests by operation and status and how long they took, commits, watchers, what waits to be sent, sibling engines and the process itself, as Prometheus reads it.",
    responses: { 200: { description: "The numbers.", schema: MetricsText, contentType: "text/plain" } },
    errors: ["internal_error"],
    handler: async () => ({ text: await metrics.text(), contentType: "text/plain; version=0.0.4; charset=utf-8" }),
  });

  return [getHealth, getReadiness, getOpenApi, getMetrics];
}
