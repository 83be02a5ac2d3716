import { describe, expect, test } from "vitest";
import { documents, memoryStore, openWorld, PROJECT, TestClock, type World } from "../domain/support.ts";
import { type Answer, type Ask, serveRoutes } from "./support.ts";

const HOUR = 3_600_000;
const MONDAY = Date.parse("2026-01-05T12:00:00.000Z");
const WEEKEND = [{ kind: "deny", cron: "0 16 * * 5", duration: "62h", reason: "Weekend." }];

interface Served extends World {
  readonly ask: Ask;
  readonly clock: TestClock;
  /** The promotion that ann asked for. */
  readonly id: string;
}

/** Ann has asked for a promotion; two others must agree. */
async function served(rules: object = { approvals: 2 }): Promise<Served> {
  const clock = new TestClock();
  clock.time = MONDAY;
  const world = await openWorld({ store: memoryStore(clock) });
  const { project } = world;
  await project.create("staging");
  await project.create("production");
  await project.set("staging", { "flows/a": { on: true } });
  await project.policy({ environments: { production: rules } } as never);
  const ask = await serveRoutes(world.domain);
  const { body } = await promote(ask);
  return { ...world, ask, clock, id: String(body.promotion_id) };
}

const promote = (ask: Ask): Promise<Answer> =>
  ask({
    method: "POST",
    path: "/env/promote",
    body: { project_id: PROJECT, source_env: "staging", target_env: "production" },
    headers: { authorization: "ann" },
  });

const decide = (ask: Ask, decision: "approve" | "reject", as: string, id: string, more: object = {}): Promise<Answer> =>
  ask({
    method: "POST",
    path: `/env/promotions/${id}/${decision}`,
    body: { project_id: PROJECT, ...more },
    headers: { authorization: as },
  });

const listed = async (ask: Ask, query = ""): Promise<readonly Record<string, unknown>[]> => {
  const { body } = await ask({ path: `/env/${PROJECT}/promotions${query}`, headers: { authorization: "ann" } });
  return body.items as readonly Record<string, unknown>[];
};

function expectRefused({ status, body }: Answer, expected: number, code: string): void {
  expect({ status, code: body.code }).toEqual({ status: expected, code });
  expect(body.reason).toMatch(/\S/);
  expect(body.fix_suggestion).toMatch(/\S/);
}

describe("a decision that is refused changes nothing:", () => {
  test.each<readonly [string, (served: Served) => Promise<Answer>, number, string]>([
    ["one's own request", ({ ask, id }) => decide(ask, "approve", "ann", id), 403, "self_approval"],
    ["a second time", ({ ask, id }) => decide(ask, "approve", "bea", id), 409, "already_approved"],
    ["what there is not", ({ ask }) => decide(ask, "approve", "cleo", "0mi5k2v1x9f2c1e7ab3"), 404, "promotion_not_found"],
    ["what can be none", ({ ask }) => decide(ask, "approve", "cleo", "..%2Fpolicy"), 404, "promotion_not_found"],
    [
      "in a project that there is not",
      ({ ask, id }) => decide(ask, "approve", "cleo", id, { project_id: "nobody" }),
      404,
      "project_not_found",
    ],
    ["in no project", ({ ask, id }) => decide(ask, "approve", "cleo", id, { project_id: null }), 400, "invalid_request"],
    [
      "with a comment that is a book",
      ({ ask, id }) => decide(ask, "approve", "cleo", id, { comment: "x".repeat(2_001) }),
      400,
      "invalid_request",
    ],
    ["with force", ({ ask, id }) => decide(ask, "approve", "cleo", id, { force: true }), 400, "invalid_request"],
    ["a rejection of what there is not", ({ ask }) => decide(ask, "reject", "cleo", "0mi5k2v1x9f2c1e7ab3"), 404, "promotion_not_found"],
  ])("%s", async (_what, act, status, code) => {
    const made = await served();
    expect((await decide(made.ask, "approve", "bea", made.id)).status).toBe(202);
    const before = await documents(made.store);
    expectRefused(await act(made), status, code);
    expect(await documents(made.store)).toEqual(before);
    expect(await listed(made.ask)).toMatchObject([{ status: "pending", missing: 1 }]);
  });

  test("of one whom the policy does not name", async () => {
    const made = await served({ approvals: { count: 1, by: ["cleo"] } });
    const before = await documents(made.store);
    const answer = await decide(made.ask, "approve", "bea", made.id);
    expectRefused(answer, 403, "forbidden");
    expect(answer.body.fix_suggestion).toContain("cleo");
    expect(await documents(made.store)).toEqual(before);
  });
});

