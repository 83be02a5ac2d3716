import { beforeEach, describe, expect, test } from "vitest";
import type { PendingPromotion } from "../../src/approvals.ts";
import { keys, SYSTEM_PARTITION, systemKeys } from "../../src/keys.ts";
import { LIMITS } from "../../src/limits.ts";
import {
  auditRecords,
  caller,
  codeOf,
  document,
  documents,
  domainOn,
  errorOf,
  gate,
  PROJECT,
  Project,
  referencesOf,
  vaultEntries,
  wrapped,
} from "../domain/support.ts";
import {
  ANN,
  approve,
  at,
  BEN,
  CLEO,
  FREEZE,
  forProduction,
  type Governed,
  openGoverned,
  PLANNER,
  pass,
  reject,
  stagingAhead,
  waiting,
} from "./support.ts";

let world: Governed;
let project: Project;

beforeEach(async () => {
  world = await openGoverned();
  project = world.project;
  await stagingAhead(world);
});

const failedOf = ({ checks }: { readonly checks: readonly { readonly name: string; readonly status: string }[] }) =>
  checks.filter(({ status }) => status === "failed").map(({ name }) => name);

const actions = async () => (await auditRecords(world.store)).map(({ action }) => action);

describe("a promotion into an environment with approvals", () => {
  test("waits: it answers pending_approval with an id and changes nothing but the list", async () => {
    await forProduction(project, { approvals: 2 });
    const before = await project.view("production");
    const reply = await project.promote("staging", "production", { message: "Release" });
    expect(reply).toMatchObject({ status: "pending_approval", environment: "production", revision: before.revision });
    expect(reply.promotion_id).toMatch(/^[0-9a-z]{10,40}$/);
    expect(failedOf(reply)).toEqual(["approvals"]);
    expect(await project.view("production")).toEqual(before);
  });

  test("is listed with who asked, what for, who agreed and for whom it waits", async () => {
    await forProduction(project, { approvals: { count: 2, by: ["ann", "ben", "cleo"], expires_in: "3d" } });
    const { promotion_id, plan_id } = await project.promote("staging", "production", { message: "Release" });
    await approve(world, BEN, promotion_id, "Fine.");
    expect(await waiting(world)).toMatchObject([
      {
        id: promotion_id,
        plan_id,
        status: "pending",
        source_env: "staging",
        target_env: "production",
        version: (await project.view("staging")).version,
        requested_by: "ann",
        message: "Release",
        expires_at: "2026-01-04T00:00:00.000Z",
        needed: 2,
        missing: 1,
        by: ["ann", "ben", "cleo"],
        waiting_for: ["cleo"],
        approvals: [{ by: "ben", comment: "Fine." }],
        diff_from_previous: { entities_added: ["Note"] },
      },
    ]);
  });

  test("waits for anybody but the requester where the policy names nobody", async () => {
    await forProduction(project, { approvals: 1 });
    await project.promote("staging", "production");
    expect(await waiting(world)).toMatchObject([{ by: null, waiting_for: null, missing: 1 }]);
  });

  test("is refused at once, and not put up, where another check fails", async () => {
    await forProduction(project, { approvals: 1, require_from: "development" });
    expect(await codeOf(project.promote("staging", "production"))).toBe("checks_failed");
    expect(await waiting(world)).toEqual([]);
  });

  test("has its plan's id; with values one that no plan has, so that nobody finds out what they are by trying", async () => {
    await forProduction(project, { approvals: 1 });
    const plain = await project.plan("staging", "production");
    expect(await project.promote("staging", "production")).toMatchObject({ plan_id: plain.plan_id });
    const env_variables = { PIN: { value: "4711", secret: true } };
    const { plan_id } = await project.plan("staging", "production", { env_variables });
    const put = await project.promote("staging", "production", { env_variables, plan_id });
    const shown = (await waiting(world)).find(({ id }) => id === put.promotion_id);
    expect(shown).toMatchObject({ status: "pending", plan_id: put.plan_id });
    const guessed = await project.as(CLEO).plan("staging", "production", { env_variables });
    expect(guessed.plan_id).toBe(plan_id);
    const told = JSON.stringify([await waiting(world), await auditRecords(world.store)]);
    expect(told).not.toContain(guessed.plan_id);
    expect(await approve(world, BEN, put.promotion_id)).toMatchObject({ status: "ready_for_deploy", plan_id: put.plan_id });
    expect(await project.secrets("production")).toEqual({ PIN: "4711" });
  });

  test("are listed in turns with everybody else, since each that waits is planned anew", async () => {
    await forProduction(project, { approvals: 1 });
    for (let count = 0; count < 20; count++) await project.promote("staging", "production");
    let [turns, listed] = [0, false];
    const others = () => {
      turns++;
      if (!listed) setImmediate(others);
    };
    setImmediate(others);
    expect(await waiting(world)).toHaveLength(20);
    listed = true;
    expect(turns).toBeGreaterThanOrEqual(20);
  });

  test("is listed newest first, in pages, and by status", async () => {
    await forProduction(project, { approvals: 1 });
    const ids: (string | undefined)[] = [];
    for (let number = 0; number < 5; number++) {
      ids.unshift((await project.promote("staging", "production", { message: `${number}` })).promotion_id);
      pass(world.clock, "1m");
    }
    await reject(world, BEN, ids[1]);
    await reject(world, BEN, ids[3]);
    const list = async (limit: number, status?: string) => {
      const found: string[] = [];
      for (let cursor: string | null = null; ; ) {
        const page = await world.domain.pending.list(caller("reader"), PROJECT, { limit, cursor }, status);
        found.push(...page.items.map(({ id }) => id));
        cursor = page.next_cursor;
        if (cursor === null) return found;
      }
    };
    expect(await list(2)).toEqual(ids);
    expect(await list(1, "rejected")).toEqual([ids[1], ids[3]]);
    expect(await list(2, "pending")).toEqual([ids[0], ids[2], ids[4]]);
    expect(await list(100, "applied")).toEqual([]);
  });
});

