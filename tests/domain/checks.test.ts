import { describe, expect, test } from "vitest";
import { type Facts, runChecks } from "../../src/checks.ts";
import type { ComponentConflict } from "../../src/merge.ts";
import type { CheckResult, Environment, Revision } from "../../src/model.ts";
import { policyFor } from "../../src/policy.ts";
import type { Requirement } from "../../src/requirements.ts";

const TARGET = { env: "production", type: "production", hold: null } as Environment;
const HOLD = { by: "ben", at: "2026-01-01T00:00:00.000Z", reason: "bad release" };

/** A promotion from staging to production that nothing stands against. */
function facts(changed: Partial<Facts> = {}): Facts {
  return {
    project: "pf-777",
    source: { env: "staging", revision: 4, version: "v1.4.0" } as Revision,
    target: TARGET,
    policy: {},
    targetPolicy: policyFor({}, "production", "production"),
    automatic: false,
    changesNothing: false,
    relation: "source_ahead",
    base: { env: "staging", revision: 2 },
    lost: [],
    strategy: null,
    conflicts: [],
    requirements: [],
    unbound: [],
    copiedSecrets: [],
    freeze: { closed: false, reason: "No freeze window is near." },
    soakedMs: 0,
    validation: "no_engine",
    approvedBy: [],
    requestedBy: "ada",
    ...changed,
  };
}

const required = (kind: Requirement["kind"], name: string): Requirement => ({ kind, name, description: null, default: undefined });
const demanding = (rules: Partial<Facts["targetPolicy"]>) => ({ targetPolicy: { ...policyFor({}, "production", "production"), ...rules } });
const held = { target: { ...TARGET, hold: HOLD } };
const unbound = [required("secret", "API_KEY"), required("var", "HOST"), required("flag", "beta")];

function resultOf(changed: Partial<Facts>, name: CheckResult["name"]): CheckResult {
  const found = runChecks(facts(changed)).find((check) => check.name === name);
  if (found === undefined) throw new Error(`there is no check ${name}`);
  return found;
}

const ALL = [
  "pipeline_order",
  "environment_protected",
  "freeze_window",
  "hold",
  "soak_time",
  "diverged",
  "config_complete",
  "secrets_isolated",
  "validation",
  "approvals",
];

test("every plan shows every check, once, in one order, whatever the outcome", () => {
  expect(runChecks(facts()).map(({ name }) => name)).toEqual(ALL);
  const worst = facts({ relation: "diverged", lost: ["flows/a"], requirements: unbound, unbound, copiedSecrets: ["A"], ...held });
  expect(runChecks(worst).map(({ name }) => name)).toEqual(ALL);
});

test("a plan that nothing stands against has no failed check and no warning, and skips what the policy does not ask for", () => {
  const statuses = Object.fromEntries(runChecks(facts()).map(({ name, status }) => [name, status]));
  expect(statuses).toEqual({
    pipeline_order: "skipped",
    environment_protected: "skipped",
    freeze_window: "skipped",
    hold: "passed",
    soak_time: "skipped",
    diverged: "passed",
    config_complete: "passed",
    secrets_isolated: "passed",
    validation: "skipped",
    approvals: "skipped",
  });
});

const pipeline = (...names: string[]) => ({ policy: { pipeline: names } });
const WINDOW = { kind: "deny", cron: "0 16 * * 5", duration: "62h" } as const;
const freezing = (freeze: Facts["freeze"]) => ({ ...demanding({ freeze: [WINDOW] }), freeze });
const soaked = (soak: string, soakedMs: number) => ({ ...demanding({ soak }), soakedMs });
const agreed = (rule: Facts["targetPolicy"]["approvals"] & {}, ...approvedBy: string[]) => ({
  ...demanding({ approvals: rule }),
  approvedBy,
});
const conflict = (component: string): ComponentConflict => ({
  component,
  our_change: "changed",
  their_change: "changed",
  paths: [],
  path_count: 0,
});
const HOUR = 3_600_000;

