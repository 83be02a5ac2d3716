import { describe, expect, test } from "vitest";
import { guessType } from "../../src/creation.ts";
import { keys, SYSTEM_PARTITION } from "../../src/keys.ts";
import { LIMITS } from "../../src/limits.ts";
import { canonicalJson } from "../../src/merkle/index.ts";
import type { VariableInput } from "../../src/model.ts";
import type { Json, Store } from "../../src/ports.ts";
import { projectPartition } from "../../src/vault/documents.ts";
import {
  caller,
  codeOf,
  documents,
  domainOn,
  errorOf,
  headOf,
  memoryStore,
  openVault,
  openWorld,
  PROJECT,
  Project,
  storedRevisions,
  TestClock,
  vaultEntries,
  type World,
  watchedVault,
} from "./support.ts";

/** A project with `dev`: a platform, two vars, a flag, two secrets. */
async function withBase(): Promise<World> {
  const world = await openWorld();
  const { project } = world;
  await project.create("dev", { env_variables: { REGION: "eu", COLOR: "blue", API_KEY: "sk-dev", DB_PASSWORD: "pw-dev" } });
  await project.set("dev", { "flows/a": { on: true }, "entities/Order": {} });
  await project.configure("dev", { flags: { beta: true } });
  return world;
}

describe("without a base", () => {
  test("the environment is empty, at v0.1.0, and the first one makes the project", async () => {
    const { project, domain, store } = await openWorld();
    expect(await codeOf(domain.environments.list(caller("reader"), PROJECT, { limit: 10, cursor: null }))).toBe("project_not_found");
    const created = await project.create("staging", { env_variables: { REGION: "eu", API_KEY: "sk-1" }, message: "First" });
    expect(created).toEqual({
      status: "env_created",
      plan_id: expect.stringMatching(/^[0-9a-f]{40}$/),
      env: "staging",
      linked_version: "v0.1.0",
      url: "https://preview.test/pf-777/staging",
      revision: 1,
      type: "staging",
      expires_at: null,
      stored: { vars: ["REGION"], secrets: ["API_KEY"] },
      secrets_unbound: [],
    });
    expect(await project.state("staging")).toEqual({});
    expect(await project.config("staging")).toMatchObject({ vars: { REGION: "eu" }, secrets: { API_KEY: { set: true } }, flags: {} });
    expect(await storedRevisions(store, "staging")).toMatchObject([{ action: "create", created_by: "ann", message: "First", parents: [] }]);
    expect((await domain.environments.projects(caller("reader"), { limit: 10, cursor: null })).items).toMatchObject([
      { project_id: PROJECT, created_by: "ann" },
    ]);
  });
});

