import { beforeAll, describe, expect, test } from "vitest";
import { type Method, useEngine } from "../support/engine.ts";
import { expectError, type Mark, Project } from "../support/project.ts";

/** Each bad request: a clear error, and nothing changed. */
const engine = useEngine();
let project: Project;

beforeAll(async () => {
  project = new Project(engine, "bad");
  await project.create("development", { env_variables: { REGION: "eu", API_KEY: "one" } });
  await project.putState("development", { entities: { Order: {} } });
  await project.create("staging", { base_from: "development" });
  await project.patchState("development", { set: { "entities/Note": {} } });
});

const mark = (): Promise<Mark> => project.mark("development", "staging");

interface Bad {
  readonly method: Method;
  /** `:p` stands for the project. */
  readonly path: string;
  /** An object gets `project_id` where the route takes it from the body; text is sent as it is. */
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

function send({ method, path, body, headers = {} }: Bad) {
  const named = typeof body === "object" && body !== null && !Array.isArray(body) && method === "POST";
  const sent = named ? { project_id: project.id, ...body } : typeof body === "string" ? body.replaceAll(":p", project.id) : body;
  return engine.request(method, path.replaceAll(":p", project.id), sent, headers);
}

async function refused(bad: Bad, status: number, code: string): Promise<void> {
  const before = await mark();
  expectError(await send(bad), status, code);
  expect(await mark()).toEqual(before);
}

const create = (body: unknown): Bad => ({ method: "POST", path: "/env/create", body });
const promote = (body: unknown): Bad => ({ method: "POST", path: "/env/promote", body });
const rollback = (body: unknown): Bad => ({ method: "POST", path: "/env/rollback", body });
const config = (body: unknown): Bad => ({ method: "PATCH", path: "/env/:p/development/config", body });
const patchState = (body: unknown): Bad => ({ method: "PATCH", path: "/env/:p/development/state", body });
const putState = (body: unknown): Bad => ({ method: "PUT", path: "/env/:p/development/state", body });
const get = (path: string): Bad => ({ method: "GET", path });

describe("what does not exist", () => {
  test.each<readonly [string, Bad, string]>([
    ["project, read", get("/env/nobody/development/active"), "project_not_found"],
    ["project, listed", get("/env/nobody"), "project_not_found"],
    ["project, written", { method: "PUT", path: "/env/nobody/development/state", body: { state: {} } }, "project_not_found"],
    ["project, configured", { method: "PATCH", path: "/env/nobody/development/config", body: { vars: {} } }, "project_not_found"],
    ["project, promoted", promote({ project_id: "nobody", source_env: "development", target_env: "staging" }), "project_not_found"],
    ["project, rolled back", rollback({ project_id: "nobody", env: "development", to: 1 }), "project_not_found"],
    ["project, compared", get("/env/compare?project_id=nobody&left=development&right=staging"), "project_not_found"],
    ["project, verified", get("/env/nobody/audit/verify"), "project_not_found"],
    ["environment, read", get("/env/:p/nowhere/state"), "environment_not_found"],
    ["environment, shown", get("/env/:p/nowhere"), "environment_not_found"],
    ["environment, configured", { method: "PATCH", path: "/env/:p/nowhere/config", body: { vars: { A: "1" } } }, "environment_not_found"],
    ["environment, its history", get("/env/:p/nowhere/revisions"), "environment_not_found"],
    ["source", promote({ source_env: "nowhere", target_env: "staging" }), "environment_not_found"],
    ["target", promote({ source_env: "development", target_env: "nowhere" }), "environment_not_found"],
    ["environment, rolled back", rollback({ env: "nowhere", to: 1 }), "environment_not_found"],
    [
      "environment, reported",
      { method: "POST", path: "/env/deployments", body: { env: "nowhere", version: "v0.1.0", status: "deployed" } },
      "environment_not_found",
    ],
    ["base", create({ new_environment: "preview", base_from: "nowhere" }), "base_not_found"],
    ["version, promoted", promote({ source_env: "development", target_env: "staging", version: "v9.9.9" }), "version_not_found"],
    ["version, shown", get("/env/:p/versions/v9.9.9"), "version_not_found"],
    ["version, rolled back to", rollback({ env: "staging", to: "v9.9" }), "version_not_found"],
    ["version that this environment never ran", rollback({ env: "staging", to: "v0.3.0" }), "version_not_found"],
    ["revision", get("/env/:p/development/revisions/99"), "revision_not_found"],
    ["revision, read at", get("/env/:p/development/state?at=99"), "revision_not_found"],
    ["component", get("/env/:p/development/state/entities/Nothing"), "component_not_found"],
    ["component, removed", patchState({ remove: ["entities/Nothing"] }), "component_not_found"],
    ["secret, revealed", { method: "POST", path: "/env/:p/development/secrets/reveal", body: '{"names":["NOTHING"]}' }, "key_not_found"],
    ["route", get("/no/such/route/at/all"), "route_not_found"],
  ])("%s", (_what, bad, code) => refused(bad, 404, code));
});

const LONG = "a".repeat(10_000);

describe("names", () => {
  const NEVER = ["", "..", "a/b", "../etc", "a\u0000b", "__proto__", "constructor", LONG, "rocket-🚀", " staging", "a b", "-a", "é"];

  test.each([...NEVER, "Staging", "create", "compare", "a.b", "a".repeat(64)])("no environment is named %j", (new_environment) =>
    refused(create({ new_environment }), 400, "invalid_name"),
  );
  test.each([...NEVER, "create", "promote", "compare", "a.b", "a".repeat(65)])("no project is named %j", (project_id) =>
    refused(create({ project_id, new_environment: "development" }), 400, "invalid_name"),
  );
  test.each(["", "..", "a/b", "a\u0000b", "constructor", LONG, "🚀", "a b", "1A"])("no var, secret or flag is named %j", async (name) => {
    for (const kind of ["vars", "secrets", "flags"]) {
      const value = kind === "flags" ? "true" : '"x"';
      await refused(config(`{"${kind}":{${JSON.stringify(name)}:${value}}}`), 400, "invalid_name");
    }
    await refused(
      create(`{"project_id":":p","new_environment":"named","env_variables":{${JSON.stringify(name)}:"x"}}`),
      400,
      "invalid_name",
    );
  });
  test.each([
    "flows",
    "/x",
    "flows/",
    "flows//x",
    "flows/..",
    "flows/../x",
    "../flows/x",
    "flows/a\u0000b",
    "flows/__proto__",
    "__proto__/x",
    "constructor/x",
    "flows/constructor",
    "🚀/x",
    `flows/${LONG}`,
    `${LONG}/x`,
  ])("no component is named %j", (name) => refused(patchState(`{"set":{${JSON.stringify(name)}:{}}}`), 400, "invalid_name"));

  test.each(["vars/REGION", "secrets/API_KEY", "flags/beta", "evaluators/staff", "flag_metadata/team"])(
    "no component is named %j, which is config: it would travel",
    async (name) => {
      await refused(patchState({ set: { [name]: "value" } }), 400, "invalid_name");
      const [collection = "", member = ""] = name.split("/");
      await refused(putState({ state: { [collection]: { [member]: "value" } } }), 400, "invalid_name");
    },
  );
  test.each<readonly [string, Bad]>([
    ["a collection", putState('{"state":{"__proto__":{"x":1}}}')],
    ["a component", putState('{"state":{"flows":{"__proto__":1}}}')],
    ["a member of a patch", patchState('{"set":{"__proto__":{}}}')],
    ["a var", config('{"vars":{"__proto__":"x"}}')],
    ["a secret", config('{"secrets":{"__proto__":"x"}}')],
    ["a flag", config('{"flags":{"__proto__":true}}')],
    ["a variable", create('{"project_id":":p","new_environment":"named","env_variables":{"__proto__":"x"}}')],
    ["a member that no route has", config('{"__proto__":{"vars":{"REGION":"us"}}}')],
  ])("__proto__ as %s is refused", async (_what, bad) => {
    const before = await mark();
    const reply = await send(bad);
    const { code } = reply.body as { readonly code?: unknown };
    // Refused as a name or as a shape: either says so.
    expect(["invalid_name", "invalid_request"]).toContain(code);
    expectError(reply, 400, String(code));
    expect(await mark()).toEqual(before);
  });

  test.each([
    "/env/%2e%2e/development/active",
    "/env/../development/active",
    "/env/:p/%00/active",
    "/env/:p/__proto__/active",
    `/env/:p/${LONG}/active`,
  ])("in a path, %s is refused", async (path) => {
    const before = await mark();
    const reply = await send(get(path));
    expect([400, 404, 414, 431]).toContain(reply.status);
    if (reply.status < 414) expectError(reply, reply.status, String((reply.body as { readonly code?: unknown }).code));
    expect(await mark()).toEqual(before);
  });
  test("in a path, a broken percent-encoding is refused", () => refused(get("/env/:p/development/state/%E0%A4%A"), 400, "invalid_request"));

  test("nothing of the above touched a prototype", async () => {
    const state = await project.state("development");
    expect(Object.keys(state)).toEqual(["entities"]);
    expect((await engine.get("/healthz")).status).toBe(200);
  });
});

describe("bodies", () => {
  test.each<readonly [string, Bad]>([
    ["cut off", create('{"project_id":":p","new_environment":')],
    ["no JSON at all", create("new_environment=staging")],
    ["with a comment", config('{"vars":{} /* none */}')],
    ["with a trailing comma", config('{"vars":{},}')],
    ["with NaN", patchState('{"set":{"pages/x":NaN}}')],
    ["empty", create("")],
    ["not UTF-8", { ...config("{}"), body: Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]) }],
  ])("%s: invalid_json", (_what, bad) => refused(bad, 400, "invalid_json"));

