import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Domain } from "../src/domain.ts";
import { createDomain } from "../src/domain.ts";
import type { Store } from "../src/ports.ts";
import { openStore } from "../src/storage/open.ts";
import { openBuiltinVault } from "../src/vault/builtin.ts";
import { PostgresServer } from "../tests/support/postgres-server.ts";
import { rawRequest } from "./authorized.ts";
import { CALLER, databasePath } from "./engine.ts";
import { withFolder } from "./folders.ts";
import { load } from "./load.ts";
import { alternate, inTurn, perSecond, type Row, ratioRow, timesFaster } from "./measure.ts";
import { startEngine } from "./processes.ts";
import { RawLoad } from "./raw-load.ts";

const CLIENTS = 64;
const TURNS = 5;
const WRITES_A_TURN = 1_500;
const READS_A_TURN = 20_000;
const PROJECT = "shop";
const UNLIMITED = { RATE_LIMIT_PER_TOKEN: "1000000", RATE_LIMIT_PER_ADDRESS: "1000000" };

/** What it costs that instances share a store: races for one project, and a question of the store before each answer. */
export async function instances(): Promise<Row[]> {
  const server = await PostgresServer.start({ durable: true });
  try {
    return await inTurn({
      "two-instances": async () => writers(await server.createDatabase()),
      "config-read-postgres": async () => readers(await server.createDatabase()),
    });
  } finally {
    await server.stop();
  }
}

/** In one process, so that two instances have no more of the machine than one. */
async function writers(url: string): Promise<Row> {
  const masterKey = randomBytes(32).toString("base64");
  const stores = [await openStore(url), await openStore(url)];
  const domains: Domain[] = [];
  for (const store of stores) domains.push(await domainOn(store, url, masterKey));
  const [first] = domains as [Domain];
  await first.creation.create(CALLER, { project: PROJECT, env: "dev", base: null });
  const pairs = await alternate(
    TURNS,
    () => write(domains),
    () => write([first]),
  );
  await Promise.all(stores.map((store) => store.close()));
  const work = `durable config writes of one project on PostgreSQL, ${CLIENTS} clients`;
  const goal = { atLeast: 0.67 };
  return ratioRow({
    id: "two-instances",
    work,
    subject: "two instances",
    baseline: "one instance",
    pairs,
    unit: perSecond,
    ratio: timesFaster,
    goal,
    next: {
      met: "Instances take turns with a project, each for some commits; twice as good would be two writers of one project at once, which its one history does not allow.",
      missed:
        "The clients are spread over the instances, so that each commit has half as many writes; and the first one of a turn reads what the other instance wrote. The next idea is longer turns, for which others wait longer.",
    },
  });
}

function domainOn(store: Store, storeUrl: string, masterKey: string): Promise<Domain> {
  const failed = (error: unknown): never => {
    throw error;
  };
  return openBuiltinVault({ store, storeUrl, masterKey }).then((vault) =>
    createDomain({
      store,
      vault,
      clock: { now: () => new Date() },
      validator: null,
      builder: null,
      previewUrlTemplate: "https://preview.example/{project_id}/{env}",
      failed,
    }),
  );
}

let written = 0;

/** Milliseconds for one write, where clients are spread over the instances. */
async function write(domains: readonly Domain[]): Promise<number> {
  let left = WRITES_A_TURN;
  const start = performance.now();
  const client = async (_: unknown, index: number): Promise<void> => {
    const { config } = domains[index % domains.length] as Domain;
    while (left-- > 0) {
      await config.patch(CALLER, { project: PROJECT, env: "dev", ifMatch: null, vars: { [`VAR_${left % 40}`]: `value ${written++}` } });
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return (performance.now() - start) / WRITES_A_TURN;
}

async function readers(url: string): Promise<Row> {
  return withFolder(async (folder) => {
    const shared = await startEngine({ ...UNLIMITED, STORE_URL: url, ENV_MANAGER_MASTER_KEY: randomBytes(32).toString("base64") });
    const own = await startEngine({ ...UNLIMITED, STORE_URL: `sqlite:${databasePath(join(folder, "own"))}` });
    for (const engine of [shared, own]) {
      const body = { project_id: PROJECT, new_environment: "dev", env_variables: { GREETING: "hello" } };
      await load(engine.url, { clients: 1, amount: 1, request: () => ({ method: "POST", path: "/env/create", body }) });
    }
    const reading = ({ url: address }: { readonly url: string }) =>
      new RawLoad(address, {
        clients: CLIENTS,
        amount: READS_A_TURN,
        request: rawRequest(address, "GET", `/env/${PROJECT}/dev/config`, {}),
      });
    const [subject, baseline] = [reading(shared), reading(own)];
    const pairs = await alternate(
      TURNS,
      () => subject.run(),
      () => baseline.run(),
    );
    for (const engine of [shared, own]) await engine.stop();
    const work = `config reads over HTTP, ${CLIENTS} clients`;
    const goal = { atLeast: 0.5 };
    return ratioRow({
      id: "config-read-postgres",
      work,
      subject: "PostgreSQL",
      baseline: "SQLite",
      pairs,
      unit: perSecond,
      ratio: timesFaster,
      goal,
      latency: [subject.latency("config read on PostgreSQL"), baseline.latency("config read on SQLite")],
      next: {
        met: "One question to the database for all that ask in the same moment; fewer need a promise by the database that it will tell of changes in time, which it does not give.",
        missed:
          "Every read waits for a question to the database that began after it; the next idea is to ask earlier, while a batch is still being answered.",
      },
    });
  });
}
