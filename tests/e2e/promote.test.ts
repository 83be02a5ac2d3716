import { describe, expect, test } from "vitest";
import { useEngine } from "../support/engine.ts";
import { expectError, failedChecks, Project, type Promoted } from "../support/project.ts";

const engine = useEngine();

const CHECKS = ["environment_protected", "diverged", "config_complete", "secrets_isolated"];

/** Development is one change ahead of staging. */
async function ahead(): Promise<Project> {
  const project = new Project(engine);
  await project.create("development", { env_variables: { REGION: "eu" } });
  await project.putState("development", { entities: { Order: {} }, flows: { submit: { actions: [] } } });
  await project.create("staging", { base_from: "development" });
  await project.patchState("development", { set: { "entities/Note": {}, "flows/submit": { actions: ["notify"] } } });
  return project;
}

/** As `ahead`, and what is ahead needs a key that staging lacks. */
async function needingKey(): Promise<Project> {
  const project = await ahead();
  await project.patchState("development", { set: { "requires/API_KEY": { kind: "secret", description: "Calls the ERP." } } });
  return project;
}

describe("a promotion", () => {
  test("carries the platform state, links its version and keeps the target's config", async () => {
    const project = await ahead();
    await project.patchConfig("staging", { vars: { REGION: "us" } });
    const promoted = await project.promote("development", "staging", { message: "Notes for everyone" });

    expect(promoted).toMatchObject({
      status: "ready_for_deploy",
      version: "v0.3.0",
      environment: "staging",
      revision: 3,
      diff_from_previous: { entities_added: ["Note"], logic_changed: 1, env_updated: [] },
    });
    expect(await project.state("staging")).toEqual(await project.state("development"));
    expect((await project.config("staging")).vars).toEqual({ REGION: "us" });
    const [newest] = await project.revisions("staging");
    expect(newest).toMatchObject({ action: "promote", version: "v0.3.0", message: "Notes for everyone", changes: { flows_updated: 1 } });
  });

  test("names each check with its outcome and reason", async () => {
    const project = await ahead();
    const { checks } = await project.promote("development", "staging");
    expect(checks.map(({ name }) => name)).toEqual(expect.arrayContaining(CHECKS));
    for (const check of checks) {
      expect(["passed", "warning", "skipped"]).toContain(check.status);
      expect(check.reason).toMatch(/\S/);
    }
  });

  test("of what the target has already changes nothing: no_changes", async () => {
    const project = await ahead();
    expect(await project.promote("development", "staging", { dry_run: true })).toMatchObject({ applicable: true, changes_nothing: false });
    await project.promote("development", "staging");
    const before = await project.mark("staging");
    expect(await project.promote("development", "staging", { dry_run: true })).toMatchObject({ applicable: true, changes_nothing: true });
    expect(await project.promote("development", "staging")).toMatchObject({
      status: "no_changes",
      environment: "staging",
      version: "v0.3.0",
    });
    expect(await project.mark("staging")).toEqual(before);
  });

  test("takes an older version of the source where asked", async () => {
    const project = await ahead();
    await project.patchState("development", { set: { "entities/Later": {} } });
    expect(await project.promote("development", "staging", { version: "v0.3.0" })).toMatchObject({ version: "v0.3.0" });
    expect(Object.keys((await project.state("staging")).entities ?? {}).sort()).toEqual(["Note", "Order"]);
  });

  test("sets the variables of the request in the target alone", async () => {
    const project = await ahead();
    const promoted = await project.promote("development", "staging", { env_variables: { REGION: "us", API_TOKEN: "target-value" } });
    expect([...promoted.diff_from_previous.env_updated].sort()).toEqual(["API_TOKEN", "REGION"]);
    expect(await project.runtime("staging")).toMatchObject({ vars: { REGION: "us" }, secrets: { API_TOKEN: "target-value" } });
    expect(await project.runtime("development")).toMatchObject({ vars: { REGION: "eu" }, secrets: {} });
  });

  test("adds flags that the target lacks as disabled, and leaves those it has", async () => {
    const project = await ahead();
    await project.patchConfig("staging", { flags: { known: false } });
    await project.patchConfig("development", { flags: { known: true, fresh: true } });
    await project.promote("development", "staging");
    const { flags } = await project.config("staging");
    expect(flags.known).toMatchObject({ state: "ENABLED", defaultVariant: "off" });
    expect(flags.fresh).toMatchObject({ state: "DISABLED", variants: { on: true, off: false } });
  });

  test("carries no secret and no var", async () => {
    const project = await ahead();
    await project.patchConfig("development", { secrets: { ONLY_DEV: "source-value" }, vars: { DEV_VAR: "1" } });
    await project.promote("development", "staging");
    expect(await project.runtime("staging")).toMatchObject({ vars: { REGION: "eu" }, secrets: {} });
  });

  test("leaves the source as it was", async () => {
    const project = await ahead();
    const before = await project.active("development");
    await project.promote("development", "staging", { env_variables: { REGION: "us" } });
    expect(await project.active("development")).toEqual(before);
  });
});