describe("from a base", () => {
  test("the platform, its version, the vars and the flags come along; both sides then go their own ways", async () => {
    const { project, store } = await withBase();
    const created = await project.create("staging", { base: "dev", env_variables: { REGION: "us", MODE: "fast" } });
    expect(created).toMatchObject({
      linked_version: (await headOf(store, "dev")).version,
      revision: 1,
      stored: { vars: ["MODE", "REGION"] },
    });
    const { vars, flags } = await project.config("staging");
    expect(vars).toEqual({ COLOR: "blue", MODE: "fast", REGION: "us" });
    expect(Object.keys(flags)).toEqual(["beta"]);
    expect((await headOf(store, "staging")).platform).toBe((await headOf(store, "dev")).platform);
    expect(await storedRevisions(store, "staging")).toMatchObject([{ parents: [{ env: "dev", revision: 3 }] }]);

    await project.set("staging", { "flows/a": { on: false } });
    await project.configure("staging", { vars: { COLOR: "red" }, flags: { beta: false } });
    await project.configure("dev", { vars: { MODE: "slow" } });
    expect(await project.state("dev")).toMatchObject({ flows: { a: { on: true } } });
    expect(await project.config("dev")).toMatchObject({
      vars: { COLOR: "blue", REGION: "eu", MODE: "slow" },
      flags: { beta: { defaultVariant: "on" } },
    });
    expect((await project.config("staging")).vars).toEqual({ COLOR: "red", MODE: "fast", REGION: "us" });
  });

  test("secrets are copied into entries of its own where the caller may reveal the base's", async () => {
    const { project, store } = await withBase();
    const created = await project.create("staging", { base: "dev", env_variables: { API_KEY: "sk-staging" } });
    expect(created).toMatchObject({ stored: { vars: [], secrets: ["API_KEY", "DB_PASSWORD"] }, secrets_unbound: [] });
    expect(await project.secrets("staging")).toEqual({ API_KEY: "sk-staging", DB_PASSWORD: "pw-dev" });
    expect((await vaultEntries(store)).filter((path) => path.startsWith("staging/"))).toHaveLength(2);
  });

  test.each<readonly [string, (project: Project) => Promise<{ stored: unknown; secrets_unbound: readonly string[] }>]>([
    [
      "a caller who may not reveal them",
      (project) => project.as(caller("eve", [])).create("staging", { base: "dev", env_variables: { API_KEY: "own" } }),
    ],
    [
      "a caller who may reveal the new environment's alone",
      (project) => project.as(caller("eve", ["staging"])).create("staging", { base: "dev", env_variables: { API_KEY: "own" } }),
    ],
    ['secrets: "empty"', (project) => project.create("staging", { base: "dev", secrets: "empty", env_variables: { API_KEY: "own" } })],
    [
      "a protected base",
      async (project) => {
        await project.policy({ environments: { "type:development": { protected: true } } });
        return project.create("staging", { base: "dev", env_variables: { API_KEY: "own" } });
      },
    ],
  ])("with %s, secrets stay behind and are listed", async (_what, create) => {
    const { project, store } = await withBase();
    expect(await create(project)).toMatchObject({ stored: { vars: [], secrets: ["API_KEY"] }, secrets_unbound: ["DB_PASSWORD"] });
    expect(await project.secrets("staging")).toEqual({ API_KEY: "own" });
    expect((await vaultEntries(store)).filter((path) => path.startsWith("staging/"))).toHaveLength(1);
  });

  test('of a protected base, secrets are copied where "copy" asks for it', async () => {
    const { project } = await withBase();
    await project.policy({ environments: { dev: { protected: true } } });
    await project.create("staging", { base: "dev", secrets: "copy" });
    expect(await project.secrets("staging")).toEqual({ API_KEY: "sk-dev", DB_PASSWORD: "pw-dev" });
  });

  test('"copy" is forbidden to whoever may not reveal them, and nothing is created', async () => {
    const { project, store } = await withBase();
    expect(await codeOf(project.as(caller("eve", [])).create("staging", { base: "dev", secrets: "copy" }))).toBe("forbidden");
    expect(await codeOf(project.view("staging"))).toBe("environment_not_found");
    expect(await vaultEntries(store)).toHaveLength(2);
  });

  test("what the platform requires and nobody binds is listed too", async () => {
    const { project } = await withBase();
    await project.set("dev", { "requires/MAIL_TOKEN": { kind: "secret" }, "requires/HOST": { kind: "var" } });
    expect(await project.create("staging", { base: "dev", secrets: "empty" })).toMatchObject({
      secrets_unbound: ["API_KEY", "DB_PASSWORD", "MAIL_TOKEN"],
    });
    expect(await project.view("staging")).toMatchObject({ config_complete: false, unbound: ["vars/HOST", "secrets/MAIL_TOKEN"] });
  });

  test("a var of the base that is given as a secret is a secret, and no var", async () => {
    const { project } = await withBase();
    await project.create("staging", { base: "dev", env_variables: { REGION: { value: "hidden", secret: true } } });
    expect(await project.config("staging")).toMatchObject({ vars: { COLOR: "blue" }, secrets: { REGION: { set: true } } });
    expect((await project.config("staging")).vars).not.toHaveProperty("REGION");
  });

  test("a secret of the base, or one that its platform declares, never becomes a var", async () => {
    const { project } = await withBase();
    await project.configure("dev", { secrets: { PLAIN: "hidden" } });
    await project.set("dev", { "requires/DECLARED": { kind: "secret" } });
    for (const name of ["PLAIN", "DECLARED"]) {
      expect(await codeOf(project.create("staging", { base: "dev", env_variables: { [name]: { value: "x", secret: false } } }))).toBe(
        "secret_stays_secret",
      );
    }
    await project.create("staging", { base: "dev", secrets: "empty", env_variables: { PLAIN: "a", DECLARED: "b" } });
    expect(await project.config("staging")).toMatchObject({ secrets: { PLAIN: { set: true }, DECLARED: { set: true } } });
  });

  test.each<readonly [string, (project: Project, given: VariableInput) => Promise<unknown>]>([
    [
      "of an older version",
      async (project, given) => {
        await project.set("dev", { "requires/DECLARED": { kind: "secret" } }, { version: "v1.0.0" });
        await project.remove("dev", "requires/DECLARED");
        return project.create("pr-1", { base: "dev", version: "v1.0.0", env_variables: { DECLARED: given } });
      },
    ],
    [
      "of the preview itself, which is created again without a base",
      async (project, given) => {
        await project.create("pr-1", { type: "preview" });
        await project.set("pr-1", { "requires/DECLARED": { kind: "secret" } });
        return project.create("pr-1", { type: "preview", env_variables: { DECLARED: given } });
      },
    ],
  ])("what the platform that it starts with declares as a secret is one: %s", async (_what, create) => {
    for (const given of ["x", { value: "x", secret: false }]) {
      const { project } = await withBase();
      if (typeof given !== "string") expect(await codeOf(create(project, given))).toBe("secret_stays_secret");
      else expect(await create(project, given)).toMatchObject({ stored: { vars: [] }, secrets_unbound: [] });
    }
  });
});

