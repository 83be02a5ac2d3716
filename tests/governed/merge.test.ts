import { beforeEach, describe, expect, test } from "vitest";
import type { AppError } from "../../src/errors.ts";
import { keys } from "../../src/keys.ts";
import type { ComponentConflict } from "../../src/merge.ts";
import type { Label } from "../../src/model.ts";
import type { JsonObject } from "../../src/ports.ts";
import {
  auditRecords,
  codeOf,
  document,
  errorOf,
  headOf,
  openWorld,
  PROJECT,
  type Project,
  storedRevisions,
  type World,
} from "../domain/support.ts";
import { approve, BEN, CLEO, waiting } from "./support.ts";

let world: World;
let project: Project;

const BASE = {
  "entities/Order": { fields: { total: "number", status: "text" } },
  "flows/submit": {
    title: "Submit",
    steps: [
      { id: "check", run: 1 },
      { id: "save", run: 1 },
    ],
  },
  "flows/cancel": { title: "Cancel", limit: 3 },
  "pages/home": { title: "Home", rows: 2 },
} as const;

beforeEach(async () => {
  world = await openWorld();
  project = world.project;
  await project.create("development");
  await project.set("development", BASE);
  await project.create("staging", { base: "development" });
});

const merge = (wishes: Parameters<Project["promote"]>[2] = {}, source = "development", target = "staging") =>
  project.promote(source, target, { strategy: "merge", ...wishes });
const newest = async (env = "staging") => (await storedRevisions(world.store, env)).at(-1);
const conflictsOf = ({ details = {} }: AppError) => (details.conflicts ?? []) as readonly ComponentConflict[];

/** The whole platform as `collection/name` → body. */
async function components(env: string): Promise<JsonObject> {
  const state = await project.state(env);
  return Object.fromEntries(
    Object.entries(state).flatMap(([collection, members]) =>
      Object.entries(members as JsonObject).map(([name, body]) => [`${collection}/${name}`, body]),
    ),
  );
}

