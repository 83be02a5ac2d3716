import { describe, expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import type { AuditRecord } from "../../src/model.ts";
import type { DeployOutcome } from "../../src/ports.ts";
import { auditRecords, documents, domainOn, gate, memoryStore, openWorld, PROJECT, Project, TestClock } from "../domain/support.ts";
import { PLANNER } from "../governed/support.ts";
import { LONG_ENOUGH, later, openSending, type Sending, sendingOn } from "../sinks/support.ts";
import { following, ScriptedPlanner } from "./support.ts";

const FAILED: DeployOutcome = { ok: false, reason: "The database refuses it.", stage: "migrate", fix: "Mend the migration." };
const OK: DeployOutcome = { ok: true, url: "https://live.example", versionId: "deployment-1" };
const AWAY = new AppError("engine_unavailable", { reason: "It cannot be reached.", details: { failure: "unreachable" } });

type Ahead = Pick<Sending, "project"> & Partial<Pick<Sending, "settled">>;

interface Scene extends Sending {
  readonly planner: ScriptedPlanner;
}

/** Staging is one change ahead of production, which is deployed by itself where the policy says nothing else. */
async function scene(rules: { readonly [rule: string]: boolean | number } = { auto_deploy: true }): Promise<Scene> {
  const planner = new ScriptedPlanner(() => OK);
  const world = following(await openSending({ deployer: planner }));
  await ahead(world, rules);
  await world.settled();
  return { ...world, planner };
}

async function ahead({ project, settled }: Ahead, rules: { readonly [rule: string]: boolean | number }): Promise<void> {
  await project.create("staging");
  await project.set("staging", { "entities/Order": { fields: 1 } });
  await project.create("production", { base: "staging" });
  // What was before the policy is none of its business.
  await settled?.();
  await project.policy({ environments: { production: rules } });
  await change(project, 1);
}

function change(project: Project, fields: number) {
  return project.set("staging", { "entities/Note": { fields } });
}

async function promoted({ project }: Pick<Sending, "project">): Promise<{ readonly version: string; readonly revision: number }> {
  const { version, revision } = await project.promote("staging", "production");
  return { version, revision: revision ?? 0 };
}

/** One more change, promoted and settled. */
async function next(world: Scene, fields: number): Promise<{ readonly version: string; readonly revision: number }> {
  await change(world.project, fields);
  const made = await promoted(world);
  await world.settled();
  return made;
}

function report(
  { domain }: Pick<Sending, "domain">,
  about: { version: string; revision: number },
  status: "deploying" | "deployed" | "failed",
) {
  return domain.deployments.report(PLANNER, { project: PROJECT, env: "production", ...about, status });
}

async function recordsOf({ store }: Pick<Sending, "store">, ...actions: readonly string[]): Promise<readonly AuditRecord[]> {
  return (await auditRecords(store)).filter(({ action, environment }) => environment === "production" && actions.includes(action));
}

/** Makes the follower of the log begin again: as after a crash before any of its cursor was kept. */
async function replay({ store, domain, settled }: Scene): Promise<void> {
  const partition = `_sinks:${PROJECT}`;
  const deletes = (await documents(store, partition)).map(({ key }) => key);
  await store.commit(partition, { checks: [], puts: [], deletes, objects: [], objectDeletes: [] });
  await domain.sinks.visit(PROJECT);
  await settled();
}

describe("what the Deployment Planner answers", () => {
  test("that it deployed is what the environment shows, with its URL and its own name for it", async () => {
    const world = await scene();
    const { version, revision } = await promoted(world);
    await world.settled();
    expect(world.planner.orders).toEqual([{ project: PROJECT, env: "production", version, deployer: "ann" }]);
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
