import { describe, expect, test } from "vitest";
import { useEngine } from "../support/engine.ts";
import { expectError, Project } from "../support/project.ts";

const engine = useEngine();

async function configured(): Promise<Project> {
  const project = new Project(engine);
  await project.create("development", { env_variables: { REGION: "eu", API_KEY: "first-value" } });
  return project;
}

describe("PATCH", () => {
  test("sets vars, secrets and flags in one revision, and reads show secrets as set", async () => {
    const project = await configured();
    const written = await project.patchConfig("development", {
      vars: { REGION: "us", EMPTY: "" },
      secrets: { OTHER: "second-value" },
      flags: { beta: true },
      message: "Second region",
    });
    expect(written).toMatchObject({ status: "updated", version: "v0.1.1", revision: 2 });
    const config = await project.config("development");
    expect(config).toMatchObject({
      project_id: project.id,
      env: "development",
      version: "v0.1.1",
      revision: 2,
      vars: { REGION: "us", EMPTY: "" },
      secrets: { API_KEY: { set: true }, OTHER: { set: true } },
    });
    expect(config.secrets.OTHER).toEqual({ set: true });
    const [newest] = await project.revisions("development");
    expect(newest).toMatchObject({ action: "config", message: "Second region", changes: { feature_flags: ["beta"] } });
    expect([...(newest?.changes.env_vars_changed ?? [])].sort()).toEqual(["EMPTY", "OTHER", "REGION"]);
  });

  test("names vars of any kind plainly: what is sent as a var stays one", async () => {
    const project = await configured();
    await project.patchConfig("development", { vars: { PUBLISHABLE_KEY: "pk_1" } });
    expect((await project.config("development")).vars).toMatchObject({ PUBLISHABLE_KEY: "pk_1" });
  });

  test("unset removes vars, secrets and flags", async () => {
    const project = await configured();
    await project.patchConfig("development", { flags: { beta: false } });
    await project.patchConfig("development", { unset: ["vars/REGION", "secrets/API_KEY", "flags/beta"] });
    expect(await project.config("development")).toMatchObject({ vars: {}, secrets: {}, flags: {} });
    expect((await project.runtime("development")).secrets).toEqual({});
    expect((await project.runtime("development", "?at=1")).secrets).toEqual({ API_KEY: "first-value" });
  });

  test("that changes nothing makes no revision", async () => {
    const project = await configured();
    await project.patchConfig("development", { flags: { beta: true } });
    const before = await project.mark("development");
    const same = await project.patchConfig("development", { vars: { REGION: "eu" }, flags: { beta: true } });
    expect(same).toMatchObject({ status: "no_changes", version: "v0.1.1", revision: 2 });
    expect(await project.mark("development")).toEqual(before);
  });

  test("leaves the platform state as it is, and other environments too", async () => {
    const project = await configured();
    await project.putState("development", { entities: { Order: {} } });
    await project.create("staging", { base_from: "development" });
    const staging = await project.active("staging");
    await project.patchConfig("development", { vars: { REGION: "us" }, secrets: { API_KEY: "second-value" } });
    expect(await project.state("development")).toEqual({ entities: { Order: {} } });
    expect(await project.active("staging")).toEqual(staging);
    expect(await project.runtime("staging")).toMatchObject({ vars: { REGION: "eu" }, secrets: { API_KEY: "first-value" } });
  });
});

describe("flags", () => {
  test.each([
    [true, "on"],
    [false, "off"],
  ])("%s is shorthand for a boolean flag", async (shorthand, defaultVariant) => {
    const project = await configured();
    await project.patchConfig("development", { flags: { beta: shorthand } });
    const { flags } = await project.config("development");
    expect(flags.beta).toEqual({ state: "ENABLED", variants: { on: true, off: false }, defaultVariant });
  });

  test("a flagd definition is kept as it is, targeting included", async () => {
    const project = await configured();
    const definition = {
      state: "ENABLED",
      variants: { small: 10, large: 100 },
      defaultVariant: "small",
      targeting: {
        if: [
          { ends_with: [{ var: "email" }, "@portal.example"] },
          "large",
          {
            fractional: [
              ["small", 90],
              ["large", 10],
            ],
          },
        ],
      },
      metadata: { owner: "checkout" },
    };
    await project.patchConfig("development", { flags: { "page-size": definition } });
    expect((await project.config("development")).flags["page-size"]).toEqual(definition);
  });
});

describe("GET", () => {
  test("with ?at= shows the config as it was", async () => {
    const project = await configured();
    await project.patchConfig("development", { vars: { REGION: "us" }, flags: { beta: true } });
    expect(await project.config("development", "?at=1")).toMatchObject({ revision: 1, vars: { REGION: "eu" }, flags: {} });
    expectError(await engine.get(`${project.path("development", "config")}?at=9`), 404, "revision_not_found");
  });

  test("answers 304 until the config changes", async () => {
    const project = await configured();
    const url = project.path("development", "config");
    const etag = (await engine.get(url)).headers.etag ?? "";
    expect((await engine.get(url, { "if-none-match": etag })).status).toBe(304);
    expect((await engine.get(url, { "if-none-match": `"other", ${etag}` })).status).toBe(304);
    await project.patchConfig("development", { secrets: { API_KEY: "second-value" } });
    expect((await engine.get(url, { "if-none-match": etag })).status).toBe(200);
  });
});

test("changes by many at once lose none", async () => {
  const project = await configured();
  const names = Array.from({ length: 30 }, (_, index) => `VAR_${index}`);
  await Promise.all(
    names.map((name, index) =>
      project.patchConfig("development", index % 3 === 0 ? { secrets: { [name]: name } } : { vars: { [name]: name } }),
    ),
  );
  const runtime = await project.runtime("development");
  expect(runtime.revision).toBe(31);
  for (const [index, name] of names.entries()) expect(index % 3 === 0 ? runtime.secrets[name] : runtime.vars[name]).toBe(name);
  expect(await project.verify()).toMatchObject({ valid: true });
});
