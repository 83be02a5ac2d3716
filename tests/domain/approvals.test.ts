import { describe, expect, test } from "vitest";
import { EVERYTHING, type Grant } from "../../src/access.ts";
import {
  checkMayApprove,
  checkMayDecide,
  checkOpen,
  type PendingPromotion,
  type PendingStatus,
  promotionClosed,
  promotionView,
} from "../../src/approvals.ts";
import { mayDoLittle } from "../../src/callers.ts";
import { AppError } from "../../src/errors.ts";
import type { Caller, CheckName, CheckResult } from "../../src/model.ts";
import { newPromotionId } from "../../src/pending.ts";
import type { Json, JsonObject } from "../../src/ports.ts";
import type { PromoteRequest } from "../../src/promotion.ts";
import {
  auditRecords,
  caller,
  codeOf,
  documents,
  engineCaller,
  errorOf,
  headOf,
  memoryStore,
  openWorld,
  PROJECT,
  TestClock,
  type World,
} from "./support.ts";

const HOUR = 3_600_000;

/** Ann asked for it; two of cleo, dan and eve must agree. */
function waiting(changed: Partial<PendingPromotion> = {}): PendingPromotion {
  return {
    id: "0mi5k2v1x9f2c1e7ab3",
    status: "pending",
    plan_id: "plan",
    order: { project: PROJECT, source: "staging", target: "production" },
    vars: { HOST: "shop.example" },
    references: { "secrets/API_KEY": { vault: "production/API_KEY@x" } },
    fingerprint: "f",
    force: null,
    message: null,
    version: "v1.0.0",
    source_revision: 4,
    target_revision: 2,
    requested_by: "ann",
    requested_at: "2026-01-01T00:00:00.000Z",
    expires_at: "2026-01-08T00:00:00.000Z",
    needed: 2,
    by: null,
    approvals: [],
    rejection: null,
    closed_at: null,
    closed_reason: null,
    revision: null,
    checks: [],
    diff_from_previous: {
      entities_added: [],
      logic_changed: 0,
      env_updated: [],
      components: { added: { count: 0, names: [] }, changed: { count: 0, names: [] }, removed: { count: 0, names: [] } },
      flags_changed: [],
    },
    ...changed,
  };
}

const approvedBy = (...actors: string[]) => ({ approvals: actors.map((by) => ({ by, at: "2026-01-01T01:00:00.000Z", comment: null })) });
const named = { by: ["ann", "cleo", "dan"] };