describe("where both sides changed", () => {
  beforeEach(async () => {
    await project.set("development", {
      "flows/submit": {
        title: "Submit",
        steps: [
          { id: "check", run: 1 },
          { id: "save", run: 1 },
          { id: "notify", run: 1 },
        ],
      },
      "entities/Note": { fields: {} },
    });
    await project.set("staging", {
      "flows/submit": {
        title: "Submit order",
        steps: [
          { id: "check", run: 2 },
          { id: "save", run: 1 },
        ],
      },
      "pages/home": { title: "Home", rows: 3 },
    });
  });

  test("the plan says so, which components would be lost, and what to ask for", async () => {
    const plan = await project.plan("development", "staging");
    expect(plan).toMatchObject({ relation: "diverged", applicable: false });
    expect(plan.checks.find(({ name }) => name === "diverged")).toMatchObject({
      status: "failed",
      details: { lost: ["flows/submit", "pages/home"], lost_count: 2 },
      fix: expect.stringContaining('"strategy":"merge"'),
    });
    expect(await codeOf(project.promote("development", "staging"))).toBe("checks_failed");
  });

  test("a merge keeps both sides' changes, by component and inside one by member", async () => {
    expect(await merge()).toMatchObject({ status: "ready_for_deploy", diff_from_previous: { entities_added: ["Note"] } });
    expect(await components("staging")).toEqual({
      ...BASE,
      "entities/Note": { fields: {} },
      "flows/submit": {
        title: "Submit order",
        steps: [
          { id: "check", run: 2 },
          { id: "save", run: 1 },
          { id: "notify", run: 1 },
        ],
      },
      "pages/home": { title: "Home", rows: 3 },
    });
  });

  test("its result is a version of its own, numbered after the target's, that says what it was merged from", async () => {
    const [source, target] = [await headOf(world.store, "development"), await headOf(world.store, "staging")];
    const reply = await merge({ message: "Both" });
    expect(reply.version).not.toBe(source.version);
    expect(reply.version).not.toBe(target.version);
    expect(reply.source_version).toBe(source.version);
    expect(await newest()).toMatchObject({
      action: "promote",
      version: reply.version,
      source_version: source.version,
      source: { env: "development", revision: 3, version: source.version },
      parents: [
        { env: "staging", revision: 2 },
        { env: "development", revision: 3 },
      ],
    });
    expect(await document<Label>(world.store, keys.label(reply.version))).toMatchObject({
      platform: (await headOf(world.store, "staging")).platform,
      env: "staging",
      revision: 3,
    });
    expect((await auditRecords(world.store)).at(-1)).toMatchObject({ action: "promote", details: { kind: "merged", new_version: true } });
  });

  test("a dry run's plan_id applies exactly that merge", async () => {
    const plan = await merge({ dry_run: true });
    expect(plan).toMatchObject({ status: "planned", applicable: true, revision: 2 });
    const applied = await merge({ plan_id: plan.plan_id });
    expect(applied).toMatchObject({ status: "ready_for_deploy", plan_id: plan.plan_id, diff_from_previous: plan.diff_from_previous });
    expect(await codeOf(merge({ plan_id: plan.plan_id }))).toBe("plan_stale");
  });

  test.each<readonly [string, () => Promise<unknown>]>([
    ["the source", () => project.set("development", { "entities/Late": {} })],
    ["the target", () => project.set("staging", { "entities/Late": {} })],
    ["the policy", () => project.policy({ environments: {} })],
  ])("a plan_id is stale once %s changed", async (_what, change) => {
    const { plan_id } = await merge({ dry_run: true });
    await change();
    const before = await headOf(world.store, "staging");
    expect(await codeOf(merge({ plan_id }))).toBe("plan_stale");
    expect(await headOf(world.store, "staging")).toEqual(before);
  });

  test("a plan_id of a merge does not stand for a replacement, nor for other resolutions", async () => {
    const { plan_id } = await merge({ dry_run: true });
    expect(await codeOf(project.promote("development", "staging", { strategy: "replace", plan_id }))).toBe("plan_stale");
    await project.set("staging", { "entities/Note": { fields: "none" } });
    const ours = await merge({ dry_run: true, resolve: { "entities/Note": "ours" } });
    expect(await codeOf(merge({ plan_id: ours.plan_id, resolve: { "entities/Note": "theirs" } }))).toBe("plan_stale");
    await merge({ plan_id: ours.plan_id, resolve: { "entities/Note": "ours" } });
    expect((await components("staging"))["entities/Note"]).toEqual({ fields: "none" });
  });

  test("a merge into an environment with approvals is applied as it was approved, and voided by an edit", async () => {
    await project.policy({ environments: { staging: { approvals: 1 } } });
    const first = await merge();
    expect(first).toMatchObject({ status: "pending_approval" });
    await project.set("staging", { "pages/home": { title: "Home", rows: 4 } });
    expect(await codeOf(approve(world, BEN, first.promotion_id))).toBe("promotion_closed");
    const second = await merge();
    expect(await approve(world, CLEO, second.promotion_id)).toMatchObject({
      status: "ready_for_deploy",
      source_version: expect.any(String),
    });
    expect(await components("staging")).toMatchObject({ "entities/Note": {}, "pages/home": { rows: 4 } });
    expect((await waiting(world)).map(({ status }) => status)).toEqual(["applied", "voided"]);
  });

  test("a replacement takes the source as it is, where that is asked for", async () => {
    expect(await project.promote("development", "staging", { strategy: "replace" })).toMatchObject({ status: "ready_for_deploy" });
    expect(await components("staging")).toEqual(await components("development"));
  });
});

