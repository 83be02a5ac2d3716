import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { parse } from "dotenv";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Sibling } from "../../src/engines/sibling.ts";
import { openFamily } from "../../src/family.ts";
import { LIMITS } from "../../src/limits.ts";
import type { AuditRecord } from "../../src/model.ts";
import { packageRoot } from "../../src/package.ts";
import { loadSettings } from "../../src/settings.ts";
import { PuraifyEntries } from "../../src/vault/puraify.ts";
import { Engine } from "../support/engine.ts";
import { type Answer, byFetch, hasShell, inBash, stepsOf } from "./curl.ts";
import { contractsOf, StandIns } from "./stand-ins.ts";
import { blocks, code, read, rows, section } from "./support.ts";

const PAGE = read("docs/family.md");
const NO_FILES = "/no/such/folder";
const SETTINGS = ["VAULT_URL", "VALIDATION_URL", "LOGS_URL", "DEPLOYMENT_URL", "BUILDER_URL", "FEEDBACK_URL"];
const PROJECT = "pf-777";
const START_MS = 120_000;
/** A sibling that was away is left alone for a while, and what follows the log rests in between. */
const RECOVERY_MS = 60_000;

const contracts = contractsOf(blocks(PAGE, "http"));

describe("the engines of the family, as the page shows their requests and replies,", () => {
  const family = new StandIns(contracts);
  const env: Record<string, string> = {};
  const engine = new Engine({ env });

  beforeAll(async () => {
    await family.start();
    for (const name of SETTINGS) env[name] = family.url;
    await engine.start();
    await create("development", { env_variables: { API_KEY: "dev-key" } });
    await patch("development", { "flows/first": { trigger: "Customer.created", actions: [{ type: "send_email" }] } });
    await create("staging", {});
  }, START_MS);
  afterAll(async () => {
    await engine.dispose();
    await family.stop();
  });

  test("are asked exactly so, and understood", async () => {
    await policy({
      staging: { validation: "required", auto_deploy: true, rollback_on_failure: true },
      production: { validation: "advisory", approvals: 1 },
    });
    await create("production", { type: "production" });
    expect(await promote("development", "staging")).toMatchObject({ status: 200, body: { status: "ready_for_deploy" } });
    await expect.poll(deployment("staging")).toMatchObject({ status: "deployed", version_id: "d-1842", url: "https://shop.example.com" });
    expect((await engine.get(`/env/${PROJECT}/development/runtime`)).body).toMatchObject({ secrets: { API_KEY: "dev-key" } });
    const url = "https://pr-142.preview.example.com/";
    expect(await create("pr-142", { base_from: "staging", type: "preview" })).toMatchObject({ status: 201, body: { url } });
    expect((await engine.get(`/env/${PROJECT}/pr-142`)).body).toMatchObject({ url });
    expect(await promote("staging", "production")).toMatchObject({ status: 202 });
    await report("production", "failed");
    await deleteEntry(family.url);
    await expect.poll(() => family.unasked(), { timeout: RECOVERY_MS }).toEqual([]);
    expect(family.breaches).toEqual([]);
    await expect.poll(backlogs).toEqual({ monitoring: 0, deployment: 0, feedback: 0 });
  });

  test("are understood where they answer otherwise", async () => {
    family.otherwise = true;
    await patch("development", { "flows/second": { trigger: "Order.created" } });
    expect(await promote("development", "staging")).toMatchObject({ status: 409, body: { code: "checks_failed" } });
    const before = await head("staging");
    await engine.request("PATCH", `/env/${PROJECT}/staging/config`, { vars: { GREETING: "hello" } });
    await expect.poll(deployment("staging")).toMatchObject({ status: "failed", reason: "smoke: The smoke test failed. Look at its log." });
    // Back where it was, with the failure as the reason, and the last word on it: no other rollback follows.
    await expect
      .poll(() => head("staging"), { timeout: RECOVERY_MS })
      .toMatchObject({
        snapshot: before.snapshot,
        revision: before.revision + 2,
        hold: { by: "engine", reason: expect.stringContaining("smoke") },
      });
    const template = `https://preview.puraify.app/${PROJECT}/pr-143`;
    const preview = await create("pr-143", { base_from: "staging", type: "preview" });
    expect(preview.body).toMatchObject({ url: template });
    expect(preview.body).not.toHaveProperty("warning");
    await patch("development", { "entities/Order": {} }, ["flows/second"]);
    await engine.request("POST", "/env/resume", { project_id: PROJECT, env: "staging" });
    family.otherwise = false;
    await expect.poll(backlogs, { timeout: RECOVERY_MS }).toEqual({ monitoring: 0, deployment: 0, feedback: 0 });
    for (const { refused_count } of await sinks()) expect(refused_count).toBe(0);
    expect(family.breaches).toEqual([]);
  });

  test("cost, while they are away, what the page says, and nothing once they are back", async () => {
    await family.stop();
    await patch("development", { "flows/third": { trigger: "Order.paid" } });
    expect(await promote("development", "staging")).toMatchObject({ status: 503, body: { code: "validation_unavailable" } });
    await policy({ staging: { validation: "advisory", auto_deploy: true } });
    const promoted = await promote("development", "staging");
    expect(promoted).toMatchObject({
      status: 200,
      body: { checks: expect.arrayContaining([expect.objectContaining({ status: "warning" })]) },
    });
    const preview = await create("pr-144", { base_from: "production", type: "preview" });
    expect(preview).toMatchObject({ status: 201, body: { warning: expect.stringContaining("Platform Builder") } });
    const secret = await engine.request("PATCH", `/env/${PROJECT}/development/config`, { secrets: { API_KEY: "new" } });
    expect(secret).toMatchObject({ status: 503, body: { code: "vault_unavailable" } });
    expect((await engine.get(`/env/${PROJECT}/development/config`)).status).toBe(200);
    await expect.poll(deployment("staging")).toMatchObject({ status: "deploying" });
    const failing = async () => (await sinks()).filter(({ state }) => state === "failing").map(({ name }) => name);
    await expect.poll(failing, { timeout: RECOVERY_MS }).toEqual(["monitoring", "deployment"]);
    const ready = await engine.get<Ready>("/readyz");
    expect(ready).toMatchObject({ status: 200, body: { status: "ready" } });
    const faulty = Object.entries(ready.body.checks).filter(([, { status }]) => status !== "ok");
    expect(faulty.map(([name]) => name)).toEqual(expect.arrayContaining(["vault", "validation", "monitoring", "deployment", "builder"]));
    for (const [, check] of faulty) expect(check).toMatchObject({ since: expect.any(String), last_error: expect.any(String) });

    await family.start();
    await expect.poll(deployment("staging"), { timeout: RECOVERY_MS }).toMatchObject({ status: "deployed" });
    await expect.poll(backlogs, { timeout: RECOVERY_MS }).toEqual({ monitoring: 0, deployment: 0, feedback: 0 });
    const { items } = (await engine.get<{ items: AuditRecord[] }>(`/env/${PROJECT}/audit?limit=1000`)).body;
    expect([...new Set(family.logged)]).toEqual(items.map(({ seq }) => `${PROJECT}:${seq}`).reverse());
  }, 180_000);

  test("are counted under the names of the page", async () => {
    const { text } = await engine.get("/metrics");
    const counted = [...text.matchAll(/^# TYPE (environment_manager_(?:sibling|request)_\w+)/gm)].map(([, name]) => name);
    const told = rows(section(PAGE, "### How it is shown")).flatMap(([names = ""]) =>
      [...names.matchAll(/`(environment_manager_\w+)`/g)].map(([, name]) => name),
    );
    expect(told.sort()).toEqual(counted.sort());
    expect(text).not.toContain(PROJECT);
  });

  function create(name: string, more: object) {
    return engine.request("POST", "/env/create", { project_id: PROJECT, new_environment: name, ...more });
  }
  function patch(name: string, set: object, remove?: string[]) {
    return engine.request("PATCH", `/env/${PROJECT}/${name}/state`, { set, ...(remove && { remove }) });
  }
  function policy(environments: object) {
    return engine.request("PUT", `/env/${PROJECT}/policy`, { environments });
  }
  function promote(source_env: string, target_env: string) {
    return engine.request("POST", "/env/promote", { project_id: PROJECT, source_env, target_env });
  }
  async function report(name: string, status: string) {
    const { version } = await head(name);
    await engine.request("POST", "/env/deployments", { project_id: PROJECT, env: name, version, status });
  }
  async function head(name: string) {
    return (await engine.get<{ version: string; revision: number; snapshot: string; deployment: object }>(`/env/${PROJECT}/${name}`)).body;
  }
  function deployment(name: string) {
    return async () => (await head(name)).deployment;
  }
  async function sinks() {
    return (await engine.get<{ items: SinkItem[] }>(`/env/${PROJECT}/sinks`)).body.items;
  }
  async function backlogs() {
    return Object.fromEntries((await sinks()).map(({ name, backlog }) => [name, backlog]));
  }
});

interface SinkItem {
  readonly name: string;
  readonly state: string;
  readonly backlog: number;
  readonly refused_count: number;
}

interface Ready {
  readonly status: string;
  readonly checks: Readonly<Record<string, { readonly status: string }>>;
}

/** What the sweeper asks of the vault minutes after something was given up. */
async function deleteEntry(url: string): Promise<void> {
  const entries = new PuraifyEntries(new Sibling("Vault", url), null);
  await entries.delete({ project: PROJECT, env: "staging", name: "API_KEY", id: "none" });
  await entries.close();
}

test("the page names each engine that is wired, and each setting", async () => {
  const urls = Object.fromEntries(SETTINGS.map((name) => [name, "http://127.0.0.1:1"]));
  const family = await openFamily(loadSettings(urls, NO_FILES));
  const wired = Object.keys(family.statuses());
  await family.close();
  const shown = section(PAGE, "### How it is shown");
  const [, names = ""] = /looks; (.*?) are not/s.exec(shown) ?? [];
  expect([...names.matchAll(/`(\w+)`/g)].map(([, name]) => name)).toEqual(wired);
  expect(rows(PAGE.slice(0, PAGE.indexOf("## What is sent"))).map(([, setting]) => code(setting))).toEqual(SETTINGS);
  const [example = ""] = blocks(shown, "json");
  for (const name of Object.keys((JSON.parse(example) as Ready).checks)) expect(["store", "vault", ...wired]).toContain(name);
});

test("every figure is the engine's", () => {
  const MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 };
  const told = [...PAGE.matchAll(/(\d[\d,]*)(?:\s(ms|s|min|h|d)\b)?[^\d()]*\(`(\w+)`\)/g)].map(([, number = "", unit = "", name = ""]) => [
    name,
    Number(number.replaceAll(",", "")) * (MS[unit] ?? 1),
  ]);
  const named = [...PAGE.matchAll(/`(\w+)`\)/g)].map(([, name = ""]) => name).filter((name) => name in LIMITS);
  expect(told.length).toBeGreaterThan(15);
  expect(told.map(([name]) => name)).toEqual(named);
  for (const [name = "", value] of told) expect([name, value]).toEqual([name, LIMITS[name as keyof typeof LIMITS]]);
});

