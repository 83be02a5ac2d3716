import { describe, expect, test } from "vitest";
import { keys } from "../../src/keys.ts";
import type { CheckName, CheckResult } from "../../src/model.ts";
import {
  auditRecords,
  codeOf,
  documents,
  domainOn,
  errorOf,
  headOf,
  memoryStore,
  openVault,
  openWorld,
  PROJECT,
  Project,
  storedRevisions,
  TestClock,
  vaultEntries,
  type World,
  watchedVault,
} from "./support.ts";

const status = (checks: readonly CheckResult[], name: CheckName) => checks.find((check) => check.name === name)?.status;

/** Production was made from staging, which has gone one version further. */
async function world(clock?: TestClock): Promise<World> {
  const world = await openWorld({ store: memoryStore(clock) });
  const { project } = world;
  await project.create("staging", { env_variables: { REGION: "eu" } });
  await project.set("staging", { "flows/a": { on: true }, "entities/Order": {} }, { version: "v1.0.0" });
  await project.create("production", { base: "staging", env_variables: { REGION: "us" } });
  await project.set("staging", { "flows/a": { on: false }, "entities/Note": {} }, { version: "v1.1.0" });
  return world;
}

describe("a promotion", () => {
  test("carries the source's platform and version, and keeps the target's config", async () => {
    const { project, store } = await world();
    await project.configure("staging", { vars: { REGION: "ap", ONLY_HERE: "x" } });
    const before = await headOf(store, "production");
    const promoted = await project.promote("staging", "production", { message: "Weekly" });
    expect(promoted).toMatchObject({
      status: "ready_for_deploy",
      version: "v1.1.1",
      environment: "production",
      revision: 2,
      source_revision: 4,
      relation: "source_ahead",
      diff_from_previous: { entities_added: ["Note"], logic_changed: 1, env_updated: [] },
    });
    const [staging, production] = [await headOf(store, "staging"), await headOf(store, "production")];
    expect(production).toMatchObject({ platform: staging.platform, config: before.config, version: "v1.1.1", revision: 2 });
    expect((await storedRevisions(store, "production")).at(-1)).toMatchObject({
      action: "promote",
      message: "Weekly",
      source: { env: "staging", revision: 4, version: "v1.1.1" },
      parents: [
        { env: "production", revision: 1 },
        { env: "staging", revision: 4 },
      ],
    });
    expect((await auditRecords(store)).at(-1)).toMatchObject({
      action: "promote",
      details: { plan_id: promoted.plan_id, source: "staging@4" },
    });
  });

  test("changes nothing in the source", async () => {
    const { project, store } = await world();
    const before = await headOf(store, "staging");
    await project.promote("staging", "production");
    expect(await headOf(store, "staging")).toEqual(before);
  });

  test("carries no secret, and no copied one", async () => {
    const { project, store } = await world();
    await project.configure("staging", { secrets: { API_KEY: "sk" } });
    await project.promote("staging", "production");
    expect((await project.config("production")).secrets).toEqual({});
    expect((await vaultEntries(store)).filter((path) => path.startsWith("production/"))).toEqual([]);
  });

  test("brings flags that the target lacks DISABLED, and leaves those that it has", async () => {
    const { project } = await world();
    const rollout = { state: "ENABLED", variants: { a: "x", b: "y" }, defaultVariant: "a", targeting: { if: [true, "b", "a"] } };
    await project.configure("staging", { flags: { fresh: true, known: true, rollout } });
    await project.configure("production", { flags: { known: false } });
    expect(await project.promote("staging", "production")).toMatchObject({ diff_from_previous: { flags_changed: ["fresh", "rollout"] } });
    expect((await project.config("production")).flags).toEqual({
      fresh: { state: "DISABLED", variants: { on: true, off: false }, defaultVariant: "on" },
      known: { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "off" },
      rollout: { ...rollout, state: "DISABLED" },
    });
    // Switched on by hand, it stays so at the next promotion.
    await project.configure("production", { flags: { fresh: true } });
    await project.set("staging", { "flows/b": {} });
    await project.promote("staging", "production");
    expect((await project.config("production")).flags).toMatchObject({ fresh: { state: "ENABLED" } });
  });

  test("binds the request's variables in the target alone, each as what it is", async () => {
    const { project } = await world();
    const promoted = await project.promote("staging", "production", {
      env_variables: { HOST: "shop.example", API_KEY: "sk", REGION: { value: "hidden", secret: true } },
    });
    expect(promoted.diff_from_previous.env_updated).toEqual(["API_KEY", "HOST", "REGION"]);
    expect(await project.config("production")).toMatchObject({
      vars: { HOST: "shop.example" },
      secrets: { API_KEY: { set: true }, REGION: { set: true } },
    });
    expect((await project.config("production")).vars).not.toHaveProperty("REGION");
    expect(await project.config("staging")).toMatchObject({ vars: { REGION: "eu" }, secrets: {} });
  });

  test("never turns a secret of the target, or one that the platform declares, into a var", async () => {
    const { project } = await world();
    await project.configure("production", { secrets: { PLAIN: "old" } });
    await project.set("staging", { "requires/DECLARED": { kind: "secret" } });
    for (const name of ["PLAIN", "DECLARED"]) {
      expect(await codeOf(project.promote("staging", "production", { env_variables: { [name]: { value: "x", secret: false } } }))).toBe(
        "secret_stays_secret",
      );
    }
    await project.promote("staging", "production", { env_variables: { PLAIN: "new", DECLARED: "own" } });
    expect(await project.secrets("production")).toEqual({ PLAIN: "new", DECLARED: "own" });
  });

  test("not even one that has become a secret while the promotion was on its way", async () => {
    const store = memoryStore();
    const vault = await openVault(store);
    const fast = new Project(domainOn(store, vault));
    await fast.create("staging");
    await fast.create("production");
    await fast.set("staging", { "flows/a": {} });
    const slow = watchedVault(vault, async ({ call, entry }) => {
      if (call === "put" && entry?.name === "OTHER_KEY") await fast.configure("production", { secrets: { PLAIN: "hidden" } });
    });
    const late = new Project(domainOn(store, slow));
    expect(await codeOf(late.promote("staging", "production", { env_variables: { PLAIN: "hunter2", OTHER_KEY: "x" } }))).toBe(
      "write_conflict",
    );
    expect(await fast.config("production")).toMatchObject({ vars: {}, secrets: { PLAIN: { set: true } } });
    expect(await documents(store, PROJECT, keys.intentPrefix)).toEqual([]);
  });

  test("of an older version, or a prefix of one, takes the revision of the source that had it", async () => {
    const { project, store } = await world();
    await project.create("qa");
    expect(await project.promote("staging", "qa", { version: "v1.0.0" })).toMatchObject({ version: "v1.0.0", source_revision: 2 });
    expect(await project.state("qa")).toEqual({ flows: { a: { on: true } }, entities: { Order: {} } });
    await project.configure("staging", { vars: { REGION: "ap" } });
    expect(await project.promote("staging", "qa", { version: "v1.1" })).toMatchObject({ version: "v1.1.1", source_revision: 4 });
    expect((await headOf(store, "qa")).platform).toBe((await headOf(store, "staging")).platform);
    expect(await codeOf(project.promote("staging", "qa", { version: "v9.9.9" }))).toBe("version_not_found");
    expect(await codeOf(project.promote("qa", "production", { version: "v1.1.0" }))).toBe("version_not_found");
  });

  test("lifts the hold of its target, and says so in the log", async () => {
    const { project, domain, store } = await world();
    await domain.environments.hold(project.caller, { project: PROJECT, env: "production", reason: "Stocktaking" });
    const promoted = await project.promote("staging", "production");
    expect(status(promoted.checks, "hold")).toBe("warning");
    expect((await headOf(store, "production")).hold).toBeNull();
    expect((await auditRecords(store)).at(-1)?.details).toMatchObject({ lifted_hold: true });
  });

  test("of what the target has already changes nothing, and leaves a hold in place", async () => {
    const { project, domain, store } = await world();
    await project.promote("staging", "production");
    await domain.environments.hold(project.caller, { project: PROJECT, env: "production" });
    const before = await documents(store);
    const promoted = await project.promote("staging", "production");
    expect(promoted).toMatchObject({ status: "no_changes", revision: 2, relation: "identical" });
    expect(promoted.checks.find(({ name }) => name === "hold")?.reason).toContain("leaves the hold in place");
    expect(await documents(store)).toEqual(before);
  });

  test("of the same platform under another label links that label", async () => {
    const { project, store } = await world();
    await project.promote("staging", "production");
    await project.configure("staging", { vars: { REGION: "ap" } });
    expect(await project.promote("staging", "production")).toMatchObject({ status: "ready_for_deploy", version: "v1.1.1", revision: 3 });
    expect((await headOf(store, "production")).version).toBe("v1.1.1");
  });
});

