import { describe, expect, test } from "vitest";
import type { Reply } from "../support/engine.ts";
import { useEngine } from "../support/engine.ts";
import { type CheckReply, expectError, failedChecks, type PageOf, Project, type Promoted, succeeded } from "../support/project.ts";

const engine = useEngine();

interface Policy {
  readonly revision: number;
  readonly policy: {
    readonly pipeline?: readonly string[];
    readonly environments?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  };
}

interface Waiting {
  readonly id: string;
  readonly status: string;
  readonly plan_id: string;
  readonly requested_by: string;
  readonly missing: number;
  readonly closed_reason: string | null;
}

interface Put extends Promoted {
  readonly promotion_id: string;
}

/** Staging is one change ahead of production. */
async function ahead(): Promise<Project> {
  const project = new Project(engine, "governed");
  await project.create("development");
  await project.putState("development", { entities: { Order: { fields: 1 } }, flows: { submit: { steps: 1, title: "Submit" } } });
  await project.create("staging", { base_from: "development" });
  await project.create("production", { base_from: "staging" });
  await project.patchState("staging", { set: { "entities/Note": {}, "flows/submit": { steps: 2, title: "Submit" } } });
  return project;
}

const promotions = async (project: Project, query = "") => (await project.read<PageOf<Waiting>>(project.path("promotions") + query)).items;
const decide = (project: Project, id: string, what: "approve" | "reject", more: object = {}): Promise<Reply<unknown>> =>
  engine.request("POST", `/env/promotions/${id}/${what}`, { project_id: project.id, ...more });
const check = ({ checks }: { readonly checks: readonly CheckReply[] }, wanted: string) => checks.find(({ name }) => name === wanted);

describe("the policy", () => {
  test("is empty at first, and replaced as a whole, with a revision and a tag", async () => {
    const project = await ahead();
    const first = await engine.get<Policy>(project.path("policy"));
    expect(succeeded(first)).toMatchObject({ revision: 0, policy: {} });
    const policy = { pipeline: ["development", "staging", "production"], environments: { production: { approvals: 1, soak: "30m" } } };
    const written = await engine.request<Policy>("PUT", project.path("policy"), policy, { "if-match": String(first.headers.etag) });
    expect(succeeded(written)).toMatchObject({ status: "updated", revision: 1, policy });
    expect(await project.read<Policy>(project.path("policy"))).toMatchObject({ revision: 1, policy });
    const stale = await engine.request("PUT", project.path("policy"), {}, { "if-match": String(first.headers.etag) });
    expectError(stale, 412, "precondition_failed");
  });

  test.each(["solo", "team", "regulated"])("may be a preset, %s: what is stored and shown is the policy itself", async (preset) => {
    const project = await ahead();
    await project.putPolicy({ preset });
    const { policy } = await project.read<Policy>(project.path("policy"));
    expect(policy.environments?.["type:production"]).toMatchObject({ protected: true });
    expect(policy).not.toHaveProperty("preset");
    await project.putPolicy(policy);
    expectError(
      await engine.request("PATCH", project.path("production", "state"), { set: { "entities/X": {} } }),
      409,
      "environment_protected",
    );
  });

  test("with faults is refused with the path of each", async () => {
    const project = await ahead();
    const faulty = { pipeline: ["staging", "nowhere"], environments: { production: { soak: "soon", approvals: -1, protectd: true } } };
    const { details } = expectError(await engine.request("PUT", project.path("policy"), faulty), 400, "invalid_policy");
    const paths = ((details?.faults ?? []) as readonly { readonly path: string }[]).map(({ path }) => path);
    expect(paths.sort()).toEqual([
      "/environments/production/approvals",
      "/environments/production/protectd",
      "/environments/production/soak",
    ]);
  });
});

describe("readiness", () => {
  test("tells every check without asking to promote, and changes nothing", async () => {
    const project = await ahead();
    await project.putPolicy({
      pipeline: ["development", "staging", "production"],
      environments: { production: { approvals: 1, soak: "1h" } },
    });
    const before = await project.mark("staging", "production");
    const ready = await project.read<Promoted & { readonly applicable: boolean }>(
      `${project.path("production", "readiness")}?source=staging`,
    );
    expect(ready).toMatchObject({ status: "planned", applicable: false, environment: "production" });
    expect(ready.checks.map(({ name, status }) => [name, status])).toEqual([
      ["pipeline_order", "passed"],
      ["environment_protected", "skipped"],
      ["freeze_window", "skipped"],
      ["hold", "passed"],
      ["soak_time", "failed"],
      ["diverged", "passed"],
      ["config_complete", "passed"],
      ["secrets_isolated", "passed"],
      ["validation", "skipped"],
      ["approvals", "failed"],
    ]);
    for (const { status, fix } of ready.checks) if (status === "failed") expect(fix).toMatch(/\S/);
    expect(await project.mark("staging", "production")).toEqual(before);
  });
});

