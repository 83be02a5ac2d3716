import { beforeEach, describe, expect, test } from "vitest";
import type { Domain } from "../../src/domain.ts";
import { keys, SYSTEM_PARTITION, systemKeys } from "../../src/keys.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Json, Store } from "../../src/ports.ts";
import type { ExtendRequest } from "../../src/previews.ts";
import {
  auditRecords,
  caller,
  codeOf,
  documents,
  domainOn,
  errorOf,
  memoryStore,
  openVault,
  openWorld,
  PROJECT,
  Project,
  storedRevisions,
  TestClock,
  vaultEntries,
  type World,
  wrapped,
} from "../domain/support.ts";
import { ANN, at, type Governed, openGoverned, pass } from "./support.ts";

let world: Governed;
let project: Project;

beforeEach(async () => {
  world = await openGoverned();
  project = world.project;
  await project.create("development", { env_variables: { REGION: "eu", API_KEY: "sk-development" } });
  await project.set("development", { "entities/Order": { fields: 1 } });
});

type Wishes = Parameters<Project["create"]>[1];

const preview = (env = "pr-1", wishes: Wishes = {}) => project.create(env, { type: "preview", base: "development", ...wishes });
const extend = (wishes: Partial<ExtendRequest>, env = "pr-1") => world.domain.previews.extend(ANN, { project: PROJECT, env, ...wishes });
const restore = (wishes: Partial<ExtendRequest> = {}, env = "pr-1") =>
  world.domain.previews.restore(ANN, { project: PROJECT, env, ...wishes });
const engine = () => domainOn(world.store, world.vault, world.failures);
const dues = async () => (await documents(world.store, SYSTEM_PARTITION, systemKeys.duePrefix)).map(({ key }) => key.split("/")[1]);
const actionsOf = async (env = "pr-1") => (await storedRevisions(world.store, env)).map(({ action }) => action);
const audited = async (env = "pr-1") =>
  (await auditRecords(world.store)).filter(({ environment }) => environment === env).map(({ action }) => action);

async function runDue(engines: readonly Pick<Domain, "sweeper">[] = [world.domain]): Promise<number> {
  const counts = await Promise.all(engines.map(({ sweeper }) => sweeper.runDue()));
  return Math.max(...counts);
}

describe("a preview ends", () => {
  test.each([
    ["1h", "2026-01-01T01:00:00.000Z"],
    ["24h", "2026-01-02T00:00:00.000Z"],
    ["72h", "2026-01-04T00:00:00.000Z"],
    ["7d", "2026-01-08T00:00:00.000Z"],
    ["1d12h", "2026-01-02T12:00:00.000Z"],
  ])("after %s, where that is asked for", async (expires_in, end) => {
    expect(await preview("pr-1", { expires_in })).toMatchObject({ status: "env_created", type: "preview", expires_at: end });
    expect(await project.view("pr-1")).toMatchObject({ status: "active", expires_at: end });
  });

  test("at the moment that is asked for", async () => {
    expect(await preview("pr-1", { expires_at: "2026-01-03T10:00:00+02:00" })).toMatchObject({ expires_at: "2026-01-03T08:00:00.000Z" });
  });

  test("at no moment that the calendar does not have", async () => {
    expect(await errorOf(preview("pr-1", { expires_at: "2026-02-30T10:00:00Z" }))).toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("is no moment"),
    });
  });

  test("after 72 hours where nothing is asked for", async () => {
    expect(await preview()).toMatchObject({ expires_at: "2026-01-04T00:00:00.000Z" });
  });

  test("within what the policy lets it live: more is refused, and where nothing is asked for, that is its end", async () => {
    await project.policy({ environments: { "type:preview": { max_ttl: "24h" } } });
    for (const wishes of [{ expires_in: "25h" }, { expires_at: "2026-01-03T00:00:00Z" }]) {
      expect(await errorOf(preview("pr-1", wishes))).toMatchObject({
        code: "invalid_request",
        message: expect.stringContaining("at most 1d"),
        fix: expect.stringMatching(/"expires_in":"24h"\.$/),
      });
    }
    expect(await codeOf(project.view("pr-1"))).toBe("environment_not_found");
    expect(await preview("pr-1", { expires_in: "24h" })).toMatchObject({ expires_at: "2026-01-02T00:00:00.000Z" });
    expect(await preview("pr-2")).toMatchObject({ expires_at: "2026-01-02T00:00:00.000Z" });
  });

  test("so that an expiry makes one of what nothing else is said of", async () => {
    expect(await project.create("qa-demo", { base: "development", expires_in: "24h" })).toMatchObject({
      type: "preview",
      expires_at: "2026-01-02T00:00:00.000Z",
    });
    expect(await codeOf(project.create("qa-custom", { base: "development", type: "custom", expires_in: "24h" }))).toBe("invalid_request");
  });

  test("and nothing else does", async () => {
    expect(await codeOf(project.create("staging", { base: "development", expires_in: "1h" }))).toBe("invalid_request");
    expect(await codeOf(extend({ expires_in: "1h" }, "development"))).toBe("invalid_request");
  });
});

