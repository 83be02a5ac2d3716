import { describe, expect, test } from "vitest";
import { openApiDocument } from "../../src/http/openapi.ts";
import { apiRoutes } from "../../src/http/routes/index.ts";
import { keys } from "../../src/keys.ts";
import { auditRecords, caller, documents, openWorld, PROJECT, storedRevisions, type World } from "../domain/support.ts";
import { type Answer, type Ask, serveRoutes } from "./support.ts";

async function served(): Promise<World & { readonly ask: Ask }> {
  const world = await openWorld();
  await world.project.create("staging", { env_variables: { API_KEY: "sk-1" } });
  await world.project.create("production");
  return { ...world, ask: await serveRoutes(world.domain) };
}

const STATE = `/env/${PROJECT}/staging/state`;
const patch = (ask: Ask, key: string | string[] | undefined, value: unknown, { as = "ann", path = STATE } = {}): Promise<Answer> =>
  ask({
    method: "PATCH",
    path,
    body: { set: { "flows/a": value } },
    headers: { authorization: as, ...(key !== undefined && { "idempotency-key": key }) },
  });

describe("an Idempotency-Key", () => {
  test("repeated with the same request has the first answer, status and headers alike, and the body byte for byte", async () => {
    const { ask, store } = await served();
    const [first, second] = [await patch(ask, "k", 1), await patch(ask, "k", 1)];
    expect(first.status).toBe(200);
    expect(second).toMatchObject({ status: 200, text: first.text });
    expect(second.headers.etag).toBe(first.headers.etag);
    expect(await storedRevisions(store, "staging")).toHaveLength(2);
    const create = () =>
      ask({
        method: "POST",
        path: "/env/create",
        body: { project_id: PROJECT, new_environment: "qa", base_from: "staging" },
        headers: { authorization: "ann", "idempotency-key": "c" },
      });
    const [made, again] = [await create(), await create()];
    expect(made).toMatchObject({ status: 201, body: { status: "env_created" } });
    expect(again).toMatchObject({ status: 201, text: made.text });
    expect(again.headers.location).toBe(made.headers.location);
  });

  test("repeated for a promotion that waits answers 202 again, with the same id", async () => {
    const { ask, domain, project } = await served();
    await project.set("staging", { "flows/a": {} });
    await project.policy({ environments: { production: { approvals: 1 } } });
    const body = { project_id: PROJECT, source_env: "staging", target_env: "production" };
    const request = { method: "POST", path: "/env/promote", body, headers: { authorization: "ann", "idempotency-key": "p" } };
    const [first, second] = [await ask(request), await ask(request)];
    expect(first).toMatchObject({ status: 202, body: { status: "pending_approval" } });
    expect(second).toMatchObject({ status: 202, text: first.text });
    expect((await domain.pending.list(caller("reader"), PROJECT, { limit: 10, cursor: null })).items).toHaveLength(1);
    const path = `/env/promotions/${first.body.promotion_id}/approve`;
    const approve = { method: "POST", path, body: { project_id: PROJECT }, headers: { authorization: "cleo", "idempotency-key": "a" } };
    const [done, again] = [await ask(approve), await ask(approve)];
    expect(done).toMatchObject({ status: 200, body: { status: "ready_for_deploy", revision: 2 } });
    expect(again).toMatchObject({ status: 200, body: done.body });
    // Without the key, the second one says what became of it.
    expect(await ask({ ...approve, headers: { authorization: "cleo" } })).toMatchObject({
      status: 409,
      body: { code: "promotion_closed" },
    });
  });

  test("with another body, or for another environment, is 422 and changes nothing", async () => {
    const { ask, store } = await served();
    await patch(ask, "k", 1);
    const before = await documents(store);
    for (const request of [patch(ask, "k", 2), patch(ask, "k", 1, { path: `/env/${PROJECT}/production/state` })]) {
      const { status, body } = await request;
      expect({ status, code: body.code }).toEqual({ status: 422, code: "idempotency_mismatch" });
      expect(body.fix_suggestion).toContain("key");
    }
    expect(await documents(store)).toEqual(before);
  });

  test("with another query is 422: what a file of flags leaves alone, and which version it makes, is asked for there", async () => {
    const { ask, store } = await served();
    const flags = { beta: { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "on" } };
    const put = (query: string) =>
      ask({
        method: "PUT",
        path: `/env/${PROJECT}/staging/flags${query}`,
        body: { flags },
        headers: { authorization: "ann", "idempotency-key": "k" },
      });
    const first = await put("?keep=1&message=why");
    expect(first.status).toBe(200);
    // However the same is said.
    expect(await put("?message=why&keep=true")).toMatchObject({ status: 200, text: first.text });
    for (const query of ["", "?keep=1", "?keep=1&message=why&version=v3.0.0", "?message=why"])
      expect(await put(query), query).toMatchObject({ status: 422, body: { code: "idempotency_mismatch" } });
    expect(await storedRevisions(store, "staging")).toHaveLength(2);
  });

  test("belongs to its token: two people with one key do not meet", async () => {
    const { ask, store } = await served();
    expect(await patch(ask, "k", 1)).toMatchObject({ status: 200, body: { revision: 2 } });
    expect(await patch(ask, "k", 2, { as: "bea" })).toMatchObject({ status: 200, body: { revision: 3 } });
    expect(await storedRevisions(store, "staging")).toHaveLength(3);
  });

  test("belongs to its project: two projects with one key do not meet", async () => {
    const { ask } = await served();
    for (const project_id of ["pf-1", "pf-2"]) {
      const body = { project_id, new_environment: "staging" };
      const headers = { authorization: "ann", "idempotency-key": "k" };
      expect(await ask({ method: "POST", path: "/env/create", body, headers })).toMatchObject({ status: 201, body: { env: "staging" } });
    }
  });

  test("belongs to its route: one key may stand for a step of each kind", async () => {
    const { ask } = await served();
    await patch(ask, "deploy-142", 1);
    const headers = { authorization: "ann", "idempotency-key": "deploy-142" };
    const body = { vars: { REGION: "eu" } };
    expect(await ask({ method: "PATCH", path: `/env/${PROJECT}/staging/config`, body, headers })).toMatchObject({ status: 200 });
    expect(await ask({ method: "POST", path: "/env/hold", body: { project_id: PROJECT, env: "staging" }, headers })).toMatchObject({
      status: 200,
    });
    expect(await ask({ method: "POST", path: "/env/resume", body: { project_id: PROJECT, env: "staging" }, headers })).toMatchObject({
      status: 200,
    });
  });

  test("of a refused request is not remembered, nor asked about before the request itself", async () => {
    const { ask, store } = await served();
    const before = await documents(store);
    const send = (body: unknown) => ask({ method: "PATCH", path: STATE, body, headers: { authorization: "ann", "idempotency-key": "k" } });
    expect(await send({ set: { flows: {} } })).toMatchObject({ status: 400 });
    expect(await send("{")).toMatchObject({ status: 400, body: { code: "invalid_json" } });
    expect(await ask({ method: "PATCH", path: STATE, body: {}, headers: { "idempotency-key": "k" } })).toMatchObject({ status: 401 });
    expect(await documents(store)).toEqual(before);
    expect(await patch(ask, "k", 1)).toMatchObject({ status: 200, body: { revision: 2 } });
  });

  test("holds against If-Match: what was answered once is answered again, though the tag is old by now", async () => {
    const { ask } = await served();
    const { headers: read } = await ask({ path: STATE, headers: { authorization: "ann" } });
    const send = () =>
      ask({
        method: "PATCH",
        path: STATE,
        body: { set: { "flows/a": 1 } },
        headers: { authorization: "ann", "idempotency-key": "k", "if-match": String(read.etag) },
      });
    const first = await send();
    expect(first.status).toBe(200);
    expect(await send()).toMatchObject({ status: 200, body: first.body });
  });

  test.each<readonly [string, string | string[]]>([
    ["nothing", ""],
    ["a space", "a b"],
    ["more than 255 characters", "k".repeat(256)],
    ["a letter beyond ASCII", "caf\u00e9"],
    ["two of them", ["one", "two"]],
    ["a tab", "a\tb"],
  ])("of %s is 400, and nothing is changed", async (_what, key) => {
    const { ask, store } = await served();
    const before = await documents(store);
    const { status, body } = await patch(ask, key, 1);
    expect({ status, code: body.code }).toEqual({ status: 400, code: "invalid_request" });
    expect(body.reason).toContain("Idempotency-Key");
    expect(await documents(store)).toEqual(before);
  });

  test.each(["k", "k".repeat(255), "0d9f2c1e-7ab3-4d04-9f5c-8e6d7a1b0c9f", '"quoted"', "!~", "../once/x"])("may be %s", async (key) => {
    const { ask } = await served();
    expect(await patch(ask, key, 1)).toMatchObject({ status: 200, body: { revision: 2 } });
    expect(await patch(ask, key, 1)).toMatchObject({ status: 200, body: { revision: 2 } });
  });

  test("with a request that carries secrets leaves neither key nor value behind, and no hash that guesses could be tried on", async () => {
    const { ask, store } = await served();
    const body = { secrets: { PIN: "1234" } };
    const request = { method: "PATCH", path: `/env/${PROJECT}/staging/config`, body };
    for (const [as, key] of [
      ["ann", "key-1"],
      ["ann", "key-2"],
      ["bea", "key-1"],
    ] as const)
      expect(await ask({ ...request, headers: { authorization: as, "idempotency-key": key } })).toMatchObject({ status: 200 });
    const kept = (await documents(store, PROJECT, keys.oncePrefix)).map(({ value }) => value as unknown as { content: string });
    expect(kept).toHaveLength(3);
    expect(new Set(kept.map(({ content }) => content)).size).toBe(3);
    expect(JSON.stringify(await documents(store))).not.toMatch(/key-1|key-2|"1234"/);
  });
});