  test.each<readonly [string, Bad]>([
    ["a list", create("[]")],
    ["null", create("null")],
    ["a string", config('"vars"')],
    ["a number", putState("1")],
    ["no fields", create("{}")],
    ["no target", promote({ source_env: "development" })],
    ["no `to`", rollback({ env: "development" })],
    ["`to` of the wrong type", rollback({ env: "development", to: { version: "v0.1.0" } })],
    ["a name that is a number", create({ new_environment: 7 })],
    ["a name that is a list", create({ new_environment: ["staging"] })],
    ["env_variables that are a list", create({ new_environment: "listed", env_variables: ["A=1"] })],
    ["a var that is a number", config({ vars: { REGION: 1 } })],
    ["a var that is null", config({ vars: { REGION: null } })],
    ["a var that is an object", config({ vars: { REGION: { value: "eu" } } })],
    ["a variable that is a number", create({ new_environment: "numbered", env_variables: { A: 1 } })],
    ["a variable without a value", create({ new_environment: "valueless", env_variables: { A: { secret: true } } })],
    ["a secret that is a number", config({ secrets: { API_KEY: 1 } })],
    ["a secret that is empty", config({ secrets: { API_KEY: "" } })],
    ["unset of no kind", config({ unset: ["REGION"] })],
    ["state that is a list", putState({ state: [] })],
    ["a collection that is a list", putState({ state: { entities: [] } })],
    ["no state", putState({})],
    ["removal that is no list", patchState({ remove: "entities/Order" })],
    ["an unknown type", create({ new_environment: "typed", type: "moon" })],
    ["an unknown strategy", promote({ source_env: "development", target_env: "staging", strategy: "guess" })],
    [
      "a deployment of no known status",
      { method: "POST", path: "/env/deployments", body: { env: "staging", version: "v0.2.0", status: "perhaps" } },
    ],
    ["a message beyond its bound", config({ vars: { REGION: "us" }, message: "m".repeat(2_001) })],
    ["a revision that is none", get("/env/:p/development/state?at=soon")],
    ["no sides to compare", get("/env/compare?project_id=:p")],
  ])("%s: invalid_request", (_what, bad) => refused(bad, 400, "invalid_request"));

