import { beforeEach, describe, expect, test } from "vitest";
import type { Domain } from "../../src/domain.ts";
import { AppError } from "../../src/errors.ts";
import { SYSTEM_PARTITION, systemKeys } from "../../src/keys.ts";
import type { Json } from "../../src/ports.ts";
import { auditRecords, document, documents, domainOn, PROJECT, type Project, wrapped } from "../domain/support.ts";
import { ANN, approve, BEN, deployed, FREEZE, type Governed, openGoverned, PLANNER, pass, reject, waiting } from "./support.ts";

let world: Governed;
let project: Project;

/** Development and staging run the same; production follows staging by itself, under these rules. */
async function following(rules: Readonly<Record<string, Json>> = {}): Promise<void> {
  await project.policy({ environments: { production: { auto_promote_from: "staging", ...rules } } });
}

beforeEach(async () => {
  world = await openGoverned();
  project = world.project;
  await project.create("staging");
  await project.set("staging", { "entities/Order": {} });
  await project.create("production", { base: "staging" });
  await project.set("staging", { "entities/Note": {} });
});

async function runDue(engines: readonly Pick<Domain, "sweeper">[] = [world.domain]): Promise<void> {
  await Promise.all(engines.map(({ sweeper }) => sweeper.runDue()));
}

/** Another instance, or the same one after a restart. */
const engine = () => domainOn(world.store, world.vault, world.failures);

const production = () => project.revisionNumber("production");

async function dueTimes(): Promise<string[]> {
  const entries = await documents(world.store, SYSTEM_PARTITION, systemKeys.duePrefix);
  return entries.map(({ key }) => key.split("/")[1] ?? "");
}

describe("a reported successful deployment of the source", () => {
  test("promotes what was deployed, without anybody's doing", async () => {
    await following();
    await deployed(world, "staging");
    expect(await production()).toBe(1);
    await runDue();
    expect(await project.state("production")).toEqual(await project.state("staging"));
    const [newest] = await project.revisions("production");
    expect(newest).toMatchObject({
      action: "promote",
      created_by: "auto-promotion",
      message: expect.stringContaining("was deployed in staging"),
    });
    expect(await dueTimes()).toEqual([]);
  });

  test("does so along the pipeline where the policy says auto_promote, one step for each report", async () => {
    await project.create("live", { base: "production" });
    await project.policy({
      pipeline: ["staging", "production", "live"],
      environments: { production: { auto_promote: true }, live: { auto_promote: true } },
    });
    await deployed(world, "staging");
    await runDue();
    expect([await production(), await project.revisionNumber("live")]).toEqual([2, 1]);
    await deployed(world, "production");
    await runDue();
    expect(await project.state("live")).toEqual(await project.state("staging"));
  });

  test("does so for every environment that follows it, by name or by type, however many there are", async () => {
    for (const env of ["eu", "us"]) await project.create(env, { base: "production", type: "custom" });
    await project.policy({
      environments: { production: { auto_promote_from: "staging" }, "type:custom": { auto_promote_from: "staging" } },
    });
    await deployed(world, "staging");
    await runDue();
    for (const env of ["production", "eu", "us"]) expect(await project.revisionNumber(env)).toBe(2);
  });

  test("does nothing without such a policy, and nothing where the deployment failed", async () => {
    await deployed(world, "staging");
    await following();
    await deployed(world, "staging", "failed");
    await runDue();
    expect(await production()).toBe(1);
  });

  test("is acted on once though three engines look at once", async () => {
    await following();
    await deployed(world, "staging");
    await runDue([engine(), engine(), engine()]);
    await runDue();
    expect(await production()).toBe(2);
  });

  test("is acted on after a restart", async () => {
    await following();
    await deployed(world, "staging");
    await runDue([engine()]);
    expect(await production()).toBe(2);
  });

  test("is acted on though a sweep came between its timer and its commit", async () => {
    await following();
    const { version, revision } = await project.view("staging");
    const store = wrapped(world.store, {
      commit: async (partition, change) => {
        if (partition === PROJECT) await runDue();
        return world.store.commit(partition, change);
      },
    });
    await domainOn(store, world.vault).deployments.report(PLANNER, {
      project: PROJECT,
      env: "staging",
      version,
      revision,
      status: "deployed",
    });
    await runDue();
    expect(await production()).toBe(2);
  });
});