describe("a check that the policy asks for refuses, says why and what to do", () => {
  test("the pipeline's order", async () => {
    const project = await ahead();
    await project.putPolicy({ pipeline: ["development", "staging", "production"] });
    expect(failedChecks(await project.tryPromote("development", "production", { strategy: "replace" }))).toMatchObject([
      { name: "pipeline_order", fix: expect.stringContaining("staging") },
    ]);
  });

  test("the soak time", async () => {
    const project = await ahead();
    await project.putPolicy({ environments: { production: { soak: "1h" } } });
    expect(failedChecks(await project.tryPromote("staging", "production"))).toMatchObject([{ name: "soak_time", fix: /another (1h|59m)/ }]);
  });

  test("a freeze, with the time at which it opens", async () => {
    const project = await ahead();
    // Open for one hour in half a year.
    const month = ((new Date().getUTCMonth() + 6) % 12) + 1;
    const freeze = [{ kind: "allow", cron: `0 0 1 ${month} *`, duration: "1h", timezone: "Europe/Berlin" }];
    await project.putPolicy({ environments: { production: { freeze } } });
    const [failed] = failedChecks(await project.tryPromote("staging", "production"));
    expect(failed).toMatchObject({ name: "freeze_window", details: { next_open: expect.stringMatching(/^\d{4}-/) } });
  });

  test("what the policy lets an admin skip is skipped with a reason, which the audit log keeps", async () => {
    const project = await ahead();
    await project.putPolicy({ environments: { production: { soak: "1h", approvals: 1, forceable: ["soak_time", "approvals"] } } });
    expectError(await project.tryPromote("staging", "production", { force: true }), 400, "invalid_request");
    const forced = await project.promote("staging", "production", { force: { reason: "Checkout is down" } });
    expect(forced.status).toBe("ready_for_deploy");
    expect([check(forced, "soak_time"), check(forced, "approvals")]).toMatchObject([{ status: "warning" }, { status: "warning" }]);
    const { items } = await project.read<PageOf<object>>(`${project.path("audit")}?limit=1`);
    expect(JSON.stringify(items)).toContain("Skipped by local: Checkout is down");
  });
});

describe("approvals", () => {
  test("put a promotion up: 202 with an id, shown in the list with what it waits for", async () => {
    const project = await ahead();
    await project.putPolicy({ preset: "team" });
    const reply = await project.tryPromote<Put>("staging", "production", { message: "Release" });
    const put = succeeded(reply, 202);
    expect(put).toMatchObject({ status: "pending_approval", environment: "production", revision: 1 });
    expect(check(put, "approvals")).toMatchObject({ status: "failed" });
    expect(await promotions(project)).toMatchObject([
      {
        id: put.promotion_id,
        status: "pending",
        plan_id: put.plan_id,
        requested_by: "local",
        missing: 1,
        waiting_for: null,
        message: "Release",
      },
    ]);
    expect((await project.active("production")).revision).toBe(1);
  });

  test("are never the requester's own, and still wait after a restart", async () => {
    const project = await ahead();
    await project.putPolicy({ preset: "team" });
    const { promotion_id } = succeeded(await project.tryPromote<Put>("staging", "production"), 202);
    expectError(await decide(project, promotion_id, "approve"), 403, "self_approval");
    await engine.restart();
    expect(await promotions(project, "?status=pending")).toMatchObject([{ id: promotion_id, missing: 1 }]);
    expectError(await decide(project, promotion_id, "approve"), 403, "self_approval");
    expectError(await decide(project, "0mi5k2v1x9f2c1e7ab3", "approve"), 404, "promotion_not_found");
    expect((await project.active("production")).revision).toBe(1);
  });

  test("end with a rejection, for good", async () => {
    const project = await ahead();
    await project.putPolicy({ preset: "team" });
    const { promotion_id } = succeeded(await project.tryPromote<Put>("staging", "production"), 202);
    expect(succeeded(await decide(project, promotion_id, "reject", { comment: "Not today" }))).toMatchObject({ status: "rejected" });
    expectError(await decide(project, promotion_id, "reject"), 409, "promotion_closed");
    expect(await promotions(project)).toMatchObject([{ status: "rejected", closed_reason: "Not today" }]);
    expect(await promotions(project, "?status=pending")).toEqual([]);
  });

  test("are void once something changed, visibly", async () => {
    const project = await ahead();
    await project.putPolicy({ preset: "team" });
    succeeded(await project.tryPromote<Put>("staging", "production"), 202);
    await project.patchState("staging", { set: { "entities/Late": {} } });
    expect(await promotions(project)).toMatchObject([{ status: "voided", closed_reason: expect.stringContaining("changed"), missing: 0 }]);
  });
});

