import { describe, expect, test } from "vitest";
import { expectReads } from "../domain/reads.ts";
import { auditRecords, PROJECT } from "../domain/support.ts";
import { approve, BEN } from "../governed/support.ts";
import { LONG_ENOUGH, openSending, type Sending } from "../sinks/support.ts";
import { breaks, builderAt, FAULTS, type Fault, feedbackAt, following, plannerAt, recovers, useMember } from "./support.ts";

/** Staging is one change ahead of production. */
async function ahead(
  { project, settled }: Pick<Sending, "project" | "settled">,
  rules: { readonly [rule: string]: boolean | number },
): Promise<void> {
  await project.create("staging");
  await project.set("staging", { "entities/Order": { fields: 1 } });
  await project.create("production", { base: "staging" });
  await project.set("staging", { "entities/Note": { fields: 1 } });
  // What was before the policy is none of its business.
  await settled();
  await project.policy({ environments: { production: rules } });
}

describe("a Platform Builder that cannot be relied on", () => {
  const builder = useMember("builder");

  test.each(FAULTS)("(%s) keeps no preview from being made; once it is back, the same request gives its address", async (fault) => {
    const world = following(await openSending({ builder: builderAt(builder) }));
    const { project, store } = world;
    await project.create("development");
    await project.set("development", { "entities/Order": { fields: 1 } });
    await breaks(builder, fault);
    const make = () => project.create("pr-1", { base: "development", type: "preview", expires_in: "72h" });

    expect(await make()).toMatchObject({
      status: "env_created",
      url: "https://preview.test/pf-777/pr-1",
      warning: expect.stringContaining("The Platform Builder engine"),
    });
    await expectReads(world, "pr-1");

    await recovers(builder, fault);
    const again = await make();
    expect(again).toMatchObject({ status: "env_updated", url: expect.stringContaining(".builder.example/pf-777/pr-1") });
    expect(again).not.toHaveProperty("warning");
    expect((await project.view("pr-1")).url).toBe(again.url);
    const { memory, breaches } = await builder.seen();
    expect(memory.previews.at(-1)).toBe(again.url);
    expect(breaches).toEqual([]);
    expect((await auditRecords(store)).filter(({ action }) => action === "preview_url")).toHaveLength(1);
  });
});

describe("a preview that is asked for with an idempotency key", () => {
  const builder = useMember("builder");

  async function asked() {
    const world = following(await openSending({ builder: builderAt(builder) }));
    await world.project.create("development");
    await world.project.set("development", { "entities/Order": { fields: 1 } });
    const caller = (key: string) => ({ ...world.project.caller, once: { id: key.repeat(64), content: "c".repeat(64) } });
    const make = (key: string) => world.project.as(caller(key)).create("pr-1", { base: "development", type: "preview", expires_in: "72h" });
    return { ...world, make };
  }

  test("is answered as it was first, though its address is another by now", async () => {
    const { make, project } = await asked();
    const first = await make("a");
    expect(first.url).toContain(".builder.example/pf-777/pr-1");
    await project.set("development", { "entities/Order": { fields: 2 } });
    const later = await make("b");
    expect(later.url).not.toBe(first.url);
    const orders = (await builder.seen()).memory.previews.length;
    expect(JSON.stringify(await make("a"))).toBe(JSON.stringify(first));
    expect((await builder.seen()).memory.previews).toHaveLength(orders);
    expect((await project.view("pr-1")).url).toBe(later.url);
  });

  test("is answered with the warning that it had, and another key asks again", async () => {
    const { make } = await asked();
    await breaks(builder, "away");
    const first = await make("a");
    expect(first).toMatchObject({ warning: expect.stringContaining("another Idempotency-Key") });
    await recovers(builder, "away");
    expect(JSON.stringify(await make("a"))).toBe(JSON.stringify(first));
    expect((await make("b")).url).toContain(".builder.example/");
  });
});

