import { describe, expect, test } from "vitest";
import type { PromoteRequest } from "../../src/promotion.ts";
import { codeOf, documents, errorOf, headOf, openWorld, type Project, storedRevisions, vaultEntries, type World } from "./support.ts";

/** Production was made from staging; staging then changed, added and removed components of three collections. */
async function world(): Promise<World> {
  const world = await openWorld();
  const { project } = world;
  await project.create("staging", { env_variables: { REGION: "eu" } });
  await project.set(
    "staging",
    { "flows/a": { v: 1 }, "flows/gone": {}, "flows/same": {}, "pages/home": { v: 1 }, "entities/Order": { v: 1 } },
    { version: "v1.0.0" },
  );
  await project.create("production", { base: "staging", env_variables: { REGION: "us" } });
  await project.set("staging", {
    "flows/a": { v: 2 },
    "flows/b": {},
    "flows/b/sub": {},
    "pages/home": { v: 2 },
    "pages/new": {},
    "entities/Order": { v: 2 },
  });
  await project.remove("staging", "flows/gone");
  return world;
}

const CHANGED = ["entities/Order", "flows/a", "flows/b", "flows/b/sub", "flows/gone", "pages/home", "pages/new"];

/** What a promotion with this choice changes in production. */
async function chosenBy(project: Project, choice: Pick<PromoteRequest, "only" | "except">): Promise<string[]> {
  const { diff_from_previous } = await project.plan("staging", "production", choice);
  const { added, changed, removed } = diff_from_previous.components;
  return [...added.names, ...changed.names, ...removed.names].sort();
}

describe("a selection carries", () => {
  test.each<readonly [string, Pick<PromoteRequest, "only" | "except">, readonly string[]]>([
    ["one that is named", { only: ["flows/a"] }, ["flows/a"]],
    ["several that are named", { only: ["flows/a", "pages/new"] }, ["flows/a", "pages/new"]],
    ["a removal", { only: ["flows/gone"] }, ["flows/gone"]],
    ["all of a collection", { only: ["flows/*"] }, ["flows/a", "flows/b", "flows/b/sub", "flows/gone"]],
    ["all below a name", { only: ["flows/b/*"] }, ["flows/b/sub"]],
    ["all that begin alike", { only: ["flows/b*"] }, ["flows/b", "flows/b/sub"]],
    ["a name with nothing below it", { only: ["flows/b"] }, ["flows/b"]],
    ["several collections", { only: ["pages/*", "entities/*"] }, ["entities/Order", "pages/home", "pages/new"]],
    ["everything", { only: ["*"] }, CHANGED],
    ["everything but one", { except: ["flows/a"] }, CHANGED.filter((name) => name !== "flows/a")],
    ["everything but a collection", { except: ["flows/*"] }, ["entities/Order", "pages/home", "pages/new"]],
    ["all of a collection but one", { only: ["flows/*"], except: ["flows/b*"] }, ["flows/a", "flows/gone"]],
    ["nothing that is excepted, though it is named", { only: ["flows/a", "pages/new"], except: ["flows/a"] }, ["pages/new"]],
    ["the same once, though named twice", { only: ["flows/a", "flows/*", "flows/a"], except: ["flows/b*", "flows/gone"] }, ["flows/a"]],
    ["nothing of what both have alike", { only: ["flows/same"] }, []],
    ["nothing where nothing is named", { only: [] }, []],
    ["everything where nothing is excepted", { except: [] }, CHANGED],
    [
      "a star as itself, but at the end",
      { only: ["flows/*", "pages/*"], except: ["pages/home"] },
      ["flows/a", "flows/b", "flows/b/sub", "flows/gone", "pages/new"],
    ],
  ])("%s: %j", async (_what, choice, names) => {
    const { project } = await world();
    expect(await chosenBy(project, choice)).toEqual([...names].sort());
  });

  test.each<readonly [string, Pick<PromoteRequest, "only" | "except">, string]>([
    ["a name that neither side has", { only: ["flows/a", "flows/typo"] }, "flows/typo"],
    ["a collection that neither side has", { only: ["flow/*"] }, "flow/*"],
    ["a name in another case", { only: ["Flows/a"] }, "Flows/a"],
    ["a name without its collection", { only: ["a"] }, "a"],
    ["a star in the middle", { only: ["*/a"] }, "*/a"],
    ["an exception that excepts nothing", { except: ["flows/typo"] }, "flows/typo"],
    ["an empty pattern", { only: [""] }, ""],
    ["vars", { only: ["vars/*"] }, "vars/*"],
  ])("and what matches nothing is a slip of the pen, and is refused: %s", async (_what, choice, pattern) => {
    const { project, store } = await world();
    const before = await documents(store);
    for (const dry_run of [true, false]) {
      const error = await errorOf(project.promote("staging", "production", { ...choice, dry_run }));
      expect(error.code).toBe("invalid_request");
      expect(error.message).toContain(JSON.stringify(pattern));
      expect(error.fix).toContain("collection/");
    }
    expect(await documents(store)).toEqual(before);
  });

  test("a pattern may name what the target alone has: it is taken away", async () => {
    const { project } = await world();
    await project.set("production", { "pages/own": {} });
    expect(await chosenBy(project, { only: ["pages/own"] })).toEqual(["pages/own"]);
    // That is the target's own change, so that it has to be asked for.
    expect(await codeOf(project.promote("staging", "production", { only: ["pages/own"] }))).toBe("checks_failed");
    expect(await project.promote("staging", "production", { only: ["pages/own"], strategy: "replace" })).toMatchObject({
      status: "ready_for_deploy",
    });
    expect(Object.keys((await project.state("production")).pages ?? {})).toEqual(["home"]);
  });
});

