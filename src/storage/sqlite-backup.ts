import { chmodSync, closeSync, copyFileSync, existsSync, fsyncSync, linkSync, openSync, realpathSync, rmSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { makeFolder } from "./folder.ts";
import Database from "./sqlite-driver.cjs";
import { storeError } from "./sqlite-errors.ts";
import { sqlitePath } from "./sqlite-file.ts";
import { lockFile } from "./sqlite-lock.ts";
import { openReadable } from "./sqlite-reading.ts";
import { identify } from "./sqlite-schema.ts";

/** Pages copied between two turns of the event loop. */
const PAGES_A_TURN = 2_000;

/** Told how many pages of how many are copied. */
type OnPages = (done: number, of: number) => void;

/**
 * Writes a copy of the database that `url` names to the new file `destination`, as of this moment, while an engine may write to it. The
 * copy is checked before it gets its name; the file is whole, or not there.
 *
 * Throws `invalid_request` where the destination is there already, `store_unavailable` or `storage_full` where it cannot be written.
 */
export async function backUp(url: string, destination: string, onPages: OnPages): Promise<string> {
  const path = resolve(destination);
  mustBeFree(path);
  const { db } = openReadable(url);
  const draft = `${path}.partial`;
  try {
    makePrivate(draft);
    // One state from the first page to the last: without it, every commit of the engine would make the copy begin anew.
    db.exec("BEGIN");
    db.prepare("SELECT count(*) FROM partition").get();
    await db.backup(draft, {
      progress({ totalPages, remainingPages }) {
        onPages(totalPages - remainingPages, totalPages);
        return PAGES_A_TURN;
      },
    });
    db.exec("COMMIT");
    mustBeWhole(draft, path);
    settle(draft, path);
    return path;
  } catch (error) {
    rmSync(draft, { force: true });
    throw storeError(asDisk(error, path), path, path);
  } finally {
    db.close();
  }
}

/** Does what belongs to a copy before that has its name, and answers what takes it back. */
type Beside = () => Promise<() => Promise<void>>;

/**
 * Puts a copy of the backup `file` where `url` says that the database is to be, where there is none. What is there is never written over.
 *
 * `beside` is done while no engine can open the database, and taken back where that does not get its name: both are there, or neither is.
 *
 * Throws `invalid_request` where a database is there, or where what belongs to the backup may be in a log beside it, `store_unavailable` where the backup is not whole or not this engine's.
 */
export async function restore(file: string, url: string, beside: Beside = async () => async () => {}): Promise<string> {
  const path = sqlitePath(url);
  const backup = resolve(file);
  for (const name of [path, `${path}-wal`, `${path}-journal`]) mustBeFree(name);
  if (!existsSync(backup)) throw new AppError("invalid_request", { reason: `There is no backup ${backup}.` });
  mustBeAll(backup);
  makeFolder(dirname(path));
  const lock = await lockFile(path, LIMITS.storeLockMs);
  const draft = `${path}.restoring`;
  try {
    makePrivate(draft);
    copyFileSync(backup, draft);
    chmodSync(draft, 0o600); // A copy has its original's mode.
    mustBeWhole(draft, backup);
    const takeBack = await beside();
    try {
      settle(draft, path);
    } catch (error) {
      await takeBack();
      throw error;
    }
    return path;
  } catch (error) {
    rmSync(draft, { force: true });
    throw storeError(asDisk(error, path), path, backup);
  } finally {
    lock.release();
  }
}

/** An empty file that is its owner's alone before anything is in it. */
function makePrivate(path: string): void {
  rmSync(path, { force: true });
  closeSync(openSync(path, "wx", 0o600));
}

function mustBeFree(path: string): void {
  if (!existsSync(path)) return;
  throw new AppError("invalid_request", {
    reason: `${path} is there already, and nothing is written over it.`,
    fix: "Give another name, or move that file away first.",
  });
}

/** A copy made by other means has its newest commits in a log beside it. Whose log that is, and whether both are of one moment, nobody can tell. */
function mustBeAll(backup: string): void {
  const file = realpathSync(backup);
  const log = [`${file}-wal`, `${file}-journal`].find((name) => (statSync(name, { throwIfNoEntry: false })?.size ?? 0) > 0);
  if (log === undefined) return;
  throw new AppError("invalid_request", {
    reason: `${log} lies beside the backup, which may not be all of it: commits that were acknowledged may be in that file alone.`,
    fix:
      "Where the two were copied together while no engine ran, copy both to where the database is to be, under its name, and run `npm run store:check`. " +
      "Where that file belongs to something else, move it away. `npm run store:backup` makes a backup that is one file.",
  });
}

/** A single file, every page of which is as it must be, and this engine's. */
function mustBeWhole(draft: string, shown: string): void {
  const db = new Database(draft, { fileMustExist: true });
  try {
    identify(db, shown);
    db.pragma("journal_mode = DELETE");
    const found = db.pragma("integrity_check(1)", { simple: true });
    if (found === "ok" && db.pragma("user_version", { simple: true }) !== 0) return;
  } finally {
    db.close();
  }
  throw new AppError("store_unavailable", { reason: `${shown} is damaged, or no database of the engine.`, fix: "Use another backup." });
}

/** Gives the draft its name, durably, unless that has been taken meanwhile. */
function settle(draft: string, path: string): void {
  sync(draft);
  linkSync(draft, path);
  rmSync(draft);
  if (process.platform !== "win32") sync(dirname(path));
}

function sync(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** What the operating system refuses, in words. */
function asDisk(error: unknown, path: string): unknown {
  if (error instanceof AppError) return error;
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  if (code === "EEXIST") return new AppError("invalid_request", { reason: `${path} was made by somebody else meanwhile.` });
  if (code === "ENOSPC") return new AppError("storage_full", { reason: `There is no room for ${path}.`, fix: "Free some space." });
  if (error instanceof TypeError || (code !== undefined && !code.startsWith("SQLITE_"))) {
    const why = error instanceof Error ? error.message : String(error);
    return new AppError("store_unavailable", {
      reason: `${path} cannot be written: ${why}`,
      fix: "Look whether its folder is there and may be written to.",
      cause: error,
    });
  }
  return error;
}
