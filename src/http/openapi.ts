import * as z from "zod";
import { EVERY } from "../access.ts";
import { ERRORS, type ErrorCode } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { OfrepError } from "../schemas/ofrep.ts";
import { ErrorReplySchema } from "../schemas/operations.ts";
import { accessText } from "./access-text.ts";
import { sessionCookie } from "./auth.ts";
import { FIXES, RETRY_AFTER } from "./errors.ts";
import { accessOf } from "./rights.ts";
import type { ResponseFacts, Route } from "./route.ts";

/** The reference, as OpenAPI 3.1, from the declarations of the routes and the very schemas that check their requests. */

type JsonSchema = Record<string, unknown>;

export function openApiDocument(routes: readonly Route[], version: string): JsonSchema {
  const paths: Record<string, JsonSchema> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method]: operation(route) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Environment Manager",
      version,
      description:
        "Environments, versions, config, flags and secret references of a platform: which exist, what each runs, how a version moves from one to " +
        "the next, and how to get back.",
      license: { name: "MIT", identifier: "MIT" },
    },
    security: [{ token: [] }, { session: [] }],
    tags: [...new Set(routes.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        token: { type: "http", scheme: "bearer" },
        session: {
          type: "apiKey",
          in: "cookie",
          name: sessionCookie(false),
          description: "Of the dashboard, from POST /session; over TLS its name begins with `__Host-`.",
        },
      },
      schemas: namedSchemas(),
      examples: Object.fromEntries(errorCodes().map((code) => [code, errorExample(code)])),
      headers: HEADERS,
    },
  };
}

/** By the names that replies have them under. */
const HEADERS = {
  "X-Request-Id": {
    description: "The request's own, where it gave one; otherwise made here. The log and the audit name it.",
    required: true,
    schema: { type: "string" },
  },
  ETag: { description: "Names exactly what is shown.", required: true, schema: { type: "string" } },
  Location: { description: "The path of what was made.", schema: { type: "string" } },
  "Set-Cookie": {
    description: "The session's cookie, of HTTP alone; without a session, or where the engine asks nobody for a token, there is none.",
    schema: { type: "string" },
  },
  "Audit-Signature": {
    description: "A JWS over what was exported; its key is one of `GET /.well-known/jwks.json`.",
    required: true,
    schema: { type: "string" },
  },
  "WWW-Authenticate": { description: "That a bearer token is asked for.", required: true, schema: { type: "string" } },
  "Retry-After": {
    description: "Seconds, after which the same request may be answered otherwise.",
    schema: { type: "integer", minimum: 0 },
  },
  Age: {
    description: "Seconds for which the store could not be asked, where what is shown was known before.",
    schema: { type: "integer" },
  },
  "X-Envm-Stale": { description: "Why what is shown may be old: `store_unavailable`.", schema: { type: "string" } },
};

type HeaderName = keyof typeof HEADERS;

function headers(...names: readonly HeaderName[]): JsonSchema {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

function operation(route: Route): JsonSchema {
  const { operationId, summary, description, tag, body } = route;
  return {
    operationId,
    summary,
    description: `${description}\n\n${accessText(accessOf(operationId))}`,
    tags: [tag],
    ...(accessOf(route.operationId) === "open" && { security: [] }),
    parameters: [...parameters(route.params, "path"), ...parameters(route.query, "query"), ...conditions(route)],
    ...(body && { requestBody: { required: route.emptyBody !== true, content: { "application/json": media(body) } } }),
    responses: { ...errorResponses(route), ...conditionalResponses(route), ...successResponses(route) },
  };
}

function parameters(schema: z.ZodObject, where: "path" | "query"): JsonSchema[] {
  const { properties = {}, required = [] } = jsonSchema(schema) as {
    properties?: Record<string, JsonSchema>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description, examples, ...shape }]) => ({
    name,
    in: where,
    required: where === "path" || required.includes(name),
    description,
    schema: shape,
    ...(Array.isArray(examples) && { example: examples[0] }),
  }));
}

function conditions({ conditional, idempotent, events }: Route): JsonSchema[] {
  return [...(idempotent ? [idempotencyKey] : []), ...(events ? [lastEventId] : []), ...preconditions(conditional)];
}

const lastEventId: JsonSchema = {
  name: "Last-Event-ID",
  in: "header",
  required: false,
  description: "The revision that the reader was last told of. Browsers send it by themselves when they connect again.",
  schema: { type: "string" },
  example: "12",
};

const idempotencyKey: JsonSchema = {
  name: "Idempotency-Key",
  in: "header",
  required: false,
  description:
    "The same key with the same request has the first one's answer for 24 hours, and takes effect once; with another request it is 422.",
  schema: { type: "string", maxLength: LIMITS.onceKeyLength },
  example: "7d0b3a52-6f0f-4f3c-9d55-2f9a0c1b8e11",
};

function preconditions(conditional: Route["conditional"]): JsonSchema[] {
  if (conditional === undefined) return [];
  const [name, description] =
    conditional === "read"
      ? ["If-None-Match", "ETags that the reader has: 304 where one of them still names what would be shown."]
      : ["If-Match", "ETags that the environment may have: 412 where it has changed since."];
  return [{ name, in: "header", required: false, description, schema: { type: "string" } }];
}

