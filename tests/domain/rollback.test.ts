import { describe, expect, test } from "vitest";
import { keys } from "../../src/keys.ts";
import type { Revision } from "../../src/model.ts";
import {
  auditRecords,
  codeOf,
  document,
  documents,
  errorOf,
  headOf,
  memoryStore,
  openWorld,
  PROJECT,
  storedRevisions,
  TestClock,
  vaultEntries,
  type World,
} from "./support.ts";

/**
 * Production's revisions: 1 = v0.1.0, vars A and B, secret; 2 = v1.0.0, a platform; 3 = v1.0.1, B unset, C set, a flag, another
 * secret; 4 = v2.0.0, a component removed.
 */
async function world(clock?: TestClock): Promise<World> {
  const world = await openWorld({ store: memoryStore(clock) });
  const { project } = world;
  await project.create("production", { env_variables: { A: "1", B: "1", API_KEY: "sk-1" } });
  await project.set("production", { "flows/a": { on: true }, "entities/Order": {} }, { version: "v1.0.0" });
  await project.configure("production", {
    vars: { A: "2", C: "2" },
    secrets: { API_KEY: "sk-2", NEW_KEY: "sk-3" },
    flags: { beta: true },
    unset: ["vars/B"],
  });
  await project.remove("production", "flows/a");
  return world;
}