describe("asked for again by its name", () => {
  test("a protected preview keeps its state: that would be a change by no promotion", async () => {
    await preview("pr-1", { expires_in: "1h" });
    await project.policy({ environments: { "type:preview": { protected: true } } });
    await project.set("development", { "flows/late": { v: 1 } });
    const before = await documents(world.store);
    expect(await codeOf(preview("pr-1", { expires_in: "2h", env_variables: { API_KEY: "sk-new" } }))).toBe("environment_protected");
    expect(await documents(world.store)).toEqual(before);
    expect(await preview("pr-2", { expires_in: "1h" })).toMatchObject({ status: "env_created" });
  });

  test("a preview takes the base's platform and a new end, and keeps its own config", async () => {
    await preview("pr-1", {
      expires_in: "1h",
      env_variables: { REGION: "us", API_KEY: "sk-preview" },
      source_ref: "https://git.example/1",
    });
    await project.configure("pr-1", { flags: { beta: true } });
    await project.set("pr-1", { "entities/Scratch": {} });
    const { version } = await project.set("development", { "entities/Note": {} });
    pass(world.clock, "30m");
    expect(await preview("pr-1", { expires_in: "2h", env_variables: { MODE: "fast" } })).toMatchObject({
      status: "env_updated",
      linked_version: version,
      revision: 4,
      expires_at: "2026-01-01T02:30:00.000Z",
      stored: { vars: ["MODE"], secrets: [] },
      secrets_unbound: [],
    });
    expect(await project.state("pr-1")).toEqual(await project.state("development"));
    const { vars, flags } = await project.config("pr-1");
    expect(vars).toEqual({ REGION: "us", MODE: "fast" });
    expect(Object.keys(flags)).toEqual(["beta"]);
    expect(await project.secrets("pr-1")).toEqual({ API_KEY: "sk-preview" });
    expect(await project.view("pr-1")).toMatchObject({ source_ref: "https://git.example/1" });
    expect((await storedRevisions(world.store, "pr-1")).at(-1)).toMatchObject({
      action: "update",
      parents: [
        { env: "pr-1", revision: 3 },
        { env: "development", revision: 3 },
      ],
    });
  });

  test("by two jobs at once is created by one and updated by the other", async () => {
    const replies = await Promise.all(
      [world.domain, engine()].map((domain) =>
        new Project(domain).create("pr-2", { type: "preview", base: "development", secrets: "empty" }),
      ),
    );
    expect(replies.map(({ status }) => status).sort()).toEqual(["env_created", "env_updated"]);
    expect(await actionsOf("pr-2")).toEqual(["create", "update"]);
  });

  test("an expired preview comes back to life, within the grace time with its own config", async () => {
    await preview("pr-1", { expires_in: "1h", env_variables: { API_KEY: "sk-preview" } });
    pass(world.clock, "2h");
    await runDue();
    expect(await project.view("pr-1")).toMatchObject({ status: "expired" });
    expect(await preview("pr-1", { expires_in: "1h" })).toMatchObject({
      status: "env_updated",
      expires_at: at(new TestClockAt(world, "1h")),
    });
    expect(await project.secrets("pr-1")).toEqual({ API_KEY: "sk-preview" });
    expect(await project.view("pr-1")).toMatchObject({ status: "active", cleared_at: null });
  });

  test("a preview whose grace time is over starts over with what the base has, secrets included", async () => {
    await preview("pr-1", { expires_in: "1h", env_variables: { REGION: "us", API_KEY: "sk-preview" } });
    pass(world.clock, "26h");
    await runDue();
    await runDue();
    expect(await project.view("pr-1")).toMatchObject({ status: "expired", cleared_at: expect.any(String) });
    expect(await preview("pr-1", { expires_in: "1h" })).toMatchObject({ status: "env_updated", secrets_unbound: [] });
    expect((await project.config("pr-1")).vars).toEqual({ REGION: "eu" });
    expect(await project.secrets("pr-1")).toEqual({ API_KEY: "sk-development" });
    await world.domain.sweeper.sweep();
    expect(await project.secrets("pr-1")).toEqual({ API_KEY: "sk-development" });
  });

  test("what is no preview, or an archived one, is refused", async () => {
    expect(await codeOf(project.create("development", { type: "preview" }))).toBe("environment_exists");
    await preview();
    await world.domain.environments.archive(ANN, { project: PROJECT, env: "pr-1" });
    expect(await codeOf(preview())).toBe("environment_exists");
    expect(await codeOf(project.create("pr-1", { base: "development" }))).toBe("environment_exists");
  });
});