function successResponses({ responses, conditional, mayBeStale }: Route): JsonSchema {
  const common: readonly HeaderName[] = ["X-Request-Id", ...(conditional ? (["ETag"] as const) : [])];
  const stale: readonly HeaderName[] = mayBeStale ? ["Age", "X-Envm-Stale"] : [];
  const entries = Object.entries(responses).map(([status, facts]) => {
    const { description, schema, contentType = "application/json", headers: own = [] }: ResponseFacts = facts;
    const sent = headers(...common, ...own, ...stale);
    return [status, { description, headers: sent, ...(schema && { content: { [contentType]: media(schema, Number(status)) } }) }];
  });
  return Object.fromEntries(entries);
}

function conditionalResponses({ conditional }: Route): JsonSchema {
  if (conditional !== "read") return {};
  return { 304: { description: "What the reader has is still what would be shown.", headers: headers("X-Request-Id", "ETag") } };
}

/** By status, as OpenAPI wants it; the codes are in the description and each has its example. */
function errorResponses(route: Route): JsonSchema {
  const codes = documentedErrors(route);
  const isOfrep = route.errorShape === "ofrep";
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes) byStatus.set(ERRORS[code].status, [...(byStatus.get(ERRORS[code].status) ?? []), code]);
  const entries = [...byStatus].map(([status, same]) => {
    const examples = Object.fromEntries(same.map((code) => [code, { $ref: `#/components/examples/${code}` }]));
    const content = isOfrep ? media(OfrepError) : { schema: reference(ErrorReplySchema), examples };
    const description = same.map((code) => `\`${code}\`: ${ERRORS[code].reason}`).join("\n\n");
    const more: readonly HeaderName[] = [
      ...(same.includes("unauthorized") ? (["WWW-Authenticate"] as const) : []),
      ...(same.some((code) => code in RETRY_AFTER) ? (["Retry-After"] as const) : []),
    ];
    return [status, { description, headers: headers("X-Request-Id", ...more), content: { "application/json": content } }];
  });
  return Object.fromEntries(entries);
}

/** The route's own errors, and those that come from what every route goes through. */
export function documentedErrors(route: Route): readonly ErrorCode[] {
  const codes = new Set<ErrorCode>([...route.errors, "invalid_request", "host_not_allowed", "too_many_requests", "internal_error"]);
  const add = (...more: readonly ErrorCode[]) => {
    for (const code of more) codes.add(code);
  };
  const access = accessOf(route.operationId);
  if (access !== "open")
    add("unauthorized", "forbidden", "invalid_request", "too_many_requests", "identity_unavailable", "store_unavailable");
  if (typeof access !== "string" && access.needs.some(({ project }) => typeof project === "string" && project !== EVERY))
    add("invalid_name", "project_not_found");
  if (typeof access !== "string" && access.needs.some(({ env }) => typeof env === "string" && env !== EVERY)) {
    add("environment_not_found", "environment_expired");
    if (route.method !== "get" && route.errorShape !== "ofrep") add("environment_archived");
  }
  if (route.body) add("invalid_json", "too_large", "unsupported_media_type");
  if (route.method !== "get") add("origin_not_allowed", "overloaded");
  if (route.method !== "get" && route.errorShape !== "ofrep") add("write_conflict", "storage_full");
  if (route.idempotent) add("idempotency_mismatch");
  return errorCodes().filter((code) => codes.has(code));
}

function errorCodes(): ErrorCode[] {
  return Object.keys(ERRORS) as ErrorCode[];
}

function errorExample(code: ErrorCode): JsonSchema {
  const value = { status: "error", code, reason: ERRORS[code].reason, fix_suggestion: FIXES[code], details: {} };
  return { summary: ERRORS[code].reason, value: { ...value, request_id: "0d9f2c1e-7ab3-4d04-9f5c-8e6d7a1b0c9f" } };
}

/** A schema with its example: of several, the one that a later status shows is the last. */
function media(schema: z.ZodType, status = 200): JsonSchema {
  const examples = examplesOf(schema);
  return { schema: reference(schema), example: status >= 400 ? examples.at(-1) : examples[0] };
}

/** The examples in a schema's metadata. */
export function examplesOf(schema: z.ZodType): readonly unknown[] {
  const examples = schema.meta()?.examples;
  return Array.isArray(examples) ? examples : [];
}

function reference(schema: z.ZodType): JsonSchema {
  const id = schema.meta()?.id;
  if (id === undefined) throw new Error("a request's or reply's schema has no id");
  return { $ref: schemaUri(id) };
}

function schemaUri(id: string): string {
  return `#/components/schemas/${id}`;
}

/** Every schema that has a name, each referring to the others by theirs. */
function namedSchemas(): Record<string, JsonSchema> {
  const { schemas } = z.toJSONSchema(z.globalRegistry, { io: "input", uri: schemaUri, unrepresentable: "any", override: tidy });
  return Object.fromEntries(
    Object.entries(schemas)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([id, { $schema, $id, ...schema }]) => [id, schema]),
  );
}

function jsonSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: "input", unrepresentable: "any", override: tidy });
}

/** zod leaves examples out where text is converted, and writes out that integers are safe ones. */
function tidy({ zodSchema, jsonSchema }: { readonly zodSchema: z.core.$ZodType; readonly jsonSchema: JsonSchema }): void {
  const examples = z.globalRegistry.get(zodSchema)?.examples;
  if (examples !== undefined && jsonSchema.$ref === undefined) jsonSchema.examples = examples;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
}
