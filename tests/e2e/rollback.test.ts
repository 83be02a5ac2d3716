import { describe, expect, test } from "vitest";
import { useEngine } from "../support/engine.ts";
import { clockPassed, expectError, Project } from "../support/project.ts";

const engine = useEngine();

/**
 * Production's revisions: 1 = v1.0.0 with key "one"; 2 = v1.1.0; 3 = v1.1.1, config alone, key "two".
 * Staging has gone on to v2.0.0, which production never ran.
 */
async function history(): Promise<Project> {
  const project = new Project(engine);
  await project.create("staging", { env_variables: { REGION: "eu" } });
  await project.putState("staging", { entities: { Order: {} } }, { version: "v1.0.0" });
  const created = await project.create("production", { base_from: "staging", env_variables: { API_KEY: "one", REGION: "us" } });
  expect(created.linked_version).toBe("v1.0.0");
  await clockPassed((await project.revisions("production"))[0]?.timestamp ?? "");
  await project.patchState("staging", { set: { "entities/Note": {} }, version: "v1.1.0" });
  await project.promote("staging", "production");
  await project.patchConfig("production", { secrets: { API_KEY: "two" }, vars: { REGION: "ap" } });
  await project.putState("staging", {}, { version: "v2.0.0" });
  return project;
}

describe("state, vars and secrets return together as a new revision", () => {
  test.each<readonly [string, (project: Project) => Promise<unknown>]>([
    ["by version", async () => "v1.0.0"],
    ["by a prefix of a version", async () => "v1.0"],
    ["by revision", async () => 1],
    ["by timestamp", async (project) => (await project.revisions("production")).at(-1)?.timestamp],
  ])("%s", async (_way, target) => {
    const project = await history();
    const to = await target(project);
    const rolledBack = await project.rollback("production", to, { message: "Bad release" });

    expect(rolledBack).toMatchObject({ status: "rolled_back", env: "production", version: "v1.0.0", revision: 4 });
    expect([...rolledBack.diff_from_previous.env_updated].sort()).toEqual(["API_KEY", "REGION"]);
    expect(await project.state("production")).toEqual({ entities: { Order: {} } });
    expect(await project.runtime("production")).toMatchObject({ vars: { REGION: "us" }, secrets: { API_KEY: "one" } });
    const [newest] = await project.revisions("production");
    expect(newest).toMatchObject({ revision: 4, action: "rollback", version: "v1.0.0", message: "Bad release" });
    const [, , , first] = await project.revisions("production");
    expect(newest?.snapshot).toBe(first?.snapshot);
  });

  test("and can be undone in turn: nothing is lost", async () => {
    const project = await history();
    await project.rollback("production", 1);
    await project.rollback("production", 3);
    expect(await project.runtime("production")).toMatchObject({ revision: 5, vars: { REGION: "ap" }, secrets: { API_KEY: "two" } });
    expect((await project.revisions("production")).map(({ revision }) => revision)).toEqual([5, 4, 3, 2, 1]);
  });

  test("even after what they replaced was unset", async () => {
    const project = await history();
    await project.patchConfig("production", { unset: ["secrets/API_KEY"] });
    await project.rollback("production", 3);
    expect((await project.runtime("production")).secrets).toEqual({ API_KEY: "two" });
  });
});

test("a version means the newest revision that had it", async () => {
  const project = await history();
  await project.rollback("production", "v1.0.0");
  await project.rollback("production", "v1.1.0");
  expect(await project.runtime("production")).toMatchObject({ version: "v1.1.0", vars: { REGION: "us" }, secrets: { API_KEY: "one" } });
});

test("a prefix means the newest revision of that series", async () => {
  const project = await history();
  await project.rollback("production", 1);
  await project.rollback("production", "v1.1");
  expect(await project.runtime("production")).toMatchObject({ version: "v1.1.1", vars: { REGION: "ap" }, secrets: { API_KEY: "two" } });
});

test("secrets stay as they are with secrets: keep_current", async () => {
  const project = await history();
  await project.rollback("production", 1, { secrets: "keep_current" });
  expect(await project.runtime("production")).toMatchObject({ vars: { REGION: "us" }, secrets: { API_KEY: "two" } });
});

test("a dry run says what would change and changes nothing", async () => {
  const project = await history();
  const before = await project.mark("production");
  const plan = await project.rollback("production", 1, { dry_run: true });
  expect(plan).toMatchObject({ env: "production", version: "v1.0.0", diff_from_previous: { entities_added: [] } });
  expect(await project.mark("production")).toEqual(before);
});

describe("the hold that a rollback places", () => {
  async function hold(project: Project): Promise<unknown> {
    const { hold } = await project.read<{ readonly hold: unknown }>(project.path("production"));
    return hold;
  }

  test("is shown with the environment, warned of in a manual promotion, and lifted by it", async () => {
    const project = await history();
    expect(await hold(project)).toBeNull();
    await project.rollback("production", 1, { message: "Bad release" });
    expect(await hold(project)).not.toBeNull();

    const plan = await project.promote("staging", "production", { dry_run: true });
    expect(plan.checks.find(({ name }) => name === "hold")).toMatchObject({ status: "warning" });
    await project.promote("staging", "production");
    expect(await hold(project)).toBeNull();
  });

  test("is placed and lifted by hand too", async () => {
    const project = await history();
    const body = { project_id: project.id, env: "production", reason: "Stocktaking" };
    const held = await engine.request("POST", "/env/hold", body);
    expect({ status: held.status, body: held.body }).toMatchObject({ status: 200, body: { status: "held", env: "production" } });
    expect(await hold(project)).toMatchObject({ reason: "Stocktaking" });
    const resumed = await engine.request("POST", "/env/resume", body);
    expect({ status: resumed.status, body: resumed.body }).toMatchObject({ status: 200, body: { status: "resumed", env: "production" } });
    expect(await hold(project)).toBeNull();
  });
});

describe("a target that production cannot return to", () => {
  test.each<readonly [string, unknown, number, string]>([
    ["a version of the project that it never ran", "v2.0.0", 404, "version_not_found"],
    ["a version that nobody has", "v9.9.9", 404, "version_not_found"],
    ["a revision to come", 99, 404, "revision_not_found"],
    ["a time before it existed", "2001-01-01T00:00:00.000Z", 404, "revision_not_found"],
  ])("%s", async (_what, to, status, code) => {
    const project = await history();
    const before = await project.mark("production");
    expectError(await project.tryRollback("production", to), status, code);
    expect(await project.mark("production")).toEqual(before);
  });
});

test("a rollback is no divergence: the next promotion from its source needs no strategy", async () => {
  const project = await history();
  await project.rollback("production", 1);
  await project.patchState("staging", { set: { "entities/Fixed": {} } });
  expect(await project.promote("staging", "production")).toMatchObject({ status: "ready_for_deploy" });
  expect(await project.state("production")).toEqual(await project.state("staging"));
});