describe("an approval", () => {
  test("that is the last one applies the promotion by itself", async () => {
    await forProduction(project, { approvals: 2 });
    const { promotion_id } = await project.promote("staging", "production", { message: "Release" });
    expect(await approve(world, BEN, promotion_id)).toMatchObject({ status: "pending_approval", revision: 1 });
    expect(await approve(world, CLEO, promotion_id, "Go.")).toMatchObject({ status: "ready_for_deploy", revision: 2, promotion_id });
    expect(await project.state("production")).toEqual(await project.state("staging"));
    const [newest] = await project.revisions("production");
    expect(newest).toMatchObject({ action: "promote", message: "Release", version: (await project.view("staging")).version });
    expect(await waiting(world)).toMatchObject([{ status: "applied", revision: 2, missing: 0, waiting_for: [] }]);
    expect((await auditRecords(world.store)).at(-1)).toMatchObject({
      action: "promote",
      details: { promotion: promotion_id, requested_by: "ann", approved_by: ["ben", "cleo"] },
    });
  });

  test("is never the requester's, nor an engine's, nor that of somebody whom the policy does not name", async () => {
    await forProduction(project, { approvals: { count: 1, by: ["ann", "ben"] } });
    const { promotion_id } = await project.promote("staging", "production");
    const before = await auditRecords(world.store);
    expect(await codeOf(approve(world, ANN, promotion_id))).toBe("self_approval");
    expect(await codeOf(approve(world, PLANNER, promotion_id))).toBe("forbidden");
    expect(await codeOf(reject(world, PLANNER, promotion_id))).toBe("forbidden");
    expect(await codeOf(approve(world, CLEO, promotion_id))).toBe("forbidden");
    expect(await auditRecords(world.store)).toEqual(before);
    expect(await approve(world, BEN, promotion_id)).toMatchObject({ status: "ready_for_deploy" });
  });

  test("counts once for each person", async () => {
    await forProduction(project, { approvals: 2 });
    const { promotion_id } = await project.promote("staging", "production");
    await approve(world, BEN, promotion_id);
    expect(await codeOf(approve(world, BEN, promotion_id))).toBe("already_approved");
    expect(await waiting(world)).toMatchObject([{ missing: 1, approvals: [{ by: "ben" }] }]);
  });

  test("of a promotion that is not there says so", async () => {
    for (const id of ["", "0mi5k2v1x9f2c1e7ab3", "../policy", "promotion/x"])
      expect(await codeOf(approve(world, BEN, id))).toBe("promotion_not_found");
    expect(await codeOf(world.domain.pending.approve(BEN, { project: "nowhere", id: "0mi5k2v1x9f2c1e7ab3" }))).toBe("project_not_found");
  });

  test("survives a restart between request and approval", async () => {
    await forProduction(project, { approvals: 2 });
    const { promotion_id } = await project.promote("staging", "production", { env_variables: { API_KEY: "sk-1" } });
    await approve({ domain: domainOn(world.store, world.vault) }, BEN, promotion_id);
    const restarted = domainOn(world.store, world.vault);
    expect(await approve({ domain: restarted }, CLEO, promotion_id)).toMatchObject({ status: "ready_for_deploy" });
    expect(await project.secrets("production")).toEqual({ API_KEY: "sk-1" });
  });

  test("that races another one applies the promotion once", async () => {
    await forProduction(project, { approvals: 1 });
    for (const round of [1, 2, 3, 4, 5]) {
      await project.set("staging", { "entities/Round": { round } });
      const { promotion_id } = await project.promote("staging", "production");
      const others = [BEN, CLEO].map((who) => approve({ domain: domainOn(world.store, world.vault) }, who, promotion_id));
      const outcomes = await Promise.allSettled(others);
      const refused = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason.code] : []));
      expect(refused).toEqual(["promotion_closed"]);
      expect(await project.revisionNumber("production")).toBe(1 + round);
    }
  });

  test("that goes into one commit with an edit of the source hears that its promotion is void", async () => {
    await project.create("development");
    await forProduction(project, { approvals: 1 });
    const { promotion_id } = await project.promote("staging", "production");
    // The commit of somebody else waits until the edit and the approval are in line behind it.
    const [begun, inLine] = [gate(), gate()];
    let held = false;
    const store = wrapped(world.store, {
      commit: async (partition, change) => {
        if (partition === PROJECT && !held) {
          held = true;
          begun.open();
          await inLine.opened;
        }
        // The approval's timer is the last thing before its write.
        if (partition === SYSTEM_PARTITION) setImmediate(inLine.open);
        return world.store.commit(partition, change);
      },
    });
    const other = new Project(domainOn(store, world.vault));
    const first = other.configure("development", { vars: { A: "1" } });
    await begun.opened;
    const edit = other.configure("staging", { flags: { beta: true } });
    const approval = codeOf(approve(other, BEN, promotion_id));
    await Promise.all([first, edit]);
    expect(await approval).toBe("promotion_closed");
    expect(await document(world.store, keys.promotion(promotion_id ?? ""))).toMatchObject({ status: "voided" });
    expect((await auditRecords(world.store)).map(({ action }) => action).slice(-3)).toEqual(["config", "config", "void_promotion"]);
  });

  test("that races another needed one is not lost: together they apply it once", async () => {
    await forProduction(project, { approvals: 2 });
    for (const round of [1, 2, 3, 4, 5]) {
      await project.set("staging", { "entities/Round": { round } });
      const { promotion_id } = await project.promote("staging", "production");
      const others = [BEN, CLEO].map((who) => approve({ domain: domainOn(world.store, world.vault) }, who, promotion_id));
      const statuses = (await Promise.all(others)).map(({ status }) => status).sort();
      expect(statuses).toEqual(["pending_approval", "ready_for_deploy"]);
      expect(await project.revisionNumber("production")).toBe(1 + round);
    }
  });
});

