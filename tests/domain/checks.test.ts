import { describe, expect, test } from "vitest";
import { type Facts, runChecks } from "../../src/checks.ts";
import type { CheckResult, Environment, Revision } from "../../src/model.ts";
import { policyFor } from "../../src/policy.ts";
import type { Requirement } from "../../src/requirements.ts";

const HOLD = { by: "ben", at: "2026-01-01T00:00:00.000Z", reason: "bad release" };

/** A promotion from staging to production that nothing stands against. */
function facts(changed: Partial<Facts> = {}): Facts {
  return {
    project: "pf-777",
    source: { env: "staging", revision: 4 } as Revision,
    target: { env: "production", type: "production", hold: null } as Environment,
    policy: {},
    targetPolicy: policyFor({}, "production", "production"),
    relation: "source_ahead",
    base: { env: "staging", revision: 2 },
    lost: [],
    strategy: null,
    requirements: [],
    unbound: [],
    copiedSecrets: [],
    ...changed,
  };
}

const required = (kind: Requirement["kind"], name: string): Requirement => ({ kind, name, description: null, default: undefined });
const demanding = (rules: Partial<Facts["targetPolicy"]>) => ({ targetPolicy: { ...policyFor({}, "production", "production"), ...rules } });
const unbound = [required("secret", "API_KEY"), required("var", "HOST"), required("flag", "beta")];

function resultOf(changed: Partial<Facts>, name: CheckResult["name"]): CheckResult {
  const found = runChecks(facts(changed)).find((check) => check.name === name);
  if (found === undefined) throw new Error(`there is no check ${name}`);
  return found;
}

test("every plan shows every check, once, in one order, whatever the outcome", () => {
  const names = runChecks(facts()).map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(names).toEqual(
    expect.arrayContaining(["pipeline_order", "environment_protected", "hold", "diverged", "config_complete", "secrets_isolated"]),
  );
  expect(runChecks(facts({ relation: "diverged", requirements: unbound, unbound, copiedSecrets: ["A"] })).map(({ name }) => name)).toEqual(
    names,
  );
});

describe("what a check says", () => {
  test.each<readonly [CheckResult["name"], string, Partial<Facts>, CheckResult["status"]]>([
    ["pipeline_order", "without a pipeline", {}, "skipped"],
    ["pipeline_order", "with an empty one", { policy: { pipeline: [] } }, "skipped"],
    ["pipeline_order", "to an environment outside of it", { policy: { pipeline: ["dev", "staging"] } }, "skipped"],
    ["pipeline_order", "to the next one", { policy: { pipeline: ["dev", "staging", "production"] } }, "passed"],
    ["pipeline_order", "over one", { policy: { pipeline: ["staging", "qa", "production"] } }, "failed"],
    ["pipeline_order", "backwards", { policy: { pipeline: ["production", "staging"] } }, "failed"],
    ["pipeline_order", "from outside", { policy: { pipeline: ["dev", "production"] } }, "failed"],
    ["environment_protected", "of an unprotected target", {}, "skipped"],
    ["environment_protected", "of a protected target", demanding({ protected: true }), "passed"],
    ["hold", "without a hold", {}, "passed"],
    ["hold", "with a hold", { target: { env: "production", hold: HOLD } as Environment }, "warning"],
    ["diverged", "where both have the same", { relation: "identical" }, "passed"],
    ["diverged", "where the source is ahead", { relation: "source_ahead" }, "passed"],
    ["diverged", "where the target is ahead", { relation: "target_ahead", lost: ["flows/a"] }, "failed"],
    ["diverged", "where both changed", { relation: "diverged", lost: ["flows/a"] }, "failed"],
    ["diverged", "without a common ancestor", { relation: "diverged", base: null }, "failed"],
    [
      "diverged",
      "where both changed, but replacing is asked for",
      { relation: "diverged", lost: ["flows/a"], strategy: "replace" },
      "warning",
    ],
    ["diverged", "where the target is ahead, but replacing is asked for", { relation: "target_ahead", strategy: "replace" }, "warning"],
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
    if (status === "failed") expect(check.fix).toMatch(/\S/);
  });

  test("what is unbound is named, with a fix that can be sent as it is", () => {
    const check = resultOf({ requirements: unbound, unbound }, "config_complete");
    expect(check.details).toEqual({ unbound: ["secrets/API_KEY", "vars/HOST", "flags/beta"] });
    const [, body] = /PATCH \/env\/pf-777\/production\/config (\{.*?\}\})/.exec(check.fix ?? "") ?? [];
    expect(JSON.parse(body ?? "")).toEqual({ vars: { HOST: "…" }, secrets: { API_KEY: "…" }, flags: { beta: false } });
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
