import { describe, expect, test } from "vitest";
import { AppError } from "../../src/errors.ts";
import { bumped, exactLabel, formatLabel, labelPrefix, parseLabel } from "../../src/labels.ts";
import type { Bump } from "../../src/model.ts";
import type { JsonObject } from "../../src/ports.ts";
import { codeOf, domainOn, memoryStore, openWorld, PROJECT, Project, storedRevisions, type World, wrapped } from "./support.ts";

test.each([
  ["v2.3.1", "v2.3.1"],
  ["2.3.1", "v2.3.1"],
  ["v02.003.0", "v2.3.0"],
  ["v999999999.0.0", "v999999999.0.0"],
])("the one spelling of %s is %s", (text, label) => {
  expect(exactLabel(text)).toBe(label);
});

test.each([
  "",
  "v",
  "v1",
  "v1.2",
  "v1.2.3.4",
  "v1.2.x",
  "v1.2.3-rc1",
  "v-1.0.0",
  "v1000000000.0.0",
  " v1.2.3",
  "v1.2.3\n",
  "latest",
  "V1.2.3",
])("%j is no version", (text) => {
  expect(() => exactLabel(text)).toThrow(AppError);
});

test.each<readonly [string, readonly number[] | null]>([
  ["v2", [2]],
  ["v2.9", [2, 9]],
  ["2.9.1", [2, 9, 1]],
  ["v2.", null],
  ["2.9.1.0", null],
  ["", null],
  ["head", null],
])("as a prefix, %j is %j", (text, numbers) => {
  expect(labelPrefix(text)).toEqual(numbers);
});

test.each<readonly [Bump, number, string | null]>([
  ["patch", 1, "v2.3.2"],
  ["patch", 3, "v2.3.4"],
  ["minor", 1, "v2.4.0"],
  ["major", 1, "v3.0.0"],
  ["major", 999_999_997, "v999999999.0.0"],
  ["major", 999_999_998, null],
])("a %s bump of v2.3.1, %i times, gives %s", (bump, times, label) => {
  const next = bumped(parseLabel("v2.3.1"), bump, times);
  expect(next && formatLabel(next)).toBe(label);
});

/** A project whose staging has one of everything, at v1.0.0. */
async function staging(): Promise<World> {
  const world = await openWorld();
  await world.project.create("staging", { env_variables: { REGION: "eu" } });
  const components = {
    "flows/a": { on: true },
    "entities/Order": {},
    "requires/REGION": { kind: "var" },
    "requires/MODE": { kind: "var", default: "fast" },
  };
  await world.project.set("staging", components, { version: "v1.0.0" });
  return world;
}

describe("a change is labelled by what it changed:", () => {
  const set = (components: JsonObject) => (project: Project) => project.set("staging", components);
  test.each<readonly [string, string, (project: Project) => Promise<{ version: string }>]>([
    ["config", "v1.0.1", (project) => project.configure("staging", { vars: { REGION: "us" } })],
    ["a flag", "v1.0.1", (project) => project.configure("staging", { flags: { beta: true } })],
    ["a secret", "v1.0.1", (project) => project.configure("staging", { secrets: { API_KEY: "sk" } })],
    ["a var unset", "v1.0.1", (project) => project.configure("staging", { unset: ["vars/REGION"] })],
    ["an added component", "v1.1.0", set({ "flows/b": {} })],
    ["a changed component", "v1.1.0", set({ "flows/a": { on: false } })],
    ["a removed component", "v2.0.0", (project) => project.remove("staging", "flows/a")],
    ["a new required key", "v2.0.0", set({ "requires/TOKEN": { kind: "secret" } })],
    ["a new required key with default", "v1.1.0", set({ "requires/LIMIT": { kind: "var", default: "10" } })],
    ["a required key that lost its default", "v2.0.0", set({ "requires/MODE": { kind: "var" } })],
    ["a required key that got a default", "v1.1.0", set({ "requires/REGION": { kind: "var", default: "eu" } })],
    ["a required key that is of another kind now", "v2.0.0", set({ "requires/REGION": { kind: "secret" } })],
    ["a required key with a new description", "v1.1.0", set({ "requires/REGION": { kind: "var", description: "Where" } })],
  ])("%s makes %s", async (_what, version, change) => {
    const { project } = await staging();
    expect(await change(project)).toMatchObject({ status: "updated", version, revision: 3 });
  });

  test("a replaced state by the greatest of its changes", async () => {
    const { project, domain } = await staging();
    const state = { flows: { a: { on: true } }, entities: { Order: {}, Note: {} }, requires: { MODE: { kind: "var", default: "fast" } } };
    expect(await domain.state.replace(project.caller, { project: project.id, env: "staging", state, ifMatch: null })).toMatchObject({
      version: "v2.0.0",
    });
  });
});