describe("conflicts", () => {
  beforeEach(async () => {
    await project.set("development", { "flows/cancel": { title: "Cancel", limit: 5 }, "entities/Note": { from: "development" } });
    await project.remove("development", "pages/home");
    await project.set("development", { "entities/Order": { fields: { total: "money", status: "text" } } });
    await project.set("staging", {
      "flows/cancel": { title: "Cancel", limit: 7 },
      "entities/Note": { from: "staging" },
      "pages/home": { title: "Home", rows: 9 },
      "entities/Order": { fields: { total: "number", status: "choice" } },
    });
  });

  test("are told all at once, with base, ours and theirs; nothing changes", async () => {
    const before = await headOf(world.store, "staging");
    const error = await errorOf(merge());
    expect(error.code).toBe("merge_conflict");
    expect(conflictsOf(error)).toMatchObject([
      {
        component: "entities/Note",
        our_change: "added",
        their_change: "added",
        ours: { from: "staging" },
        theirs: { from: "development" },
      },
      {
        component: "flows/cancel",
        our_change: "changed",
        their_change: "changed",
        base: { limit: 3 },
        ours: { limit: 7 },
        theirs: { limit: 5 },
        paths: [{ path: "/limit", kind: "both_changed", base: 3, ours: 7, theirs: 5 }],
      },
      { component: "pages/home", our_change: "changed", their_change: "removed", base: { rows: 2 }, ours: { rows: 9 }, theirs: null },
    ]);
    expect(error.message).toContain("entities/Note, flows/cancel, pages/home");
    expect(await headOf(world.store, "staging")).toEqual(before);
  });

  test("are in the plan of a dry run and of the readiness, too", async () => {
    for (const plan of [
      await merge({ dry_run: true }),
      await world.domain.promotions.readiness(BEN, { project: PROJECT, source: "development", target: "staging", strategy: "merge" }),
    ]) {
      expect(plan).toMatchObject({ status: "planned", applicable: false });
      expect(plan.conflicts?.map(({ component }) => component)).toEqual(["entities/Note", "flows/cancel", "pages/home"]);
    }
  });

  test("are settled in the next request: with the target's, the source's, or a body of their own", async () => {
    const resolve = { "entities/Note": { from: "both" }, "flows/cancel": "ours", "pages/home": "theirs" };
    expect(await merge({ resolve })).toMatchObject({ status: "ready_for_deploy" });
    expect(await components("staging")).toEqual({
      "entities/Note": { from: "both" },
      "entities/Order": { fields: { total: "money", status: "choice" } },
      "flows/cancel": { title: "Cancel", limit: 7 },
      "flows/submit": BASE["flows/submit"],
    });
  });

  test("that are settled in part leave the rest to be told", async () => {
    const error = await errorOf(merge({ resolve: { "flows/cancel": "ours" } }));
    expect(conflictsOf(error).map(({ component }) => component)).toEqual(["entities/Note", "pages/home"]);
  });

  test.each<readonly [string, Parameters<Project["promote"]>[2]]>([
    ["for what is no conflict", { resolve: { "flows/submit": "ours" } }],
    ["of neither side and no body", { resolve: { "flows/cancel": "mine" } }],
    ["that is null", { resolve: { "flows/cancel": null } }],
    ["without a merge", { strategy: "replace", resolve: { "flows/cancel": "ours" } }],
  ])("a resolution %s is refused", async (_what, wishes) => {
    const before = await headOf(world.store, "staging");
    expect(await codeOf(merge(wishes))).toBe("invalid_request");
    expect(await headOf(world.store, "staging")).toEqual(before);
  });

  test("once settled do not come back: the next merge brings what is new", async () => {
    await merge({ resolve: { "entities/Note": "ours", "flows/cancel": "ours", "pages/home": "ours" } });
    await project.set("development", { "entities/Later": {} });
    expect(await merge()).toMatchObject({ status: "ready_for_deploy", diff_from_previous: { entities_added: ["Later"] } });
    expect(await components("staging")).toMatchObject({ "flows/cancel": { limit: 7 }, "entities/Note": { from: "staging" } });
    expect(await merge()).toMatchObject({ status: "no_changes" });
  });

  test("once settled do not come back where the target's side was taken of all of them", async () => {
    await project.create("live", { base: "staging" });
    await project.set("live", { "flows/submit": { title: "Live" } });
    await project.set("staging", { "flows/submit": { title: "Staging" } });
    const settle = { resolve: { "flows/submit": "ours" } };
    expect(await project.plan("staging", "live", { strategy: "merge", ...settle })).toMatchObject({ changes_nothing: false });
    const settled = await merge(settle, "staging", "live");
    expect(settled).toMatchObject({ status: "ready_for_deploy", relation: "diverged", revision: 3, version: "v0.5.1" });
    expect(await components("live")).toMatchObject({ "flows/submit": { title: "Live" } });
    expect(await merge({}, "staging", "live")).toMatchObject({ status: "no_changes", relation: "target_ahead", revision: 3 });
    expect(await project.plan("staging", "live")).toMatchObject({ relation: "target_ahead" });
  });

  test("do not come of what both sides had made alike and a merge has seen", async () => {
    await project.create("live", { base: "staging" });
    await project.set("staging", { "flows/submit": { title: "Both" } });
    await project.set("live", { "flows/submit": { title: "Both" }, "entities/Own": {} });
    expect(await merge({}, "staging", "live")).toMatchObject({ status: "ready_for_deploy", relation: "diverged" });
    await project.set("staging", { "flows/submit": { title: "New" } });
    expect(await merge({}, "staging", "live")).toMatchObject({ status: "ready_for_deploy" });
    expect(await components("live")).toMatchObject({ "flows/submit": { title: "New" }, "entities/Own": {} });
  });

  test("of a component that was settled before are told against what it was merged as", async () => {
    await merge({ resolve: { "entities/Note": "ours", "flows/cancel": "ours", "pages/home": "ours" } });
    await project.set("development", { "flows/cancel": { title: "Cancel", limit: 6 } });
    const [conflict] = conflictsOf(await errorOf(merge()));
    expect(conflict).toMatchObject({ component: "flows/cancel", base: { limit: 5 }, ours: { limit: 7 }, theirs: { limit: 6 } });
  });
});

