import { type AuthorizedEngine, rawRequest, startAuthorized } from "../authorized.ts";
import { withFolder } from "../folders.ts";
import { load } from "../load.ts";
import { alternate, inTurn, latencyOf, perSecond, type Row, ratioRow, timesFaster } from "../measure.ts";
import { RawLoad } from "../raw-load.ts";
import { until } from "./ready.ts";
import { startUnleash, type UnleashServer } from "./unleash-server.ts";

const FLAGS = 20;
const SWITCHED = 50;
const CLIENTS = 64;
const TURNS = 5;
/** So many that a turn of either takes about half a second. */
const READS = { ours: 12_000, theirs: 800 };
const WRITES = { ours: 1_500, theirs: 100 };

/** The same 20 flags in both, each with one rule: on for the users of a country. */
const COUNTRY = "CH";
const flagName = (n: number) => `flag-${n}`;
const OUR_FLAG = {
  state: "ENABLED",
  variants: { on: true, off: false },
  defaultVariant: "off",
  targeting: { if: [{ "==": [{ var: "country" }, COUNTRY] }, "on", "off"] },
};
const THEIR_STRATEGY = {
  name: "flexibleRollout",
  parameters: { rollout: "100", stickiness: "default", groupId: "bench" },
  constraints: [{ contextName: "country", operator: "IN", values: [COUNTRY], caseInsensitive: false, inverted: false }],
};

interface Both {
  readonly engine: AuthorizedEngine;
  readonly server: UnleashServer;
}

/** Unleash with PostgreSQL beside the engine with SQLite: what SDKs fetch, flags evaluated for a page, and flags switched. */
export async function unleash(): Promise<Row[]> {
  return withFolder(async (folder) => {
    const server = await startUnleash();
    const engine = await startAuthorized(folder);
    try {
      await prepare({ engine, server });
      return await inTurn({
        "config-read-unleash": () => clientFeatures({ engine, server }),
        "ofrep-unleash": () => frontend({ engine, server }),
        "config-writes-unleash": () => toggles({ engine, server }),
      });
    } finally {
      await Promise.all([engine.stop(), server.stop()]);
    }
  });
}

async function prepare({ engine, server }: Both): Promise<void> {
  for (let n = 0; n < FLAGS; n++) await server.createFlag(flagName(n), THEIR_STRATEGY);
  await engine.send("POST", "/env/create", { project_id: "bench", new_environment: "production" });
  const flags = Object.fromEntries(Array.from({ length: FLAGS }, (_, n) => [flagName(n), OUR_FLAG]));
  await engine.send("PATCH", "/env/bench/production/config", { flags });
}

interface Reading {
  readonly id: string;
  readonly work: string;
  readonly subject: string;
  readonly baseline: string;
  readonly ours: string;
  readonly theirs: string;
  readonly goal: number;
  readonly about: string;
  readonly next: { readonly met: string; readonly missed: string };
}

async function reading({ engine, server }: Both, { ours, theirs, goal, ...words }: Reading): Promise<Row> {
  const subject = new RawLoad(engine.url, { clients: CLIENTS, amount: READS.ours, request: ours });
  const baseline = new RawLoad(server.url, { clients: CLIENTS, amount: READS.theirs, request: theirs });
  const pairs = await alternate(
    TURNS,
    () => subject.run(),
    () => baseline.run(),
  );
  return ratioRow({
    ...words,
    pairs,
    unit: perSecond,
    ratio: timesFaster,
    goal: { atLeast: goal },
    latency: [subject.latency(words.subject), baseline.latency(`${server.version}, ${words.baseline.split(" ").at(-1)}`)],
  });
}

async function clientFeatures({ engine, server }: Both): Promise<Row> {
  const token = await engine.token("reader");
  await until(async () => (await flagsOf(server)).length === FLAGS, "Unleash to serve its flags");
  return reading(
    { engine, server },
    {
      id: "config-read-unleash",
      work: `all ${FLAGS} flags' definitions read over HTTP, ${CLIENTS} clients`,
      subject: "GET config",
      baseline: `${server.version} /api/client/features`,
      ours: rawRequest(engine.url, "GET", "/env/bench/production/config", { Authorization: `Bearer ${token}` }),
      theirs: rawRequest(server.url, "GET", "/api/client/features", { Authorization: server.backend }),
      goal: 15,
      about:
        "Each answers whole, with a token that it checks. Unleash serves flags from a cache in its memory, asks PostgreSQL once a second what is new, and counts each request; ours is the head of the environment at the moment of the request, and carries vars and secrets' references too.",
      next: {
        met: "What is left on our side is Node's HTTP server; the row with bare node:http says how near that is.",
        missed: "The row with bare node:http says how much of our side is Node's own server.",
      },
    },
  );
}

