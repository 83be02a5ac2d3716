import { describe, expect, test } from "vitest";
import { useEngine } from "../support/engine.ts";
import { Project, succeeded } from "../support/project.ts";

/** The five use cases of the specification, each from an empty project, over HTTP alone. */
const engine = useEngine();

const BASE = {
  entities: { Order: { fields: { total: "money" } } },
  flows: { "orders/submit": { actions: ["credit-check"] }, "tickets/route": { actions: ["assign"] } },
  requires: {
    API_KEY: { kind: "secret", description: "Calls the ERP." },
    PUBLIC_URL: { kind: "var", description: "Where customers reach it." },
  },
};
const FEATURE = {
  set: {
    "entities/Notification": { fields: { text: "text" } },
    "flows/orders/submit": { actions: ["credit-check", "notify"] },
    "flows/tickets/route": { actions: ["assign", "notify"] },
  },
};

/** Development and staging at v2.9.0, production at v2.9.0 with its own config. */
async function released(): Promise<Project> {
  const project = new Project(engine, "pf");
  await project.create("development", { env_variables: { PUBLIC_URL: "https://dev.example", API_KEY: "dev-key" } });
  await project.putState("development", BASE, { version: "v2.9.0" });
  await project.create("staging", {
    base_from: "development",
    env_variables: { PUBLIC_URL: "https://staging.example", API_KEY: "staging-key" },
  });
  await project.create("production", { base_from: "staging", env_variables: { PUBLIC_URL: "https://example", API_KEY: "production-key" } });
  return project;
}

test("a staging environment is created from development, with config of its own", async () => {
  const project = new Project(engine, "pf");
  await project.create("development", { env_variables: { PUBLIC_URL: "https://dev.example", THEME: "light" } });
  await project.putState("development", BASE, { version: "v1.4.3" });

  const reply = await engine.request("POST", "/env/create", {
    project_id: project.id,
    new_environment: "staging",
    base_from: "development",
    env_variables: { PUBLIC_URL: "https://staging.example", API_KEY: "staging-key" },
  });

  expect(reply.status).toBe(201);
  expect(reply.body).toMatchObject({
    status: "env_created",
    env: "staging",
    linked_version: "v1.4.3",
    url: `https://preview.puraify.app/${project.id}/staging`,
  });
  await project.patchConfig("development", { vars: { PUBLIC_URL: "https://changed.example" } });
  expect((await project.config("staging")).vars).toEqual({ PUBLIC_URL: "https://staging.example", THEME: "light" });
  expect((await project.config("development")).vars).toMatchObject({ PUBLIC_URL: "https://changed.example" });
});

test("v3.1 is promoted from staging to production: ready_for_deploy, with a summary of what changes", async () => {
  const project = await released();
  await project.patchState("development", { ...FEATURE, version: "v3.1.0" });
  await project.promote("development", "staging");

  const reply = await engine.request("POST", "/env/promote", {
    project_id: project.id,
    source_env: "staging",
    target_env: "production",
    version: "v3.1",
    env_variables: { API_KEY: "production-key-2" },
  });

  expect(reply.status).toBe(200);
  expect(reply.body).toMatchObject({
    status: "ready_for_deploy",
    version: "v3.1.0",
    environment: "production",
    diff_from_previous: { entities_added: ["Notification"], logic_changed: 2, env_updated: ["API_KEY"] },
  });
  expect(await project.active("production")).toMatchObject({ version: "v3.1.0", env: "production", project_id: project.id });
  expect((await project.config("production")).vars).toEqual({ PUBLIC_URL: "https://example" });
});

describe("production is rolled back to v2.9", () => {
  test("the version pointer is reset and the config reverted", async () => {
    const project = await released();
    const before = { config: await project.config("production"), state: await project.state("production") };
    await project.patchState("development", { ...FEATURE, version: "v3.1.0" });
    await project.promote("development", "staging");
    await project.promote("staging", "production", { env_variables: { PUBLIC_URL: "https://new.example", API_KEY: "production-key-2" } });

    const reply = await engine.request("POST", "/env/rollback", { project_id: project.id, env: "production", to: "v2.9" });

    expect(reply.status).toBe(200);
    expect(reply.body).toMatchObject({ status: "rolled_back", env: "production", version: "v2.9.0", revision: 3 });
    expect(await project.state("production")).toEqual(before.state);
    expect((await project.config("production")).vars).toEqual(before.config.vars);
    expect((await project.runtime("production")).secrets).toEqual({ API_KEY: "production-key" });
  });

  test("what staging runs does not move", async () => {
    const project = await released();
    await project.patchState("development", { ...FEATURE, version: "v3.1.0" });
    await project.promote("development", "staging");
    await project.promote("staging", "production");
    const staging = await project.active("staging");
    await project.rollback("production", "v2.9");
    expect(await project.active("staging")).toEqual(staging);
  });
});

test("staging and production are compared: state, vars, flags, and which secrets differ", async () => {
  const project = await released();
  await project.patchState("development", FEATURE);
  await project.promote("development", "staging");
  await project.patchConfig("staging", {
    flags: { "new-checkout": true },
    vars: { ONLY_STAGING: "1" },
    secrets: { SHARED_TOKEN: "same-value" },
  });
  await project.patchConfig("production", { secrets: { SHARED_TOKEN: "same-value" } });

  const reply = await engine.get(`/env/compare?project_id=${project.id}&left=staging&right=production`);

  expect(succeeded(reply)).toMatchObject({
    components: {
      only_left: ["entities/Notification"],
      only_right: [],
      different: [{ name: "flows/orders/submit" }, { name: "flows/tickets/route" }],
      same_count: 3,
    },
    vars: {
      only_left: ["ONLY_STAGING"],
      only_right: [],
      different: [{ name: "PUBLIC_URL", left: "https://staging.example", right: "https://example" }],
      same_count: 0,
    },
    flags: { only_left: ["new-checkout"], only_right: [], different: [], same_count: 0 },
    secrets: { only_left: [], only_right: [], different: [{ name: "API_KEY" }], same_count: 1 },
  });
  for (const value of ["staging-key", "production-key", "same-value"]) expect(reply.text).not.toContain(value);
});

test("a preview environment for a demo is isolated from what it was made from", async () => {
  const project = await released();
  const before = await project.mark("staging", "production");

  const created = await project.create("qa-demo", {
    type: "preview",
    base_from: "staging",
    env_variables: { PUBLIC_URL: "https://qa.example" },
  });
  expect(created).toMatchObject({
    status: "env_created",
    env: "qa-demo",
    linked_version: "v2.9.0",
    url: `https://preview.puraify.app/${project.id}/qa-demo`,
  });
  expect(await project.read(project.path("qa-demo"))).toMatchObject({ env: "qa-demo", type: "preview", status: "active" });
  await project.patchState("qa-demo", { remove: ["flows/orders/submit"] });
  await project.patchConfig("qa-demo", { secrets: { API_KEY: "qa-key" }, vars: { PUBLIC_URL: "https://qa-2.example" } });

  expect((await project.mark("staging", "production")).heads).toEqual(before.heads);
  expect((await project.runtime("staging")).secrets).toEqual({ API_KEY: "staging-key" });
  expect(Object.keys((await project.state("staging")).flows ?? {})).toEqual(["orders/submit", "tickets/route"]);
});