describe("a rollback", () => {
  test("brings platform and config back as a new revision: what was set since is unset, what was unset is set", async () => {
    const { project, store } = await world();
    const result = await project.rollback("production", "v1.0.0", { message: "Checkout fails" });
    expect(result).toMatchObject({
      status: "rolled_back",
      version: "v1.0.0",
      revision: 5,
      restored_revision: 2,
      diff_from_previous: {
        env_updated: ["A", "API_KEY", "B", "C", "NEW_KEY"],
        flags_changed: ["beta"],
        components: { added: { names: ["flows/a"] } },
      },
    });
    expect(await project.config("production")).toMatchObject({ vars: { A: "1", B: "1" }, secrets: { API_KEY: { set: true } }, flags: {} });
    expect((await project.config("production")).vars).not.toHaveProperty("C");
    expect(await project.secrets("production")).toEqual({ API_KEY: "sk-1" });
    expect(await project.state("production")).toMatchObject({ flows: { a: { on: true } } });
    const restored = await document<Revision>(store, keys.revision("production", 2));
    expect((await storedRevisions(store, "production")).at(-1)).toMatchObject({
      action: "rollback",
      snapshot: restored.snapshot,
      parents: [{ env: "production", revision: 2 }],
      message: "Checkout fails",
    });
  });

  test("rewrites nothing of the history that it goes back in", async () => {
    const { project, store } = await world();
    const before = await storedRevisions(store, "production");
    await project.rollback("production", 1);
    await project.rollback("production", 4);
    expect((await storedRevisions(store, "production")).slice(0, 4)).toEqual(before);
    expect((await headOf(store, "production")).revision).toBe(6);
  });

  test.each<readonly [string, string | number]>([
    ["a number", 2],
    ["a number as text", "2"],
    ["a version", "v1.0.0"],
    ["its other spelling", "1.0.0"],
  ])("goes to %s", async (_what, to) => {
    const { project } = await world();
    expect(await project.rollback("production", to)).toMatchObject({ restored_revision: 2 });
  });

  test("to a prefix goes to the newest revision of that series", async () => {
    const { project } = await world();
    expect(await project.rollback("production", "v1")).toMatchObject({ restored_revision: 3, version: "v1.0.1" });
    expect(await project.rollback("production", "v0")).toMatchObject({ restored_revision: 1 });
    expect(await project.rollback("production", "v1.0")).toMatchObject({ restored_revision: 5, version: "v1.0.1" });
  });

  test("to a time goes to what was the head then", async () => {
    const { project, store } = await world(new TestClock(1_000));
    const log = await storedRevisions(store, "production");
    for (const { revision, timestamp } of log.slice(0, 3)) {
      const just = new Date(Date.parse(timestamp) + 1).toISOString();
      expect(await project.rollback("production", just, { dry_run: true })).toMatchObject({ restored_revision: revision });
    }
    expect(await codeOf(project.rollback("production", "2020-01-01"))).toBe("revision_not_found");
  });

  test("keeps today's secrets with keep_current, and asks the vault for none of the old ones", async () => {
    const { project, store, vault } = await world();
    for (const path of await vaultEntries(store)) {
      const [, name, id] = /^production\/(.+)@(.+)$/.exec(path) ?? [];
      if (name === "API_KEY") await vault.delete({ project: PROJECT, env: "production", name, id: id ?? "" });
    }
    const before = await documents(store);
    expect(await errorOf(project.rollback("production", 1))).toMatchObject({
      code: "secret_unavailable",
      details: { secrets: ["API_KEY"] },
    });
    expect(await documents(store)).toEqual(before);
    await project.configure("production", { secrets: { API_KEY: "sk-9" } });
    expect(await project.rollback("production", 1, { secrets: "keep_current" })).toMatchObject({ status: "rolled_back" });
    expect(await project.secrets("production")).toEqual({ API_KEY: "sk-9", NEW_KEY: "sk-3" });
    expect((await project.config("production")).vars).toEqual({ A: "1", B: "1" });
  });

  test("does not ask for secrets that stay as they are", async () => {
    const { project, store, vault } = await world();
    for (const path of await vaultEntries(store)) {
      const [, name, id] = /^production\/(.+)@(.+)$/.exec(path) ?? [];
      await vault.delete({ project: PROJECT, env: "production", name: name ?? "", id: id ?? "" });
    }
    expect(await project.rollback("production", 3)).toMatchObject({ status: "rolled_back" });
  });

  test("places a hold that names who and why, and keeps no promotion from lifting it", async () => {
    const { project, store } = await world();
    await project.rollback("production", 2, { message: "Checkout fails" });
    expect((await headOf(store, "production")).hold).toMatchObject({ by: "ann", reason: "Checkout fails" });
    await project.create("staging", { base: "production" });
    await project.set("staging", { "flows/fixed": {} });
    await project.promote("staging", "production");
    expect((await headOf(store, "production")).hold).toBeNull();
    await project.rollback("production", 2);
    expect((await headOf(store, "production")).hold).toMatchObject({ reason: "rolled back to v1.0.0" });
  });

  test("to what runs already changes nothing, and places no hold", async () => {
    const { project, store } = await world();
    const before = await documents(store);
    for (const to of [4, "v2.0.0", "v2"])
      expect(await project.rollback("production", to)).toMatchObject({ status: "no_changes", revision: 4, version: "v2.0.0" });
    expect(await documents(store)).toEqual(before);
  });

  test("to the same content under another version resets the version, as a promotion does", async () => {
    const { project, store } = await world();
    await project.configure("production", { vars: { A: "3" } });
    await project.configure("production", { vars: { A: "2" } });
    expect((await headOf(store, "production")).version).toBe("v2.0.2");
    expect(await project.rollback("production", "v2.0.0")).toMatchObject({ status: "rolled_back", version: "v2.0.0", revision: 7 });
    expect(await headOf(store, "production")).toMatchObject({ version: "v2.0.0", hold: { by: "ann" } });
  });

  test("as a dry run says the same and changes nothing", async () => {
    const { project, store } = await world();
    const before = await documents(store);
    const { status, revision, ...planned } = await project.rollback("production", 1, { dry_run: true });
    expect({ status, revision }).toEqual({ status: "planned", revision: 4 });
    expect(await documents(store)).toEqual(before);
    expect(await project.rollback("production", 1)).toMatchObject({ ...planned, status: "rolled_back", revision: 5 });
  });

  test("is recorded with what it restored", async () => {
    const { project, store } = await world();
    await project.rollback("production", 2, { secrets: "keep_current" });
    expect((await auditRecords(store)).at(-1)).toMatchObject({
      action: "rollback",
      revision: 5,
      details: { restored_revision: 2, secrets: "keep_current" },
    });
  });

  test("can be undone by another one", async () => {
    const { project, store } = await world();
    const before = await headOf(store, "production");
    await project.rollback("production", 1);
    await project.rollback("production", 4);
    expect(await headOf(store, "production")).toMatchObject({ platform: before.platform, config: before.config, version: before.version });
    expect(await project.secrets("production")).toEqual({ API_KEY: "sk-2", NEW_KEY: "sk-3" });
  });

  test.each<readonly [string, string | number, string]>([
    ["a revision to come", 99, "revision_not_found"],
    ["a version that nobody has", "v9.9.9", "version_not_found"],
    ["no reference at all", "yesterday", "invalid_request"],
  ])("to %s is refused, and nothing is changed", async (_what, to, code) => {
    const { project, store } = await world();
    const before = await documents(store);
    expect(await codeOf(project.rollback("production", to))).toBe(code);
    expect(await documents(store)).toEqual(before);
  });

  test("of an archived environment is refused", async () => {
    const { project, domain } = await world();
    await domain.environments.archive(project.caller, { project: PROJECT, env: "production" });
    expect(await codeOf(project.rollback("production", 1))).toBe("environment_archived");
  });
});

test("two that race leave one history: both are in it, one after the other", async () => {
  const { project, store, domain } = await world();
  await Promise.all([project.rollback("production", 1), project.rollback("production", 2)]);
  const log = await storedRevisions(store, "production");
  expect(
    log
      .slice(4)
      .map(({ parents }) => parents[0]?.revision)
      .sort(),
  ).toEqual([1, 2]);
  expect(await domain.audit.verify(PROJECT, null)).toMatchObject({ valid: true });
});
