import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { standaloneEnvironment } from "../../scripts/demo/engine-process.ts";
import type { AuditRecord } from "../../src/model.ts";
import { packageRoot } from "../../src/package.ts";
import { loadSettings } from "../../src/settings.ts";
import { built } from "../support/built.ts";
import { Engine } from "../support/engine.ts";
import { type Answer, byFetch, hasShell, inBash, stepsOf } from "./curl.ts";
import { blocks, code, read, rows, section } from "./support.ts";

const README = read("README.md");
const TOKEN = "the-root-token-of-the-readme-0123456789";
const [LOOP = ""] = blocks(section(README, "## The loop"), "sh");
const steps = stepsOf(LOOP);

const runners = [
  ["bash and curl", inBash],
  ["fetch", byFetch],
] as const;

describe.each(runners)("the loop, by %s", (name, runner) => {
  // Everything is looked at by fetch as well.
  const skipped = name !== "fetch" && !hasShell();
  const engine = new Engine({ token: TOKEN });
  let answers: Answer[] = [];

  beforeAll(async () => {
    if (skipped) return;
    await engine.start();
    answers = await runner(LOOP, { engine: engine.url, TOKEN });
  });
  afterAll(() => engine.dispose());

  test("answers each request as the comment before it says", (context) => {
    context.skip(skipped, "bash or curl is not installed; the same is sent by fetch");
    expect(steps.length).toBeGreaterThan(10);
    const told = answers.map(({ status, body }, index) => {
      const { status: word, code } = body as { status?: string; code?: string };
      return { statement: steps[index]?.statement, status, word: steps[index]?.word === null ? null : (code ?? word) };
    });
    expect(told).toEqual(steps);
  });

  test("leads to what it says", async (context) => {
    context.skip(skipped, "bash or curl is not installed; the same is sent by fetch");
    const merged = await engine.get<{ component: unknown }>("/env/pf-777/staging/state/entities/Customer");
    expect(merged.body.component).toEqual({ fields: { name: "text", phone: "text", email: "text" } });
    const selected = await engine.get<{ state: Record<string, unknown> }>("/env/pf-777/production/state?at=3");
    expect(Object.keys(selected.body.state)).toEqual(["entities", "requires"]);
    const [, , , , , once] = answers;
    expect(once?.body).toMatchObject({ version: "v1.0.0", diff_from_previous: { env_updated: ["API_KEY"] } });
    expect(answers.at(-2)?.body).toMatchObject({ valid: true });
  });

  test("has the promotion approved by somebody else's token, which the audit log names", async (context) => {
    context.skip(skipped, "bash or curl is not installed; the same is sent by fetch");
    const { items: tokens } = (await engine.get<{ items: { id: string }[] }>("/tokens")).body;
    const { items: records } = (await engine.get<{ items: AuditRecord[] }>("/env/pf-777/audit?env=production")).body;
    const grace = { actor: "grace", subject: "grace", token: tokens[0]?.id };
    expect(records.filter(({ action }) => action === "approve")).toMatchObject([grace]);
    const applied = records.filter(({ details }) => details.approved_by !== undefined);
    expect(applied).toMatchObject([{ action: "promote", revision: 3, details: { requested_by: "root", approved_by: ["grace"] } }]);
    expect(answers.at(-1)?.body).toMatchObject({ items: [{ action: "token_created", actor: "root", details: { name: "grace" } }] });
  });
});