/** A clock that is ahead of the world's, for the times that a test expects. */
class TestClockAt extends TestClock {
  constructor({ clock }: Governed, duration: string) {
    super();
    this.time = clock.time;
    pass(this, duration);
  }
}

describe("from the very moment on at which it ends, before any sweep", () => {
  const reads: readonly [string, (env: string) => Promise<unknown>][] = [
    ["its state", (env) => project.state(env)],
    ["its config", (env) => project.config(env)],
    ["what should run", (env) => world.domain.deployments.active(PROJECT, env, {})],
    ["its runtime config", (env) => project.runtime(env)],
    ["its secrets", (env) => project.secrets(env)],
    ["a comparison with it", (env) => project.compare("development", env)],
    ["the readiness of a promotion from it", (env) => project.plan(env, "development")],
  ];
  const writes: readonly [string, (env: string) => Promise<unknown>][] = [
    ["an edit", (env) => project.set(env, { "entities/Late": {} })],
    ["a config change", (env) => project.configure(env, { vars: { LATE: "1" } })],
    ["a promotion into it", (env) => project.promote("development", env)],
    ["a promotion from it", (env) => project.promote(env, "development")],
    ["a rollback", (env) => project.rollback(env, 1)],
    ["a hold", (env) => world.domain.environments.hold(ANN, { project: PROJECT, env })],
    ["an archiving", (env) => world.domain.environments.archive(ANN, { project: PROJECT, env })],
    ["an extension", (env) => extend({ expires_in: "1h" }, env)],
    ["a copy of it", (env) => project.create("other", { base: env })],
    [
      "a deployment report",
      (env) => world.domain.deployments.report(ANN, { project: PROJECT, env, version: "v0.2.0", revision: 1, status: "deployed" }),
    ],
  ];

  test.each(reads)("%s is refused as expired, and was not a millisecond before", async (_what, read) => {
    await preview("pr-1", { expires_in: "1h" });
    pass(world.clock, "1h");
    world.clock.time -= 1;
    await read("pr-1");
    world.clock.time += 1;
    expect(await codeOf(read("pr-1"))).toBe("environment_expired");
    await runDue();
    expect(await codeOf(read("pr-1"))).toBe("environment_expired");
  });

  test.each(writes)("%s is refused as expired, and changes nothing", async (_what, write) => {
    await preview("pr-1", { expires_in: "1h" });
    pass(world.clock, "1h");
    const before = await auditRecords(world.store);
    expect(await codeOf(write("pr-1"))).toBe("environment_expired");
    expect(await auditRecords(world.store)).toEqual(before);
    await runDue();
    expect(await codeOf(write("pr-1"))).toBe("environment_expired");
  });

  test("the registry shows it as expired; its history stays", async () => {
    await preview("pr-1", { expires_in: "1h" });
    pass(world.clock, "1h");
    expect(await project.view("pr-1")).toMatchObject({ status: "expired", revision: 1 });
    const { items } = await world.domain.environments.list(caller("reader"), PROJECT, { limit: 10, cursor: null });
    expect(items.map(({ env, status }) => [env, status])).toEqual([
      ["development", "active"],
      ["pr-1", "expired"],
    ]);
    expect(await project.revisions("pr-1")).toHaveLength(1);
  });
});

