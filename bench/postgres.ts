import pg from "pg";
import type { Change, CommitResult } from "../src/ports.ts";
import { openPostgres, type PostgresBackend } from "../src/storage/postgres.ts";
import { PostgresServer } from "../tests/support/postgres-server.ts";
import { alternate, countRow, inTurn, latencyOf, median, type Pair, perSecond, type Row, ratioRow, timesFaster } from "./measure.ts";

const CLIENTS = 64;
const COMMITS_A_TURN = 3_000;
const TURNS = 5;
const CONNECTIONS = 4;
const DOCUMENT = JSON.stringify({ text: "x".repeat(900) });
const HEARD = 300;

/**
 * Commits of one document each, checked against the revision that the client saw last, against plain inserts of a row with the same
 * bytes by as many clients over as many connections. Both are durable. And how soon another engine hears of a commit.
 */
export async function postgres(): Promise<Row[]> {
  const server = await PostgresServer.start({ durable: true });
  try {
    const url = await server.createDatabase();
    const engine = await openPostgres(url);
    const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS });
    await pool.query("CREATE TABLE plain (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text NOT NULL, value text NOT NULL)");
    const rows = await inTurn({
      "postgres-commits": () => against(engine, pool, 50, 0.8),
      "postgres-commits-one": () => against(engine, pool, 1, 0.5),
      "postgres-heard": () => heard(engine, url),
    });
    await pool.end();
    await engine.close();
    return rows;
  } finally {
    await server.stop();
  }
}

async function against(engine: PostgresBackend, pool: pg.Pool, projects: number, goal: number): Promise<Row> {
  const name = projects === 1 ? "one" : "many";
  const revisions = new Map<string, number>();
  let commits = 0;
  const before = engine.stats;
  const pairs: Pair[] = await alternate(
    TURNS,
    () =>
      clients(async (client, n) => {
        const partition = `${name}-${(client + n) % projects}`;
        const key = `document/${client}`;
        const place = `${partition}/${key}`;
        const result = await engine.commit(partition, changeOf(key, revisions.get(place) ?? null));
        if (!result.ok) throw new Error("a commit lost a race that nobody else runs");
        revisions.set(place, result.revision);
        commits++;
      }),
    () =>
      clients(async (client) => {
        await pool.query("INSERT INTO plain (key, value) VALUES ($1, $2)", [`document/${client}`, DOCUMENT]);
      }),
  );
  const { statements, notices } = engine.stats;
  const groups = statements - before.statements;
  return ratioRow({
    id: projects === 1 ? "postgres-commits-one" : "postgres-commits",
    work: `durable commits to PostgreSQL, ${CLIENTS} clients, ${projects === 1 ? "one project" : `${projects} projects`}`,
    subject: `${(commits / groups).toFixed(1)} commits a statement, ${((notices - before.notices) / groups).toFixed(2)} NOTIFY a statement,`,
    baseline: "INSERT of the same bytes",
    pairs,
    unit: perSecond,
    ratio: timesFaster,
    goal: { atLeast: goal },
    next: {
      met: "A group is one statement; what is left is PostgreSQL's own work for a row, and its sync.",
      missed: "A commit writes a document, its revision and its partition's row; the next idea is fewer rows for each.",
    },
  });
}

function changeOf(key: string, revision: number | null): Change<string> {
  return { checks: [{ key, revision }], puts: [{ key, value: DOCUMENT }], deletes: [], objects: [], objectDeletes: [] };
}

/** Milliseconds for one, where so many clients do it one after another. */
async function clients(work: (client: number, n: number) => Promise<void>): Promise<number> {
  let next = 0;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: CLIENTS }, async (_, client) => {
      for (let n = next++; n < COMMITS_A_TURN; n = next++) await work(client, n);
    }),
  );
  return (performance.now() - start) / COMMITS_A_TURN;
}

/** From the acknowledgement on one engine to the event on another, with nothing else to do. */
async function heard(engine: PostgresBackend, url: string): Promise<Row> {
  const other = await openPostgres(url);
  const times: number[] = [];
  let tell: (revision: number) => void = () => {};
  other.watch({ onChange: (partition, revision) => partition === "heard" && tell(revision), onGap() {} });
  for (let n = 0; n < HEARD; n++) {
    let heardAt = 0;
    const event = new Promise<void>((resolve) => {
      tell = () => {
        heardAt = performance.now();
        resolve();
      };
    });
    const result: CommitResult = await engine.commit("heard", {
      checks: [],
      puts: [{ key: "a", value: String(n) }],
      deletes: [],
      objects: [],
      objectDeletes: [],
    });
    if (!result.ok) throw new Error("a commit without checks lost");
    const acknowledgedAt = performance.now();
    await event;
    times.push(Math.max(0, heardAt - acknowledgedAt));
  }
  await other.close();
  const sorted = [...times].sort((a, b) => a - b);
  return countRow({
    id: "postgres-heard",
    work: "a commit to PostgreSQL, acknowledged on one engine → event on another",
    subject: `p99 of ${HEARD}`,
    baseline: `median ${median(sorted).toFixed(2)} ms`,
    values: [sorted[Math.ceil(HEARD * 0.99) - 1] ?? Number.NaN],
    unit: "ms",
    goal: { atMost: 5 },
    latency: [latencyOf("commit on one instance, event on another", times)],
    next: {
      met: "NOTIFY is sent with the commit, and what is left is PostgreSQL's own way to whoever listens.",
      missed: "The notice leaves after the commit; the next idea is to send it with the commit's statement.",
    },
  });
}