describe("what changes while the new environment's secrets are being written", () => {
  /** Creates `env` from `dev`; `change` happens after the first value is in the vault, `times` times. */
  async function racing(
    change: (project: Project, time: number) => Promise<unknown>,
    { env = "staging", times = 1, ...request }: Parameters<Project["create"]>[1] & { env?: string; times?: number } = {},
  ) {
    const store = memoryStore();
    const vault = await openVault(store);
    const fast = new Project(domainOn(store, vault));
    await fast.create("dev", { env_variables: { API_KEY: "sk-dev" } });
    let changes = 0;
    const slow = watchedVault(vault, async ({ call }) => {
      if (call === "put" && changes < times) await change(fast, ++changes);
    });
    const creating = new Project(domainOn(store, slow)).create(env, { base: "dev", ...request });
    return { fast, store, creating, changes: () => changes };
  }

  test("a var of the base becomes a secret: it never stays in the clear", async () => {
    const { fast, store, creating } = await racing((project) => project.configure("dev", { secrets: { PLAIN: "hidden" } }), {
      env_variables: { PLAIN: "hunter2" },
    });
    expect(await creating).toMatchObject({ status: "env_created", stored: { vars: [], secrets: ["API_KEY", "PLAIN"] } });
    expect(await fast.secrets("staging")).toEqual({ API_KEY: "sk-dev", PLAIN: "hunter2" });
    expect(await everythingStored(store)).not.toContain("hunter2");
  });

  test("a secret of the base changes: the old one never comes with the new config", async () => {
    const { fast, creating } = await racing((project) =>
      project.configure("dev", { secrets: { API_KEY: "sk-new" }, vars: { KEY_ID: "2" } }),
    );
    expect(await creating).toMatchObject({ status: "env_created" });
    expect(await fast.secrets("staging")).toEqual({ API_KEY: "sk-new" });
    expect(await fast.config("staging")).toMatchObject({ vars: { KEY_ID: "2" } });
  });

  test("somebody creates the same preview: it is brought up to date, with secrets as they were given to it, and none is left over", async () => {
    const { fast, store, creating } = await racing((project) => project.create("pr-1", { base: "dev", type: "preview" }), {
      env: "pr-1",
      type: "preview",
      env_variables: { REGION: "eu" },
    });
    expect(await creating).toMatchObject({ status: "env_updated", revision: 2, stored: { vars: ["REGION"], secrets: [] } });
    expect(await fast.secrets("pr-1")).toEqual({ API_KEY: "sk-dev" });
    expect((await vaultEntries(store)).filter((entry) => entry.includes("API_KEY"))).toHaveLength(2);
  });

  test("it goes on changing: it is tried a few times, and then told, and nothing was made", async () => {
    const { fast, creating, changes } = await racing((project, time) => project.configure("dev", { secrets: { API_KEY: `sk-${time}` } }), {
      times: Number.POSITIVE_INFINITY,
    });
    expect(await codeOf(creating)).toBe("write_conflict");
    expect(changes()).toBe(LIMITS.creationAttempts);
    expect(await codeOf(fast.view("staging"))).toBe("environment_not_found");
  });
});

