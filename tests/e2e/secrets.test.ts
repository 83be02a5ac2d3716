import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Reply, useEngine } from "../support/engine.ts";
import { Project, succeeded } from "../support/project.ts";

const engine = useEngine();

/** Values that occur nowhere else, so that finding one means that it leaked. */
const VALUES = {
  created: "leak-canary-created-7f31",
  url: "leak-canary-url-1c9e",
  patched: "leak-canary-patched-a440",
  replaced: "leak-canary-replaced-55d2",
  promoted: "leak-canary-promoted-0e8b",
  refused: "leak-canary-refused-9b17",
};

function leaked(text: string): readonly string[] {
  return Object.values(VALUES).filter((value) => text.includes(value));
}

test("a secret's value is in no reply, log line or file, but for the two routes that reveal it", async () => {
  const project = new Project(engine);
  const replies: Reply<unknown>[] = [];
  const post = async (path: string, body: unknown): Promise<void> => {
    replies.push(await engine.request("POST", path, { project_id: project.id, ...(body as object) }));
  };
  const patch = async (env: string, body: unknown): Promise<void> => {
    replies.push(await engine.request("PATCH", project.path(env, "config"), body));
  };

  await post("/env/create", {
    new_environment: "development",
    env_variables: { API_KEY: VALUES.created, DATABASE: `postgres://app:${VALUES.url}@db/app` },
  });
  await post("/env/create", { new_environment: "staging", base_from: "development" });
  await patch("development", { secrets: { OTHER: VALUES.patched }, message: "rotate" });
  await patch("development", { secrets: { OTHER: VALUES.replaced } });
  // Refused requests show no value either: not a name that is none, not a value that is none.
  await patch("development", { secrets: { "no name": VALUES.refused } });
  await patch("development", { secrets: { OTHER: [VALUES.refused] } });
  await patch("development", { vars: { API_KEY: VALUES.refused } });
  await post("/env/create", { new_environment: "staging", env_variables: { "../KEY": VALUES.refused } });
  replies.push(await engine.request("PATCH", project.path("development", "config"), `{"secrets":{"OTHER":"${VALUES.refused}"`));
  await project.putState("development", {
    requires: { API_KEY: { kind: "secret" }, OTHER: { kind: "secret" }, MISSING: { kind: "secret" } },
  });
  await post("/env/promote", {
    source_env: "development",
    target_env: "staging",
    env_variables: { OTHER: { value: VALUES.refused, secret: true } },
  });
  await post("/env/promote", {
    source_env: "development",
    target_env: "staging",
    env_variables: { OTHER: { value: VALUES.promoted, secret: true }, MISSING: { value: VALUES.promoted, secret: true } },
  });
  await post("/env/rollback", { env: "staging", to: 1 });
  for (const path of [
    ["development", "config"],
    ["staging", "config"],
    ["development", "state"],
    ["development", "active"],
    ["development"],
    [],
    ["development", "revisions"],
    ["staging", "revisions"],
    ["staging", "revisions", "2"],
    ["versions"],
    ["audit"],
    ["policy"],
  ]) {
    replies.push(await engine.get(project.path(...path)));
  }
  replies.push(await engine.get(`/env/compare?project_id=${project.id}&left=development&right=staging&bodies=1`));

  for (const reply of replies) expect(leaked(reply.text), reply.text).toEqual([]);
  expect(leaked(engine.output())).toEqual([]);
  for (const file of readdirSync(engine.directory)) {
    expect({ file, leaked: leaked(readFileSync(join(engine.directory, file)).toString("latin1")) }).toEqual({ file, leaked: [] });
  }
  expect((await project.runtime("development")).secrets).toMatchObject({ API_KEY: VALUES.created, OTHER: VALUES.replaced });
});