describe("a dry run", () => {
  test("gives the plan and changes nothing", async () => {
    const project = await ahead();
    const before = await project.mark("development", "staging");
    const plan = await project.promote("development", "staging", { dry_run: true });
    expect(plan).toMatchObject({ version: "v0.3.0", diff_from_previous: { entities_added: ["Note"], logic_changed: 1, env_updated: [] } });
    expect(plan.plan_id).toMatch(/\S/);
    expect(plan.checks.map(({ name }) => name)).toEqual(expect.arrayContaining(CHECKS));
    expect(await project.mark("development", "staging")).toEqual(before);
  });

  test("says the same id each time, and its plan is applied by that id", async () => {
    const project = await ahead();
    const [first, second] = [
      await project.promote("development", "staging", { dry_run: true }),
      await project.promote("development", "staging", { dry_run: true }),
    ];
    expect(second.plan_id).toBe(first.plan_id);
    expect(await project.promote("development", "staging", { plan_id: first.plan_id })).toMatchObject({
      status: "ready_for_deploy",
      plan_id: first.plan_id,
    });
  });

  test("shows which checks would fail, with the fix", async () => {
    const project = await needingKey();
    const { checks } = await project.promote("development", "staging", { dry_run: true });
    expect(checks.find(({ name }) => name === "config_complete")).toMatchObject({
      status: "failed",
      reason: expect.stringContaining("API_KEY"),
    });
  });
});

describe("a stale plan is refused", () => {
  test.each<readonly [string, (project: Project) => Promise<unknown>]>([
    ["when the source moved", (project) => project.patchState("development", { set: { "entities/Later": {} } })],
    ["when the target moved", (project) => project.patchConfig("staging", { vars: { REGION: "us" } })],
    ["when the policy changed", (project) => project.putPolicy({ environments: { staging: { protected: true } } })],
  ])("%s", async (_when, change) => {
    const project = await ahead();
    const { plan_id } = await project.promote("development", "staging", { dry_run: true });
    await change(project);
    const before = await project.mark("development", "staging");
    expectError(await project.tryPromote("development", "staging", { plan_id }), 409, "plan_stale");
    expect(await project.mark("development", "staging")).toEqual(before);
  });

  test("when the request is another one", async () => {
    const project = await ahead();
    const { plan_id } = await project.promote("development", "staging", { dry_run: true, env_variables: { API_KEY: "one" } });
    expectError(await project.tryPromote("development", "staging", { plan_id, env_variables: { API_KEY: "two" } }), 409, "plan_stale");
    expect(await project.promote("development", "staging", { plan_id, env_variables: { API_KEY: "one" } })).toMatchObject({
      status: "ready_for_deploy",
    });
  });
});