test("a preview is not brought up to date from itself: nothing would come of it but another name for its base", async () => {
  const { project } = await openWorld();
  await project.create("dev");
  await project.create("pr-1", { base: "dev", type: "preview" });
  const error = await errorOf(project.create("pr-1", { base: "pr-1", type: "preview" }));
  expect(error).toMatchObject({ code: "base_not_found", message: expect.stringContaining("itself") });
  expect(await project.view("pr-1")).toMatchObject({ base_from: "dev", revision: 1 });
});

describe("a name that a preview has, in a request that does not say that it means one", () => {
  const DAY = 24 * 60 * 60_000;

  test.each<readonly [string, number, RegExp]>([
    ["lives", 0, /^Send "type":"preview" to bring it up to date/],
    ["ended a moment ago", 2 * DAY, /POST \/env\/restore while its grace time lasts, create it anew .* "type":"preview"/],
    ["ended long ago", 9 * DAY, /create it anew with POST \/env\/create and "type":"preview"/],
  ])("is taken, and the error says how it is used again, where the preview %s", async (_when, later, fix) => {
    const clock = new TestClock();
    const { project, domain } = await openWorld({ store: memoryStore(clock) });
    await project.create("dev");
    await project.create("pr-1", { base: "dev", expires_in: "2d" });
    clock.time += later;
    expect(await errorOf(project.create("pr-1", { base: "dev" }))).toMatchObject({
      code: "environment_exists",
      fix: expect.stringMatching(fix),
    });
    if (later > 0) expect(await errorOf(project.state("pr-1"))).toMatchObject({ fix: expect.stringContaining('"type":"preview"') });
    if (later > 3 * DAY) {
      const restored = domain.previews.restore(caller("ann"), { project: PROJECT, env: "pr-1" });
      expect(await errorOf(restored)).toMatchObject({ fix: expect.stringContaining('"type":"preview"') });
    }
    expect(await project.create("pr-1", { base: "dev", type: "preview" })).toMatchObject({ status: "env_updated" });
  });
});

describe("what cannot be created is refused, and nothing is written:", () => {
  test.each<readonly [string, string, Parameters<Project["create"]>[1], string]>([
    ["a name that is taken", "dev", {}, "environment_exists"],
    ["a base that is not there", "staging", { base: "none" }, "base_not_found"],
    ["itself as base", "staging", { base: "staging" }, "base_not_found"],
    ["an upper-case name", "Staging", {}, "invalid_name"],
    ["a reserved name", "policy", {}, "invalid_name"],
    ["a base that is no name", "staging", { base: "../x" }, "invalid_name"],
    ["a version that names another platform", "staging", { version: "v0.2.0" }, "version_taken"],
    ["a version that is none", "staging", { base: "dev", version: "latest" }, "invalid_version"],
    ["a variable that is none", "staging", { env_variables: { "A B": "x" } }, "invalid_name"],
  ])("%s", async (_what, env, wishes, code) => {
    const { project, store } = await withBase();
    const before = await documents(store);
    expect(await codeOf(project.create(env, wishes))).toBe(code);
    expect(await documents(store)).toEqual(before);
  });

  test("the name of an archived environment, with the way to get it back", async () => {
    const { project, domain } = await withBase();
    await domain.environments.archive(project.caller, { project: PROJECT, env: "dev" });
    expect(await codeOf(project.create("dev"))).toBe("environment_exists");
  });
});

