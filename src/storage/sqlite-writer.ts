import type Database from "better-sqlite3";
import type { CommitResult, StoredObject } from "../ports.ts";
import type { Outcome } from "./group-queue.ts";
import { RUNNING, storeError } from "./sqlite-errors.ts";
import { SqliteObjectWriter } from "./sqlite-object-writer.ts";
import type { Write } from "./write.ts";

export interface GroupResult {
  readonly outcomes: readonly Outcome<CommitResult>[];
  /** The newest revision of each partition that a commit of this group changed. */
  readonly revisions: ReadonlyMap<string, number>;
}

interface PartitionRow {
  readonly id: number;
  readonly revision: number;
}

/** Writes groups of commits, each group as one durable transaction in which each commit stands or falls for itself. */
export class SqliteWriter {
  readonly #db: Database.Database;
  readonly #path: string;
  readonly #clock: () => number;
  readonly #objects: SqliteObjectWriter;
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Database.Database, path: string, clock: () => number) {
    this.#db = db;
    this.#path = path;
    this.#clock = clock;
    this.#objects = new SqliteObjectWriter(db);
    this.#sql = prepare(db);
  }

  /**
   * Applies the writes in order. Each wins or loses its own checks, seeing those before it; one that fails leaves no trace and
   * does not disturb the others. Returns when all is durable. Throws, with nothing applied, where the transaction as a whole fails.
   */
  commitGroup(writes: readonly Write[]): GroupResult {
    let outcomes = this.#transaction(writes, (write) => ({ value: this.#apply(write) }));
    // Savepoints copy every page that is changed, so that they are for groups in which something goes wrong, which is nearly none.
    outcomes ??= this.#transaction(writes, (write) => this.#inSavepoint(write)) ?? [];
    const revisions = new Map<string, number>();
    for (const [index, { partition, change }] of writes.entries()) {
      const outcome = outcomes[index];
      if (change !== null && outcome !== undefined && "value" in outcome && outcome.value.ok)
        revisions.set(partition, outcome.value.revision);
    }
    return { outcomes, revisions };
  }

  /** @returns `null`, with nothing applied, where `apply` threw and the file still takes writes */
  #transaction(writes: readonly Write[], apply: (write: Write) => Outcome<CommitResult>): readonly Outcome<CommitResult>[] | null {
    try {
      this.#sql.begin.run();
      const outcomes = this.#attempt(() => writes.map(apply));
      if (outcomes === null) this.#undo();
      else this.#sql.commit.run();
      return outcomes;
    } catch (error) {
      this.#undo();
      throw storeError(error, this.#path, RUNNING);
    }
  }

  #undo(): void {
    // SQLite has rolled back by itself where the disk was full.
    if (this.#db.inTransaction) this.#sql.rollback.run();
    this.#objects.forget();
  }

  #attempt<Result>(work: () => Result): Result | null {
    try {
      return work();
    } catch (error) {
      // Gone with the whole transaction: then it is not one of the writes that failed.
      if (!this.#db.inTransaction) throw error;
      return null;
    }
  }

  #inSavepoint(write: Write): Outcome<CommitResult> {
    this.#sql.savepoint.run();
    try {
      const value = this.#apply(write);
      this.#sql.release.run();
      return { value };
    } catch (error) {
      // Gone with its savepoints: then it is the group that failed.
      if (!this.#db.inTransaction) throw error;
      this.#sql.rollbackTo.run();
      this.#objects.forget();
      this.#sql.release.run();
      return { error: storeError(error, this.#path, RUNNING) };
    }
  }

  #apply({ partition, change, objects }: Write): CommitResult {
    const known = this.#sql.partition.get(partition);
    for (const { key, revision } of change?.checks ?? []) {
      const found = known === undefined ? undefined : this.#sql.revision.get(known.id, key);
      if ((found ?? null) !== revision) return { ok: false };
    }
    const { id, revision: before } = known ?? this.#addPartition(partition);
    this.#putObjects(id, objects);
    if (change === null) return { ok: true, revision: before };
    const revision = before + 1;
    for (const { key, value } of change.puts) this.#sql.put.run(id, key, revision, value);
    for (const key of change.deletes) this.#sql.delete.run(id, key);
    for (const hash of change.objectDeletes) this.#objects.delete(id, hash);
    this.#sql.setRevision.run(revision, id);
    return { ok: true, revision };
  }

  #addPartition(name: string): PartitionRow {
    return { id: Number(this.#sql.addPartition.run(name).lastInsertRowid), revision: 0 };
  }

  #putObjects(partition: number, objects: readonly StoredObject[]): void {
    const now = this.#clock();
    for (const object of objects) this.#objects.put(partition, object, now);
  }
}

function prepare(db: Database.Database) {
  return {
    begin: db.prepare("BEGIN IMMEDIATE"),
    commit: db.prepare("COMMIT"),
    rollback: db.prepare("ROLLBACK"),
    savepoint: db.prepare("SAVEPOINT one"),
    release: db.prepare("RELEASE one"),
    rollbackTo: db.prepare("ROLLBACK TO one"),
    partition: db.prepare<[string], PartitionRow>("SELECT id, revision FROM partition WHERE name = ?"),
    addPartition: db.prepare<[string]>("INSERT INTO partition (name, revision) VALUES (?, 0)"),
    setRevision: db.prepare<[number, number]>("UPDATE partition SET revision = ? WHERE id = ?"),
    revision: db.prepare<[number, string], number>("SELECT revision FROM document WHERE partition = ? AND key = ?").pluck(),
    put: db.prepare<[number, string, number, string]>(
      `INSERT INTO document (partition, key, revision, value) VALUES (?, ?, ?, ?)
       ON CONFLICT (partition, key) DO UPDATE SET revision = excluded.revision, value = excluded.value`,
    ),
    delete: db.prepare<[number, string]>("DELETE FROM document WHERE partition = ? AND key = ?"),
  };
}
