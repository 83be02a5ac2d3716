import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { ERRORS, type ErrorCode } from "../../src/errors.ts";
import { LIMITS } from "../../src/limits.ts";
import { type Members, useEngine } from "../support/engine.ts";
import { Project } from "../support/project.ts";
import { ask, canary, type Issued, issue, type Question, ROOT, rawRequest, sendRaw, succeed } from "./support.ts";

/** Weaknesses that engines of this kind have had, of secrets that were told or written down: this one has none of them. It logs all that it can. */

const engine = useEngine({ token: ROOT, env: { LOG_LEVEL: "trace" } });
const post = (path: string, body: unknown): Question => ({ method: "POST", path, body });

/** Where a value must not turn up: what the engine printed, both audit logs, and every file that it wrote. */
async function everythingKept(project: Project): Promise<Readonly<Record<string, string>>> {
  const read = async (path: string) => (await ask(engine, { path })).text;
  const files = readdirSync(engine.directory).map((file) => [
    `file ${file}`,
    readFileSync(join(engine.directory, file)).toString("latin1"),
  ]);
  return {
    log: engine.output(),
    audit: await read(`${project.path("audit")}?limit=1000`),
    export: await read(`${project.path("audit")}/export`),
    "audit of access": await read("/tokens/audit?limit=1000"),
    tokens: await read("/tokens?limit=1000"),
    ...Object.fromEntries(files),
  };
}

async function expectNowhere(project: Project, value: string): Promise<void> {
  for (const [where, text] of Object.entries(await everythingKept(project))) {
    // Of the store's lock, nothing but that it is there is told.
    if (!where.endsWith("-lock")) expect(text.length, where).toBeGreaterThan(10);
    expect(text.includes(value), `${where} holds it`).toBe(false);
  }
}