describe("what a selective promotion makes", () => {
  test("is an edit of the target with a label of its own, that says where it comes from", async () => {
    const { project, store } = await world();
    const source = await headOf(store, "staging");
    const promoted = await project.promote("staging", "production", { only: ["flows/*"], message: "Flows first" });
    expect(promoted).toMatchObject({
      status: "ready_for_deploy",
      revision: 2,
      source_version: source.version,
      source_revision: source.revision,
    });
    // It takes away flows/gone, so that it is a major one; and it is numbered after the target's own label.
    expect(promoted.version).toBe("v3.0.0");
    expect(source.version).toBe("v2.0.0");
    expect((await storedRevisions(store, "production")).at(-1)).toMatchObject({
      version: "v3.0.0",
      source_version: "v2.0.0",
      source: { env: "staging", revision: source.revision, version: "v2.0.0" },
      parents: [{ env: "production", revision: 1 }],
      message: "Flows first",
    });
    expect(await project.state("production")).toEqual({
      flows: { a: { v: 2 }, b: {}, "b/sub": {}, same: {} },
      pages: { home: { v: 1 } },
      entities: { Order: { v: 1 } },
    });
  });

  test("is numbered by what it changes in the target", async () => {
    const { project } = await world();
    expect(await project.promote("staging", "production", { only: ["pages/new"] })).toMatchObject({ version: "v1.2.0" });
    expect(await project.promote("staging", "production", { only: ["flows/gone"] })).toMatchObject({ version: "v3.0.0" });
  });

  test("of all that differs is a full promotion: the source's version, and a parent", async () => {
    const { project, store } = await world();
    const promoted = await project.promote("staging", "production", { only: ["*"] });
    expect(promoted).toMatchObject({ version: "v2.0.0" });
    expect(promoted).not.toHaveProperty("source_version");
    expect((await storedRevisions(store, "production")).at(-1)?.parents).toHaveLength(2);
  });

  test("of nothing that differs is no promotion", async () => {
    const { project, store } = await world();
    const before = await documents(store);
    for (const choice of [{ only: ["flows/same"] }, { only: [] }]) {
      // What production is, and not what it might have been.
      expect(await project.promote("staging", "production", choice)).toMatchObject({
        status: "no_changes",
        revision: 1,
        version: "v1.0.0",
        source_version: "v2.0.0",
      });
    }
    expect(await documents(store)).toEqual(before);
  });

  test("adds no parent: what was left behind still comes, and the rest is no divergence", async () => {
    const { project, store } = await world();
    await project.promote("staging", "production", { only: ["flows/*"] });
    const plan = await project.plan("staging", "production");
    expect(plan).toMatchObject({ relation: "diverged", applicable: true });
    expect(plan.diff_from_previous.components).toMatchObject({
      added: { names: ["pages/new"] },
      changed: { names: ["entities/Order", "pages/home"] },
      removed: { names: [] },
    });
    expect(await project.promote("staging", "production")).toMatchObject({ status: "ready_for_deploy", version: "v2.0.0" });
    expect((await headOf(store, "production")).platform).toBe((await headOf(store, "staging")).platform);
  });

  test("in several steps comes to the same as all at once", async () => {
    const { project, store } = await world();
    for (const only of [["flows/*"], ["pages/new"], ["entities/*"], ["pages/home"]])
      await project.promote("staging", "production", { only });
    expect((await headOf(store, "production")).platform).toBe((await headOf(store, "staging")).platform);
    // The last step carries all that still differs, so that it joins the two histories.
    expect(await project.plan("staging", "production")).toMatchObject({ relation: "identical" });
  });

  test("is a change of the target's own once the source goes on, and is told as one", async () => {
    const { project } = await world();
    await project.promote("staging", "production", { only: ["flows/a"] });
    await project.set("staging", { "flows/a": { v: 3 } });
    const error = await errorOf(project.promote("staging", "production"));
    expect(error.details?.checks).toContainEqual(
      expect.objectContaining({ name: "diverged", status: "failed", details: expect.objectContaining({ lost: ["flows/a"] }) }),
    );
    // Both sides changed it since they last had one ancestor.
    expect(await codeOf(project.promote("staging", "production", { strategy: "merge" }))).toBe("merge_conflict");
    expect(await project.promote("staging", "production", { strategy: "merge", resolve: { "flows/a": "theirs" } })).toMatchObject({
      status: "ready_for_deploy",
    });
  });

  test("merges cleanly afterwards with what else both sides did", async () => {
    const { project, store } = await world();
    await project.promote("staging", "production", { only: ["flows/a"] });
    await project.set("production", { "pages/hotfix": {} });
    await project.set("staging", { "entities/Note": {} });
    const merged = await project.promote("staging", "production", { strategy: "merge" });
    expect(merged).toMatchObject({ status: "ready_for_deploy", source_version: (await headOf(store, "staging")).version });
    expect(await project.state("production")).toMatchObject({
      flows: { a: { v: 2 }, b: {} },
      pages: { hotfix: {}, new: {} },
      entities: { Note: {}, Order: { v: 2 } },
    });
    // From then on the two have a newest common ancestor again.
    await project.set("staging", { "entities/More": {} });
    expect(await project.plan("staging", "production", { strategy: "merge" })).toMatchObject({ applicable: true });
  });

  test("asks for what it carries alone: a requirement that is left behind refuses nothing", async () => {
    const { project } = await world();
    await project.set("staging", { "requires/HOST": { kind: "var" } });
    expect(await codeOf(project.promote("staging", "production"))).toBe("checks_failed");
    expect(await project.promote("staging", "production", { only: ["flows/a"] })).toMatchObject({ status: "ready_for_deploy" });
    expect(await codeOf(project.promote("staging", "production", { only: ["requires/*"] }))).toBe("checks_failed");
    expect(await project.promote("staging", "production", { only: ["requires/*"], env_variables: { HOST: "shop.example" } })).toMatchObject(
      { status: "ready_for_deploy" },
    );
  });

  test("of an older version carries what that version had", async () => {
    const { project } = await world();
    await project.create("qa");
    await project.promote("staging", "qa", { version: "v1.0.0", only: ["flows/*"] });
    expect(await project.state("qa")).toEqual({ flows: { a: { v: 1 }, gone: {}, same: {} } });
  });
});

