import { parentPort, workerData } from "node:worker_threads";
import Database from "better-sqlite3";
import { LIMITS } from "../limits.ts";
import { SqliteCheckpoints } from "./sqlite-checkpoints.ts";
import { DURABLE } from "./sqlite-file.ts";
import { type FromThread, packedError, packedOutcome, type ToThread, unpacked } from "./sqlite-messages.ts";
import { SqliteWriter } from "./sqlite-writer.ts";
import type { WritingOptions } from "./sqlite-writing.ts";

// The thread of `SqliteWriting`. Whatever is thrown here beside what a group is answered ends it, and whoever is not answered is told.

const { path, pragmas } = workerData as WritingOptions;
const db = new Database(path, { fileMustExist: true, timeout: LIMITS.storeLockMs });
for (const pragma of pragmas) db.pragma(pragma);
const checkpoints = new SqliteCheckpoints(path, DURABLE);
let now = 0;
const writer = new SqliteWriter(db, () => now);

/** One after another, in the order in which they came: a group may have to wait for the log. */
let last: Promise<void> = Promise.resolve();
parentPort?.on("message", (message: ToThread) => {
  last = last.then(() => (message === "close" ? close() : write(message)));
});

async function write(group: Exclude<ToThread, "close">): Promise<void> {
  await checkpoints.turn();
  now = group.now;
  const writes = unpacked(group);
  answer(attempt());
  checkpoints.wrote(writes);

  function attempt(): FromThread {
    try {
      return { outcomes: writer.commitGroup(writes).map(packedOutcome), checkpoints: checkpoints.count };
    } catch (error) {
      return { failed: packedError(error) };
    }
  }
}

async function close(): Promise<void> {
  await checkpoints.close();
  db.close();
  parentPort?.close();
}

function answer(message: FromThread): void {
  parentPort?.postMessage(message);
}
