import { describe, expect, test } from "vitest";
import type { DeployOutcome } from "../../src/ports.ts";
import { auditRecords, domainOn, gate, memoryStore, openWorld, PROJECT, Project, TestClock } from "../domain/support.ts";
import { LONG_ENOUGH, later, sendingOn } from "../sinks/support.ts";
import { AWAY, ahead, change, FAILED, next, OK, promoted, recordsOf, replay, report, scene } from "./scene.ts";
import { following, ScriptedPlanner } from "./support.ts";

describe("what the Deployment Planner answers", () => {
  test("that it deployed is what the environment shows, with its URL and its own name for it", async () => {
    const world = await scene();
    const { version, revision } = await promoted(world);
    await world.settled();
    expect(world.planner.orders).toMatchObject([{ project: PROJECT, env: "production", version, deployer: "ann" }]);
    expect(await world.project.view("production")).toMatchObject({
      sync_status: "in_sync",
      deployed: { version, revision, url: "https://live.example", version_id: "deployment-1", by: "engine" },
    });
    expect((await world.domain.deployments.active(PROJECT, "production", {})).body).toMatchObject({ url: "https://live.example" });
  });

  test("that it failed is what the environment shows, with stage, reason and what to do", async () => {
    const world = await scene();
    world.planner.answer = () => FAILED;
    const { version } = await promoted(world);
    await world.settled();
    const reason = "migrate: The database refuses it. Mend the migration.";
    expect(await world.project.view("production")).toMatchObject({
      version,
      sync_status: "failed",
      deployment: { status: "failed", version, reason },
      deployed: null,
      hold: null,
    });
    expect((await recordsOf(world, "deployment")).map(({ details }) => details.status)).toEqual(["deploying", "failed"]);
    await world.after(LONG_ENOUGH);
    expect(world.planner.versions).toEqual([version]);
  });

  test("without stage and fix, the reason stands alone", async () => {
    const world = await scene();
    world.planner.answer = () => ({ ok: false, reason: "No.", stage: null, fix: null });
    await promoted(world);
    await world.settled();
    expect((await world.project.view("production")).deployment?.reason).toBe("No.");
  });

  test("a reason without a full stop gets one before what to do", async () => {
    const world = await scene();
    world.planner.answer = () => ({ ok: false, reason: "no quota", stage: "build", fix: "Ask for more." });
    await promoted(world);
    await world.settled();
    expect((await world.project.view("production")).deployment?.reason).toBe("build: no quota. Ask for more.");
  });

  test("while it is at work, the environment shows that it is deploying", async () => {
    const world = await scene();
    const [begun, done] = [gate(), gate()];
    world.planner.answer = async () => {
      begun.open();
      await done.opened;
      return OK;
    };
    await promoted(world);
    await begun.opened;
    expect((await world.project.view("production")).sync_status).toBe("deploying");
    done.open();
    await world.settled();
    expect((await world.project.view("production")).sync_status).toBe("in_sync");
  });
});

describe("what is deployed by itself", () => {
  test("is nothing where the policy does not say so", async () => {
    const world = await scene({ auto_deploy: false, rollback_on_failure: true });
    await promoted(world);
    await world.settled();
    expect(world.planner.orders).toEqual([]);
    expect((await world.project.view("production")).sync_status).toBe("never_deployed");
  });

  test("is every new head: of a promotion, of new config, of a rollback; and what makes none is not", async () => {
    const world = await scene();
    const { project, domain, planner } = world;
    const first = await promoted(world);
    await world.settled();
    const config = await project.configure("production", { vars: { LEVEL: "1" } });
    await world.settled();
    await domain.environments.hold(project.caller, { project: PROJECT, env: "production", reason: "Wait." });
    await domain.environments.resume(project.caller, { project: PROJECT, env: "production" });
    await world.settled();
    const back = await project.rollback("production", first.revision);
    await world.settled();
    expect(planner.versions).toEqual([first.version, config.version, back.version]);
    expect((await project.view("production")).sync_status).toBe("in_sync");
  });

  test("is the newest head alone: those that it overtook while the planner was at work are passed over", async () => {
    const world = await scene();
    const [begun, done] = [gate(), gate()];
    world.planner.answer = async () => {
      begun.open();
      await done.opened;
      return OK;
    };
    const first = await promoted(world);
    await begun.opened;
    for (const fields of [2, 3, 4]) {
      await change(world.project, fields);
      await promoted(world);
    }
    done.open();
    await world.settled();
    const { version } = await world.project.view("production");
    expect(world.planner.versions).toEqual([first.version, version]);
    expect(await world.project.view("production")).toMatchObject({ sync_status: "in_sync", deployed: { version } });
  });

  test("is the newest head alone after the planner was away", async () => {
    const world = await scene();
    world.planner.answer = () => Promise.reject(AWAY);
    await promoted(world);
    await world.settled();
    await next(world, 2);
    const { version } = await next(world, 3);
    const before = world.planner.orders.length;
    world.planner.answer = () => OK;
    await world.after(LONG_ENOUGH);
    expect(world.planner.versions.slice(before)).toEqual([version]);
    expect(await world.project.view("production")).toMatchObject({ version, sync_status: "in_sync" });
    expect(await world.sink("deployment")).toMatchObject({ state: "ok", backlog: 0 });
  });

  test("is told by its id, the same each time that it is given, and another's for the same version later", async () => {
    const world = await scene();
    const { version, revision } = await promoted(world);
    await world.settled();
    world.planner.answer = () => Promise.reject(AWAY);
    await next(world, 2);
    await world.after(LONG_ENOUGH);
    world.planner.answer = () => OK;
    await world.after(LONG_ENOUGH);
    await world.project.rollback("production", revision);
    await world.settled();
    const [first, ...again] = world.planner.orders;
    const last = again.pop();
    expect(again.length).toBeGreaterThan(1);
    expect(new Set(again.map(({ id }) => id)).size).toBe(1);
    expect(last).toMatchObject({ version });
    expect(new Set([first?.id, again[0]?.id, last?.id]).size).toBe(3);
    for (const { id } of world.planner.orders) expect(id).toMatch(/^pf-777:\d+$/);
  });

  test("is not what was archived meanwhile", async () => {
    const world = await scene();
    world.planner.answer = () => Promise.reject(AWAY);
    await promoted(world);
    await world.settled();
    const before = world.planner.orders.length;
    await world.domain.environments.archive(world.project.caller, { project: PROJECT, env: "production" });
    await world.after(LONG_ENOUGH);
    expect(world.planner.orders).toHaveLength(before);
    expect(await world.sink("deployment")).toMatchObject({ state: "ok", backlog: 0 });
  });

  test("is not what the planner has reported by itself", async () => {
    const world = await scene();
    world.planner.answer = () => Promise.reject(AWAY);
    const made = await promoted(world);
    await world.settled();
    const before = world.planner.orders.length;
    await report(world, made, "deployed");
    world.planner.answer = () => OK;
    await world.after(LONG_ENOUGH);
    expect(world.planner.orders).toHaveLength(before);
    expect(await world.project.view("production")).toMatchObject({ sync_status: "in_sync", deployed: { by: "planner" } });
  });

  test("is so once, where two engines follow the same log", async () => {
    const [first, second] = [new ScriptedPlanner(() => OK), new ScriptedPlanner(() => OK)];
    const clock = new TestClock();
    const { store, vault } = await openWorld({ store: memoryStore(clock) });
    const one = following(sendingOn({ store, vault, deployer: first }, clock));
    const other = following(sendingOn({ store, vault, deployer: second }, clock));
    await ahead(one, { auto_deploy: true });
    const { version } = await promoted(one);
    for (const engine of [one, other]) await engine.settled();
    await one.after(LONG_ENOUGH);
    await other.after(LONG_ENOUGH);
    expect([...first.versions, ...second.versions]).toEqual([version]);
  });
});