describe("what was approved is a plan", () => {
  test.each<readonly [string, () => Promise<unknown>]>([
    ["an edit of the source", () => project.set("staging", { "entities/Note": { fields: 2 } })],
    ["a config change of the source", () => project.configure("staging", { vars: { REGION: "eu" } })],
    ["an edit of the target", () => project.set("production", { "entities/Hotfix": {} })],
    ["a config change of the target", () => project.configure("production", { vars: { REGION: "eu" } })],
    ["a rollback of the target", () => project.set("production", { "entities/Hotfix": {} }).then(() => project.rollback("production", 1))],
    ["a change of the policy", () => forProduction(project, { approvals: 1, soak: "1s" })],
    ["an archived target", () => world.domain.environments.archive(ANN, { project: PROJECT, env: "production" })],
  ])("%s voids it, visibly and for good", async (_what, change) => {
    await forProduction(project, { approvals: 2 });
    const { promotion_id } = await project.promote("staging", "production");
    await approve(world, BEN, promotion_id);
    await change();
    const head = await project.revisionNumber("production");

    expect(await waiting(world)).toMatchObject([{ id: promotion_id, status: "voided", missing: 0, waiting_for: [] }]);
    expect(await waiting(world, "pending")).toEqual([]);
    const error = await errorOf(approve(world, CLEO, promotion_id));
    expect(error).toMatchObject({ code: "promotion_closed", details: { status: "voided" } });
    expect(await document<PendingPromotion>(world.store, keys.promotion(promotion_id ?? ""))).toMatchObject({ status: "voided" });
    expect(await actions()).toContain("void_promotion");
    expect(await codeOf(approve(world, CLEO, promotion_id))).toBe("promotion_closed");
    expect(await codeOf(reject(world, CLEO, promotion_id))).toBe("promotion_closed");
    expect((await actions()).filter((action) => action === "void_promotion")).toHaveLength(1);
    expect(await project.revisionNumber("production")).toBe(head);
  });

  test("of two that wait for one target, the first that is applied voids the other", async () => {
    await forProduction(project, { approvals: 1 });
    const first = await project.promote("staging", "production", { message: "one" });
    const second = await project.promote("staging", "production", { message: "two" });
    expect(second.promotion_id).not.toBe(first.promotion_id);
    await approve(world, BEN, first.promotion_id);
    expect(await codeOf(approve(world, BEN, second.promotion_id))).toBe("promotion_closed");
    expect(await project.revisionNumber("production")).toBe(2);
  });

  test("an edit elsewhere, and a hold, void nothing", async () => {
    await project.create("development");
    await forProduction(project, { approvals: 1 });
    const { promotion_id } = await project.promote("staging", "production");
    await project.set("development", { "entities/Other": {} });
    await world.domain.environments.hold(ANN, { project: PROJECT, env: "production" });
    const applied = await approve(world, BEN, promotion_id);
    expect(applied).toMatchObject({ status: "ready_for_deploy" });
    expect(applied.checks.find(({ name }) => name === "hold")?.status).toBe("warning");
    expect((await project.view("production")).hold).toBeNull();
  });
});

