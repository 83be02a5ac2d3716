import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createClient } from "redis";
import { LIMITS } from "../src/limits.ts";
import { openRedis, type RedisBackend } from "../src/storage/redis.ts";
import { RedisServer } from "../tests/support/redis.ts";
import { alternate, perSecond, type Row, ratioRow, skippedRow, timesFaster } from "./measure.ts";

const CLIENTS = 64;
const PROJECTS = 50;
const WRITES_A_TURN = 4_000;
const TURNS = 5;
/** Bytes of what one small edit of an environment writes: its head, a revision, an audit record, and the nodes of a map. */
const DOCUMENTS = [600, 700, 500];
const OBJECT = 700;

/** What of a client the baseline uses. */
type Setting = Pick<ReturnType<typeof createClient>, "set">;

const ABOUT =
  "A commit checks and numbers its documents, orders their keys, keeps an object with its time and tells other engines. Both sides come over as many connections: those that the engine has.";

const NEXT = {
  met: "The script checks, numbers and announces a commit in one step on Redis' one thread, which is what takes the time now: twice as many need smaller scripts for the changes that check one key.",
  missed:
    "Where the disk syncs quickly, Redis' one thread takes the time: two fifths of a commit's script go into its two ordered sets, a fifth into its hashes, a fifth is the call itself. Without the order of objects, and without the looks at what each key is, a commit took an eighth less when that was tried; sixteen commits in one script took a tenth to a fifth less for each. Half of it would take other data in Redis, not another script.",
};

/** Commits of a few documents and an object against `SET` of the same bytes, both on a server that syncs each write to its disk. */
export async function redisCommits(): Promise<Row[]> {
  if (!hasRedis()) return [skippedRow("redis-commits", "Redis commits", "redis-server is not installed")];
  const server = await RedisServer.start();
  const backend = await openRedis(server.url);
  const clients = await Promise.all(Array.from({ length: LIMITS.redisWriters }, () => createClient({ url: server.url }).connect()));
  try {
    const pairs = await alternate(
      TURNS,
      () => perWrite((n) => commit(backend, n)),
      () => perWrite((n) => set(clients, n)),
    );
    const work = `Redis commits, ${CLIENTS} clients, ${PROJECTS} projects, appendfsync always`;
    const row = { id: "redis-commits", work, subject: "commits of 3 documents and an object", baseline: "SET of the same bytes", pairs };
    return [ratioRow({ ...row, unit: perSecond, ratio: timesFaster, goal: { atLeast: 0.5 }, about: ABOUT, next: NEXT })];
  } finally {
    for (const client of clients) client.destroy();
    await backend.close();
    await server.dispose();
  }
}

export function hasRedis(): boolean {
  return spawnSync("redis-server", ["--version"]).status === 0;
}

/** A new text for each write, so that nothing is there already. */
function values(n: number): string[] {
  return [...DOCUMENTS, OBJECT].map((size) => `${n}`.padStart(size, "x"));
}

async function commit(backend: RedisBackend, n: number): Promise<void> {
  const [head = "", revision = "", record = "", object = ""] = values(n);
  const puts = [
    { key: "env/dev", value: head },
    { key: `rev/dev/${n}`, value: revision },
    { key: `audit/${n}`, value: record },
  ];
  const objects = [{ hash: hashes[n % WRITES_A_TURN] ?? "", data: Buffer.from(object) }];
  const checks = [{ key: `audit/${n}`, revision: null }];
  const result = await backend.commit(`project-${n % PROJECTS}`, { checks, puts, deletes: [], objects, objectDeletes: [] });
  if (!result.ok) throw new Error("A commit lost a race that nobody ran.");
}

async function set(clients: readonly Setting[], n: number): Promise<void> {
  await clients[n % clients.length]?.set(`plain:${n}`, values(n).join(""));
}

let written = 0;
/** One for each write of a turn, made before its clock starts: a store is given hashes, and makes none. */
let hashes: readonly string[] = [];

/** Milliseconds for one write, where so many clients each send the next when they have the answer to the last. */
async function perWrite(write: (n: number) => Promise<unknown>): Promise<number> {
  hashes = Array.from({ length: WRITES_A_TURN }, () => randomBytes(32).toString("hex"));
  let left = WRITES_A_TURN;
  const one = async (): Promise<void> => {
    while (left-- > 0) await write(written++);
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: CLIENTS }, one));
  return (performance.now() - start) / WRITES_A_TURN;
}
