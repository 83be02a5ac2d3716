import { createHmac } from "node:crypto";
import { expect } from "vitest";
import type { Members } from "../support/engine.ts";
import type { Run } from "./run.ts";

/** The ways by which secrets come in, each with a canary of its own. */

export const PROJECT = "canary";
export const config = (env: string) => `/env/${PROJECT}/${env}/config`;
const state = (env: string) => `/env/${PROJECT}/${env}/state`;
export const secret = (value: string) => ({ value, secret: true });
/** What has to be escaped, in whatever it is written. */
export const awkward = (core: string) => `"${core}\\/é🚀\n`;

const create = (run: Run, new_environment: string, more: Members = {}) =>
  run.done("POST", "/env/create", { project_id: PROJECT, new_environment, ...more });
const promotion = (source_env: string, target_env: string, more: Members = {}) => ({
  project_id: PROJECT,
  source_env,
  target_env,
  ...more,
});

/** Environments with secrets by name, by statement, by content, and copied from another. */
export async function environments(run: Run): Promise<void> {
  await create(run, "development", {
    env_variables: {
      REGION: "eu",
      API_KEY: run.mint("created by its name"),
      PLAIN: secret(run.mint("created as stated")),
      DATABASE: run.mint("a password in a URL, created", (core) => `postgres://app:${core}@db.example/app`),
      QUOTED_TOKEN: run.mint("created with characters that are escaped", awkward),
    },
  });
  await create(run, "staging", { base_from: "development", env_variables: { OTHER_KEY: run.mint("created on top of copies") } });
  const key = { "idempotency-key": "create-production" };
  const body = {
    project_id: PROJECT,
    new_environment: "production",
    base_from: "staging",
    env_variables: { PLAIN: run.mint("created once") },
  };
  await run.done("POST", "/env/create", body, key);
  await run.done("POST", "/env/create", body, key);
  const other = { ...body, env_variables: { PLAIN: run.mint("created under a used idempotency key") } };
  await run.refused("idempotency_mismatch", "POST", "/env/create", other, key);
  await create(run, "empty", { base_from: "development", secrets: "empty" });
  await create(run, "qa", { base_from: "development" });
  await run.done("PUT", state("development"), {
    state: {
      entities: { Order: { fields: { name: "text" } } },
      flows: { welcome: { trigger: "Customer.created", actions: [] } },
      requires: { API_KEY: { kind: "secret" }, PLAIN: { kind: "secret" }, NEEDED_KEY: { kind: "secret" } },
    },
  });
}

/** Edits of secrets: set, replaced, unset, written again under the same key. */
export async function edits(run: Run): Promise<void> {
  await run.done("PATCH", config("development"), { secrets: { PATCHED_KEY: run.mint("patched") }, message: "first" });
  await run.done("PATCH", config("development"), {
    secrets: { PATCHED_KEY: run.mint("patched again", awkward), API_KEY: run.mint("replaced") },
  });
  await run.done("PATCH", config("development"), { secrets: { REGION: run.mint("a var that became a secret") } });
  await run.done("PATCH", config("development"), { unset: ["secrets/DATABASE"] });
  const key = { "idempotency-key": "patch-once" };
  const once = { secrets: { ONCE_KEY: run.mint("patched once") } };
  await run.done("PATCH", config("development"), once, key);
  await run.done("PATCH", config("development"), once, key);
  await run.refused(
    "idempotency_mismatch",
    "PATCH",
    config("development"),
    { secrets: { ONCE_KEY: run.mint("patched under a used key") } },
    key,
  );
  const { etag } = (await run.ask({ method: "GET", path: config("development") })).headers;
  await run.done(
    "PATCH",
    config("development"),
    { secrets: { MATCHED_KEY: run.mint("patched with If-Match") } },
    { "if-match": String(etag) },
  );
  const stale = { secrets: { MATCHED_KEY: run.mint("patched with a stale If-Match") } };
  await run.refused("precondition_failed", "PATCH", config("development"), stale, { "if-match": String(etag) });
}

