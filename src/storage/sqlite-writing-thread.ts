import { parentPort, workerData } from "node:worker_threads";
import type Database from "better-sqlite3";
import { SqliteCheckpoints } from "./sqlite-checkpoints.ts";
import { DURABLE, openWriting } from "./sqlite-file.ts";
import { type FromThread, type PackedGroup, packedError, packedOutcome, type ToThread, unpacked } from "./sqlite-messages.ts";
import { SqliteWriter } from "./sqlite-writer.ts";
import type { WritingOptions } from "./sqlite-writing.ts";

// The thread of `SqliteWriting`.

const { path, pragmas } = workerData as WritingOptions;
const checkpoints = new SqliteCheckpoints(path, DURABLE);
let now = 0;
/** `null` until a group has found that the file can be opened. */
let open: { readonly db: Database.Database; readonly writer: SqliteWriter } | null = null;

/** One after another, in the order in which they came: a group may have to wait for the log. */
let last: Promise<void> = Promise.resolve();
parentPort?.on("message", (message: ToThread) => {
  last = last.then(() => (message === "close" ? close() : write(message))).catch(end);
});
answer("begun");

async function write(group: PackedGroup): Promise<void> {
  await checkpoints.turn();
  now = group.now;
  const writes = unpacked(group);
  try {
    open ??= opened();
    answer({ outcomes: open.writer.commitGroup(writes).map(packedOutcome), checkpoints: checkpoints.count });
  } catch (error) {
    answer({ failed: packedError(error) });
  }
  checkpoints.wrote(writes);
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
