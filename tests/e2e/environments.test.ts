import { beforeAll, describe, expect, test } from "vitest";
import { useEngine } from "../support/engine.ts";
import { type Active, expectError, type PageOf, Project, succeeded } from "../support/project.ts";

const engine = useEngine();

describe("the registry", () => {
  test("lists projects, and the environments of one", async () => {
    const [first, second] = [new Project(engine, "registry"), new Project(engine, "registry")];
    await first.create("development");
    await first.create("staging", { base_from: "development" });
    await second.create("production");

    const projects = await first.read<PageOf<{ readonly project_id: string }>>("/env");
    expect(projects.items.map(({ project_id }) => project_id)).toEqual(expect.arrayContaining([first.id, second.id]));

    const reply = await first.read<PageOf<{ readonly env: string }> & { readonly project_id: string }>(first.path());
    expect(reply.project_id).toBe(first.id);
    expect(reply.items.map(({ env }) => env).sort()).toEqual(["development", "staging"]);
  });

  test("lists those alone that are asked for, a page at a time, and tells how many there are in all", async () => {
    const project = new Project(engine, "filters");
    await project.create("development");
    for (const env of ["pr-1", "pr-2", "pr-3", "demo-1"]) await project.create(env, { base_from: "development", type: "preview" });
    succeeded(await engine.request("POST", "/env/archive", { project_id: project.id, env: "pr-2" }));
    const list = (query: string) =>
      project.read<PageOf<{ readonly env: string }> & { readonly total?: number }>(`${project.path()}?${query}`);
    const names = async (query: string) => (await list(query)).items.map(({ env }) => env);
    expect(await names("previews=none")).toEqual(["development"]);
    expect(await names("previews=only")).toEqual(["demo-1", "pr-1", "pr-2", "pr-3"]);
    expect(await names("previews=only&status=active&search=PR-")).toEqual(["pr-1", "pr-3"]);
    expect(await names("status=archived")).toEqual(["pr-2"]);
    expect((await list("previews=only")).total).toBeUndefined();
    const first = await list("previews=only&search=pr&limit=2&count=1");
    expect([first.items.map(({ env }) => env), first.total]).toEqual([["pr-1", "pr-2"], 3]);
    expect(await names(`previews=only&search=pr&limit=2&cursor=${first.next_cursor}`)).toEqual(["pr-3"]);
  });

  test("shows one environment with its head", async () => {
    const project = new Project(engine);
    await project.create("development");
    const { version } = await project.putState("development", { entities: { Order: {} } });
    expect(await project.read(project.path("development"))).toMatchObject({
      env: "development",
      type: "development",
      status: "active",
      version,
      revision: 2,
      hold: null,
      url: `https://preview.puraify.app/${project.id}/development`,
    });
  });

  test("survives a restart, with everything in it", async () => {
    const project = new Project(engine);
    await project.create("development", { env_variables: { REGION: "eu" } });
    await project.putState("development", { entities: { Order: {} } });
    const before = [await project.mark("development"), await project.state("development"), await project.config("development")];
    await engine.restart();
    expect([await project.mark("development"), await project.state("development"), await project.config("development")]).toEqual(before);
  });
});

describe("active", () => {
  test("says what should run, with links to exactly that revision", async () => {
    const project = new Project(engine);
    await project.create("development", { env_variables: { REGION: "eu" } });
    const { version } = await project.putState("development", { entities: { Order: {} } });
    const active = await project.active("development");
    expect(active).toMatchObject({ project_id: project.id, env: "development", version, revision: 2 });
    for (const text of [active.snapshot, active.checksum, active.status, active.url]) expect(text).toMatch(/\S/);
    expect(active.state_url).toContain("at=2");
    expect(active.config_url).toContain("at=2");

    await project.putState("development", {});
    await project.patchConfig("development", { vars: { REGION: "us" } });
    const follow = async <Body>(link: string) =>
      succeeded(await engine.get<Body>(new URL(link, engine.url).pathname + new URL(link, engine.url).search));
    expect(await follow(active.state_url)).toMatchObject({ state: { entities: { Order: {} } } });
    expect(await follow(active.config_url)).toMatchObject({ vars: { REGION: "eu" } });
  });

  test("has one snapshot for one content, whichever way it came about", async () => {
    const project = new Project(engine);
    await project.create("development");
    await project.putState("development", { entities: { Order: {} } });
    const first = await project.active("development");
    await project.putState("development", { entities: { Order: { changed: true } } });
    expect((await project.active("development")).snapshot).not.toBe(first.snapshot);
    await project.putState("development", { entities: { Order: {} } });
    const again = await project.active("development");
    expect(again.snapshot).toBe(first.snapshot);
    expect(again.version).not.toBe(first.version);
  });
});