describe("a freeze that began after the request", () => {
  async function approvedInFreeze(): Promise<string | undefined> {
    await forProduction(project, { approvals: 1, freeze: [FREEZE] });
    pass(world.clock, "9h");
    const { promotion_id } = await project.promote("staging", "production");
    pass(world.clock, "90m");
    const reply = await approve(world, BEN, promotion_id);
    expect(reply).toMatchObject({ status: "pending_approval", promotion_id });
    expect(failedOf(reply)).toEqual(["freeze_window"]);
    return promotion_id;
  }

  test("leaves it waiting with the failed check, approvals complete", async () => {
    await approvedInFreeze();
    const [shown] = await waiting(world);
    expect(shown).toMatchObject({ status: "pending", missing: 0, approvals: [{ by: "ben" }] });
    expect(failedOf(shown ?? { checks: [] })).toEqual(["freeze_window"]);
    expect(await project.revisionNumber("production")).toBe(1);
  });

  test("is waited out: the sweeper applies it by itself when it is over", async () => {
    await approvedInFreeze();
    for (let minutes = 0; minutes < 89; minutes += 10) {
      await world.domain.sweeper.runDue();
      expect(await project.revisionNumber("production")).toBe(1);
      pass(world.clock, "10m");
    }
    await domainOn(world.store, world.vault, world.failures).sweeper.runDue();
    expect(await project.revisionNumber("production")).toBe(2);
    expect(await waiting(world)).toMatchObject([{ status: "applied", closed_at: at(world.clock) }]);
    expect(world.failures).toEqual([]);
  });

  test("is waited out though the engine died right after the approval", async () => {
    await forProduction(project, { approvals: 1, freeze: [FREEZE] });
    pass(world.clock, "9h");
    const { promotion_id } = await project.promote("staging", "production");
    pass(world.clock, "90m");
    // The approval's commit is the last thing that this engine does.
    let dead = false;
    const dying = wrapped(world.store, {
      commit: async (partition, change) => {
        if (dead) throw new Error("dead");
        dead = partition === PROJECT && change.puts.some(({ key }) => key.startsWith(keys.promotionPrefix));
        return world.store.commit(partition, change);
      },
    });
    await approve({ domain: domainOn(dying, world.vault) }, BEN, promotion_id).catch(() => undefined);
    expect(await waiting(world)).toMatchObject([{ approvals: [{ by: "ben" }] }]);
    for (let minutes = 0; minutes < 120; minutes += 10) {
      pass(world.clock, "10m");
      await world.domain.sweeper.runDue();
    }
    expect(await waiting(world)).toMatchObject([{ status: "applied" }]);
  });

  test("does not let it through where its target was held since: nobody has lifted that by hand", async () => {
    await approvedInFreeze();
    pass(world.clock, "1m");
    await world.domain.environments.hold(ANN, { project: PROJECT, env: "production", reason: "Incident" });
    pass(world.clock, "2h");
    await world.domain.sweeper.runDue();
    expect([await project.revisionNumber("production"), (await project.view("production")).hold?.reason]).toEqual([1, "Incident"]);
    const [held] = await waiting(world);
    expect([held?.status, failedOf(held ?? { checks: [] })]).toEqual(["pending", ["hold"]]);
    await world.domain.environments.resume(ANN, { project: PROJECT, env: "production" });
    pass(world.clock, "2m");
    await world.domain.sweeper.runDue();
    expect(await project.revisionNumber("production")).toBe(2);
  });

  test("lets it through where it was approved in sight of the hold, which it lifts", async () => {
    await world.domain.environments.hold(ANN, { project: PROJECT, env: "production" });
    await approvedInFreeze();
    pass(world.clock, "2h");
    await world.domain.sweeper.runDue();
    expect([await project.revisionNumber("production"), (await project.view("production")).hold]).toEqual([2, null]);
  });

  test("does not keep an edit from voiding it: nothing is applied when it is over", async () => {
    await approvedInFreeze();
    await project.set("staging", { "entities/Late": {} });
    pass(world.clock, "2h");
    await world.domain.sweeper.runDue();
    expect(await document<PendingPromotion>(world.store, keys.promotion((await waiting(world))[0]?.id ?? ""))).toMatchObject({
      status: "voided",
    });
    expect(await project.revisionNumber("production")).toBe(1);
  });
});