describe("its expire revision", () => {
  test("is appended once though three engines sweep at once, and is the engine's own doing", async () => {
    await preview("pr-1", { expires_in: "1h", env_variables: { API_KEY: "sk-1" } });
    pass(world.clock, "1h");
    const engines = [engine(), engine(), engine()];
    await runDue(engines);
    await runDue(engines);
    expect(await actionsOf()).toEqual(["create", "expire"]);
    expect(await audited()).toEqual(["create", "expire"]);
    const [created, expired] = await storedRevisions(world.store, "pr-1");
    expect(expired).toMatchObject({ created_by: "engine", version: created?.version, snapshot: created?.snapshot });
    expect(await project.view("pr-1")).toMatchObject({ status: "expired", revision: 2 });
    expect(await dues()).toEqual(["2026-01-02T01:00:00.000Z"]);
    expect(world.failures).toEqual([]);
  });

  test("is appended after a restart", async () => {
    await preview("pr-1", { expires_in: "1h" });
    pass(world.clock, "5h");
    await runDue([engine()]);
    expect(await actionsOf()).toEqual(["create", "expire"]);
  });

  test("is not appended before the end, nor after what else ended it", async () => {
    await preview("pr-1", { expires_in: "1h" });
    pass(world.clock, "59m");
    expect(await runDue()).toBe(0);
    await world.domain.environments.archive(ANN, { project: PROJECT, env: "pr-1" });
    pass(world.clock, "2h");
    await runDue();
    expect(await actionsOf()).toEqual(["create", "archive"]);
  });

  test("comes for all of 2,000 previews that end within one second, once for each, though three engines look", async () => {
    const numbers = Array.from({ length: 2_000 }, (_, index) => index);
    const end = Date.parse("2026-01-01T01:00:00.000Z");
    await Promise.all(
      numbers.map((number) => preview(`pr-${number}`, { secrets: "empty", expires_at: new Date(end + (number % 1_000)).toISOString() })),
    );
    world.clock.time = end + 1_000;
    const engines = [engine(), engine(), engine()];
    await runDue(engines);
    // What lost its races stays due, and is done by the next run.
    const isDue = async () => (await dues()).some((time) => (time ?? "") < at(world.clock));
    for (let round = 0; round < 20 && (await isDue()); round++) await runDue(engines);
    expect(await isDue()).toBe(false);
    for (const number of numbers) expect((await project.view(`pr-${number}`)).revision).toBe(2);
    const expired = (await auditRecords(world.store)).filter(({ action }) => action === "expire");
    expect(new Set(expired.map(({ environment }) => environment)).size).toBe(2_000);
    expect(expired).toHaveLength(2_000);
  });

  test("comes though the engine died between it and the timer of the grace time: the vault is cleared in the end", async () => {
    await preview("pr-1", { expires_in: "1h", secrets: "empty", env_variables: { API_KEY: "sk-1" } });
    pass(world.clock, "1h");
    let dead = false;
    const dying = wrapped(world.store, {
      commit: async (partition, change) => {
        if (dead) throw new Error("dead");
        dead = partition === PROJECT;
        return world.store.commit(partition, change);
      },
    });
    await runDue([domainOn(dying, world.vault)]).catch(() => undefined);
    expect(await actionsOf()).toEqual(["create", "expire"]);
    await runDue();
    pass(world.clock, "25h");
    await runDue();
    expect(await audited()).toEqual(["create", "expire", "clear"]);
  });
});