describe("an engine that ends in between", () => {
  test("after the commit, before anybody was asked: the next one asks", async () => {
    const { store, vault, project } = await openWorld({ store: memoryStore(new TestClock()) });
    await ahead({ project }, { auto_deploy: true });
    const { version } = await promoted({ project });
    const planner = new ScriptedPlanner(() => OK);
    const world = following(sendingOn({ store, vault, deployer: planner }, new TestClock()));
    await world.settled();
    expect(planner.versions).toEqual([version]);
    expect((await world.project.view("production")).sync_status).toBe("in_sync");
  });

  test("after it was deployed, before that was kept: the log is followed again, and nothing is deployed twice", async () => {
    const world = await scene();
    await promoted(world);
    await world.settled();
    await next(world, 2);
    const before = [world.planner.versions, await auditRecords(world.store)];
    await replay(world);
    expect([world.planner.versions, await auditRecords(world.store)]).toEqual(before);
    expect(await world.sink("deployment")).toMatchObject({ state: "ok", backlog: 0 });
  });
});

describe("what the planner reports while it has an order", () => {
  /** The planner has the order of a new head, and answers when it is told. */
  async function ordered(outcome: DeployOutcome, rules: { readonly [rule: string]: boolean } = { auto_deploy: true }) {
    const world = await scene(rules);
    const [begun, done] = [gate(), gate()];
    world.planner.answer = async () => {
      begun.open();
      await done.opened;
      return outcome;
    };
    later(async () => done.open());
    const made = await promoted(world);
    await begun.opened;
    return { ...world, made, done };
  }

  test("that it is deploying, and that it has, again and again, is told once", async () => {
    const { made, done, ...world } = await ordered(OK);
    for (const status of ["deploying", "deployed", "deploying", "deployed"] as const) await report(world, made, status);
    done.open();
    await world.settled();
    expect((await recordsOf(world, "deployment")).map(({ details }) => details.status)).toEqual(["deploying", "deployed"]);
    expect(await world.project.view("production")).toMatchObject({ sync_status: "in_sync", deployed: { by: "planner" } });
  });

  test("of a newer head is not overwritten by the answer about the older one", async () => {
    const { made, done, ...world } = await ordered(FAILED, { auto_deploy: true, rollback_on_failure: true });
    await change(world.project, 2);
    const newer = await promoted(world);
    await report(world, newer, "deployed");
    done.open();
    await world.settled();
    expect(await world.project.view("production")).toMatchObject({
      ...newer,
      sync_status: "in_sync",
      deployment: { ...newer, status: "deployed" },
    });
    expect(await recordsOf(world, "rollback")).toEqual([]);
    expect(world.planner.versions).toEqual([made.version]);
  });

  test("that it failed, before it answers that it did not, ends in what it said last", async () => {
    const { made, done, ...world } = await ordered(OK);
    await report(world, made, "failed");
    done.open();
    await world.settled();
    expect(await world.project.view("production")).toMatchObject({ ...made, sync_status: "in_sync" });
  });
});

test("an engine without a Deployment Planner keeps the policy and orders nothing", async () => {
  const { store, vault, project } = await openWorld();
  await ahead({ project }, { auto_deploy: true });
  await promoted({ project });
  const other = new Project(domainOn(store, vault));
  expect((await other.view("production")).sync_status).toBe("never_deployed");
});
