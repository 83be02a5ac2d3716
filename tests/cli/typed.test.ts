import { beforeAll, expect, test } from "vitest";
import { useCli } from "./support.ts";

const context = useCli();

beforeAll(async () => {
  const { cli } = context;
  await cli.ok(["env", "create", "development", "--set", "API_KEY=k1"]);
  await cli.ok(["env", "create", "production"]);
});

test("a token that is made with -e reaches that environment alone, whatever the folder names", async () => {
  const { cli } = context;
  const made = async (...args: string[]) =>
    (await cli.json<{ envs: string[] }>(["token", "create", "ci", "--role", "reader", ...args])).envs;
  expect(await made("-e", "production")).toEqual(["production"]);
  expect(await made("--env", "prod")).toEqual(["production"]);
  expect(await made("-e", "production", "--envs", "pr-*")).toEqual(["pr-*"]);
  // Where somebody works says nothing of whom a token is for.
  expect(await made()).toEqual(["*"]);
  expect(await cli.json(["token", "create", "ci", "--role", "reader"], { env: { ENVM_ENV: "production" } })).toMatchObject({ envs: ["*"] });
});

test("a flag and a component that are named alone are what is piped in, as a var and a secret are", async () => {
  const { cli } = context;
  const definition = { state: "ENABLED", variants: { red: "#f00", blue: "#00f" }, defaultVariant: "red" };
  await cli.ok(["flag", "set", "piped", "-e", "dev"], { input: "on\n" });
  await cli.ok(["flag", "set", "colour", "-e", "dev"], { input: JSON.stringify(definition) });
  expect(await cli.json(["flag", "list", "-e", "dev"])).toMatchObject({ flags: { piped: { defaultVariant: "on" }, colour: definition } });
  await cli.ok(["state", "put", "flows/piped", "-e", "dev"], { input: '{"trigger":"x"}' });
  expect(JSON.parse(await cli.ok(["state", "get", "flows/piped", "-e", "dev"]))).toEqual({ trigger: "x" });
});

test("where nothing is piped in, or it could be of either of two, nothing is set", async () => {
  const { cli } = context;
  const refused = { code: 2, out: "" };
  expect(await cli.run(["flag", "set", "nothing", "-e", "dev"])).toMatchObject({ ...refused, err: expect.stringContaining("is empty") });
  expect(await cli.run(["flag", "set", "one", "two=on", "-e", "dev"], { input: "on" })).toMatchObject(refused);
  expect(await cli.run(["state", "put", "flows/nothing", "-e", "dev"])).toMatchObject({
    ...refused,
    err: expect.stringContaining("nothing in it"),
  });
  expect(Object.keys((await cli.json<{ flags: object }>(["flag", "list", "-e", "dev"])).flags)).not.toContain("one");
});

test("secrets are listed with their values where that is asked for, and then the audit log keeps it", async () => {
  const { cli } = context;
  expect(await cli.ok(["secret", "list", "-e", "dev"])).not.toContain("k1");
  expect(await cli.ok(["secret", "list", "-e", "dev", "--show-values"])).toMatch(/API_KEY +k1/);
  expect(await cli.ok(["audit", "list", "--limit", "1"])).toContain("reveal");
});