describe("what stands in the way of a promotion refuses it, with every check, and changes nothing:", () => {
  test.each<readonly [CheckName, (project: Project) => Promise<unknown>]>([
    ["config_complete", (project) => project.set("staging", { "requires/API_KEY": { kind: "secret" } })],
    ["diverged", (project) => project.set("production", { "flows/hotfix": {} })],
    [
      "pipeline_order",
      async (project) => {
        await project.create("qa");
        await project.policy({ pipeline: ["staging", "qa", "production"] });
      },
    ],
    [
      "secrets_isolated",
      async (project) => {
        await project.configure("staging", { secrets: { API_KEY: "sk" } });
        await project.create("live", { base: "staging" });
        await project.create("copy", { base: "live" });
        await project.policy({ environments: { production: { secrets_isolated: "fail" }, live: { secrets_isolated: "fail" } } });
      },
    ],
  ])("%s", async (name, arrange) => {
    const { project, store } = await world();
    await arrange(project);
    const target = name === "secrets_isolated" ? "live" : "production";
    await project.set("staging", { "flows/last": {} });
    const before = await documents(store);
    const plan = await project.plan("staging", target);
    expect(plan).toMatchObject({ status: "planned", applicable: false });
    expect(status(plan.checks, name)).toBe("failed");
    const error = await errorOf(project.promote("staging", target));
    expect(error).toMatchObject({ code: "checks_failed", details: { plan_id: plan.plan_id, checks: plan.checks } });
    expect(error.fix).toMatch(/\S/);
    expect(await documents(store)).toEqual(before);
  });

  test("a divergence, with what would be lost; `replace` gives that up", async () => {
    const { project } = await world();
    await project.set("production", { "flows/hotfix": {}, "flows/a": { on: "maybe" } });
    const plan = await project.plan("staging", "production");
    expect(plan).toMatchObject({ relation: "diverged" });
    expect(plan.checks.find(({ name }) => name === "diverged")?.details).toEqual({
      relation: "diverged",
      lost: ["flows/a", "flows/hotfix"],
      lost_count: 2,
    });
    expect(await project.promote("staging", "production", { strategy: "replace" })).toMatchObject({ status: "ready_for_deploy" });
    expect(await project.state("production")).toEqual(await project.state("staging"));
  });

  test("between environments without a common ancestor, with all that would be lost", async () => {
    const { project } = await world();
    await project.create("island");
    await project.set("island", { "flows/own": {} });
    const plan = await project.plan("staging", "island");
    expect(plan).toMatchObject({ relation: "diverged", applicable: false });
    expect(plan.checks.find(({ name }) => name === "diverged")?.details).toMatchObject({ lost: ["flows/own"], lost_count: 1 });
  });

  test("once the changes of the target came back to the source, nothing is lost and nothing asked", async () => {
    const { project } = await world();
    await project.set("production", { "flows/hotfix": {} });
    await project.promote("production", "staging", { strategy: "replace" });
    await project.set("staging", { "flows/a": { on: "again" } });
    expect(await project.promote("staging", "production")).toMatchObject({ status: "ready_for_deploy", relation: "source_ahead" });
  });

  test.each<readonly [string, string, string, string]>([
    ["itself", "staging", "staging", "same_environment"],
    ["from what is not there", "none", "production", "environment_not_found"],
    ["to what is not there", "staging", "none", "environment_not_found"],
    ["to what is archived", "staging", "old", "environment_archived"],
    ["to no name", "staging", "../x", "invalid_name"],
  ])("%s", async (_what, source, target, code) => {
    const { project, domain } = await world();
    await project.create("old");
    await domain.environments.archive(project.caller, { project: PROJECT, env: "old" });
    expect(await codeOf(project.promote(source, target))).toBe(code);
  });
});