describe("a rejection", () => {
  test("closes it for good, and says by whom and why", async () => {
    await forProduction(project, { approvals: 2 });
    const { promotion_id } = await project.promote("staging", "production");
    await approve(world, BEN, promotion_id);
    expect(await reject(world, CLEO, promotion_id, "Not on a Friday.")).toMatchObject({ status: "rejected", environment: "production" });
    expect(await waiting(world)).toMatchObject([
      { status: "rejected", closed_reason: "Not on a Friday.", rejection: { by: "cleo", comment: "Not on a Friday." } },
    ]);
    expect(await errorOf(approve(world, BEN, promotion_id))).toMatchObject({ code: "promotion_closed", details: { status: "rejected" } });
    expect(await codeOf(reject(world, BEN, promotion_id))).toBe("promotion_closed");
    expect((await actions()).slice(-3)).toEqual(["request_promotion", "approve", "reject"]);
  });

  test("may be the requester's: it takes back what was asked for", async () => {
    await forProduction(project, { approvals: 1 });
    const { promotion_id } = await project.promote("staging", "production");
    expect(await reject(world, ANN, promotion_id)).toMatchObject({ status: "rejected" });
  });

  test("that races the last approval wins or loses, but not both", async () => {
    await forProduction(project, { approvals: 1 });
    for (const round of [1, 2, 3, 4, 5]) {
      await project.set("staging", { "entities/Round": { round } });
      const before = await project.revisionNumber("production");
      const { promotion_id } = await project.promote("staging", "production");
      const other = { domain: domainOn(world.store, world.vault) };
      const outcomes = await Promise.allSettled([approve(world, BEN, promotion_id), reject(other, CLEO, promotion_id)]);
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      expect(await project.revisionNumber("production")).toBe(before + (outcomes[0].status === "fulfilled" ? 1 : 0));
    }
  });
});

