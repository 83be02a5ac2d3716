import { beforeAll, describe, expect, test } from "vitest";
import { type Members, useEngine } from "../support/engine.ts";
import { expectError, type PageOf, type Project } from "../support/project.ts";
import { ask, type Issued, issue, type Question, ROOT, rawRequest, sendRaw, succeed } from "./support.ts";
import { projectNamed, twoProjects } from "./two-projects.ts";

/** Weaknesses that engines of this kind have had, of names that were taken for others: this one has none of them. */

const engine = useEngine({ token: ROOT });
let mine: Project;
let theirs: Project;
let mallory: Issued;
beforeAll(async () => {
  ({ mine, theirs, mallory } = await twoProjects(engine));
});

const as = (token: string, question: Question) => ask(engine, { ...question, token });
const post = (path: string, body: unknown): Question => ({ method: "POST", path, body });

// CVE-2025-5999, CVE-2025-64761: a policy's name in other letters granted root.
describe("a name in other letters is another name, and grants nothing", () => {
  test("of a project: two that differ by case alone have nothing to do with each other", async () => {
    const [lower, upper] = [mine.id, mine.id.toUpperCase()];
    await succeed(engine, post("/env/create", { project_id: upper, new_environment: "staging", env_variables: { REGION: "us" } }), 201);
    for (const path of [
      `/env/${upper}`,
      `/env/${upper}/staging/config`,
      `/env/${upper}/audit`,
      `/env/${lower.replace("m", "M")}/staging`,
    ]) {
      expectError(await as(mallory.token, { path }), 404, "project_not_found");
    }
    const { items } = await succeed<PageOf<Members>>(engine, { path: "/env", token: mallory.token });
    expect(items.map(({ project_id }) => project_id)).toEqual([lower]);
    expect((await mine.config("staging")).vars).toEqual({ REGION: "eu" });
    expect(await succeed(engine, { path: `/env/${upper}/staging/config` })).toMatchObject({ vars: { REGION: "us" }, secrets: {} });
    const { items: records } = await succeed<PageOf<Members>>(engine, { path: `/env/${upper}/audit` });
    expect(records).toHaveLength(1);
  });

  test.each<readonly [string, Members]>([
    ["a project", { projects: ["MINE-1"] }],
    ["a pattern", { projects: ["MINE-*"] }],
    ["letters that turn into others", { projects: ["m\u0131ne-1"] }],
    ["a role", { role: "Admin" }],
    ["another role", { role: "READER" }],
    ["a right", { rights: ["Secrets:Reveal"] }],
  ])("in a token: %s", async (_what, wish) => {
    const reply = await as(mallory.token, post("/tokens", { name: "m", role: "reader", projects: [mine.id], ...wish }));
    expect([400, 403], reply.text).toContain(reply.status);
  });

  test.each(["Staging", "STAGING", "\u017ftaging", "stag\u0130ng", "sta\u0261ing"])("of an environment: %s", async (env) => {
    const paths = [mine.path(env), mine.path(env, "config"), mine.path(env, "secrets", "reveal")];
    for (const path of paths) {
      const { status, text } = await as(mallory.token, path.endsWith("reveal") ? post(path, {}) : { path });
      expect([400, 404], text).toContain(status);
    }
    expectError(await as(mallory.token, post("/env/create", { project_id: mine.id, new_environment: env })), 400, "invalid_name");
  });

  test("of an actor: whom a policy names is who is written so", async () => {
    const project = await projectNamed(engine, "actors");
    await project.putPolicy({ environments: { production: { approvals: { count: 1, by: ["Cleo"] } } } });
    const { promotion_id: id } = (await project.tryPromote<Members>("staging", "production")).body;
    const approve = async (name: string) => {
      const { token } = await issue(engine, { name, role: "promoter", projects: [project.id] });
      return as(token, post(`/env/promotions/${id}/approve`, { project_id: project.id }));
    };
    for (const name of ["cleo", "CLEO", "Cle\u043e"]) expectError(await approve(name), 403, "forbidden");
    expect((await approve("Cleo")).status).toBe(200);
    // Nor is anybody taken for the engine itself.
    for (const name of ["root", "Root", "ENGINE", "Auto-Promotion"]) {
      expectError(await ask(engine, post("/tokens", { name, role: "reader", projects: ["*"] })), 400, "invalid_name");
    }
  });

  test("of a policy's rules, a route or a reserved word", async () => {
    for (const policy of [
      { Environments: {} },
      { environments: { Production: { protected: true } } },
      { environments: { production: { Protected: true } } },
      { preset: "TEAM" },
    ]) {
      expectError(await as(mallory.token, { method: "PUT", path: mine.path("policy"), body: policy }), 400, "invalid_policy");
    }
    for (const path of ["/ENV", "/Tokens", "/env/Promotions", `/env/${mine.id}/staging/CONFIG`])
      expect((await as(mallory.token, { path })).status).toBe(404);
    for (const name of ["Tokens", "PROMOTE", "Secrets"])
      expectError(await ask(engine, post("/env/create", { project_id: name, new_environment: "a" })), 400, "invalid_name");
  });

  test("but the names of headers and of the scheme may be in any letters, as HTTP has it", async () => {
    for (const scheme of ["Bearer", "bearer", "BEARER"]) {
      for (const name of ["authorization", "AUTHORIZATION", "aUtHoRiZaTiOn"]) {
        const head = rawRequest(engine, "GET", "/session").replace(/Authorization: .*\r\n/, `${name}: ${scheme} ${mallory.token}\r\n`);
        expect((await sendRaw(engine, head)).status).toBe(200);
      }
    }
  });
});