describe("relation and merge base", () => {
  const plan = (source: string, target: string) => project.plan(source, target);

  test("after a merge, the way back is a fast-forward that links the merge's label", async () => {
    await project.set("development", { "entities/A": {} });
    await project.set("staging", { "entities/B": {} });
    const merged = await merge();
    expect(await plan("staging", "development")).toMatchObject({ relation: "source_ahead", applicable: true });
    const back = await merge({}, "staging", "development");
    expect(back).toMatchObject({ status: "ready_for_deploy", version: merged.version });
    expect(back.source_version).toBeUndefined();
    expect(await plan("development", "staging")).toMatchObject({ relation: "identical" });
    expect((await newest("development"))?.source_version).toBeUndefined();
  });

  test("a merge where the target changed nothing links the source's label", async () => {
    const { version } = await project.set("development", { "entities/A": {} });
    expect(await merge()).toMatchObject({ status: "ready_for_deploy", version, relation: "source_ahead" });
  });

  test("a merge of what the target has already changes nothing", async () => {
    const { version } = await project.set("staging", { "entities/B": {} });
    expect(await merge()).toMatchObject({ status: "no_changes", relation: "target_ahead", version });
    expect(await project.revisionNumber("staging")).toBe(2);
  });

  test("a change that both sides made alike is no conflict and is not lost", async () => {
    for (const env of ["development", "staging"]) await project.set(env, { "entities/Same": { fields: 1 } });
    await project.set("development", { "entities/A": {} });
    expect(await plan("development", "staging")).toMatchObject({ relation: "diverged", applicable: true });
    expect(await project.promote("development", "staging")).toMatchObject({ status: "ready_for_deploy" });
    expect(await components("staging")).toEqual(await components("development"));
  });

  test("config changes on either side are no divergence", async () => {
    await project.set("development", { "entities/A": {} });
    await project.configure("development", { vars: { A: "1" } });
    await project.configure("staging", { vars: { B: "1" } });
    expect(await plan("development", "staging")).toMatchObject({ relation: "source_ahead", applicable: true });
  });

  test("after a rollback of the target, what was rolled back counts as not there: it comes again, without a conflict", async () => {
    await project.set("development", { "flows/cancel": { title: "Cancel", limit: 5 } });
    await project.promote("development", "staging");
    await project.rollback("staging", 1);
    expect(await plan("development", "staging")).toMatchObject({ relation: "source_ahead", applicable: true });
    await project.set("development", { "entities/A": {} });
    expect(await merge()).toMatchObject({ status: "ready_for_deploy" });
    expect(await components("staging")).toEqual(await components("development"));
  });

  test("after a rollback and an edit of the target, both are merged against the revision that was restored", async () => {
    await project.set("development", { "flows/cancel": { title: "Cancel", limit: 5 } });
    await project.promote("development", "staging");
    await project.rollback("staging", 1);
    await project.set("staging", { "flows/cancel": { title: "Cancel", limit: 4 } });
    const [conflict] = conflictsOf(await errorOf(merge()));
    expect(conflict).toMatchObject({ component: "flows/cancel", base: { limit: 3 }, ours: { limit: 4 }, theirs: { limit: 5 } });
  });

  test("after a rollback of the source, it is behind: nothing of the target's newer version is undone unasked", async () => {
    await project.set("development", { "entities/A": {} });
    await project.promote("development", "staging");
    await project.rollback("development", 2);
    expect(await plan("development", "staging")).toMatchObject({ relation: "target_ahead", applicable: false });
    expect(await merge()).toMatchObject({ status: "no_changes" });
    expect(await project.promote("development", "staging", { strategy: "replace" })).toMatchObject({ status: "ready_for_deploy" });
  });

  test("a selective promotion adds no parent: the rest still comes, and what came is no conflict", async () => {
    await project.set("development", { "entities/A": {}, "flows/cancel": { title: "Cancel", limit: 5 } });
    const { version } = await headOf(world.store, "development");
    const selective = await project.promote("development", "staging", { only: ["flows/*"] });
    expect(selective).toMatchObject({ status: "ready_for_deploy", source_version: version });
    expect(selective.version).not.toBe(version);
    expect((await newest())?.parents).toEqual([{ env: "staging", revision: 1 }]);
    expect(await plan("development", "staging")).toMatchObject({ relation: "diverged", applicable: true });
    expect(await merge()).toMatchObject({ status: "ready_for_deploy", version });
    expect(await components("staging")).toEqual(await components("development"));
  });

  test("a selective promotion of what then changes on both sides is a conflict against the old base", async () => {
    await project.set("development", { "flows/cancel": { title: "Cancel", limit: 5 }, "entities/A": {} });
    await project.promote("development", "staging", { only: ["flows/cancel"] });
    await project.set("development", { "flows/cancel": { title: "Cancel", limit: 6 } });
    expect(await plan("development", "staging")).toMatchObject({ applicable: false });
    const [conflict] = conflictsOf(await errorOf(merge()));
    expect(conflict).toMatchObject({ base: { limit: 3 }, ours: { limit: 5 }, theirs: { limit: 6 } });
  });

  test("a hotfix in production comes back to staging while staging went on, and production then takes both", async () => {
    await project.create("production", { base: "staging" });
    await project.set("staging", { "entities/Feature": {} });
    await project.set("production", { "flows/submit": { title: "Submit!", steps: [] } });
    const merged = await merge({}, "production", "staging");
    expect(merged).toMatchObject({ status: "ready_for_deploy" });
    expect(await plan("staging", "production")).toMatchObject({ relation: "source_ahead", applicable: true });
    expect(await project.promote("staging", "production")).toMatchObject({ status: "ready_for_deploy", version: merged.version });
    expect(await components("production")).toMatchObject({ "entities/Feature": {}, "flows/submit": { title: "Submit!" } });
  });

  test("criss-cross merges between two environments come to the same on both", async () => {
    await project.set("development", { "entities/A": {} });
    await project.set("staging", { "entities/B": {} });
    await merge({}, "development", "staging");
    await project.set("development", { "entities/C": {} });
    await project.set("staging", { "entities/D": {} });
    await merge({}, "staging", "development");
    await merge({}, "development", "staging");
    expect(await components("staging")).toEqual(await components("development"));
    expect(Object.keys(await components("staging"))).toEqual(
      expect.arrayContaining(["entities/A", "entities/B", "entities/C", "entities/D"]),
    );
    expect((await headOf(world.store, "staging")).version).toBe((await headOf(world.store, "development")).version);
  });

  test("an older version of the source is merged from where it descended", async () => {
    const { version } = await project.set("development", { "entities/A": {} });
    await project.set("development", { "entities/Unfinished": {} });
    await project.set("staging", { "entities/B": {} });
    expect(await merge({ version })).toMatchObject({ source_version: version });
    expect(Object.keys(await components("staging"))).toEqual(["entities/A", "entities/B", ...Object.keys(BASE)].sort());
  });
});