  test.each([
    ["a number that is none in any language", '{"set":{"pages/x":1e999}}'],
    ["a number that does not survive a round trip", '{"set":{"pages/x":12345678901234567890}}'],
    ["half a surrogate pair in a value", '{"set":{"pages/x":"\\ud800"}}'],
    ["half a surrogate pair in a member's name", '{"set":{"pages/x":{"\\udfff":1}}}'],
    ["the same member twice", '{"set":{"pages/x":1,"pages/x":2}}'],
    ["the same member twice, deep inside", '{"set":{"pages/x":{"a":{"b":1,"b":2}}}}'],
    ["the same member twice, once escaped", '{"set":{"pages/x":{"a":1,"\\u0061":2}}}'],
  ])("%s is refused, not guessed at", (_what, body) => refused(patchState(body), 400, "invalid_json"));

  test.each<readonly [string, unknown]>([
    ["without variants", { state: "ENABLED", defaultVariant: "on" }],
    ["with no variant in it", { state: "ENABLED", variants: {} }],
    ["with a default that is no variant", { state: "ENABLED", variants: { on: true }, defaultVariant: "off" }],
    ["without a state", { variants: { on: true, off: false }, defaultVariant: "on" }],
    ["with variants of two types", { state: "ENABLED", variants: { on: true, off: "no" }, defaultVariant: "on" }],
    ["that is a string", "on"],
    ["that is null", null],
  ])("a flag %s: invalid_flag", (_what, flag) => refused(config({ flags: { beta: flag } }), 400, "invalid_flag"));

  test.each(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp"])(
    "of type %s: unsupported_media_type",
    (type) => refused({ ...create({ new_environment: "typed" }), headers: { "content-type": type } }, 415, "unsupported_media_type"),
  );