/** Flags beside secrets: a file of them, and what they are for somebody. */
export async function flags(run: Run): Promise<void> {
  const path = `/env/${PROJECT}/development/flags`;
  await run.done("PUT", path, { flags: { dark: { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "on" } } });
  const where = `?project_id=${PROJECT}&env=development`;
  await run.done("POST", `/ofrep/v1/evaluate/flags${where}`, { context: { targetingKey: "ada" } });
  await run.done("POST", `/ofrep/v1/evaluate/flags/dark${where}`, { context: { targetingKey: "ada" } });
}

/** Promotions that bring secrets along: applied, planned, refused, waiting, agreed to, turned down, voided. */
export async function promotions(run: Run, approver: Record<string, string>): Promise<void> {
  const promote = (more: Members, target = "staging") => run.done("POST", "/env/promote", promotion("development", target, more));
  const refused = (code: string, more: Members, target = "staging") =>
    run.refused(code, "POST", "/env/promote", promotion("development", target, more));

  await refused("checks_failed", { env_variables: { EXTRA_KEY: run.mint("promoted against a failing check") } });
  const planned = {
    NEEDED_KEY: run.mint("promoted for a plan"),
    DATABASE: run.mint("a password in a URL, promoted", (core) => `amqp://app:${core}@mq.example`),
  };
  const { plan_id } = await promote({ dry_run: true, env_variables: planned });
  await refused("plan_stale", { plan_id, env_variables: { ...planned, NEEDED_KEY: run.mint("promoted under another's plan") } });
  await promote({ plan_id, env_variables: planned });
  await refused("plan_stale", { plan_id, env_variables: planned });
  await refused("secret_stays_secret", { env_variables: { PLAIN: { value: run.mint("promoted as a var"), secret: false } } });
  await refused("invalid_request", { env_variables: { PLAIN: { value: [run.mint("promoted in a list")], secret: true } } });
  await refused("key_not_found", { vars: ["NOTHING"], env_variables: { PLAIN: run.mint("promoted beside what there is not") } });
  await refused("same_environment", { env_variables: { PLAIN: run.mint("promoted onto itself") } }, "development");
  await refused("environment_not_found", { env_variables: { API_KEY: run.mint("promoted to nowhere") } }, "nowhere");

  const production = { approvals: 1, validation: "required", forceable: ["approvals"] };
  await run.done("PUT", `/env/${PROJECT}/policy`, { environments: { production, empty: { auto_deploy: true } } });
  await run.done("PATCH", config("empty"), { secrets: { API_KEY: run.mint("patched where the planner is asked") } });
  const wait = async (canary: string) =>
    String((await promote({ env_variables: { NEEDED_KEY: run.mint(canary) } }, "production")).promotion_id);
  const decide = (id: string, decision: string) =>
    run.done("POST", `/env/promotions/${id}/${decision}`, { project_id: PROJECT, comment: "seen" }, approver);
  await decide(await wait("put up and rejected"), "reject");
  const voided = await wait("put up and voided");
  await run.done("PATCH", state("development"), { set: { "entities/Note": {} } });
  await run.refused("promotion_closed", "POST", `/env/promotions/${voided}/approve`, { project_id: PROJECT }, approver);
  await decide(await wait("put up and approved"), "approve");
  await run.done("PATCH", state("development"), { set: { "entities/Note": { fields: 1 } } });
  await wait("put up and left waiting");
  const force = { checks: ["approvals"], reason: "canary" };
  await promote({ force, env_variables: { NEEDED_KEY: run.mint("promoted by force") } }, "production");
}