describe("a clock that jumps", () => {
  test("forward ends previews; back again does not bring them back, nor end them twice", async () => {
    await preview("pr-1", { expires_in: "1h" });
    pass(world.clock, "2h");
    await runDue();
    world.clock.time -= 2 * 3_600_000;
    expect(await codeOf(project.state("pr-1"))).toBe("environment_expired");
    expect(await project.view("pr-1")).toMatchObject({ status: "expired" });
    for (let hour = 0; hour < 4; hour++) {
      await runDue();
      pass(world.clock, "1h");
    }
    expect(await actionsOf()).toEqual(["create", "expire"]);
    expect(await restore({ expires_in: "24h" })).toMatchObject({ status: "restored" });
  });

  test("forward and back before anybody looked changes nothing", async () => {
    await preview("pr-1", { expires_in: "1h" });
    pass(world.clock, "2h");
    world.clock.time -= 2 * 3_600_000;
    expect(await runDue()).toBe(0);
    expect(await project.state("pr-1")).toEqual(await project.state("development"));
  });

  test("back before a preview is made does not lose its timer", async () => {
    pass(world.clock, "5h");
    await project.set("development", { "entities/Note": {} });
    world.clock.time -= 5 * 3_600_000;
    // Though what is written down in the project is stamped as the newest change was.
    expect(await preview("pr-1", { expires_in: "1h" })).toMatchObject({ expires_at: "2026-01-01T01:00:00.000Z" });
    pass(world.clock, "59m");
    await runDue();
    expect(await actionsOf()).toEqual(["create"]);
    pass(world.clock, "1m");
    await runDue();
    expect(await actionsOf()).toEqual(["create", "expire"]);
  });

  test("or goes on while a preview is made, past its end even, loses no timer", async () => {
    // A slow vault: the timer is set, found due by another engine, and forgotten before the preview exists.
    let slow = true;
    const store = wrapped(world.store, {
      commit: async (partition, change) => {
        if (slow && partition === PROJECT) {
          slow = false;
          pass(world.clock, "5s");
          await runDue();
        }
        return world.store.commit(partition, change);
      },
    });
    const other = new Project(domainOn(store, world.vault));
    const { expires_at } = await other.create("pr-1", { type: "preview", base: "development", expires_in: "2s" });
    world.clock.time = Date.parse(expires_at ?? "");
    await runDue();
    expect(await actionsOf()).toEqual(["create", "expire"]);
  });
});

describe("a write that takes so long that its timer comes before it", () => {
  /** An engine whose next commit of an audit record waits until another engine has acted on what is due. */
  function slowly() {
    let isSlow = true;
    const store = wrapped(world.store, {
      commit: async (partition, change) => {
        if (isSlow && partition === PROJECT && change.puts.some(({ key }) => key.startsWith(keys.auditPrefix))) {
          isSlow = false;
          pass(world.clock, "5s");
          await runDue();
        }
        return world.store.commit(partition, change);
      },
    });
    return domainOn(store, world.vault).previews;
  }

  test("and brings an end nearer: it ends then", async () => {
    await preview("pr-1", { expires_in: "7d" });
    const { expires_at } = await slowly().extend(ANN, { project: PROJECT, env: "pr-1", expires_in: "2s" });
    world.clock.time = Date.parse(expires_at ?? "");
    await runDue();
    expect(await actionsOf()).toEqual(["create", "expire"]);
  });

  test("and brings an archived preview back: it ends again", async () => {
    await preview("pr-1", { expires_in: "1h" });
    await world.domain.environments.archive(ANN, { project: PROJECT, env: "pr-1" });
    pass(world.clock, "2h");
    await runDue();
    const { expires_at } = await slowly().restore(ANN, { project: PROJECT, env: "pr-1" });
    world.clock.time = Date.parse(expires_at ?? "");
    await runDue();
    expect(await actionsOf()).toEqual(["create", "archive", "restore", "expire"]);
  });
});

