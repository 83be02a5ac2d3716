import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Engine } from "../support/engine.ts";
import { SentSecrets } from "./sent-secrets.ts";

/** What every end-to-end test looks for when it ends. */

const found = (output: string, ...bodies: readonly unknown[]) => {
  const sent = new SentSecrets();
  for (const body of bodies) sent.note("/env/create", typeof body === "string" ? body : JSON.stringify(body), {});
  return sent.find("no such folder", output);
};

describe("a secret that was sent is found", () => {
  test.each<readonly [string, unknown]>([
    ["among secrets", { secrets: { PLAIN: "a-long-secret-value" } }],
    ["by its name", { env_variables: { API_KEY: "a-long-secret-value" } }],
    ["as stated", { env_variables: { PLAIN: { value: "a-long-secret-value", secret: true } } }],
    ["in a body that was given as text", '{"secrets":{"PLAIN":"a-long-secret-value"}}'],
  ])("%s", (_way, body) => {
    expect(found("… a-long-secret-value …", body)).toEqual(['"a-long-secret-value" is in its output, as it is']);
    expect(found(Buffer.from("a-long-secret-value").toString("base64"), body)).toEqual([
      '"a-long-secret-value" is in its output, in base64 after 0 bytes',
    ]);
    expect(found("nothing", body)).toEqual([]);
  });

  test("as a URL with a password", () => {
    const url = "postgres://app:password@db/app";
    expect(found(JSON.stringify({ url }), { env_variables: { DATABASE: url } })).toHaveLength(1);
  });
});

test.each<readonly [string, readonly unknown[]]>([
  ["a var", [{ env_variables: { REGION: "a-long-secret-value" } }]],
  ["a var, as stated", [{ env_variables: { API_KEY: { value: "a-long-secret-value", secret: false } } }]],
  ["a secret, and something else too", [{ secrets: { PLAIN: "a-long-secret-value" } }, { message: "It is a-long-secret-value." }]],
  ["a secret's name", [{ secrets: { "a-long-secret-value": "short" } }]],
  ["what is no JSON", ['{"secrets":{"PLAIN":"a-long-secret-value"']],
  ["a secret, but a short one", [{ secrets: { PLAIN: "secret" } }]],
])("what was sent as %s is not looked for", (_what, bodies) => {
  expect(found("a-long-secret-value secret", ...bodies)).toEqual([]);
});

test("a test whose engine leaks fails when it disposes of it", async () => {
  const engine = await new Engine().start();
  const body = { project_id: "leaks", new_environment: "staging", env_variables: { API_KEY: "a-long-secret-value" } };
  expect((await engine.request("POST", "/env/create", body)).status).toBe(201);
  writeFileSync(join(engine.directory, "leak.log"), "… a-long-secret-value …");
  await expect(engine.dispose()).rejects.toThrow('"a-long-secret-value" is in leak.log, as it is');
});