describe("what is not deployed", () => {
  test("is not promoted: an edit after the report stops it", async () => {
    await following();
    await deployed(world, "staging");
    await project.set("staging", { "entities/Late": {} });
    await runDue();
    expect(await production()).toBe(1);
  });

  test("is not promoted though the edit comes while the promotion is being planned", async () => {
    await following();
    await deployed(world, "staging");
    let edited = false;
    const store = wrapped(world.store, {
      commit: async (partition, change) => {
        if (partition === PROJECT && !edited) {
          edited = true;
          await project.set("staging", { "entities/Late": {} });
        }
        return world.store.commit(partition, change);
      },
    });
    await runDue([domainOn(store, world.vault, world.failures)]);
    await runDue();
    expect(edited).toBe(true);
    expect(Object.keys((await project.state("production")).entities ?? {})).not.toContain("Late");
  });
});

describe("a check that fails", () => {
  test.each<readonly [string, number]>([
    ["by itself", 0],
    ["where people must approve it as well", 1],
  ])("for its soak time alone is tried again when that is over, %s", async (_how, approvals) => {
    await following({ soak: "2h", ...(approvals > 0 && { approvals }) });
    pass(world.clock, "30m");
    await deployed(world, "staging");
    await runDue();
    expect([await production(), await dueTimes()]).toEqual([1, ["2026-01-01T02:00:00.000Z"]]);
    pass(world.clock, "89m");
    await runDue();
    expect([await production(), await waiting(world)]).toEqual([1, []]);
    pass(world.clock, "2m");
    await runDue();
    if (approvals === 0) expect(await production()).toBe(2);
    else expect(await waiting(world)).toMatchObject([{ status: "pending", requested_by: "auto-promotion" }]);
  });

  test("for a freeze is tried again when that is over", async () => {
    await following({ freeze: [FREEZE] });
    pass(world.clock, "11h");
    await deployed(world, "staging");
    await runDue();
    expect([await production(), await dueTimes()]).toEqual([1, ["2026-01-01T12:00:00.000Z"]]);
    pass(world.clock, "61m");
    await runDue();
    expect(await production()).toBe(2);
  });

  test("for soak time and a freeze is tried again when both are over", async () => {
    await following({ freeze: [FREEZE], soak: "14h" });
    pass(world.clock, "11h");
    await deployed(world, "staging");
    await runDue();
    expect(await dueTimes()).toEqual(["2026-01-01T14:00:00.000Z"]);
    pass(world.clock, "4h");
    await runDue();
    expect(await production()).toBe(2);
  });

  test("for anything else waits for a person, or the next report", async () => {
    await following();
    await project.set("staging", { "requires/REGION": { kind: "var", description: "Where." } });
    await deployed(world, "staging");
    await runDue();
    expect([await production(), await dueTimes()]).toEqual([1, []]);
    await project.configure("production", { vars: { REGION: "eu" } });
    await deployed(world, "staging");
    await runDue();
    expect(await production()).toBe(3);
  });

  test("for what was edited meanwhile is not tried again", async () => {
    await following({ soak: "2h" });
    await deployed(world, "staging");
    await runDue();
    await project.set("staging", { "entities/Late": {} });
    pass(world.clock, "3h");
    await runDue();
    expect([await production(), await dueTimes()]).toEqual([1, []]);
  });

  test("in one environment does not keep the others from following", async () => {
    await project.create("alpha", { base: "production", type: "custom" });
    await project.policy({
      environments: { alpha: { auto_promote_from: "staging", require_from: "production" }, production: { auto_promote_from: "staging" } },
    });
    await deployed(world, "staging");
    await runDue();
    expect([await project.revisionNumber("alpha"), await production()]).toEqual([1, 2]);
  });
});

test("a store that fails for a moment is told of, and loses no automatic promotion", async () => {
  await following();
  await deployed(world, "staging");
  let broken = true;
  const store = wrapped(world.store, {
    commit: async (partition, change) => {
      if (broken && partition === PROJECT) throw new AppError("store_unavailable");
      return world.store.commit(partition, change);
    },
  });
  const failures: unknown[] = [];
  const failing = domainOn(store, world.vault, failures);
  await runDue([failing]);
  expect([failures.length, await production()]).toEqual([1, 1]);
  broken = false;
  await runDue([failing]);
  expect(await production()).toBe(2);
});