describe("flags and vars that are named", () => {
  async function configured(): Promise<World> {
    const made = await world();
    await made.project.configure("staging", {
      flags: { beta: true, gamma: true },
      vars: { REGION: "ap", LEVEL: "3" },
      secrets: { API_KEY: "sk" },
    });
    await made.project.configure("production", { flags: { beta: false } });
    return made;
  }

  test("come as the source has them; those that are not named stay as they are", async () => {
    const { project } = await configured();
    await project.promote("staging", "production", { flags: ["beta"], vars: ["REGION"] });
    const { vars, flags, secrets } = await project.config("production");
    expect(vars).toEqual({ REGION: "ap" });
    expect(flags).toMatchObject({ beta: { state: "ENABLED", defaultVariant: "on" }, gamma: { state: "DISABLED" } });
    expect(secrets).toEqual({});
  });

  test("come with a selection too, which brings no other flag along", async () => {
    const { project } = await configured();
    const promoted = await project.promote("staging", "production", { only: ["flows/a"], flags: ["gamma"], vars: ["LEVEL"] });
    expect(promoted.diff_from_previous).toMatchObject({ flags_changed: ["gamma"], env_updated: ["LEVEL"] });
    expect((await project.config("production")).flags).toMatchObject({ beta: { defaultVariant: "off" }, gamma: { state: "ENABLED" } });
    await project.set("staging", { "flows/x": {} });
    await project.configure("staging", { flags: { delta: true } });
    await project.promote("staging", "production", { only: ["flows/x"] });
    expect((await project.config("production")).flags).not.toHaveProperty("delta");
  });

  test("come alone, where no component is chosen", async () => {
    const { project, store } = await configured();
    const { platform, version } = await headOf(store, "production");
    const promoted = await project.promote("staging", "production", { only: [], flags: ["beta"] });
    expect(promoted).toMatchObject({ status: "ready_for_deploy", diff_from_previous: { flags_changed: ["beta"] } });
    expect((await headOf(store, "production")).platform).toBe(platform);
    // A change of config is a patch, wherever it comes from.
    expect([version, promoted.version]).toEqual(["v1.0.1", "v1.0.2"]);
  });

  test("give way to the request's own variables", async () => {
    const { project } = await configured();
    await project.promote("staging", "production", { vars: ["REGION"], env_variables: { REGION: "eu-west" } });
    expect((await project.config("production")).vars).toMatchObject({ REGION: "eu-west" });
  });

  test.each<readonly [string, Partial<PromoteRequest>, string]>([
    ["a flag that the source lacks", { flags: ["nothing"] }, "key_not_found"],
    ["a var that the source lacks", { vars: ["REGION", "NOTHING"] }, "key_not_found"],
    ["a secret as a var", { vars: ["API_KEY"] }, "key_not_found"],
    ["a secret with its path", { vars: ["../secrets/API_KEY"] }, "key_not_found"],
    ["a flag with its path", { flags: ["flags/beta"] }, "key_not_found"],
    ["what every object has", { vars: ["constructor"], flags: ["__proto__"] }, "key_not_found"],
  ])("%s is refused, and nothing changes", async (_what, choice, code) => {
    const { project, store } = await configured();
    const before = await documents(store);
    const error = await errorOf(project.promote("staging", "production", choice));
    expect(error.code).toBe(code);
    expect(error.fix).toMatch(/\S/);
    expect(await documents(store)).toEqual(before);
  });

  test("a var never takes the place of a secret that the target has", async () => {
    const { project, store } = await configured();
    await project.configure("production", { secrets: { LEVEL: "hidden" } });
    const before = await documents(store);
    expect(await codeOf(project.promote("staging", "production", { vars: ["LEVEL"] }))).toBe("secret_stays_secret");
    expect(await documents(store)).toEqual(before);
    expect(await project.secrets("production")).toEqual({ LEVEL: "hidden" });
  });

  test.each<readonly [string, Partial<PromoteRequest>]>([
    ["a selection", { only: ["flows/a"] }],
    ["a merge", { strategy: "merge" }],
  ])("what the target's own platform declares as a secret, and %s leaves there, is bound as one", async (_what, choice) => {
    const { project, store } = await configured();
    await project.set("production", { "requires/LEVEL": { kind: "secret" } });
    const before = await documents(store);
    const asVar = { LEVEL: { value: "sk-live", secret: false } };
    for (const wishes of [{ vars: ["LEVEL"] }, { env_variables: asVar }]) {
      expect(await codeOf(project.promote("staging", "production", { ...choice, ...wishes }))).toBe("secret_stays_secret");
    }
    expect(await documents(store)).toEqual(before);
    expect(await project.promote("staging", "production", { ...choice, env_variables: { LEVEL: "sk-live" } })).toMatchObject({
      status: "ready_for_deploy",
    });
    expect(await project.secrets("production")).toEqual({ LEVEL: "sk-live" });
  });

  test("secrets never travel, whatever is chosen", async () => {
    const { project, store } = await configured();
    await project.promote("staging", "production", { only: ["flows/*"], flags: ["beta"], vars: ["REGION", "LEVEL"] });
    expect((await project.config("production")).secrets).toEqual({});
    expect((await vaultEntries(store)).filter((path) => path.startsWith("production/"))).toEqual([]);
  });

  test("are part of the plan's id", async () => {
    const { project } = await configured();
    const ids = new Set<string>();
    const choices: Partial<PromoteRequest>[] = [
      {},
      { only: ["flows/a"] },
      { only: ["flows/b"] },
      { except: ["flows/a"] },
      { flags: ["beta"] },
      { vars: ["REGION"] },
    ];
    for (const choice of choices) ids.add((await project.plan("staging", "production", choice)).plan_id);
    expect(ids.size).toBe(choices.length);
    const { plan_id } = await project.plan("staging", "production", { only: ["flows/a"] });
    expect(await codeOf(project.promote("staging", "production", { plan_id }))).toBe("plan_stale");
    expect(await project.promote("staging", "production", { plan_id, only: ["flows/a"] })).toMatchObject({ status: "ready_for_deploy" });
  });
});

