import type { Attributes, SpanKind } from "@opentelemetry/api";

/**
 * Spans for OpenTelemetry, through its API alone: which SDK takes them, and where they go, is the operator's. Where there is no SDK,
 * nothing is loaded and nothing is done but a look at a variable. Attributes hold names of operations, projects and environments, never a
 * value, a header or a token.
 */

type Api = typeof import("@opentelemetry/api");
type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Under which an SDK makes itself known to every copy of the API. */
const KNOWN_AS = Symbol.for("opentelemetry.js.api.1");
const TRACER = "environment-manager";

let api: Api | null = null;

/** Looks whether an SDK was set up: with `node --import`, before the engine. */
export async function openTracing(): Promise<void> {
  if (KNOWN_AS in globalThis) api = await import("@opentelemetry/api");
}

/** Whether spans are taken by anybody. */
export function isTracing(): boolean {
  return api !== null;
}

interface SpanFacts {
  readonly name: string;
  readonly kind: "server" | "client" | "internal";
  readonly attributes?: Attributes;
  /** Where the request of somebody else is carried out: its headers say what it is part of. */
  readonly from?: Headers;
}

/** Told what came of it, before it ends. */
type Tell = (attributes: Attributes) => void;

/** Does some work as a span, part of the one that it is begun in. Of an error, its code alone is told. */
export function traced<Result>(facts: SpanFacts, work: (tell: Tell) => Promise<Result>): Promise<Result> {
  return api === null ? work(() => {}) : spanned(api, facts, work);
}

function spanned<Result>(
  api: Api,
  { name, kind, attributes = {}, from }: SpanFacts,
  work: (tell: Tell) => Promise<Result>,
): Promise<Result> {
  const { context, propagation, SpanStatusCode, trace } = api;
  const outer = from === undefined ? context.active() : propagation.extract(context.active(), from);
  const options = { kind: kindOf(api, kind), attributes };
  return trace.getTracer(TRACER).startActiveSpan(name, options, outer, async (span) => {
    try {
      return await work((more) => span.setAttributes(more));
    } catch (error) {
      const { code, status } = wordsOf(error);
      span.setAttributes({ "error.type": code, ...(kind === "server" && { "http.response.status_code": status }) });
      // What the other side got wrong is no fault of this one.
      if (kind !== "server" || status >= 500) span.setStatus({ code: SpanStatusCode.ERROR, message: code });
      throw error;
    } finally {
      span.end();
    }
  });
}

/** The headers by which a request to elsewhere says what it is part of. */
export function traceHeaders(): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  api?.propagation.inject(api.context.active(), headers);
  return headers;
}

function kindOf({ SpanKind }: Api, kind: SpanFacts["kind"]): SpanKind {
  if (kind === "server") return SpanKind.SERVER;
  return kind === "client" ? SpanKind.CLIENT : SpanKind.INTERNAL;
}

/** Of an error of the engine's: its message may hold what somebody wrote. */
function wordsOf(error: unknown): { readonly code: string; readonly status: number } {
  const { code, status } = error instanceof Error ? (error as { code?: unknown; status?: unknown }) : {};
  return typeof code === "string" && typeof status === "number" ? { code, status } : { code: "internal_error", status: 500 };
}
