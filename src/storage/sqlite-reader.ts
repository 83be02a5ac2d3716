import { LIMITS } from "../limits.ts";
import type { Entry, Hash, Key, ObjectInfo, Range } from "../ports.ts";
import { bounds } from "./keys.ts";
import type Database from "./sqlite-driver.cjs";
import { SqliteObjects } from "./sqlite-objects.ts";

/** Greater than any text, by SQLite's order of types. */
const NO_UPPER_BOUND = Buffer.alloc(0);

/** Every read of the SQLite backend. Calls are synchronous and see committed data only, each of them one state of it. */
export class SqliteReader {
  readonly #objects: SqliteObjects;
  readonly #sql: ReturnType<typeof prepare>;
  readonly #getAll: (id: number, keys: readonly Key[]) => readonly (Entry<string> | null)[];
  readonly #ids = new Map<string, number>();

  constructor(db: Database.Database) {
    this.#objects = new SqliteObjects(db);
    this.#sql = prepare(db);
    this.#getAll = db.transaction((id: number, keys: readonly Key[]) => this.#getEach(id, keys));
  }

  /** A partition's number never changes once it is there. */
  #id(partition: string): number | undefined {
    const known = this.#ids.get(partition);
    if (known !== undefined) return known;
    const id = this.#sql.partition.get(partition);
    if (id === undefined) return undefined;
    if (this.#ids.size >= LIMITS.cachedPartitions) this.#ids.clear();
    this.#ids.set(partition, id);
    return id;
  }

  get(partition: string, keys: readonly Key[]): readonly (Entry<string> | null)[] {
    const id = this.#id(partition);
    if (id === undefined) return keys.map(() => null);
    return keys.length === 1 ? this.#getEach(id, keys) : this.#getAll(id, keys);
  }

  #getEach(id: number, keys: readonly Key[]): readonly (Entry<string> | null)[] {
    return keys.map((key) => this.#sql.document.get(id, key) ?? null);
  }

  list(partition: string, range: Range): readonly Entry<string>[] {
    const id = this.#id(partition);
    if (id === undefined) return [];
    const { lower, upper } = bounds(range);
    const statement = range.reverse === true ? this.#sql.listDown : this.#sql.listUp;
    return statement.all(id, lower, upper ?? NO_UPPER_BOUND, range.limit);
  }

  revision(partition: string): number {
    return this.#sql.revision.get(partition) ?? 0;
  }

  getObjects(partition: string, hashes: readonly Hash[]): readonly (Uint8Array | null)[] {
    const id = this.#id(partition);
    return id === undefined ? hashes.map(() => null) : this.#objects.get({ id, name: partition }, hashes);
  }

  listObjects(partition: string, after: Hash | null, limit: number): readonly ObjectInfo[] {
    const id = this.#id(partition);
    return id === undefined ? [] : this.#objects.list(id, after, limit);
  }
}

function prepare(db: Database.Database) {
  const list = (order: "ASC" | "DESC") =>
    db.prepare<[number, string, string | Buffer, number], Entry<string>>(
      `SELECT key, revision, value FROM document WHERE partition = ? AND key >= ? AND key < ? ORDER BY key ${order} LIMIT ?`,
    );
  return {
    partition: db.prepare<[string], number>("SELECT id FROM partition WHERE name = ?").pluck(),
    revision: db.prepare<[string], number>("SELECT revision FROM partition WHERE name = ?").pluck(),
    document: db.prepare<[number, string], Entry<string>>("SELECT key, revision, value FROM document WHERE partition = ? AND key = ?"),
    listUp: list("ASC"),
    listDown: list("DESC"),
  };
}
