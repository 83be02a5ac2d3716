import { describe, expect, test } from "vitest";
import type { DeploymentReport } from "../../src/deployments.ts";
import { snapshotId } from "../../src/merkle/index.ts";
import type { Deployment, Environment, SyncStatus } from "../../src/model.ts";
import { syncStatus } from "../../src/sync.ts";
import { auditRecords, codeOf, documents, openWorld, PROJECT, type World } from "./support.ts";

const ROOTS = { old: "a".repeat(64), head: "b".repeat(64) };
const CONFIG = "c".repeat(64);

function report(status: Deployment["status"], platform: keyof typeof ROOTS): Deployment {
  return { status, version: "v1.0.0", revision: 1, snapshot: snapshotId(ROOTS[platform], CONFIG), at: "", by: "" };
}

describe("the sync status", () => {
  test.each<readonly [SyncStatus, string, Deployment | null, Deployment | null]>([
    ["never_deployed", "nothing was ever reported", null, null],
    ["deploying", "the head is being deployed", report("deploying", "head"), null],
    ["deploying", "an older state is being deployed", report("deploying", "old"), report("deployed", "old")],
    ["in_sync", "the head was deployed", report("deployed", "head"), report("deployed", "head")],
    ["ready_for_deploy", "an older state was deployed", report("deployed", "old"), report("deployed", "old")],
    ["failed", "the head's deployment failed", report("failed", "head"), null],
    ["failed", "the head's deployment failed, and an older state runs", report("failed", "head"), report("deployed", "old")],
    ["ready_for_deploy", "an older state's deployment failed", report("failed", "old"), null],
    ["in_sync", "the head runs though something older failed later", report("failed", "old"), report("deployed", "head")],
  ])("is %s where %s", (status, _when, deployment, deployed) => {
    expect(syncStatus({ platform: ROOTS.head, config: CONFIG, deployment, deployed } as Environment)).toBe(status);
  });
});

async function world(): Promise<
  World & { report(report: Partial<DeploymentReport>): ReturnType<World["domain"]["deployments"]["report"]> }
> {
  const world = await openWorld();
  const { project, domain } = world;
  await project.create("production", { env_variables: { A: "1" } });
  await project.set("production", { "flows/a": {} }, { version: "v1.0.0" });
  await project.configure("production", { vars: { A: "2" } });
  return {
    ...world,
    report: (report) =>
      domain.deployments.report(project.caller, { project: PROJECT, env: "production", version: "v1.0.1", status: "deployed", ...report }),
  };
}

