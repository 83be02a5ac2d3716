import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkStore } from "../../src/integrity.ts";
import { openStore } from "../../src/storage/open.ts";
import { Outside } from "../canary/outside.ts";
import { Engine, type EngineOptions, type Members } from "../support/engine.ts";
import { succeeded } from "../support/project.ts";
import { type RawDocument, Reference } from "./document.ts";
import { type Finding, Lane } from "./fuzzer.ts";
import { megabytesOf, processIdOf } from "./process-facts.ts";
import { setScene } from "./scene.ts";

/**
 * Requests made from the OpenAPI document that the engine itself serves, good ones and broken ones, over real connections to a real
 * process. Whatever comes: no 5xx, no crash, no hang; every reply is one that the document describes; and what is refused changes nothing.
 *
 * `ENV_MANAGER_FUZZ_SEED` sends the requests of a run again, `ENV_MANAGER_FUZZ_REQUESTS` says how many.
 */
const long = process.env.ENV_MANAGER_TEST_LONG !== undefined;
const REQUESTS = Number(process.env.ENV_MANAGER_FUZZ_REQUESTS ?? (long ? 56_000 : 3_200));
/** The short run is the same each time; the long one goes where nobody was. */
const SEED = Number(process.env.ENV_MANAGER_FUZZ_SEED ?? (long ? Math.floor(Math.random() * 1_000_000_000) : 469_468_729));
const LANES = 4;
const SHARED = "fuzz-shared";
const ROOT = "the-root-token-of-fuzz-tests";
/** Bounds a run that hangs, on however slow a machine. */
const TIMEOUT_MS = long ? 1_800_000 : 300_000;
/** A leak must become a crash, and not a matter of how much memory this machine has. */
const HEAP = "--max-old-space-size=384";

/** An approval needs what seldom lasts: a plan that nobody has changed. The others need a repository elsewhere, which there is none. */
const SELDOM: ReadonlySet<string> = new Set([
  "approvePromotion",
  ...["setMirror", "getMirror", "removeMirror", "putGitSource", "deleteGitSource", "pull", "takePush"],
]);

interface Scene {
  readonly engine: Engine;
  readonly tokens: readonly (string | null)[];
  readonly receivers: readonly string[];
}

/** Somebody of each role, whoever has no token, and whoever shows what is none. */
async function tokensOf(engine: Engine): Promise<readonly (string | null)[]> {
  const make = async (role: string, more: Members = {}) => {
    const body = { name: `fuzz ${role}`, role, projects: ["fuzz-*"], expires_in: null, ...more };
    return String(succeeded(await engine.request("POST", "/tokens", body), 201).token);
  };
  const reveal = { rights: ["secrets:reveal"] };
  const roles = await Promise.all(["editor", "reader", "engine", "client"].map((role) => make(role)));
  const promoters = [await make("promoter", reveal), await make("promoter", { envs: ["staging", "pr-*"] })];
  const admin = await make("admin", reveal);
  const often = [
    ...Array.from({ length: 14 }, () => ROOT),
    ...Array.from({ length: 6 }, () => admin),
    ...promoters,
    ...promoters,
    ...promoters,
  ];
  return [...often, ...roles, ...roles, null, "not-a-token"];
}

describe.each<readonly [string, EngineOptions]>([
  ["with auth off", {}],
  ["with tokens of all roles", { token: ROOT }],
])("an engine %s", (name, options) => {
  test("answers whatever is sent as its document says, and keeps what it had", { timeout: TIMEOUT_MS }, async () => {
    const outside = await new Outside().start();
    const engine = await new Engine({ ...options, env: { NODE_OPTIONS: HEAP, WEBHOOK_ALLOW: "127.0.0.1" } }).start();
    try {
      const tokens = options.token === undefined ? [null] : await tokensOf(engine);
      const receivers = [`http://${outside.host}/hooks`, `http://${outside.host}/fails`, `http://${outside.gone}/`];
      await withFigures(name, engine, (warmed) => fuzz({ engine, tokens, receivers }, warmed));
      await expectWhole(engine);
    } finally {
      outside.close();
      await engine.dispose();
    }
  });
});

