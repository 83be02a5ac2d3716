import { expect } from "vitest";
import type { Members } from "../support/engine.ts";
import type { Run } from "./run.ts";

/** The ways by which secrets come in, each with a canary of its own. */

export const PROJECT = "canary";
const config = (env: string) => `/env/${PROJECT}/${env}/config`;
const state = (env: string) => `/env/${PROJECT}/${env}/state`;
const secret = (value: string) => ({ value, secret: true });
/** What has to be escaped, in whatever it is written. */
const awkward = (core: string) => `"${core}\\/é🚀\n`;

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

  await run.done("PUT", `/env/${PROJECT}/policy`, { environments: { production: { approvals: 1, forceable: ["approvals"] } } });
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

  const expires_at = new Date(Date.now() + 1_000).toISOString();
  const variables = { API_KEY: run.mint("created in a preview") };
  await create(run, "pr-1", { type: "preview", base_from: "development", expires_in: "1h" });
  await transition("extend", "pr-1", { expires_in: "2h" });
  await create(run, "pr-2", { type: "preview", base_from: "development", expires_at, env_variables: variables });
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

/** Asks until the preview has ended and its end is in its history; now and then, since each time is logged. */
async function ended(run: Run, env: string): Promise<void> {
  const again = () => new Promise((resolve) => setTimeout(resolve, 50));
  const expired = async () => (await run.ask({ method: "GET", path: config(env) })).status === 410;
  while (!(await expired())) await again();
  const swept = async () => (await run.done<{ readonly revision: number }>("GET", `/env/${PROJECT}/${env}`)).revision > 1;
  while (!(await swept())) await again();
}