// CVE-2025-62513, CVE-2025-62705: what was redacted from the audit log left out raw and byte bodies; a redactor elsewhere missed nested ones.
describe("a secret is written down nowhere, in whatever shape it was sent", () => {
  let project: Project;
  beforeAll(async () => {
    project = new Project(engine, "kept");
    await project.create("staging", { env_variables: { REGION: "eu" } });
    await project.create("production", { base_from: "staging" });
    await project.putPolicy({ environments: { production: { approvals: 1 } } });
  });

  const config = (body: unknown, headers: Record<string, string> = {}): Question => ({
    method: "PATCH",
    path: project.path("staging", "config"),
    body,
    headers,
  });
  const create = (env_variables: unknown): Question =>
    post("/env/create", { project_id: project.id, new_environment: "made", env_variables });
  const bytes = (value: string) => Buffer.concat([Buffer.from([0xff, 0xfe, 0x00]), Buffer.from(value), Buffer.from([0xc3])]);

  test.each<readonly [string, (value: string) => Question, number]>([
    ["taken, as a bare string", (value) => create({ API_KEY: value }), 201],
    ["taken, as {value, secret}", (value) => config({ secrets: { OTHER: value } }), 200],
    [
      "taken, as a password in a URL",
      (value) =>
        post("/env/create", { project_id: project.id, new_environment: "url", env_variables: { DATABASE: `postgres://a:${value}@db/a` } }),
      201,
    ],
    [
      "taken, and waiting for approval",
      (value) =>
        post("/env/promote", {
          project_id: project.id,
          source_env: "staging",
          target_env: "production",
          env_variables: { WAITING: { value, secret: true } },
        }),
      200,
    ],
    ["as an object where a string belongs", (value) => config({ secrets: { A: { value } } }), 400],
    ["as a list", (value) => config({ secrets: { A: [value] } }), 400],
    ["deep in an object", (value) => config({ secrets: { A: { data: { data: { password: value } } } } }), 400],
    ["with a word misspelt", (value) => create({ A: { valeu: value, secret: true } }), 400],
    ["with a switch that is none", (value) => create({ A: { value, secret: "yes" } }), 400],
    ["nested in a variable", (value) => create({ A: { value: { value }, secret: true } }), 400],
    ["among vars, under a name that is a secret", (value) => config({ vars: { OTHER: value } }), 409],
    ["under a name that is none", (value) => config({ secrets: { "no name": value } }), 400],
    ["in a field that there is not", (value) => config({ secrets: {}, password: value }), 400],
    ["as all of a body: a string", (value) => config(JSON.stringify(value)), 400],
    ["as all of a body: a list", (value) => config(JSON.stringify([value])), 400],
    ["as all of a body: text", (value) => config(value), 400],
    ["in JSON that is cut off", (value) => config(`{"secrets":{"A":"${value}"`), 400],
    ["in JSON that names it twice", (value) => config(`{"secrets":{"A":"${value}","A":"${value}"}}`), 400],
    ["in bytes that are no text", (value) => config(bytes(value)), 400],
    ["in a form", (value) => config(`secret=${value}`, { "content-type": "application/x-www-form-urlencoded" }), 415],
    ["in a part of a body", (value) => config(`--x\r\n\r\n${value}\r\n--x--`, { "content-type": "multipart/form-data; boundary=x" }), 415],
    [
      "in a body that is compressed",
      (value) => config(gzipSync(JSON.stringify({ secrets: { A: value } })), { "content-encoding": "gzip" }),
      415,
    ],
    ["in a body that is too large", (value) => config(`{"secrets":{"A":"${value}${"x".repeat(LIMITS.bodyBytes)}"}}`), 413],
    ["in a secret that is too large", (value) => config({ secrets: { A: value.repeat(4_000) } }), 413],
    ["sent to a route that there is not", (value) => post("/env/secrets", { secrets: { A: value } }), 405],
    ["sent to no route", (value) => post("/no/such/route", { secrets: { A: value } }), 404],
    ["sent with a method that there is not", (value) => ({ ...config({ secrets: { A: value } }), method: "PUT" }), 405],
    ["sent without a token", (value) => ({ ...config({ secrets: { A: value } }), token: null }), 401],
    ["as a token", (value) => ({ path: "/env", token: value }), 401],
    [
      "as a password",
      (value) => ({
        path: "/env",
        token: null,
        headers: { authorization: `Basic ${Buffer.from(`a:${value}`).toString("base64")} ${value}` },
      }),
      401,
    ],
    ["as a token to log in with", (value) => ({ ...post("/session", { token: value }), token: null }), 401],
    ["as a session", (value) => ({ path: "/env", token: null, headers: { cookie: `envm_session=${value}` } }), 401],
    [
      "in headers that nobody reads",
      (value) => ({
        path: "/env",
        headers: { "x-vault-token": value, "user-agent": value, referer: `https://a/?t=${value}`, cookie: `a=${value}` },
      }),
      200,
    ],
    ["in headers that are read", (value) => config({ secrets: { A: "x" } }, { "idempotency-key": value, "if-match": `"${value}"` }), 412],
    ["in a header for somebody else's name", (value) => ({ path: "/env", headers: { "x-actor": value } }), 403],
    ["in a query", (value) => ({ path: `/env?token=${value}&access_token=${value}` }), 400],
    ["in a query that is no number", (value) => ({ path: `${project.path("staging", "config")}?at=${value}` }), 400],
  ])("%s", async (what, question, status) => {
    const value = canary(what.replace(/\W/g, "-"));
    const reply = await ask(engine, question(value));
    expect([status, ...(status === 200 ? [202] : [])], reply.text).toContain(reply.status);
    expect(reply.text + JSON.stringify(reply.headers)).not.toContain(value);
    await expectNowhere(project, value);
  });

  test("nor is a token, once it was shown; nor a session's cookie", async () => {
    const { id, token } = await issue(engine, { role: "admin", projects: [project.id] });
    const rotated = await succeed<Issued>(engine, post(`/tokens/${id}/rotate`, {}));
    const opened = await ask(engine, { ...post("/session", { token }), token: null });
    const cookie = /^envm_session=([^;]+)/.exec(String(opened.headers["set-cookie"]))?.[1] ?? "";
    expect(cookie).toMatch(/^[\w-]{43}$/);
    for (const secret of [token, rotated.token, cookie, ROOT]) {
      expect(opened.text).not.toContain(secret);
      await expectNowhere(project, secret);
    }
  });

  // The id alone belongs there; so far, the refusal repeats what it was given.
  test("nor is a token shown back that somebody took for its own id", async () => {
    const { token } = await issue(engine, { role: "reader", projects: [project.id] });
    for (const method of ["GET", "DELETE"]) expect((await ask(engine, { method, path: `/tokens/${token}` })).text).not.toContain(token);
  });
});