/** Rolled back and forth, archived and restored, previews that end and come back. */
export async function histories(run: Run): Promise<void> {
  const transition = (what: string, env: string, more: Members = {}) =>
    run.done("POST", `/env/${what}`, { project_id: PROJECT, env, reason: "canary", ...more });
  await run.done("POST", "/env/rollback", { project_id: PROJECT, env: "development", to: 2 });
  await run.done("POST", "/env/rollback", { project_id: PROJECT, env: "development", to: 1, dry_run: true });
  await run.done("POST", "/env/rollback", { project_id: PROJECT, env: "production", to: 1, secrets: "keep_current" });
  await transition("hold", "qa");
  await transition("resume", "qa");
  await run.done("POST", "/env/deployments", {
    project_id: PROJECT,
    env: "staging",
    version: (await run.done("GET", `/env/${PROJECT}/staging/active`)).version,
    status: "deployed",
  });
  await transition("archive", "qa");
  await run.refused("environment_archived", "PATCH", config("qa"), { secrets: { API_KEY: run.mint("patched in what is archived") } });
  await transition("restore", "qa");

  const variables = { API_KEY: run.mint("created in a preview") };
  await create(run, "pr-1", { type: "preview", base_from: "development", expires_in: "1h" });
  await transition("extend", "pr-1", { expires_in: "2h" });
  await create(run, "pr-2", { type: "preview", base_from: "development", expires_in: "1s", env_variables: variables });
  await ended(run, "pr-2");
  await run.refused("environment_expired", "PATCH", config("pr-2"), { secrets: { API_KEY: run.mint("patched in what has expired") } });
  await run.refused("environment_expired", "GET", `/env/${PROJECT}/pr-2/runtime`);
  await transition("restore", "pr-2", { expires_in: "1h" });
  await create(run, "pr-2", {
    type: "preview",
    base_from: "development",
    env_variables: { API_KEY: run.mint("brought to a preview again") },
  });
}

/** Asks until the preview has ended and its end is in its history. */
async function ended(run: Run, env: string): Promise<void> {
  const expired = async () => (await run.ask({ method: "GET", path: config(env) })).status === 410;
  while (!(await expired())) await again();
  const swept = async () => (await run.done<{ readonly revision: number }>("GET", `/env/${PROJECT}/${env}`)).revision > 1;
  while (!(await swept())) await again();
}

/** Tokens and sessions: each value is in the one reply that shows it. */
export async function access(run: Run): Promise<{ readonly approver: Record<string, string>; readonly reader: Record<string, string> }> {
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  /** What the engine makes is a canary as soon as it is known: from the very reply that shows it. */
  const shownOnce = async (name: string, path: string, body: Members) => {
    const reply = await run.ask<{ readonly id: string; readonly token: string }>({ method: "POST", path, body });
    const { id, token } = reply.body;
    run.canaries.remember(name, token, token.slice(`envm_${id}_`.length));
    run.look(`the headers of the reply to POST ${path}`, JSON.stringify(reply.headers));
    return { id, token };
  };
  const make = (name: string, role: string, more: Members = {}) =>
    shownOnce(name, "/tokens", { name: "somebody", role, projects: [PROJECT], ...more });

  const approver = await make("the approver's token", "promoter");
  const reader = await make("the reader's token", "reader", { envs: ["development"] });
  const rotated = await make("a token that is rotated", "editor");
  const rotation = await shownOnce("the token after it", `/tokens/${rotated.id}/rotate`, { overlap: "1h" });
  await run.done("GET", "/session", undefined, bearer(rotated.token));
  await run.done("GET", "/session", undefined, bearer(rotation.token));
  await run.done("DELETE", `/tokens/${rotated.id}`);
  await run.refused("unauthorized", "GET", "/session", undefined, bearer(rotation.token));
  await run.refused("forbidden", "POST", "/tokens", { name: "more", role: "admin", projects: ["*"] }, bearer(reader.token));
  await run.refused("invalid_request", "POST", "/tokens", { name: "odd", role: run.mint("as a role"), projects: ["*"] });
  await run.refused("invalid_request", "POST", "/tokens", {
    name: "odd",
    role: "reader",
    projects: ["*"],
    token: run.mint("as a token of one's own"),
  });

  const opened = await run.ask({ method: "POST", path: "/session", body: { token: approver.token }, headers: { authorization: "" } });
  const cookie = String(opened.headers["set-cookie"]).split(";", 1)[0] ?? "";
  run.canaries.remember("a session", cookie.replace("envm_session=", ""));
  await run.refused("unauthorized", "POST", "/session", { token: run.mint("as a token to log in with") });
  await run.refused("invalid_request", "POST", "/session", { token: [run.mint("as a token in a list")] });
  const session = (method: "GET" | "DELETE") =>
    run.done(method, "/session", undefined, { authorization: "", cookie, "sec-fetch-site": "same-origin" });
  await session("GET");
  await session("DELETE");
  return { approver: bearer(approver.token), reader: bearer(reader.token) };
}