describe("an extension", () => {
  test("before the end moves it: the old end passes by, the new one counts", async () => {
    await preview("pr-1", { expires_in: "1h" });
    pass(world.clock, "59m");
    expect(await extend({ expires_in: "2h", reason: "Still testing" })).toMatchObject({
      status: "extended",
      revision: 1,
      expires_at: "2026-01-01T02:59:00.000Z",
    });
    pass(world.clock, "1h");
    await runDue();
    expect(await actionsOf()).toEqual(["create"]);
    expect(await project.state("pr-1")).toEqual(await project.state("development"));
    world.clock.time = Date.parse("2026-01-01T02:59:00.000Z");
    expect(await codeOf(project.state("pr-1"))).toBe("environment_expired");
    await runDue();
    expect(await actionsOf()).toEqual(["create", "expire"]);
    expect((await auditRecords(world.store)).find(({ action }) => action === "extend")?.details).toEqual({
      expires_at: "2026-01-01T02:59:00.000Z",
      before: "2026-01-01T01:00:00.000Z",
      reason: "Still testing",
    });
  });

  test("may bring the end nearer", async () => {
    await preview("pr-1", { expires_in: "7d" });
    await extend({ expires_in: "1h" });
    pass(world.clock, "1h");
    await runDue();
    expect(await actionsOf()).toEqual(["create", "expire"]);
  });

  test.each<readonly [string, Partial<ExtendRequest>]>([
    ["says nothing", {}],
    ["lies in the past", { expires_at: "2025-12-31T00:00:00Z" }],
    ["is longer than the policy allows", { expires_in: "3d" }],
    ["is longer than anything is allowed to", { expires_in: "9999d" }],
    ["is none", { expires_in: "soon" }],
  ])("that %s is refused, and changes nothing", async (_what, wishes) => {
    await project.policy({ environments: { "type:preview": { max_ttl: "2d" } } });
    await preview("pr-1", { expires_in: "1h" });
    const before = await auditRecords(world.store);
    expect(await codeOf(extend(wishes))).toBe("invalid_request");
    expect(await auditRecords(world.store)).toEqual(before);
  });
});

test("who may not extend or restore an environment, or names none, sets no timer", async () => {
  const { domain, project, store } = world;
  await project.create("production", { type: "production" });
  await project.policy({ environments: { production: { protected: true } } });
  const dues = async () => (await documents(store, "_system", "due/")).map(({ key }) => key);
  const before = await dues();
  const editor = { ...ANN, grants: ANN.grants.map((grant) => ({ ...grant, role: "editor" as const })) };
  for (const act of [domain.previews.extend.bind(domain.previews), domain.previews.restore.bind(domain.previews)]) {
    expect(await codeOf(act(editor, { project: PROJECT, env: "production", expires_in: "1h" }))).toBe("forbidden");
    expect(await codeOf(act(ANN, { project: PROJECT, env: "nowhere", expires_in: "1h" }))).toBe("environment_not_found");
  }
  expect(await dues()).toEqual(before);
});

describe("a restore", () => {
  test("within the grace time brings everything back, with a new end", async () => {
    await preview("pr-1", { expires_in: "1h", env_variables: { API_KEY: "sk-1" } });
    const before = [await project.state("pr-1"), await project.config("pr-1")];
    pass(world.clock, "24h");
    await runDue();
    expect(await restore({ reason: "Demo on Monday" })).toMatchObject({
      status: "restored",
      revision: 3,
      expires_at: at(new TestClockAt(world, "24h")),
    });
    expect(await project.state("pr-1")).toEqual(before[0]);
    expect((await project.config("pr-1")).vars).toEqual((before[1] as { vars: Json }).vars);
    expect(await project.secrets("pr-1")).toEqual({ API_KEY: "sk-1" });
    // The grace time that was running ends without taking anything.
    pass(world.clock, "3h");
    await runDue();
    await world.domain.sweeper.sweep();
    expect(await project.secrets("pr-1")).toEqual({ API_KEY: "sk-1" });
    pass(world.clock, "22h");
    await runDue();
    expect(await actionsOf()).toEqual(["create", "expire", "restore", "expire"]);
  });

  test("works before any sweep has come by, too", async () => {
    await preview("pr-1", { expires_in: "1h" });
    pass(world.clock, "2h");
    expect(await restore({ expires_in: "1h" })).toMatchObject({ status: "restored", revision: 2 });
    await runDue();
    expect(await actionsOf()).toEqual(["create", "restore"]);
  });

  test("that names no end stays within what the policy lets a preview live", async () => {
    await preview("pr-1", { expires_in: "1h" });
    await project.policy({ environments: { "type:preview": { max_ttl: "2h" } } });
    pass(world.clock, "1h");
    expect(await restore()).toMatchObject({ expires_at: at(new TestClockAt(world, "2h")) });
    pass(world.clock, "2h");
    await runDue();
    expect(await actionsOf()).toEqual(["create", "restore", "expire"]);
  });

  test("after the grace time is refused, swept or not", async () => {
    await preview("pr-1", { expires_in: "1h" });
    pass(world.clock, "25h");
    expect(await codeOf(restore())).toBe("environment_expired");
    await runDue();
    await runDue();
    expect(await errorOf(restore())).toMatchObject({ code: "environment_expired", message: expect.stringContaining("grace time of 1d") });
  });

  test("of one that has not ended is refused", async () => {
    await preview("pr-1", { expires_in: "1h" });
    expect(await codeOf(restore())).toBe("invalid_transition");
  });
});