describe("what the README promises beside the loop", () => {
  const engine = new Engine({ token: TOKEN });

  beforeAll(async () => {
    await engine.start();
    await byFetch(LOOP, { engine: engine.url, TOKEN });
  });
  afterAll(() => engine.dispose());

  test("a request with an Idempotency-Key takes effect once, and its key goes with no other request", async () => {
    const request = { project_id: "pf-777", source_env: "staging", target_env: "production", env_variables: { API_KEY: "live-key" } };
    const before = await engine.get<{ revision: number }>("/env/pf-777/production");
    const again = await engine.request("POST", "/env/promote", request, { "idempotency-key": "release-1" });
    expect(again.body).toMatchObject({ status: "ready_for_deploy", version: "v1.0.0", revision: 2 });
    const other = await engine.request("POST", "/env/promote", { ...request, message: "again" }, { "idempotency-key": "release-1" });
    expect(other).toMatchObject({ status: 422, body: { code: "idempotency_mismatch" } });
    expect((await engine.get<{ revision: number }>("/env/pf-777/production")).body.revision).toBe(before.body.revision);
  });

  test("a preview that is asked for again is brought up to date", async () => {
    await engine.request("PATCH", "/env/pf-777/staging/state", { set: { "pages/home": {} } });
    const again = { project_id: "pf-777", new_environment: "pr-142", base_from: "staging", type: "preview", expires_in: "72h" };
    const reply = await engine.request("POST", "/env/create", again);
    expect(reply).toMatchObject({ status: 200, body: { status: "env_updated", revision: 2 } });
    expect((await engine.get("/env/pf-777/pr-142/state/pages/home")).status).toBe(200);
  });

  test("who asks for a promotion cannot approve it", async () => {
    const order = { project_id: "pf-777", source_env: "staging", target_env: "production", strategy: "merge" };
    const put = await engine.request<{ promotion_id: string }>("POST", "/env/promote", order);
    expect(put.status).toBe(202);
    const approval = await engine.request("POST", `/env/promotions/${put.body.promotion_id}/approve`, { project_id: "pf-777" });
    expect(approval).toMatchObject({ status: 403, body: { code: "self_approval" } });
  });

  test("what a token may not see looks like what does not exist", async () => {
    const { token } = await newToken({ name: "joan", role: "admin", projects: ["pf-777"], envs: ["production"] });
    const ask = async (path: string) => {
      const { status, text } = await engine.get(path, { authorization: `Bearer ${token}`, "x-request-id": "r-1" });
      return { status, text };
    };
    const nowhere = (reply: { text: string }) => ({ ...reply, text: reply.text.replaceAll("nowhere", "staging") });
    expect(await ask("/env/pf-777/staging/state")).toEqual(nowhere(await ask("/env/pf-777/nowhere/state")));
    await engine.request("POST", "/env/create", { project_id: "pf-778", new_environment: "development" });
    const other = await ask("/env/pf-778");
    expect(other.status).toBe(404);
    expect(other).toEqual({ status: 404, text: (await ask("/env/pf-779")).text.replaceAll("pf-779", "pf-778") });
    expect(await ask("/env")).toMatchObject({ text: expect.not.stringContaining("pf-778") });
  });

  test("a token is kept as its SHA-256 alone, and gives nobody more than whoever made it has", async () => {
    const { token } = await newToken({ name: "ada", role: "admin", projects: ["pf-777"] });
    const ada = { authorization: `Bearer ${token}` };
    for (const more of [{ projects: ["*"] }, { projects: ["pf-*"] }, { projects: ["pf-777"], rights: ["secrets:reveal"] }]) {
      const reply = await engine.request("POST", "/tokens", { name: "more", role: "reader", ...more }, ada);
      expect(reply).toMatchObject({ status: 403, body: { code: "forbidden" } });
    }
    const kept = readdirSync(engine.directory).map((file) => readFileSync(join(engine.directory, file), "latin1"));
    expect(kept.some((bytes) => bytes.includes(createHash("sha256").update(token).digest("hex")))).toBe(true);
    expect(kept.some((bytes) => bytes.includes(token) || bytes.includes(token.slice(-43)))).toBe(false);
  });

  test("what was refused to whom is in the audit log of access, and its chain verifies", async () => {
    const { id, token } = await newToken({ name: "reader-of-production", role: "reader", projects: ["pf-777"], envs: ["production"] });
    const order = { project_id: "pf-777", env: "production", to: 1 };
    const reply = await engine.request("POST", "/env/rollback", order, { authorization: `Bearer ${token}` });
    expect(reply).toMatchObject({ status: 403, body: { code: "forbidden" } });
    const refused = async () =>
      (await engine.get<{ items: AuditRecord[] }>("/tokens/audit?actor=reader-of-production")).body.items.map(({ action, token }) => [
        action,
        token,
      ]);
    await expect.poll(refused).toEqual([["access_refused", id]]);
    expect((await engine.get("/tokens/audit/verify")).body).toMatchObject({ valid: true });
  });

  test("a stopped engine's store is proven whole, and its vault's key replaced", async () => {
    await engine.stop();
    const settings = { STORE_URL: `sqlite:${join(engine.directory, "env.db")}` };
    const checked = await command("store-check", settings);
    expect(checked).toMatchObject({ status: 0, output: expect.stringContaining("Everything in 2 projects resolves.") });
    expect(await command("vault-rotate", settings)).toMatchObject({ status: 0 });
    await engine.start();
    const runtime = await engine.get<{ secrets: unknown }>("/env/pf-777/development/runtime");
    expect(runtime.body.secrets).toEqual({ API_KEY: "dev-key" });
  });

  async function newToken(request: object): Promise<{ id: string; token: string }> {
    const reply = await engine.request<{ id: string; token: string }>("POST", "/tokens", request);
    expect(reply.status).toBe(201);
    return reply.body;
  }
});

