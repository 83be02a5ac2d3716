import { describe, expect, test } from "vitest";
import { headTag } from "../../src/etags.ts";
import type { Json, JsonObject } from "../../src/ports.ts";
import { codeOf, documents, headOf, openWorld, PROJECT, type Project, type World } from "./support.ts";

async function world(): Promise<World> {
  const world = await openWorld();
  await world.project.create("staging", { env_variables: { REGION: "eu", API_KEY: "sk-1" } });
  await world.project.set("staging", { "requires/DECLARED": { kind: "secret" } });
  return world;
}

describe("a config write", () => {
  test("sets and unsets entries together, as one revision", async () => {
    const { project } = await world();
    const written = await project.configure("staging", {
      vars: { MODE: "fast" },
      secrets: { OTHER: "x" },
      flags: { beta: true },
      unset: ["vars/REGION", "secrets/API_KEY"],
    });
    expect(written).toMatchObject({
      status: "updated",
      revision: 3,
      changes: { env_vars_changed: ["API_KEY", "MODE", "OTHER", "REGION"], feature_flags: ["beta"] },
    });
    expect(await project.config("staging")).toMatchObject({
      vars: { MODE: "fast" },
      secrets: { OTHER: { set: true } },
      flags: { beta: { state: "ENABLED" } },
    });
  });

  test("of what is there already, or of nothing, changes nothing", async () => {
    const { project, store } = await world();
    const before = await documents(store);
    for (const patch of [{ vars: { REGION: "eu" } }, {}, { unset: ["vars/NONE", "flags/none"] }]) {
      expect(await project.configure("staging", patch)).toMatchObject({ status: "no_changes", revision: 2 });
    }
    expect(await documents(store)).toEqual(before);
  });

  test("sorts env_variables as a new environment does, and says what was kept as what", async () => {
    const { project } = await world();
    const env_variables = { API_KEY: "sk-2", DECLARED: "x", REGION: "us", NEW_TOKEN: "t", DB: "postgres://u:p@db/x" };
    const written = await project.configure("staging", { env_variables, vars: { MODE: "fast" } });
    expect(written).toMatchObject({
      status: "updated",
      revision: 3,
      stored: { vars: ["REGION"], secrets: ["API_KEY", "DB", "DECLARED", "NEW_TOKEN"] },
    });
    expect(await project.config("staging")).toMatchObject({
      vars: { REGION: "us", MODE: "fast" },
      secrets: { API_KEY: { set: true }, DB: { set: true }, DECLARED: { set: true }, NEW_TOKEN: { set: true } },
    });
  });

  test("that is only planned says what it would do, refuses what it would refuse, and changes nothing", async () => {
    const { project, store } = await world();
    const before = await documents(store);
    const planned = await project.configure("staging", {
      env_variables: { API_KEY: "sk-2", REGION: "eu", MODE: "fast" },
      unset: ["vars/NONE"],
      dry_run: true,
    });
    expect(planned).toMatchObject({
      status: "planned",
      revision: 2,
      changes: { env_vars_changed: ["API_KEY", "MODE"] },
      stored: { vars: ["MODE", "REGION"], secrets: ["API_KEY"] },
    });
    expect(await codeOf(project.configure("staging", { vars: { API_KEY: "x" }, dry_run: true }))).toBe("secret_stays_secret");
    expect(await codeOf(project.configure("staging", { vars: { N: "1" }, ifMatch: ["0".repeat(32)], dry_run: true }))).toBe(
      "precondition_failed",
    );
    expect(await codeOf(project.configure("staging", { vars: { N: "1" }, version: "v0.1.0", dry_run: true }))).toBe("version_taken");
    expect(await codeOf(project.configure("staging", { vars: { N: "1" }, version: "soon", dry_run: true }))).toBe("invalid_version");
    const both = { version: "v9.0.0", bump: "major" } as const;
    expect(await codeOf(project.configure("staging", { vars: { N: "1" }, ...both, dry_run: true }))).toBe("invalid_request");
    expect(await codeOf(project.configure("staging", { vars: { N: "1" }, ...both }))).toBe("invalid_request");
    expect(await documents(store)).toEqual(before);
  });

  test("of a secret that was a var takes the var away", async () => {
    const { project } = await world();
    await project.configure("staging", { secrets: { REGION: "hidden" } });
    expect(await project.config("staging")).toMatchObject({ vars: {}, secrets: { REGION: { set: true }, API_KEY: { set: true } } });
  });

  test.each<readonly [string, Parameters<Project["configure"]>[1], string]>([
    ["a var that is a secret", { vars: { API_KEY: "x" } }, "secret_stays_secret"],
    ["a var that is declared a secret", { vars: { DECLARED: "x" } }, "secret_stays_secret"],
    ["a name as var and as secret", { vars: { NEW: "x" }, secrets: { NEW: "y" } }, "invalid_request"],
    ["a name that is set and unset", { vars: { NEW: "x" }, unset: ["vars/NEW"] }, "invalid_request"],
    ["a name that is unset twice", { unset: ["vars/REGION", "vars/REGION"] }, "invalid_request"],
    ["a name among the vars and among env_variables", { vars: { NEW: "x" }, env_variables: { NEW: "x" } }, "invalid_request"],
    ["a secret that env_variables call a var", { env_variables: { API_KEY: { value: "x", secret: false } } }, "secret_stays_secret"],
    ["a var that is no text", { vars: { N: 1 } }, "invalid_request"],
    ["an empty secret", { secrets: { N: "" } }, "invalid_request"],
    ["a bad name", { vars: { "a b": "x" } }, "invalid_name"],
    ["a flag without variants", { flags: { beta: { state: "ENABLED", variants: {} } } }, "invalid_flag"],
    ["no entry's name to unset", { unset: ["REGION"] }, "invalid_request"],
    ["another state than the head", { vars: { REGION: "us" }, ifMatch: ["0".repeat(32)] }, "precondition_failed"],
  ])("is refused whole for %s", async (_what, patch, code) => {
    const { project, store } = await world();
    const before = await documents(store);
    expect(await codeOf(project.configure("staging", { ...patch, flags: { ok: true, ...patch.flags } }))).toBe(code);
    expect(await documents(store)).toEqual(before);
  });

  test("with If-Match wins once, where two send the same one", async () => {
    const { project, store } = await world();
    const tag = headTag(PROJECT, await headOf(store, "staging"));
    const outcomes = await Promise.allSettled(
      ["us", "ap"].map((REGION) => project.configure("staging", { vars: { REGION }, ifMatch: [tag] })),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  });
});

describe("what an application runs with", () => {
  test("are its vars, its secrets and its flags, with the platform's defaults for what is unbound", async () => {
    const { project } = await world();
    const requires = {
      "requires/REGION": { kind: "var", default: "zz" },
      "requires/LIMIT": { kind: "var", default: 10 },
      "requires/beta": { kind: "flag", default: true },
    };
    await project.set("staging", requires);
    await project.configure("staging", { flags: { gamma: false } });
    const runtime = await project.runtime("staging");
    expect(runtime).toMatchObject({ version: "v1.1.1", vars: { REGION: "eu", LIMIT: "10" }, secrets: { API_KEY: "sk-1" } });
    expect(runtime.flags).toMatchObject({ beta: { state: "ENABLED", defaultVariant: "on" }, gamma: { defaultVariant: "off" } });
  });

  test.each<readonly [string, JsonObject, string]>([
    ["a flag whose default is none", { kind: "flag", default: "banana" }, "invalid_flag"],
    ["a flag whose default is null", { kind: "flag", default: null }, "invalid_flag"],
    ["a var whose default is an object", { kind: "var", default: {} }, "invalid_request"],
    ["a var whose default is null", { kind: "var", default: null }, "invalid_request"],
    ["a secret with a default", { kind: "secret", default: "hunter2" }, "invalid_request"],
    ["no kind", { description: "x" }, "invalid_request"],
    ["another kind", { kind: "number" }, "invalid_request"],
  ])("is not spoilt by a platform that declares %s: it is refused", async (_what, declared: Json, code) => {
    const { project } = await world();
    expect(await codeOf(project.set("staging", { "requires/X": declared }))).toBe(code);
    expect(await project.runtime("staging")).toMatchObject({ revision: 2 });
  });
});
