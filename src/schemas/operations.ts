import * as z from "zod";

/** Health, readiness, and what every error looks like. */

export const ErrorReplySchema = z
  .object({
    status: z.literal("error"),
    code: z.string().meta({ description: "Stable; what a program decides by." }),
    reason: z.string().meta({ description: "What happened, for a person." }),
    fix_suggestion: z.string().meta({ description: "What to do next." }),
    details: z.record(z.string(), z.unknown()),
    request_id: z.string(),
  })
  .meta({
    id: "Error",
    description: "Every error of every route.",
    examples: [
      {
        status: "error",
        code: "environment_not_found",
        reason: 'The project "pf-777" has no environment "stagin".',
        fix_suggestion: "List the environments with GET /env/pf-777.",
        details: {},
        request_id: "0d9f2c1e-7ab3-4d04-9f5c-8e6d7a1b0c9f",
      },
    ],
  });
export type ErrorReply = z.output<typeof ErrorReplySchema>;
export type { ErrorCode } from "../errors.ts";

export const HealthReply = z
  .object({ status: z.literal("ok"), version: z.string(), uptime_seconds: z.int().min(0) })
  .meta({ id: "Health", description: "The process answers.", examples: [{ status: "ok", version: "1.0.0", uptime_seconds: 42 }] });

const Check = z
  .object({
    status: z.enum(["ok", "degraded", "down"]),
    reason: z.string().exactOptional(),
    since: z.string().exactOptional(),
    last_error: z.string().exactOptional(),
  })
  .meta({ id: "ReadinessCheck", description: "One thing that the engine depends on.", examples: [{ status: "ok" }] });

export const ReadinessReply = z.object({ status: z.enum(["ready", "draining", "unavailable"]), checks: z.record(z.string(), Check) }).meta({
  id: "Readiness",
  description: "Whether requests can be served now, and what stands in the way.",
  examples: [
    { status: "ready", checks: { store: { status: "ok" }, vault: { status: "ok" } } },
    { status: "unavailable", checks: { store: { status: "down", reason: "The database cannot be opened." }, vault: { status: "ok" } } },
  ],
});

export const OpenApiDocument = z
  .looseObject({
    openapi: z.string(),
    info: z.looseObject({ title: z.string(), version: z.string() }),
    paths: z.record(z.string(), z.unknown()),
  })
  .meta({
    id: "OpenApiDocument",
    description: "This very document.",
    examples: [{ openapi: "3.1.0", info: { title: "Environment Manager", version: "1.0.0" }, paths: {} }],
  });

export const MetricsText = z.string().meta({
  id: "Metrics",
  description: "Prometheus's text format.",
  examples: ["process_uptime_seconds 42"],
});
