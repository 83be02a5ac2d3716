import { describe, expect, test } from "vitest";
import { useEngine } from "../support/engine.ts";
import { expectError, Project } from "../support/project.ts";

const engine = useEngine();

describe("an environment without a base", () => {
  test("begins the project with the empty platform, v0.1.0, revision 1", async () => {
    const project = new Project(engine);
    const created = await project.create("development");
    expect(created).toMatchObject({
      status: "env_created",
      env: "development",
      linked_version: "v0.1.0",
      url: `https://preview.puraify.app/${project.id}/development`,
      revision: 1,
      stored: { vars: [], secrets: [] },
      secrets_unbound: [],
    });
    expect(await project.state("development")).toEqual({});
    expect(await project.config("development")).toMatchObject({ vars: {}, secrets: {}, flags: {} });
  });

  test("may be a second one of the same project", async () => {
    const project = new Project(engine);
    await project.create("development");
    await project.putState("development", { entities: { Order: {} } });
    expect(await project.create("scratch")).toMatchObject({ linked_version: "v0.1.0", revision: 1 });
    expect(await project.state("scratch")).toEqual({});
  });

  test.each([
    ["development", "development"],
    ["staging", "staging"],
    ["production", "production"],
    ["whatever", "custom"],
  ])("named %s is of type %s", async (name, type) => {
    const project = new Project(engine);
    await project.create(name);
    expect(await project.read(project.path(name))).toMatchObject({ env: name, type, status: "active" });
  });

  test("takes its type from the request where that names one", async () => {
    const project = new Project(engine);
    await project.create("blue", { type: "production" });
    expect(await project.read(project.path("blue"))).toMatchObject({ type: "production" });
  });
});

describe("an environment with a base", () => {
  test("links the base's version, copies its vars and flags, and puts its own variables on top", async () => {
    const project = new Project(engine);
    await project.create("development", { env_variables: { A: "1", B: "2" } });
    await project.patchConfig("development", { flags: { beta: true } });
    const { version } = await project.putState("development", { entities: { Order: { fields: {} } } });

    const created = await project.create("staging", { base_from: "development", env_variables: { B: "20", C: "30" } });

    expect(created).toMatchObject({ linked_version: version, revision: 1 });
    expect(await project.state("staging")).toEqual({ entities: { Order: { fields: {} } } });
    const config = await project.config("staging");
    expect(config.vars).toEqual({ A: "1", B: "20", C: "30" });
    expect(config.flags.beta).toMatchObject({ state: "ENABLED", defaultVariant: "on" });
  });

  test("gets a copy of each secret in an entry of its own: later changes of the base do not reach it", async () => {
    const project = new Project(engine);
    await project.create("development", { env_variables: { API_KEY: "first-value" } });
    await project.create("staging", { base_from: "development" });
    await project.patchConfig("development", { secrets: { API_KEY: "second-value" } });
    expect((await project.runtime("staging")).secrets).toEqual({ API_KEY: "first-value" });
    expect((await project.runtime("development")).secrets).toEqual({ API_KEY: "second-value" });
  });

  test('gets no secret with secrets: "empty", and is told which ones are unbound', async () => {
    const project = new Project(engine);
    await project.create("development", { env_variables: { API_KEY: "value-a", SMTP_PASSWORD: "value-b" } });
    const created = await project.create("staging", { base_from: "development", secrets: "empty", env_variables: { API_KEY: "value-c" } });
    expect(created.secrets_unbound).toEqual(["SMTP_PASSWORD"]);
    expect((await project.runtime("staging")).secrets).toEqual({ API_KEY: "value-c" });
  });

  test('gets no secret of a protected base unless asked by secrets: "copy"', async () => {
    const project = new Project(engine);
    await project.create("production", { env_variables: { API_KEY: "value-a" } });
    await project.putPolicy({ environments: { production: { protected: true } } });
    expect((await project.create("qa", { base_from: "production" })).secrets_unbound).toEqual(["API_KEY"]);
    expect((await project.create("qb", { base_from: "production", secrets: "copy" })).secrets_unbound).toEqual([]);
    expect((await project.runtime("qb")).secrets).toEqual({ API_KEY: "value-a" });
  });
});

describe("env_variables", () => {
  const SECRET = "hunter2-0b5e";

  test.each([
    ["API_KEY", SECRET],
    ["token", SECRET],
    ["CLIENT_SECRET", SECRET],
    ["DB_PASSWORD", SECRET],
    ["SMTP_PASSWD", SECRET],
    ["AWS_CREDENTIALS", SECRET],
    ["PRIVATE_PEM", SECRET],
    ["SENTRY_DSN", SECRET],
    ["DATABASE_URL", `postgres://app:${SECRET}@db.example/app`],
    ["PLAIN", { value: SECRET, secret: true }],
  ])("%s is kept as a secret", async (name, value) => {
    const project = new Project(engine);
    const created = await project.create("development", { env_variables: { [name]: value } });
    expect(created.stored).toEqual({ vars: [], secrets: [name] });
    const config = await engine.get(project.path("development", "config"));
    expect(config.body).toMatchObject({ vars: {}, secrets: { [name]: { set: true } } });
    expect(config.text).not.toContain(SECRET);
    expect((await project.runtime("development")).secrets[name]).toContain(SECRET);
  });

  test.each([
    ["MONKEY", "banana"],
    ["TOKENIZER", "bpe"],
    ["PUBLIC_URL", "https://shop.example/path?a=b:c@d"],
    ["REGION", "eu"],
    ["PUBLISHABLE_KEY", { value: "pk_1", secret: false }],
  ])("%s is kept as a var", async (name, value) => {
    const project = new Project(engine);
    const created = await project.create("development", { env_variables: { [name]: value } });
    expect(created.stored).toEqual({ vars: [name], secrets: [] });
    expect((await project.config("development")).vars).toEqual({ [name]: typeof value === "string" ? value : value.value });
  });
});

test("what exists already is not created again", async () => {
  const project = new Project(engine);
  await project.create("development", { env_variables: { A: "1" } });
  const before = await project.mark("development");
  const again = await engine.request("POST", "/env/create", {
    project_id: project.id,
    new_environment: "development",
    env_variables: { A: "2" },
  });
  expectError(again, 409, "environment_exists");
  expect(await project.mark("development")).toEqual(before);
  expect((await project.config("development")).vars).toEqual({ A: "1" });
});

test("of many that create the same environment at once, one succeeds", async () => {
  const project = new Project(engine);
  const body = { project_id: project.id, new_environment: "development" };
  const replies = await Promise.all(Array.from({ length: 12 }, () => engine.request("POST", "/env/create", body)));
  expect(replies.map(({ status }) => status).sort()).toEqual([201, ...Array.from({ length: 11 }, () => 409)]);
  expect((await project.active("development")).revision).toBe(1);
});
