import { describe, expect, test } from "vitest";
import type { FlagFile } from "../../src/flag-files.ts";
import { compileFlags, definitionSteps } from "../../src/flagd/index.ts";
import { checkSteps } from "../../src/flags.ts";
import { LIMITS } from "../../src/limits.ts";
import type { Json, JsonObject } from "../../src/ports.ts";
import { errorOf, openWorld, Project, type World } from "./support.ts";

const STAFF = { ends_with: [{ var: "email" }, "@example.com"] };
const flag = (targeting: JsonObject = {}, more: JsonObject = {}): JsonObject => ({
  state: "ENABLED",
  variants: { on: true, off: false },
  defaultVariant: "off",
  targeting,
  ...more,
});
const forAll = flag({ "==": [1, 1] });
const forStaff = flag({ if: [{ $ref: "staff" }, "on"] });

async function open(): Promise<World & { readonly project: Project }> {
  const world = await openWorld();
  const project = new Project(world.domain);
  await project.create("staging");
  return { ...world, project };
}

async function exported({ domain, id }: Project, env: string, at?: number): Promise<JsonObject> {
  return (await (await domain.flagFiles.read(id, env, { at })).load()) as JsonObject;
}

function imported({ domain, caller, id }: Project, env: string, file: Json, keep = false) {
  return domain.flagFiles.replace(caller, { project: id, env, file: file as unknown as FlagFile, keep, ifMatch: null });
}

async function evaluated({ domain, id }: Project, env: string, key: string, context: JsonObject = {}): Promise<unknown> {
  return (await domain.evaluations.head(id, env)).set.evaluate(key, context);
}

describe("a flag that cannot be evaluated is refused, and the error says where and how to mend it:", () => {
  test.each<readonly [string, JsonObject, string, RegExp]>([
    ["an operator that there is none of", flag({ if: [{ equals: [1, 1] }, "on"] }), "targeting.if[0].equals", /no operator "equals"/],
    ["too few arguments", flag({ "==": [1] }), "targeting.==", /takes 2 arguments, and has 1/],
    ["an unknown evaluator", forStaff, "targeting.if[0]", /"staff"/],
    ["a default that is no variant", flag({}, { defaultVariant: "blue" }), "defaultVariant", /"on", "off"/],
    ["a rule that could run for minutes", flag({ some: [{ var: "a" }, { some: [{ var: "b" }, { var: "" }] }] }), "targeting", /steps/],
  ])("%s", async (_, definition, path, message) => {
    const { project } = await open();
    const before = await project.revisionNumber("staging");
    const error = await errorOf(project.configure("staging", { flags: { good: true, bad: definition } }));
    expect(error).toMatchObject({ code: "invalid_flag", message: expect.stringMatching(message) });
    expect(error.message).toContain(`\`${path}\``);
    expect(error.details?.["faults"]).toContainEqual({ path, message: expect.stringMatching(message) });
    expect(await project.revisionNumber("staging")).toBe(before);
  });
});