/** What is said to whoever wants to approve; `null` where they may. */
function refusal(promotion: PendingPromotion, who: Caller): AppError | null {
  try {
    checkMayDecide(promotion, who);
    checkMayApprove(promotion, who);
    return null;
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
}

describe("who may approve a promotion", () => {
  test.each<readonly [string, Partial<PendingPromotion>, Caller, string | null]>([
    ["anybody but the requester, where nobody is named", {}, caller("cleo"), null],
    ["the requester, never", {}, caller("ann"), "self_approval"],
    ["the requester, not even where they are named", named, caller("ann"), "self_approval"],
    ["the requester, not even under another request", approvedBy("cleo"), caller("ann"), "self_approval"],
    ["the requester, not even written otherwise", {}, caller("Ann"), "self_approval"],
    [
      "the requester, not even with letters that are composed otherwise",
      { requested_by: "zo\u00eb" },
      caller("ZOE\u0308"),
      "self_approval",
    ],
    ["one who is named", named, caller("dan"), null],
    ["one who is not named", named, caller("eve"), "forbidden"],
    ["one whose name is almost the one", named, caller("Cleo"), "forbidden"],
    ["one who has approved already", approvedBy("cleo"), caller("cleo"), "already_approved"],
    ["one who has approved already, written otherwise", approvedBy("cleo"), caller("CLEO"), "already_approved"],
    ["a second one", approvedBy("cleo"), caller("dan"), null],
    ["an engine", {}, engineCaller("planner"), "forbidden"],
    ["an engine that is named", { by: ["planner"], needed: 1 }, engineCaller("planner"), "forbidden"],
    ["the engine itself", {}, mayDoLittle("auto-promotion", "r"), "promotion_not_found"],
    ["a third one, where the two that are needed have and it waits for another check", approvedBy("cleo", "dan"), caller("eve"), null],
  ])("%s", (_what, changed, who, code) => {
    const error = refusal(waiting(changed), who);
    expect(error?.code ?? null).toBe(code);
    if (error === null) return;
    expect(error.message).toMatch(/\S/);
    expect(error.fix).toMatch(/\S.*\.$/);
  });

  test("a refusal says whom to ask instead", () => {
    expect(refusal(waiting(named), caller("eve"))?.fix).toContain("cleo, dan");
    expect(refusal(waiting(), caller("ann"))?.fix).toContain("somebody else");
  });
});

describe("a promotion that does not wait any more", () => {
  test.each<readonly [PendingStatus, string | null]>([
    ["applied", null],
    ["rejected", "not today"],
    ["rejected", "Not on a Friday."],
    ["voided", "source, target or policy changed since it was put up"],
    ["expired", "nobody completed it before 2026-01-08T00:00:00.000Z"],
  ])("says that it is %s, and why", (status, closed_reason) => {
    const closed = waiting({ status, closed_reason });
    expect(() => checkOpen(closed)).toThrow(AppError);
    const error = promotionClosed(closed);
    expect(error).toMatchObject({ code: "promotion_closed", details: { status } });
    expect(error.message).toContain(closed_reason ?? `is ${status}.`);
    expect(error.message).toMatch(/[^.]\.$/);
    expect(error.fix).toMatch(/\S/);
    expect(promotionView(closed)).toMatchObject({ missing: 0, waiting_for: [] });
  });

  test("and one that does says nothing", () => expect(() => checkOpen(waiting())).not.toThrow());
});

describe("what the list shows of one", () => {
  test.each<readonly [string, Partial<PendingPromotion>, number, readonly string[] | null]>([
    ["nobody has agreed", {}, 2, null],
    ["one has", approvedBy("cleo"), 1, null],
    ["nobody of those named has", named, 2, ["cleo", "dan"]],
    ["one of those named has", { ...named, ...approvedBy("dan") }, 1, ["cleo"]],
    ["all have, and it waits for another check", { ...named, ...approvedBy("cleo", "dan") }, 0, []],
  ])("%s: how many are missing, and who can bring it on", (_what, changed, missing, waiting_for) => {
    expect(promotionView(waiting(changed))).toMatchObject({ missing, waiting_for, source_env: "staging", target_env: "production" });
  });

  test("is nothing of what it binds: no value, no reference, no fingerprint", () => {
    const text = JSON.stringify(promotionView(waiting({ force: { checks: null, by: "ann", reason: "because" } })));
    for (const hidden of ["shop.example", "vault", "API_KEY@", "fingerprint", "because"]) expect(text).not.toContain(hidden);
  });
});

test("ids order by the time of the request, and are never the same", () => {
  const times = [
    "2026-01-01T00:00:00.000Z",
    "2026-01-01T00:00:00.001Z",
    "2026-12-31T23:59:59.999Z",
    "2059-05-25T00:00:00.000Z",
    "2099-01-01T00:00:00.000Z",
  ];
  const ids = times.map(newPromotionId);
  expect([...ids].sort()).toEqual(ids);
  expect(new Set(Array.from({ length: 1_000 }, () => newPromotionId("2026-01-01T00:00:00.000Z"))).size).toBe(1_000);
  for (const id of ids) expect(id).toMatch(/^[0-9a-z]{10,40}$/);
});

/** Production asks for an approval, a soak time and complete config, and is frozen; the first two may be skipped. */
const STRICT = {
  approvals: 1,
  soak: "1h",
  freeze: [{ kind: "allow", cron: "0 0 29 2 *", duration: "1h" }],
} as const;

async function strict(forceable: readonly CheckName[], more: JsonObject = {}): Promise<World> {
  const made = await openWorld({ store: memoryStore(new TestClock()) });
  const { project } = made;
  await project.create("staging");
  await project.create("production");
  await project.set("staging", { "flows/a": { on: true }, "requires/HOST": { kind: "var" } }, { version: "v1.0.0" });
  await project.policy({ environments: { production: { ...STRICT, forceable, ...more } } } as unknown as Json);
  return made;
}

const failedOf = (checks: readonly CheckResult[]) => checks.filter(({ status }) => status === "failed").map(({ name }) => name);
const PROMOTER: Grant = { ...EVERYTHING, role: "promoter" };
const mayNotForce = (): Caller => ({ ...caller("ann"), grants: [PROMOTER] });
const HOST = { env_variables: { HOST: "shop.example" } };
const ALL_THREE: readonly CheckName[] = ["approvals", "soak_time", "freeze_window"];

describe("force", () => {
  test("skips the failed checks that the policy calls forceable, at once and with a reason that the log keeps", async () => {
    const { project, store } = await strict(ALL_THREE);
    const promoted = await project.promote("staging", "production", { ...HOST, force: { reason: " Hotfix 12 " }, message: "Fix" });
    expect(promoted).toMatchObject({ status: "ready_for_deploy", revision: 2 });
    for (const name of ALL_THREE) {
      const check = promoted.checks.find((one) => one.name === name);
      expect(check).toMatchObject({
        status: "warning",
        reason: expect.stringContaining("Skipped by ann: Hotfix 12."),
        details: { forced: true },
      });
    }
    const record = (await auditRecords(store)).at(-1);
    expect(record).toMatchObject({ action: "promote", actor: "ann", environment: "production" });
    const forced = record?.details.forced as readonly { name: string; reason: string }[];
    expect(forced.map(({ name }) => name)).toEqual(["freeze_window", "soak_time", "approvals"]);
    for (const { reason } of forced) expect(reason).toContain("Hotfix 12");
  });

  test("skips no more than it lists", async () => {
    const { project } = await strict(ALL_THREE);
    const error = await errorOf(project.promote("staging", "production", { ...HOST, force: { reason: "Hotfix", checks: ["soak_time"] } }));
    expect(error.code).toBe("checks_failed");
    expect(failedOf(error.details?.checks as readonly CheckResult[])).toEqual(["freeze_window", "approvals"]);
    expect(
      await project.promote("staging", "production", { ...HOST, force: { reason: "Hotfix", checks: ["soak_time", "freeze_window"] } }),
    ).toMatchObject({
      status: "pending_approval",
    });
  });

  test("skips no check that the policy does not call forceable, listed or not", async () => {
    const made = await strict(["soak_time"], { approvals: 0 });
    const before = await documents(made.store);
    for (const force of [{ reason: "Hotfix" }, { reason: "Hotfix", checks: ["freeze_window", "config_complete", "hold"] as const }]) {
      const error = await errorOf(made.project.promote("staging", "production", { force }));
      expect(error.code).toBe("checks_failed");
      expect(failedOf(error.details?.checks as readonly CheckResult[])).toEqual(
        "checks" in force ? ["freeze_window", "soak_time", "config_complete"] : ["freeze_window", "config_complete"],
      );
      expect(error.message).toContain("The policy does not let it be skipped.");
    }
    expect(await documents(made.store)).toEqual(before);
  });

  test("that the policy does not take is told, where the promotion waits for approval all the same", async () => {
    const { project } = await strict([]);
    await project.policy({ environments: { production: { approvals: 1 } } } as unknown as Json);
    const { status, checks } = await project.promote("staging", "production", { ...HOST, force: { reason: "Hotfix" } });
    expect(status).toBe("pending_approval");
    expect(checks.find(({ name }) => name === "approvals")?.reason).toContain("The policy does not let it be skipped.");
  });

  test("never skips what would be lost for good: a divergence, or conflicts", async () => {
    const { project } = await strict(ALL_THREE);
    await project.policy({});
    await project.set("production", { "flows/own": {} });
    for (const wishes of [{}, { strategy: "merge" as const }] satisfies Partial<PromoteRequest>[]) {
      const code = await codeOf(project.promote("staging", "production", { ...HOST, ...wishes, force: { reason: "Hotfix" } }));
      expect(["checks_failed", "unrelated_histories"]).toContain(code);
    }
  });

  test("changes nothing about checks that passed, and may be asked for where none failed", async () => {
    const { project, store } = await strict(ALL_THREE);
    await project.policy({});
    const { checks } = await project.promote("staging", "production", { ...HOST, force: { reason: "To be sure" } });
    expect(checks.filter(({ details }) => details?.forced !== undefined)).toEqual([]);
    expect((await auditRecords(store)).at(-1)?.details).not.toHaveProperty("forced");
  });

  test.each<readonly [string, PromoteRequest["force"], string | undefined, (() => Caller) | null, string]>([
    ["without a reason", { reason: "" }, "A message is no reason", null, "invalid_request"],
    ["with a reason of blanks", { reason: " \n " }, undefined, null, "invalid_request"],
    ["as a mere true, without a message", true, undefined, null, "invalid_request"],
    ["as a mere true, with a blank message", true, "  ", null, "invalid_request"],
    ["without the right", { reason: "Hotfix" }, undefined, mayNotForce, "forbidden"],
    ["without the right, of a check that would pass anyway", { reason: "Hotfix", checks: ["hold"] }, undefined, mayNotForce, "forbidden"],
  ])("%s is refused, in a plan too, and nothing is changed", async (_what, force, message, as, code) => {
    const made = await strict(ALL_THREE);
    const project = as === null ? made.project : made.project.as(as());
    const before = await documents(made.store);
    for (const dry_run of [false, true]) {
      const error = await errorOf(project.promote("staging", "production", { ...HOST, force, message, dry_run }));
      expect(error.code).toBe(code);
      expect(error.fix).toMatch(/\S/);
    }
    expect(await documents(made.store)).toEqual(before);
  });

  test("as a mere true takes the message for its reason", async () => {
    const { project } = await strict(ALL_THREE);
    const { checks } = await project.promote("staging", "production", { ...HOST, force: true, message: "Hotfix 13" });
    expect(checks.find(({ name }) => name === "soak_time")?.reason).toContain("Skipped by ann: Hotfix 13.");
  });

  test("shows in a plan, and the plan_id does not depend on it", async () => {
    const { project } = await strict(ALL_THREE);
    const plain = await project.plan("staging", "production", HOST);
    const forced = await project.plan("staging", "production", { ...HOST, force: { reason: "Hotfix" } });
    expect([plain.applicable, forced.applicable]).toEqual([false, true]);
    expect(forced.plan_id).toBe(plain.plan_id);
  });

  test("the right is asked of the target: nobody forces where they may not", async () => {
    const { project } = await strict(ALL_THREE);
    const elsewhere: Caller = { ...caller("ann"), grants: [PROMOTER, { ...EVERYTHING, envs: ["staging"] }] };
    expect(await codeOf(project.as(elsewhere).promote("staging", "production", { ...HOST, force: { reason: "Hotfix" } }))).toBe(
      "forbidden",
    );
  });

  test("of some checks goes with a promotion that waits for the others: who forced stays on record", async () => {
    const made = await strict(["soak_time", "freeze_window"]);
    const { project, domain, store } = made;
    const put = await project.promote("staging", "production", { ...HOST, force: { reason: "Hotfix" } });
    expect(put).toMatchObject({ status: "pending_approval" });
    expect((await auditRecords(store)).at(-1)).toMatchObject({
      action: "request_promotion",
      details: { force: { by: "ann", reason: "Hotfix", checks: null } },
    });
    const done = await domain.pending.approve(caller("cleo"), { project: PROJECT, id: put.promotion_id ?? "" });
    expect(done).toMatchObject({ status: "ready_for_deploy", revision: 2 });
    const record = (await auditRecords(store)).at(-1);
    expect(record).toMatchObject({ actor: "cleo", details: { requested_by: "ann", approved_by: ["cleo"] } });
    const forced = record?.details.forced as readonly { name: string; reason: string }[];
    expect(forced.map(({ name }) => name)).toEqual(["freeze_window", "soak_time"]);
    for (const { reason } of forced) expect(reason).toContain("Skipped by ann: Hotfix.");
    expect((await headOf(store, "production")).revision).toBe(2);
  });
});

test("a promotion that waits can be forced no more once the policy does not allow it: the change voids it", async () => {
  const made = await strict(["soak_time", "freeze_window"]);
  const put = await made.project.promote("staging", "production", { ...HOST, force: { reason: "Hotfix" } });
  await made.project.policy({ environments: { production: STRICT } } as unknown as Json);
  expect(await codeOf(made.domain.pending.approve(caller("cleo"), { project: PROJECT, id: put.promotion_id ?? "" }))).toBe(
    "promotion_closed",
  );
  expect((await headOf(made.store, "production")).revision).toBe(1);
});

test("a promotion can be put up a week before it expires, and not by a moment longer", async () => {
  const clock = new TestClock();
  const { project, domain } = await openWorld({ store: memoryStore(clock) });
  for (const env of ["staging", "production"]) await project.create(env);
  await project.set("staging", { "flows/a": {} });
  await project.policy({ environments: { production: { approvals: 1 } } });
  const { promotion_id: id = "" } = await project.promote("staging", "production");
  clock.time += 7 * 24 * HOUR;
  expect(await codeOf(domain.pending.approve(caller("cleo"), { project: PROJECT, id }))).toBe("promotion_closed");
  const [closed] = (await domain.pending.list(caller("reader"), PROJECT, { limit: 1, cursor: null })).items;
  expect(closed).toMatchObject({ status: "expired" });
});
