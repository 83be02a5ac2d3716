// @ts-check
import { parentPort, workerData } from "node:worker_threads";
import Database from "./sqlite-driver.cjs";

// The thread of `SqliteCheckpoints`. JavaScript, so that it runs as it is wherever it is started from: a thread has nobody who translates.

const db = new Database(workerData.path, { fileMustExist: true, timeout: 0 });
for (const pragma of workerData.pragmas) db.pragma(pragma);

parentPort?.on("message", () => parentPort?.postMessage(move()));

/** Whether something is left in the log. PASSIVE waits for nobody, and nobody waits for it: what a reader holds on to stays. */
function move() {
  try {
    const [{ log, checkpointed }] = /** @type {[{ log: number, checkpointed: number }]} */ (db.pragma("wal_checkpoint(PASSIVE)"));
    return log !== checkpointed;
  } catch {
    // A full disk, say: another time. Commits tell of it, when they find no room for the log.
    return false;
  }
}