describe("all flags may be asked for at once, so that what they take together is bounded:", () => {
  /** A rule of so many looks through a list: 12,002 steps each, and a few. */
  const looking = (lists: number): JsonObject =>
    flag({ if: [{ or: Array<Json>(lists).fill({ some: [{ var: "list" }, { ">": [{ var: "" }, 0] }] }) }, "on"] });
  const LOOKS = 15;
  const DEAR = looking(LOOKS);
  const most = Math.floor(LIMITS.environmentSteps / definitionSteps(DEAR));
  const many = (count: number, definition: Json = DEAR): JsonObject =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`dear-${n}`, definition]));

  test("as many steps as all may take together, and more", async () => {
    const { project } = await open();
    await project.configure("staging", { flags: many(most) });
    const before = await project.revisionNumber("staging");
    const error = await errorOf(project.configure("staging", { flags: { another: DEAR } }));
    expect(error).toMatchObject({ code: "invalid_flag", message: expect.stringMatching(/together/) });
    expect(error.details?.["faults"]).toContainEqual({ path: "another", message: expect.stringMatching(/steps/) });
    expect((await errorOf(imported(project, "staging", { flags: many(most + 1) }))).code).toBe("invalid_flag");
    expect(await project.revisionNumber("staging")).toBe(before);
    // One for another, one that is off, and any number that look through nothing.
    await project.configure("staging", { flags: { another: DEAR }, unset: ["flags/dear-0"] });
    await project.configure("staging", { flags: { "switched-off": { ...DEAR, state: "DISABLED" }, simple: forAll } });
    expect((await errorOf(project.configure("staging", { flags: { "switched-off": DEAR } }))).code).toBe("invalid_flag");
  });

  test("what an evaluator stands for counts in each flag that refers to it", async () => {
    const { project } = await open();
    const { targeting } = looking(LOOKS - 1);
    const referring = flag({ if: [{ $ref: "dear" }, "on"] });
    const evaluators = { dear: STAFF };
    await project.configure("staging", { evaluators, flags: many(most + 5, referring) });
    const error = await errorOf(project.configure("staging", { evaluators: { dear: targeting as JsonObject } }));
    expect(error).toMatchObject({ code: "invalid_flag", message: expect.stringMatching(/together/) });
  });

  test("a rule of as many steps as are not counted, and one of more", () => {
    const cheap = flag({ or: Array<Json>(LIMITS.simpleSteps - 1).fill(true) });
    const dearer = flag({ or: Array<Json>(LIMITS.simpleSteps).fill(true) });
    expect([definitionSteps(cheap), definitionSteps(dearer)]).toEqual([LIMITS.simpleSteps, LIMITS.simpleSteps + 1]);
    const room = LIMITS.environmentSteps - most * definitionSteps(DEAR);
    const all = (definition: Json) => [
      ...Object.entries(many(most)),
      ...Array.from({ length: Math.ceil(room / LIMITS.simpleSteps) }, (_, n) => [`simple-${n}`, definition] as const),
    ];
    expect(() => checkSteps(all(cheap), {})).not.toThrow();
    expect(() => checkSteps(all(dearer), {})).toThrow(/together/);
  });

  test("a platform's defaults for which no steps are left are evaluated one by one alone", () => {
    const all = Math.floor((LIMITS.environmentSteps + LIMITS.configEntries * LIMITS.simpleSteps) / definitionSteps(DEAR));
    const set = compileFlags(many(all + 1));
    const evaluations = set.evaluateAll({});
    expect(evaluations.slice(0, all).every((evaluation) => "reason" in evaluation)).toBe(true);
    expect(evaluations.at(-1)).toMatchObject({ errorCode: "GENERAL", errorDetails: expect.stringMatching(/by itself/) });
    expect(set.writeAll({})).toBe(JSON.stringify(evaluations));
    expect(set.evaluate(`dear-${all}`, {})).toMatchObject({ reason: "DEFAULT" });
  });
});

describe("what flags share", () => {
  test("is set, shown, and used by every evaluation", async () => {
    const { project } = await open();
    await project.configure("staging", {
      flags: { beta: forStaff },
      evaluators: { staff: STAFF },
      flag_metadata: { flagSetId: "shop", version: 3 },
    });
    expect(await project.config("staging")).toMatchObject({
      flags: { beta: forStaff },
      evaluators: { staff: STAFF },
      flag_metadata: { flagSetId: "shop", version: 3 },
    });
    expect(await evaluated(project, "staging", "beta", { email: "a@example.com" })).toMatchObject({
      value: true,
      metadata: { flagSetId: "shop", version: 3 },
    });
  });

  test("is not shown where there is none", async () => {
    const { project } = await open();
    expect(Object.keys(await project.config("staging"))).not.toContain("evaluators");
  });

  test("is told of in the history, beside the flags", async () => {
    const { project } = await open();
    await project.configure("staging", { flags: { beta: forStaff }, evaluators: { staff: STAFF } });
    expect((await project.revisions("staging"))[0]?.changes.feature_flags).toEqual(["beta", "evaluators/staff"]);
  });

  test("cannot be taken away, or broken, while a flag refers to it", async () => {
    const { project } = await open();
    await project.configure("staging", { flags: { beta: forStaff }, evaluators: { staff: STAFF } });
    expect(await errorOf(project.configure("staging", { unset: ["evaluators/staff"] }))).toMatchObject({
      code: "invalid_flag",
      message: expect.stringContaining("beta"),
    });
    expect(await errorOf(project.configure("staging", { evaluators: { staff: { nope: 1 } } }))).toMatchObject({ code: "invalid_flag" });
    expect(await errorOf(project.configure("staging", { evaluators: { staff: { $ref: "staff" } } }))).toMatchObject({
      code: "invalid_flag",
    });
    await project.configure("staging", { unset: ["evaluators/staff", "flags/beta"] });
    expect(await project.config("staging")).toMatchObject({ flags: {} });
  });

  test("comes along to a new environment, and returns with a rollback", async () => {
    const { project } = await open();
    await project.configure("staging", { flags: { beta: forStaff }, evaluators: { staff: STAFF } });
    const then = await project.revisionNumber("staging");
    await project.create("review", { base: "staging" });
    expect(await evaluated(project, "review", "beta", { email: "a@example.com" })).toMatchObject({ value: true });
    await project.configure("staging", { evaluators: { staff: { ends_with: [{ var: "email" }, "@example.org"] } } });
    expect(await evaluated(project, "staging", "beta", { email: "a@example.com" })).toMatchObject({ value: false });
    await project.rollback("staging", then);
    expect(await evaluated(project, "staging", "beta", { email: "a@example.com" })).toMatchObject({ value: true });
  });

  test("comes with a promoted flag that refers to it, and replaces nothing that the target has", async () => {
    const { project } = await open();
    await project.create("production");
    await project.set("staging", { "flows/a": { v: 1 } });
    await project.configure("staging", {
      flags: { beta: forStaff, gamma: flag({ if: [{ $ref: "europe" }, "on"] }) },
      evaluators: { staff: STAFF, europe: { "==": [{ var: "region" }, "eu"] } },
    });
    const own = { ends_with: [{ var: "email" }, "@example.net"] };
    await project.configure("production", { evaluators: { staff: own } });
    await project.promote("staging", "production");
    expect(await project.config("production")).toMatchObject({
      flags: { beta: { state: "DISABLED" }, gamma: { state: "DISABLED" } },
      evaluators: { staff: own, europe: { "==": [{ var: "region" }, "eu"] } },
    });
    await project.configure("production", { flags: { gamma: flag({ if: [{ $ref: "europe" }, "on"] }) } });
    expect(await evaluated(project, "production", "gamma", { region: "eu" })).toMatchObject({ value: true });
  });
});

