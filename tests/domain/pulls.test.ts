import { describe, expect, test } from "vitest";
import type { AppError } from "../../src/errors.ts";
import { keys } from "../../src/keys.ts";
import { LIMITS } from "../../src/limits.ts";
import type { PullRequest } from "../../src/pulls.ts";
import {
  caller,
  codeOf,
  counting,
  documents,
  errorOf,
  memoryStore,
  openWorld,
  PROJECT,
  type Project,
  TestClock,
  type World,
} from "./support.ts";

const id = (letter: string) => letter.repeat(40);
const commit = (letter: string, message = `Commit ${letter}`) => ({
  id: id(letter),
  author: "Grace",
  email: "grace@example.com",
  at: "2025-12-31T12:00:00.000Z",
  message,
});

type Wishes = Partial<Omit<PullRequest, "project" | "env" | "commit">>;

const pull = (project: Project, letter: string, wishes: Wishes = {}, env = "staging") =>
  project.domain.pulls.pull(project.caller, { project: project.id, env, commit: commit(letter), ...wishes });

/** An environment that was brought up to the commit `aaa…`. */
async function pulled(parts: Parameters<typeof openWorld>[0] = {}): Promise<World> {
  const world = await openWorld(parts);
  await world.project.create("staging");
  await pull(world.project, "a", { set: { "flows/x": { steps: 1, name: "x" }, "flows/y": 1 }, vars: { REGION: "eu", TIER: "one" } });
  return world;
}