interface Outcome {
  readonly requests: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** Operations that never did what they were asked. */
  readonly unreached: readonly string[];
  readonly findings: readonly Finding[];
}

async function fuzz({ engine, tokens, receivers }: Scene, warmed: () => void): Promise<Outcome> {
  const reference = new Reference(succeeded(await engine.get<RawDocument>("/openapi.json")));
  const projects = Array.from({ length: LANES }, (_, lane) => `fuzz-${lane}`);
  for (const project of [SHARED, ...projects]) await setScene(engine, project);
  const lanes = (requests: number, seed: number) =>
    projects.map(
      (project, lane) =>
        new Lane({ engine, reference, tokens, receivers, project, shared: SHARED, seed: seed + lane, requests: requests / LANES }),
    );
  const [warm, rest] = [lanes(REQUESTS / 2 / 4, SEED), lanes((REQUESTS / 2) * (3 / 4), SEED + 500)];
  await Promise.all(warm.map((lane) => lane.run()));
  warmed();
  await Promise.all(rest.map((lane) => lane.run()));
  return merged([...warm, ...rest], reference);
}

/** Tells what was done, and asserts that nothing was found and that memory stayed where it was once it was warm. */
async function withFigures(name: string, engine: Engine, run: (warmed: () => void) => Promise<Outcome>): Promise<void> {
  const pid = processIdOf(engine);
  const start = performance.now();
  let warm = 0;
  const { requests, statuses, unreached, findings } = await run(() => {
    warm = megabytesOf(pid);
  });
  const end = megabytesOf(pid);
  const seconds = Math.round((performance.now() - start) / 1_000);
  const figures = `${requests} requests in ${seconds} s, ${warm} → ${end} MB, ${JSON.stringify(statuses)}, without a success: ${unreached}`;
  console.info(`fuzz ${name}: seed ${SEED}, ${figures}`);
  const told = findings.map(({ fault, times, example }) => `${fault} (${times} times, seed ${SEED})\n${example}`);
  expect.soft(told.join("\n\n")).toBe("");
  expect.soft(processIdOf(engine)).toBe(pid);
  expect.soft(end).toBeLessThan(2 * warm);
  // Requests that never get past the first check would find little.
  if (long) expect.soft(unreached.filter((id) => !SELDOM.has(id))).toEqual([]);
}

/** That it goes on, said nothing of what it did not expect, and that everything in its store still resolves. */
async function expectWhole(engine: Engine): Promise<void> {
  expect((await engine.get("/healthz")).status).toBe(200);
  const { items } = succeeded(await engine.get<{ readonly items: readonly { readonly project_id: string }[] }>("/env?limit=1000"));
  for (const { project_id } of items) expect((await engine.get(`/env/${project_id}/audit/verify`)).body).toMatchObject({ valid: true });
  await engine.stop();
  const alarming = engine
    .output()
    .split("\n")
    .filter((line) => line.trim() !== "" && !isCalm(line));
  expect.soft(alarming).toEqual([]);
  const store = await openStore(`sqlite:${join(engine.directory, "env.db")}`);
  const faults: string[] = [];
  await checkStore(store, { onFault: (project, what) => faults.push(`${project}: ${what}`) }).finally(() => store.close());
  expect(faults).toEqual([]);
}

/** A record of the log that is no warning. */
function isCalm(line: string): boolean {
  return line.startsWith('{"level":') && Number(/^\{"level":(\d+)/.exec(line)?.[1]) < 40;
}

function merged(lanes: readonly Lane[], { operations }: Reference): Outcome {
  const statuses: Record<string, number> = {};
  const findings = new Map<string, Finding>();
  for (const lane of lanes) {
    for (const [status, times] of lane.statuses) statuses[status] = (statuses[status] ?? 0) + times;
    for (const finding of lane.findings.values()) {
      const known = findings.get(finding.fault);
      findings.set(finding.fault, { ...finding, times: finding.times + (known?.times ?? 0) });
    }
  }
  const unreached = operations.map(({ operationId }) => operationId).filter((id) => !lanes.some(({ succeeded }) => succeeded.has(id)));
  return { requests: lanes.reduce((sum, lane) => sum + lane.sent, 0), statuses, unreached, findings: [...findings.values()] };
}