describe("a promotion brings no flag that its target would refuse:", () => {
  const inList = flag({ if: [{ some: [{ var: "emails" }, { $ref: "staff" }] }, "on"] });

  async function sides(flags: JsonObject, evaluators: JsonObject): Promise<Project> {
    const { project } = await open();
    await project.create("production");
    await project.set("staging", { "flows/a": { v: 1 } });
    await project.configure("staging", { flags, evaluators });
    return project;
  }

  test.each<readonly [string, { readonly flags?: readonly string[] }]>([
    ["one that is named", { flags: ["beta"] }],
    ["one that it lacks", {}],
  ])("%s, whose rule cannot be evaluated with the evaluator that the target has", async (_which, wishes) => {
    const project = await sides({ beta: inList }, { staff: { in: ["@example.com", { var: "" }] } });
    await project.configure("production", { evaluators: { staff: STAFF } });
    const before = await project.config("production");
    for (const promoted of [project.plan("staging", "production", wishes), project.promote("staging", "production", wishes)]) {
      const error = await errorOf(promoted);
      expect(error).toMatchObject({ code: "invalid_flag", message: expect.stringMatching(/"production".*"beta".*each element/) });
      expect(error.details?.["faults"]).toHaveLength(1);
    }
    expect(await project.config("production")).toEqual(before);
    // One of its own keeps the other out.
    await project.configure("production", { flags: { beta: true } });
    expect(await project.promote("staging", "production")).toMatchObject({ status: "ready_for_deploy" });
  });

  test("one with which all of them together would take too long", async () => {
    const dear = flag({ if: [{ or: Array<Json>(15).fill({ some: [{ var: "list" }, { ">": [{ var: "" }, 0] }] }) }, "on"] });
    const most = Math.floor(LIMITS.environmentSteps / definitionSteps(dear));
    const project = await sides({ another: dear }, {});
    await project.configure("production", { flags: Object.fromEntries(Array.from({ length: most }, (_, n) => [`dear-${n}`, dear])) });
    expect(await errorOf(project.promote("staging", "production", { flags: ["another"] }))).toMatchObject({
      code: "invalid_flag",
      message: expect.stringMatching(/"production".*together/),
    });
    // Switched off, as it comes by itself, it takes no time.
    expect(await project.promote("staging", "production")).toMatchObject({ status: "ready_for_deploy" });
  });
});

