import { describe, expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import { auditRecords, domainOn, memoryStore, openWorld, PROJECT, referencesOf, TestClock, watchedVault } from "../domain/support.ts";
import { LONG_ENOUGH, type Sending, sendingOn } from "../sinks/support.ts";
import { ahead, change, FAILED, next, OK, promoted, recordsOf, replay, report, scene } from "./scene.ts";
import { following, ScriptedPlanner } from "./support.ts";

describe("rollback_on_failure", () => {
  const RULES = { auto_deploy: true, rollback_on_failure: true };

  /** Production runs one version; deploying the next one fails. */
  async function failing(rules: { readonly [rule: string]: boolean } = RULES) {
    const world = await scene(rules);
    const good = await promoted(world);
    await world.settled();
    world.planner.answer = ({ version }) => (version === good.version ? OK : FAILED);
    const bad = await next(world, 2);
    return { ...world, good, bad };
  }

  test("takes back what failed, once, deploys what ran before, and holds", async () => {
    const { project, planner, good, bad, ...world } = await failing();
    expect(planner.versions).toEqual([good.version, bad.version, good.version]);
    expect(await project.view("production")).toMatchObject({
      version: good.version,
      revision: bad.revision + 1,
      sync_status: "in_sync",
      hold: { by: "engine", reason: expect.stringContaining(`Deploying ${bad.version} failed: migrate: The database refuses it.`) },
    });
    await world.after(LONG_ENOUGH);
    expect(await recordsOf(world, "rollback")).toHaveLength(1);
    expect(planner.orders).toHaveLength(3);
  });

  test("needs nobody to confirm what the policy itself asks for", async () => {
    const { project, good } = await failing({ ...RULES, require_confirmation: true, require_message: false });
    expect(await project.view("production")).toMatchObject({ version: good.version, sync_status: "in_sync" });
  });

  test("is done only where the policy says so", async () => {
    const { project, bad, ...world } = await failing({ auto_deploy: true });
    await world.after(LONG_ENOUGH);
    expect(await project.view("production")).toMatchObject({ ...bad, sync_status: "failed", hold: null });
    expect(await recordsOf(world, "rollback")).toEqual([]);
  });

  test("has nothing to go back to where nothing was deployed before", async () => {
    const world = await scene(RULES);
    world.planner.answer = () => FAILED;
    const bad = await promoted(world);
    await world.after(LONG_ENOUGH);
    expect(await world.project.view("production")).toMatchObject({ ...bad, sync_status: "failed" });
    expect(await recordsOf(world, "rollback")).toEqual([]);
  });

  test("ends where going back fails too", async () => {
    const world = await scene(RULES);
    const good = await promoted(world);
    await world.settled();
    world.planner.answer = () => FAILED;
    const bad = await next(world, 2);
    await world.after(LONG_ENOUGH);
    expect(world.planner.versions).toEqual([good.version, bad.version, good.version]);
    expect(await recordsOf(world, "rollback")).toHaveLength(1);
    expect(await world.project.view("production")).toMatchObject({ version: good.version, sync_status: "failed" });
  });

  test("is not done again by who follows the log once more", async () => {
    const world = await failing();
    const before = [world.planner.versions, await auditRecords(world.store)];
    await replay(world);
    expect([world.planner.versions, await auditRecords(world.store)]).toEqual(before);
  });

  test("is done once by two engines on one store", async () => {
    const clock = new TestClock();
    const { store, vault } = await openWorld({ store: memoryStore(clock) });
    const good = { version: "" };
    const planner = new ScriptedPlanner(({ version }) => (good.version === "" || version === good.version ? OK : FAILED));
    const engines = [1, 2].map(() => following(sendingOn({ store, vault, deployer: planner }, clock)));
    const [one] = engines as [Sending];
    const settled = async () => {
      for (const engine of [...engines, ...engines]) await engine.after(LONG_ENOUGH);
    };
    await ahead(one, RULES);
    good.version = (await promoted(one)).version;
    await settled();
    await change(one.project, 2);
    const bad = await promoted(one);
    await settled();
    expect(await recordsOf({ store }, "rollback")).toHaveLength(1);
    expect(planner.versions).toEqual([good.version, bad.version, good.version]);
  });

  /** What happened while no engine followed the log: production ran one version, and deploying the next one failed. */
  async function unfollowed({ secret = false } = {}) {
    const clock = new TestClock();
    const { store, vault, project, domain } = await openWorld({ store: memoryStore(clock) });
    await ahead({ project }, { rollback_on_failure: true });
    if (secret) await project.configure("production", { secrets: { API_KEY: "sk-1" } });
    const good = await promoted({ project });
    await report({ domain }, good, "deployed");
    if (secret) await project.configure("production", { secrets: { API_KEY: "sk-2" } });
    await change(project, 2);
    const bad = await promoted({ project });
    await report({ domain }, bad, "failed");
    const follow = () => following(sendingOn({ store, vault, deployer: new ScriptedPlanner(() => OK) }, clock));
    return { store, vault, clock, project, domain, good, bad, follow };
  }

  test("needs no planner that takes orders: one that reports is enough", async () => {
    const { store, vault, clock, bad, project } = await unfollowed();
    const engines = [1, 2, 3].map(() => domainOn(store, vault));
    clock.time += 1;
    await Promise.all(engines.map(({ sweeper }) => sweeper.runDue()));
    expect(await recordsOf({ store }, "rollback")).toHaveLength(1);
    expect(await project.view("production")).toMatchObject({ revision: bad.revision + 1, hold: { by: "engine" } });
  });

  test("that cannot be done is told once, and not tried again", async () => {
    const { store, vault, clock, good, bad, project, domain } = await unfollowed({ secret: true });
    const [path = ""] = await referencesOf(store, "production", good.revision);
    await vault.delete({ project: PROJECT, env: "production", name: "API_KEY", id: path.split("@")[1] ?? "" });
    for (const _ of [1, 2, 3]) {
      clock.time += LONG_ENOUGH;
      await domain.sweeper.runDue();
    }
    const { deployment, ...view } = await project.view("production");
    expect(view).toMatchObject({ ...bad, sync_status: "failed", hold: null });
    expect(deployment?.rollback_error).toContain("API_KEY");
    expect(await recordsOf({ store }, "rollback_failed")).toMatchObject([
      { actor: "engine", revision: bad.revision, details: { to: good.revision } },
    ]);
    await report({ domain }, bad, "deployed");
    expect((await project.view("production")).deployment).not.toHaveProperty("rollback_error");
  });

  test("is tried again where only the vault was away", async () => {
    const away = { now: false };
    const { store, vault, clock, bad, project } = await unfollowed({ secret: true });
    const failures: unknown[] = [];
    const absent = watchedVault(vault, async () => {
      if (away.now) throw new AppError("vault_unavailable");
    });
    const { sweeper } = domainOn(store, absent, failures);
    away.now = true;
    clock.time += 1;
    await sweeper.runDue();
    expect(failures).toContainEqual(expect.objectContaining({ code: "vault_unavailable" }));
    expect(await project.view("production")).toMatchObject(bad);
    away.now = false;
    await sweeper.runDue();
    expect(await project.view("production")).toMatchObject({ revision: bad.revision + 1 });
    expect(await recordsOf({ store }, "rollback")).toHaveLength(1);
  });

  test("is done by whoever follows the log next", async () => {
    const { store, follow, bad } = await unfollowed();
    const world = follow();
    await world.settled();
    expect(await recordsOf({ store }, "rollback")).toHaveLength(1);
    expect((await world.project.view("production")).revision).toBe(bad.revision + 1);
  });

  test("is not done to a newer head, which nobody has deployed yet", async () => {
    const { store, project, follow } = await unfollowed();
    await change(project, 3);
    const newer = await promoted({ project });
    const world = follow();
    await world.settled();
    expect(await recordsOf({ store }, "rollback")).toEqual([]);
    expect(await world.project.view("production")).toMatchObject(newer);
  });

  test("is not done where the same deployment went well after all", async () => {
    const { store, domain, bad, follow } = await unfollowed();
    await report({ domain }, bad, "deployed");
    const world = follow();
    await world.settled();
    expect(await recordsOf({ store }, "rollback")).toEqual([]);
    expect(await world.project.view("production")).toMatchObject({ ...bad, sync_status: "in_sync" });
  });

  test("listens to the planner's own reports as well", async () => {
    const world = await scene({ rollback_on_failure: true });
    const good = await promoted(world);
    await report(world, good, "deployed");
    const bad = await next(world, 2);
    for (const status of ["failed", "failed", "deploying", "failed"] as const) await report(world, bad, status);
    await world.settled();
    expect(await recordsOf(world, "rollback")).toHaveLength(1);
    expect(await world.project.view("production")).toMatchObject({ version: good.version });
    expect(world.planner.orders).toEqual([]);
  });

  test("is not done for a report that comes late, about what is not the newest any more", async () => {
    const world = await scene({ rollback_on_failure: true });
    const [first, second] = [await promoted(world), await next(world, 2)];
    await report(world, first, "deployed");
    const third = await next(world, 3);
    await report(world, second, "failed");
    await report(world, third, "deployed");
    await report(world, second, "failed");
    await report(world, first, "failed");
    await world.settled();
    await world.after(LONG_ENOUGH);
    expect(await recordsOf(world, "rollback")).toEqual([]);
    expect(await world.project.view("production")).toMatchObject({ ...third, sync_status: "in_sync" });
  });
});
