import { existsSync, readFileSync } from "node:fs";
import { get } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { CALLER, databasePath, MASTER_KEY, openEngine } from "./engine.ts";
import { withFolder } from "./folders.ts";
import { load } from "./load.ts";
import { alternate, countRow, ms, type Row, ratioRow, skippedRow, timesAsMuch } from "./measure.ts";
import { platform } from "./platforms.ts";
import { ENGINE_BUILT, ENGINE_SOURCE, end, engineEnvironment, here, spawnNode, startEngine } from "./processes.ts";

const PROJECTS = 100;
const ENVIRONMENTS = 100;
const COMPONENTS = 40;
const TURNS = 15;
/** Of each environment, so that there are 100,000 in all. */
const REVISIONS = 10;
const START = "start to first answer, 10,000 environments with 100,000 revisions";
const MEMORY = "resident memory, 10,000 environments loaded";

/** A start must not read what is stored, and loading all of it must not keep it. */
export async function tenThousand(): Promise<Row[]> {
  return withFolder(async (folder) => {
    const full = join(folder, "full");
    await fill(full);
    const empty = join(folder, "empty");
    await (await openEngine(empty)).close();
    const starts = existsSync(ENGINE_BUILT)
      ? await start(full, empty)
      : [skippedRow("start", START, "not built: run `npm run build` first")];
    return [...starts, ...(await memory(full))];
  });
}

async function fill(folder: string): Promise<void> {
  const engine = await openEngine(folder);
  const { config, creation, state } = engine.domain;
  const components = platform(COMPONENTS);
  const env_variables = Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`VAR_${index}`, `value ${index}`]));
  const fillProject = async (project: string): Promise<void> => {
    await creation.create(CALLER, { project, env: "env-0", base: null, env_variables });
    await state.replace(CALLER, { project, env: "env-0", ifMatch: null, state: components });
    const rest = Array.from({ length: ENVIRONMENTS - 1 }, (_, index) => `env-${index + 1}`);
    await Promise.all(rest.map((env) => creation.create(CALLER, { project, env, base: "env-0", env_variables: { NAME: env } })));
    for (let n = 1; n < REVISIONS; n++) {
      await Promise.all(rest.map((env) => config.patch(CALLER, { project, env, ifMatch: null, vars: { VAR_0: `edition ${n}` } })));
    }
  };
  const projects = Array.from({ length: PROJECTS }, (_, index) => projectName(index));
  for (let from = 0; from < projects.length; from += 10) await Promise.all(projects.slice(from, from + 10).map(fillProject));
  await engine.close();
}

function projectName(index: number): string {
  return `project-${index}`;
}

function settings(folder: string): Readonly<Record<string, string>> {
  return { STORE_URL: `sqlite:${databasePath(folder)}`, ENV_MANAGER_MASTER_KEY: MASTER_KEY };
}

/** The whole process, from its creation to the first answer, against a script that does nothing but answer. */
async function start(full: string, empty: string): Promise<Row[]> {
  const read: { full: number[]; empty: number[] } = { full: [], empty: [] };
  const engine = (folder: string, bytesRead: number[]) => async () => {
    const port = await freePort();
    const env = engineEnvironment({ ...settings(folder), ENV_MANAGER_PORT: String(port) });
    return firstAnswer([ENGINE_BUILT], env, port, (pid) => bytesRead.push(bytesReadBy(pid)));
  };
  const bare = async () => {
    const port = await freePort();
    return firstAnswer([here("bare.mjs"), String(port)], process.env, port);
  };
  const pairs = await alternate(TURNS, engine(full, read.full), bare);
  const byContent = await alternate(TURNS, engine(full, read.full), engine(empty, read.empty));
  const rows = [
    ratioRow({
      id: "start",
      work: START,
      subject: "engine",
      baseline: "bare node:http",
      pairs,
      unit: ms,
      ratio: timesAsMuch,
      goal: { atMost: 2 },
      about: "Whole processes, from their creation to the first answer; the bare one loads nothing but Node's own server.",
      next: {
        met: "Half of it is Node's own start; of the rest the largest part is building the schemas of all routes.",
        missed:
          "Half of it is Node's own start; of the rest the largest part is building the schemas of all routes, unless V8 refused the compiled code that the build made for this Node and these flags.",
      },
    }),
    ratioRow({
      id: "start-empty",
      work: START,
      subject: "engine",
      baseline: "engine, empty store",
      pairs: byContent,
      unit: ms,
      ratio: timesAsMuch,
      goal: null,
    }),
  ];
  if (!existsSync("/proc/self/io")) return [...rows, skippedRow("start-bytes-read", START, "bytes read: this system does not count them")];
  const more = (Math.min(...read.full) - Math.min(...read.empty)) / 1_024;
  return [
    ...rows,
    countRow({
      id: "start-bytes-read",
      work: START,
      subject: "bytes read",
      baseline: "engine, empty store",
      values: [more],
      unit: "KiB more",
      goal: { atMost: 64 },
    }),
  ];
}

