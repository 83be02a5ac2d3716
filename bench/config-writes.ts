import { join } from "node:path";
import type { Domain } from "../src/domain.ts";
import { CALLER, databasePath, type InProcess, openEngine } from "./engine.ts";
import { withFolder } from "./folders.ts";
import { type LoadRequest, load } from "./load.ts";
import { alternate, inTurn, type Latency, latencyOf, type Pair, perSecond, type Row, ratioRow, timesFaster } from "./measure.ts";
import { oneByOne } from "./one-by-one.ts";
import { here, startEngine } from "./processes.ts";

export const CLIENTS = 64;
export const PROJECTS = 50;
export const VARS = 40;
export const WRITES_A_TURN = 1_500;
const TURNS = 5;
const WORK = `durable config writes, ${CLIENTS} clients, ${PROJECTS} projects`;

/**
 * Writes of one variable, each a version with its diff and audit record, against the same engine with one transaction for each request:
 * there every write waits until the one before it is durable, and nothing shares a sync. Through the domain, and over HTTP.
 */
export async function configWrites(): Promise<Row[]> {
  return inTurn({ "config-writes-in-process": inProcess, "config-writes": overHttp });
}

export function writeRequest(n: number): LoadRequest {
  return { method: "PATCH", path: `/env/${projectName(n)}/dev/config`, body: { vars: variable(n) } };
}

async function inProcess(): Promise<Row> {
  return withFolder(async (folder) => {
    const grouped = await openEngine(join(folder, "grouped"));
    const single = await openEngine(join(folder, "single"));
    const patch = oneByOne((...args: Parameters<Domain["config"]["patch"]>) => single.domain.config.patch(...args));
    await Promise.all([grouped, single].map(createProjects));
    const pairs = await alternate(
      TURNS,
      () => writeAll((...args) => grouped.domain.config.patch(...args)),
      () => writeAll(patch),
    );
    const perTransaction = grouped.backend.stats.writes / grouped.backend.stats.transactions;
    await Promise.all([grouped.close(), single.close()]);
    return row("config-writes-in-process", `grouped, ${perTransaction.toFixed(1)} commits a transaction,`, pairs, []);
  });
}

async function overHttp(): Promise<Row> {
  return withFolder(async (folder) => {
    const grouped = await startEngine({ STORE_URL: `sqlite:${databasePath(join(folder, "grouped"))}` });
    const single = await startEngine({ STORE_URL: `sqlite:${databasePath(join(folder, "single"))}` }, here("engine-one-by-one.ts"));
    const engines = [grouped, single];
    for (const { url } of engines) {
      await load(url, { clients: 8, amount: PROJECTS, request: (n) => ({ method: "POST", path: "/env/create", body: creation(n) }) });
    }
    const times: { grouped: number[]; single: number[] } = { grouped: [], single: [] };
    const write = ({ url }: { readonly url: string }, taken: number[]) =>
      load(url, { clients: CLIENTS, amount: WRITES_A_TURN, request: writeRequest, times: taken });
    const pairs = await alternate(
      TURNS,
      () => write(grouped, times.grouped),
      () => write(single, times.single),
    );
    for (const engine of engines) await engine.stop();
    const latency = [latencyOf("config write", times.grouped), latencyOf("config write, one transaction each", times.single)];
    return row("config-writes", "over HTTP", pairs, latency);
  });
}

function row(id: string, subject: string, pairs: readonly Pair[], latency: readonly Latency[]): Row {
  return ratioRow({
    id,
    work: WORK,
    subject,
    baseline: "one by one",
    pairs,
    unit: perSecond,
    ratio: timesFaster,
    goal: { atLeast: 4 },
    latency,
    about:
      "The same engine, in which each write begins when the one before it is durable, so that each has a transaction and a sync of its own.",
    next: {
      met: "All that arrives while a group is written goes into the next; what is left is the processor's time for each.",
      missed:
        "On a disk that syncs in a fraction of a millisecond a transaction of its own costs little, and the processor's time for a request decides both sides; less of it raises both. The slower the disk, the larger the ratio.",
    },
  });
}

let written = 0;

/** No two writes in a row give a variable the same value, so that each is a change. */
export function variable(n: number): Record<string, string> {
  return { [`VAR_${n % VARS}`]: `value ${written++}` };
}

export function projectName(n: number): string {
  return `project-${n % PROJECTS}`;
}

export function creation(n: number) {
  return {
    project_id: projectName(n),
    new_environment: "dev",
    env_variables: Object.fromEntries(Array.from({ length: VARS }, (_, i) => [`VAR_${i}`, "first"])),
  };
}

async function createProjects({ domain }: InProcess): Promise<void> {
  for (let n = 0; n < PROJECTS; n++) {
    const { env_variables } = creation(n);
    await domain.creation.create(CALLER, { project: projectName(n), env: "dev", base: null, env_variables });
  }
}

/** Milliseconds for one write, where so many clients each send the next when they have the answer to the last. */
async function writeAll(patch: Domain["config"]["patch"]): Promise<number> {
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < WRITES_A_TURN) {
      const n = next++;
      await patch(CALLER, { project: projectName(n), env: "dev", ifMatch: null, vars: variable(n) });
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return (performance.now() - start) / WRITES_A_TURN;
}
