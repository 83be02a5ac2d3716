import { beforeAll, describe, expect, test } from "vitest";
import { type Members, type Method, useEngine } from "../support/engine.ts";
import { type CheckReply, type ErrorReply, expectError, type Mark, Project } from "../support/project.ts";

/** Bad requests of governed releases: each has a clear error, and changes nothing. What needs several people is in tests/http. */
const engine = useEngine();
let project: Project;
/** A promotion into `guarded` that waits, and one that lost its ground. */
let waiting = "";
let voided = "";

beforeAll(async () => {
  project = new Project(engine, "strict");
  await project.create("development", { env_variables: { REGION: "eu", API_KEY: "one" } });
  await project.putState("development", { flows: { a: { v: 1 }, b: { v: 1 } } });
  await project.create("staging", { base_from: "development" });
  await project.create("guarded", { base_from: "development" });
  await project.create("forked", { base_from: "development" });
  await project.create("stranger");
  await project.create("pr-1", { type: "preview", base_from: "development", expires_in: "1h" });
  await project.create("pr-2", { type: "preview", base_from: "development", expires_in: "1s" });
  await project.patchState("development", { set: { "flows/a": { v: 2 } } });
  await project.patchState("forked", { set: { "flows/a": { v: 3 } } });
  await project.patchState("stranger", { set: { "flows/x": { v: 1 } } });
  await project.putPolicy({
    environments: {
      guarded: { approvals: 1, protected: true },
      staging: { soak: "30d", forceable: ["soak_time"] },
      "type:preview": { max_ttl: "30d" },
    },
  });
  voided = String((await project.tryPromote<Members>("development", "guarded")).body.promotion_id);
  await project.patchConfig("development", { vars: { REGION: "us" } });
  waiting = String((await project.tryPromote<Members>("development", "guarded")).body.promotion_id);
  // An expired one answers so from its moment on, whether or not anything has swept it.
  while ((await engine.get(project.path("pr-2", "active"))).status === 200) await new Promise(setImmediate);
});

const ENVIRONMENTS = ["development", "staging", "guarded", "forked", "stranger", "pr-1"];

interface State {
  readonly mark: Mark;
  readonly policy: unknown;
  readonly promotions: unknown;
  readonly expiry: unknown;
}

async function state(): Promise<State> {
  const mark = await project.mark(...ENVIRONMENTS);
  const policy = await project.read<unknown>(project.path("policy"));
  const promotions = await project.read<unknown>(project.path("promotions"));
  const { expires_at: expiry } = await project.read<Members>(project.path("pr-1"));
  return { mark, policy, promotions, expiry };
}

interface Bad {
  readonly method: Method;
  readonly path: string;
  readonly body: Members;
}

async function refused({ method, path, body }: Bad, status: number, code: string): Promise<ErrorReply> {
  // The sweep of the expired preview is the engine's own doing.
  await swept;
  const before = await state();
  const sent = method === "POST" ? { project_id: project.id, ...body } : body;
  const reply = await engine.request(method, path.replaceAll(":p", project.id), sent);
  const error = expectError(reply, status, code);
  expect(await state()).toEqual(before);
  return error;
}

let swept: Promise<void>;
beforeAll(() => {
  swept = (async () => {
    while ((await project.read<Members>(project.path("pr-2"))).revision !== 2) await new Promise((resolve) => setTimeout(resolve, 50));
  })();
});

const promote = (source_env: string, target_env: string, more: Members = {}): Bad => ({
  method: "POST",
  path: "/env/promote",
  body: { source_env, target_env, ...more },
});
const policy = (body: Members): Bad => ({ method: "PUT", path: "/env/:p/policy", body });
const rules = (more: Members): Bad => policy({ environments: { staging: more } });
const extend = (env: string, more: Members): Bad => ({ method: "POST", path: "/env/extend", body: { env, ...more } });
const preview = (more: Members): Bad => ({
  method: "POST",
  path: "/env/create",
  body: { new_environment: "pr-9", type: "preview", ...more },
});
const decide =
  (id: () => string, decision: string, more: Members = {}) =>
  (): Bad => ({
    method: "POST",
    path: `/env/promotions/${id()}/${decision}`,
    body: more,
  });

