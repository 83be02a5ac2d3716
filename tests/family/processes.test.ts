import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { Family } from "../../scripts/demo/family/member.ts";
import { until } from "../../scripts/demo/waiting.ts";
import type { Json } from "../../src/ports.ts";
import { Engine } from "../support/engine.ts";
import { eventually } from "./support.ts";

const PROJECT = "pf-777";
const RUN_MS = 180_000;
const PRODUCTION = `/env/${PROJECT}/production`;

interface View {
  readonly version: string;
  readonly sync_status: string;
  readonly deployed: { readonly version: string } | null;
}

interface Sinks {
  readonly items: readonly { readonly name: string; readonly backlog: number; readonly state: string }[];
}

const folder = mkdtempSync(join(tmpdir(), "env-manager-family-"));
const family = new Family(folder);
let engine: Engine;

beforeAll(() => family.start());
beforeEach(async () => {
  for (const member of family.all) if (!member.running) await member.start();
  await Promise.all(
    [family.monitoring, family.deployment, family.builder, family.feedback].map((member) => member.behave("well", { forget: true })),
  );
  const { DEPLOYMENT_URL = "", BUILDER_URL = "", FEEDBACK_URL = "", LOGS_URL = "" } = family.settings();
  engine = new Engine({ env: { DEPLOYMENT_URL, BUILDER_URL, FEEDBACK_URL, LOGS_URL } });
});
afterEach(() => engine.dispose());
afterAll(async () => {
  await family.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function send(method: "POST" | "PATCH" | "PUT", path: string, body: Json, status = 200) {
  const reply = await engine.request(method, path, body);
  expect(reply.status, reply.text).toBe(status);
  return reply.body;
}

/** Staging is one change ahead of production. */
async function ahead(rules: Json): Promise<void> {
  const create = (env: string, base: string | null) =>
    send("POST", "/env/create", { project_id: PROJECT, new_environment: env, ...(base !== null && { base_from: base }) }, 201);
  await create("staging", null);
  await change(1);
  await create("production", "staging");
  await change(2);
  await everythingArrived();
  await send("PUT", `/env/${PROJECT}/policy`, { environments: { production: rules } });
}

function change(fields: number) {
  return send("PATCH", `/env/${PROJECT}/staging/state`, { set: { "entities/Note": { fields } } });
}

async function promote(status = 200): Promise<string> {
  const reply = await send("POST", "/env/promote", { project_id: PROJECT, source_env: "staging", target_env: "production" }, status);
  return String(reply.version);
}

function everythingArrived(): Promise<Sinks> {
  return eventually<Sinks>(engine, `/env/${PROJECT}/sinks`, ({ items }) => items.every(({ backlog }) => backlog === 0));
}

function shows(version: string, status: string): Promise<View> {
  return eventually<View>(engine, PRODUCTION, (view) => view.version === version && view.sync_status === status);
}

/** Each record of the log is at Monitoring, once and in order. */
async function expectAllTold(): Promise<void> {
  await everythingArrived();
  const { body } = await engine.get<{ readonly records: number }>(`/env/${PROJECT}/audit/verify`);
  const { logs } = (await family.monitoring.seen()).memory;
  expect(logs.map(({ id }) => id)).toEqual(Array.from({ length: body.records }, (_, index) => `${PROJECT}:${index + 1}`));
}

test(
  "killed between a commit and its delivery, the engine delivers when it is back",
  async () => {
    await engine.start();
    await ahead({ auto_deploy: true });
    await family.deployment.stop();
    await family.monitoring.stop();
    const version = await promote();
    await engine.kill9();
    await Promise.all([family.deployment.start(), family.monitoring.start()]);
    await engine.start();
    await shows(version, "in_sync");
    expect((await family.deployment.seen()).memory.deployments).toMatchObject([{ env: "production", version }]);
    await expectAllTold();
  },
  RUN_MS,
);

test(
  "killed while the planner is at work, it asks again, and what runs is what should",
  async () => {
    await engine.start();
    await ahead({ auto_deploy: true, rollback_on_failure: true });
    await family.deployment.behave("slow");
    const version = await promote();
    await until("the planner has no order", async () => ((await family.deployment.seen()).memory.orders.length > 0 ? true : null));
    await engine.kill9();
    await family.deployment.behave("well");
    await engine.start();
    await shows(version, "in_sync");
    const { orders, deployments } = (await family.deployment.seen()).memory;
    expect(new Set(orders.map((order) => order.version))).toEqual(new Set([version]));
    expect(deployments).toMatchObject([{ env: "production", version }]);
    await expectAllTold();
  },
  RUN_MS,
);

test(
  "started without any of them, it serves, makes previews and promotions, and all of it arrives when they come",
  async () => {
    await family.stop();
    await engine.start();
    await send("POST", "/env/create", { project_id: PROJECT, new_environment: "staging" }, 201);
    await change(1);
    await send("POST", "/env/create", { project_id: PROJECT, new_environment: "production", base_from: "staging" }, 201);
    await send("PUT", `/env/${PROJECT}/policy`, { environments: { production: { auto_deploy: true, approvals: 1 } } });
    await change(2);
    const preview = { project_id: PROJECT, new_environment: "pr-1", base_from: "staging", type: "preview" };
    expect(await send("POST", "/env/create", preview, 201)).toMatchObject({
      url: `https://preview.puraify.app/${PROJECT}/pr-1`,
      warning: expect.stringContaining("Platform Builder"),
    });
    await promote(202);
    expect((await engine.get(PRODUCTION)).status).toBe(200);
    expect((await engine.get("/readyz")).status).toBe(200);

    await family.start();
    await everythingArrived();
    expect(await send("POST", "/env/create", preview)).toMatchObject({ url: expect.stringContaining(".builder.example/") });
    expect((await family.feedback.seen()).memory.requests).toMatchObject([{ target_env: "production", requested_by: expect.any(String) }]);
    await expectAllTold();
    for (const member of [family.monitoring, family.deployment, family.builder, family.feedback]) {
      expect((await member.seen()).breaches).toEqual([]);
    }
  },
  RUN_MS,
);

test(
  "what fails is visible and taken back, once, also where the engine is killed meanwhile",
  async () => {
    await engine.start();
    await ahead({ auto_deploy: true, rollback_on_failure: true });
    const good = await promote();
    await shows(good, "in_sync");
    await change(3);
    const { version } = (await engine.get<View>(`/env/${PROJECT}/staging`)).body;
    await family.deployment.behave("well", { fails: [{ env: "production", version }] });
    expect(await promote()).toBe(version);
    await until("the planner has no second order", async () => ((await family.deployment.seen()).memory.orders.length > 1 ? true : null));
    await engine.kill9();
    await engine.start();
    await shows(good, "in_sync");
    await everythingArrived();
    await engine.kill9();
    await engine.start();
    await expectAllTold();
    const { items } = (await engine.get<{ readonly items: readonly { readonly action: string }[] }>(`${PRODUCTION}/revisions`)).body;
    expect(items.map(({ action }) => action)).toEqual(["rollback", "promote", "promote", "create"]);
    expect(await shows(good, "in_sync")).toMatchObject({ deployed: { version: good } });
  },
  RUN_MS,
);

test(
  "told to end while a planner is at work, it does not wait for it, and asks again when it is back",
  async () => {
    await engine.start();
    await ahead({ auto_deploy: true });
    await family.deployment.behave("nothing");
    const version = await promote();
    await until("the planner has no order", async () => ((await family.deployment.seen()).calls.length > 0 ? true : null));
    await engine.stop();
    await family.deployment.behave("well");
    await engine.start();
    // Had it waited until no answer came, it would leave the rest to the planner.
    await shows(version, "in_sync");
  },
  RUN_MS,
);
