import { beforeAll, describe, expect, test } from "vitest";
import { type Members, useEngine } from "../support/engine.ts";
import { expectError, expectRefused, type PageOf, type Project } from "../support/project.ts";
import { ask, filled, type Issued, issue, operationsOf, type Question, ROOT, succeed } from "./support.ts";
import { projectNamed, twoProjects } from "./two-projects.ts";

/** Weaknesses that engines of this kind have had, of what was done without the right to it: this one has none of them. */

const engine = useEngine({ token: ROOT });
let mine: Project;
let theirs: Project;
let mallory: Issued;
let alice: Issued;
beforeAll(async () => {
  ({ mine, theirs, mallory, alice } = await twoProjects(engine));
});

const as = (token: string, question: Question) => ask(engine, { ...question, token });
const post = (path: string, body: unknown): Question => ({ method: "POST", path, body });

// CVE-2026-5807: operations could be cancelled without a token.
test("nothing changes without a token that is valid: every operation refuses to try", async () => {
  const { id, token: revoked } = await issue(engine, { role: "admin", projects: ["*"] });
  await succeed(engine, { method: "DELETE", path: `/tokens/${id}` });
  const names = { project: mine.id, env: "staging", collection: "flows", name: "a", version: "v0.1.0", n: "1", id: alice.id };
  const state = async () => [
    await mine.mark("staging", "production"),
    await theirs.mark("staging", "production"),
    await succeed(engine, { path: "/env" }),
    (await succeed<PageOf<Members>>(engine, { path: "/tokens" })).items.map(({ id, status, rotated_at }) => ({ id, status, rotated_at })),
  ];
  const before = await state();
  const guarded = (await operationsOf(engine)).filter(({ open }) => !open);
  expect(guarded.filter(({ method }) => method !== "GET").length).toBeGreaterThan(15);
  for (const { method, path, example } of guarded) {
    const body = example === null ? undefined : { ...example, ...("project_id" in example && { project_id: mine.id }) };
    const question = { method, path: filled(path, names), body };
    expectRefused(path, await ask(engine, { ...question, token: null }), 401, "unauthorized");
    expectRefused(path, await ask(engine, { ...question, token: revoked }), 401, "unauthorized");
    const headers = {
      authorization: `Basic ${Buffer.from(`root:${ROOT}`).toString("base64")}`,
      cookie: "envm_session=x; __Host-envm_session=y",
    };
    expectRefused(path, await ask(engine, { ...question, token: null, headers }), 401, "unauthorized");
    if (method === "GET") expect((await ask(engine, { ...question, method: "HEAD", token: null })).status).toBe(401);
  }
  expect(await state()).toEqual(before);
});

// CVE-2026-40264, CVE-2026-45808: whoever had rights in one namespace acted on tokens of another.
test("who administers one project neither sees nor touches tokens that reach beyond it", async () => {
  const beyond = [
    alice,
    await issue(engine, { name: "wide", role: "client", projects: ["*"] }),
    await issue(engine, { name: "both", role: "reader", projects: [mine.id, theirs.id] }),
    await issue(engine, { name: "pattern", role: "reader", projects: [`${mine.id}*`] }),
  ];
  const own = await issue(engine, { name: "own", role: "reader", projects: [mine.id] });
  const { items } = await succeed<PageOf<Members>>(engine, { path: "/tokens?limit=1000", token: mallory.token });
  const listed = items.map(({ id }) => id);
  expect(listed).toContain(own.id);
  for (const { id, token } of beyond) {
    expect(listed).not.toContain(id);
    expectError(await as(mallory.token, { path: `/tokens/${id}` }), 404, "token_not_found");
    expectError(await as(mallory.token, post(`/tokens/${id}/rotate`, {})), 404, "token_not_found");
    expectError(await as(mallory.token, { method: "DELETE", path: `/tokens/${id}` }), 404, "token_not_found");
    expect((await as(token, { path: "/session" })).status).toBe(200);
  }
  expectError(await as(mallory.token, { path: "/tokens/audit" }), 403, "forbidden");
  // Whoever administers one environment has no say over tokens of all of them.
  const { token: partly } = await issue(engine, { role: "admin", projects: [mine.id], envs: ["staging"] });
  expectError(await as(partly, { method: "DELETE", path: `/tokens/${own.id}` }), 404, "token_not_found");
});

// GHSA-xp3c-3jw3-4vcr: lists showed what reading it was denied.
test("a list shows nothing that reading it would be denied", async () => {
  const secretive = await projectNamed(engine, "secretive");
  await secretive.patchState("production", { set: { "flows/hidden": {} } });
  await secretive.putPolicy({ environments: { production: { approvals: 1 } } });
  await secretive.tryPromote("staging", "production", { strategy: "replace" });
  const { token } = await issue(engine, { role: "reader", projects: [secretive.id], envs: ["staging"] });
  for (const path of [secretive.path(), secretive.path("audit"), secretive.path("versions"), secretive.path("promotions")]) {
    expect((await ask(engine, { path })).text, path).toContain('"production"');
  }
  for (const path of [
    "/env",
    secretive.path(),
    secretive.path("audit"),
    secretive.path("versions"),
    secretive.path("promotions"),
    secretive.path("staging", "revisions"),
  ]) {
    for (const query of ["", "?limit=1000"]) {
      const { text } = await as(token, { path: path + query });
      expect(text, path).not.toContain('"production"');
      for (const other of [mine.id, theirs.id]) expect(text, path).not.toContain(`"${other}"`);
    }
  }
  expectError(await as(token, { path: `${secretive.path("audit")}/export` }), 403, "forbidden");
  for (const filter of ["env=production", "action=request_promotion", "actor=root&env=production"]) {
    expect((await succeed<PageOf<unknown>>(engine, { path: `${secretive.path("audit")}?${filter}`, token })).items).toEqual([]);
  }
});