/** Milliseconds until a new process answers `GET /healthz`. It is asked again every millisecond, whoever it is. */
async function firstAnswer(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  port: number,
  answered: (pid: number) => void = () => {},
): Promise<number> {
  const begin = performance.now();
  const child = spawnNode(args, env);
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(`${args[0]} ended with code ${child.exitCode} before it answered`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const took = performance.now() - begin;
  if (child.pid !== undefined && existsSync("/proc/self/io")) answered(child.pid);
  await end(child, "SIGKILL");
  return took;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ host: "127.0.0.1", port, path: "/healthz", agent: false }, (response) => {
      response.resume();
      response.once("end", () => resolve(response.statusCode === 200));
    });
    request.once("error", () => resolve(false));
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port is free");
  return address.port;
}

/** Everything that the process has read, from files and the database alike. */
function bytesReadBy(pid: number): number {
  return Number(/^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1]);
}

async function memory(folder: string): Promise<Row[]> {
  if (!existsSync("/proc/self/status")) return [skippedRow("memory", MEMORY, "this system does not tell")];
  const built = existsSync(ENGINE_BUILT);
  const engine = await startEngine(settings(folder), built ? ENGINE_BUILT : ENGINE_SOURCE);
  const before = residentMegabytes(engine.pid);
  const bare = await bareMegabytes();
  for (const part of ["config", "state", "active"]) {
    const path = (n: number) => `/env/${projectName(n % PROJECTS)}/env-${Math.floor(n / PROJECTS)}/${part}`;
    await load(engine.url, { clients: 16, amount: PROJECTS * ENVIRONMENTS, request: (n) => ({ method: "GET", path: path(n) }) });
  }
  const after = residentMegabytes(engine.pid);
  await engine.stop();
  const subject = `config, state and active of each read over HTTP${built ? "" : " (source, through tsx)"}`;
  return [
    countRow({
      id: "start-memory",
      work: "resident memory after the start",
      subject: built ? "engine" : "engine (source, through tsx)",
      baseline: `bare node:http ${Math.round(bare)} MB`,
      values: [before - bare],
      unit: "MB more",
      goal: { atMost: 40 },
      next: {
        met: "What was compiled is most of it; what is loaded later, or never, is not in it.",
        missed: "Code that is loaded before it is needed: a heap snapshot after the start says whose.",
      },
    }),
    countRow({
      id: "memory",
      work: MEMORY,
      subject,
      baseline: `${Math.round(before)} MB after start`,
      values: [after],
      unit: "MB",
      goal: { atMost: 200 },
      next: {
        met: "Caches have bounds, and what is in them is what was read.",
        missed:
          "What lies in V8's old generation after the reads, and is not there after a collection: a sampling heap profile that includes what was collected says who made it.",
      },
    }),
  ];
}

async function bareMegabytes(): Promise<number> {
  const port = await freePort();
  const child = spawnNode([here("bare.mjs"), String(port)], process.env);
  while (!(await answers(port))) await new Promise((resolve) => setTimeout(resolve, 10));
  const megabytes = residentMegabytes(child.pid ?? 0);
  await end(child, "SIGKILL");
  return megabytes;
}

function residentMegabytes(pid: number): number {
  return (Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1_024) / 1e6;
}
