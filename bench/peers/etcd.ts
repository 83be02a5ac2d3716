import { join } from "node:path";
import { type AuthorizedEngine, startAuthorized } from "../authorized.ts";
import { CLIENTS, creation, PROJECTS, projectName, VARS, variable, WRITES_A_TURN, writeRequest } from "../config-writes.ts";
import { withFolder } from "../folders.ts";
import { type LoadRequest, load } from "../load.ts";
import { alternate, inTurn, latencyOf, perSecond, type Row, ratioRow, timesFaster } from "../measure.ts";
import type { ServerProcess } from "../processes.ts";
import { type Etcd, startEtcd } from "./etcd-server.ts";

const TURNS = 5;
const READS_A_TURN = 4_000;

/** etcd's gateway speaks JSON over HTTP, as the engine does: its put beside a config write, its range beside a config read. */
export async function etcd(): Promise<Row[]> {
  return withFolder(async (folder) => {
    const engine = await startAuthorized(join(folder, "engine"));
    const member = await startEtcd(join(folder, "etcd"));
    const token = await engine.token("admin");
    await createProjects(engine, token);
    const rows = await inTurn({
      "config-writes-etcd": () => writes(engine, token, member, CONFIG),
      "state-writes-etcd": () => writes(engine, token, member, STATE),
      "config-read-etcd": () => reads(engine, token, member),
    });
    await Promise.all([engine.stop(), member.stop()]);
    return rows;
  });
}

function bearer(token: string): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${token}` };
}

async function createProjects({ url }: ServerProcess, token: string): Promise<void> {
  const request = (n: number): LoadRequest => ({ method: "POST", path: "/env/create", body: creation(n) });
  await load(url, { clients: 8, amount: PROJECTS, headers: bearer(token), request });
}

interface Written {
  readonly id: string;
  readonly what: string;
  readonly request: (n: number) => LoadRequest;
}

const CONFIG: Written = { id: "config-writes-etcd", what: "config", request: writeRequest };
const STATE: Written = {
  id: "state-writes-etcd",
  what: "state",
  request: (n) => {
    const [[name, value] = ["", ""]] = Object.entries(variable(n));
    return { method: "PATCH", path: `/env/${projectName(n)}/dev/state`, body: { set: { [`settings/${name}`]: { value } } } };
  },
};

async function writes({ url }: AuthorizedEngine, token: string, member: Etcd, { id, what, request }: Written): Promise<Row> {
  const put = (n: number): LoadRequest => {
    const [[name, value] = ["", ""]] = Object.entries(variable(n));
    return { method: "POST", path: "/v3/kv/put", body: { key: encoded(`${projectName(n)}/dev/${name}`), value: encoded(value) } };
  };
  const times: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
  const common = { clients: CLIENTS, amount: WRITES_A_TURN };
  const pairs = await alternate(
    TURNS,
    () => load(url, { ...common, request, headers: bearer(token), times: times.ours }),
    () => load(member.url, { ...common, request: put, times: times.theirs }),
  );
  return ratioRow({
    id,
    work: `durable ${what} writes over HTTP, ${CLIENTS} clients, ${PROJECTS} projects`,
    subject: `PATCH ${what} with a token`,
    baseline: `${member.version}, put through its gateway`,
    pairs,
    unit: perSecond,
    ratio: timesFaster,
    goal: { atLeast: 1 },
    latency: [latencyOf(`${what} write`, times.ours), latencyOf("etcd put", times.theirs)],
    about:
      "One member with its settings as they come: it syncs every put before it answers, and keeps the value and a revision. Ours also checks a token, gives the environment a version, keeps the difference and an audit record in a hash chain. etcd would copy it to other members; ours has one database.",
    next: {
      met: "The processor's time for one request is the limit, not the disk.",
      missed:
        "The processor's time is the limit: half of it for validation, version and audit record, half in the thread that writes SQLite, and the load generator has its part of the same cores.",
    },
  });
}

async function reads({ url }: AuthorizedEngine, token: string, member: Etcd): Promise<Row> {
  const prefix = encoded("project-1/dev/");
  const end = encoded("project-1/dev0");
  // One call for all of them: a load ends at a full second.
  await load(member.url, {
    clients: 8,
    amount: VARS,
    request: (n) => ({
      method: "POST",
      path: "/v3/kv/put",
      body: { key: encoded(`project-1/dev/VAR_${n}`), value: encoded("first") },
    }),
  });
  const times: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
  const common = { clients: CLIENTS, amount: READS_A_TURN };
  const pairs = await alternate(
    TURNS,
    () =>
      load(url, {
        ...common,
        request: () => ({ method: "GET", path: "/env/project-1/dev/config" }),
        headers: bearer(token),
        times: times.ours,
      }),
    () =>
      load(member.url, {
        ...common,
        request: () => ({ method: "POST", path: "/v3/kv/range", body: { key: prefix, range_end: end } }),
        times: times.theirs,
      }),
  );
  return ratioRow({
    id: "config-read-etcd",
    work: `all 40 vars of an environment read over HTTP, ${CLIENTS} clients`,
    subject: "GET config with a token",
    baseline: `${member.version}, range through its gateway`,
    pairs,
    unit: perSecond,
    ratio: timesFaster,
    goal: null,
    latency: [latencyOf("config read", times.ours), latencyOf("etcd range", times.theirs)],
    about:
      "etcd's range is linearizable, as our read is: both answer what was acknowledged before it began. etcd asks the quorum, which here is itself. The load generator takes a good part of our side's time.",
  });
}

function encoded(text: string): string {
  return Buffer.from(text).toString("base64");
}