/** Every document, object and hint in the store but the vault's own, as one text. */
async function everythingStored(store: Store): Promise<string> {
  const texts: string[] = [];
  for (const partition of [PROJECT, SYSTEM_PARTITION]) {
    for (const { key, value } of await documents(store, partition)) texts.push(key, canonicalJson(value));
    const infos = await store.objects.list(partition, null, 10_000);
    for (const data of await store.objects.get(
      partition,
      infos.map(({ hash }) => hash),
    ))
      texts.push(Buffer.from(data ?? []).toString("latin1"));
  }
  return texts.join("\n");
}

test("no secret's value stands in any document, object or audit record, nor in the vault's in the clear", async () => {
  const { project, domain, store } = await openWorld();
  const values = Array.from({ length: 8 }, (_, index) => `hunter2-${index}-correct-horse`);
  const [key, password, url, copied, second, promoted, flag, refused] = values as [
    string,
    string,
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  await project.create("dev", {
    env_variables: {
      API_KEY: key,
      DB_PASSWORD: password,
      DATABASE_URL: `postgres://u:${url}@db/app`,
      PLAIN: { value: copied, secret: true },
    },
  });
  await project.set("dev", { "flows/a": {}, "requires/API_KEY": { kind: "secret" } });
  await project.configure("dev", { secrets: { API_KEY: second }, message: "rotated" });
  await project.create("staging", { base: "dev" });
  await project.set("dev", { "flows/b": {} });
  await project.plan("dev", "staging", { env_variables: { OTHER_TOKEN: promoted } });
  await project.promote("dev", "staging", { env_variables: { OTHER_TOKEN: promoted, FLAG_KEY: flag } });
  await project.rollback("staging", 1);
  await project.runtime("staging");
  await project.secrets("dev");
  await project.compare("dev", "staging", true);
  await codeOf(project.configure("dev", { secrets: { REFUSED: refused }, vars: { PLAIN: refused } }));
  await domain.sweeper.sweep();

  const stored = await everythingStored(store);
  const sealed = (await documents(store, projectPartition(PROJECT))).map(({ value }) => canonicalJson(value as Json)).join("\n");
  for (const value of values) {
    expect(stored).not.toContain(value);
    expect(sealed).not.toContain(value);
    expect(stored).not.toContain(Buffer.from(value).toString("base64").slice(0, 20));
  }
  expect(stored).toContain("API_KEY");
  expect(await documents(store, PROJECT, keys.intentPrefix)).toEqual([]);
});

test.each([
  ["development", "development"],
  ["dev-ann", "development"],
  ["eu-staging", "staging"],
  ["prod_2", "production"],
  ["live", "production"],
  ["pr-17", "preview"],
  ["preview-qa", "preview"],
  ["product", "custom"],
  ["device", "custom"],
])("the name %s is guessed to be of type %s", (env, type) => {
  expect(guessType(env)).toBe(type);
});

test("racing creations of one name: one wins, the others hear that it exists", async () => {
  const { project } = await withBase();
  const outcomes = await Promise.allSettled(
    Array.from({ length: 6 }, (_, index) => project.create("staging", { base: "dev", env_variables: { N: `${index}` } })),
  );
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  for (const outcome of outcomes) if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "environment_exists" });
});