describe("a plan", () => {
  const variables = { HOST: "a.example", API_KEY: "sk-1" };

  test("is pure: the same inputs give the same plan, and nothing is written", async () => {
    const clock = new TestClock();
    const { project, store } = await world(clock);
    const before = await documents(store);
    const first = await project.plan("staging", "production", { env_variables: variables });
    clock.time += 86_400_000;
    expect(await project.plan("staging", "production", { env_variables: { ...variables } })).toEqual(first);
    expect(await new Project(project.domain).plan("staging", "production", { env_variables: variables })).toEqual(first);
    expect(await documents(store)).toEqual(before);
    expect(await vaultEntries(store)).toEqual([]);
  });

  test("shows exactly what applying it does", async () => {
    const { project } = await world();
    await project.configure("staging", { flags: { beta: true } });
    const plan = await project.plan("staging", "production", { env_variables: variables });
    const applied = await project.promote("staging", "production", { env_variables: variables, plan_id: plan.plan_id });
    expect(applied).toMatchObject({
      version: plan.version,
      checks: plan.checks,
      relation: plan.relation,
      diff_from_previous: plan.diff_from_previous,
      plan_id: plan.plan_id,
    });
  });

  test.each<readonly [string, (world: World) => Promise<unknown>]>([
    ["an edit of the source", ({ project }) => project.set("staging", { "flows/z": {} })],
    ["a config edit of the source", ({ project }) => project.configure("staging", { vars: { REGION: "ap" } })],
    ["an edit of the target", ({ project }) => project.set("production", { "flows/z": {} })],
    ["a config edit of the target", ({ project }) => project.configure("production", { vars: { REGION: "ap" } })],
    ["a rollback of the source", ({ project }) => project.rollback("staging", 2)],
    ["another policy", ({ project }) => project.policy({ environments: { production: { config_complete: "warn" } } })],
    [
      "a promotion from elsewhere",
      async ({ project }) => {
        await project.create("qa", { base: "staging" });
        await project.promote("qa", "production");
      },
    ],
  ])("is another one after %s, and the old one is stale", async (_what, change) => {
    const changed = await world();
    const { project, store } = changed;
    const { plan_id } = await project.plan("staging", "production");
    await change(changed);
    const before = await documents(store);
    expect((await project.plan("staging", "production")).plan_id).not.toBe(plan_id);
    const error = await errorOf(project.promote("staging", "production", { plan_id, strategy: "replace" }));
    expect(error).toMatchObject({ code: "plan_stale", fix: expect.stringContaining("dry_run") });
    expect(await documents(store)).toEqual(before);
  });

  test.each<readonly [string, Parameters<Project["plan"]>[2]]>([
    ["another value of a secret", { env_variables: { ...variables, API_KEY: "sk-2" } }],
    ["another value of a var", { env_variables: { ...variables, HOST: "b.example" } }],
    ["one variable more", { env_variables: { ...variables, MORE: "x" } }],
    ["no variables", {}],
    ["a strategy", { env_variables: variables, strategy: "replace" }],
    ["an older version", { env_variables: variables, version: "v1.0.0" }],
  ])("is another one with %s", async (_what, request) => {
    const { project } = await world();
    const { plan_id } = await project.plan("staging", "production", { env_variables: variables });
    expect((await project.plan("staging", "production", request)).plan_id).not.toBe(plan_id);
    expect(await codeOf(project.promote("staging", "production", { ...request, plan_id }))).toBe("plan_stale");
  });

  test("is the same one though the outcome of a check, the message or the person is another", async () => {
    const { project, domain } = await world();
    const plan = await project.plan("staging", "production", { message: "a" });
    await domain.environments.hold(project.caller, { project: PROJECT, env: "production" });
    const again = await project.plan("staging", "production", { message: "b" });
    expect(status(plan.checks, "hold")).toBe("passed");
    expect(status(again.checks, "hold")).toBe("warning");
    expect(again.plan_id).toBe(plan.plan_id);
  });

  test("does not tell another project's plan apart by luck: its id covers the project", async () => {
    const { project, domain } = await world();
    const other = new Project(domain, { id: "pf-778" });
    await other.create("staging");
    await other.create("production");
    await project.create("a");
    await project.create("b");
    await other.create("a");
    await other.create("b");
    expect((await project.plan("a", "b")).plan_id).not.toBe((await other.plan("a", "b")).plan_id);
  });

  test.each(["one engine", "two engines on one store"] as const)("wins once where several race to apply it (%s)", async (engines) => {
    const { project, store, vault } = await world();
    const other = engines === "one engine" ? project : new Project(domainOn(store, vault));
    const { plan_id } = await project.plan("staging", "production", { env_variables: variables });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 6 }, (_, index) =>
        (index % 2 === 0 ? project : other).promote("staging", "production", { env_variables: variables, plan_id }),
      ),
    );
    expect(outcomes.filter((outcome) => outcome.status === "fulfilled").map(({ value }) => value)).toMatchObject([
      { status: "ready_for_deploy", revision: 2 },
    ]);
    for (const outcome of outcomes) if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "plan_stale" });
    expect(await storedRevisions(store, "production")).toHaveLength(2);
    expect((await vaultEntries(store)).filter((path) => path.startsWith("production/"))).toHaveLength(1);
  });
});