describe("approvals", () => {
  test.each<readonly [string, () => Bad, number, string]>([
    ["of one's own request", decide(() => waiting, "approve"), 403, "self_approval"],
    ["of one's own request, with a comment", decide(() => waiting, "approve", { comment: "It is fine." }), 403, "self_approval"],
    ["of one's own request, by force", decide(() => waiting, "approve", { force: true }), 400, "invalid_request"],
    ["in somebody else's name", decide(() => waiting, "approve", { by: "cleo" }), 400, "invalid_request"],
    ["of what there is not", decide(() => "0mi5k2v1x9f2c1e7ab3", "approve"), 404, "promotion_not_found"],
    ["of what can be no promotion", decide(() => "__proto__", "approve"), 404, "promotion_not_found"],
    ["in a project that there is not", decide(() => waiting, "approve", { project_id: "nobody" }), 404, "project_not_found"],
    ["that decide neither way", decide(() => waiting, "postpone"), 404, "route_not_found"],
  ])("%s", async (_what, bad, status, code) => {
    await refused(bad(), status, code);
  });

  test("of what lost its ground: it says so", async () => {
    const page = await project.read<{ readonly items: readonly Members[] }>(project.path("promotions"));
    expect(page.items.map(({ id, status }) => [id, status])).toEqual([
      [waiting, "pending"],
      [voided, "voided"],
    ]);
    const { code, reason } = await refused(decide(() => voided, "approve")(), 403, "self_approval");
    expect([code, reason]).toEqual(["self_approval", expect.stringMatching(/\S/)]);
  });

  test("cannot be listed by a status that there is not, or in a project that there is not", async () => {
    expectError(await engine.get(`${project.path("promotions")}?status=stuck`), 400, "invalid_request");
    expectError(await engine.get("/env/nobody/promotions"), 404, "project_not_found");
  });
});

describe("a policy", () => {
  const window = { kind: "deny", cron: "0 18 * * 5", duration: "62h" };
  const at = (path: string) => `/environments/staging${path}`;
  test.each<readonly [string, Bad, readonly string[]]>([
    ["with a window that never opens", rules({ freeze: [{ ...window, cron: "0 0 * * *", duration: "24h" }] }), [at("/freeze")]],
    [
      "with an allowed window that never comes",
      rules({ freeze: [{ ...window, kind: "allow", cron: "0 0 31 6 *" }] }),
      [at("/freeze/0/cron")],
    ],
    ["with nonsense for a cron", rules({ freeze: [{ ...window, cron: "every friday" }] }), [at("/freeze/0/cron")]],
    ["with a cron of seconds", rules({ freeze: [{ ...window, cron: "0 0 18 * * 5" }] }), [at("/freeze/0/cron")]],
    ["with a cron beyond the clock", rules({ freeze: [{ ...window, cron: "75 25 * * *" }] }), [at("/freeze/0/cron")]],
    ["with a time zone of nowhere", rules({ freeze: [{ ...window, timezone: "Europe/Nowhere" }] }), [at("/freeze/0/timezone")]],
    ["with a window of no length", rules({ freeze: [{ ...window, duration: "0h" }] }), [at("/freeze/0/duration")]],
    ["with a window of millions of years", rules({ freeze: [{ ...window, duration: "999999w".repeat(30) }] }), [at("/freeze/0/duration")]],
    ["with a pipeline that goes round", policy({ pipeline: ["development", "staging", "development"] }), ["/pipeline/2"]],
    ["with a pipeline to nowhere", policy({ pipeline: ["development", "stagin", "live"] }), ["/pipeline/1", "/pipeline/2"]],
    ["with a pipeline of no names", policy({ pipeline: [1, null] }), ["/pipeline/0", "/pipeline/1"]],
    ["with more approvals than people", rules({ approvals: { count: 3, by: ["cleo", "dan"] } }), [at("/approvals/by")]],
    ["with approvals that expire never", rules({ approvals: { count: 1, expires_in: "999999w999999w" } }), [at("/approvals/expires_in")]],
    ["with a rule that there is not", rules({ aprovals: 1 }), [at("/aprovals")]],
    ["with a hold that may be forced", rules({ forceable: ["hold", "diverged"] }), [at("/forceable")]],
    ["with a type that there is not", policy({ environments: { "type:prod": {} } }), ["/environments/type:prod"]],
    ["with a preset that there is not", policy({ preset: "paranoid" }), ["/preset"]],
    ["with a preset and more", policy({ preset: "team", environments: {} }), ["/environments"]],
    [
      "with several faults: all at once",
      policy({ rules: 1, pipeline: "x", environments: { A: {} } }),
      ["/rules", "/pipeline", "/environments/A"],
    ],
  ])("%s", async (_what, bad, paths) => {
    const { details, reason } = await refused(bad, 400, "invalid_policy");
    const faults = details?.faults as readonly { readonly path: string; readonly message: string }[];
    expect(faults.map(({ path }) => path)).toEqual(paths);
    for (const { message } of faults) expect(reason).toContain(message);
  });

  test("read before somebody else wrote it is not written over", async () => {
    const before = await state();
    const reply = await engine.request("PUT", project.path("policy"), {}, { "if-match": '"policy-0"' });
    expectError(reply, 412, "precondition_failed");
    expect(await state()).toEqual(before);
  });
});