describe("deployment reports move the sync status", () => {
  let project: Project;
  let head: Active;

  const report = (body: object) => engine.request("POST", "/env/deployments", { project_id: project.id, env: "production", ...body });
  const syncStatus = async (): Promise<unknown> =>
    (await project.read<{ readonly sync_status: unknown }>(project.path("production"))).sync_status;

  beforeAll(async () => {
    project = new Project(engine);
    await project.create("staging");
    await project.putState("staging", { entities: { Order: {} } });
    await project.create("production", { base_from: "staging" });
    head = await project.active("production");
  });

  test("never_deployed, deploying, in_sync, ready_for_deploy, failed", async () => {
    expect(await syncStatus()).toBe("never_deployed");
    succeeded(await report({ version: head.version, revision: head.revision, status: "deploying" }));
    expect(await syncStatus()).toBe("deploying");
    succeeded(
      await report({ version: head.version, revision: head.revision, status: "deployed", url: "https://shop.example", version_id: "d-1" }),
    );
    expect(await syncStatus()).toBe("in_sync");

    await project.patchState("staging", { set: { "entities/Note": {} } });
    const promoted = await project.promote("staging", "production");
    expect(await syncStatus()).toBe("ready_for_deploy");
    succeeded(await report({ version: promoted.version, revision: promoted.revision, status: "failed", reason: "Health check" }));
    expect(await syncStatus()).toBe("failed");
    succeeded(await report({ version: promoted.version, status: "deployed" }));
    expect(await syncStatus()).toBe("in_sync");
  });

  test("a report of an older revision changes nothing", async () => {
    succeeded(await report({ version: head.version, revision: head.revision, status: "failed", reason: "Late" }));
    expect(await syncStatus()).toBe("in_sync");
  });

  test("a report of what the environment never had is refused", async () => {
    const before = await project.mark("production");
    expectError(await report({ version: "v9.9.9", status: "deployed" }), 404, "version_not_found");
    expectError(await report({ version: head.version, revision: 99, status: "deployed" }), 404, "revision_not_found");
    expect(await project.mark("production")).toEqual(before);
  });

  test("a report makes no revision: the head stays", async () => {
    const before = await project.active("production");
    await project.deployed("production", before);
    expect(await project.active("production")).toMatchObject({
      version: before.version,
      revision: before.revision,
      snapshot: before.snapshot,
    });
  });
});

describe("an archived environment", () => {
  test("takes no writes until it is restored", async () => {
    const project = new Project(engine);
    await project.create("development");
    const archived = await engine.request("POST", "/env/archive", { project_id: project.id, env: "development", reason: "Done" });
    expect(succeeded(archived)).toMatchObject({ status: "archived", env: "development" });
    expectError(await engine.request("PUT", project.path("development", "state"), { state: {} }), 409, "environment_archived");
    expectError(await engine.request("PATCH", project.path("development", "config"), { vars: { A: "1" } }), 409, "environment_archived");

    const restored = await engine.request("POST", "/env/restore", { project_id: project.id, env: "development" });
    expect(succeeded(restored)).toMatchObject({ status: "restored", env: "development" });
    await project.putState("development", { entities: { Order: {} } });
    expect(await project.verify()).toMatchObject({ valid: true });
  });
});

describe("policy", () => {
  test("is read as it was written", async () => {
    const project = new Project(engine);
    await project.create("production");
    const policy = { environments: { production: { protected: true } } };
    await project.putPolicy(policy);
    const reply = await engine.get(project.path("policy"));
    expect(reply.status).toBe(200);
    expect(reply.text).toContain(JSON.stringify(policy.environments));
  });

  test.each([
    ["an unknown member", { environments: { production: { protectd: true } } }],
    ["a member of the wrong type", { environments: { production: { protected: "yes" } } }],
    ["no object", []],
  ])("with %s is refused", async (_what, policy) => {
    const project = new Project(engine);
    await project.create("production");
    const before = await project.mark("production");
    const reply = await engine.request("PUT", project.path("policy"), policy);
    expect(reply.status).toBe(400);
    expect(["invalid_policy", "invalid_request"]).toContain(reply.body.code);
    expect(await project.mark("production")).toEqual(before);
  });
});
