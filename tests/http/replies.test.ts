import { expect, test } from "vitest";
import { type Method, useEngine } from "../support/engine.ts";
import { type Asked, Documented } from "./documented.ts";

/**
 * Every route of a running engine is asked, as it should be and as it should not be, and each answer is held to `/openapi.json`: to its
 * status, its headers, its code and, member by member, to its schema.
 */
const TOKEN = "root-token-of-the-replies-test";
const engine = useEngine({ token: TOKEN, env: { WEBHOOK_ALLOW: "127.0.0.1" } });
const P = "pf-777";
const DEV = `/env/${P}/development`;
const HOOKS = `/env/${P}/webhooks`;

/** What needs a repository that can be fetched, or lasts as long as its connection: tests of their own ask for these. */
const ELSEWHERE = ["pull", "takePush", "watchEnvironment", "watchProject"];

test("every answer, good and bad, is one that the document tells of", { timeout: 120_000 }, async () => {
  const api = await Documented.of(engine);
  const post = (path: string, body: unknown, more: Asked = {}) => api.ask("POST", path, { body, ...more });
  const patch = (path: string, body: unknown, more: Asked = {}) => api.ask("PATCH", path, { body, ...more });
  const put = (path: string, body: unknown, more: Asked = {}) => api.ask("PUT", path, { body, ...more });
  const get = (path: string, headers: Record<string, string> = {}) => api.ask("GET", path, { headers });
  const remove = (path: string) => api.ask("DELETE", path);
  const move = (more: object, asked?: Asked) =>
    post("/env/promote", { project_id: P, source_env: "development", target_env: "staging", ...more }, asked);

  // Environments.
  const create = (more: object, asked?: Asked) => post("/env/create", { project_id: P, ...more }, asked);
  const once = { headers: { "idempotency-key": "k1" } };
  await create({ new_environment: "development", env_variables: { REGION: "eu", API_KEY: "a-secret-of-replies" } });
  await create({ new_environment: "staging", base_from: "development" }, once);
  await create({ new_environment: "staging", base_from: "development" }, once);
  await create({ new_environment: "other", base_from: "development" }, once);
  await create({ new_environment: "staging", base_from: "development" });
  await create({ new_environment: "lost", base_from: "nowhere" });
  await create({ new_environment: "planned", base_from: "development", dry_run: true });
  await create({ new_environment: "production", base_from: "development", secrets: "copy" });
  await create({ new_environment: "pr-1", base_from: "development", type: "preview", expires_in: "72h", source_ref: "#1" });
  await post("/env/extend", { project_id: P, env: "pr-1", expires_in: "80h" });
  await post("/env/extend", { project_id: P, env: "staging", expires_in: "80h" });
  for (const verb of ["hold", "hold", "resume", "resume", "archive", "archive"])
    await post(`/env/${verb}`, { project_id: P, env: "pr-1", reason: "why" });
  await patch(`/env/${P}/pr-1/config`, { vars: { A: "1" } });
  await post("/env/restore", { project_id: P, env: "pr-1", expires_in: "80h" });

  // State, config and flags.
  const flows = { onboarding: { trigger: "signup", actions: [] }, "a b/ü": { x: [1, null, "ü"] } };
  await put(`${DEV}/state`, {
    state: { flows, entities: { User: {} }, requires: { REGION: { kind: "var", description: "Where", default: "eu" } } },
  });
  await patch(`${DEV}/state`, { set: { "flows/second": { on: true } }, remove: ["entities/User"] });
  await patch(`${DEV}/state`, { set: { "flows/second": 1 } }, { headers: { "if-match": '"another"' } });
  await patch(`${DEV}/state`, { set: { nameless: 1 } });
  await patch(`${DEV}/state`, { set: { "flows/third": 1 }, dry_run: true });
  await put(`${DEV}/state`, { state: { flows }, dry_run: true });
  const targeting = { if: [{ "==": [{ var: "plan" }, "pro"] }, "b", null] };
  const two = { state: "ENABLED", variants: { a: "x", b: "y" }, defaultVariant: "a", targeting };
  const flags = {
    beta: true,
    two,
    off: { ...two, state: "DISABLED" },
    object: { state: "ENABLED", variants: { a: { x: [1] } }, defaultVariant: "a" },
  };
  await patch(`${DEV}/config`, { vars: { B: "2" }, secrets: { DB_PASSWORD: "another-secret-of-replies" }, flags });
  await patch(`${DEV}/config`, { vars: { B: "3" }, dry_run: true });
  await patch(`${DEV}/config`, { vars: { API_KEY: "plain" } });
  await patch(`${DEV}/config`, { flags: { wrong: { state: "ENABLED", variants: {} } } });
  await patch(`${DEV}/config`, { unset: ["vars/B"] });
  for (const path of ["/state/flows", "/state/flows/a%20b%2F%C3%BC", "/state/none", "/state/flows/none"]) await get(DEV + path);
  for (const at of ["1", "999", "0"])
    for (const path of ["/state", "/config", "/flags", "/active", "/runtime"]) await get(`${DEV}${path}?at=${at}`);
  await get(`${DEV}/runtime?context=${encodeURIComponent('{"plan":"pro"}')}`);
  for (const keys of [["API_KEY"], ["NOTHING"]]) await post(`${DEV}/secrets/reveal`, { names: keys });
  const { body: file } = await get(`${DEV}/flags`);
  await put(`${DEV}/flags`, file);
  await put(`${DEV}/flags?keep=true`, { flags: { more: { state: "ENABLED", variants: { on: true }, defaultVariant: "on" } } });
  const asked = `?project_id=${P}&env=development`;
  const contexts = [{ context: { targetingKey: "u", plan: "pro" } }, {}, { context: { targetingKey: 5 } }];
  for (const context of contexts)
    for (const key of [...Object.keys(flags).map((name) => `/${name}`), "/none", ""])
      await post(`/ofrep/v1/evaluate/flags${key}${asked}`, context);

  // Promotion, its approval, and the way back.
  await move({ dry_run: true });
  await get(`/env/${P}/staging/readiness?source=development`);
  await move({ env_variables: { DB_PASSWORD: { value: "a-third-secret-of-replies", secret: true } } });
  for (const wrong of [{}, { target_env: "development" }, { target_env: "nowhere" }, { plan_id: "x" }, { version: "v99" }])
    await move(wrong);
  await put(`/env/${P}/policy`, {
    pipeline: ["development", "staging", "production"],
    environments: { production: { protected: true, approvals: { count: 1 } } },
  });
  await put(`/env/${P}/policy`, { environments: { production: { approvals: { required: 1 } } } });
  const tokens = new Map<string, string>();
  for (const role of ["client", "reader", "editor", "promoter", "engine"]) {
    const { body } = await post("/tokens", { name: `a-${role}`, role, projects: [P], envs: [role === "client" ? "development" : "*"] });
    tokens.set(role, String(body.token));
  }
  const as = (role: string): Asked => ({ headers: { authorization: `Bearer ${tokens.get(role)}` } });
  const waiting = async () => String((await move({ source_env: "staging", target_env: "production" }, as("promoter"))).body.promotion_id);
  const first = await waiting();
  await get(`/env/${P}/promotions/${first}`);
  await post(`/env/promotions/${first}/approve`, { project_id: P }, as("promoter"));
  await post(`/env/promotions/${first}/approve`, { project_id: P, comment: "Good" });
  await post(`/env/promotions/${first}/approve`, { project_id: P });
  await patch(`${DEV}/state`, { set: { "flows/second": { on: false } } });
  await move({});
  await post(`/env/promotions/${await waiting()}/reject`, { project_id: P, comment: "No" });
  await move({ target_env: "production" });
  await patch(`/env/${P}/production/state`, { set: { "flows/second": 1 } });
  await patch(`/env/${P}/staging/state`, { set: { "flows/second": 2, "flows/own": 1 } });
  await patch(`${DEV}/state`, { set: { "flows/second": 3 } });
  await move({});
  await move({ strategy: "merge" });
  await get(`/env/${P}/staging/readiness?source=development&strategy=merge`);
  await move({ strategy: "merge", resolve: { "flows/second": "theirs" } });
  await move({ only: ["flows/*"], flags: ["beta"], vars: ["REGION"], strategy: "replace" });
  const back = (to: unknown, more = {}) => post("/env/rollback", { project_id: P, env: "staging", to, ...more });
  await back(1, { dry_run: true });
  for (const to of [1, 1, "v99", "1999-01-01T00:00:00Z", {}]) await back(to);
  for (const right of ["staging", "staging@1", "nowhere", "staging&bodies=1"])
    await get(`/env/compare?project_id=${P}&left=development&right=${right}`);
  const { body: active } = await get(`/env/${P}/production/active`);
  const report = (more: object) =>
    post("/env/deployments", { project_id: P, env: "production", version: active.version, ...more }, as("engine"));
  for (const status of ["deploying", "failed", "deployed", "other"]) await report({ status, reason: "why", url: "https://example.com" });
  await report({ status: "deployed", version: "v99" });
  for (const path of ["", "/production", "/versions", `/versions/${String(active.version)}`, "/versions/v99"])
    await get(`/env/${P}${path}`);

  // Webhooks, mirrors, sources, tokens, sessions, and the engine itself.
  const { body: hook } = await post(HOOKS, { url: "http://127.0.0.1:65000/hook" });
  await post(HOOKS, { url: "https://10.1.2.3/" });
  await patch(`${HOOKS}/${hook.id}`, { active: false });
  for (const verb of ["rotate", "ping"]) await post(`${HOOKS}/${hook.id}/${verb}`, verb === "ping" ? undefined : { overlap: "1h" });
  for (const path of ["", `/${hook.id}`, `/${hook.id}/deliveries`]) await get(HOOKS + path);
  await remove(`${HOOKS}/${hook.id}`);
  const address = { url: "https://example.invalid/platform.git" };
  for (const path of [`/env/${P}/git/mirror`, `${DEV}/git`]) {
    await put(path, path.endsWith("mirror") ? address : { ...address, branch: "main" });
    await get(path);
    await remove(path);
    await remove(path);
  }
  const { body: made } = await post("/tokens", { name: "short", role: "reader", projects: [P], envs: ["*"], expires_in: "1h" });
  await get(`/tokens/${made.id}`);
  await post(`/tokens/${made.id}/rotate`, { overlap: "1h" });
  await remove(`/tokens/${made.id}`);
  const { headers } = await post("/session", { token: TOKEN }, { headers: { authorization: "" } });
  const cookie = String(headers["set-cookie"]).split(";", 1)[0] ?? "";
  await get("/session", { authorization: "", cookie });
  await api.ask("DELETE", "/session", { headers: { authorization: "", cookie, origin: engine.url } });
  for (const expect of ["1:wrong", `1:${"0".repeat(64)}`])
    for (const log of [`/env/${P}/audit`, "/tokens/audit"]) await get(`${log}/verify?expect=${expect}`);

  // Each of them, as it should not be asked.
  const sample: Record<string, string> = {
    project: P,
    env: "development",
    collection: "flows",
    name: "none",
    id: "none",
    n: "1",
    version: "v1",
    key: "beta",
  };
  for (const { method, path, operation } of api.operations.filter(({ operation: { operationId } }) => !ELSEWHERE.includes(operationId))) {
    const needed = operation.parameters.filter(({ in: where, required }) => where === "query" && required);
    const query = (more: string) =>
      `?${[...needed.map(({ name }) => `${name}=${name === "project_id" ? P : "development"}`), more].filter(Boolean).join("&")}`;
    const at = (changed: Record<string, string> = {}, more = "") =>
      path.replace(/\{(\w+)\}/g, (_, name) => changed[name] ?? sample[name] ?? "") + query(more);
    const body = Object.values(operation.requestBody?.content ?? {})[0]?.example;
    const ask = (to: string, more: Asked = {}) => api.ask(method as Method, to, { body, ...more });
    const { headers: whole } = await ask(at());
    if (method === "GET" && whole.etag !== undefined) await ask(at(), { headers: { "if-none-match": whole.etag } });
    for (const authorization of ["", "Bearer envm_0000000000000000_wrong", ...[...tokens.values()].map((token) => `Bearer ${token}`)])
      await ask(at(), { headers: { authorization } });
    for (const changed of [{ project: "nowhere" }, { project: "no%20name" }, { env: "nowhere" }, { env: "NO" }, { project: "%ff" }])
      await ask(at(changed));
    for (const more of ["unknown=1", "limit=1&limit=2", "limit=0&cursor=%00&at=x"]) await ask(at({}, more));
    for (const more of [
      { host: "evil.example" },
      { origin: "https://evil.example" },
      { "x-actor": "bob" },
      { "idempotency-key": "x".repeat(300) },
    ])
      await ask(at(), { headers: more as Record<string, string> });
    if (operation.requestBody === undefined) continue;
    for (const wrong of ["{", "[]", "null", '{"unknown":1}', "{}", '{"a":1,"a":2}', ""]) await ask(at(), { body: wrong });
    await ask(at(), { headers: { "content-type": "text/plain" } });
  }

  expect([...api.faults]).toEqual([]);
  const answered = (operation: string) => [...api.seen].some((pair) => pair.startsWith(`${operation} 2`));
  expect(api.operations.map(({ operation: { operationId } }) => operationId).filter((id) => !answered(id))).toEqual(ELSEWHERE);
  const statuses = new Set([...api.seen].map((pair) => Number(pair.split(" ")[1])));
  expect([...statuses].sort()).toEqual(expect.arrayContaining([200, 201, 202, 304, 400, 401, 403, 404, 409, 412, 415, 422]));
});