/** What is refused before it is looked at closely, and after: the value must not come back in the reason. */
export async function refusals(run: Run, reader: Record<string, string>): Promise<void> {
  const patch = (code: string, body: unknown, headers?: Record<string, string>, env = "development") =>
    run.refused(code, "PATCH", config(env), body, headers);
  const text = (name: string) => `{"secrets":{"API_KEY":"${run.mint(name)}`;

  await patch("invalid_json", text("in JSON that breaks off"));
  await patch("invalid_json", `${text("in JSON with a comma too many")}",}}`);
  await patch("invalid_json", `${text("in JSON with an escape that there is not")}\\x"}}`);
  await patch("invalid_json", `${text("in JSON with a control character")}\u0001"}}`);
  await patch("invalid_json", `${text("in JSON with half a surrogate pair")}\\ud800"}}`);
  await patch("invalid_json", `${text("in JSON with a member twice")}","API_KEY":"${run.mint("in the second of two members")}"}}`);
  await patch("invalid_json", Buffer.concat([Buffer.from(text("in what is no UTF-8")), Buffer.from([0xff, 0x22, 0x7d, 0x7d])]));
  await patch("invalid_json", `${text("in JSON that is nested too deep")}","x":${"[".repeat(70)}`);
  await patch("invalid_request", JSON.stringify([run.mint("in a list that is the body")]));
  await patch("invalid_request", JSON.stringify(run.mint("as the body itself")));
  await patch("unsupported_media_type", `API_KEY=${run.mint("in a form")}`, { "content-type": "application/x-www-form-urlencoded" });
  await patch("unsupported_media_type", `${text("in what says that it is compressed")}"}}`, { "content-encoding": "gzip" });

  await patch("invalid_request", { secrets: { API_KEY: [run.mint("in a list")] } });
  await patch("invalid_request", { secrets: { API_KEY: secret(run.mint("in an object")) } });
  await patch("invalid_request", { secrets: run.mint("in place of all secrets") });
  await patch("invalid_request", { secrets: [run.mint("in a list of secrets")] });
  await patch("invalid_request", { password: run.mint("in a field that there is not") });
  await patch("invalid_request", { secrets: {}, API_KEY: run.mint("beside the secrets") });
  await patch("invalid_request", { unset: [1], secrets: { A_KEY: run.mint("beside a list of numbers") } });
  await patch("invalid_name", { secrets: { "no name": run.mint("under a name that is none") } });
  await patch("invalid_request", `{"secrets":{"__proto__":"${run.mint("as the prototype")}"}}`);
  await patch("too_large", { secrets: { API_KEY: run.mint("too large", (core) => core + "x".repeat(70_000)) } });
  await patch("too_large", { secrets: { API_KEY: run.mint("in too large a body", (core) => core + "x".repeat(1_100_000)) } });
  await patch("invalid_request", { secrets: { API_KEY: run.mint("beside an edit that names it twice") }, unset: ["secrets/API_KEY"] });
  await patch("secret_stays_secret", { vars: { API_KEY: run.mint("as a var under a secret's name") } });
  await patch("secret_stays_secret", { vars: { BOTH: "x" }, secrets: { BOTH: run.mint("as a secret and a var") } });
  await patch("invalid_flag", { flags: { beta: "neither" }, secrets: { API_KEY: run.mint("beside a flag that is none") } });
  await patch("version_taken", { version: "v0.1.0", secrets: { TAKEN_KEY: run.mint("under a version that is taken") } });
  await patch("invalid_request", { message: "m".repeat(2_001), secrets: { API_KEY: run.mint("beside too long a message") } });
  await patch("environment_not_found", { secrets: { API_KEY: run.mint("in an environment that there is not") } }, {}, "nowhere");
  await patch("forbidden", { secrets: { API_KEY: run.mint("by somebody who may not") } }, reader);
  await patch("environment_not_found", { secrets: { API_KEY: run.mint("by somebody who does not see it") } }, reader, "production");
  await run.refused("project_not_found", "PATCH", "/env/nobody/development/config", {
    secrets: { API_KEY: run.mint("in a project that there is not") },
  });
  await run.refused("method_not_allowed", "PUT", config("development"), {
    secrets: { API_KEY: run.mint("by a method that there is not") },
  });
  await run.refused("route_not_found", "POST", "/env/secrets/new/here", { secrets: { API_KEY: run.mint("on a route that there is not") } });

  const creation = (code: string, more: Members, headers?: Record<string, string>) =>
    run.refused(code, "POST", "/env/create", { project_id: PROJECT, new_environment: "refused", ...more }, headers);
  await creation("environment_exists", { new_environment: "staging", env_variables: { API_KEY: run.mint("created again") } });
  await creation("base_not_found", { base_from: "nowhere", env_variables: { API_KEY: run.mint("created from nothing") } });
  await creation("invalid_name", { new_environment: "No Name", env_variables: { API_KEY: run.mint("created without a name") } });
  await creation("invalid_name", { env_variables: { "../KEY": run.mint("created under a name that is none") } });
  await creation("invalid_request", {
    env_variables: { API_KEY: { value: run.mint("created with a switch that is none"), secret: "yes" } },
  });
  await creation("invalid_request", { env_variables: { API_KEY: { value: "x", secret: run.mint("created as a switch") } } });
  await creation("invalid_request", { env_variables: { API_KEY: { secert: true, value: run.mint("created with a misspelt field") } } });
  await creation("secret_stays_secret", {
    base_from: "development",
    env_variables: { PLAIN: { value: run.mint("created as a var"), secret: false } },
  });
  await creation("forbidden", { env_variables: { API_KEY: run.mint("created by somebody who may not") } }, reader);
  await creation("invalid_request", {
    type: "preview",
    expires_in: "soon",
    env_variables: { API_KEY: run.mint("created until some time") },
  });

  const reveal = `/env/${PROJECT}/development/secrets/reveal`;
  await run.refused("invalid_request", "POST", reveal, { names: run.mint("in place of the names to reveal") });
  await run.refused("forbidden", "POST", reveal, {}, reader);
  await run.refused("forbidden", "GET", `/env/${PROJECT}/development/runtime`, undefined, reader);
}