describe("a merge", () => {
  test("with conflicts answers 409 with all of them, and is settled in the next request", async () => {
    const project = await ahead();
    await project.patchState("production", {
      set: { "flows/submit": { steps: 3, title: "Submit now" }, "entities/Note": { hotfix: true } },
    });
    await project.patchState("staging", { set: { "entities/Note": { fields: 2, hotfix: false }, "entities/Other": {} } });
    const before = await project.mark("staging", "production");

    expect(failedChecks(await project.tryPromote("staging", "production"))).toMatchObject([{ name: "diverged", fix: /merge/ }]);
    const { details } = expectError(await project.tryPromote("staging", "production", { strategy: "merge" }), 409, "merge_conflict");
    expect(details?.conflicts).toMatchObject([
      { component: "entities/Note", our_change: "added", their_change: "added", ours: { hotfix: true }, theirs: { hotfix: false } },
      { component: "flows/submit", base: { steps: 1 }, ours: { steps: 3 }, theirs: { steps: 2 }, paths: [{ path: "/steps" }] },
    ]);
    expect(await project.mark("staging", "production")).toEqual(before);

    const resolve = { "entities/Note": "theirs", "flows/submit": { steps: 5, title: "Submit now" } };
    const merged = await project.promote("staging", "production", { strategy: "merge", resolve });
    expect(merged).toMatchObject({ status: "ready_for_deploy", source_version: (await project.active("staging")).version });
    expect(await project.state("production")).toEqual({
      entities: { Order: { fields: 1 }, Note: { fields: 2, hotfix: false }, Other: {} },
      flows: { submit: { steps: 5, title: "Submit now" } },
    });
    const [newest] = await project.revisions("production");
    expect(newest).toMatchObject({ version: merged.version, source_version: (await project.active("staging")).version });
    expect(newest?.parents).toHaveLength(2);
  });

  test("of unrelated histories is refused", async () => {
    const project = await ahead();
    await project.create("island");
    await project.putState("island", { entities: { Palm: {} } });
    expectError(await project.tryPromote("island", "production", { strategy: "merge" }), 409, "unrelated_histories");
  });
});

describe("a selective promotion", () => {
  test("carries what is named, under a label of its own", async () => {
    const project = await ahead();
    await project.patchConfig("staging", { vars: { LIMIT: "5" }, flags: { beta: true } });
    const promoted = await project.promote("staging", "production", { only: ["entities/*"], vars: ["LIMIT"], flags: ["beta"] });
    const source = await project.active("staging");
    expect(promoted).toMatchObject({ status: "ready_for_deploy", source_version: source.version });
    expect(promoted.version).not.toBe(source.version);
    expect(await project.state("production")).toMatchObject({ entities: { Note: {} }, flows: { submit: { steps: 1 } } });
    const { vars, flags } = await project.config("production");
    expect([vars, Object.keys(flags)]).toEqual([{ LIMIT: "5" }, ["beta"]]);
  });

  test("that names nothing is refused; what it leaves dangling is warned of", async () => {
    const project = await ahead();
    expectError(await project.tryPromote("staging", "production", { only: ["pages/*"] }), 400, "invalid_request");
    await project.patchState("staging", { set: { "flows/remind": { uses: "entities/Note" } } });
    const plan = await project.promote("staging", "production", { only: ["flows/remind"], dry_run: true });
    expect(plan).toMatchObject({ warnings: [expect.stringContaining("entities/Note")] });
  });
});

test("a hold keeps nobody's manual promotion out, but warns of it, and is lifted by it", async () => {
  const project = await ahead();
  const turn = async (what: "hold" | "resume") =>
    engine.request("POST", `/env/${what}`, { project_id: project.id, env: "production", reason: "Incident" });
  expect(succeeded(await turn("hold"))).toMatchObject({ status: "held" });
  expect(await project.read(project.path("production"))).toMatchObject({ hold: { by: "local", reason: "Incident" } });
  expect(succeeded(await turn("resume"))).toMatchObject({ status: "resumed" });
  expectError(await turn("resume"), 409, "invalid_transition");
  succeeded(await turn("hold"));
  expect(check(await project.promote("staging", "production"), "hold")).toMatchObject({ status: "warning" });
  expect(await project.read(project.path("production"))).toMatchObject({ hold: null });
});
