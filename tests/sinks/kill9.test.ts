import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EngineProcess, standaloneEnvironment } from "../../scripts/demo/engine-process.ts";
import { packageRoot } from "../../src/package.ts";
import { childScript } from "../support/children.ts";
import { Receiver } from "./support.ts";

/**
 * An engine is killed between its commits and their delivery, again and again, on one database. Half of the rounds kill it while
 * the other side holds its answer back, so that nobody knows whether it was delivered; the others in the middle of the
 * traffic. Whatever was acknowledged to a writer arrives, once the engine runs again.
 */
const ROUNDS = process.env.ENV_MANAGER_TEST_LONG ? 50 : 5;
const PROJECTS = ["pf-1", "pf-2", "pf-3"];

const directory = mkdtempSync(join(tmpdir(), "env-manager-"));
const receiver = new Receiver();
let engine: EngineProcess;
let url = "";

async function startEngine(): Promise<void> {
  engine = new EngineProcess({
    args: [childScript("sinks/stand-ins/engine")],
    cwd: packageRoot(),
    env: standaloneEnvironment({
      ENV_MANAGER_PORT: "0",
      ENV_MANAGER_AUTH: "off",
      STORE_URL: `sqlite:${join(directory, "env.db")}`,
      LOGS_URL: receiver.url,
    }),
  });
  url = await engine.listening;
}

async function post(path: string, body: unknown, method = "POST"): Promise<Record<string, unknown>> {
  const reply = await fetch(url + path, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  const answer = (await reply.json()) as Record<string, unknown>;
  if (!reply.ok) throw new Error(JSON.stringify(answer));
  return answer;
}

beforeAll(async () => {
  await receiver.start();
  await startEngine();
  for (const project of PROJECTS) await post("/env/create", { project_id: project, new_environment: "staging" });
}, 120_000);
afterAll(async () => {
  await engine.end("SIGKILL");
  await receiver.stop();
  rmSync(directory, { recursive: true, force: true });
}, 120_000);

/** Writes until the engine is gone, and counts what was acknowledged. */
async function writeUntilGone(project: string, round: number, acknowledged: () => void): Promise<void> {
  for (let nth = 0; ; nth++) {
    try {
      await post(`/env/${project}/staging/config`, { vars: { [`V_${round}_${nth}`]: "1" } }, "PATCH");
    } catch {
      return;
    }
    acknowledged();
  }
}

/** Every record of every project, by its id. */
async function recorded(): Promise<string[]> {
  const ids: string[] = [];
  for (const project of PROJECTS) {
    const text = await (await fetch(`${url}/env/${project}/audit/export`)).text();
    for (const line of text.trim().split("\n")) ids.push(`${project}:${(JSON.parse(line) as { seq: number }).seq}`);
  }
  return ids;
}

const of = (project: string) => (id: string) => id.startsWith(`${project}:`);

test(
  `${ROUNDS} kills between commit and delivery lose no record`,
  async () => {
    let written = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const enough = written + 30 + 10 * (round % 4);
      let killed: Promise<unknown> | undefined;
      if (round % 2 === 0) await receiver.behave("hold");
      await Promise.all(
        PROJECTS.map((project) =>
          writeUntilGone(project, round, () => {
            if (++written >= enough) killed ??= engine.end("SIGKILL");
          }),
        ),
      );
      await killed;
      await receiver.behave("well");
      await startEngine();
      const records = await recorded();
      expect(records.length).toBeGreaterThanOrEqual(written + PROJECTS.length);
      await expect.poll(async () => new Set((await receiver.seen()).taken).size, { timeout: 90_000, interval: 100 }).toBe(records.length);
      const { taken, breaches } = await receiver.seen();
      for (const project of PROJECTS) {
        expect([...new Set(taken.filter(of(project)))]).toEqual(records.filter(of(project)));
      }
      expect(breaches).toEqual([]);
    }
  },
  ROUNDS * 60_000,
);
