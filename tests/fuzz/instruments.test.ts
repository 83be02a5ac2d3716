import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseReplies, type Received } from "./connection.ts";
import { Reference } from "./document.ts";
import { jsonText, Pairs, Raw } from "./json-text.ts";
import { Judge } from "./judge.ts";
import { Pool } from "./pool.ts";
import { Checker, type Schema } from "./schema.ts";
import { Values } from "./values.ts";
import { vocabulary } from "./vocabulary.ts";
import { changeFaults, type Look } from "./watch.ts";

/** What the fuzzer looks with: a fault that is there is seen, and what is right is no fault. */

describe("a schema", () => {
  const item: Schema = { type: "object", properties: { id: { type: "string", pattern: "^[a-z]+$" } }, required: ["id"] };
  const checker = new Checker({ Item: item });
  const list: Schema = { type: "array", items: { $ref: "#/components/schemas/Item" }, minItems: 1, maxItems: 2 };

  test.each<readonly [string, Schema, unknown]>([
    ["a member", item, { id: "a" }],
    ["items", list, [{ id: "a" }, { id: "b" }]],
    ["one of two types", { type: ["string", "null"] }, null],
    ["a whole number", { type: "integer", minimum: 1, maximum: 1 }, 1],
    ["an alternative", { anyOf: [{ type: "string" }, { const: true }] }, true],
    ["members of any name", { type: "object", additionalProperties: { type: "integer" } }, { __proto__: null, a: 1 }],
    ["members beyond those that are listed", { type: "object", properties: {}, additionalProperties: {} }, { a: 1 }],
    ["characters, and not code units", { type: "string", maxLength: 1 }, "🚀"],
    ["anything", {}, [null]],
  ])("takes %s", (_what, schema, value) => {
    expect(checker.faults(schema, value)).toEqual([]);
  });

  test.each<readonly [string, Schema, unknown, string]>([
    ["a member that is missing", item, {}, "$.id: is missing"],
    ["a member that is not documented", item, { id: "a", more: 1 }, "$.more: is not documented"],
    ["a member of another type", item, { id: 1 }, "$.id: is no string: 1"],
    ["a pattern that does not match", item, { id: "A" }, '$.id: does not match ^[a-z]+$: "A"'],
    ["a list for an object", item, [], "$: is no object: []"],
    ["null for an object", item, null, "$: is no object: null"],
    ["too few items", list, [], "$: has 0 items"],
    ["a fault deep inside", list, [{ id: "a" }, {}], "$[1].id: is missing"],
    ["half a number", { type: "integer" }, 1.5, "$: is no integer: 1.5"],
    ["a number out of its bounds", { type: "integer", minimum: 1 }, 0, "$: is out of its bounds: 0"],
    ["what is none of a list", { enum: ["a", "b"] }, "c", '$: is none of a, b: "c"'],
    ["what fits no alternative", { anyOf: [{ type: "string" }, { const: true }] }, 1, "$: fits none of the alternatives"],
    [
      "a name that is none",
      { type: "object", propertyNames: { maxLength: 1 }, additionalProperties: {} },
      { ab: 1 },
      "$.ab (its name): has 2 characters",
    ],
    ["a format", { type: "string", format: "date-time" }, "today", '$: is no date-time: "today"'],
  ])("refuses %s", (_what, schema, value, fault) => {
    expect(checker.faults(schema, value)).toEqual([fault]);
  });

  test("with a keyword that nothing checks is not passed over", () => {
    expect(() => new Checker({ Odd: { properties: { a: { items: { multipleOf: 2 } } } } as Schema })).toThrow("multipleOf");
  });

  test("makes values that it takes", () => {
    const schemas = { Item: item, List: list };
    const good = new Values(schemas, vocabulary(fc.constant("p"), ["http://127.0.0.1/"]), false);
    fc.assert(
      fc.property(good.of(list, "list"), (value) => {
        expect(new Checker(schemas).faults(list, JSON.parse(jsonText(value)))).toEqual([]);
      }),
    );
  });
});

test("JSON that no value of JavaScript is has its text", () => {
  const value = new Pairs([
    ["__proto__", new Raw("1e400")],
    ["a", [new Raw("-0"), "\ud800"]],
    ["a", null],
  ]);
  expect(jsonText(value)).toBe('{"__proto__":1e400,"a":[-0,"\\ud800"],"a":null}');
});

test("a placeholder becomes what replies gave, or else something of its form", () => {
  const pool = new Pool();
  expect(pool.fill("/~version.3~")).toBe("/v0.1.0");
  pool.learn("promote", { version: "v2.0.0", plan_id: "p" }, { etag: '"e"' });
  expect(pool.fill("~version.0~ ~plan.0~ ~etag.0~ ~nothing.0~")).toBe('v2.0.0 p "e" ~nothing.0~');
});

