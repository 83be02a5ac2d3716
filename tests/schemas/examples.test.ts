import { describe, expect, test } from "vitest";
import * as z from "zod";
import "../../src/http/routes/index.ts";
import "../../src/http/routes/operations.ts";
import { examplesOf } from "../../src/http/openapi.ts";
import { mapOf, numberText, PageQuery, switchText } from "../../src/schemas/common.ts";
import { CreateEnvironmentBody } from "../../src/schemas/environments.ts";
import { PromoteBody } from "../../src/schemas/promotions.ts";

/** zod's registry, whose only list of its schemas is the one that it makes documents from. */
const named = [...(z.globalRegistry as unknown as { readonly _idmap: Map<string, z.ZodType> })._idmap];

test("every named schema has a description, and examples that it accepts", () => {
  expect(named.length).toBeGreaterThan(30);
  for (const [id, schema] of named) {
    expect(schema.meta()?.description, id).toMatch(/\S/);
    expect(examplesOf(schema).length, id).toBeGreaterThan(0);
    for (const example of examplesOf(schema)) expect(schema.safeParse(example).error, id).toBeUndefined();
  }
});

describe("a request", () => {
  const create = { project_id: "p", new_environment: "e" };

  test("may leave out what is optional, or give it", () => {
    expect(CreateEnvironmentBody.safeParse(create).success).toBe(true);
    expect(CreateEnvironmentBody.safeParse({ ...create, base_from: null, type: "preview", secrets: "empty" }).success).toBe(true);
    expect(CreateEnvironmentBody.safeParse({ ...create, expires_in: "72h", source_ref: "#142" }).success).toBe(true);
  });

  test.each([
    [{ ...create, expires_in: 72 }],
    [{ ...create, expires_at: null }],
    [{ ...create, source_ref: "x".repeat(501) }],
    [{ ...create, env_variables: { A: 1 } }],
    [{ ...create, env_variables: { A: { value: "x" } } }],
    [{ ...create, env_variables: { A: { value: "x", secret: true, more: 1 } } }],
    [{ ...create, type: "other" }],
    [{ ...create, message: "x".repeat(2_001) }],
    [JSON.parse('{"project_id":"p","new_environment":"e","env_variables":{"__proto__":null}}')],
  ])("is refused with a fault: %j", (body) => {
    expect(CreateEnvironmentBody.safeParse(body).success).toBe(false);
  });

  const promote = { project_id: "p", source_env: "a", target_env: "b" };
  test.each([
    { strategy: "merge", resolve: { "flows/a": "ours", "flows/b": { on: true } } },
    { strategy: "replace" },
    { only: ["flows/*"], except: ["flows/a"], flags: ["beta"], vars: ["REGION"] },
    { force: true, message: "why" },
    { force: { reason: "why", checks: ["soak_time"] } },
    { dry_run: true, plan_id: "x" },
  ])("to promote may say %j", (field) => {
    expect(PromoteBody.safeParse({ ...promote, ...field }).error).toBeUndefined();
  });

  test.each([
    { strategy: "rebase" },
    { resolve: ["flows/a"] },
    { only: "flows/*" },
    { except: [1] },
    { flags: { beta: true } },
    { vars: [null] },
    { force: false },
    { force: "because" },
    { force: {} },
    { force: { reason: "why", checks: ["luck"] } },
    { force: { reason: "why", by: "me" } },
    { automatic: true },
  ])("to promote may not say %j", (field) => {
    expect(PromoteBody.safeParse({ ...promote, ...field }).success).toBe(false);
  });
});

describe("text in a query", () => {
  test.each(["", " 1", "1 ", "0x1", "1e2", "-1", "1.0", "0", "1001", "٣", ["1", "2"]])("%j is no limit", (limit) => {
    expect(PageQuery.safeParse({ limit }).success).toBe(false);
  });

  test("is read as the number or switch that it is", () => {
    expect(numberText(1, 1_000).parse("1000")).toBe(1_000);
    expect(["1", "true", "0", "false"].map((text) => switchText.parse(text))).toEqual([true, true, false, false]);
    expect(switchText.safeParse("yes").success).toBe(false);
  });
});

test("a map refuses `__proto__`, and takes any other name", () => {
  const map = mapOf(z.string());
  expect(map.safeParse(JSON.parse('{"__proto__":"x"}')).success).toBe(false);
  expect(map.parse(JSON.parse('{"constructor":"x","":"y"}'))).toEqual({ constructor: "x", "": "y" });
});