describe("a request without one", () => {
  test("takes effect each time, and leaves nothing behind", async () => {
    const { ask, store } = await served();
    await patch(ask, undefined, 1);
    await patch(ask, undefined, 2);
    expect(await storedRevisions(store, "staging")).toHaveLength(3);
    expect(await documents(store, PROJECT, keys.oncePrefix)).toEqual([]);
  });
});

test("revealing takes no key: it is audited each time, and what it shows is kept nowhere", async () => {
  const { ask, store } = await served();
  const reveal = () =>
    ask({
      method: "POST",
      path: `/env/${PROJECT}/staging/secrets/reveal`,
      body: {},
      headers: { authorization: "ann", "idempotency-key": "k" },
    });
  const before = (await auditRecords(store)).length;
  for (let time = 0; time < 2; time++) expect(await reveal()).toMatchObject({ status: 200, body: { secrets: { API_KEY: "sk-1" } } });
  expect((await auditRecords(store)).length).toBe(before + 2);
  expect(await documents(store, PROJECT, keys.oncePrefix)).toEqual([]);
  expect(JSON.stringify(await documents(store))).not.toContain("sk-1");
});

test("every route that writes takes a key, and the reference says so", () => {
  const writes = apiRoutes.filter(({ method }) => method !== "get");
  const others = writes.filter(({ idempotent }) => !idempotent).map(({ operationId }) => operationId);
  // Some show what is shown once, which no answer that is kept may hold; the others are a read, write nothing, or change nothing
  // when they are repeated.
  const showOnce = ["createWebhook", "rotateWebhook", "createToken", "rotateToken", "putGitSource"];
  expect(others.sort()).toEqual(
    [...showOnce, "evaluateFlag", "evaluateFlags", "revealSecrets", "pingWebhook", "revokeToken", "takePush"].sort(),
  );
  expect(apiRoutes.filter(({ method, idempotent }) => method === "get" && idempotent)).toEqual([]);
  const { paths } = openApiDocument(apiRoutes, "1.0.0") as unknown as { paths: Record<string, Record<string, unknown>> };
  const operations = Object.values(paths).flatMap((methods) => Object.values(methods)) as { operationId: string }[];
  for (const { operationId } of writes.filter(({ idempotent }) => idempotent)) {
    const text = JSON.stringify(operations.find((operation) => operation.operationId === operationId));
    expect(text, operationId).toContain("Idempotency-Key");
    expect(text, operationId).toContain('"422"');
  }
});