async function flagsOf({ url, backend }: UnleashServer): Promise<readonly unknown[]> {
  const reply = await fetch(`${url}/api/client/features`, { headers: { authorization: backend } });
  return ((await reply.json()) as { readonly features: readonly unknown[] }).features;
}

async function frontend({ engine, server }: Both): Promise<Row> {
  const token = await engine.token("client");
  const path = `/api/frontend?userId=user-1&properties%5Bcountry%5D=${COUNTRY}`;
  await until(async () => {
    const reply = await fetch(server.url + path, { headers: { authorization: server.frontend } });
    return ((await reply.json()) as { readonly toggles: readonly unknown[] }).toggles.length === FLAGS;
  }, "Unleash to evaluate its flags");
  const body = JSON.stringify({ context: { targetingKey: "user-1", country: COUNTRY } });
  const ofrep = "/ofrep/v1/evaluate/flags?project_id=bench&env=production";
  return reading(
    { engine, server },
    {
      id: "ofrep-unleash",
      work: `${FLAGS} flags evaluated for one user over HTTP, ${CLIENTS} clients`,
      subject: "OFREP bulk",
      baseline: `${server.version} /api/frontend`,
      ours: rawRequest(engine.url, "POST", ofrep, { Authorization: `Bearer ${token}`, "Content-Type": "application/json" }, body),
      theirs: rawRequest(server.url, "GET", path, { Authorization: server.frontend }),
      goal: 8,
      about:
        "All flags are on for this user. Unleash answers with the flags that are on; OFREP also says of each why, and of flags that are off. Every request is evaluated by both: ours does not remember the answer for a context.",
      next: {
        met: "Evaluating and writing 20 answers share the time; an answer kept for each context would be faster, and would hold as much memory as there are users.",
        missed: "Evaluating and writing 20 answers share the time with Node's HTTP server.",
      },
    },
  );
}

async function toggles({ engine, server }: Both): Promise<Row> {
  for (let n = 0; n < SWITCHED; n++) {
    await server.createFlag(`switched-${n}`, THEIR_STRATEGY);
    await engine.send("POST", "/env/create", { project_id: `switched-${n}`, new_environment: "production" });
  }
  const token = await engine.token("admin");
  let [ourTurn, theirTurn] = [0, 0];
  const times: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
  /** Each flag is switched to what it is not: no two of `clients` switch the same one at once. */
  const isOn = (turn: number, n: number) => (turn + Math.floor(n / SWITCHED)) % 2 === 1;
  const pairs = await alternate(
    TURNS,
    () => {
      const turn = ourTurn++;
      const request = (n: number) => ({
        method: "PATCH" as const,
        path: `/env/switched-${n % SWITCHED}/production/config`,
        body: { flags: { checkout: { ...OUR_FLAG, state: isOn(turn, n) ? "ENABLED" : "DISABLED" } } },
      });
      return load(engine.url, {
        clients: SWITCHED,
        amount: WRITES.ours,
        request,
        headers: { authorization: `Bearer ${token}` },
        times: times.ours,
      });
    },
    () => {
      const turn = theirTurn++;
      const request = (n: number) => ({
        method: "POST" as const,
        path: server.switchPath(`switched-${n % SWITCHED}`, isOn(turn, n)),
        body: {},
      });
      return load(server.url, {
        clients: SWITCHED,
        amount: WRITES.theirs,
        request,
        headers: { authorization: server.admin },
        times: times.theirs,
      });
    },
  );
  return ratioRow({
    id: "config-writes-unleash",
    work: `${SWITCHED} flags switched on and off over HTTP, ${SWITCHED} clients`,
    subject: "PATCH config",
    baseline: `${server.version} toggles`,
    pairs,
    unit: perSecond,
    ratio: timesFaster,
    goal: { atLeast: 20 },
    latency: [latencyOf("flag switched", times.ours), latencyOf(`flag switched, ${server.version}`, times.theirs)],
    about:
      "Both are durable when they answer, check a token and note who did it. Unleash writes an event for its log and its webhooks; ours makes a version with its difference and an audit record in a hash chain. Unleash keeps its flags in PostgreSQL, ours here in SQLite.",
    next: {
      met: "The processor's time for one request is our limit: see the row beside etcd.",
      missed: "The processor's time for one request is our limit: see the row beside etcd.",
    },
  });
}