describe("the request may choose:", () => {
  test.each<readonly [Bump, string]>([
    ["patch", "v1.0.1"],
    ["minor", "v1.1.0"],
    ["major", "v2.0.0"],
  ])("a %s bump, whatever changed", async (bump, version) => {
    const { project } = await staging();
    expect(await project.configure("staging", { vars: { REGION: "us" }, bump })).toMatchObject({ version });
  });

  test("an exact version, in either spelling, even a lower one", async () => {
    const { project } = await staging();
    expect(await project.set("staging", { "flows/b": {} }, { version: "0.0.7" })).toMatchObject({ version: "v0.0.7" });
    expect(await project.configure("staging", { vars: { REGION: "us" } })).toMatchObject({ version: "v0.0.8" });
  });

  test("but no version that the project has used anywhere, not even for the same content", async () => {
    const { project } = await staging();
    await project.create("production", { base: "staging" });
    await project.set("production", { "flows/b": {} }, { version: "v5.0.0" });
    for (const version of ["v0.1.0", "v1.0.0", "v5.0.0"]) {
      expect(await codeOf(project.set("staging", { "flows/b": {} }, { version }))).toBe("version_taken");
      expect(await codeOf(project.configure("staging", { vars: { REGION: "us" }, version }))).toBe("version_taken");
    }
    expect(await codeOf(project.set("staging", { "flows/b": {} }, { version: "v5" }))).toBe("invalid_version");
    expect(await project.revisionNumber("staging")).toBe(2);
  });
});

test("labels that others took are skipped", async () => {
  const { project } = await staging();
  await project.create("production", { base: "staging" });
  for (let edit = 1; edit <= 20; edit++) await project.configure("staging", { vars: { REGION: `eu-${edit}` } });
  expect(await project.configure("production", { vars: { REGION: "us" } })).toMatchObject({ version: "v1.0.21" });
});

describe("the label after the one that was made last", () => {
  /** What was asked of the store: the documents that were read, and how many commits were made. */
  async function watched(exclusive: boolean) {
    const inner = memoryStore();
    const asked = { keys: [] as string[], commits: 0 };
    const store = wrapped(inner, {
      get: (partition, wanted) => {
        if (partition === PROJECT) asked.keys.push(...wanted);
        return inner.get(partition, wanted);
      },
      commit: (partition, change) => {
        if (partition === PROJECT) asked.commits++;
        return inner.commit(partition, change);
      },
    });
    const world = await openWorld({ store, exclusive });
    await world.project.create("staging", { env_variables: { REGION: "eu" } });
    await world.project.create("production", { base: "staging" });
    const write = async (env = "staging", project = world.project) => {
      asked.keys = [];
      asked.commits = 0;
      return (await project.configure(env, { vars: { REGION: `region ${Math.random()}` } })).version;
    };
    return { ...world, inner, asked, write };
  }

  test.each([true, false])("is not looked for, whether or not the store is the engine's own (%s)", async (exclusive) => {
    const { asked, write } = await watched(exclusive);
    await write();
    expect([await write(), asked.keys.filter((key) => key.startsWith("label/")), asked.commits]).toEqual(["v0.1.2", [], 1]);
  });

  test("is looked for where another environment's was made last, so that nobody's commit is in vain", async () => {
    const { asked, write } = await watched(true);
    for (let edit = 1; edit <= 6; edit += 2) {
      expect([await write("staging"), asked.commits]).toEqual([`v0.1.${edit}`, 1]);
      expect([await write("production"), asked.commits]).toEqual([`v0.1.${edit + 1}`, 1]);
    }
  });

  test("is not given twice where somebody took it on another engine", async () => {
    const { inner, vault, write } = await watched(false);
    await write();
    await new Project(domainOn(inner, vault)).configure("production", { vars: { REGION: "us" } });
    expect(await new Project(domainOn(inner, vault)).view("production")).toMatchObject({ version: "v0.1.2" });
    expect(await write()).toBe("v0.1.3");
    expect(await write()).toBe("v0.1.4");
  });

  test("is not given twice where an exact version took it before", async () => {
    const { project, asked, write } = await watched(true);
    await project.configure("production", { vars: { REGION: "us" }, version: "v0.1.2" });
    await project.configure("staging", { vars: { REGION: "us" }, version: "v0.1.1" });
    expect([await write(), asked.commits]).toEqual(["v0.1.3", 2]);
    expect([await write(), asked.commits]).toEqual(["v0.1.4", 1]);
  });
});