describe("a pull", () => {
  test("is one revision, of state and config, that names the commit and its author beside who pulled it", async () => {
    const { project } = await pulled();
    const [newest] = await project.revisions("staging");
    expect(newest).toMatchObject({
      revision: 2,
      action: "update",
      created_by: "ann",
      message: "Commit a",
      git: { commit: id("a"), author: "Grace", email: "grace@example.com", authored_at: "2025-12-31T12:00:00.000Z" },
      changes: { components_added: 2, env_vars_changed: ["REGION", "TIER"] },
    });
    expect(await project.state("staging")).toEqual({ flows: { x: { steps: 1, name: "x" }, y: 1 } });
    expect((await project.config("staging")).vars).toEqual({ REGION: "eu", TIER: "one" });
  });

  test("is in the audit log as done by whoever pulled, whatever the commit says", async () => {
    const { store } = await pulled();
    const record = (await documents(store, PROJECT, keys.auditPrefix)).at(-1)?.value;
    expect(record).toMatchObject({
      action: "update",
      actor: "ann",
      subject: "ann",
      details: { git: { commit: id("a"), author: "Grace" } },
    });
  });

  test("brings what changed since the last one, and keeps what the environment changed", async () => {
    const { project } = await pulled();
    await project.set("staging", { "flows/own": 1, "flows/x": { steps: 1, name: "ours" } });
    await project.configure("staging", { vars: { TIER: "two" }, secrets: { API_KEY: "sk-0123456789" } });
    const result = await pull(project, "b", {
      from: id("a"),
      set: { "flows/x": { steps: 2, name: "x" } },
      remove: ["flows/y"],
      vars: { REGION: "us" },
    });
    expect(result).toMatchObject({ status: "updated", pulled_before: id("a"), commit: id("b") });
    expect(await project.state("staging")).toEqual({ flows: { own: 1, x: { steps: 2, name: "ours" } } });
    expect(await project.config("staging")).toMatchObject({ vars: { REGION: "us", TIER: "two" }, secrets: { API_KEY: { set: true } } });
  });

  test("shows what both changed as a merge does, changes nothing, and goes through when each is settled", async () => {
    const { project } = await pulled();
    await project.set("staging", { "flows/x": { steps: 3, name: "x" } });
    await project.configure("staging", { vars: { REGION: "asia" } });
    const before = await project.view("staging");
    const order = { from: id("a"), set: { "flows/x": { steps: 2, name: "x" } }, vars: { REGION: "us" } };
    const plan = await pull(project, "b", { ...order, dry_run: true });
    expect(plan).toMatchObject({ status: "planned", applicable: false });
    const error = await errorOf(pull(project, "b", order));
    expect(error.code).toBe("merge_conflict");
    expect(error.details?.["conflicts"]).toEqual(plan.conflicts);
    expect(plan.conflicts).toMatchObject([
      {
        component: "flows/x",
        our_change: "changed",
        their_change: "changed",
        base: { steps: 1 },
        ours: { steps: 3 },
        theirs: { steps: 2 },
        path_count: 1,
      },
      { component: "config:vars/REGION", base: "eu", ours: "asia", theirs: "us" },
    ]);
    expect(await project.view("staging")).toEqual(before);
    await pull(project, "b", { ...order, resolve: { "flows/x": "theirs", "config:vars/REGION": "ours" } });
    expect(await project.state("staging")).toMatchObject({ flows: { x: { steps: 2 } } });
    expect((await project.config("staging")).vars).toMatchObject({ REGION: "asia" });
  });

  test("settled once, a conflict does not come again", async () => {
    const { project } = await pulled();
    await project.set("staging", { "flows/y": 2 });
    await pull(project, "b", { from: id("a"), set: { "flows/y": 3 }, resolve: { "flows/y": "ours" } });
    await pull(project, "c", { from: id("b"), set: { "flows/z": 1 } });
    expect(await project.state("staging")).toMatchObject({ flows: { y: 2, z: 1 } });
  });

  test("refuses a resolution of what is not in conflict", async () => {
    const { project } = await pulled();
    expect(await codeOf(pull(project, "b", { from: id("a"), set: { "flows/z": 1 }, resolve: { "flows/z": "ours" } }))).toBe(
      "invalid_request",
    );
  });

  test("merges what lies between with the environment's own revision that the commit was made on", async () => {
    const { project } = await openWorld();
    await project.create("staging");
    await project.set("staging", { "flows/x": 1, "flows/y": 1 });
    await project.set("staging", { "flows/x": 2 });
    await pull(project, "a", { base_revision: 2, set: { "flows/x": 1, "flows/y": 5 } });
    expect(await project.state("staging")).toEqual({ flows: { x: 2, y: 5 } });
    expect(await codeOf(pull(project, "b", { base_revision: 99, set: {} }))).toBe("revision_not_found");
  });

  test("into an environment that has something already conflicts where they differ, and only there", async () => {
    const { project } = await openWorld();
    await project.create("staging");
    await project.set("staging", { "flows/x": 1, "flows/same": 1, "flows/own": 1 });
    const order = { set: { "flows/x": 2, "flows/same": 1 } };
    const error = await errorOf(pull(project, "a", order));
    expect(error.details).toMatchObject({ conflicts: [{ component: "flows/x" }] });
    await pull(project, "a", { ...order, resolve: { "flows/x": "theirs" } });
    expect(await project.state("staging")).toEqual({ flows: { own: 1, same: 1, x: 2 } });
  });

  test("of the same commit again, or of one that changes nothing, makes no revision, and the next goes on after it", async () => {
    const { project } = await pulled();
    expect(await pull(project, "a", { from: id("a") })).toMatchObject({ status: "no_changes", revision: 2 });
    expect(await pull(project, "b", { from: id("a") })).toMatchObject({ status: "no_changes", revision: 2 });
    expect(await pull(project, "c", { from: id("b"), set: { "flows/z": 1 } })).toMatchObject({ status: "updated", revision: 3 });
  });

  test("that begins somewhere else than where the last one ended is stale", async () => {
    const { project } = await pulled();
    await pull(project, "b", { from: id("a"), set: { "flows/z": 1 } });
    const error = await errorOf(pull(project, "c", { from: id("a"), set: { "flows/z": 2 } }));
    expect(error).toMatchObject({ code: "plan_stale", details: { pulled: id("b") } });
  });

  test("of a rewritten history is told, and taken with all that it holds where that is said", async () => {
    const { project } = await pulled();
    await project.set("staging", { "flows/own": 1 });
    expect(await codeOf(pull(project, "f", { set: { "flows/y": 9 } }))).toBe("history_rewritten");
    await pull(project, "f", { set: { "flows/y": 9 }, rewritten: true });
    expect(await project.state("staging")).toEqual({ flows: { own: 1, y: 9 } });
    expect((await project.revisions("staging"))[0]).toMatchObject({ git: { commit: id("f"), rewritten: true } });
  });

  test("on a revision of the environment from before what was pulled last is stale, and taken as rewritten where that is said", async () => {
    const { project } = await pulled();
    await pull(project, "b", { from: id("a"), set: { "flows/z": 1 } });
    const without = { set: { "flows/x": { steps: 1, name: "x" }, "flows/y": 1 }, vars: { REGION: "eu", TIER: "one" } };
    // With revision 2 for a base, what the branch is without now would look like the environment's own.
    expect(await errorOf(pull(project, "f", { base_revision: 2, ...without }))).toMatchObject({
      code: "plan_stale",
      details: { pulled: id("b") },
    });
    await pull(project, "f", { base_revision: 2, rewritten: true, ...without });
    expect((await project.state("staging"))["flows"]).not.toHaveProperty("z");
    expect((await project.revisions("staging"))[0]).toMatchObject({ git: { commit: id("f"), rewritten: true } });
    await pull(project, "c", { base_revision: 4, ...without, vars: { REGION: "us", TIER: "one" } });
    expect((await project.config("staging")).vars).toMatchObject({ REGION: "us" });
  });

  test("on a revision that only another engine has says so, and is compared with all that there is where that is said", async () => {
    const { project } = await pulled();
    const order = { base_revision: 99, set: { "flows/y": 9 } };
    expect(await errorOf(pull(project, "f", order))).toMatchObject({
      code: "revision_not_found",
      fix: expect.stringContaining("--accept-rewrite"),
    });
    await pull(project, "f", { ...order, rewritten: true });
    expect(await project.state("staging")).toEqual({ flows: { y: 9 } });
  });

  test("is said to be rewritten where it was, and not where that would only have been accepted", async () => {
    const { project } = await pulled();
    await pull(project, "b", { from: id("a"), set: { "flows/z": 1 }, rewritten: true });
    expect((await project.revisions("staging"))[0]?.git).not.toHaveProperty("rewritten");
  });

  test("of the very commit that somebody else pulled meanwhile, with all that it holds, is no other history and changes nothing", async () => {
    const { project } = await pulled();
    await project.set("staging", { "flows/own": 1, "flows/y": 2 });
    const all = { set: { "flows/x": { steps: 1, name: "x" }, "flows/y": 1 }, vars: { REGION: "eu", TIER: "one" } };
    const before = await project.view("staging");
    for (const rewritten of [false, true]) {
      expect(await pull(project, "a", { ...all, rewritten })).toMatchObject({ status: "no_changes", pulled_before: id("a") });
    }
    expect(await project.view("staging")).toEqual(before);
    // Of another folder it is another content: there and back again, each is said.
    expect(await codeOf(pull(project, "a", { ...all, path: "deploy" }))).toBe("history_rewritten");
    await pull(project, "a", { set: { "flows/y": 5 }, path: "deploy", rewritten: true, resolve: { "flows/y": "theirs" } });
    expect(await codeOf(pull(project, "a", all))).toBe("history_rewritten");
    await pull(project, "a", { ...all, rewritten: true });
    expect(await project.state("staging")).toEqual({ flows: { own: 1, x: { steps: 1, name: "x" }, y: 1 } });
  });

  test("of the very commit that somebody else pulled meanwhile, as a difference or on a revision, changes nothing either", async () => {
    const { project } = await pulled();
    const difference = { from: id("a"), set: { "flows/z": 1 }, remove: ["flows/y"], vars: { REGION: "us" }, unset: ["vars/TIER"] };
    expect(await pull(project, "b", difference)).toMatchObject({ status: "updated", revision: 3 });
    await project.set("staging", { "flows/z": 2, "flows/y": 3 });
    const before = await project.view("staging");
    expect(await pull(project, "b", difference)).toMatchObject({ status: "no_changes", pulled_before: id("b") });
    const whole = { set: { "flows/x": { steps: 1, name: "x" }, "flows/z": 1 }, vars: { REGION: "us" } };
    expect(await pull(project, "b", { ...whole, base_revision: 2 })).toMatchObject({ status: "no_changes" });
    expect(await project.view("staging")).toEqual(before);
    // Of another folder it is another content.
    expect(await codeOf(pull(project, "b", { ...difference, path: "deploy" }))).toBe("plan_stale");
    // The next one begins there.
    expect(await pull(project, "c", { from: id("b"), set: { "flows/c": 1 } })).toMatchObject({ status: "updated", revision: 5 });
  });

  test("of another folder than before is told, and replaces what came from there where that is said", async () => {
    const { project } = await pulled();
    await project.set("staging", { "flows/own": 1 });
    expect(await codeOf(pull(project, "a", { path: "deploy", from: id("a") }))).toBe("plan_stale");
    const error = await errorOf(pull(project, "a", { path: "deploy", set: { "flows/y": 9 } }));
    expect(error).toMatchObject({ code: "history_rewritten", message: expect.stringContaining("another folder") });
    await pull(project, "a", { path: "deploy", set: { "flows/y": 9 }, rewritten: true });
    expect(await project.state("staging")).toEqual({ flows: { own: 1, y: 9 } });
    expect(await codeOf(pull(project, "b", { path: "../deploy", from: id("a") }))).toBe("invalid_request");
  });

  test("applies the plan that was looked at, or none", async () => {
    const { project } = await pulled();
    const order = { from: id("a"), set: { "flows/z": 1 } };
    const { plan_id } = await pull(project, "b", { ...order, dry_run: true });
    await project.set("staging", { "flows/own": 1 });
    expect(await codeOf(pull(project, "b", { ...order, plan_id }))).toBe("plan_stale");
    const again = await pull(project, "b", { ...order, dry_run: true });
    expect(await codeOf(pull(project, "b", { ...order, set: { "flows/z": 2 }, plan_id: again.plan_id }))).toBe("plan_stale");
    expect(await pull(project, "b", { ...order, plan_id: again.plan_id })).toMatchObject({ status: "updated" });
  });

  test("planned before the same commit was pulled from another folder is stale, though the environment is as it was", async () => {
    const { project } = await pulled();
    const other = { set: { "flows/y": 9 }, rewritten: true };
    const { plan_id } = await pull(project, "c", { ...other, dry_run: true });
    const all = { set: { "flows/x": { steps: 1, name: "x" }, "flows/y": 1 }, vars: { REGION: "eu", TIER: "one" } };
    expect(await pull(project, "a", { ...all, path: "deploy", rewritten: true })).toMatchObject({ status: "no_changes" });
    expect(await codeOf(pull(project, "c", { ...other, plan_id }))).toBe("plan_stale");
  });

  test("keeps a var a text, however a conflict is settled", async () => {
    const { project } = await pulled();
    await project.configure("staging", { vars: { REGION: "asia" } });
    const order = { from: id("a"), vars: { REGION: "us" }, resolve: { "config:vars/REGION": { eu: 1 } } };
    expect(await codeOf(pull(project, "b", order))).toBe("invalid_request");
    expect((await project.config("staging")).vars).toMatchObject({ REGION: "asia" });
  });

  test.each(["secrets/API_KEY", "none", "", "vars/", "flows/x", "vars/\ud800"])(
    "takes nothing away that is no config: %j",
    async (entry) => {
      const { project } = await pulled();
      await project.configure("staging", { secrets: { API_KEY: "sk-0123456789" } });
      const before = await project.config("staging");
      await pull(project, "b", { from: id("a"), unset: [entry] }).catch((error: unknown) =>
        expect(error).toMatchObject({ code: "invalid_request" }),
      );
      expect(await project.config("staging")).toEqual(before);
    },
  );

  test("after a rollback keeps what was rolled back, and brings what is new", async () => {
    const { project } = await pulled();
    await pull(project, "b", { from: id("a"), set: { "flows/y": 2 } });
    await project.rollback("staging", 2);
    await pull(project, "c", { from: id("b"), set: { "flows/z": 1 } });
    expect(await project.state("staging")).toMatchObject({ flows: { y: 1, z: 1 } });
  });

  test("says which secrets the commit refers to and the environment lacks", async () => {
    const { project } = await pulled();
    await project.configure("staging", { secrets: { HERE: "sk-0123456789" } });
    expect((await pull(project, "b", { from: id("a"), set: { "flows/z": 1 }, secrets: ["HERE", "GONE"] })).secrets_unbound).toEqual([
      "GONE",
    ]);
  });

  test("keeps out of a revision's message what says which revision an engine's commit was", async () => {
    const { project } = await pulled();
    await project.domain.pulls.pull(project.caller, {
      project: project.id,
      env: "staging",
      commit: commit("b", "Mine\n\nEnv-Project: pf-777\nEnv-Revision: 3\n"),
      from: id("a"),
      set: { "flows/z": 1 },
    });
    expect((await project.revisions("staging"))[0]).toMatchObject({ message: "Mine" });
  });
});