describe("an expiry", () => {
  const moments: readonly (readonly [string, Members])[] = [
    ["in the past, as a duration", { expires_in: "-1h" }],
    ["of nothing", { expires_in: "0" }],
    ["of nothing, in hours", { expires_in: "0h" }],
    ["of years that there is no unit for", { expires_in: "9999y" }],
    ["at some time", { expires_in: "soon" }],
    ["of nothing said", { expires_in: "" }],
    ["in hours and a half", { expires_in: "1.5h" }],
    ["as a number", { expires_in: 72 }],
    ["of a hundred thousand weeks", { expires_in: "100000w" }],
    ["longer than the policy allows", { expires_in: "31d" }],
    ["as a moment in the past", { expires_at: "2020-01-01T00:00:00Z" }],
    ["as a moment in the far future", { expires_at: "9999-12-31T23:59:59Z" }],
    ["as a day that there is not", { expires_at: "2030-13-45T00:00:00Z" }],
    ["as a day without a time", { expires_at: "2030-01-31" }],
    ["as a moment and something more", { expires_at: "2030-01-31T12:00:00Z (or so)" }],
    ["in words", { expires_at: "tomorrow" }],
    ["as a null", { expires_at: null }],
    ["said twice", { expires_in: "1h", expires_at: "2030-01-31T12:00:00Z" }],
  ];
  test.each(moments)("%s is none for a new preview: %j", async (_what, expiry) => {
    await refused(preview(expiry), 400, "invalid_request");
    expectError(await engine.get(project.path("pr-9")), 404, "environment_not_found");
  });
  test.each(moments)("%s is none for one that exists: %j", async (_what, expiry) => {
    await refused(extend("pr-1", expiry), 400, "invalid_request");
    await refused({ ...preview(expiry), body: { new_environment: "pr-1", type: "preview", ...expiry } }, 400, "invalid_request");
  });

  test.each<readonly [string, Bad, number, string]>([
    ["is not moved without saying to when", extend("pr-1", {}), 400, "invalid_request"],
    ["is not for what is no preview", extend("staging", { expires_in: "1h" }), 400, "invalid_request"],
    ["is not for a new environment of another type", preview({ type: "staging", expires_in: "1h" }), 400, "invalid_request"],
    ["is not for what there is not", extend("pr-8", { expires_in: "1h" }), 404, "environment_not_found"],
    ["has come: it cannot be moved any more", extend("pr-2", { expires_in: "1h" }), 410, "environment_expired"],
    [
      "has come: it cannot be moved by naming a moment either",
      extend("pr-2", { expires_at: "2030-01-31T12:00:00Z" }),
      410,
      "environment_expired",
    ],
    [
      "has not come: there is nothing to restore",
      { method: "POST", path: "/env/restore", body: { env: "pr-1" } },
      409,
      "invalid_transition",
    ],
    ["has a reason that is no book", extend("pr-1", { expires_in: "1h", reason: "x".repeat(2_001) }), 400, "invalid_request"],
    ["has a reference that is none either", preview({ expires_in: "1h", source_ref: "x".repeat(501) }), 400, "invalid_request"],
  ])("%s", async (_what, bad, status, code) => {
    await refused(bad, status, code);
  });

  test.each<readonly [string, Bad]>([
    ["promoted from", promote("pr-2", "staging")],
    ["promoted into", promote("development", "pr-2")],
    ["configured", { method: "PATCH", path: "/env/:p/pr-2/config", body: { vars: { A: "1" } } }],
    ["edited", { method: "PATCH", path: "/env/:p/pr-2/state", body: { set: { "flows/z": {} } } }],
    ["held", { method: "POST", path: "/env/hold", body: { env: "pr-2" } }],
    ["archived", { method: "POST", path: "/env/archive", body: { env: "pr-2" } }],
    ["rolled back", { method: "POST", path: "/env/rollback", body: { env: "pr-2", to: 1 } }],
    ["a base", { method: "POST", path: "/env/create", body: { new_environment: "copy", base_from: "pr-2" } }],
  ])("that has come: the preview cannot be %s", async (_what, bad) => {
    await refused(bad, 410, "environment_expired");
  });
});

