import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Engine } from "../support/engine.ts";
import { RedisServer } from "../support/redis.ts";
import { Fleet } from "./fleet.ts";

const CONFIG = "/env/pf-lost/dev/config";
/** Twice what an engine may take to find its store again. */
const PATIENCE = { timeout: 20_000, interval: 50 };
const TOLD = /lost acknowledged commits: pf-lost had revision \d+ and has \d+ now/;

let server: RedisServer;
let fleet: Fleet;
let kept: string;
beforeEach(async () => {
  fleet = await Fleet.start(
    async () => {
      server = await RedisServer.start();
      return server;
    },
    2,
    { token: "root-token-of-the-lost-commits" },
  );
  kept = join(mkdtempSync(join(tmpdir(), "env-lost-")), "data");
}, 120_000);
afterEach(async () => {
  await fleet.dispose();
  rmSync(kept, { recursive: true, force: true });
}, 120_000);

/** As where a replica is promoted that had not been sent the newest commits, or a backup is restored: the server comes back with less. */
async function comeBackWithLess(): Promise<void> {
  await server.kill();
  rmSync(server.folder, { recursive: true });
  cpSync(kept, server.folder, { recursive: true });
  await server.restart();
}

async function set(engine: Engine, vars: Readonly<Record<string, string>>): Promise<void> {
  await expect.poll(async () => (await engine.request("PATCH", CONFIG, { vars })).status, PATIENCE).toBe(200);
}

async function varsOf(engine: Engine): Promise<unknown> {
  const { status, body } = await engine.get<{ vars: unknown }>(CONFIG);
  return status === 200 ? body.vars : status;
}

/** Read often enough for every cache to have it. */
async function settle(engine: Engine, vars: unknown): Promise<void> {
  for (let n = 0; n < 3; n++) expect(await varsOf(engine)).toEqual(vars);
}

test("what a store has lost is shown by no engine, and each that knew of it says so in its log", async () => {
  const [one, other] = fleet.engines as readonly [Engine, Engine];
  await one.request("POST", "/env/create", { project_id: "pf-lost", new_environment: "dev" });
  await set(one, { A: "kept" });
  cpSync(server.folder, kept, { recursive: true });
  for (let n = 0; n < 3; n++) await set(one, { A: `lost ${n}` });
  await settle(one, { A: "lost 2" });
  await settle(other, { A: "lost 2" });
  await comeBackWithLess();
  for (const engine of [one, other]) {
    await expect.poll(() => varsOf(engine), PATIENCE).toEqual({ A: "kept" });
    await settle(engine, { A: "kept" });
    expect(engine.output()).toMatch(TOLD);
  }
});

test("nor does an engine show it that was not asked until others had committed as much again", async () => {
  const [one, other] = fleet.engines as readonly [Engine, Engine];
  await one.request("POST", "/env/create", { project_id: "pf-lost", new_environment: "dev" });
  await set(one, { A: "kept" });
  cpSync(server.folder, kept, { recursive: true });
  await set(one, { A: "lost" });
  await settle(other, { A: "lost" });
  await comeBackWithLess();
  await set(one, { B: "new" });
  await expect.poll(() => varsOf(other), PATIENCE).toEqual({ A: "kept", B: "new" });
});