describe("after the grace time", () => {
  test("its secrets leave the vault, once though three engines sweep at once, and nobody else's do", async () => {
    await preview("pr-1", { expires_in: "1h", env_variables: { API_KEY: "sk-1", OTHER_TOKEN: "t" } });
    const kept = (await vaultEntries(world.store)).filter((entry) => !entry.startsWith("pr-1/"));
    pass(world.clock, "1h");
    await runDue();
    pass(world.clock, "23h");
    await runDue();
    await world.domain.sweeper.sweep();
    expect(await vaultEntries(world.store)).toHaveLength(kept.length + 2);

    pass(world.clock, "1h");
    await runDue([engine(), engine(), engine()]);
    await Promise.all([engine(), engine()].map(({ sweeper }) => sweeper.sweep()));
    expect(await vaultEntries(world.store)).toEqual(kept);
    expect((await documents(world.store, PROJECT, "secret/pr-1/")).length).toBe(0);
    expect((await documents(world.store, PROJECT, "intent/")).length).toBe(0);
    expect(await audited()).toEqual(["create", "expire", "clear"]);
    expect(await dues()).toEqual([]);
    expect(world.failures).toEqual([]);
  });

  test("the values that it had replaced leave the vault as well", async () => {
    await preview("pr-1", { expires_in: "1h", secrets: "empty", env_variables: { API_KEY: "sk-1" } });
    await project.configure("pr-1", { secrets: { API_KEY: "sk-2" } });
    pass(world.clock, "26h");
    await runDue();
    await runDue();
    await world.domain.sweeper.sweep();
    await world.domain.garbage.collectNow(PROJECT);
    expect((await vaultEntries(world.store)).filter((entry) => entry.startsWith("pr-1/"))).toEqual([]);
  });

  test("both happen in one run where nobody looked for days", async () => {
    await preview("pr-1", { expires_in: "1h", env_variables: { API_KEY: "sk-1" } });
    pass(world.clock, "7d");
    await runDue();
    expect(await audited()).toEqual(["create", "expire", "clear"]);
  });

  test("the rest stays: history, labels, and that it was there", async () => {
    await preview("pr-1", { expires_in: "1h" });
    const { version } = await project.set("pr-1", { "entities/Experiment": {} });
    pass(world.clock, "7d");
    await runDue();
    expect((await project.revisions("pr-1")).map(({ action }) => action)).toEqual(["expire", "update", "create"]);
    expect(await world.domain.versions.version(caller("reader"), PROJECT, version)).toMatchObject({ env: "pr-1", revision: 2 });
    expect(await project.view("pr-1")).toMatchObject({ status: "expired", cleared_at: at(world.clock) });
  });
});

