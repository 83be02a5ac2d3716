import { beforeAll, describe, expect, test } from "vitest";
import { useEngine } from "../support/engine.ts";
import { clockPassed, expectError, Project } from "../support/project.ts";

const engine = useEngine();

const SAME = { only_left: [], only_right: [], different: [] };

describe("two sides are compared", () => {
  let project: Project;
  let created = "";

  /** Staging: 1 as created; 2 = v1.0.0 with Order; 3 = v1.1.0 with Order changed and Note; 4 = config. Production is a copy of 2. */
  beforeAll(async () => {
    project = new Project(engine);
    await project.create("staging", { env_variables: { REGION: "eu", API_KEY: "staging-value" } });
    await project.putState("staging", { entities: { Order: { fields: {} }, Kept: {} } }, { version: "v1.0.0" });
    created = (await project.revisions("staging"))[0]?.timestamp ?? "";
    await project.create("production", { base_from: "staging" });
    await clockPassed(created);
    await project.patchState("staging", {
      set: { "entities/Order": { fields: { total: "money" } }, "entities/Note": {} },
      version: "v1.1.0",
    });
    await project.patchConfig("staging", { vars: { REGION: "us" }, flags: { beta: true }, secrets: { API_KEY: "other-value" } });
  });

  test("head with head", async () => {
    expect(await project.compare("staging", "production")).toMatchObject({
      components: { only_left: ["entities/Note"], only_right: [], different: [{ name: "entities/Order" }], same_count: 1 },
      vars: { only_left: [], only_right: [], different: [{ name: "REGION", left: "us", right: "eu" }], same_count: 0 },
      flags: { only_left: ["beta"], only_right: [], different: [], same_count: 0 },
      secrets: { only_left: [], only_right: [], different: [{ name: "API_KEY" }], same_count: 0 },
    });
  });

  test("what flags share, beside the flags", async () => {
    const project = new Project(engine);
    const staff = (domain: string) => ({ ends_with: [{ var: "email" }, domain] });
    await project.create("staging");
    await project.patchConfig("staging", {
      evaluators: { staff: staff("@a.example"), beta: staff("@b.example") },
      flag_metadata: { team: "checkout" },
    });
    await project.create("production", { base_from: "staging" });
    await project.patchConfig("production", {
      evaluators: { staff: staff("@c.example") },
      flag_metadata: { team: "cart", contact: "ops" },
    });
    expect(await project.compare("staging", "production")).toMatchObject({
      flags: { ...SAME, same_count: 0 },
      evaluators: { ...SAME, different: [{ name: "staff", left: staff("@a.example"), right: staff("@c.example") }], same_count: 1 },
      flag_metadata: { ...SAME, only_right: ["contact"], different: [{ name: "team", left: "checkout", right: "cart" }], same_count: 0 },
    });
  });

  test("the other way round", async () => {
    const { components, flags } = await project.compare("production", "staging");
    expect(components).toMatchObject({ only_left: [], only_right: ["entities/Note"], different: [{ name: "entities/Order" }] });
    expect(flags).toMatchObject({ only_left: [], only_right: ["beta"] });
  });

  test.each([
    ["a version", "staging@v1.0.0"],
    ["a prefix of one", "staging@v1.0"],
    ["a revision", "staging@2"],
  ])("an older state, by %s", async (_by, left) => {
    expect((await project.compare(left, "production")).components).toEqual({ ...SAME, same_count: 2 });
    expect((await project.compare(left, "production")).vars).toEqual({ ...SAME, same_count: 1 });
  });

  test("an older state, by time", async () => {
    expect((await project.compare(`staging@${created}`, "staging@2")).components).toEqual({ ...SAME, same_count: 2 });
  });

  test("an environment with its own past", async () => {
    const past = await project.compare("staging@3", "staging");
    expect(past.components).toEqual({ ...SAME, same_count: 3 });
    expect(past.vars.different).toMatchObject([{ name: "REGION", left: "eu", right: "us" }]);
  });

  test("a copied secret that nobody replaced is the same on both sides", async () => {
    expect((await project.compare("staging@2", "production")).secrets).toEqual({ ...SAME, same_count: 1 });
  });

  test("without the bodies of components, or with them where asked", async () => {
    const [bare] = (await project.compare("staging", "production")).components.different;
    expect(bare).toEqual({ name: "entities/Order" });
    const [full] = (await project.compare("staging", "production", "&bodies=1")).components.different;
    expect(full).toEqual({ name: "entities/Order", left: { fields: { total: "money" } }, right: { fields: {} } });
  });

  test.each(["+", "%2B"])("a moment whose zone is written with %s", async (plus) => {
    const there = new Date(Date.parse(created) + 2 * 3_600_000).toISOString().replace("Z", `${plus}02:00`);
    const url = `/env/compare?project_id=${project.id}&left=staging@${there}&right=staging`;
    expect(await engine.get(url)).toMatchObject({ status: 200, body: { left: { revision: 2 }, right: { revision: 4 } } });
  });

  test("and no secret's value is shown, bodies or not", async () => {
    const reply = await engine.get(`/env/compare?project_id=${project.id}&left=staging&right=production&bodies=1`);
    expect(reply.text).not.toContain("-value");
  });

  test.each([
    ["an unknown environment", "nowhere", 404, "environment_not_found"],
    ["an unknown version", "staging@v9.9.9", 404, "version_not_found"],
    ["an unknown revision", "staging@99", 404, "revision_not_found"],
  ])("%s is refused by name", async (_what, left, status, code) => {
    const reply = await engine.get(`/env/compare?project_id=${project.id}&left=${encodeURIComponent(left)}&right=production`);
    expect(expectError(reply, status, code).reason).toContain(left.split("@").at(-1));
  });
});