describe("a reply", () => {
  const members = ["status", "code", "reason", "fix_suggestion", "request_id"];
  const error: Schema = {
    type: "object",
    properties: Object.fromEntries(members.map((name): [string, Schema] => [name, { type: "string" }])),
    required: members,
  };
  const reference = new Reference({
    paths: {
      "/env/create": { post: { operationId: "create", parameters: [], responses: {} } },
      "/env/{project}": {
        get: {
          operationId: "list",
          parameters: [],
          responses: {
            200: { content: { "application/json": { schema: { type: "object", properties: {} } } } },
            404: { content: { "application/json": { schema: {}, examples: { project_not_found: {} } } } },
          },
        },
      },
    },
    components: { schemas: { Error: error } },
  });
  const judge = new Judge(reference);
  const sent = (target: string, method = "GET") => ({ method, target, headers: { "x-request-id": "r-1" }, body: null });
  const refusal = (code: string, more: object = {}) => ({
    status: "error",
    code,
    reason: "x",
    fix_suggestion: "x",
    request_id: "r-1",
    ...more,
  });
  const got = (status: number, body: unknown, headers: Received["headers"] = {}): Received => ({
    status,
    headers: {
      "x-request-id": "r-1",
      "content-type": "application/json",
      ...(status >= 400 && { "cache-control": "no-store" }),
      ...headers,
    },
    text: typeof body === "string" ? body : JSON.stringify(body),
  });
  const faults = (target: string, received: Received, method?: string) => judge.faults(sent(target, method), received).faults;

  test("that the document describes is none", () => {
    expect(faults("/env/pf", got(200, {}))).toEqual([]);
    expect(faults("/env/pf?limit=1", got(404, refusal("project_not_found")))).toEqual([]);
    expect(faults("/env/create", got(405, refusal("method_not_allowed")))).toEqual([]);
    expect(faults("/env/a/b/c", got(404, refusal("route_not_found")))).toEqual([]);
    expect(faults("/env/pf", got(200, ""), "HEAD")).toEqual([]);
  });

  test.each<readonly [string, string, Received, string]>([
    ["of the server's own failing", "/env/pf", got(500, refusal("internal_error")), "answers 500"],
    ["of another code", "/env/pf", got(404, refusal("token_not_found")), "answers 404 token_not_found, which is not documented"],
    ["of another status", "/env/pf", got(410, refusal("project_not_found")), "answers 410 project_not_found, which is not documented"],
    ["of another success", "/env/pf", got(201, {}), "answers 201, which is not documented"],
    ["with another member", "/env/pf", got(200, { a: 1 }), "a reply that its schema refuses: $.a: is not documented"],
    ["that is no JSON", "/env/pf", got(200, "{"), "a reply that is no JSON"],
    ["of another type", "/env/pf", got(200, {}, { "content-type": "text/html" }), "answers 200 as text/html, which is not documented"],
    [
      "whose error has another member",
      "/env/pf",
      got(404, refusal("project_not_found", { stack: "x" })),
      "an error of another shape: $.stack: is not documented",
    ],
    ["whose error says nothing", "/env/pf", got(404, refusal("project_not_found", { reason: " " })), "an error that says nothing"],
    ["whose error is no JSON", "/env/pf", got(404, "<html>"), "an error whose body is no JSON"],
    [
      "with another request's id",
      "/env/pf",
      got(404, refusal("project_not_found", { request_id: "r-2" })),
      "an error whose request_id is not that of its header",
    ],
    [
      "that gives another id than was sent",
      "/env/pf",
      got(200, {}, { "x-request-id": "r-2" }),
      "a reply with another X-Request-Id than the request's",
    ],
    [
      "that caches may keep",
      "/env/pf",
      got(404, refusal("project_not_found"), { "cache-control": "public" }),
      "an error that may be kept by a cache",
    ],
    ["that nobody asked for", "/env/pf", got(304, ""), "answers 304, which is not documented"],
    ["where there is no operation", "/nothing", got(200, {}), "answers 200 where no operation is documented"],
  ])("%s is a fault", (_what, target, received, fault) => {
    expect(faults(target, received)).toEqual([fault]);
  });

  test("on the wire is read one by one", () => {
    const text =
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx";
    expect(parseReplies(text).map(({ status, text: body }) => [status, body])).toEqual([
      [200, "{}"],
      [400, "x"],
    ]);
    expect(() => parseReplies(text.slice(0, -1))).toThrow("breaks off");
    expect(() => parseReplies(`${text}nonsense`)).toThrow("no reply");
  });
});

describe("what changed", () => {
  const look = (more: Partial<Look> = {}): Look => ({
    environments: new Map([["staging", "1"]]),
    promotions: "[]",
    policy: "{}",
    seq: 1,
    records: [],
    ...more,
  });
  const record = { seq: 2, action: "config", environment: "staging", request_id: "r-1" };
  const moved = new Map([["staging", "2"]]);
  const refused = (id: string) => (id === "r-2" ? "patchConfig 409" : undefined);
  const faults = (after: Partial<Look>) => changeFaults(look(), look(after), refused);

  test("by a request that succeeded is none", () => {
    expect(faults({ environments: moved, records: [record] })).toEqual([]);
    expect(faults({ policy: "[]", records: [{ ...record, action: "policy", environment: null }] })).toEqual([]);
  });

  test.each<readonly [string, Partial<Look>, string]>([
    [
      "in the audit log, by a refused request",
      { records: [{ ...record, request_id: "r-2" }] },
      "a refused request is in the audit log: patchConfig 409 recorded config",
    ],
    ["in an environment, without a record", { environments: moved }, "staging changed without a record: 1 → 2"],
    [
      "by an environment that came into being",
      { environments: new Map([...look().environments, ["qa", "1"]]) },
      "qa changed without a record: undefined → 1",
    ],
    ["in a promotion", { promotions: "[1]" }, "promotions changed without a record"],
    ["in the policy", { policy: "[]", records: [record] }, "the policy changed without a record"],
  ])("%s is a fault", (_what, after, fault) => {
    expect(faults(after)).toEqual([fault]);
  });
});