describe("a selection warns of", () => {
  async function warningsOf(change: Record<string, unknown>, choice: Pick<PromoteRequest, "only" | "except">): Promise<readonly string[]> {
    const { project } = await world();
    await project.set("staging", change as never);
    return (await project.plan("staging", "production", choice)).warnings ?? [];
  }

  test("a component that names another one which stays behind, by its full name or by its own", async () => {
    const named = { "flows/c": { steps: [{ run: "flows/b" }, { show: "new" }, { note: "nothing like it" }] } };
    expect(await warningsOf(named, { only: ["flows/c"] })).toEqual([
      "flows/c names flows/b, which the target does not have.",
      "flows/c names pages/new, which the target does not have.",
    ]);
    expect(await warningsOf(named, { only: ["flows/*"] })).toEqual(["flows/c names pages/new, which the target does not have."]);
    expect(await warningsOf(named, { except: ["entities/*"] })).toEqual([]);
  });

  test("nothing where the target has what is named, though in another form", async () => {
    expect(await warningsOf({ "flows/c": { page: "pages/home", entity: "Order", flow: "flows/same" } }, { only: ["flows/c"] })).toEqual([]);
  });

  test("nothing for the names of members, and of what is no component", async () => {
    expect(await warningsOf({ "flows/c": { "flows/b": true, new: 1, text: "flows/nowhere" } }, { only: ["flows/c"] })).toEqual([]);
  });

  test("nothing for itself, nor for what is taken away", async () => {
    expect(await warningsOf({ "flows/c": { self: "flows/c" } }, { only: ["flows/c", "flows/gone"] })).toEqual([]);
  });

  test("a requirement that comes along and that the target does not bind", async () => {
    const required = {
      "requires/HOST": { kind: "var" },
      "requires/API_KEY": { kind: "secret" },
      "requires/beta": { kind: "flag" },
      "requires/REGION": { kind: "var" },
      "requires/MODE": { kind: "var", default: "fast" },
    };
    expect([...(await warningsOf(required, { only: ["requires/*"] }))].sort()).toEqual([
      "requires/API_KEY declares a secret that the target does not bind.",
      "requires/HOST declares a var that the target does not bind.",
      "requires/beta declares a flag that the target does not bind.",
    ]);
    expect(await warningsOf(required, { only: ["flows/a"] })).toEqual([]);
  });

  test("no more than fifty", async () => {
    const many = Object.fromEntries(Array.from({ length: 120 }, (_, index) => [`flows/n${index}`, { next: "pages/new" }]));
    expect(await warningsOf(many, { only: ["flows/n*"] })).toHaveLength(50);
  });

  test("nothing where everything comes", async () => {
    const { project } = await world();
    const plan = await project.plan("staging", "production");
    expect(plan).not.toHaveProperty("warnings");
  });
});

test("a selection does not go with a merge, and `resolve` not without one", async () => {
  const { project, store } = await world();
  const before = await documents(store);
  for (const wishes of [
    { only: ["flows/a"], strategy: "merge" },
    { except: ["flows/a"], strategy: "merge" },
    { resolve: { "flows/a": "ours" } },
    { resolve: {}, strategy: "replace" },
  ] as const) {
    const error = await errorOf(project.promote("staging", "production", wishes));
    expect(error.code).toBe("invalid_request");
    expect(error.fix).toMatch(/\S/);
  }
  expect(await documents(store)).toEqual(before);
});