describe("unrelated histories", () => {
  beforeEach(async () => {
    await project.create("island");
    await project.set("island", { "entities/Palm": {}, "flows/cancel": { title: "Leave", limit: 1 } });
  });

  test("are not merged, and the plan says that there is no common ancestor", async () => {
    expect(await errorOf(merge({}, "island"))).toMatchObject({ code: "unrelated_histories", fix: expect.stringContaining("replace") });
    const { checks } = await project.plan("island", "staging");
    expect(checks.find(({ name }) => name === "diverged")).toMatchObject({
      status: "failed",
      reason: expect.stringContaining("no common ancestor"),
    });
  });

  test("are related from a replacement on", async () => {
    await project.promote("island", "staging", { strategy: "replace" });
    await project.set("island", { "entities/Coconut": {} });
    await project.set("staging", { "entities/Boat": {} });
    expect(await merge({}, "island")).toMatchObject({ status: "ready_for_deploy" });
    expect(Object.keys(await components("staging"))).toEqual(["entities/Boat", "entities/Coconut", "entities/Palm", "flows/cancel"]);
  });
});

describe("a merged requires/*", () => {
  test("that no side wrote and that is none is refused", async () => {
    await project.set("development", { "requires/TOKEN": { kind: "var", description: "Calls out." } });
    await project.configure("staging", { vars: { TOKEN: "x" } });
    await project.promote("development", "staging");
    await project.set("development", { "requires/TOKEN": { kind: "var", description: "Calls out.", default: "none" } });
    await project.set("staging", { "requires/TOKEN": { kind: "secret", description: "Calls out." } });
    const before = await headOf(world.store, "staging");
    expect(await errorOf(merge())).toMatchObject({ code: "invalid_request", message: expect.stringContaining("has a default") });
    expect(await headOf(world.store, "staging")).toEqual(before);
  });

  test("is asked for by config_complete, as the merge has it", async () => {
    await project.set("development", { "requires/REGION": { kind: "var", description: "Where." } });
    await project.set("staging", { "entities/B": {} });
    const error = await errorOf(merge());
    expect(error).toMatchObject({ code: "checks_failed", message: expect.stringContaining("REGION") });
    expect(await merge({ env_variables: { REGION: "eu" } })).toMatchObject({ status: "ready_for_deploy" });
  });
});

test("a merge and a selection do not go together", async () => {
  expect(await codeOf(merge({ only: ["flows/*"] }))).toBe("invalid_request");
});
