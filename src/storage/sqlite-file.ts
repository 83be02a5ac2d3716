import { chmodSync, existsSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { makeFolder } from "./folder.ts";
import Database from "./sqlite-driver.cjs";
import { storeError } from "./sqlite-errors.ts";
import { type FileLock, lockFile } from "./sqlite-lock.ts";
import { identify, migrate } from "./sqlite-schema.ts";

/** A connection with these writes and moves the log durably. On macOS fsync alone leaves data in the drive's cache; elsewhere the last two do nothing. */
export const DURABLE = ["synchronous = FULL", "fullfsync = ON", "checkpoint_fullfsync = ON"];

export interface SqliteFile {
  readonly path: string;
  /** A connection that reads. */
  readonly db: Database.Database;
  /** What is set on the one that writes. */
  readonly pragmas: readonly string[];
  readonly lock: FileLock;
}

/**
 * The file that a URL names: `sqlite:./data/env.db` (from the working directory), `sqlite:/var/lib/env.db` or
 * `sqlite:///var/lib/env.db`. Everything after the scheme is the path as it stands. Throws `invalid_request`.
 */
export function sqlitePath(url: string): string {
  const rest = url.slice("sqlite:".length);
  const path = rest.startsWith("///") ? rest.slice(2) : rest;
  if (path.startsWith("//")) refuseUrl(url, "has a host, and SQLite files are local");
  if (path === "" || path.endsWith("/")) refuseUrl(url, "names no file");
  if (path.startsWith(":")) refuseUrl(url, "is not a file; for a store in memory use memory:");
  if (path.includes("?") || path.includes("\0")) refuseUrl(url, "holds a character that the path may not have");
  return resolve(path);
}

/** Of the connection that writes, and of the one that reads: whichever is closed last moves the log. */
const WRITING = [
  ...DURABLE,
  "foreign_keys = OFF",
  "temp_store = MEMORY",
  // In a commit, where nobody has done it before (`SqliteCheckpoints`).
  `wal_autocheckpoint = ${LIMITS.checkpointPages}`,
  // After a burst (a checkpoint cannot pass a reader that lingers) the log gives its space back down to this.
  `journal_size_limit = ${LIMITS.stateBodyBytes}`,
];

/**
 * Opens the connection that writes a database, which is there.
 * @throws AppError where what it writes would not be durable, or what SQLite throws
 */
export function openWriting(path: string, pragmas: readonly string[]): Database.Database {
  if (!existsSync(path)) throw gone();
  const db = new Database(path, { fileMustExist: true, timeout: LIMITS.storeLockMs });
  try {
    configure(db, path, pragmas);
    // SQLite opens what may only be read without a word, and that connection would never write. This writes nothing, where it may.
    db.exec("UPDATE partition SET revision = revision WHERE 0");
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Opens, or makes, the database at `path` and makes sure that it is whole, ours, writable and used by nobody else. */
export async function openFile(path: string, lockWaitMs: number): Promise<SqliteFile> {
  const file = settle(path);
  let db: Database.Database | undefined;
  let lock: FileLock | undefined;
  try {
    const isNew = !existsSync(file);
    db = new Database(file, { timeout: LIMITS.storeLockMs });
    // Before anything is written beside a file that may be somebody else's.
    identify(db, file);
    if (isNew) makePrivate(file);
    lock = await lockFile(file, lockWaitMs);
    // Again: the engine that held the lock may have been a newer one.
    identify(db, file);
    configure(db, file, WRITING);
    migrate(db);
    db.pragma("query_only = ON");
    return { path: file, db, pragmas: WRITING, lock };
  } catch (error) {
    db?.close();
    lock?.release();
    throw storeError(error, file, file);
  }
}

/** Makes the folder, and resolves links so that two names of one file share one lock. */
function settle(path: string): string {
  const folder = dirname(path);
  try {
    makeFolder(folder);
    const file = join(realpathSync(folder), basename(path));
    const found = statSync(file, { throwIfNoEntry: false });
    if (found === undefined) return file;
    if (found.isFile()) return realpathSync(file);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new AppError("store_unavailable", {
      reason: `The folder ${folder} of the database cannot be used: ${why}`,
      fix: "Make the folder, and let the user that runs the engine write to it.",
      cause: error,
    });
  }
  throw new AppError("store_unavailable", {
    reason: `${path} is not a file.`,
    fix: "STORE_URL must name the database file itself, for example sqlite:./data/env.db.",
  });
}

/** Before anything is in it: SQLite gives the files beside it the same rights. */
function makePrivate(file: string): void {
  try {
    chmodSync(file, 0o600);
  } catch {
    // Some file systems know no rights.
  }
}

function configure(db: Database.Database, path: string, pragmas: readonly string[]): void {
  db.pragma("journal_mode = WAL");
  for (const pragma of pragmas) db.pragma(pragma);
  expect(db, path, "journal_mode", "WAL", "wal");
  // better-sqlite3 is built to run WAL with synchronous=NORMAL, which loses acknowledged commits in a power failure.
  expect(db, path, "synchronous", "FULL", 2);
}

function expect(db: Database.Database, path: string, pragma: string, value: string, readBack: unknown): void {
  const found = db.pragma(pragma, { simple: true });
  if (found === readBack) return;
  throw new AppError("store_unavailable", {
    reason: `SQLite answers ${pragma}=${String(found)} for ${path}, and without ${value} a commit would not be durable.`,
    fix: "Put the database on a local disk: network file systems often lack what this needs.",
  });
}

function gone(): AppError {
  return new AppError("store_unavailable", {
    reason: "The engine's database cannot be opened to be written: it is not where it was.",
    fix: "Put the file, and those beside it, back to where STORE_URL names it.",
  });
}

function refuseUrl(url: string, why: string): never {
  throw new AppError("invalid_request", {
    reason: `STORE_URL "${url}" ${why}.`,
    fix: "Write it as sqlite:./data/env.db or sqlite:///var/lib/environment-manager/env.db.",
  });
}