/** Where a secret ends up by mistake: in the query, in headers, in what is not even a request. */
export async function mistakes(run: Run): Promise<void> {
  const path = config("development");
  const query = (name: string) => `${path}?API_KEY=${encodeURIComponent(run.mint(name, awkward))}`;
  await run.refused("invalid_request", "GET", query("in a query"));
  await run.refused("invalid_request", "PATCH", query("in the query of a write"), { vars: {} });
  await run.refused("invalid_request", "GET", `${path}?at=${run.mint("as a revision")}`);
  await run.refused("invalid_request", "GET", `/env/${PROJECT}/audit?limit=${run.mint("as a limit")}`);
  await run.refused("invalid_request", "GET", `/env/${PROJECT}/audit/verify?expect=${run.mint("as a head")}`);
  await run.refused("invalid_request", "GET", `/env/compare?project_id=${PROJECT}&left=staging&right=qa&bodies=${run.mint("as a switch")}`);
  await run.done("GET", `/env/${PROJECT}/audit?actor=${run.mint("as an actor that is looked for")}`);
  await run.refused("route_not_found", "GET", `/nothing/here?token=${run.mint("in the query of no route")}`);

  const read = (code: string, headers: Record<string, string>) => run.refused(code, "GET", path, undefined, headers);
  const write = (code: string, headers: Record<string, string>) => run.refused(code, "PATCH", path, { vars: {} }, headers);
  await read("unauthorized", { authorization: `Bearer ${run.mint("as a token")}` });
  await read("unauthorized", { authorization: `Bearer envm_0123456789abcdef_${run.mint("as a token's secret").padEnd(43, "x")}` });
  await read("unauthorized", { authorization: `Bearer ${run.mint("as a JWT", (core) => `eyJhbGciOiJub25lIn0.${core}.x`)}` });
  await read("unauthorized", { authorization: `Basic ${Buffer.from(`root:${run.mint("as a password")}`).toString("base64")}` });
  await read("unauthorized", { authorization: "", cookie: `envm_session=${run.mint("as a session").padEnd(43, "x")}` });
  await read("forbidden", { "x-actor": run.mint("as an actor") });
  await read("host_not_allowed", { host: run.mint("as a host") });
  await write("origin_not_allowed", { origin: `https://${run.mint("as an origin")}.example` });
  await write("invalid_request", { "idempotency-key": run.mint("as an idempotency key that is none", (core) => `${core} `.repeat(20)) });
  await write("invalid_request", { "if-match": run.mint("as a tag that is none") });
  await write("precondition_failed", { "if-match": `"${run.mint("as a tag")}"` });
  await write("unsupported_media_type", { "content-type": `application/${run.mint("as a media type")}` });
  // What has the form of a request id is one, and is told by design; this has not.
  const told = {
    "x-request-id": run.mint("as a request id that is none", (core) => `${core}==`),
    "user-agent": run.mint("as a client"),
    referer: run.mint("as a page"),
  };
  await run.done("GET", path, undefined, {
    ...told,
    "if-none-match": `"${run.mint("as a tag that is known")}"`,
    "x-odd": run.mint("in a header that nobody knows"),
  });
  await run.done("PATCH", path, { flags: { beta: true } }, { "idempotency-key": run.mint("as an idempotency key") });

  const line = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer`;
  await run.wire("a header with NUL in it", `${line} ${run.mint("in a broken header")}\0\r\n\r\n`);
  await run.wire("an expectation", `${line} x\r\nExpect: ${run.mint("as an expectation")}\r\nConnection: close\r\n\r\n`);
  await run.wire("a method that there is not", `${run.mint("as a method").toUpperCase()} / HTTP/1.1\r\n\r\n`);
  await run.wire(
    "headers that are too large",
    `${line} ${run.mint("in headers that are too large")}\r\nX-Odd: ${"x".repeat(20_000)}\r\n\r\n`,
  );
  await run.wire("a coding", `POST /env/create HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: ${run.mint("as a coding")}\r\n\r\n`);
}

/** A secret that stands where a name belongs is shown to whoever sent it, who has it: it must be nowhere else. */
export async function names(run: Run): Promise<void> {
  const shown = async (name: string, ask: (value: string) => Promise<{ readonly status: number }>) => {
    expect((await ask(run.mint(name))).status).toBeGreaterThanOrEqual(400);
  };
  const send = (name: string) => (path: string, body?: unknown) =>
    run.ask({ method: body === undefined ? "GET" : "PATCH", path, body }, [name]);
  const inPath = "as a name in a path";
  await shown(inPath, (value) => send(inPath)(`/env/${PROJECT}/${value}/config`));
  const inQuery = "as a name in a query";
  await shown(inQuery, (value) => send(inQuery)(`/env/compare?project_id=${PROJECT}&left=${value}&right=staging`));
  const inBody = "as a secret's name";
  await shown(inBody, (value) => send(inBody)(config("development"), { secrets: { [`${value}!`]: "x" } }));
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