test("writers that come together get labels of their own", async () => {
  const { project } = await staging();
  const writes = await Promise.all(
    Array.from({ length: 40 }, (_, index) => project.configure("staging", { vars: { [`V_${index}`]: "x" } })),
  );
  expect(new Set(writes.map(({ version }) => version)).size).toBe(40);
});

test("no bump goes beyond the numbers that a label can hold, so that no environment is stuck with one that nobody can read", async () => {
  const { project } = await staging();
  await project.set("staging", { "flows/b": {} }, { version: "v999999999.999999999.999999999" });
  expect(await codeOf(project.configure("staging", { vars: { REGION: "us" } }))).toBe("version_taken");
  expect(await codeOf(project.remove("staging", "flows/b"))).toBe("version_taken");
  expect(await project.configure("staging", { vars: { REGION: "us" }, version: "v2.0.0" })).toMatchObject({ version: "v2.0.0" });
});

describe("an environment starts", () => {
  test("at an older version of its base, or a prefix of one, with what the base had then", async () => {
    const { project } = await staging();
    await project.set("staging", { "flows/b": {} }, { version: "v1.1.0" });
    expect(await project.create("a", { base: "staging", version: "v1.0.0" })).toMatchObject({ linked_version: "v1.0.0" });
    expect(await project.create("b", { base: "staging", version: "v1.0" })).toMatchObject({ linked_version: "v1.0.0" });
    expect(await project.create("c", { base: "staging", version: "v0.1.0" })).toMatchObject({ linked_version: "v0.1.0" });
    expect(Object.keys((await project.state("a")).flows ?? {})).not.toContain("b");
    expect(await project.state("b")).toEqual(await project.state("a"));
    expect(await project.state("c")).toEqual({});
    expect(await codeOf(project.create("d", { base: "staging", version: "v1.9" }))).toBe("invalid_version");
  });

  test("empty at v0.1.0, and each further one links it", async () => {
    const { project, store } = await openWorld();
    expect(await project.create("one")).toMatchObject({ linked_version: "v0.1.0" });
    expect(await project.create("two")).toMatchObject({ linked_version: "v0.1.0" });
    const [one] = await storedRevisions(store, "one");
    const [two] = await storedRevisions(store, "two");
    expect(one?.snapshot).toBe(two?.snapshot);
  });

  test("at its base's label, or at the one given where that is free or names the same platform", async () => {
    const { project } = await staging();
    expect(await project.create("a", { base: "staging" })).toMatchObject({ linked_version: "v1.0.0" });
    expect(await project.create("b", { base: "staging", version: "v7.0.0" })).toMatchObject({ linked_version: "v7.0.0" });
    expect(await project.create("c", { base: "staging", version: "v7.0.0" })).toMatchObject({ linked_version: "v7.0.0" });
    await project.set("a", { "flows/b": {} }, { version: "v8.0.0" });
    expect(await codeOf(project.create("d", { base: "staging", version: "v8.0.0" }))).toBe("version_taken");
    expect(await codeOf(project.create("e", { version: "v1.0.0" }))).toBe("version_taken");
  });
});