describe("vaults", () => {
  test("of each kind have the settings of the table, and are what they are said to be without VAULT_KIND", () => {
    const table = rows(section(PAGE, "## Vaults")).slice(0, 3);
    const url = { VAULT_URL: "http://127.0.0.1:1" };
    expect(table.map(([kind]) => code(kind))).toEqual(["builtin", "puraify", "kv2"]);
    expect([{}, url, { ...url, VAULT_KIND: "kv2", VAULT_TOKEN: "t" }].map((env) => loadSettings(env, NO_FILES).vault.kind)).toEqual(
      table.map(([kind]) => code(kind)),
    );
    const named = [...table.join(" ").matchAll(/`((?:VAULT|ENV_MANAGER)_\w+)`/g)].map(([, name]) => name);
    const known = [...read("src/settings.ts").matchAll(/read\("(VAULT_\w+)"\)/g)].map(([, name]) => name);
    for (const name of known.filter((one) => one !== "VAULT_KIND")) expect(named).toContain(name);
  });

  test("are set as the example shows", () => {
    const [example = ""] = blocks(section(PAGE, "## Vaults"), "ini");
    const { vault } = loadSettings(parse(example), NO_FILES);
    expect(vault).toMatchObject({
      kind: "kv2",
      mount: "secret",
      prefix: "environment-manager",
      credentials: { roleId: expect.any(String) },
    });
  });

  test("are granted what the adapter says that it needs", () => {
    const [policy = ""] = blocks(PAGE, "hcl");
    const needed = [...read("src/vault/kv2.ts").matchAll(/^ \* {5}(path .*)$/gm)].map(([, line = ""]) =>
      line.replace("<mount>", "secret").replace("<prefix>", "environment-manager"),
    );
    expect(needed).toHaveLength(3);
    expect(policy.trim().split("\n")).toEqual(needed);
  });

  test("are moved between by a command with these options", () => {
    const moving = section(PAGE, "### Moving secrets to another vault");
    const script = read("scripts/vault-move.ts");
    for (const [option] of moving.matchAll(/--[a-z-]{2,}|NEW_VAULT_[A-Z]+/g)) expect(script).toContain(option);
  });
});