describe("a merge", () => {
  test.each<readonly [string, Bad, number, string]>([
    ["of unrelated histories", promote("stranger", "forked", { strategy: "merge" }), 409, "unrelated_histories"],
    ["of what both changed", promote("development", "forked", { strategy: "merge" }), 409, "merge_conflict"],
    [
      "with a resolution of another component",
      promote("development", "forked", { strategy: "merge", resolve: { "flows/b": "ours" } }),
      400,
      "invalid_request",
    ],
    [
      "with a resolution where nothing is merged",
      promote("development", "forked", { resolve: { "flows/a": "ours" } }),
      400,
      "invalid_request",
    ],
    [
      "with a resolution where it is replaced",
      promote("development", "forked", { strategy: "replace", resolve: { "flows/a": "ours" } }),
      400,
      "invalid_request",
    ],
    [
      "with a resolution that is a word",
      promote("development", "forked", { strategy: "merge", resolve: { "flows/a": "mine" } }),
      400,
      "invalid_request",
    ],
    ["with resolutions in a list", promote("development", "forked", { strategy: "merge", resolve: ["flows/a"] }), 400, "invalid_request"],
    ["of a selection", promote("development", "forked", { strategy: "merge", only: ["flows/a"] }), 400, "invalid_request"],
    ["by another way", promote("development", "forked", { strategy: "rebase" }), 400, "invalid_request"],
  ])("%s", async (_what, bad, status, code) => {
    await refused(bad, status, code);
  });

  test("of what both changed tells of each conflict, with base, ours and theirs, and how to settle it", async () => {
    const { details, fix_suggestion } = await refused(promote("development", "forked", { strategy: "merge" }), 409, "merge_conflict");
    expect(details?.conflicts).toMatchObject([{ component: "flows/a", base: { v: 1 }, ours: { v: 3 }, theirs: { v: 2 } }]);
    expect(fix_suggestion).toContain("resolve");
  });

  test("that is not asked for loses nothing: the target's own changes are named", async () => {
    const { details } = await refused(promote("stranger", "forked"), 409, "checks_failed");
    const checks = (details?.checks ?? []) as readonly (CheckReply & { readonly details?: Members })[];
    expect(checks.find(({ name }) => name === "diverged")).toMatchObject({ status: "failed", details: { lost: ["flows/a", "flows/b"] } });
  });
});

