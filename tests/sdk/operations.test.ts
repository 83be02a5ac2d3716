import { describe, expect, expectTypeOf, test } from "vitest";
import type { Route } from "../../src/http/route.ts";
import { apiRoutes } from "../../src/http/routes/index.ts";
import { operationRoutes } from "../../src/http/routes/operations.ts";
import { sessionRoutes } from "../../src/http/routes/sessions.ts";
import { ROUTE_SCHEMAS, type RouteSchemas } from "../../src/schemas/routes.ts";
import { createClient, type OperationId, type ReplyOf, type RequestOf } from "../../src/sdk/index.ts";
import { OPERATIONS, type Operation } from "../../src/sdk/operations.ts";

const operations = operationRoutes({
  version: "0.0.0",
  readiness: async () => ({}),
  document: () => ({ text: "{}", tag: "none" }),
  metrics: { text: () => "" },
});
const routes: readonly Route[] = [...apiRoutes, ...sessionRoutes(null), ...operations];
const named = routes.map((route) => [route.operationId, route] as const);
const schemas: Readonly<Record<string, RouteSchemas>> = ROUTE_SCHEMAS;

const known = (id: string): Operation => {
  const operation = Object.entries<Operation>(OPERATIONS).find(([name]) => name === id)?.[1];
  if (operation === undefined) throw new Error(`src/sdk/operations.ts does not know ${id}.`);
  return operation;
};

test("the client has a method for each route, and no other", () => {
  const client = createClient({ url: "http://127.0.0.1:1" });
  const ids = routes.map(({ operationId }) => operationId).sort();
  expect(Object.keys(OPERATIONS).sort()).toEqual(ids);
  expect(Object.keys(ROUTE_SCHEMAS).sort()).toEqual(ids);
  for (const id of ids) expect(client[id as OperationId]).toBeTypeOf("function");
});

describe.each(named)("%s", (id, route) => {
  test("is asked as the route is declared", () => {
    const { method, path, once = false, guarded = false } = known(id);
    expect({ method, path, once, guarded }).toEqual({
      method: route.method.toUpperCase(),
      path: route.path,
      once: route.idempotent ?? false,
      guarded: route.conditional === "write",
    });
  });

  test("has the types of the route's own schemas", () => {
    const { params, query, body, reply } = schemas[id] ?? {};
    if (params !== undefined || Object.keys(route.params.shape).length > 0) expect(params).toBe(route.params);
    if (query !== undefined || Object.keys(route.query.shape).length > 0) expect(query).toBe(route.query);
    expect(body ?? null).toBe(route.body);
    for (const { schema } of Object.values(route.responses)) if (schema !== undefined) expect(reply).toBe(schema);
  });

  test("puts each member where the route looks for it", () => {
    const { method, body, query = [], reply, answers = [] } = known(id);
    const hasBody = method !== "GET" && method !== "DELETE";
    expect(hasBody || route.body === null).toBe(true);
    if (hasBody) expect([...query].sort()).toEqual(Object.keys(route.query.shape).sort());
    const members = [...Object.keys(route.params.shape), ...Object.keys(route.query.shape), ...bodyMembers(route, body)];
    expect(new Set(members).size, "two members of one name").toBe(members.length);
    const kinds = Object.values(route.responses)
      .filter(({ schema }) => schema !== undefined)
      .map(({ contentType = "application/json" }) => contentType);
    expect(
      kinds.every(
        (kind) =>
          kind ===
          { lines: "application/x-ndjson", events: "text/event-stream", text: "text/plain", json: "application/json" }[reply ?? "json"],
      ),
    ).toBe(true);
    const unusual = Object.keys(route.responses)
      .map(Number)
      .filter((status) => status >= 300);
    expect([...answers]).toEqual(unusual);
  });
});

function bodyMembers(route: Route, whole: string | undefined): string[] {
  if (route.body === null) return [];
  if (whole !== undefined) return [whole];
  return "shape" in route.body ? Object.keys(route.body.shape as object) : [];
}

test("types follow the schemas: what no route takes or answers does not compile", () => {
  expectTypeOf<RequestOf<"getConfig">>().toEqualTypeOf<{
    readonly project: string;
    readonly env: string;
    readonly at?: number | undefined;
  }>();
  expectTypeOf<ReplyOf<"getConfig">["vars"]>().toEqualTypeOf<Record<string, string>>();
  expectTypeOf<ReplyOf<"promote">["status"]>().toEqualTypeOf<"ready_for_deploy" | "pending_approval" | "planned" | "no_changes">();
  expectTypeOf<OperationId>().toExtend<string>();
  const client = createClient({ url: "http://127.0.0.1:1" });
  const calls = [
    () =>
      client.patchConfig({
        project: "p",
        env: "e",
        vars: { A: "1" },
        unset: ["vars/B"] as const,
        message: undefined,
        ifMatch: "t",
        idempotencyKey: "k",
      }),
    () => client.createEnvironment({ project_id: "p", new_environment: "e", env_variables: { A: "1", B: { value: "2", secret: true } } }),
    () => client.replacePolicy({ project: "p", policy: { pipeline: ["a", "b"] } }),
    () => client.patchState({ project: "p", env: "e", set: { "flows/a": { steps: [1, { deep: null }] } } }),
    () => client.listProjects(),
    () => client.getReadiness(),
    // @ts-expect-error: a member that there is not
    () => client.getConfig({ project: "p", env: "e", revision: 1 }),
    // @ts-expect-error: a member that is missing
    () => client.getConfig({ project: "p" }),
    // @ts-expect-error: another type
    () => client.getConfig({ project: "p", env: "e", at: "12" }),
    // @ts-expect-error: a route that takes no If-Match
    () => client.promote({ project_id: "p", source_env: "a", target_env: "b", ifMatch: "t" }),
    // @ts-expect-error: a route that takes no Idempotency-Key
    () => client.createToken({ name: "n", role: "reader", projects: ["p"], idempotencyKey: "k" }),
  ];
  expect(calls).toHaveLength(11);
});