// CVE-2025-4166, CVE-2025-52893: what could not be read was shown in the refusal. CVE-2022-38149: an error held a secret.
describe("no error shows a value that came with the request:", () => {
  let project: Project;
  let readers: Issued;
  let promoter: Issued;
  /** Waits for two approvals, of which it has one. */
  let waiting = "";
  let rejected = "";

  beforeAll(async () => {
    project = new Project(engine, "told");
    await project.create("staging", { env_variables: { REGION: "eu", API_KEY: "one" } });
    await project.putState("staging", { flows: { a: { v: 1 } } });
    for (const env of ["production", "forked", "old"]) await project.create(env, { base_from: "staging" });
    await project.create("stranger");
    await project.patchState("stranger", { set: { "flows/z": {} } });
    await project.create("pr-1", { type: "preview", base_from: "staging", expires_in: "1s" });
    await project.patchState("staging", { set: { "flows/a": { v: 2 } } });
    await project.patchState("forked", { set: { "flows/a": { v: 3 } } });
    await succeed(engine, post("/env/archive", { project_id: project.id, env: "old" }));
    await project.putPolicy({ environments: { production: { protected: true, approvals: 2 } } });
    readers = await issue(engine, { name: "reader", role: "reader", projects: [project.id] });
    promoter = await issue(engine, { name: "promoter", role: "promoter", projects: [project.id] });
    const ids = [];
    for (let time = 0; time < 2; time++) ids.push(String((await project.tryPromote<Members>("staging", "production")).body.promotion_id));
    [waiting = "", rejected = ""] = ids;
    await succeed(engine, post(`/env/promotions/${rejected}/reject`, { project_id: project.id }));
    await succeed(engine, { ...post(`/env/promotions/${waiting}/approve`, { project_id: project.id }), token: promoter.token }, 202);
    while ((await engine.get(project.path("pr-1", "active"))).status === 200) await new Promise(setImmediate);
  });

  const VALUE = canary("told");
  const given = { env_variables: { API_KEY: VALUE, OTHER: { value: VALUE, secret: true }, PLAIN: VALUE } };
  const about = (more: Members) => ({ project_id: project.id, ...more });
  const create = (more: Members = {}) => post("/env/create", about({ new_environment: "made", ...given, ...more }));
  const promote = (source_env: string, target_env: string, more: Members = {}) =>
    post("/env/promote", about({ source_env, target_env, ...given, ...more }));
  const config = (more: Members = {}, env = "staging"): Question => ({
    method: "PATCH",
    path: project.path(env, "config"),
    body: { secrets: { API_KEY: VALUE, OTHER: VALUE }, ...more },
  });
  const state = (body: Members, env = "staging"): Question => ({ method: "PATCH", path: project.path(env, "state"), body });
  const decide = (id: string, decision = "approve") => post(`/env/promotions/${id}/${decision}`, about({}));

  const PROVOKED: Readonly<Partial<Record<ErrorCode, () => Question>>> = {
    invalid_request: () => create({ env_variables: { A: { value: VALUE, secret: VALUE } } }),
    invalid_json: () => ({ ...config(), body: `{"secrets":{"A":"${VALUE}",}}` }),
    invalid_name: () => config({ vars: { "no name": VALUE } }),
    invalid_version: () => config({ version: "newest" }),
    invalid_flag: () => config({ flags: { beta: { state: VALUE, variants: { on: VALUE }, targeting: VALUE, metadata: { a: [VALUE] } } } }),
    invalid_context: () => ({
      method: "GET",
      path: `${project.path("staging", "runtime")}?context=${encodeURIComponent(`{"targetingKey":["${VALUE}"],`)}`,
    }),
    invalid_policy: () => ({
      method: "PUT",
      path: project.path("policy"),
      body: {
        environments: {
          staging: {
            soak: VALUE,
            approvals: { count: VALUE, by: [VALUE, 1] },
            freeze: [{ kind: VALUE, cron: VALUE, duration: VALUE, timezone: VALUE }],
          },
        },
      },
    }),
    same_environment: () => promote("staging", "staging"),
    unauthorized: () => ({ ...config(), token: VALUE }),
    forbidden: () => ({ ...config(), token: readers.token }),
    self_approval: () => decide(waiting),
    host_not_allowed: () => ({ ...config(), headers: { host: `${VALUE}.example` } }),
    origin_not_allowed: () => ({ ...config(), headers: { origin: `https://${VALUE}.example` } }),
    route_not_found: () => post("/no/such/route", given),
    project_not_found: () => promote("staging", "forked", { project_id: "nobody" }),
    environment_not_found: () => config({}, "nowhere"),
    base_not_found: () => create({ base_from: "nowhere" }),
    version_not_found: () => promote("staging", "forked", { version: "v99.0.0" }),
    revision_not_found: () => ({ ...post(`${project.path("staging", "secrets", "reveal")}?at=99`, { names: ["API_KEY"] }) }),
    component_not_found: () => state({ set: { "flows/x": { secret: VALUE } }, remove: ["flows/none"] }),
    collection_not_found: () => ({ path: project.path("staging", "state", "none") }),
    key_not_found: () => promote("staging", "forked", { strategy: "replace", vars: ["NONE"] }),
    token_not_found: () => post(`/tokens/${"0".repeat(16)}/rotate`, {}),
    promotion_not_found: () => decide("0".repeat(19)),
    method_not_allowed: () => ({ ...config(), method: "DELETE" }),
    environment_exists: () => create({ new_environment: "staging" }),
    environment_archived: () => config({}, "old"),
    environment_protected: () => state({ set: { "flows/x": { secret: VALUE } } }, "production"),
    invalid_transition: () => post("/env/resume", about({ env: "staging" })),
    checks_failed: () => promote("staging", "forked"),
    merge_conflict: () => promote("staging", "forked", { strategy: "merge" }),
    unrelated_histories: () => promote("staging", "stranger", { strategy: "merge" }),
    plan_stale: () => promote("staging", "forked", { strategy: "replace", plan_id: "0".repeat(40) }),
    promotion_closed: () => ({ ...decide(rejected), token: promoter.token }),
    already_approved: () => ({ ...decide(waiting), token: promoter.token }),
    version_taken: () => config({ version: "v0.1.0" }),
    secret_stays_secret: () => ({ ...config(), body: { vars: { API_KEY: VALUE } } }),
    environment_expired: () => config({}, "pr-1"),
    precondition_failed: () => ({ ...config(), headers: { "if-match": `"${VALUE}"` } }),
    too_large: () => config({ secrets: { OTHER: VALUE.repeat(4_000) } }),
    unsupported_media_type: () => ({ ...config(), headers: { "content-type": `text/${VALUE}` } }),
  };

  test.each(Object.keys(PROVOKED) as ErrorCode[])("%s", async (code) => {
    const question = PROVOKED[code]?.() ?? { path: "/" };
    // A key is read on every route that takes one, and must be another for each request.
    const headers = {
      "idempotency-key": `${VALUE}-${code}`,
      cookie: `envm_session=${VALUE}`,
      "x-api-key": VALUE,
      referer: VALUE,
      ...question.headers,
    };
    const reply = await ask(engine, { ...question, headers });
    expect({ status: reply.status, code: reply.body?.code }, reply.text).toEqual({ status: ERRORS[code].status, code });
    expect(reply.text + JSON.stringify(reply.headers)).not.toContain(VALUE);
  });

  test("idempotency_mismatch", async () => {
    const headers = { "idempotency-key": `${VALUE}-mismatch` };
    await succeed(engine, { ...config(), headers });
    const reply = await ask(engine, { ...config({ vars: { OTHER_VAR: VALUE } }), headers });
    expect(reply).toMatchObject({ status: 422, body: { code: "idempotency_mismatch" } });
    expect(reply.text).not.toContain(VALUE);
  });

  test("what is refused before it is a request: headers that are too large, or against the rules", async () => {
    for (const [line, status] of [
      [`X-Big: ${VALUE.repeat(1_000)}`, 431],
      [`X-Bad: ${VALUE}\0`, 400],
      [`Transfer-Encoding: ${VALUE}`, 400],
      [`Expect: ${VALUE}`, 400],
      [`Host: ${VALUE}`, 400],
    ] as const) {
      const reply = await sendRaw(engine, rawRequest(engine, "GET", `/env?token=${VALUE}`, line));
      expect(reply.status, line.slice(0, 50)).toBe(status);
      expect(reply.text).not.toContain(VALUE);
    }
    expect(engine.output()).not.toContain(VALUE);
  });

  test("all other codes are those of a world that is out of order, and of one request too many", () => {
    const others = Object.keys(ERRORS).filter((code) => !(code in PROVOKED));
    expect(new Set(others)).toEqual(
      new Set([
        "target_not_allowed",
        "idempotency_mismatch",
        "secret_unavailable",
        "write_conflict",
        "request_timeout",
        "headers_too_large",
        "too_many_requests",
        "internal_error",
        "store_unavailable",
        "vault_unavailable",
        "identity_unavailable",
        "validation_unavailable",
        "webhook_not_found",
        "engine_unavailable",
        "overloaded",
        "shutting_down",
        "git_unavailable",
        "git_source_not_found",
        "repository_unavailable",
        "invalid_repository",
        "branch_not_found",
        "history_rewritten",
        "mirror_not_found",
        "mirror_unavailable",
        "mirror_diverged",
        "storage_full",
      ]),
    );
  });

  test("and nothing of it is kept", () => expectNowhere(project, VALUE));
});