describe("a report", () => {
  test("is told in the status, the audit log and the active state's address", async () => {
    const { project, domain, report, store } = await world();
    expect(await project.view("production")).toMatchObject({ sync_status: "never_deployed" });
    expect(await report({ status: "deploying" })).toMatchObject({ status: "recorded", revision: 3, sync_status: "deploying" });
    expect(await report({ status: "deployed", url: "https://shop.example", version_id: "d-17" })).toMatchObject({ sync_status: "in_sync" });
    expect(await project.view("production")).toMatchObject({
      sync_status: "in_sync",
      deployed: { url: "https://shop.example", version_id: "d-17", by: "ann", revision: 3 },
    });
    expect((await domain.deployments.active(PROJECT, "production", {})).body).toMatchObject({
      status: "in_sync",
      url: "https://shop.example",
    });
    await project.configure("production", { vars: { A: "3" } });
    expect(await project.view("production")).toMatchObject({ sync_status: "ready_for_deploy" });
    expect((await auditRecords(store)).filter(({ action }) => action === "deployment").map(({ revision }) => revision)).toEqual([3, 3]);
  });

  test("adds no revision and no version", async () => {
    const { project, report } = await world();
    const before = await project.revisions("production");
    await report({ status: "failed", reason: "no quota" });
    expect(await project.revisions("production")).toEqual(before);
  });

  test("without a revision means the newest one that had the version", async () => {
    const { project, report } = await world();
    await project.rollback("production", 2);
    await project.configure("production", { vars: { A: "4" } });
    expect(await report({ version: "v1.0.0" })).toMatchObject({ status: "recorded", revision: 4, sync_status: "ready_for_deploy" });
  });

  test("after a rollback to what was deployed once counts for the new revision alone", async () => {
    const { project, report } = await world();
    await report({ version: "v1.0.0", revision: 2 });
    await report({ version: "v1.0.1", revision: 3 });
    await project.rollback("production", 2);
    expect(await project.view("production")).toMatchObject({ sync_status: "ready_for_deploy" });
    expect(await report({ version: "v1.0.0", revision: 4 })).toMatchObject({ status: "recorded", sync_status: "in_sync" });
  });

  type Said = readonly [revision: number, status: Deployment["status"]];
  test.each<readonly [string, Said, Said]>([
    ["an older revision after a newer one", [3, "deployed"], [2, "deployed"]],
    ["an older revision's failure", [3, "deployed"], [2, "failed"]],
    ["an older revision's start", [3, "deploying"], [2, "deploying"]],
    ["the same one again", [3, "deployed"], [3, "deployed"]],
    ["the same failure again", [3, "failed"], [3, "failed"]],
    ["the same start again", [3, "deploying"], [3, "deploying"]],
    ["the start after the success", [3, "deployed"], [3, "deploying"]],
  ])("that is stale changes nothing: %s", async (_what, first, late) => {
    const { report, store } = await world();
    const version = (revision: number) => (revision === 3 ? "v1.0.1" : "v1.0.0");
    expect(await report({ revision: first[0], version: version(first[0]), status: first[1] })).toMatchObject({ status: "recorded" });
    const before = await documents(store);
    expect(await report({ revision: late[0], version: version(late[0]), status: late[1], reason: "late" })).toMatchObject({
      status: "stale",
    });
    expect(await documents(store)).toEqual(before);
  });

  test.each<readonly [string, Said, Said, SyncStatus]>([
    ["the success after the start", [3, "deploying"], [3, "deployed"], "in_sync"],
    ["the failure after the start", [3, "deploying"], [3, "failed"], "failed"],
    ["a success after a failure", [3, "failed"], [3, "deployed"], "in_sync"],
    ["a newer revision", [2, "deployed"], [3, "deploying"], "deploying"],
  ])("that is new counts: %s", async (_what, first, next, status) => {
    const { report, project } = await world();
    const version = (revision: number) => (revision === 3 ? "v1.0.1" : "v1.0.0");
    await report({ revision: first[0], version: version(first[0]), status: first[1] });
    expect(await report({ revision: next[0], version: version(next[0]), status: next[1] })).toMatchObject({
      status: "recorded",
      sync_status: status,
    });
    expect(await project.view("production")).toMatchObject({ sync_status: status });
  });

  test("that comes twice at once is recorded once", async () => {
    const { report } = await world();
    const said = await Promise.all([report({}), report({}), report({})]);
    expect(said.map(({ status }) => status).sort()).toEqual(["recorded", "stale", "stale"]);
  });

  test.each<readonly [string, Partial<DeploymentReport>, string]>([
    ["a revision that is not that version", { revision: 2 }, "invalid_request"],
    ["a revision to come", { revision: 99 }, "revision_not_found"],
    ["a version that it never ran", { version: "v7.0.0" }, "version_not_found"],
    ["an environment that is not there", { env: "none" }, "environment_not_found"],
  ])("about %s is refused", async (_what, wrong, code) => {
    const { report } = await world();
    expect(await codeOf(report(wrong))).toBe(code);
  });
});

describe("the active state", () => {
  test("is the head, with a checksum that changes with it alone", async () => {
    const { project, domain } = await world();
    const first = await domain.deployments.active(PROJECT, "production", {});
    expect(first.body).toMatchObject({
      version: "v1.0.1",
      revision: 3,
      status: "never_deployed",
      state_url: "/env/pf-777/production/state?at=3",
      config_url: "/env/pf-777/production/config?at=3",
    });
    expect(first.body.checksum).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await domain.deployments.active(PROJECT, "production", {})).toEqual(first);
    await project.configure("production", { vars: { A: "3" } });
    const next = await domain.deployments.active(PROJECT, "production", {});
    expect(next.body.checksum).not.toBe(first.body.checksum);
    expect(next.tag).not.toBe(first.tag);
    expect((await domain.deployments.active(PROJECT, "production", { at: 3 })).body.checksum).toBe(first.body.checksum);
  });
});
