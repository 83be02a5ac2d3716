import { LIMITS } from "../limits.ts";
import type { Change, CommitResult, Key, StoredObject } from "../ports.ts";
import type { Outcome } from "./group-queue.ts";
import type Database from "./sqlite-driver.cjs";
import { SqliteObjectWriter } from "./sqlite-object-writer.ts";
import type { Write } from "./write.ts";

interface DocumentRow {
  readonly id: number;
  readonly revision: number;
}

/** A partition, and the documents that its newest commit checked, `null` for what is not there: the next one mostly checks the same. */
interface Partition {
  readonly id: number;
  revision: number;
  documents: ReadonlyMap<Key, DocumentRow | null>;
}

/**
 * Writes groups of commits, each group as one durable transaction in which each commit stands or falls for itself. What it knows of the
 * rows need not be looked up again: nobody else writes the file, and where somebody did all the same, SQLite tells. Lives in the thread of
 * `SqliteWriting`.
 */
export class SqliteWriter {
  readonly #db: Database.Database;
  readonly #clock: () => number;
  readonly #objects: SqliteObjectWriter;
  readonly #sql: ReturnType<typeof prepare>;
  readonly #known = new Map<string, Partition>();
  /** Another one than before where another connection has written meanwhile. */
  #version: number | undefined;

  constructor(db: Database.Database, clock: () => number) {
    this.#db = db;
    this.#clock = clock;
    this.#objects = new SqliteObjectWriter(db);
    this.#sql = prepare(db);
  }

  /**
   * Applies the writes in order. Each wins or loses its own checks, seeing those before it; one that fails leaves no trace and
   * does not disturb the others. Returns when all is durable. Throws what SQLite throws, with nothing applied, where the transaction as a
   * whole fails.
   */
  commitGroup(writes: readonly Write[]): readonly Outcome<CommitResult>[] {
    return (
      this.#transaction(writes, (write) => ({ value: this.#apply(write) })) ??
      // Savepoints copy every page that is changed, so that they are for groups in which something goes wrong, which is nearly none.
      this.#transaction(writes, (write) => this.#inSavepoint(write)) ??
      []
    );
  }

  /** @returns `null`, with nothing applied, where `apply` threw and the file still takes writes */
  #transaction(writes: readonly Write[], apply: (write: Write) => Outcome<CommitResult>): readonly Outcome<CommitResult>[] | null {
    try {
      this.#sql.begin.run();
      this.#lookForOthers();
      const outcomes = this.#attempt(() => writes.map(apply));
      if (outcomes === null) this.#undo();
      else this.#sql.commit.run();
      return outcomes;
    } catch (error) {
      this.#undo();
      throw error;
    }
  }

  #undo(): void {
    // SQLite has rolled back by itself where the disk was full.
    if (this.#db.inTransaction) this.#sql.rollback.run();
    this.#forget();
  }

  #lookForOthers(): void {
    const version = this.#sql.version.get();
    if (version !== this.#version) this.#forget();
    this.#version = version;
  }

  /** What was written may not be there. */
  #forget(): void {
    this.#objects.forget();
    this.#known.clear();
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
      this.#forget();
      this.#sql.release.run();
      return { error };
    }
  }

  #apply({ partition, change, objects }: Write): CommitResult {
    const known = this.#partition(partition);
    const documents = new Map<Key, DocumentRow | null>();
    for (const { key, revision } of change?.checks ?? []) {
      const found = known === undefined ? null : this.#document(known, key);
      if ((found?.revision ?? null) !== revision) return { ok: false };
      documents.set(key, found);
    }
    const written = known ?? this.#addPartition(partition);
    this.#putObjects(written.id, objects);
    if (change !== null) this.#change(written, change, documents);
    return { ok: true, revision: written.revision };
  }

  /** @param documents those that were checked */
  #change(partition: Partition, { puts, deletes, objectDeletes }: Change<string>, documents: Map<Key, DocumentRow | null>): void {
    const { id } = partition;
    const revision = partition.revision + 1;
    for (const { key, value } of puts) {
      const row = documents.get(key)?.id;
      if (row === undefined) {
        this.#sql.put.run(id, key, revision, value);
        documents.delete(key); // The number of its row is found when it is checked.
      } else {
        this.#sql.replace.run(revision, value, row);
        documents.set(key, { id: row, revision });
      }
    }
    for (const key of deletes) {
      this.#sql.delete.run(id, key);
      documents.delete(key);
    }
    for (const hash of objectDeletes) this.#objects.delete(id, hash);
    this.#sql.setRevision.run(revision, id);
    partition.revision = revision;
    partition.documents = documents.size > LIMITS.recentDocuments ? NOTHING : documents;
  }

  #document(partition: Partition, key: Key): DocumentRow | null {
    const known = partition.documents.get(key);
    return known === undefined ? (this.#sql.document.get(partition.id, key) ?? null) : known;
  }

  #partition(name: string): Partition | undefined {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const row = this.#sql.partition.get(name);
    return row === undefined ? undefined : this.#keep(name, row);
  }

  #addPartition(name: string): Partition {
    return this.#keep(name, { id: Number(this.#sql.addPartition.run(name).lastInsertRowid), revision: 0 });
  }

  #keep(name: string, row: Omit<Partition, "documents">): Partition {
    if (this.#known.size >= LIMITS.recentProjects) this.#known.clear();
    const partition = { ...row, documents: NOTHING };
    this.#known.set(name, partition);
    return partition;
  }

  #putObjects(partition: number, objects: readonly StoredObject[]): void {
    const now = this.#clock();
    for (const object of objects) this.#objects.put(partition, object, now);
  }
}

const NOTHING: Partition["documents"] = new Map();

function prepare(db: Database.Database) {
  return {
    version: db.prepare<[], number>("PRAGMA data_version").pluck(),
    begin: db.prepare("BEGIN IMMEDIATE"),
    commit: db.prepare("COMMIT"),
    rollback: db.prepare("ROLLBACK"),
    savepoint: db.prepare("SAVEPOINT one"),
    release: db.prepare("RELEASE one"),
    rollbackTo: db.prepare("ROLLBACK TO one"),
    partition: db.prepare<[string], Omit<Partition, "documents">>("SELECT id, revision FROM partition WHERE name = ?"),
    addPartition: db.prepare<[string]>("INSERT INTO partition (name, revision) VALUES (?, 0)"),
    setRevision: db.prepare<[number, number]>("UPDATE partition SET revision = ? WHERE id = ?"),
    document: db.prepare<[number, string], DocumentRow>("SELECT id, revision FROM document WHERE partition = ? AND key = ?"),
    put: db.prepare<[number, string, number, string]>(
      `INSERT INTO document (partition, key, revision, value) VALUES (?, ?, ?, ?)
       ON CONFLICT (partition, key) DO UPDATE SET revision = excluded.revision, value = excluded.value`,
    ),
    replace: db.prepare<[number, string, number]>("UPDATE document SET revision = ?, value = ? WHERE id = ?"),
    delete: db.prepare<[number, string]>("DELETE FROM document WHERE partition = ? AND key = ?"),
  };
}