describe("a Feedback Loop that cannot be relied on", () => {
  const feedback = useMember("feedback");
  /** What answers badly has been told all the same: a status says it, the body does not. */
  const TAKES: readonly Fault[] = ["garbage"];

  test.each(FAULTS)("(%s) keeps nobody from asking and approving, and is told who waits when it is back", async (fault) => {
    const world = following(await openSending({ feedback: feedbackAt(feedback) }));
    const { project, store } = world;
    await ahead(world, { approvals: 1 });
    await breaks(feedback, fault);

    const asked = await project.promote("staging", "production");
    expect(asked.status).toBe("pending_approval");
    await world.settled();
    expect(await world.sink("feedback")).toMatchObject({ state: TAKES.includes(fault) ? "ok" : "failing" });
    await expectReads(world, "production");

    await recovers(feedback, fault);
    await world.after(LONG_ENOUGH);
    const { memory, breaches } = await feedback.seen();
    const request = (await auditRecords(store)).find(({ action }) => action === "request_promotion");
    expect(memory.requests).toMatchObject([
      { id: `${PROJECT}:${request?.seq}`, kind: "promotion_approval", promotion_id: asked.promotion_id, requested_by: "ann" },
    ]);
    expect(breaches).toEqual([]);
    expect(await world.sink("feedback")).toMatchObject({ state: "ok", backlog: 0, refused_count: 0 });
    expect(await approve(world, BEN, asked.promotion_id)).toMatchObject({ status: "ready_for_deploy" });
  });

  test.each(FAULTS)("(%s) is not told of a promotion that was decided meanwhile", async (fault) => {
    const world = following(await openSending({ feedback: feedbackAt(feedback) }));
    await ahead(world, { approvals: 1 });
    await breaks(feedback, fault);
    const asked = await world.project.promote("staging", "production");
    // What is under way is under way.
    await world.settled();
    const before = fault === "away" ? null : (await feedback.seen()).memory;
    expect(await approve(world, BEN, asked.promotion_id)).toMatchObject({ status: "ready_for_deploy" });

    await recovers(feedback, fault);
    await world.after(LONG_ENOUGH);
    expect((await feedback.seen()).memory).toEqual(before ?? { requests: [], repeated: [] });
    expect(await world.sink("feedback")).toMatchObject({ backlog: 0 });
  });
});

describe("a Deployment Planner that cannot be relied on", () => {
  const planner = useMember("deployment");
  /** How production is shown when the planner is back. It is asked again, */
  const AGAIN = "in_sync";
  /** or has the order, as far as anybody knows: what became of that is for the planner to report. */
  const REPORTED = "deploying";
  const AFTER: Readonly<Record<Fault, typeof AGAIN | typeof REPORTED>> = {
    away: AGAIN,
    "500": AGAIN,
    half: AGAIN,
    redirect: AGAIN,
    slow: REPORTED,
    nothing: REPORTED,
    garbage: REPORTED,
    huge: REPORTED,
  };

  test.each(FAULTS)("(%s) keeps no promotion from being made, and its work from nobody's sight", async (fault) => {
    const world = following(await openSending({ deployer: plannerAt(planner) }));
    const { project, domain } = world;
    await ahead(world, { auto_deploy: true });
    await breaks(planner, fault);

    const { status, version, revision } = await project.promote("staging", "production");
    expect(status).toBe("ready_for_deploy");
    await world.settled();
    expect(await project.view("production")).toMatchObject({ version, sync_status: "deploying" });
    await expectReads(world, "production");

    await recovers(planner, fault);
    await world.after(LONG_ENOUGH);
    const after = AFTER[fault];
    expect((await project.view("production")).sync_status).toBe(after);
    const report = { project: PROJECT, env: "production", version, revision: revision ?? 0, status: "deployed" } as const;
    if (after !== "in_sync") await domain.deployments.report(BEN, report);
    await world.settled();
    expect(await project.view("production")).toMatchObject({ version, sync_status: "in_sync" });
    const { memory, breaches } = await planner.seen();
    expect(memory.deployments.length).toBeLessThanOrEqual(1);
    expect(breaches).toEqual([]);
    expect(await world.sink("deployment")).toMatchObject({ state: "ok", backlog: 0, refused_count: 0 });
  });

  test.each(FAULTS)("(%s) has the next promotion when it is back, whatever became of this one", async (fault) => {
    const world = following(await openSending({ deployer: plannerAt(planner) }));
    const { project } = world;
    await ahead(world, { auto_deploy: true });
    await breaks(planner, fault);
    await project.promote("staging", "production");
    await world.settled();
    await project.set("staging", { "entities/Note": { fields: 2 } });
    await recovers(planner, fault);
    const { version } = await project.promote("staging", "production");
    await world.after(LONG_ENOUGH);
    expect(await project.view("production")).toMatchObject({ version, sync_status: "in_sync", deployed: { version, by: "engine" } });
    const { deployments } = (await planner.seen()).memory;
    expect(deployments.filter((one) => one.version === version)).toHaveLength(1);
    expect(deployments.at(-1)).toMatchObject({ env: "production", version, deployer: "ann" });
  });
});