// CVE-2026-3605: `..` in a path led to what the policy denied.
test("a path that goes up reaches nothing that the same path without it would not", async () => {
  const { token } = await issue(engine, { role: "admin", projects: [mine.id], envs: ["staging"], rights: ["secrets:reveal"] });
  const before = await mine.mark("staging", "production");
  const ways = [
    "staging/../production",
    "staging%2f..%2fproduction",
    "staging/%2e%2e/production",
    "staging%5c..%5cproduction",
    "./production",
    "%2e/production",
    "staging;/../production",
    "staging%00/../production",
    "production%2f",
    "production/.",
    "PRODUCTION",
    "production%20",
    "production.",
    "%70roduction",
  ];
  for (const way of ways) {
    for (const question of [
      { path: `/env/${mine.id}/${way}/config` },
      { path: `/env/${mine.id}/${way}/runtime` },
      { method: "PATCH", path: `/env/${mine.id}/${way}/config`, body: { vars: { A: "1" } } },
    ]) {
      const { status, text } = await as(token, question);
      expect([400, 404], `${question.path}: ${text}`).toContain(status);
    }
  }
  for (const way of [`${mine.id}/../${theirs.id}`, `${mine.id}%2f..%2f${theirs.id}`, `../env/${theirs.id}`]) {
    expect([400, 404]).toContain((await as(mallory.token, { path: `/env/${way}/staging/config` })).status);
  }
  expect(await mine.mark("staging", "production")).toEqual(before);
});

// GHSA-59w7-v8rr-pr4p: a wildcard or a slash in a name widened the policy that it was put into.
describe("a name with a wildcard or a slash in it widens nothing", () => {
  const NAMES = ["*", "mine-*", "**", "?", "+", "mine-1/*", "mine-1*", ".*", "[a-z]*", "{a,b}", "%2a", "%2A", "mine%2d1", "$1", "\\*"];

  test.each(NAMES)("as a project or an environment: %j", async (name) => {
    const encoded = encodeURIComponent(name);
    for (const path of [
      `/env/${encoded}`,
      `/env/${encoded}/staging/config`,
      mine.path(name, "config"),
      mine.path(name, "runtime"),
      `/env/compare?project_id=${mine.id}&left=${encoded}&right=staging`,
    ]) {
      const { status, text } = await as(mallory.token, { path });
      expect([400, 403, 404], `${path}: ${text}`).toContain(status);
    }
    for (const body of [
      { project_id: name, new_environment: "a" },
      { project_id: mine.id, new_environment: name },
    ]) {
      const { status, text } = await ask(engine, post("/env/create", body));
      expect(status, text).toBe(400);
    }
  });

  test.each<readonly [string, readonly string[], readonly string[]]>([
    ["all projects", ["*"], ["*"]],
    ["whatever begins alike", ["mine-1*"], ["*"]],
    ["one project and another", ["mine-1", "theirs-2"], ["*"]],
    ["a slash", ["mine-1/theirs-2"], ["*"]],
    ["an encoded star", ["%2a"], ["*"]],
    ["two stars", ["**"], ["*"]],
    ["a path", ["../theirs-2"], ["*"]],
    ["a line end", ["mine-1\n"], ["*"]],
    ["nothing", [""], ["*"]],
    ["an expression", ["mine-1|theirs-2"], ["*"]],
    ["environments with a slash", ["mine-1"], ["staging/../production"]],
  ])("in a token that somebody makes: %s", async (_what, projects, envs) => {
    const wish = {
      name: "m",
      role: "reader",
      projects: projects.map((name) => name.replace("mine-1", mine.id).replace("theirs-2", theirs.id)),
      envs,
    };
    const { status, text } = await as(mallory.token, post("/tokens", wish));
    expect([400, 403], text).toContain(status);
  });

  test("in a token's own patterns, a dot or a bracket is none, and a star stands for names and not for paths", async () => {
    const { token } = await issue(engine, { role: "reader", projects: [mine.id.replace("m", "*")], envs: ["st*"] });
    expect((await as(token, { path: mine.path("staging", "config") })).status).toBe(200);
    expectError(await as(token, { path: mine.path("production", "config") }), 404, "environment_not_found");
    expectError(await as(token, { path: theirs.path("staging", "config") }), 404, "project_not_found");
    expectError(await ask(engine, post("/tokens", { name: "m", role: "reader", projects: ["mine.1"] })), 400, "invalid_request");
  });
});