describe("a promotion that nobody completes", () => {
  test("expires at its moment: in the list and to whoever approves, before any sweep", async () => {
    await forProduction(project, { approvals: { count: 1, expires_in: "2h" } });
    const { promotion_id } = await project.promote("staging", "production");
    pass(world.clock, "2h");
    expect(await waiting(world)).toMatchObject([{ status: "expired", missing: 0 }]);
    expect(await errorOf(approve(world, BEN, promotion_id))).toMatchObject({ code: "promotion_closed", details: { status: "expired" } });
  });

  test("is closed by its timer, once though three engines look", async () => {
    await forProduction(project, { approvals: { count: 1, expires_in: "2h" } });
    await project.promote("staging", "production");
    pass(world.clock, "1h");
    await world.domain.sweeper.runDue();
    expect(await waiting(world)).toMatchObject([{ status: "pending" }]);
    pass(world.clock, "1h1s");
    const engines = [1, 2, 3].map(() => domainOn(world.store, world.vault, world.failures));
    await Promise.all(engines.map(({ sweeper }) => sweeper.runDue()));
    expect((await actions()).filter((action) => action === "expire_promotion")).toHaveLength(1);
    expect(world.failures).toEqual([]);
    expect(await documents(world.store, SYSTEM_PARTITION, systemKeys.duePrefix)).toEqual([]);
  });

  test("is closed by its timer though the clock went on between setting that and the request's commit", async () => {
    await forProduction(project, { approvals: { count: 1, expires_in: "2h" } });
    const slow = wrapped(world.store, {
      commit: async (partition, change) => {
        const result = await world.store.commit(partition, change);
        if (partition === SYSTEM_PARTITION) world.clock.time += 3_000;
        return result;
      },
    });
    await new Project(domainOn(slow, world.vault)).promote("staging", "production");
    const [shown] = await waiting(world);
    world.clock.time = Date.parse(shown?.expires_at ?? "") - 1_000;
    await world.domain.sweeper.runDue();
    expect(await waiting(world)).toMatchObject([{ status: "pending" }]);
    world.clock.time += 2_000;
    await world.domain.sweeper.runDue();
    expect(await actions()).toContain("expire_promotion");
  });
});

