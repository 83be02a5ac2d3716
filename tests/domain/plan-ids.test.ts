import { describe, expect, test } from "vitest";
import { auditRecords, caller, codeOf, documents, errorOf, openWorld, PROJECT, Project, vaultEntries, type World } from "./support.ts";

/** Creations and rollbacks that are looked at first, and then done exactly as they were shown. */

async function world(): Promise<World> {
  const world = await openWorld();
  await world.project.create("dev", { env_variables: { REGION: "eu", API_KEY: "sk-dev" } });
  await world.project.set("dev", { "flows/a": { on: true } }, { version: "v1.0.0" });
  await world.project.set("dev", { "flows/a": { on: false } }, { version: "v2.0.0" });
  return world;
}

describe("a creation that is only looked at", () => {
  test("says what would be made, writes nothing, and asks the vault for no value", async () => {
    const { project, store } = await world();
    const before = [await documents(store), await auditRecords(store), await vaultEntries(store)];
    const wishes = { base: "dev", env_variables: { OWN: "1" } };
    const plan = await project.create("staging", { ...wishes, dry_run: true });
    expect([await documents(store), await auditRecords(store), await vaultEntries(store)]).toEqual(before);
    const made = await project.create("staging", { ...wishes, plan_id: plan.plan_id });
    expect(made).toEqual({ ...plan, status: "env_created" });
    expect(made).toMatchObject({ linked_version: "v2.0.0", stored: { vars: ["OWN"], secrets: ["API_KEY"] } });
  });

  test("makes no project either", async () => {
    const { domain, store } = await openWorld();
    const first = new Project(domain, { id: "pf-new", as: caller("ann") });
    expect(await first.create("dev", { dry_run: true })).toMatchObject({ status: "planned", revision: 1, linked_version: "v0.1.0" });
    expect(await documents(store, "pf-new")).toEqual([]);
    expect(await codeOf(domain.environments.view("pf-new", "dev"))).toBe("project_not_found");
  });

  test.each([
    ["a name that is taken", "dev", {}, "environment_exists"],
    ["a base that is not there", "staging", { base: "nothing" }, "base_not_found"],
    ["a version that names another platform", "staging", { version: "v1.0.0" }, "version_taken"],
    ["an expiry that is too far away", "pr-1", { expires_in: "9000d" }, "invalid_request"],
    [
      "a secret that is to be a var",
      "staging",
      { base: "dev", env_variables: { API_KEY: { value: "x", secret: false } } },
      "secret_stays_secret",
    ],
  ])("is refused as the creation would be: %s", async (_, env, wishes, code) => {
    const { project } = await world();
    expect(await codeOf(project.create(env, { ...wishes, dry_run: true }))).toBe(code);
    expect(await codeOf(project.create(env, wishes))).toBe(code);
  });

  test("of a preview that exists says what bringing it up to date would do", async () => {
    const { project } = await world();
    await project.create("pr-1", { base: "dev", version: "v1.0.0", type: "preview" });
    const plan = await project.create("pr-1", { base: "dev", type: "preview", dry_run: true });
    expect(plan).toMatchObject({ status: "planned", revision: 2, linked_version: "v2.0.0" });
    expect(await project.create("pr-1", { base: "dev", type: "preview", plan_id: plan.plan_id })).toMatchObject({ status: "env_updated" });
  });
});

test.each<readonly [string, (world: World) => Promise<unknown>]>([
  ["the base", ({ project }) => project.configure("dev", { vars: { REGION: "us" } })],
  ["the policy", ({ project }) => project.policy({ pipeline: ["dev"] })],
])("a creation is refused where %s changed since it was planned", async (_, change) => {
  const made = await world();
  const { plan_id } = await made.project.create("staging", { base: "dev", dry_run: true });
  await change(made);
  const error = await errorOf(made.project.create("staging", { base: "dev", plan_id }));
  expect(error).toMatchObject({ code: "plan_stale", details: { plan_id: expect.not.stringMatching(plan_id) } });
  expect(await codeOf(made.domain.environments.view(PROJECT, "staging"))).toBe("environment_not_found");
});

test.each([
  ["another base", { base: null }],
  ["another variable", { env_variables: { OWN: "2" } }],
  ["another version", { version: "v1.0.0" }],
])("a creation's plan is no plan of %s", async (_, other) => {
  const { project } = await world();
  const asked = { base: "dev", env_variables: { OWN: "1" } };
  const { plan_id } = await project.create("staging", { ...asked, dry_run: true });
  expect(await codeOf(project.create("staging", { ...asked, ...other, plan_id }))).toBe("plan_stale");
  expect(await project.create("staging", { ...asked, message: "A message is no part of it", plan_id })).toMatchObject({ revision: 1 });
});

test("a rollback does what was planned, or is refused where the head or what the request means changed since", async () => {
  const { project } = await world();
  const plan = await project.rollback("dev", "v1", { dry_run: true });
  expect(plan).toMatchObject({ status: "planned", restored_revision: 2 });
  expect(await codeOf(project.rollback("dev", "v1", { secrets: "keep_current", plan_id: plan.plan_id }))).toBe("plan_stale");
  expect(await codeOf(project.rollback("dev", 1, { plan_id: plan.plan_id }))).toBe("plan_stale");
  await project.configure("dev", { vars: { REGION: "us" } });
  expect(await codeOf(project.rollback("dev", "v1", { plan_id: plan.plan_id }))).toBe("plan_stale");
  const again = await project.rollback("dev", "v1", { dry_run: true });
  expect(await project.rollback("dev", "v1", { plan_id: again.plan_id })).toMatchObject({ status: "rolled_back", restored_revision: 2 });
});
