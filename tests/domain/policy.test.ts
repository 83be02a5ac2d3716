import { describe, expect, test } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import type { CheckName } from "../../src/model.ts";
import { approvalsOf, autoPromoteSource, type Policy, policyFor } from "../../src/policy.ts";
import { POLICY_PRESETS } from "../../src/policy-presets.ts";
import { parsePolicy } from "../../src/policy-rules.ts";
import type { Json, JsonObject } from "../../src/ports.ts";
import {
  auditRecords,
  caller,
  codeOf,
  documents,
  errorOf,
  memoryStore,
  openWorld,
  PROJECT,
  type Project,
  TestClock,
  type World,
} from "./support.ts";

interface Fault {
  readonly path: string;
  readonly message: string;
}

const CHECK_NAMES: readonly CheckName[] = [
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

/** What is wrong with a policy, by path. */
function faultsOf(policy: Json): readonly Fault[] {
  try {
    parsePolicy(policy);
    return [];
  } catch (error) {
    const { code, message, fix, details } = error as {
      code: string;
      message: string;
      fix?: string;
      details?: { faults?: readonly Fault[] };
    };
    const faults = details?.faults ?? [];
    expect(code).toBe("invalid_policy");
    expect(fix).toMatch(/\S/);
    for (const fault of faults) {
      expect(fault.message).toMatch(/\S/);
      // All of them are told in words, too.
      expect(message).toContain(fault.message);
    }
    return faults;
  }
}

const production = (rules: JsonObject): JsonObject => ({ environments: { production: rules } });
const at = (...members: string[]) => ["/environments/production", ...members].join("/");
const allDay = { kind: "deny", cron: "0 0 * * *", duration: "1h" };

describe("a policy is refused with the path of each fault:", () => {
  test.each<readonly [string, Json, readonly string[]]>([
    ["no object", "strict", [""]],
    ["nothing at all", null, [""]],
    ["a list", [], [""]],
    ["an unknown member", { rules: {} }, ["/rules"]],
    ["a preset that there is not", { preset: "strict" }, ["/preset"]],
    ["a preset named like what every object has", { preset: "constructor" }, ["/preset"]],
    ["a preset that is no name", { preset: ["team"] }, ["/preset"]],
    ["a preset with more beside it", { preset: "team", pipeline: [], environments: {} }, ["/pipeline", "/environments"]],
    ["a pipeline that is no list", { pipeline: "staging" }, ["/pipeline"]],
    ["a pipeline with a number", { pipeline: ["staging", 7] }, ["/pipeline/1"]],
    ["a pipeline with what can be no name", { pipeline: ["Staging", "../x", "policy"] }, ["/pipeline/0", "/pipeline/1", "/pipeline/2"]],
    ["a pipeline that comes back to where it was", { pipeline: ["dev", "staging", "dev"] }, ["/pipeline/2"]],
    ["a pipeline of one, twice", { pipeline: ["dev", "dev"] }, ["/pipeline/1"]],
    ["environments that are no object", { environments: ["production"] }, ["/environments"]],
    ["an environment with no name", { environments: { "": {} } }, ["/environments/"]],
    ["an environment whose name can be none", { environments: { Production: {} } }, ["/environments/Production"]],
    ["a type that there is not", { environments: { "type:live": {} } }, ["/environments/type:live"]],
    ["a type named like what every object has", { environments: { "type:constructor": {} } }, ["/environments/type:constructor"]],
    ["rules that are no object", { environments: { production: true } }, [at()]],
    ["an unknown rule", production({ protect: true }), [at("protect")]],
    ["a rule named like what every object has", production({ toString: true }), [at("toString")]],
    ["protected as a word", production({ protected: "yes" }), [at("protected")]],
    ["require_from as a number", production({ require_from: 1 }), [at("require_from")]],
    ["require_from that can be no name", production({ require_from: "Staging" }), [at("require_from")]],
    ["require_from from nowhere", production({ require_from: [] }), [at("require_from")]],
    ["require_from with what can be no name", production({ require_from: ["staging", "../x"] }), [at("require_from")]],
    ["soak as a number", production({ soak: 30 }), [at("soak")]],
    ["soak of nothing", production({ soak: "0m" }), [at("soak")]],
    ["soak below nothing", production({ soak: "-30m" }), [at("soak")]],
    ["soak for ever", production({ soak: "999999w" }), [at("soak")]],
    ["approvals below none", production({ approvals: -1 }), [at("approvals")]],
    ["half an approval", production({ approvals: 1.5 }), [at("approvals")]],
    ["too many approvals", production({ approvals: 21 }), [at("approvals")]],
    ["approvals as a word", production({ approvals: "two" }), [at("approvals")]],
    ["approvals by somebody, but how many?", production({ approvals: { by: ["cleo"] } }), [at("approvals/count")]],
    ["fewer people than approvals", production({ approvals: { count: 2, by: ["cleo"] } }), [at("approvals/by")]],
    ["the same one twice", production({ approvals: { count: 2, by: ["cleo", "cleo"] } }), [at("approvals/by")]],
    ["the same one twice, written otherwise", production({ approvals: { count: 2, by: ["cleo", "Cleo"] } }), [at("approvals/by")]],
    ["approvals by nobody", production({ approvals: { count: 1, by: [] } }), [at("approvals/by")]],
    [
      "approvals by the engine, which agrees to nothing",
      production({ approvals: { count: 1, by: ["engine", "Auto-Promotion"] } }),
      [at("approvals/by")],
    ],
    ["too few besides the engine", production({ approvals: { count: 2, by: ["cleo", "engine"] } }), [at("approvals/by")]],
    ["approvals by a name that nobody has", production({ approvals: { count: 1, by: ["cleo "] } }), [at("approvals/by")]],
    ["approvals by what is no name", production({ approvals: { count: 1, by: [""] } }), [at("approvals/by")]],
    ["approvals by one who is no list", production({ approvals: { count: 1, by: "cleo" } }), [at("approvals/by")]],
    ["approvals that expire soon", production({ approvals: { count: 1, expires_in: "soon" } }), [at("approvals/expires_in")]],
    ["approvals that never expire", production({ approvals: { count: 1, expires_in: "999999w999999w" } }), [at("approvals/expires_in")]],
    ["approvals with more", production({ approvals: { count: 1, from: ["cleo"] } }), [at("approvals/from")]],
    ["validation as a switch", production({ validation: true }), [at("validation")]],
    ["config_complete as a switch", production({ config_complete: false }), [at("config_complete")]],
    ["secrets_isolated as another word", production({ secrets_isolated: "required" }), [at("secrets_isolated")]],
    ["freeze that is no list", production({ freeze: allDay }), [at("freeze")]],
    ["freeze of too many windows", production({ freeze: new Array(51).fill(allDay) }), [at("freeze")]],
    ["freeze with nonsense for a cron", production({ freeze: [allDay, { ...allDay, cron: "at night" }] }), [at("freeze/1/cron")]],
    ["freeze on a day that never comes", production({ freeze: [{ ...allDay, cron: "0 0 30 2 *" }] }), [at("freeze/0/cron")]],
    ["freeze in a zone that there is not", production({ freeze: [{ ...allDay, timezone: "Mars/Base" }] }), [at("freeze/0/timezone")]],
    ["auto_promote_from that can be no name", production({ auto_promote_from: "Staging" }), [at("auto_promote_from")]],
    ["auto_promote_from itself", production({ auto_promote_from: "production" }), [at("auto_promote_from")]],
    ["auto_promote as a name", production({ auto_promote: "staging" }), [at("auto_promote")]],
    ["auto_promote without a pipeline", production({ auto_promote: true }), [at("auto_promote")]],
    ["auto_promote of the pipeline's first", { pipeline: ["production"], ...production({ auto_promote: true }) }, [at("auto_promote")]],
    [
      "auto_promote of a type",
      { pipeline: ["a", "b"], environments: { "type:production": { auto_promote: true } } },
      ["/environments/type:production/auto_promote"],
    ],
    ["auto_deploy as a name", production({ auto_deploy: "staging" }), [at("auto_deploy")]],
    ["forceable that is no list", production({ forceable: "soak_time" }), [at("forceable")]],
    ["forceable with no check", production({ forceable: ["luck"] }), [at("forceable")]],
    ["a hold as forceable", production({ forceable: ["hold"] }), [at("forceable")]],
    ["lost changes as forceable", production({ forceable: ["diverged"] }), [at("forceable")]],
    ["require_confirmation as a word", production({ require_confirmation: "please" }), [at("require_confirmation")]],
    ["require_message as a word", production({ require_message: "please" }), [at("require_message")]],
    ["max_ttl as a number", production({ max_ttl: 7 }), [at("max_ttl")]],
    [
      "all at once",
      {
        pipline: [],
        pipeline: ["dev", "dev"],
        environments: { production: { protected: 1, soak: "soon", approvals: { count: 3, by: ["cleo"], x: 1 } }, Nowhere: {} },
      },
      ["/pipline", "/pipeline/1", at("protected"), at("soak"), at("approvals/x"), at("approvals/by"), "/environments/Nowhere"],
    ],
  ])("%s", (_what, policy, paths) => {
    expect(faultsOf(policy).map(({ path }) => path)).toEqual(paths);
  });
});

test("a policy whose approvals nobody can ever give names who cannot", () => {
  const policy = { environments: { "type:production": { approvals: { count: 2, by: ["cleo", "engine", "git-push"] } } } };
  expect(faultsOf(policy)).toEqual([
    {
      path: "/environments/type:production/approvals/by",
      message: 'names fewer people than the 2 that are needed: nobody who could agree is called "engine" or "git-push"',
    },
  ]);
});

describe("a policy is taken with", () => {
  test.each<readonly [string, JsonObject]>([
    ["nothing in it", {}],
    ["a pipeline", { pipeline: ["dev", "staging", "production"] }],
    ["an empty pipeline, and no environments", { pipeline: [], environments: {} }],
    [
      "each type",
      {
        environments: Object.fromEntries(["development", "staging", "production", "preview", "custom"].map((type) => [`type:${type}`, {}])),
      },
    ],
    [
      "every rule",
      {
        pipeline: ["staging", "production"],
        environments: {
          production: {
            protected: true,
            require_from: ["staging", "qa"],
            soak: "1d12h",
            approvals: { count: 2, by: ["cleo", "dan", "eve"], expires_in: "3d" },
            validation: "advisory",
            config_complete: "warn",
            secrets_isolated: "off",
            freeze: [{ ...allDay, timezone: "Europe/Berlin", reason: "Night." }],
            auto_promote_from: "staging",
            auto_promote: true,
            auto_deploy: false,
            forceable: ["pipeline_order", "freeze_window", "soak_time", "config_complete", "secrets_isolated", "validation", "approvals"],
            require_message: true,
            require_confirmation: true,
            max_ttl: "7d",
          },
        },
      },
    ],
    ["approvals by a number", production({ approvals: 20 })],
    ["as many people as approvals, since somebody else may ask", production({ approvals: { count: 2, by: ["cleo", "dan"] } })],
    ["approvals by whoever has the root token", production({ approvals: { count: 1, by: ["root"] } })],
    ["enough people besides the engine", production({ approvals: { count: 1, by: ["cleo", "engine"] } })],
    ["no approvals at all", production({ approvals: { count: 0, by: [] } })],
    ["one environment to promote from", production({ require_from: "staging" })],
    ["nothing forceable", production({ forceable: [], freeze: [] })],
  ])("%s", (_what, policy) => {
    expect(faultsOf(policy)).toEqual([]);
    expect(parsePolicy(policy)).toEqual(policy);
  });
});

describe("a preset", () => {
  test.each(Object.keys(POLICY_PRESETS))("%s stands for a whole policy that would be taken as it is", (preset) => {
    const policy = parsePolicy({ preset });
    expect(policy).toBe(POLICY_PRESETS[preset]);
    expect(faultsOf(policy as unknown as Json)).toEqual([]);
  });

  test("is stored and shown as the policy that it is", async () => {
    const { project, domain } = await openWorld();
    await project.create("staging");
    expect(await project.policy({ preset: "team" })).toMatchObject({ policy: POLICY_PRESETS.team, revision: 1 });
    expect(await domain.policies.read(PROJECT)).toMatchObject({ policy: POLICY_PRESETS.team, revision: 1 });
    // Read, changed and sent back, as the refusal of "a preset with more" advises.
    const { policy } = await domain.policies.read(PROJECT);
    await project.policy({ ...policy, pipeline: ["staging"] } as unknown as Json);
  });

  test("asks more of production the stricter it is, and nothing of a custom environment", () => {
    const asked = Object.values(POLICY_PRESETS).map((policy) => policyFor(policy, "production", "production"));
    expect(asked.map((rules) => rules.protected)).toEqual([true, true, true]);
    expect(asked.map((rules) => approvalsOf(rules).count)).toEqual([0, 1, 2]);
    expect(asked.map(({ forceable }) => forceable.length)).toEqual([0, 3, 0]);
    for (const policy of Object.values(POLICY_PRESETS))
      expect(policyFor(policy, "sandbox", "custom")).toEqual(policyFor({}, "sandbox", "custom"));
  });
});

describe("what holds for an environment", () => {
  const policy: Policy = {
    environments: {
      "type:production": { protected: true, soak: "1d", approvals: 2 },
      production: { soak: "1h", require_message: true },
      live: { protected: false },
    },
  };

  test.each<readonly [string, Parameters<typeof policyFor>[2], JsonObject]>([
    ["production", "production", { protected: true, soak: "1h", approvals: 2, require_message: true }],
    ["live", "production", { protected: false, soak: "1d", approvals: 2 }],
    ["eu", "production", { protected: true, soak: "1d", approvals: 2 }],
    ["production", "custom", { protected: false, soak: "1h", require_message: true }],
    ["staging", "staging", {}],
    ["constructor", "custom", {}],
  ])("%s, of type %s: what its type says, and over it what its own name says", (env, type, expected) => {
    expect(policyFor(policy, env, type)).toEqual({ ...policyFor({}, env, type), ...expected });
  });

  test("without a policy is safe and small", () => {
    expect(policyFor({}, "production", "production")).toEqual({
      protected: false,
      config_complete: "fail",
      secrets_isolated: "warn",
      validation: "off",
      freeze: [],
      forceable: [],
    });
  });

  test("approvals: a number lets anybody, and a week", () => {
    expect(approvalsOf({})).toEqual({ count: 0, by: null, expiresIn: "7d" });
    expect(approvalsOf({ approvals: 2 })).toEqual({ count: 2, by: null, expiresIn: "7d" });
    expect(approvalsOf({ approvals: { count: 1, by: ["cleo"], expires_in: "1h" } })).toEqual({ count: 1, by: ["cleo"], expiresIn: "1h" });
  });

  test("auto_promote: from the environment named, else from the one before in the pipeline", () => {
    const pipeline = ["dev", "staging", "production"];
    const rules = (production: JsonObject): Policy => ({ pipeline, environments: { production } });
    expect(autoPromoteSource(rules({}), "production", "production")).toBeNull();
    expect(autoPromoteSource(rules({ auto_promote: false }), "production", "production")).toBeNull();
    expect(autoPromoteSource(rules({ auto_promote: true }), "production", "production")).toBe("staging");
    expect(autoPromoteSource(rules({ auto_promote: true, auto_promote_from: "dev" }), "production", "production")).toBe("dev");
    expect(autoPromoteSource(rules({ auto_promote_from: "dev" }), "production", "production")).toBe("dev");
    expect(autoPromoteSource({ pipeline, environments: { "type:custom": { auto_promote: true } } }, "qa", "custom")).toBeNull();
    expect(autoPromoteSource({ pipeline, environments: { "type:custom": { auto_promote: true } } }, "dev", "custom")).toBeNull();
  });
});

async function world(clock?: TestClock): Promise<World> {
  const world = await openWorld({ store: memoryStore(clock) });
  for (const env of ["dev", "staging", "production"]) await world.project.create(env);
  return world;
}

/** A refusal, and nothing written. */
async function refused(world: World, policy: Json, ...paths: string[]): Promise<void> {
  const before = await documents(world.store);
  const error = await errorOf(world.project.policy(policy));
  expect(error.code).toBe("invalid_policy");
  expect(((error.details?.faults ?? []) as readonly Fault[]).map(({ path }) => path)).toEqual(paths);
  expect(await documents(world.store)).toEqual(before);
}

describe("a policy that is put", () => {
  test("must lead through environments that exist", async () => {
    const made = await world();
    await refused(made, { pipeline: ["dev", "stagin", "production", "prod"] }, "/pipeline/1", "/pipeline/3");
    expect(await made.project.policy({ pipeline: ["dev", "staging", "production"] })).toMatchObject({ revision: 1 });
  });

  test("may say something of environments that do not exist yet", async () => {
    const { project } = await world();
    await project.policy({ environments: { "next-year": { protected: true } } });
    await project.create("next-year");
    expect(await project.view("next-year")).toMatchObject({ protected: true });
  });

  test.each<readonly [string, readonly JsonObject[]]>([
    ["a denied window that outlasts its period", [{ kind: "deny", cron: "0 0 * * *", duration: "25h" }]],
    ["one of every minute", [{ kind: "deny", cron: "* * * * *", duration: "1m" }]],
    [
      "an allowed window inside a denied one",
      [
        { kind: "allow", cron: "0 9 * * 1", duration: "2h" },
        { kind: "deny", cron: "0 0 * * 1", duration: "24h" },
      ],
    ],
  ])("must leave an opening: %s leaves none", async (_what, freeze) => {
    const made = await world();
    await refused(
      made,
      { environments: { dev: {}, "type:production": { freeze } as unknown as Json } },
      "/environments/type:production/freeze",
    );
  });

  test("may be put while it is frozen, where it opens later: at any time of the day", async () => {
    const clock = new TestClock();
    const { project } = await world(clock);
    const freeze = [{ kind: "deny", cron: "* 0-11 * * *", duration: "1m", reason: "Mornings." }];
    for (let hour = 0; hour < 24; hour++) {
      clock.time = Date.parse("2026-01-05T00:00:00Z") + hour * 3_600_000;
      const again = await project.policy({ environments: { production: { freeze } } });
      expect(again.status, `at ${hour}:00`).toBe(hour === 0 ? "updated" : "no_changes");
    }
  });

  test("is versioned and audited: each one whole, with who put it", async () => {
    const { project, domain, store } = await world();
    expect(await domain.policies.read(PROJECT)).toEqual({ project_id: PROJECT, revision: 0, policy: {}, tag: "policy-pf-777-0" });
    const first = { pipeline: ["dev", "staging"] };
    const second = { environments: { production: { protected: true } } };
    await project.policy(first);
    await project.as(caller("bea")).policy(second);
    expect(await domain.policies.read(PROJECT)).toEqual({ project_id: PROJECT, revision: 2, policy: second, tag: "policy-pf-777-2" });
    expect((await auditRecords(store)).filter(({ action }) => action === "policy")).toMatchObject([
      { actor: "ann", details: { revision: 1, policy: first } },
      { actor: "bea", details: { revision: 2, policy: second } },
    ]);
  });

  test("over If-Match: only what was read is replaced", async () => {
    const { project, domain, store } = await world();
    const replace = (policy: Json, ...tags: string[]) => domain.policies.replace(project.caller, PROJECT, policy, tags);
    expect(await replace({ pipeline: ["dev"] }, "policy-pf-777-0")).toMatchObject({ revision: 1, tag: "policy-pf-777-1" });
    const before = await documents(store);
    expect(await codeOf(replace({}, "policy-pf-777-0"))).toBe("precondition_failed");
    expect(await codeOf(replace({}, "other", "policy-pf-777-2"))).toBe("precondition_failed");
    expect(await documents(store)).toEqual(before);
    expect(await replace({}, "policy-pf-777-0", "policy-pf-777-1")).toMatchObject({ revision: 2 });
    expect(await replace({ pipeline: ["dev"] }, "*")).toMatchObject({ revision: 3 });
  });

  test("again as it is changes nothing, in whatever order it is written", async () => {
    const { project, store } = await world();
    const rules = { protected: true, approvals: { count: 1, expires_in: "2h" } };
    await project.policy({ pipeline: ["dev"], environments: { production: rules } });
    const before = await documents(store);
    const turned = { approvals: { expires_in: "2h", count: 1 }, protected: true };
    expect(await project.policy({ environments: { production: turned }, pipeline: ["dev"] })).toMatchObject({
      status: "no_changes",
      revision: 1,
      tag: "policy-pf-777-1",
    });
    expect(await documents(store)).toEqual(before);
    expect(await project.policy({ preset: "team" })).toMatchObject({ status: "updated", revision: 2 });
    expect(await project.policy({ preset: "team" })).toMatchObject({ status: "no_changes", revision: 2 });
  });

  test("by two at once over If-Match: one of them has to look again", async () => {
    const { project, domain } = await world();
    const replace = (policy: Json) => domain.policies.replace(project.caller, PROJECT, policy, ["policy-pf-777-0"]);
    const outcomes = await Promise.allSettled([replace({ pipeline: ["dev"] }), replace({ pipeline: ["staging"] })]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(await domain.policies.read(PROJECT)).toMatchObject({ revision: 1 });
  });

  test("of a project that there is not is refused", async () => {
    const { project, domain } = await openWorld();
    expect(await codeOf(project.policy({}))).toBe("project_not_found");
    expect(await codeOf(domain.policies.read(PROJECT))).toBe("project_not_found");
    expect(await codeOf(domain.policies.replace(project.caller, "../x", {}, null))).toBe("invalid_name");
  });
});

describe("a rule holds from the commit on that brought it:", () => {
  const promoteTo = (env: string) => (project: Project) => project.promote("staging", env);

  async function ready(policy: Json): Promise<World> {
    const made = await world();
    await made.project.set("staging", { "flows/a": { on: true } }, { version: "v1.0.0" });
    await made.project.policy(policy);
    return made;
  }

  test.each<readonly [CheckName, JsonObject, (project: Project) => Promise<unknown>]>([
    ["pipeline_order", { pipeline: ["staging", "dev", "production"] }, promoteTo("production")],
    ["pipeline_order", production({ require_from: "dev" }), promoteTo("production")],
    ["soak_time", production({ soak: "1h" }), promoteTo("production")],
    [
      "freeze_window",
      { environments: { "type:production": { freeze: [{ kind: "allow", cron: "0 0 29 2 *", duration: "1h" }] } } },
      promoteTo("production"),
    ],
  ])("%s refuses", async (name, policy, act) => {
    const made = await ready(policy);
    const before = await documents(made.store);
    const error = await errorOf(act(made.project));
    expect(error.code).toBe("checks_failed");
    const failed = ((error.details?.checks ?? []) as readonly { name: CheckName; status: string }[]).filter(
      ({ status }) => status === "failed",
    );
    expect(failed.map((check) => check.name)).toEqual([name]);
    expect(await documents(made.store)).toEqual(before);
    await made.project.policy({});
    await act(made.project);
  });

  test("require_message refuses a promotion that does not say why, and puts none up for approval", async () => {
    const { project, store } = await ready(production({ require_message: true, approvals: 1 }));
    const before = await documents(store);
    for (const message of [undefined, "", "  "])
      expect(await codeOf(project.promote("staging", "production", { message }))).toBe("invalid_request");
    expect(await documents(store)).toEqual(before);
    expect(await project.promote("staging", "production", { message: "Release 1" })).toMatchObject({ status: "pending_approval" });
    expect(await project.promote("staging", "dev")).toMatchObject({ status: "ready_for_deploy" });
  });

  test("require_confirmation refuses a promotion, and a rollback, that does not name its environment once more", async () => {
    const { project, store } = await ready(production({ require_confirmation: true }));
    const before = await documents(store);
    for (const confirm of [undefined, "", "staging", "Production"])
      expect(await codeOf(project.promote("staging", "production", { confirm }))).toBe("invalid_request");
    expect(await documents(store)).toEqual(before);
    await project.promote("staging", "production", { confirm: "production" });
    for (const confirm of [undefined, "staging"])
      expect(await codeOf(project.rollback("production", 1, { confirm }))).toBe("invalid_request");
    expect(await project.rollback("production", 1, { confirm: "production" })).toMatchObject({ status: "rolled_back" });
  });

  test("and a rollback, but its plan", async () => {
    const { project, store } = await ready(production({ require_message: true }));
    await project.promote("staging", "production", { message: "Release 1" });
    const before = await documents(store);
    for (const message of [undefined, " "]) expect(await codeOf(project.rollback("production", 1, { message }))).toBe("invalid_request");
    expect(await documents(store)).toEqual(before);
    expect(await project.rollback("production", 1, { dry_run: true })).toMatchObject({ status: "planned" });
    expect(await project.rollback("production", 1, { message: "Bad release" })).toMatchObject({ status: "rolled_back" });
  });

  test("every check that there is shows in a plan, whatever the policy", async () => {
    const { project } = await ready({ preset: "regulated" });
    expect((await project.plan("staging", "production")).checks.map(({ name }) => name)).toEqual(CHECK_NAMES);
  });
});

test("a pipeline has as many environments as it may, and not one more", () => {
  const pipeline = (length: number) => Array.from({ length }, (_, index) => `e${index}`);
  expect(parsePolicy({ pipeline: pipeline(LIMITS.pipeline) })).toEqual({ pipeline: pipeline(LIMITS.pipeline) });
  expect(() => parsePolicy({ pipeline: pipeline(LIMITS.pipeline + 1) })).toThrow(/at most 100/);
});