describe("an engine that nobody gave a token", () => {
  const engine = new Engine({ token: "", env: { ENV_MANAGER_AUTH: "on" } });
  afterAll(() => engine.dispose());

  test("makes the database, the key file and a token, which it shows once", async () => {
    await engine.start();
    const [token = ""] = /envm_root_[\w-]+/.exec(engine.output()) ?? [];
    for (const file of ["env.db", "env.db.key"]) expect(existsSync(join(engine.directory, file))).toBe(true);
    expect((await engine.get("/env", { authorization: `Bearer ${token}` })).status).toBe(200);
    await engine.restart();
    expect(engine.output().match(/envm_root_/g)).toHaveLength(1);
    expect((await engine.get("/env", { authorization: `Bearer ${token}` })).status).toBe(200);
  });
});

describe("the settings", () => {
  const table = rows(section(README, "## Settings")).filter(([name]) => /^`[A-Z_]+`$/.test(name ?? ""));
  const known = [
    ...new Set([...read("src/settings.ts").matchAll(/\bread\("([A-Z_]+)"\)|: "([A-Z]+_URL)",/g)].map(([, name, url]) => name ?? url ?? "")),
  ].sort();

  test("of the table are those that the engine reads, and those of .env.example", () => {
    expect(known.length).toBeGreaterThan(5);
    expect(table.map(([name]) => code(name)).sort()).toEqual(known);
    expect([...read(".env.example").matchAll(/^#?([A-Z_]+)=/gm)].map(([, name]) => name ?? "").sort()).toEqual(known);
  });

  const folder = mkdtempSync(join(tmpdir(), "env-manager-"));
  const root = join(folder, "family/engine");
  mkdirSync(root, { recursive: true });
  afterAll(() => rmSync(folder, { recursive: true }));

  test("have the defaults that the table gives them", () => {
    const settings = loadSettings({}, root);
    const told = Object.fromEntries(table.map(([name, value]) => [code(name), code(value)]));
    expect(told).toMatchObject({
      ENV_MANAGER_PORT: String(settings.port),
      ENV_MANAGER_HOST: settings.host,
      ENV_MANAGER_AUTH: settings.auth,
      STORE_URL: settings.storeUrl,
      PREVIEW_URL_TEMPLATE: settings.previewUrlTemplate,
      LOG_LEVEL: settings.logLevel,
      RATE_LIMIT_PER_TOKEN: String(settings.requestsPerSecond.perToken),
      RATE_LIMIT_PER_ADDRESS: String(settings.requestsPerSecond.perAddress),
      STREAM_LIMIT_PER_TOKEN: String(settings.streamsPerToken),
    });
    const url = { VAULT_URL: "http://127.0.0.1:4001" };
    const { vault } = loadSettings({ ...url, VAULT_KIND: "kv2", VAULT_TOKEN: "t" }, root);
    expect(vault).toMatchObject({ mount: told.VAULT_MOUNT, prefix: told.VAULT_PREFIX, namespace: null });
    const kinds = [{}, url].map((set) => loadSettings(set, root).vault.kind);
    expect(
      [...(table.find(([name]) => code(name) === "VAULT_KIND")?.[1] ?? "").matchAll(/`([a-z]+\d?)`/g)].map(([, kind]) => kind),
    ).toEqual(kinds);
    const needed = { OIDC_ISSUER: "https://id.example.com", OIDC_AUDIENCE: "environment-manager", OIDC_ROLES: "{}" };
    const { oidc } = loadSettings(needed, root);
    expect(told).toMatchObject({ OIDC_ROLE_CLAIM: oidc?.claim, OIDC_ACTOR_CLAIM: oidc?.actorClaim });
    expect([told.STALE_READS, told.SHUTDOWN_DELAY]).toEqual(["0s", "0s"]);
    expect(settings).toMatchObject({
      oidc: null,
      staleReadsMs: 0,
      shutdownDelayMs: 0,
      allowedHosts: [],
      trustedProxies: [],
      webhookAllow: [],
    });
    expect(Object.values(settings.siblings)).toEqual(Object.values(settings.siblings).map(() => null));
  });

  test("of an identity provider go together", () => {
    expect(() => loadSettings({ OIDC_ISSUER: "https://id.example.com", OIDC_ROLES: "{}" }, root)).toThrow(/OIDC_AUDIENCE/);
    expect(() => loadSettings({ OIDC_ISSUER: "https://id.example.com", OIDC_AUDIENCE: "engine" }, root)).toThrow(/OIDC_ROLES/);
  });

  test("of a vault elsewhere go together, and none of their refusals repeats a password", () => {
    expect(() => loadSettings({ VAULT_KIND: "puraify" }, root)).toThrow(/VAULT_URL/);
    const kv2 = { VAULT_KIND: "kv2", VAULT_URL: "http://127.0.0.1:4001" };
    for (const more of [{}, { VAULT_ROLE_ID: "r" }, { VAULT_TOKEN: "t", VAULT_ROLE_ID: "r", VAULT_SECRET_ID: "s" }])
      expect(() => loadSettings({ ...kv2, ...more }, root)).toThrow(/VAULT_ROLE_ID and VAULT_SECRET_ID/);
    expect(() => loadSettings({ LOGS_URL: "ftp://a:pass-word@b" }, root)).toThrow(/^(?!.*pass-word).*LOGS_URL/);
  });

  test("take addresses, networks and their names as trusted proxies, and nothing else", () => {
    const proxies = ["10.0.0.0/8", "loopback", "2001:db8::1"];
    expect(loadSettings({ ENV_MANAGER_TRUSTED_PROXIES: proxies.join(", ") }, root).trustedProxies).toEqual(proxies);
    expect(() => loadSettings({ ENV_MANAGER_TRUSTED_PROXIES: "proxy.example.com" }, root)).toThrow(/addresses or networks/);
  });

  test("come from the process, then from the .env beside package.json, then from the family's", () => {
    writeFileSync(join(folder, ".env"), "ENV_MANAGER_PORT=1\nLOG_LEVEL=warn\nSTORE_URL=memory:\n");
    writeFileSync(join(root, ".env"), "ENV_MANAGER_PORT=2\nLOG_LEVEL=error\n");
    expect(loadSettings({ ENV_MANAGER_PORT: "3" }, root)).toMatchObject({ port: 3, logLevel: "error", storeUrl: "memory:" });
  });

  test("are refused where they would open the engine to others, or are too weak", () => {
    expect(() => loadSettings({ ENV_MANAGER_AUTH: "off", ENV_MANAGER_HOST: "0.0.0.0" }, root)).toThrow(/loopback/);
    expect(() => loadSettings({ ENV_MANAGER_ADMIN_TOKEN: "fifteen-chars-x" }, root)).toThrow(/16 characters/);
  });

  test("are refused where they could never work: a root token that no header carries, a host with its scheme or port, an address of no page", () => {
    for (const token of ["a root token with spaces", "a-röot-token-with-an-umlaut"])
      expect(() => loadSettings({ ENV_MANAGER_ADMIN_TOKEN: token }, root)).toThrow(/ENV_MANAGER_ADMIN_TOKEN .*(?!umlaut)/);
    for (const name of ["https://envm.example.com", "envm.example.com:443", "envm.example.com/", "*.example.com"])
      expect(() => loadSettings({ ENV_MANAGER_ALLOWED_HOSTS: `one.example.com, ${name}` }, root)).toThrow(`holds "${name}"`);
    const { allowedHosts } = loadSettings({ ENV_MANAGER_ALLOWED_HOSTS: "Envm.example.com, 10.0.0.5, 2001:DB8::1, [2001:db8::2]" }, root);
    expect(allowedHosts).toEqual(["envm.example.com", "10.0.0.5", "[2001:db8::1]", "[2001:db8::2]"]);
    for (const template of ["preview.example.com/{env}", "javascript:alert('{env}')", "https://preview.example.com/{project}/{env}"])
      expect(() => loadSettings({ PREVIEW_URL_TEMPLATE: template }, root)).toThrow(/PREVIEW_URL_TEMPLATE .*\{project_id\} and \{env\}/);
    for (const name of ["LOGS_URL", "VAULT_URL"])
      expect(() => loadSettings({ [name]: "http://127.0.0.1:4001/?key=pass-word" }, root)).toThrow(new RegExp(`^(?!.*pass-word)${name} `));
    const perEnvironment = { PREVIEW_URL_TEMPLATE: "http://{env}.{project_id}.preview.localhost:8080/" };
    expect(loadSettings(perEnvironment, root).previewUrlTemplate).toBe(perEnvironment.PREVIEW_URL_TEMPLATE);
  });
});

describe.each([
  "README.md",
  "AGENTS.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  "ENGINE_SPEC.md",
  "docs/access.md",
  "docs/family.md",
  "docs/policy.md",
  "docs/dependencies.md",
])("%s", (file) => {
  const text = read(file);

  test("names commands that there are", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    for (const [, name = ""] of text.matchAll(/npm run (?:--silent )?([\w:]+)/g)) expect(Object.keys(scripts)).toContain(name);
    for (const [, name = ""] of text.matchAll(/npm (test|start)\b/g)) expect(Object.keys(scripts)).toContain(name);
  });

  test("names files that there are", () => {
    const named = [...text.matchAll(/`((?:src|tests|docs|scripts|examples)\/[\w./-]+|[A-Z_]+\.md|\.env\.example)`/g)].map(
      ([, path]) => path ?? "",
    );
    for (const path of named) expect(existsSync(new URL(`../../${path}`, import.meta.url)), path).toBe(true);
    for (const [, path = ""] of text.matchAll(/\]\(((?!https?:|#)[^)#]+)/g)) {
      expect(existsSync(new URL(path, new URL(`../../${file}`, import.meta.url))), path).toBe(true);
    }
  });
});

/** Runs what an npm script runs. */
function command(script: string, settings: Record<string, string>): Promise<{ status: number | null; output: string }> {
  const child = spawn(process.execPath, [built(`scripts/${script}.js`)], {
    cwd: packageRoot(),
    env: standaloneEnvironment(settings) as NodeJS.ProcessEnv,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, output }));
  });
}