describe("what a check says", () => {
  test.each<readonly [CheckResult["name"], string, Partial<Facts>, CheckResult["status"]]>([
    ["pipeline_order", "without a pipeline", {}, "skipped"],
    ["pipeline_order", "with an empty one", pipeline(), "skipped"],
    ["pipeline_order", "to an environment outside of it", pipeline("dev", "staging"), "skipped"],
    ["pipeline_order", "to the next one", pipeline("dev", "staging", "production"), "passed"],
    ["pipeline_order", "over one", pipeline("staging", "qa", "production"), "failed"],
    ["pipeline_order", "backwards", pipeline("production", "staging"), "failed"],
    ["pipeline_order", "into the first, from outside", pipeline("production"), "failed"],
    ["pipeline_order", "from outside", pipeline("dev", "production"), "failed"],
    ["pipeline_order", "from the one that is required", demanding({ require_from: "staging" }), "passed"],
    ["pipeline_order", "from one of those that are required", demanding({ require_from: ["qa", "staging"] }), "passed"],
    ["pipeline_order", "from another than is required", demanding({ require_from: "qa" }), "failed"],
    ["pipeline_order", "from none of those that are required", demanding({ require_from: ["qa", "dev"] }), "failed"],
    [
      "pipeline_order",
      "from the one that is required, which the pipeline says otherwise",
      { ...pipeline("staging", "qa", "production"), ...demanding({ require_from: "staging" }) },
      "passed",
    ],
    [
      "pipeline_order",
      "along the pipeline, where another is required",
      { ...pipeline("staging", "production"), ...demanding({ require_from: "qa" }) },
      "failed",
    ],
    ["environment_protected", "of an unprotected target", {}, "skipped"],
    ["environment_protected", "of a protected target", demanding({ protected: true }), "passed"],
    ["hold", "without a hold", {}, "passed"],
    ["hold", "with a hold, by hand", held, "warning"],
    ["hold", "with a hold, by itself", { ...held, automatic: true }, "failed"],
    ["hold", "without a hold, by itself", { automatic: true }, "passed"],
    ["freeze_window", "without windows", { freeze: { closed: true, reason: "never asked" } }, "skipped"],
    ["freeze_window", "while open", freezing({ closed: false, reason: "Open until 2026-01-02T16:00:00.000Z." }), "passed"],
    ["freeze_window", "while closed", freezing({ closed: true, reason: "Weekend.", next_open: "2026-01-05T06:00:00.000Z" }), "failed"],
    ["freeze_window", "while closed for who knows how long", freezing({ closed: true, reason: "Weekend." }), "failed"],
    ["soak_time", "without a rule", { soakedMs: 0 }, "skipped"],
    ["soak_time", "too early", soaked("2h", HOUR), "failed"],
    ["soak_time", "a millisecond too early", soaked("2h", 2 * HOUR - 1), "failed"],
    ["soak_time", "on time", soaked("2h", 2 * HOUR), "passed"],
    ["soak_time", "later", soaked("2h", 20 * HOUR), "passed"],
    ["soak_time", "of what never was the source's head for any time", soaked("1s", 0), "failed"],
    ["validation", "that nobody asks for", {}, "skipped"],
    ["validation", "that is asked for, without an engine for it", demanding({ validation: "required" }), "skipped"],
    ["validation", "as advice, without an engine for it", demanding({ validation: "advisory" }), "skipped"],
    ["approvals", "that nobody asks for", { approvedBy: ["cleo"] }, "skipped"],
    ["approvals", "of which none are asked for", agreed(0), "skipped"],
    ["approvals", "with none of one", agreed(1), "failed"],
    ["approvals", "with one of two", agreed(2, "cleo"), "failed"],
    ["approvals", "with two of two", agreed(2, "cleo", "dan"), "passed"],
    ["approvals", "with more than are needed", agreed({ count: 1 }, "cleo", "dan"), "passed"],
    ["approvals", "with none of those named", agreed({ count: 1, by: ["cleo"] }), "failed"],
    ["approvals", "with one of those named", agreed({ count: 1, by: ["cleo"] }, "cleo"), "passed"],
    ["diverged", "where both have the same", { relation: "identical" }, "passed"],
    ["diverged", "where the source is ahead", { relation: "source_ahead" }, "passed"],
    ["diverged", "where the target is ahead", { relation: "target_ahead", lost: ["flows/a"] }, "failed"],
    ["diverged", "where both changed", { relation: "diverged", lost: ["flows/a"] }, "failed"],
    ["diverged", "without a common ancestor", { relation: "diverged", base: null, lost: ["flows/a"] }, "failed"],
    ["diverged", "without a common ancestor, and with nothing to lose", { relation: "diverged", base: null }, "passed"],
    ["diverged", "where both changed, and made the same of it", { relation: "diverged", lost: [] }, "passed"],
    ["diverged", "where both changed, and what is chosen undoes nothing", { relation: "target_ahead", lost: [] }, "passed"],
    ["diverged", "where both changed, and the changes go together", { relation: "diverged", strategy: "merge" }, "passed"],
    ["diverged", "where a merge has nothing to merge", { relation: "source_ahead", strategy: "merge" }, "passed"],
    ["diverged", "where a merge meets a conflict", { relation: "diverged", strategy: "merge", conflicts: [conflict("flows/a")] }, "failed"],
    ["diverged", "where replacing is asked for and undoes nothing", { relation: "diverged", strategy: "replace" }, "passed"],
    [
      "diverged",
      "where both changed, but replacing is asked for",
      { relation: "diverged", lost: ["flows/a"], strategy: "replace" },
      "warning",
    ],
    [
      "diverged",
      "where the target is ahead, but replacing is asked for",
      { relation: "target_ahead", lost: ["flows/a"], strategy: "replace" },
      "warning",
    ],
    [
      "diverged",
      "without a common ancestor, but replacing is asked for",
      { relation: "diverged", base: null, lost: ["flows/a"], strategy: "replace" },
      "warning",
    ],
    ["config_complete", "without required keys", {}, "passed"],
    ["config_complete", "with all bound", { requirements: unbound }, "passed"],
    ["config_complete", "with some unbound", { requirements: unbound, unbound }, "failed"],
    [
      "config_complete",
      "with some unbound, where the policy warns",
      { requirements: unbound, unbound, ...demanding({ config_complete: "warn" }) },
      "warning",
    ],
    [
      "config_complete",
      "with some unbound, where the policy does not care",
      { requirements: unbound, unbound, ...demanding({ config_complete: "off" }) },
      "skipped",
    ],
    ["secrets_isolated", "without copies", {}, "passed"],
    ["secrets_isolated", "with a copy", { copiedSecrets: ["API_KEY"] }, "warning"],
    [
      "secrets_isolated",
      "with a copy, where the policy refuses",
      { copiedSecrets: ["API_KEY"], ...demanding({ secrets_isolated: "fail" }) },
      "failed",
    ],
    [
      "secrets_isolated",
      "with a copy, where the policy does not care",
      { copiedSecrets: ["API_KEY"], ...demanding({ secrets_isolated: "off" }) },
      "skipped",
    ],
  ])("%s %s: %s", (name, _when, changed, status) => {
    const check = resultOf(changed, name);
    expect(check.status).toBe(status);
    expect(check.reason).toMatch(/\S.*\.$/s);
    if (status === "failed") expect(check.fix).toMatch(/\S.*\.$/s);
    if (status === "skipped") expect(check).not.toHaveProperty("fix");
  });

  test("a freeze says when it opens, and so does its fix", () => {
    const next_open = "2026-01-05T06:00:00.000Z";
    expect(resultOf(freezing({ closed: true, reason: "Weekend.", next_open }), "freeze_window")).toMatchObject({
      reason: "production is frozen: Weekend.",
      fix: `Promote after ${next_open}.`,
      details: { next_open },
    });
    expect(resultOf(freezing({ closed: true, reason: "Weekend." }), "freeze_window")).not.toHaveProperty("details");
  });

  test("a merge is offered where there is something to merge against, and there alone", () => {
    const forked = { relation: "diverged", lost: ["flows/a"] } as const;
    expect(resultOf(forked, "diverged").fix).toContain('"strategy":"merge"');
    const strangers = resultOf({ ...forked, base: null }, "diverged").fix;
    expect(strangers).toContain('"strategy":"replace"');
    expect(strangers).not.toContain('"strategy":"merge"');
  });

  test("a soak time says how long it has been and how much is left", () => {
    expect(resultOf(soaked("1d", 23 * HOUR + 59 * 60_000), "soak_time")).toMatchObject({
      reason: "v1.4.0 has stayed in staging for 23h59m, and 1d is needed.",
      fix: "Leave it in staging for another 1m.",
      details: { soaked_ms: 86_340_000, needed_ms: 86_400_000 },
    });
  });

  test("approvals say how many are missing, and who can give them", () => {
    expect(resultOf(agreed({ count: 2, by: ["cleo", "dan"] }, "cleo"), "approvals")).toMatchObject({
      reason: "1 of 2 approvals are there.",
      fix: expect.stringContaining("1 more must approve it: dan."),
      details: { needed: 2, approved_by: ["cleo"], by: ["cleo", "dan"] },
    });
    expect(resultOf(agreed(1), "approvals")).toMatchObject({
      fix: expect.stringContaining("anybody but the requester"),
      details: { by: null },
    });
  });

  test("approvals that can never be complete, since who asks is among the few who are named, say so and the way out", () => {
    const facts = { ...agreed({ count: 2, by: ["ada", "ben"] }), requestedBy: "ada" };
    expect(resultOf(facts, "approvals")).toEqual({
      name: "approvals",
      status: "failed",
      reason: '0 of 2 approvals are there, and all of them can never be: "ada" asks for it, and of ada, ben only 1 can agree.',
      fix: "Have it asked for by somebody whom the policy does not name, or name one more in the rule's `by`.",
      details: { needed: 2, approved_by: [], by: ["ada", "ben"], possible: 1 },
    });
    expect(resultOf({ ...facts, requestedBy: "cleo" }, "approvals").details).not.toHaveProperty("possible");
    // The engine agrees to nothing, whoever names it.
    const alone = { ...agreed({ count: 1, by: ["ada", "engine"] }), requestedBy: "ada" };
    expect(resultOf(alone, "approvals").details).toMatchObject({ possible: 0 });
  });

  test("a hold says who placed it, when and why", () => {
    for (const automatic of [true, false]) {
      const { reason } = resultOf({ ...held, automatic }, "hold");
      for (const fact of [HOLD.by, HOLD.at, HOLD.reason]) expect(reason).toContain(fact);
    }
  });

  test("a hold is said to be lifted by what changes something, and to stay where nothing does", () => {
    expect(resultOf(held, "hold").reason).toContain("lifts the hold");
    const stays = resultOf({ ...held, changesNothing: true }, "hold");
    expect(stays).toMatchObject({
      status: "warning",
      reason: expect.stringContaining("leaves the hold in place"),
      fix: expect.stringContaining("resume"),
    });
  });

  test("conflicts are named, with the way to settle them", () => {
    const conflicts = Array.from({ length: 300 }, (_, index) => conflict(`flows/${index}`));
    const check = resultOf({ relation: "diverged", strategy: "merge", conflicts }, "diverged");
    expect(check).toMatchObject({
      reason: expect.stringContaining("flows/0"),
      fix: expect.stringContaining('"resolve"'),
      details: { count: 300 },
    });
    expect(check.details?.components).toHaveLength(200);
  });

  test("what is unbound is named, with a fix that can be sent as it is", () => {
    const check = resultOf({ requirements: unbound, unbound }, "config_complete");
    expect(check.details).toEqual({ unbound: ["secrets/API_KEY", "vars/HOST", "flags/beta"] });
    const [, body] = /PATCH \/env\/pf-777\/production\/config (\{.*?\}\})/.exec(check.fix ?? "") ?? [];
    expect(JSON.parse(body ?? "")).toEqual({ vars: { HOST: "…" }, secrets: { API_KEY: "…" }, flags: { beta: false } });
  });

  test("what can be sent along is offered, and a flag cannot", () => {
    const fixOf = (...unbound: ReturnType<typeof required>[]) => resultOf({ requirements: unbound, unbound }, "config_complete").fix;
    expect(fixOf(required("var", "HOST"))).toContain("or send it as env_variables");
    expect(fixOf(required("flag", "beta"))).not.toContain("env_variables");
    expect(fixOf(required("flag", "beta"), required("secret", "KEY"))).toContain("or send vars and secrets as env_variables");
  });

  test("lists in texts and details are bounded, and say how much more there is", () => {
    const many = Array.from({ length: 500 }, (_, index) => required("var", `K_${index}`));
    const complete = resultOf({ requirements: many, unbound: many }, "config_complete");
    expect(complete.reason).toContain("and 490 more");
    expect(complete.details?.unbound).toHaveLength(200);
    const lost = resultOf({ relation: "diverged", lost: many.map(({ name }) => `flows/${name}`) }, "diverged");
    expect(lost).toMatchObject({ reason: expect.stringContaining("and 490 more"), details: { lost_count: 500 } });
    expect(lost.details?.lost).toHaveLength(200);
    expect(resultOf({ copiedSecrets: many.map(({ name }) => name) }, "secrets_isolated").details?.secrets).toHaveLength(200);
  });
});

test("checks look and change nothing", () => {
  const frozen = Object.freeze(facts({ relation: "diverged", unbound: Object.freeze([...unbound]), lost: Object.freeze(["flows/a"]) }));
  expect(runChecks(frozen)).toEqual(runChecks(frozen));
});