describe("config_complete", () => {
  test("refuses while a required key is unbound, says how to bind it, and lets it through then", async () => {
    const project = await needingKey();
    const before = await project.mark("development", "staging");
    const [failed, ...others] = failedChecks(await project.tryPromote("development", "staging"));
    expect(others).toEqual([]);
    expect(failed).toMatchObject({ name: "config_complete", reason: expect.stringContaining("API_KEY"), fix: expect.stringMatching(/\S/) });
    expect(await project.mark("development", "staging")).toEqual(before);

    await project.patchConfig("staging", { secrets: { API_KEY: "bound" } });
    expect(await project.promote("development", "staging")).toMatchObject({ status: "ready_for_deploy" });
  });

  test("is satisfied by the variables of the request, which the diff then names", async () => {
    const project = await needingKey();
    const promoted = await project.promote("development", "staging", { env_variables: { API_KEY: "bound" } });
    expect(promoted).toMatchObject({ status: "ready_for_deploy", diff_from_previous: { env_updated: ["API_KEY"] } });
  });

  test("is satisfied by a default", async () => {
    const project = await ahead();
    await project.patchState("development", { set: { "requires/PAGE_SIZE": { kind: "var", description: "Rows.", default: "20" } } });
    expect(await project.promote("development", "staging")).toMatchObject({ status: "ready_for_deploy" });
  });

  test("is not satisfied by another environment's value", async () => {
    const project = await needingKey();
    await project.patchConfig("development", { secrets: { API_KEY: "of-development" } });
    expect(failedChecks(await project.tryPromote("development", "staging")).map(({ name }) => name)).toEqual(["config_complete"]);
  });
});

test("secrets_isolated warns of a secret that is still a copy of the source's", async () => {
  const project = new Project(engine);
  await project.create("development", { env_variables: { API_KEY: "shared-value" } });
  await project.create("staging", { base_from: "development" });
  await project.putState("development", { entities: { Order: {} } });
  const isolated = ({ checks }: Promoted) => checks.find(({ name }) => name === "secrets_isolated");
  expect(isolated(await project.promote("development", "staging", { dry_run: true }))).toMatchObject({
    status: "warning",
    reason: expect.stringContaining("API_KEY"),
  });
  await project.patchConfig("staging", { secrets: { API_KEY: "own-value" } });
  expect(isolated(await project.promote("development", "staging", { dry_run: true }))).toMatchObject({ status: "passed" });
});

describe("a diverged target", () => {
  async function diverged(): Promise<Project> {
    const project = await ahead();
    await project.patchState("staging", { set: { "entities/Hotfix": {} } });
    return project;
  }

  test("is not overwritten unless asked", async () => {
    const project = await diverged();
    const before = await project.mark("development", "staging");
    expect(failedChecks(await project.tryPromote("development", "staging"))).toMatchObject([
      { name: "diverged", fix: expect.stringContaining("replace") },
    ]);
    expect(await project.mark("development", "staging")).toEqual(before);
  });

  test("is replaced where asked, and follows the source from then on", async () => {
    const project = await diverged();
    expect(await project.promote("development", "staging", { strategy: "replace" })).toMatchObject({ status: "ready_for_deploy" });
    expect(await project.state("staging")).toEqual(await project.state("development"));
    await project.patchState("development", { set: { "entities/Later": {} } });
    expect(await project.promote("development", "staging")).toMatchObject({ status: "ready_for_deploy" });
  });

  test("is not what a config change of the target makes", async () => {
    const project = await ahead();
    await project.patchConfig("staging", { vars: { REGION: "us" } });
    expect(await project.promote("development", "staging")).toMatchObject({ status: "ready_for_deploy" });
  });
});

test("a protected environment still takes promotions", async () => {
  const project = await ahead();
  await project.putPolicy({ environments: { staging: { protected: true } } });
  expect(await project.promote("development", "staging")).toMatchObject({ status: "ready_for_deploy" });
});

test("of two promotions by the same plan at once, one is applied and the other refused as stale", async () => {
  const project = await ahead();
  const { plan_id } = await project.promote("development", "staging", { dry_run: true });
  const replies = await Promise.all([0, 1].map(() => project.tryPromote("development", "staging", { plan_id })));
  const [applied, refused] = replies.sort((left, right) => left.status - right.status);
  expect(applied?.body).toMatchObject({ status: "ready_for_deploy" });
  expect(refused?.body).toMatchObject({ status: "error", code: "plan_stale" });
  expect((await project.active("staging")).revision).toBe(2);
});