describe("10,000 previews in one project", () => {
  /** Everything that is asked of a store, in the units that grow where something is not flat. */
  interface Tally {
    gets: number;
    keys: number;
    lists: number;
    listed: number;
    commits: number;
    puts: number;
    checks: number;
    objects: number;
  }

  function tallying(inner: Store): { readonly store: Store; readonly tally: Tally } {
    const tally: Tally = { gets: 0, keys: 0, lists: 0, listed: 0, commits: 0, puts: 0, checks: 0, objects: 0 };
    const store = wrapped(inner, {
      get: (partition, wanted) => {
        tally.gets++;
        tally.keys += wanted.length;
        return inner.get(partition, wanted);
      },
      list: async (partition, range) => {
        const entries = await inner.list(partition, range);
        tally.lists++;
        tally.listed += entries.length;
        return entries;
      },
      commit: (partition, change) => {
        tally.commits++;
        tally.puts += change.puts.length;
        tally.checks += change.checks.length;
        return inner.commit(partition, change);
      },
      objects: {
        get: (partition, hashes) => {
          tally.objects += hashes.length;
          return inner.objects.get(partition, hashes);
        },
        put: (partition, objects) => {
          tally.objects += objects.length;
          return inner.objects.put(partition, objects);
        },
        list: (partition, after, limit) => inner.objects.list(partition, after, limit),
      },
    });
    return { store, tally };
  }

  const numbered = (number: number) => `pr-${String(number).padStart(5, "0")}`;
  const request = (number: number): Wishes => ({
    type: "preview",
    base: "development",
    expires_in: "72h",
    source_ref: `https://git.example/${numbered(number)}`,
    env_variables: { NUMBER: numbered(number) },
  });

  test("the 10,000th is created, updated, read and extended for what the 100th cost", async () => {
    const inner = memoryStore();
    const vault = await openVault(inner);
    const filling = new Project(domainOn(inner, vault));
    await filling.create("development");
    await filling.set("development", { "entities/Order": {}, "flows/submit": {} });

    const costs = async (number: number): Promise<Readonly<Record<"create" | "update" | "read" | "extend", Tally>>> => {
      const cost = async (run: (cold: Project) => Promise<unknown>): Promise<Tally> => {
        const { store, tally } = tallying(inner);
        await run(new Project(domainOn(store, vault), { as: caller("ci") }));
        return tally;
      };
      const env = numbered(number);
      return {
        create: await cost((cold) => cold.create(env, request(number))),
        update: await cost((cold) => cold.create(env, request(number))),
        read: await cost((cold) => cold.config(env)),
        extend: await cost((cold) => cold.domain.previews.extend(cold.caller, { project: PROJECT, env, expires_in: "1h" })),
      };
    };
    const fill = async (from: number, to: number) => {
      for (let start = from; start < to; start += 500) {
        const numbers = Array.from({ length: Math.min(500, to - start) }, (_, index) => start + index);
        await Promise.all(numbers.map((number) => filling.create(numbered(number), request(number))));
      }
    };

    await fill(1, 100);
    const hundredth = await costs(100);
    await fill(101, 10_000);
    const last = await costs(10_000);
    expect((await documents(inner, PROJECT, "env/")).length).toBe(10_001);
    expect(last).toEqual(hundredth);
    expect(last.create).toMatchObject({ lists: 0, commits: 2 });
  });

  test("edits in each of many previews of one base stay within a bounded number of labels looked at", async () => {
    const { store, project: filling, vault }: World = await openWorld();
    await filling.create("development");
    await filling.set("development", { "entities/Order": {} });
    const previews = 600;
    const costs: number[] = [];
    for (let number = 1; number <= previews; number++) {
      await filling.create(numbered(number), { type: "preview", base: "development" });
      const { store: counted, tally } = tallying(store);
      const editor = new Project(domainOn(counted, vault));
      await editor.configure(numbered(number), { vars: { EDITED: "1" } });
      await editor.set(numbered(number), { "entities/Scratch": { number } });
      costs.push(tally.keys);
    }
    expect(Math.max(...costs.slice(-100))).toBeLessThanOrEqual(2 * Math.max(...costs.slice(50, 150)));
  });
});

test("the limits that these tests rely on are those that are documented", () => {
  expect([LIMITS.previewDefaultTtlMs, LIMITS.previewGraceMs]).toEqual([72 * 3_600_000, 24 * 3_600_000]);
});