describe("a selection", () => {
  test.each<readonly [string, Members, number, string]>([
    ["of what matches nothing", { only: ["flows/typo"] }, 400, "invalid_request"],
    ["of a pattern that matches nothing", { only: ["flow/*"] }, 400, "invalid_request"],
    ["of something and of what matches nothing", { only: ["flows/a", "pages/*"] }, 400, "invalid_request"],
    ["of all but what matches nothing", { except: ["flows/typo"] }, 400, "invalid_request"],
    ["of an empty name", { only: [""] }, 400, "invalid_request"],
    ["of a name that is no text", { only: [{}] }, 400, "invalid_request"],
    ["that is no list", { only: "flows/a" }, 400, "invalid_request"],
    ["of a flag that there is not", { flags: ["beta"] }, 404, "key_not_found"],
    ["of a var that there is not", { vars: ["NOTHING"] }, 404, "key_not_found"],
    ["of a secret as a var", { vars: ["API_KEY"] }, 409, "secret_stays_secret"],
    ["of more names than a list may hold", { only: Array.from({ length: 10_001 }, (_, index) => `f/${index}`) }, 400, "invalid_request"],
  ])("%s", async (_what, wishes, status, code) => {
    await refused(promote("development", "forked", wishes), status, code);
  });
});

describe("force", () => {
  test.each<readonly [string, Members, number, string]>([
    ["without a reason", { force: {} }, 400, "invalid_request"],
    ["with an empty reason", { force: { reason: "" } }, 400, "invalid_request"],
    ["with a blank reason", { force: { reason: " \t\n" } }, 400, "invalid_request"],
    ["as a mere true", { force: true }, 400, "invalid_request"],
    ["as a false", { force: false }, 400, "invalid_request"],
    ["as a reason alone", { force: "Hotfix" }, 400, "invalid_request"],
    ["with a reason that is a book", { force: { reason: "x".repeat(2_001) } }, 400, "invalid_request"],
    ["of a check that there is not", { force: { reason: "Hotfix", checks: ["luck"] } }, 400, "invalid_request"],
    ["of another check than failed", { force: { reason: "Hotfix", checks: ["freeze_window"] } }, 409, "checks_failed"],
    ["of none", { force: { reason: "Hotfix", checks: [] } }, 409, "checks_failed"],
  ])("%s", async (_what, wishes, status, code) => {
    await refused(promote("development", "staging", wishes), status, code);
  });

  test("of a check that the policy does not let anybody skip", async () => {
    const { details } = await refused(promote("development", "forked", { force: { reason: "Hotfix" } }), 409, "checks_failed");
    const failed = ((details?.checks ?? []) as readonly CheckReply[]).filter(({ status }) => status === "failed");
    expect(failed.map(({ name }) => name)).toEqual(["diverged"]);
  });
});

describe("readiness", () => {
  test.each<readonly [string, string, number, string]>([
    ["without a source", "", 400, "invalid_request"],
    ["of itself", "?source=staging", 400, "same_environment"],
    ["from what there is not", "?source=nowhere", 404, "environment_not_found"],
    ["from what can be none", "?source=../x", 400, "invalid_name"],
    ["of a version that there is not", "?source=development&version=v9.9.9", 404, "version_not_found"],
    ["in another way", "?source=development&strategy=rebase", 400, "invalid_request"],
    ["by force", "?source=development&force=1", 400, "invalid_request"],
  ])("%s", async (_what, query, status, code) => {
    expectError(await engine.get(project.path("staging", "readiness") + query), status, code);
  });
});

test("a protected environment is not edited past its policy", async () => {
  await refused({ method: "PATCH", path: "/env/:p/guarded/state", body: { set: { "flows/z": {} } } }, 409, "environment_protected");
  await refused({ method: "PUT", path: "/env/:p/guarded/state", body: { state: {} } }, 409, "environment_protected");
});
