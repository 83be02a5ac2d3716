import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Sibling, SiblingBounds } from "../../src/engines/sibling.ts";
import { ValidationEngine } from "../../src/engines/validation.ts";
import type { CheckResult } from "../../src/model.ts";
import type { JsonObject } from "../../src/ports.ts";
import { expectReads } from "../domain/reads.ts";
import { auditRecords, caller, domainOn, errorOf, openWorld, PROJECT, Project, type World } from "../domain/support.ts";
import { expectSilence, PatientSibling } from "../support/patient-sibling.ts";
import type { Behaviour } from "./children/validation-engine.ts";
import { StandIn } from "./support.ts";

const engine = new StandIn();
const BOUNDS: SiblingBounds = { attempts: 2, firstPauseMs: 1, failures: 100, pauseMs: 1 };
const siblings: Sibling[] = [];

beforeAll(async () => {
  await engine.start();
});
beforeEach(() => behave("well"));
afterEach(() => Promise.all(siblings.splice(0).map((sibling) => sibling.close())));
afterAll(() => engine.stop());

async function behave(behaviour: Behaviour): Promise<void> {
  await engine.behave(behaviour);
  expectSilence(behaviour === "nothing");
}

function validator(): ValidationEngine {
  const sibling = new PatientSibling("Validation", engine.url, BOUNDS);
  siblings.push(sibling);
  return new ValidationEngine(sibling);
}

const flow = (...names: string[]) => ({ trigger: "Order.created", actions: names.map((name) => ({ name })) });

/** Staging is ahead of production by `flows`; production wants validation as the policy says. */
async function governed(flows: JsonObject, validation: string, more: JsonObject = {}): Promise<World> {
  const world = await openWorld({ validator: validator() });
  await ahead(world.project, flows, validation, more);
  return world;
}

async function ahead(project: Project, flows: JsonObject, validation: string, more: JsonObject = {}): Promise<void> {
  await project.create("staging");
  await project.set("staging", { "flows/first": flow("send"), "flows/draft": { note: "nothing yet" }, "entities/Order": { trigger: 1 } });
  await project.create("production", { base: "staging" });
  await project.set("staging", flows);
  await project.policy({ environments: { production: { validation, ...more } } });
}

const check = ({ checks }: { readonly checks: readonly CheckResult[] }) => checks.find(({ name }) => name === "validation");

describe("validation", () => {
  test("lets a promotion through whose flows are valid, and asks about flows that do something alone", async () => {
    const { project } = await governed({ "flows/second": flow("store") }, "required");
    const promoted = await project.promote("staging", "production");
    expect(promoted.status).toBe("ready_for_deploy");
    expect(check(promoted)).toMatchObject({ status: "passed", reason: expect.stringContaining("2") });
    expect(await engine.asked()).toHaveLength(2);
  });

  test("refuses one whose flows are not, with component and field, changes nothing and keeps a record", async () => {
    const { project, store } = await governed({ "flows/second": flow("store", "wrong") }, "required");
    const before = await project.view("production");
    const error = await errorOf(project.promote("staging", "production"));
    expect(error).toMatchObject({ code: "checks_failed" });
    expect(check(error.details as never)?.details).toMatchObject({
      errors: [{ component: "flows/second", field: "actions[1]", reason: "there is no such action" }],
      error_count: 1,
    });
    expect(await project.view("production")).toEqual(before);
    expect((await auditRecords(store)).at(-1)).toMatchObject({
      action: "validation_failed",
      environment: "production",
      details: { type: "production" },
    });
  });

  test("of a dry run is told, and no record is kept", async () => {
    const { project, store } = await governed({ "flows/second": flow("wrong") }, "required");
    const records = (await auditRecords(store)).length;
    const plan = await project.plan("staging", "production");
    expect(check(plan)?.status).toBe("failed");
    expect(plan.applicable).toBe(false);
    expect(await auditRecords(store)).toHaveLength(records);
  });

  test("that is advisory warns of errors, and promotes", async () => {
    const { project } = await governed({ "flows/second": flow("wrong") }, "advisory");
    const promoted = await project.promote("staging", "production");
    expect(promoted.status).toBe("ready_for_deploy");
    expect(check(promoted)).toMatchObject({ status: "warning", details: { error_count: 1 } });
  });

  test("passes on warnings", async () => {
    const { project } = await governed({ "flows/second": flow("odd") }, "required");
    expect(check(await project.promote("staging", "production"))).toMatchObject({
      status: "warning",
      details: { warnings: [{ component: "flows/second", field: "actions[0]", reason: "is not used any more" }] },
    });
  });

  test("that the policy does not ask for asks nobody", async () => {
    const { project } = await governed({ "flows/second": flow("wrong") }, "off");
    expect(check(await project.promote("staging", "production"))?.status).toBe("skipped");
    expect(await engine.asked()).toEqual([]);
  });

  test("without an engine is skipped, visibly", async () => {
    const { project } = await openWorld();
    await project.create("staging");
    await project.create("production");
    await project.set("staging", { "flows/a": flow("wrong") });
    await project.policy({ environments: { production: { validation: "required" } } });
    expect(check(await project.promote("staging", "production"))).toMatchObject({
      status: "skipped",
      reason: "No Validation engine is configured.",
    });
  });

  test("asks about the same content once, and after a promotion about what changed since", async () => {
    const { project, store, vault } = await governed({ "flows/second": flow("store") }, "required");
    await project.plan("staging", "production");
    await project.promote("staging", "production");
    expect(await engine.asked()).toHaveLength(2);
    await behave("well");
    await project.set("staging", { "flows/third": flow("third"), "flows/again": flow("store") });
    // Another engine on the same store has asked nobody yet: the commit kept how far validation had come.
    const other = new Project(domainOn(store, vault, [], { validator: validator() }));
    await other.promote("staging", "production");
    expect(await engine.asked()).toEqual(expect.arrayContaining([flow("third"), flow("store")]));
    expect(await engine.asked()).toHaveLength(2);
  });

  test("of 500 flows is done a few at a time, and of one more among them with one question", async () => {
    const flows = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`flows/f${index}`, flow(`step-${index}`)]));
    const { project } = await governed(flows, "required");
    await project.promote("staging", "production");
    expect(await engine.asked()).toHaveLength(501);
    await behave("well");
    await project.set("staging", { "flows/f77": flow("another") });
    await project.promote("staging", "production");
    expect(await engine.asked()).toEqual([flow("another")]);
  });
});