/** Webhooks: what events are signed with is in the replies that show it. One hears of everything, one fails, one is not there. */
export async function webhooks(run: Run): Promise<void> {
  const path = `/env/${PROJECT}/webhooks`;
  const address = (name: string, at: string) => run.addresses.mint(name, (core) => `http://${at}/${core}?token=${core}`);
  const shown = async (name: string, at: string, body: Members) => {
    const reply = await run.ask<{ readonly id: string; readonly secret: string }>({ method: "POST", path: at, body });
    expect(reply.body.secret, reply.text).toMatch(/^whsec_/);
    run.canaries.remember(name, reply.body.secret, reply.body.secret.replace("whsec_", ""));
    return reply.body.id;
  };
  const id = await shown("a webhook's secret", path, { url: address("its address", `${run.outside.host}/hooks`) });
  await shown("the secret after it", `${path}/${id}/rotate`, { overlap: "1h" });
  await run.done("PATCH", `${path}/${id}`, { description: "canary" });
  expect(await run.done("POST", `${path}/${id}/ping`)).toMatchObject({ delivered: true });
  const fails = await shown("the secret of one that fails", path, {
    url: address("the address of one that fails", `${run.outside.host}/fails`),
  });
  const absent = await shown("the secret of one that is not there", path, {
    url: address("the address of one that is not there", run.outside.gone),
  });
  for (const other of [fails, absent]) expect(await run.done("POST", `${path}/${other}/ping`)).toMatchObject({ delivered: false });
  for (const one of [id, fails, absent]) for (const what of ["", "/deliveries"]) await run.done("GET", `${path}/${one}${what}`);
  await run.done("DELETE", `${path}/${absent}`);

  const url = run.mint("a password in a webhook's address", (core) => `http://hooks:${core}@${run.outside.host}/hooks`);
  await run.refused("target_not_allowed", "POST", path, { url });
  await run.refused("target_not_allowed", "PATCH", `${path}/${id}`, { url });
  await run.refused("invalid_request", "POST", path, {
    url: "https://hooks.example/",
    secret: run.mint("as a webhook's secret of one's own"),
  });
}

/** Repositories: a credential goes in, what pushes are signed with comes out once, and a secret among the vars goes nowhere. */
export async function repositories(run: Run): Promise<void> {
  await run.done("POST", "/env/create", { project_id: PROJECT, new_environment: "pulled" });
  const path = `/env/${PROJECT}/pulled/git`;
  const url = `http://${run.outside.gone}/platform.git`;
  const set = await run.ask<{ readonly hook_secret: string }>({
    method: "PUT",
    path,
    body: { url, branch: "main", credential: run.mint("a repository's credential") },
  });
  expect(set.body.hook_secret, set.text).toMatch(/^whsec_/);
  run.canaries.remember("what pushes are signed with", set.body.hook_secret, set.body.hook_secret.replace("whsec_", ""));
  await run.done("GET", path);
  await run.refused("repository_unavailable", "POST", `${path}/pull`, {});
  const push = JSON.stringify({ ref: "refs/heads/main" });
  const signature = createHmac("sha256", set.body.hook_secret).update(push).digest("hex");
  await run.done("POST", `${path}/hook`, push, { "x-github-event": "push", "x-hub-signature-256": `sha256=${signature}` });
  await run.refused("unauthorized", "POST", `${path}/hook`, { ref: run.mint("in a push that nobody signed") });
  const commit = { id: "a".repeat(40), author: "Grace", email: "", at: "2026-01-31T12:00:00.000Z", message: "Begin" };
  const vars = { PAYMENT_TOKEN: run.mint("among the vars of a repository") };
  await run.refused("secret_stays_secret", "POST", `${path}/pull`, { commit, vars });
  await run.done("POST", `${path}/pull`, { commit, set: { "flows/pulled": { v: 1 } } });
  await run.refused("target_not_allowed", "PUT", path, {
    url: run.mint("a password in a repository's address", (core) => `https://x:${core}@git.example.com/x.git`),
    branch: "main",
  });
  await run.done("DELETE", path);
}

/** A mirror: its credential goes in, and comes out nowhere. What it cannot reach fails, and is told. */
export async function mirrors(run: Run): Promise<void> {
  const path = `/env/${PROJECT}/git/mirror`;
  const url = `http://${run.outside.gone}/mirror.git`;
  await run.done("PUT", path, { url, username: "bot", token: run.mint("a mirror's token") });
  await run.done("GET", path);
  await run.refused("target_not_allowed", "PUT", path, {
    url: run.mint("a password in a mirror's address", (core) => `https://x:${core}@git.example.com/x.git`),
  });
  await run.refused("invalid_request", "PUT", path, { url: "ssh://git@git.example.com/x.git", ssh_key: run.mint("a key that is none") });
  await run.done("DELETE", path);
}