describe("a pull is held to the rules:", () => {
  const change = { from: id("a"), set: { "flows/z": 1 } };

  test("a protected environment's state changes by promotion alone", async () => {
    const { project } = await pulled();
    await project.policy({ environments: { staging: { protected: true } } });
    expect(await codeOf(pull(project, "b", change))).toBe("environment_protected");
    expect(await pull(project, "b", { from: id("a"), vars: { REGION: "us" } })).toMatchObject({ status: "updated" });
  });

  test("and its config by whoever may promote there", async () => {
    const { project } = await pulled();
    await project.policy({ environments: { staging: { protected: true } } });
    const editor = { ...caller("ed"), grants: [{ role: "editor" as const, projects: ["*"], envs: ["*"], rights: [] }] };
    expect(await codeOf(pull(project.as(editor), "b", { from: id("a"), vars: { REGION: "us" } }))).toBe("forbidden");
  });

  test("what needs approval is not pulled", async () => {
    const { project } = await pulled();
    await project.policy({ environments: { staging: { approvals: 1 } } });
    const error = await errorOf(pull(project, "b", change));
    expect(error).toMatchObject({ code: "checks_failed", message: expect.stringContaining("needs approval") });
    expect(await project.revisionNumber("staging")).toBe(2);
  });

  test("a hold stops what a push brought about, and warns whoever pulls by hand", async () => {
    const { project } = await pulled();
    await project.domain.environments.hold(project.caller, { project: project.id, env: "staging", reason: "careful" });
    expect(await codeOf(pull(project, "b", { ...change, automatic: true }))).toBe("checks_failed");
    const result = await pull(project, "b", change);
    expect(result.checks.find(({ name }) => name === "hold")).toMatchObject({ status: "warning" });
    expect((await project.view("staging")).hold).not.toBeNull();
  });

  test("a freeze stops both, and says when it ends", async () => {
    const { project } = await pulled({ store: memoryStore(new TestClock()) });
    await project.policy({ environments: { staging: { freeze: [{ kind: "deny", cron: "0 0 1 1 *", duration: "1d", timezone: "UTC" }] } } });
    for (const automatic of [false, true]) {
      const error = await errorOf(pull(project, "b", { ...change, automatic }));
      expect(error).toMatchObject({ code: "checks_failed", fix: "Pull after 2026-01-02T00:00:00.000Z." });
    }
  });

  test("what the Validation engine refuses stays out", async () => {
    const validator = { check: async () => ({ errors: [{ field: "actions", reason: "no such action" }], warnings: [] }) };
    const { project } = await pulled({ validator });
    await project.policy({ environments: { staging: { validation: "required" } } });
    expect(await codeOf(pull(project, "b", { from: id("a"), set: { "flows/z": { trigger: "t", actions: [] } } }))).toBe("checks_failed");
  });

  test("an archived environment takes nothing", async () => {
    const { project } = await pulled();
    await project.domain.environments.archive(project.caller, { project: project.id, env: "staging" });
    expect(await codeOf(pull(project, "b", change))).toBe("environment_archived");
  });
});