describe("webhooks", () => {
  const token = "the-root-token-of-the-family-page-0123456789";
  const engine = new Engine({ token, env: { WEBHOOK_ALLOW: "127.0.0.1" } });
  const receiver = new StandIns([]);
  let program: ChildProcess | null = null;

  beforeAll(async () => {
    await Promise.all([engine.start(), receiver.start()]);
    await engine.request("POST", "/env/create", { project_id: PROJECT, new_environment: "production" });
  }, START_MS);
  afterAll(async () => {
    program?.kill("SIGKILL");
    await engine.dispose();
    await receiver.stop();
  });

  test("go through their life as the comments say", async () => {
    const [script = ""] = blocks(section(PAGE, "## Webhooks"), "sh");
    expect(script).toContain("https://hooks.example.com/environments");
    const answers = await run(script.replace("https://hooks.example.com/environments", `${receiver.url}/hook`));
    expect(told(script, answers)).toEqual(stepsOf(script));
    expect(answers[1]?.body).toMatchObject({ delivered: true, status: 204 });
  });

  test("send what the table says, signed, to a receiver that verifies as the page does", async () => {
    const port = new URL(await new StandIns([]).reserve()).port;
    await hook(`${receiver.url}/hook`);
    const { secret } = await hook(`http://127.0.0.1:${port}/`);
    const [source = ""] = blocks(PAGE, "js");
    const env = { ...process.env, WEBHOOK_SECRET: secret, PORT: port };
    program = spawn(process.execPath, ["--input-type=module", "-e", source], {
      cwd: packageRoot(),
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const lines = createInterface({ input: program.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
    expect(await lines.next()).toMatchObject({ value: "listening" });
    const forged = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: "{}", headers: { "webhook-id": "x" } });
    expect(forged.status).toBe(401);
    receiver.events.length = 0;
    await engine.request("POST", "/env/hold", { project_id: PROJECT, env: "production" });
    const type = "io.puraify.environment-manager.hold";
    expect(await lines.next()).toMatchObject({ value: `${type} production root` });
    await expect.poll(() => receiver.events.filter(({ event }) => event.type === type)).toHaveLength(1);
    const { event, headers } = receiver.events.find((one) => one.event.type === type) ?? { event: {}, headers: {} };
    const table = rows(section(PAGE, "### What arrives")).map(([attribute]) => code(attribute));
    expect(Object.keys(event).sort()).toEqual([...table].sort());
    const { items } = (await engine.get<{ items: AuditRecord[] }>(`/env/${PROJECT}/audit?action=hold`)).body;
    expect(event).toMatchObject({ specversion: "1.0", source: `/env/${PROJECT}/production`, subject: "production", data: items[0] });
    expect(event).toMatchObject({ id: `${PROJECT}:${items[0]?.seq}`, time: items[0]?.at, datacontenttype: "application/json" });
    expect(headers).toMatchObject({ "webhook-id": `${PROJECT}:${items[0]?.seq}`, "webhook-signature": expect.stringMatching(/^v1,\S+$/) });
    const [types = ""] = /The headers [\s\S]*? and one event/.exec(PAGE) ?? [];
    for (const [, name = ""] of types.matchAll(/`(webhook-\w+)`/g)) expect(headers).toHaveProperty([name]);
    expect(headers["content-type"]).toContain("application/cloudevents+json");
  });

  test("what should run is waited for as the page shows", async () => {
    const [script = ""] = blocks(section(PAGE, "## What should run, without asking again and again"), "sh");
    const answers = await run(script);
    expect(told(script, answers)).toEqual(stepsOf(script));
    for (const { body } of answers) expect(body).toMatchObject({ env: "production", revision: 1 });
  });

  async function hook(url: string) {
    const reply = await engine.request<{ secret: string }>("POST", `/env/${PROJECT}/webhooks`, { url });
    expect(reply.status).toBe(201);
    return reply.body;
  }
  function run(script: string): Promise<Answer[]> {
    return (hasShell() ? inBash : byFetch)(script, { engine: engine.url, TOKEN: token });
  }
  function told(script: string, answers: readonly Answer[]) {
    const steps = stepsOf(script);
    return answers.map(({ status, body }, index) => {
      const { statement, word } = steps[index] ?? { statement: "", word: null };
      return { statement, status, word: word === null ? null : (body as { status?: string }).status };
    });
  }
});