// CVE-2026-44283: of several operations in one request, some were not authorized.
describe("each thing that a request names needs its own right", () => {
  let staging = "";
  beforeAll(async () => {
    staging = (await issue(engine, { role: "promoter", projects: [mine.id], envs: ["staging"], rights: ["secrets:reveal"] })).token;
  });

  test.each<readonly [string, () => Question, string]>([
    [
      "the target of a promotion",
      () => post("/env/promote", { project_id: mine.id, source_env: "staging", target_env: "production" }),
      "environment_not_found",
    ],
    [
      "its source",
      () => post("/env/promote", { project_id: mine.id, source_env: "production", target_env: "staging" }),
      "environment_not_found",
    ],
    [
      "its source, to plan alone",
      () => post("/env/promote", { project_id: mine.id, source_env: "production", target_env: "staging", dry_run: true }),
      "environment_not_found",
    ],
    [
      "its source, asked for what stands in its way",
      () => ({ path: `${mine.path("staging", "readiness")}?source=production` }),
      "environment_not_found",
    ],
    ["a base", () => post("/env/create", { project_id: mine.id, new_environment: "staging", base_from: "production" }), "base_not_found"],
    [
      "the left side of a comparison",
      () => ({ path: `/env/compare?project_id=${mine.id}&left=production&right=staging` }),
      "environment_not_found",
    ],
    ["its right side", () => ({ path: `/env/compare?project_id=${mine.id}&left=staging&right=production` }), "environment_not_found"],
    [
      "a side at a moment",
      () => ({ path: `/env/compare?project_id=${mine.id}&left=staging&right=production%401` }),
      "environment_not_found",
    ],
  ])("%s", async (_what, question, code) => {
    expectError(await as(staging, question()), 404, code);
  });

  test("a new environment, though its base may be read", async () => {
    expectError(
      await as(staging, post("/env/create", { project_id: mine.id, new_environment: "other", base_from: "staging" })),
      403,
      "forbidden",
    );
  });

  test("each change of a patch, in an environment that is protected: not one of them is made", async () => {
    const project = await projectNamed(engine, "guarded");
    await project.putPolicy({ environments: { production: { protected: true } } });
    const { token } = await issue(engine, { role: "editor", projects: [project.id] });
    const before = await project.mark("production");
    for (const body of [
      { unset: ["vars/REGION"] },
      { unset: ["secrets/API_KEY"] },
      { flags: { beta: true } },
      { secrets: { API_KEY: "two" } },
      { vars: { OTHER: "1" }, unset: ["vars/REGION"] },
    ]) {
      expectError(await as(token, { method: "PATCH", path: project.path("production", "config"), body }), 403, "forbidden");
    }
    for (const way of ["archive", "hold", "rollback"]) {
      expectError(
        await as(token, post(`/env/${way}`, { project_id: project.id, env: "production", ...(way === "rollback" && { to: 1 }) })),
        403,
        "forbidden",
      );
    }
    const change = { method: "PATCH", path: project.path("production", "state"), body: { set: { "flows/x": {} } } };
    expectError(await as(token, change), 409, "environment_protected");
    expect(await project.mark("production")).toEqual(before);
  });

  test("each secret, and each check that is to be skipped", async () => {
    const project = await projectNamed(engine, "extras");
    const { token } = await issue(engine, { role: "promoter", projects: [project.id] });
    expectError(
      await as(token, post("/env/create", { project_id: project.id, new_environment: "copy", base_from: "staging", secrets: "copy" })),
      403,
      "forbidden",
    );
    expectError(
      await as(
        token,
        post("/env/promote", { project_id: project.id, source_env: "staging", target_env: "production", force: { reason: "now" } }),
      ),
      403,
      "forbidden",
    );
    expectError(await as(token, post(project.path("staging", "secrets", "reveal"), { names: [] })), 403, "forbidden");
    expect((await as(token, { method: "HEAD", path: project.path("staging", "runtime") })).status).toBe(403);
    const reveal = await as(mallory.token, post(mine.path("staging", "secrets", "reveal"), { names: ["API_KEY", "NOTHING"] }));
    expectError(reveal, 404, "key_not_found");
    expect(reveal.text).not.toContain('"one"');
  });

  test("each project, environment and right of a new token", async () => {
    const { token } = await issue(engine, { role: "admin", projects: [mine.id], envs: ["staging"] });
    const wish = { name: "m", role: "reader", projects: [mine.id], envs: ["staging"] };
    for (const more of [
      { projects: [mine.id, theirs.id] },
      { envs: ["staging", "production"] },
      { envs: ["*"] },
      { rights: ["secrets:reveal"] },
    ]) {
      expectError(await as(token, post("/tokens", { ...wish, ...more })), 403, "forbidden");
    }
    await succeed(engine, { ...post("/tokens", wish), token }, 201);
  });
});