describe("a secret among the vars is refused, and its value is told to nobody:", () => {
  test.each([
    ["by its name", { PAYMENT_TOKEN: "tok-3f9a2b7c" }],
    ["by being an address with a password", { DATABASE: "postgres://u:pw-3f9a2b7c@db/x" }],
  ])("%s", async (_, vars) => {
    const { project, store } = await pulled();
    const error = await errorOf(pull(project, "b", { from: id("a"), vars }));
    expect(error.code).toBe("secret_stays_secret");
    const kept = JSON.stringify(await documents(store));
    for (const text of [error.message, error.fix ?? "", JSON.stringify(error.details), kept]) expect(text).not.toContain("3f9a2b7c");
  });

  test("by being the value of one of the environment's secrets, whatever it is called", async () => {
    const { project } = await pulled();
    await project.configure("staging", { secrets: { API_KEY: "an-innocent-value" } });
    const error = await errorOf(pull(project, "b", { from: id("a"), vars: { GREETING: "an-innocent-value" } }));
    expect(error).toMatchObject({ code: "secret_stays_secret", details: { name: "GREETING" } });
    expect(await pull(project, "b", { from: id("a"), vars: { GREETING: "another value" } })).toMatchObject({ status: "updated" });
  });

  describe("to whoever may not reveal it, by its value", () => {
    const SECRET = "an-innocent-value";
    /** What becomes of a pull of a var with this value, by somebody who may edit. */
    async function tried(value: string, wishes: Wishes, prepare: (project: Project) => Promise<unknown> = async () => {}): Promise<string> {
      const { project } = await pulled();
      await project.configure("staging", { secrets: { API_KEY: SECRET } });
      await prepare(project);
      const editor = { ...project.caller, grants: [{ role: "editor", projects: ["*"], envs: ["*"], rights: [] }] } as const;
      const asked = { project: project.id, env: "staging", commit: commit("b"), from: id("a"), vars: { GREETING: value }, ...wishes };
      return project.domain.pulls.pull(editor, asked).then(
        ({ status }) => status,
        (error: AppError) => error.code,
      );
    }
    const greet = (project: Project) => project.configure("staging", { vars: { GREETING: "hello" } });
    const protect = (project: Project) => project.policy({ environments: { staging: { protected: true } } });

    test.each<readonly [string, string, Wishes, Parameters<typeof tried>[2]]>([
      ["in a plan", "planned", { dry_run: true }, undefined],
      ["where the plan is another", "plan_stale", { plan_id: "0".repeat(40) }, undefined],
      ["where the version is taken", "version_taken", { version: "v0.1.0" }, undefined],
      ["where the environment's own is kept", "no_changes", { resolve: { "config:vars/GREETING": "ours" } }, greet],
      ["where they may not change anything", "forbidden", {}, protect],
    ])("%s: what is right is answered as what is wrong", async (_where, answer, wishes, prepare) => {
      expect(await tried("some-other-value", wishes, prepare)).toBe(answer);
      expect(await tried(SECRET, wishes, prepare)).toBe(answer);
    });

    test("where it would come in, and what is wrong does come in", async () => {
      expect(await tried("some-other-value", {})).toBe("updated");
      expect(await tried(SECRET, {})).toBe("secret_stays_secret");
    });
  });

  test("what is as short as many others is not compared", async () => {
    const { project } = await pulled();
    const short = "s".repeat(LIMITS.recognisedSecretLength - 1);
    await project.configure("staging", { secrets: { PIN: short } });
    expect(await pull(project, "b", { from: id("a"), vars: { LEVEL: short } })).toMatchObject({ status: "updated" });
    await project.configure("staging", { secrets: { PIN: `${short}s` } });
    expect(await codeOf(pull(project, "c", { from: id("b"), vars: { LEVEL: `${short}s` } }))).toBe("secret_stays_secret");
  });

  test("by being one already", async () => {
    const { project } = await pulled();
    await project.configure("staging", { secrets: { MAILER: "sk-0123456789" } });
    expect(await codeOf(pull(project, "b", { from: id("a"), vars: { MAILER: "x" } }))).toBe("secret_stays_secret");
  });

  test("a var that the environment has keeps its name", async () => {
    const { project } = await pulled();
    await project.configure("staging", { vars: { PUBLIC_KEY: "one" } });
    expect(await pull(project, "b", { from: id("a"), vars: { PUBLIC_KEY: "one" } })).toMatchObject({ status: "no_changes" });
  });
});

