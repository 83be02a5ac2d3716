import { describe, expect, test } from "vitest";
import { ERRORS, type ErrorCode } from "../../src/errors.ts";
import { documentedErrors, examplesOf, openApiDocument } from "../../src/http/openapi.ts";
import type { Route } from "../../src/http/route.ts";
import { apiRoutes } from "../../src/http/routes/index.ts";
import { operationRoutes } from "../../src/http/routes/operations.ts";
import { RESERVED_NAMES } from "../../src/names.ts";

const operations = operationRoutes({
  version: "0.0.0",
  readiness: async () => ({}),
  document: () => ({ text: "{}", tag: "none" }),
  metrics: { text: () => "" },
});
const routes: readonly Route[] = [...apiRoutes, ...operations];
const named = routes.map((route) => [`${route.method.toUpperCase()} ${route.path}`, route] as const);
const document = openApiDocument(routes, "1.2.3");

describe.each(named)("%s", (_name, route) => {
  test("says what it is, in words", () => {
    expect(route.operationId).toMatch(/^[a-z][A-Za-z]+$/);
    expect(route.summary).toMatch(/^[A-Z].+[^.]$/);
    expect(route.description).toMatch(/^[A-Z].+\.$/s);
  });

  test("has examples that its own schemas accept", () => {
    const schemas = [...Object.values(route.responses).flatMap(({ schema }) => schema ?? []), ...(route.body ? [route.body] : [])];
    for (const schema of schemas) {
      const examples = examplesOf(schema);
      expect(examples.length).toBeGreaterThan(0);
      for (const example of examples) expect(schema.safeParse(example).error).toBeUndefined();
    }
  });

  test("has errors, all of which exist", () => {
    expect(route.errors.length).toBeGreaterThan(0);
    for (const code of documentedErrors(route)) expect(Object.keys(ERRORS)).toContain(code);
  });

  test("takes no name that it could mistake for a route", () => {
    const literals = route.path.split("/").filter((segment) => /^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(segment));
    for (const literal of literals) expect([...RESERVED_NAMES]).toContain(literal);
  });

  test("declares each parameter of its path", () => {
    const names = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => name);
    expect(Object.keys(route.params.shape)).toEqual(names);
  });
});

test.each<readonly [string, ErrorCode]>([
  ["promote", "validation_unavailable"],
  ["promote", "invalid_flag"],
  ["getPromotionReadiness", "unrelated_histories"],
  ["getPromotionReadiness", "invalid_flag"],
  ["getPromotionReadiness", "too_large"],
  ["getRuntime", "write_conflict"],
  ["getRuntime", "overloaded"],
  ["getRuntime", "storage_full"],
  ["exportAudit", "overloaded"],
  ["exportAudit", "storage_full"],
])("%s names %s, with which it may be refused", (id, code) => {
  expect(routes.filter(({ operationId }) => operationId === id).flatMap(documentedErrors)).toContain(code);
});

describe("the document", () => {
  test("names every operation once", () => {
    const ids = routes.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    const places = routes.map(({ method, path }) => `${method} ${path}`);
    expect(new Set(places).size).toBe(places.length);
  });

  test("holds every route, with a description for each parameter and response", () => {
    const paths = document.paths as Record<string, Record<string, Operation>>;
    for (const route of routes) {
      const operation = paths[route.path.replace(/:(\w+)/g, "{$1}")]?.[route.method];
      expect(operation?.operationId).toBe(route.operationId);
      for (const { name, description } of operation?.parameters ?? []) expect(description, name).toMatch(/\S/);
      for (const { description } of Object.values(operation?.responses ?? {})) expect(description).toMatch(/\S/);
      expect(Object.keys(operation?.responses ?? {}).some((status) => Number(status) >= 400)).toBe(true);
      expect(operation?.requestBody === undefined).toBe(route.body === null);
    }
  });

  test("refers to nothing that it does not have", () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/(\w+)\/(\w+)"/g)];
    const components = document.components as Record<string, Record<string, unknown>>;
    expect(references.length).toBeGreaterThan(100);
    for (const [, kind = "", name = ""] of references) expect(components[kind]?.[name], `${kind}/${name}`).toBeDefined();
    expect(JSON.stringify(document)).not.toContain("$defs");
  });

  test("refuses unknown fields in every request", () => {
    const { schemas = {} } = document.components as Record<string, Record<string, { readonly additionalProperties?: unknown }>>;
    const strict = routes.flatMap(({ body }) => (body === null ? [] : [String(body.meta()?.id)])).filter((id) => id !== "Policy");
    // Providers of later versions of OFREP may send more than this one knows, and what a forge says of a push is its own.
    for (const id of strict.filter((name) => name !== "OfrepRequest" && name !== "Push"))
      expect(schemas[id]?.additionalProperties, id).toBe(false);
  });

  test("shows an example for every error code", () => {
    const { examples = {} } = document.components as Record<string, Record<string, { readonly value: { readonly code: string } }>>;
    for (const code of Object.keys(ERRORS) as ErrorCode[]) expect(examples[code]?.value.code).toBe(code);
  });

  test("asks for a token everywhere but on open routes", () => {
    const paths = document.paths as Record<string, Record<string, Operation>>;
    const open = Object.entries(paths).filter(([, methods]) => Object.values(methods).some(({ security }) => security?.length === 0));
    expect(open.map(([path]) => path).sort()).toEqual([
      "/.well-known/jwks.json",
      "/env/{project}/{env}/git/hook",
      "/healthz",
      "/metrics",
      "/openapi.json",
      "/readyz",
    ]);
    expect(document.security).toEqual([{ token: [] }, { session: [] }]);
  });
});

interface Operation {
  readonly operationId: string;
  readonly parameters: readonly { readonly name: string; readonly description?: string }[];
  readonly requestBody?: unknown;
  readonly security?: readonly unknown[];
  readonly responses: Record<string, { readonly description: string }>;
}
