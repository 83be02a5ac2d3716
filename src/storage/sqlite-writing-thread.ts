import { parentPort, workerData } from "node:worker_threads";
import { LIMITS } from "../limits.ts";
import { SqliteCheckpoints } from "./sqlite-checkpoints.ts";
import type Database from "./sqlite-driver.cjs";
import { DURABLE, openWriting } from "./sqlite-file.ts";
import { type FromThread, type PackedAnswer, packedError, packedOutcome, type ToThread, unpacked } from "./sqlite-messages.ts";
import { SqliteWriter } from "./sqlite-writer.ts";
import type { WritingOptions } from "./sqlite-writing.ts";
import type { Write } from "./write.ts";

// The thread of `SqliteWriting`.

const { path, pragmas } = workerData as WritingOptions;
const checkpoints = new SqliteCheckpoints(path, DURABLE);
let now = 0;
/** `null` until a group has found that the file can be opened. */
let open: { readonly db: Database.Database; readonly writer: SqliteWriter } | null = null;

/** What has come and is not made yet, in order. */
const waiting: ToThread[] = [];
let isBusy = false;
parentPort?.on("message", (message: ToThread) => {
  waiting.push(message);
  if (isBusy) return;
  isBusy = true;
  work().catch(end);
});
answer("begun");

async function work(): Promise<void> {
  while (waiting.length > 0) {
    // What has come by now goes along, and the thread that moves the log is heard.
    await new Promise((resolve) => setImmediate(resolve));
    await checkpoints.turn();
    const groups = take();
    if (groups.length > 0) write(groups);
    else await close();
  }
  isBusy = false;
}

/** The groups that make up the next transaction; none where the thread is to end. */
function take(): readonly (readonly Write[])[] {
  const groups: (readonly Write[])[] = [];
  let [count, bytes] = [0, 0];
  for (const message of waiting) {
    if (message === "close") break;
    count += message.count;
    bytes += message.size;
    if (groups.length > 0 && (count > LIMITS.groupCommits || bytes > LIMITS.commitBytes)) break;
    now = message.now;
    groups.push(unpacked(message));
  }
  waiting.splice(0, Math.max(1, groups.length));
  return groups;
}

function write(groups: readonly (readonly Write[])[]): void {
  const writes = groups.flat();
  answer({ answers: attempt(groups, writes), checkpoints: checkpoints.count });
  checkpoints.wrote(writes);
}

function attempt(groups: readonly (readonly Write[])[], writes: readonly Write[]): readonly PackedAnswer[] {
  try {
    open ??= opened();
    const outcomes = open.writer.commitGroup(writes).map(packedOutcome);
    return groups.map((group) => ({ outcomes: outcomes.splice(0, group.length) }));
  } catch (error) {
    const failed = packedError(error);
    return groups.map(() => ({ failed }));
  }
}

function opened() {
  const db = openWriting(path, pragmas);
  return { db, writer: new SqliteWriter(db, () => now) };
}

async function close(): Promise<void> {
  await checkpoints.close();
  open?.db.close();
  parentPort?.close();
}

/** What nobody foresaw ends the thread, and whoever has no answer is told. */
function end(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}

function answer(message: FromThread): void {
  parentPort?.postMessage(message);
}