describe("a promotion whose ground has changed", () => {
  test.each<readonly [string, (world: Served) => Promise<unknown>]>([
    ["an edit of the source", ({ project }) => project.set("staging", { "flows/b": {} })],
    ["an edit of the target's config", ({ project }) => project.configure("production", { vars: { REGION: "eu" } })],
    ["another policy", ({ project }) => project.policy({})],
    [
      "the target's archival",
      ({ project, domain }) => domain.environments.archive(project.caller, { project: PROJECT, env: "production" }),
    ],
  ])("is refused to whoever approves it, visibly, and is not applied: %s", async (_what, change) => {
    const made = await served();
    const before = await made.project.revisionNumber("production");
    await change(made);
    const between = await made.project.revisionNumber("production");
    expect(await listed(made.ask)).toMatchObject([{ status: "voided", missing: 0, closed_reason: expect.stringMatching(/\S/) }]);
    for (const as of ["bea", "cleo"]) {
      const answer = await decide(made.ask, "approve", as, made.id);
      expectRefused(answer, 409, "promotion_closed");
      expect(answer.body).toMatchObject({ reason: expect.stringContaining("voided"), details: { status: "voided" } });
    }
    expect(await listed(made.ask, "?status=voided")).toMatchObject([{ approvals: [] }]);
    expect(await made.project.revisionNumber("production")).toBe(between);
    expect(between - before).toBeLessThanOrEqual(1);
  });
});

describe("a freeze that began after the request", () => {
  test("leaves it waiting with the failed check, and says when it opens", async () => {
    const made = await served({ approvals: 1, freeze: WEEKEND });
    made.clock.time = MONDAY + 5 * 24 * HOUR;
    const { status, body } = await decide(made.ask, "approve", "cleo", made.id, { comment: "Fine." });
    expect({ status, said: body.status }).toEqual({ status: 202, said: "pending_approval" });
    const failed = (body.checks as readonly Record<string, unknown>[]).filter((check) => check.status === "failed");
    expect(failed).toMatchObject([
      {
        name: "freeze_window",
        reason: "production is frozen: Weekend. It opens at 2026-01-12T06:00:00.000Z.",
        fix: "Promote after 2026-01-12T06:00:00.000Z.",
        details: { next_open: "2026-01-12T06:00:00.000Z" },
      },
    ]);
    expect(await made.project.revisionNumber("production")).toBe(1);
    expect(await listed(made.ask, "?status=pending")).toMatchObject([{ missing: 0, approvals: [{ by: "cleo", comment: "Fine." }] }]);
    // Nor may the same person agree again, to push it.
    expectRefused(await decide(made.ask, "approve", "cleo", made.id), 409, "already_approved");
  });

  test("refuses to put another one up, with the same check", async () => {
    const made = await served({ approvals: 1, freeze: WEEKEND });
    made.clock.time = MONDAY + 5 * 24 * HOUR;
    const before = await documents(made.store);
    const answer = await promote(made.ask);
    expectRefused(answer, 409, "checks_failed");
    expect(answer.body.reason).toContain("2026-01-12T06:00:00.000Z");
    expect(await documents(made.store)).toEqual(before);
  });
});

describe("a closed promotion", () => {
  test.each<readonly [string, (made: Served) => Promise<unknown>, string]>([
    [
      "that was applied",
      async ({ ask, id }) => [await decide(ask, "approve", "bea", id), await decide(ask, "approve", "cleo", id)],
      "applied",
    ],
    ["that was rejected", ({ ask, id }) => decide(ask, "reject", "bea", id, { comment: "Not today." }), "rejected"],
    [
      "that expired",
      async ({ clock }) => {
        clock.time += 7 * 24 * HOUR;
      },
      "expired",
    ],
  ])("%s takes no decision any more", async (_what, close, status) => {
    const made = await served();
    await close(made);
    const revision = await made.project.revisionNumber("production");
    for (const decision of ["approve", "reject"] as const) {
      const answer = await decide(made.ask, decision, "dan", made.id);
      expectRefused(answer, 409, "promotion_closed");
      expect(answer.body.details).toEqual({ status });
    }
    expect(await made.project.revisionNumber("production")).toBe(revision);
    expect(await listed(made.ask)).toMatchObject([{ status }]);
  });
});

describe("one promotion", () => {
  const read = (ask: Ask, id: string, as = "ann", project = PROJECT) =>
    ask({ path: `/env/${project}/promotions/${id}`, headers: { authorization: as } });

  test("is read as the list shows it, before and after it is closed", async () => {
    const { ask, id } = await served();
    expect(await read(ask, id)).toMatchObject({ status: 200, body: (await listed(ask))[0] });
    await decide(ask, "reject", "bea", id);
    expect(await read(ask, id)).toMatchObject({ status: 200, body: { id, status: "rejected", rejection: { by: "bea" } } });
  });

  test.each([
    ["what there is not", "0mi5k2v1x9f2c1e7ab3", PROJECT, "promotion_not_found"],
    ["what can be none", "..%2Fpolicy", PROJECT, "promotion_not_found"],
    ["in a project that there is not", "0mi5k2v1x9f2c1e7ab3", "nobody", "project_not_found"],
  ])("that is not there is said: %s", async (_what, id, project, code) => {
    const { ask } = await served();
    expectRefused(await read(ask, id, "ann", project), 404, code);
  });
});
