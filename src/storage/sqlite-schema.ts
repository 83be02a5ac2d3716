import { AppError } from "../errors.ts";
import type Database from "./sqlite-driver.cjs";

/** "PEnv" in ASCII: marks the file as this engine's in SQLite's header. */
const APPLICATION_ID = 0x50456e76;

/**
 * Forward-only steps; `user_version` says how many were taken. Never edit one that was released.
 *
 * Documents and objects live in tables that grow at their end, so that commits of many partitions in one transaction fill the
 * same few pages. What is random is only the entry in an index that leads with the partition: a project's entries stay
 * together, and 6 of a hash's 32 bytes are enough to find it (a query compares the whole hash).
 */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE partition (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL);
   CREATE TABLE document (
     id INTEGER PRIMARY KEY, partition INTEGER NOT NULL, key TEXT NOT NULL, revision INTEGER NOT NULL, value TEXT NOT NULL);
   CREATE UNIQUE INDEX document_key ON document (partition, key);
   CREATE TABLE object (
     id INTEGER PRIMARY KEY, partition INTEGER NOT NULL, hash BLOB NOT NULL, stored_at INTEGER NOT NULL, data BLOB NOT NULL);
   CREATE INDEX object_hash ON object (partition, substr(hash, 1, 6));`,
  // Of a delta: the row of its base. The index tells whether a row is one.
  `ALTER TABLE object ADD COLUMN base INTEGER;
   CREATE INDEX object_base ON object (base) WHERE base IS NOT NULL;`,
];

/** Refuses a database that is not this engine's, or that a newer engine has written. It only reads. */
export function identify(db: Database.Database, path: string): void {
  const application = db.pragma("application_id", { simple: true });
  const version = schemaVersion(db);
  if (application !== APPLICATION_ID) {
    const tables = db.prepare("SELECT count(*) FROM sqlite_schema").pluck().get();
    if (application === 0 && version === 0 && tables === 0) return;
    throw new AppError("store_unavailable", {
      reason: `${path} is the SQLite database of another program.`,
      fix: "Point STORE_URL at another file: a new database is made where there is none.",
    });
  }
  if (version > MIGRATIONS.length) {
    throw new AppError("store_unavailable", {
      reason: `${path} has schema ${version}, written by a newer engine; this one knows schemas up to ${MIGRATIONS.length}.`,
      fix: "Run the newer engine, or restore a backup from before the upgrade.",
    });
  }
}

/** Brings the schema up to date in one transaction, and throws where the file cannot be written. */
export function migrate(db: Database.Database): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    const version = schemaVersion(db);
    for (const step of MIGRATIONS.slice(version)) db.exec(step);
    // Written even if it stays the same: SQLite opens a read-only file without a word, and says so at the first write.
    db.pragma(`user_version = ${MIGRATIONS.length}`);
    db.pragma(`application_id = ${APPLICATION_ID}`);
    // Rolled back where nothing is new, so that a start costs no write and needs no room.
    db.exec(version < MIGRATIONS.length ? "COMMIT" : "ROLLBACK");
  } catch (error) {
    if (db.inTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

function schemaVersion(db: Database.Database): number {
  return Number(db.pragma("user_version", { simple: true }));
}