/** Whoever is to be told of what happened has been. */
export async function toldEverybody(run: Run): Promise<void> {
  const behind = async () => {
    const { items } = await run.done<{ readonly items: readonly { readonly state: string; readonly backlog: number }[] }>(
      "GET",
      `/env/${PROJECT}/sinks`,
    );
    return items.some(({ state, backlog }) => state !== "failing" && backlog > 0);
  };
  while (await behind()) await again();
}

/** Now and then, since each request is logged. */
const again = () => new Promise((resolve) => setTimeout(resolve, 50));

/** Everything that can be read, on every route that reads. */
export async function readings(run: Run): Promise<void> {
  const values: Readonly<Record<string, string>> = {
    project: PROJECT,
    project_id: PROJECT,
    env: "development",
    collection: "entities",
    name: "Order",
    n: "1",
    version: "v0.1.0",
    source: "development",
    left: "development",
    right: "staging",
    id: "0123456789abcdef",
  };
  for (const { method, path, parameters } of run.reference.operations.filter((operation) => operation.method === "GET")) {
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? "x");
    const query = parameters.filter((one) => one.in === "query" && one.required).map(({ name }) => `${name}=${values[name] ?? "x"}`);
    for (const env of ["development", "staging", "production", "pr-2"]) {
      await run.ask({ method: "GET", path: filled.replace("/development", `/${env}`) + (query.length > 0 ? `?${query.join("&")}` : "") });
      if (method === "GET" && !path.includes("{env}")) break;
    }
  }
  for (const path of [
    "/docs",
    "/metrics",
    `/env/${PROJECT}/audit?limit=1000`,
    `/env/compare?project_id=${PROJECT}&left=development@1&right=production&bodies=1`,
  ]) {
    await run.ask({ method: "GET", path });
  }
}

const ENVIRONMENTS = ["development", "staging", "production", "empty", "qa", "pr-1", "pr-2"];

/** All secrets of all revisions, by both routes. */
export async function reveals(run: Run): Promise<void> {
  for (const env of ENVIRONMENTS) {
    const { revision } = await run.done<{ readonly revision: number }>("GET", `/env/${PROJECT}/${env}`);
    for (let at = 1; at <= revision; at++) await run.ask({ method: "GET", path: `/env/${PROJECT}/${env}/runtime?at=${at}` });
    await run.done("POST", `/env/${PROJECT}/${env}/secrets/reveal`, {});
  }
}

/** What is to be found where it belongs, so that not finding it elsewhere says something. All others were refused, or never applied. */
export const KEPT: readonly string[] = [
  "created by its name",
  "created as stated",
  "a password in a URL, created",
  "created with characters that are escaped",
  "created on top of copies",
  "created once",
  "patched",
  "patched again",
  "replaced",
  "a var that became a secret",
  "patched once",
  "patched with If-Match",
  "patched where the planner is asked",
  "promoted for a plan",
  "a password in a URL, promoted",
  "put up and approved",
  "promoted by force",
  "created in a preview",
  "brought to a preview again",
];

export const KILLED = "written when it was killed";

/** Writes that a power cut meets wherever they are by then: some told of, some not. Resolves when the engine is dead. */
export async function killedWhileWriting(run: Run): Promise<void> {
  let killing: Promise<void> | null = null;
  const writes = Array.from({ length: 60 }, async (_, index) => {
    const value = run.mint(`${KILLED} ${index}`);
    const body = index % 2 === 0 ? { secrets: { [`KILLED_KEY_${index}`]: value } } : undefined;
    const creation = { project_id: PROJECT, new_environment: `killed-${index}`, base_from: "staging", env_variables: { API_KEY: value } };
    await run.ask(body ? { method: "PATCH", path: config("qa"), body } : { method: "POST", path: "/env/create", body: creation });
    killing ??= run.engine.kill9();
  });
  await Promise.allSettled(writes);
  await killing;
}