test("what a commit held is there for the next merge, whatever garbage is collected meanwhile", async () => {
  const clock = new TestClock();
  const { project, domain } = await pulled({ store: memoryStore(clock) });
  // Settled with ours: no revision has what the commit holds.
  await project.set("staging", { "flows/x": { steps: 5, name: "x" } });
  await pull(project, "b", { from: id("a"), set: { "flows/x": { steps: 2, name: "x" } }, resolve: { "flows/x": "ours" } });
  clock.time += 3 * LIMITS.garbageAgeMs;
  await domain.garbage.collectNow(project.id);
  await pull(project, "c", { from: id("b"), set: { "flows/x": { steps: 2, name: "new" } } });
  expect(await project.state("staging")).toMatchObject({ flows: { x: { steps: 5, name: "new" } } });
});

test("a pull costs what changed, however much the environment holds", async () => {
  const store = counting(memoryStore());
  const { project } = await openWorld({ store: store.store });
  await project.create("staging");
  const many = Object.fromEntries(Array.from({ length: 3_000 }, (_, n) => [`entities/e${n}`, { n }]));
  await pull(project, "a", { set: many });
  store.reset();
  await pull(project, "b", { from: id("a"), set: { "entities/e7": { n: -7 } } });
  expect(store.counts.commits).toBe(1);
  expect(store.counts.objectsLoaded).toBeLessThan(40);
  expect(store.counts.objectBytesWritten).toBeLessThan(40_000);
});
