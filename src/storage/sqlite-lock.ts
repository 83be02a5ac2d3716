import { readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "../errors.ts";
import Database from "./sqlite-driver.cjs";
import { sqliteCode, storeError } from "./sqlite-errors.ts";

const POLL_MS = 50;

/** The right to be the one engine of a database file. It ends with `release()`, or with the process, however that dies. */
export interface FileLock {
  release(): void;
}

/**
 * Takes the lock of the database at `path`, and waits up to `waitMs` for an engine that is about to leave. Throws
 * `store_unavailable` naming the holder where it stays.
 *
 * The lock is an open write transaction on a small database of its own beside the file (`<path>-lock`): the operating system
 * drops it with the process, and the main file stays open to readers and to backup tools. Nothing is ever written to it: no start waits for
 * the disk, and no crash can leave a lock that is damaged.
 */
export async function lockFile(path: string, waitMs: number): Promise<FileLock> {
  const deadline = Date.now() + waitMs;
  const db = openLock(path);
  try {
    while (!tryLock(db)) {
      if (Date.now() >= deadline) throw held(path, readHolder(path));
      await sleep(POLL_MS);
    }
    noteHolder(path);
  } catch (error) {
    db.close();
    throw storeError(error, path, `${path}-lock`);
  }
  return { release: () => void db.close() };
}

function openLock(path: string): Database.Database {
  try {
    return new Database(`${path}-lock`, { timeout: 0 });
  } catch (error) {
    throw storeError(error, path, `${path}-lock`);
  }
}

function tryLock(db: Database.Database): boolean {
  try {
    db.exec("BEGIN IMMEDIATE");
    return true;
  } catch (error) {
    if (sqliteCode(error).startsWith("SQLITE_BUSY")) return false;
    throw error;
  }
}

const HOLDER = /^process \d+ on \S+ \(since \S+\)$/;

/** Says for the next engine's error message who holds the lock: a courtesy, so that a full disk does not stop the start. */
function noteHolder(path: string): void {
  try {
    writeFileSync(`${path}-holder`, `process ${process.pid} on ${hostname()} (since ${new Date().toISOString()})`, { mode: 0o600 });
  } catch {
    // Whoever asks hears of another process.
  }
}

function readHolder(path: string): string {
  try {
    const note = readFileSync(`${path}-holder`, "utf8");
    // A crash of the machine may have left anything in it.
    return HOLDER.test(note) ? note : "another process";
  } catch {
    return "another process";
  }
}

function held(path: string, holder: string): AppError {
  return new AppError("store_unavailable", {
    reason: `${path} is in use by ${holder}. One engine at a time may use a database file.`,
    fix: "Stop that engine, or give this one a file of its own by STORE_URL. For several engines on the same data use a shared store.",
  });
}