  test("in a method that the route does not take: method_not_allowed", () =>
    refused({ method: "DELETE", path: "/env/:p/development/config" }, 405, "method_not_allowed"));
});

/** A different name of at most three letters for each number up to 140,607. */
function shortName(index: number): string {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  return [Math.floor(index / 2_704) % 52, Math.floor(index / 52) % 52, index % 52].map((digit) => letters[digit]).join("");
}

describe("sizes", () => {
  const MIB = 1024 * 1024;
  const padded = (bytes: number, before: string, after: string): string =>
    before + "x".repeat(bytes - before.length - after.length) + after;

  test("a body over 1 MiB is too large, one just under it is read", async () => {
    await refused(config(padded(MIB + 1, '{"vars":{"REGION":"', '"}}')), 413, "too_large");
    // Within the body's bound it is the bound of a var that refuses.
    await refused(config(padded(MIB - 1, '{"vars":{"REGION":"', '"}}')), 413, "too_large");
    await refused(create(padded(MIB + 1, '{"project_id":":p","new_environment":"big","message":"', '"}')), 413, "too_large");
  });

  test(
    "a state over 64 MiB is too large",
    () => refused(putState(padded(64 * MIB + 1, '{"state":{"pages":{"x":"', '"}}}')), 413, "too_large"),
    60_000,
  );

  test("32 MB of state work: they come back as they went in", async () => {
    const own = new Project(engine, "large");
    await own.create("development");
    const text = "0123456789abcdef".repeat(1_000);
    const pages = Object.fromEntries(Array.from({ length: 2_000 }, (_, index) => [`page-${index}`, { index, text }]));
    expect(JSON.stringify(pages).length).toBeGreaterThan(32_000_000);
    await own.putState("development", { pages });
    const back = (await own.state("development")).pages ?? {};
    expect(Object.keys(back)).toHaveLength(2_000);
    expect(back["page-1999"]).toEqual({ index: 1_999, text });
    expect((await own.verify()).valid).toBe(true);
  }, 120_000);

  test("100,000 small components work", async () => {
    const own = new Project(engine, "many");
    await own.create("development");
    const pages = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`p${index}`, index]));
    expect(await own.putState("development", { pages })).toMatchObject({ revision: 2 });
    expect((await own.state("development")).pages).toEqual(pages);
  }, 120_000);

  test("100,000 keys in any other body are too many, though the bytes are few", async () => {
    const keys = Array.from({ length: 100_000 }, (_, index) => `"${shortName(index)}":""`).join(",");
    expect(keys.length).toBeLessThan(MIB - 64);
    await refused(config(`{"vars":{${keys}}}`), 413, "too_large");
    await refused(create(`{"project_id":":p","new_environment":"keyed","env_variables":{${keys}}}`), 413, "too_large");
  });

  test.each<readonly [string, (nested: string) => Bad]>([
    ["a component", (nested) => patchState(`{"set":{"pages/x":${nested}}}`)],
    ["a whole state", (nested) => putState(`{"state":{"pages":{"x":${nested}}}}`)],
    ["a flag", (nested) => config(`{"flags":{"beta":{"state":"ENABLED","variants":{"on":true},"targeting":${nested}}}}`)],
    ["a body", (nested) => create(nested)],
  ])("nesting 10,000 deep in %s is refused", async (_where, bad) => {
    await refused(bad("[".repeat(10_000) + "]".repeat(10_000)), 400, "invalid_json");
    await refused(bad(`${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`), 400, "invalid_json");
  });
});

describe("what something else rules out", () => {
  test("an environment that exists already", () => refused(create({ new_environment: "staging" }), 409, "environment_exists"));
  test("a promotion onto itself", () => refused(promote({ source_env: "staging", target_env: "staging" }), 400, "same_environment"));
  test("a stale If-Match", () =>
    refused({ ...patchState({ set: { "entities/Late": {} } }), headers: { "if-match": '"of-another-time"' } }, 412, "precondition_failed"));
  test("a plan that nobody made", () =>
    refused(promote({ source_env: "development", target_env: "staging", plan_id: "no-such-plan" }), 409, "plan_stale"));
  test("a version that is none", () => refused(patchState({ set: { "entities/Late": {} }, version: "latest" }), 400, "invalid_version"));
  test("a version that is taken", () => refused(patchState({ set: { "entities/Late": {} }, version: "v0.2.0" }), 409, "version_taken"));
});

test("the engine is as it was: everything still works, and the audit chain verifies", async () => {
  await project.promote("development", "staging");
  expect((await project.verify()).valid).toBe(true);
  expect((await engine.get("/readyz")).status).toBe(200);
});