describe("a Validation engine that cannot be relied on", () => {
  const FAULTS = ["nothing", "500", "garbage", "half", "redirect", "huge", "contradiction"] as const;

  test.each(FAULTS)("(%s) keeps a promotion that needs it out, and changes nothing", async (behaviour) => {
    const { project, store, domain } = await governed({ "flows/second": flow("store") }, "required");
    await behave(behaviour);
    const [before, records] = [await project.view("production"), (await auditRecords(store)).length];
    const error = await errorOf(project.promote("staging", "production"));
    expect(error).toMatchObject({ code: "validation_unavailable", status: 503 });
    expect(error.message).toContain("Validation");
    expect(await project.view("production")).toEqual(before);
    expect(await auditRecords(store)).toHaveLength(records);
    await expectReads({ domain, project }, "production");
    await behave("well");
    expect((await project.promote("staging", "production")).status).toBe("ready_for_deploy");
    expect(await auditRecords(store)).toHaveLength(records + 1);
  });

  test("(slow) is waited for, which keeps nobody else waiting", async () => {
    const world = await openWorld({ validator: validator() });
    const { project } = world;
    await ahead(project, { "flows/second": flow("store") }, "required");
    await behave("slow");
    const promoted = project.promote("staging", "production");
    await expect.poll(() => engine.asked()).toHaveLength(2);
    await expectReads(world, "production");
    await project.configure("production", { vars: { MEANWHILE: "1" } });
    await behave("well");
    expect((await promoted).status).toBe("ready_for_deploy");
  });

  test.each(FAULTS)("(%s) warns a promotion that would only like it", async (behaviour) => {
    const { project } = await governed({ "flows/second": flow("store") }, "advisory");
    await behave(behaviour);
    const promoted = await project.promote("staging", "production");
    expect(promoted.status).toBe("ready_for_deploy");
    expect(check(promoted)).toMatchObject({ status: "warning", details: { unavailable: true } });
  });

  test("and is not there at all is the same, and is left alone after some failures", async () => {
    const { project } = await governed({ "flows/second": flow("store") }, "required");
    await engine.stop();
    expect(await errorOf(project.promote("staging", "production"))).toMatchObject({ code: "validation_unavailable" });
    await engine.start();
    expect((await project.promote("staging", "production")).status).toBe("ready_for_deploy");
  });

  test("does not keep what else is wrong from being told", async () => {
    const { project } = await governed({ "flows/second": flow("store"), "requires/KEY": { kind: "var", description: "d" } }, "required");
    await behave("500");
    expect(await errorOf(project.promote("staging", "production"))).toMatchObject({ code: "checks_failed" });
  });

  test("can be passed over by force, where the policy lets an admin", async () => {
    const { project } = await governed({ "flows/second": flow("store") }, "required", { forceable: ["validation"] });
    await behave("500");
    const promoted = await project.promote("staging", "production", { force: { reason: "it is down" } });
    expect(promoted.status).toBe("ready_for_deploy");
  });
});

describe("a promotion that waits for approval", () => {
  const approve = ({ domain }: World, who: string, id: string | undefined) =>
    domain.pending.approve(caller(who), { project: PROJECT, id: id ?? "" });

  test("is validated when it is asked for, and again by the last approval", async () => {
    const world = await governed({ "flows/second": flow("store") }, "required", { approvals: 2 });
    const { promotion_id } = await world.project.promote("staging", "production");
    expect((await approve(world, "ben", promotion_id)).status).toBe("pending_approval");
    expect(await approve(world, "cleo", promotion_id)).toMatchObject({ status: "ready_for_deploy" });
  });

  test("is not applied while validation is away, and is by itself when it is back", async () => {
    const world = await governed({ "flows/second": flow("store") }, "required", { approvals: 1 });
    const { promotion_id } = await world.project.promote("staging", "production");
    const later = domainOn(world.store, world.vault, [], { validator: validator() });
    await behave("500");
    const approved = await later.pending.approve(caller("ben"), { project: PROJECT, id: promotion_id ?? "" });
    expect(approved.status).toBe("pending_approval");
    expect(check(approved)).toMatchObject({ status: "failed", details: { unavailable: true } });
    await behave("well");
    await later.pending.settle(caller("engine"), PROJECT, promotion_id ?? "");
    expect((await world.project.view("production")).revision).toBe(2);
  });

  test("is not applied unvalidated where two approve it at once", async () => {
    const world = await governed({ "flows/second": flow("store") }, "required", { approvals: 2 });
    const { promotion_id } = await world.project.promote("staging", "production");
    const replies = await Promise.all([approve(world, "ben", promotion_id), approve(world, "cleo", promotion_id)]);
    expect(replies.map(({ status }) => status)).toEqual(["pending_approval", "pending_approval"]);
    await world.domain.pending.settle(caller("engine"), PROJECT, promotion_id ?? "");
    expect((await world.project.view("production")).revision).toBe(2);
  });
});