describe("a rollback of the target", () => {
  async function rolledBack(): Promise<void> {
    await following();
    await deployed(world, "staging");
    await runDue();
    await project.rollback("production", 1, { message: "Notes are broken" });
  }

  test("stops automatic promotions by its hold, for later versions too", async () => {
    await rolledBack();
    await deployed(world, "staging");
    await runDue();
    await project.set("staging", { "entities/Other": {} });
    await deployed(world, "staging");
    await runDue();
    expect([await production(), await dueTimes()]).toEqual([3, []]);
  });

  test("stops them until it is resumed: from then on the next report counts", async () => {
    await rolledBack();
    await world.domain.environments.resume(ANN, { project: PROJECT, env: "production" });
    await runDue();
    // What was rolled back does not come back by the resuming alone.
    expect(await production()).toBe(3);
    await project.set("staging", { "entities/Note": { mended: true } });
    await deployed(world, "staging");
    await runDue();
    expect(await project.state("production")).toEqual(await project.state("staging"));
  });

  test("stops them until somebody promotes by hand", async () => {
    await rolledBack();
    await project.promote("staging", "production");
    await project.set("staging", { "entities/Other": {} });
    await deployed(world, "staging");
    await runDue();
    expect(await production()).toBe(5);
  });
});

describe("where people must approve it", () => {
  test("it is put up once, however often the deployment is reported and by however many engines", async () => {
    await following({ approvals: 1 });
    for (const _ of [1, 2, 3]) {
      await deployed(world, "staging");
      await runDue([engine(), engine(), engine()]);
      pass(world.clock, "1m");
    }
    const list = await waiting(world);
    expect(list).toMatchObject([{ status: "pending", requested_by: "auto-promotion", waiting_for: null }]);
    expect(await approve(world, BEN, list[0]?.id)).toMatchObject({ status: "ready_for_deploy" });
    expect(world.failures).toEqual([]);
  });

  test("a rejected one is not put up again for the same deployment, but for the next", async () => {
    await following({ approvals: 1 });
    await deployed(world, "staging");
    await runDue();
    const [first] = await waiting(world);
    await reject(world, BEN, first?.id, "Not this one.");
    await deployed(world, "staging");
    await runDue();
    expect(await waiting(world, "pending")).toEqual([]);
    await project.set("staging", { "entities/Other": {} });
    await deployed(world, "staging");
    await runDue();
    expect(await waiting(world, "pending")).toMatchObject([{ requested_by: "auto-promotion" }]);
  });

  test("one goes on waiting while its target is held, though all have approved it", async () => {
    await following({ approvals: 1 });
    await deployed(world, "staging");
    await runDue();
    const [waits] = await waiting(world);
    await world.domain.environments.hold(ANN, { project: PROJECT, env: "production", reason: "Incident" });
    const approved = await approve(world, BEN, waits?.id);
    expect(approved).toMatchObject({ status: "pending_approval" });
    expect(approved.checks.filter(({ status }) => status === "failed").map(({ name }) => name)).toEqual(["hold"]);
    for (const _ of [1, 2, 3]) {
      pass(world.clock, "2m");
      await runDue();
    }
    expect([await production(), (await project.view("production")).hold]).toEqual([1, expect.objectContaining({ by: "ann" })]);
    await world.domain.environments.resume(ANN, { project: PROJECT, env: "production" });
    pass(world.clock, "2m");
    await runDue();
    expect([await production(), await waiting(world)]).toEqual([2, [expect.objectContaining({ status: "applied" })]]);
  });

  test("one that an edit of the target voided is put up anew with the next report", async () => {
    await following({ approvals: 1 });
    await deployed(world, "staging");
    await runDue();
    await project.configure("production", { vars: { REGION: "eu" } });
    await deployed(world, "staging");
    await runDue();
    expect((await waiting(world)).map(({ status }) => status).sort()).toEqual(["pending", "voided"]);
  });
});

test("the audit log tells an automatic promotion from one that somebody asked for", async () => {
  await following();
  await deployed(world, "staging");
  await runDue();
  const [promoted] = (await auditRecords(world.store)).filter(({ action }) => action === "promote");
  expect(promoted).toMatchObject({ actor: "auto-promotion", environment: "production", details: { source: "staging@3" } });
  expect(await document(world.store, "project")).toMatchObject({ project_id: PROJECT });
});
