import { join } from "node:path";
import type { Domain } from "../src/domain.ts";
import { CALLER, databasePath, type InProcess, openEngine } from "./engine.ts";
import { hasEtcd, startEtcd } from "./etcd.ts";
import { withFolder } from "./folders.ts";
import { type LoadRequest, load } from "./load.ts";
import { alternate, type Pair, perSecond, type Row, ratioRow, skippedRow, timesFaster } from "./measure.ts";
import { oneByOne } from "./one-by-one.ts";
import { here, startEngine } from "./processes.ts";

const CLIENTS = 64;
const PROJECTS = 50;
const VARS = 40;
const WRITES_A_TURN = 1_500;
const TURNS = 5;
const WORK = `durable config writes, ${CLIENTS} clients, ${PROJECTS} projects`;

/**
 * Writes of one variable, each a version with its diff and audit record, against the same engine with one transaction for each request:
 * there every write waits until the one before it is durable, and nothing shares a sync. Through the domain, and over HTTP.
 */
export async function configWrites(): Promise<Row[]> {
  return [await inProcess(), await overHttp(), await againstEtcd()];
}

/** Against what keeps nothing but the value: etcd's put through its gateway, which speaks JSON over HTTP as the engine does. */
async function againstEtcd(): Promise<Row> {
  if (!hasEtcd()) return skippedRow(`${WORK}, against etcd`, "etcd is not installed");
  return withFolder(async (folder) => {
    const engine = await startEngine({ STORE_URL: `sqlite:${databasePath(join(folder, "engine"))}` });
    const etcd = await startEtcd(join(folder, "etcd"));
    await load(engine.url, { clients: 8, amount: PROJECTS, request: (n) => ({ method: "POST", path: "/env/create", body: creation(n) }) });
    const encoded = (text: string) => Buffer.from(text).toString("base64");
    const put = (n: number): LoadRequest => {
      const [[name, value] = ["", ""]] = Object.entries(variable(n));
      return { method: "POST", path: "/v3/kv/put", body: { key: encoded(`${projectName(n)}/dev/${name}`), value: encoded(value) } };
    };
    const pairs = await alternate(
      TURNS,
      () => load(engine.url, { clients: CLIENTS, amount: WRITES_A_TURN, request: writeRequest }),
      () => load(etcd.url, { clients: CLIENTS, amount: WRITES_A_TURN, request: put }),
    );
    await Promise.all([engine.stop(), etcd.stop()]);
    return ratioRow({
      work: WORK,
      subject: "over HTTP: version, audit record and diff each",
      baseline: "etcd put through its gateway",
      pairs,
      unit: perSecond,
      ratio: timesFaster,
      goal: { atLeast: 1 },
    });
  });
}

function writeRequest(n: number): LoadRequest {
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
    return row(`grouped, ${perTransaction.toFixed(1)} commits a transaction,`, "one by one", pairs);
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
    const write = ({ url }: { readonly url: string }) =>
      load(url, {
        clients: CLIENTS,
        amount: WRITES_A_TURN,
        request: writeRequest,
      });
    const pairs = await alternate(
      TURNS,
      () => write(grouped),
      () => write(single),
    );
    for (const engine of engines) await engine.stop();
    return row("over HTTP", "one by one", pairs);
  });
}

function row(subject: string, baseline: string, pairs: readonly Pair[]): Row {
  return ratioRow({ work: WORK, subject, baseline, pairs, unit: perSecond, ratio: timesFaster, goal: { atLeast: 4 } });
}

let written = 0;

/** No two writes in a row give a variable the same value, so that each is a change. */
function variable(n: number): Record<string, string> {
  return { [`VAR_${n % VARS}`]: `value ${written++}` };
}

function projectName(n: number): string {
  return `project-${n % PROJECTS}`;
}

function creation(n: number) {
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