describe("secrets in env_variables of a promotion that waits", () => {
  async function requested(): Promise<string | undefined> {
    await forProduction(project, { approvals: { count: 1, expires_in: "2h" } });
    const { promotion_id } = await project.promote("staging", "production", {
      env_variables: { API_KEY: "sk-of-this-release", REGION: "eu" },
    });
    return promotion_id;
  }
  const entries = () => vaultEntries(world.store);
  const facts = () => documents(world.store, PROJECT, keys.secretsPrefix);
  const intents = () => documents(world.store, PROJECT, keys.intentPrefix);

  test("wait in the vault, and are in no document, list or log", async () => {
    await requested();
    expect(await entries()).toHaveLength(1);
    expect(await project.secrets("production")).toEqual({});
    const stored = JSON.stringify([await documents(world.store), await documents(world.store, SYSTEM_PARTITION), await waiting(world)]);
    expect(stored).not.toContain("sk-of-this-release");
    expect(JSON.stringify(await waiting(world))).not.toContain("API_KEY@");
  });

  test("outlive the sweep while it waits", async () => {
    await requested();
    world.clock.time += LIMITS.intentAgeMs * 2;
    await world.domain.sweeper.sweep();
    expect(await entries()).toHaveLength(1);
  });

  test("are bound when it is applied, in the target alone", async () => {
    const id = await requested();
    const waited = await entries();
    await approve(world, BEN, id);
    expect(await project.secrets("production")).toEqual({ API_KEY: "sk-of-this-release" });
    expect((await project.config("production")).vars).toEqual({ REGION: "eu" });
    expect(await project.secrets("staging")).toEqual({});
    expect(await referencesOf(world.store, "production", 2)).toEqual(waited);
    await world.domain.sweeper.sweep();
    expect(await entries()).toEqual(waited);
    expect(await intents()).toEqual([]);
  });

  test.each<readonly [string, (id: string | undefined) => Promise<unknown>]>([
    ["was rejected", (id) => reject(world, BEN, id)],
    [
      "was voided, when somebody approves it",
      (id) => project.set("staging", { "entities/Late": {} }).then(() => codeOf(approve(world, BEN, id))),
    ],
    [
      "expired",
      async () => {
        pass(world.clock, "3h");
        await world.domain.sweeper.runDue();
      },
    ],
    [
      "was voided, at the latest when its time is up",
      async () => {
        await project.set("staging", { "entities/Late": {} });
        pass(world.clock, "3h");
        await world.domain.sweeper.runDue();
      },
    ],
  ])("leave the vault with the next sweep after it %s", async (_how, close) => {
    await close(await requested());
    await world.domain.sweeper.sweep();
    expect([await entries(), await facts(), await intents()]).toEqual([[], [], []]);
    expect(world.failures).toEqual([]);
  });

  test("are taken back where the request is refused in the end", async () => {
    await forProduction(project, { approvals: 1 });
    // Between plan and commit somebody else makes the source incomparable.
    let interfered = false;
    const store = wrapped(world.store, {
      commit: async (partition, change) => {
        if (partition === PROJECT && !interfered && change.puts.some(({ key }) => key.startsWith(keys.intentPrefix))) {
          interfered = true;
          const result = await world.store.commit(partition, change);
          await forProduction(project, { approvals: 1, require_from: "development" });
          return result;
        }
        return world.store.commit(partition, change);
      },
    });
    const other = new Project(domainOn(store, world.vault));
    expect(await codeOf(other.promote("staging", "production", { env_variables: { API_KEY: "sk-1" } }))).toBe("checks_failed");
    expect([await entries(), await facts(), await intents()]).toEqual([[], [], []]);
  });
});

test("a promotion that was planned as free and turns out to need approvals is not put up without a timer", async () => {
  let interfered = false;
  const store = wrapped(world.store, {
    commit: async (partition, change) => {
      if (partition === PROJECT && !interfered) {
        interfered = true;
        await forProduction(project, { approvals: { count: 1, expires_in: "2h" } });
      }
      return world.store.commit(partition, change);
    },
  });
  const other = new Project(domainOn(store, world.vault));
  const outcome = await other.promote("staging", "production").catch(() => null);
  pass(world.clock, "3h");
  await world.domain.sweeper.runDue();
  expect(await project.revisionNumber("production")).toBe(1);
  for (const { id } of await waiting(world)) expect(await document(world.store, keys.promotion(id))).toMatchObject({ status: "expired" });
  expect(outcome?.status ?? "refused").not.toBe("ready_for_deploy");
});

test("a promotion is asked why though the rule that asks for it came while it was being planned", async () => {
  let looks = 0;
  const store = wrapped(world.store, {
    get: async (partition, wanted) => {
      const found = await world.store.get(partition, wanted);
      // Once for the plan, and once for its words: then comes the commit.
      if (wanted.length === 1 && wanted[0] === keys.policy && ++looks === 2) await forProduction(project, { require_message: true });
      return found;
    },
  });
  const other = new Project(domainOn(store, world.vault));
  expect(await codeOf(other.promote("staging", "production"))).toBe("invalid_request");
  expect([looks, await project.revisionNumber("production")]).toEqual([3, 1]);
});

test("a waiting promotion keeps its choices: what is applied is the selection that was approved", async () => {
  await project.set("staging", { "flows/submit": { steps: 2 } });
  await project.configure("staging", { vars: { LIMIT: "5" } });
  await forProduction(project, { approvals: 1 });
  const { promotion_id } = await project.promote("staging", "production", { only: ["flows/*"], vars: ["LIMIT"] });
  const applied = await approve(world, BEN, promotion_id);
  expect(applied).toMatchObject({ status: "ready_for_deploy", source_version: (await project.view("staging")).version });
  expect(await project.state("production")).toEqual({ entities: { Order: { fields: 1 } }, flows: { submit: { steps: 2 } } });
  expect((await project.config("production")).vars).toEqual({ LIMIT: "5" });
});