describe("the two routes that reveal", () => {
  test("runtime gives vars, secrets and flags together, and is never kept by a cache", async () => {
    const project = new Project(engine);
    await project.create("development", { env_variables: { REGION: "eu", API_KEY: "revealed-value" } });
    await project.patchConfig("development", { flags: { beta: true } });
    const reply = await engine.get(project.path("development", "runtime"));
    expect(reply.headers["cache-control"]).toContain("no-store");
    expect(succeeded(reply)).toMatchObject({
      vars: { REGION: "eu" },
      secrets: { API_KEY: "revealed-value" },
      flags: { beta: { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "on" } },
    });
  });

  test("reveal gives the values, and is never kept by a cache", async () => {
    const project = new Project(engine);
    await project.create("development", { env_variables: { API_KEY: "revealed-value" } });
    const reply = await engine.request("POST", project.path("development", "secrets", "reveal"), {});
    expect(reply.status, reply.text).toBe(200);
    expect(reply.headers["cache-control"]).toContain("no-store");
    expect(reply.text).toContain("revealed-value");
    // Who wants all need say nothing.
    expect((await engine.request("POST", project.path("development", "secrets", "reveal"))).text).toBe(reply.text);
  });

  test("each use is in the audit log, by environment and without the value", async () => {
    const project = new Project(engine);
    await project.create("development", { env_variables: { API_KEY: "revealed-value" } });
    const { records } = await project.verify();
    await project.runtime("development");
    succeeded(await engine.request("POST", project.path("development", "secrets", "reveal"), {}));
    expect(await project.verify()).toMatchObject({ valid: true, records: records + 2 });
    const audit = await engine.get(project.path("audit"));
    expect(audit.text).not.toContain("revealed-value");
  });

  test("an older revision's secrets are read with ?at=", async () => {
    const project = new Project(engine);
    await project.create("development", { env_variables: { API_KEY: "value-one" } });
    await project.patchConfig("development", { secrets: { API_KEY: "value-two" } });
    expect((await project.runtime("development", "?at=1")).secrets).toEqual({ API_KEY: "value-one" });
    expect((await project.runtime("development")).secrets).toEqual({ API_KEY: "value-two" });
  });
});

describe("a secret never turns back into a var", () => {
  async function withSecret(): Promise<Project> {
    const project = new Project(engine);
    await project.create("development", { env_variables: { API_KEY: "first-value", PLAIN: { value: "first-value", secret: true } } });
    return project;
  }

  test.each([
    ["through the vars of a patch", { vars: { API_KEY: "second-value" } }],
    ["under a name that does not look secret", { vars: { PLAIN: "second-value" } }],
  ])("%s", async (_way, change) => {
    const project = await withSecret();
    await engine.request("PATCH", project.path("development", "config"), change);
    const config = await engine.get(project.path("development", "config"));
    expect(config.body).toMatchObject({ vars: {}, secrets: { API_KEY: { set: true }, PLAIN: { set: true } } });
    expect(config.text).not.toContain("-value");
  });

  test.each([
    ["as a bare string", { PLAIN: "second-value" }],
    ["as {value, secret: false}", { PLAIN: { value: "second-value", secret: false } }],
  ])("through env_variables of a promotion, %s", async (_way, env_variables) => {
    const project = await withSecret();
    await project.create("staging", { base_from: "development" });
    await project.putState("development", { entities: { Order: {} } });
    await project.tryPromote("development", "staging", { env_variables });
    const config = await engine.get(project.path("staging", "config"));
    expect(config.body).toMatchObject({ vars: {}, secrets: { API_KEY: { set: true }, PLAIN: { set: true } } });
    expect(config.text).not.toContain("-value");
  });

  test("through env_variables of a new environment made from one that has it as a secret", async () => {
    const project = await withSecret();
    const created = await project.create("staging", { base_from: "development", env_variables: { PLAIN: "own-value" } });
    expect(created.stored).toMatchObject({ vars: [], secrets: expect.arrayContaining(["PLAIN"]) });
    expect((await project.runtime("staging")).secrets).toMatchObject({ PLAIN: "own-value" });
  });
});

test("secrets survive a restart: the vault's key is beside the database", async () => {
  const project = new Project(engine);
  await project.create("development", { env_variables: { API_KEY: "lasting-value" } });
  await engine.restart();
  expect((await project.runtime("development")).secrets).toEqual({ API_KEY: "lasting-value" });
});