describe("flagd's own file", () => {
  const FILE = {
    $schema: "https://flagd.dev/schema/v0/flags.json",
    flags: { beta: forStaff, plain: flag({}, { metadata: { owner: "ann" } }) },
    $evaluators: { staff: STAFF },
    metadata: { flagSetId: "shop", version: "v1" },
  };

  test("goes in and comes out as it was, and in again without a change", async () => {
    const { project } = await open();
    expect(await imported(project, "staging", FILE)).toMatchObject({ status: "updated" });
    expect(await exported(project, "staging")).toEqual(FILE);
    expect(await imported(project, "staging", await exported(project, "staging"))).toMatchObject({ status: "no_changes" });
    await project.create("other");
    await imported(project, "other", await exported(project, "staging"));
    expect(await exported(project, "other")).toEqual(FILE);
  });

  test("may list its flags, each with its key, as flagd's daemon takes it", async () => {
    const { project } = await open();
    await imported(project, "staging", {
      flags: [
        { key: "beta", ...flag() },
        { key: "gamma", ...flag() },
      ],
    });
    expect(await exported(project, "staging")).toMatchObject({ flags: { beta: flag(), gamma: flag() } });
    for (const flags of [
      [flag()],
      [
        { key: "a", ...flag() },
        { key: "a", ...flag() },
      ],
    ]) {
      expect(await errorOf(imported(project, "staging", { flags }))).toMatchObject({ code: "invalid_flag" });
    }
  });

  test("replaces flags and leaves vars and secrets; with `keep` it only adds", async () => {
    const { project } = await open();
    await project.configure("staging", { vars: { REGION: "eu" }, secrets: { API_KEY: "sk-1" }, flags: { old: true } });
    await imported(project, "staging", { flags: { beta: flag() } }, true);
    expect(Object.keys((await project.config("staging")).flags).sort()).toEqual(["beta", "old"]);
    await imported(project, "staging", { flags: { beta: flag() } });
    expect(await project.config("staging")).toMatchObject({
      vars: { REGION: "eu" },
      secrets: { API_KEY: { set: true } },
      flags: { beta: flag() },
    });
    expect(Object.keys((await project.config("staging")).flags)).toEqual(["beta"]);
  });

  test("that cannot be used changes nothing", async () => {
    const { project } = await open();
    await imported(project, "staging", FILE);
    for (const file of [{ flags: { beta: forStaff } }, { flags: { beta: { state: "on" } } }, { flags: { "not a name": flag() } }]) {
      expect(["invalid_flag", "invalid_name"]).toContain((await errorOf(imported(project, "staging", file))).code);
    }
    expect(await exported(project, "staging")).toEqual(FILE);
  });

  test("of an older revision can be had too", async () => {
    const { project } = await open();
    await imported(project, "staging", FILE);
    const then = await project.revisionNumber("staging");
    await imported(project, "staging", { flags: {} });
    expect(await exported(project, "staging")).toEqual({ $schema: FILE.$schema, flags: {} });
    expect(await exported(project, "staging", then)).toEqual(FILE);
  });
});

describe("what runs the platform is told", () => {
  test("what each flag is, for a context or for none", async () => {
    const { project } = await open();
    await project.set("staging", { "requires/fresh": { kind: "flag", default: true } });
    await project.configure("staging", {
      flags: {
        beta: forStaff,
        gone: flag({}, { state: "DISABLED" }),
        open: flag({}, { defaultVariant: null }),
        text: flag({}, { variants: { off: "no" } }),
      },
      evaluators: { staff: STAFF },
    });
    const { flags, flag_values } = await project.runtime("staging");
    expect(flag_values).toEqual({ beta: false, fresh: true, text: "no" });
    expect(Object.keys(flags).sort()).toEqual(["beta", "fresh", "gone", "open", "text"]);
    const { domain, caller, id } = project;
    expect((await domain.config.runtime(caller, id, "staging", { context: { email: "a@example.com" } })).flag_values).toMatchObject({
      beta: true,
    });
  });

  test("what its rules refer to and what each flag shows, so that it can evaluate by itself", async () => {
    const { project } = await open();
    await project.set("staging", { "requires/fresh": { kind: "flag", default: true } });
    await project.configure("staging", { flags: { beta: forStaff }, evaluators: { staff: STAFF }, flag_metadata: { owner: "ann" } });
    const { domain, caller, id } = project;
    const { flags, evaluators, flag_metadata: metadata } = await domain.config.runtime(caller, id, "staging", {});
    const context = { email: "a@example.com" };
    const all = compileFlags(flags, { evaluators, metadata }).evaluateAll(context);
    expect(all).toEqual((await domain.evaluations.head(id, "staging")).set.evaluateAll(context));
    expect(all).toMatchObject([{ key: "fresh" }, { key: "beta", value: true, metadata: { owner: "ann" } }]);
  });

  test("nothing, and no secret is revealed, where the context cannot be used", async () => {
    const { project } = await open();
    await project.configure("staging", { secrets: { API_KEY: "sk-1" } });
    const { domain, caller, id } = project;
    const records = async () => (await domain.audit.verify(id, null)).records;
    const before = await records();
    expect(await errorOf(domain.config.runtime(caller, id, "staging", { context: { targetingKey: 5 } }))).toMatchObject({
      code: "invalid_context",
    });
    expect(await records()).toBe(before);
  });
});
