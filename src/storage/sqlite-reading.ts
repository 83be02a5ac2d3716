import { existsSync } from "node:fs";
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Backend, CommitResult } from "../ports.ts";
import Database from "./sqlite-driver.cjs";
import { RUNNING, storeError } from "./sqlite-errors.ts";
import { sqlitePath } from "./sqlite-file.ts";
import { SqliteReader } from "./sqlite-reader.ts";
import { identify } from "./sqlite-schema.ts";

/** A database of the engine, open for reading beside the engine that has it. */
interface ReadableFile {
  readonly path: string;
  readonly db: Database.Database;
}

/**
 * Opens the file that `url` names without its lock: it may be in use by an engine, and nothing is written to it.
 *
 * Throws `store_unavailable`, with reason and fix, where there is none, or one that is not this engine's.
 */
export function openReadable(url: string): ReadableFile {
  const path = sqlitePath(url);
  if (!existsSync(path)) {
    throw new AppError("store_unavailable", { reason: `There is no database ${path}.`, fix: "Look whether the path is right." });
  }
  let db: Database.Database | undefined;
  try {
    // Not as a read-only file: a reader of a write-ahead log takes part in its bookkeeping.
    db = new Database(path, { fileMustExist: true, timeout: LIMITS.storeLockMs });
    db.pragma("query_only = ON");
    identify(db, path);
    if (db.pragma("user_version", { simple: true }) === 0) throw notOurs(path);
    return { path, db };
  } catch (error) {
    db?.close();
    throw storeError(error, path, path);
  }
}

/** The same as a store, of which everything that writes is refused. */
export function openSqliteReading(url: string): Backend {
  const { path, db } = openReadable(url);
  const reader = new SqliteReader(db);
  const read = async <Result>(look: () => Result): Promise<Result> => {
    try {
      // One state, though the engine writes meanwhile.
      return db.transaction(look)();
    } catch (error) {
      throw storeError(error, path, RUNNING);
    }
  };
  return {
    get: (partition, keys) => read(() => reader.get(partition, keys)),
    list: (partition, range) => read(() => reader.list(partition, range)),
    revision: (partitions) => read(() => partitions.map((partition) => reader.revision(partition))),
    commit: refuse<CommitResult>,
    objects: {
      get: (partition, hashes) => read(() => reader.getObjects(partition, hashes)),
      put: refuse<void>,
      list: (partition, after, limit) => read(() => reader.listObjects(partition, after, limit)),
    },
    watch: () => ({ close() {} }),
    now: async () => new Date(),
    close: async () => void db.close(),
  };
}

async function refuse<Never>(): Promise<Never> {
  throw new AppError("invalid_request", { reason: "The store was opened for reading alone." });
}

function notOurs(path: string): AppError {
  return new AppError("store_unavailable", { reason: `${path} is no database of the engine.`, fix: "Look whether the path is right." });
}
