import type { Hash, ObjectInfo } from "../ports.ts";
import { type Chain, chainFrom, DELTA_HEAD_BYTES, type Link, objectBytes, resolveChain } from "./lines.ts";
import type Database from "./sqlite-driver.cjs";

/** A proper prefix of the smallest hash. Not empty: `substr` makes NULL of an empty blob. */
const BEFORE_ALL_HASHES = Buffer.from([0]);
/** The time of an object that was deleted while others stand upon it: its row remains, and nobody sees it. */
export const GONE = -1;
/** How a query finds an object: 6 of a hash's bytes are in the index, and the whole hash is compared. */
export const IS_OBJECT = "partition = ? AND substr(hash, 1, 6) = substr(?, 1, 6) AND hash = ?";

interface Row {
  readonly id: number;
  readonly base: number | null;
  readonly data: Buffer;
}

interface Partition {
  readonly id: number;
  readonly name: string;
}

/** A link by the numbers of its row and of the row of its base. */
interface SqliteLink extends Link {
  readonly id: number;
  readonly base: number | null;
}

/** What the table of objects holds: whole ones, and deltas that name the row of their base. */
export class SqliteObjects {
  readonly #sql: ReturnType<typeof prepare>;
  readonly #getAll: (partition: Partition, hashes: readonly Hash[]) => readonly (Uint8Array | null)[];

  constructor(db: Database.Database) {
    this.#sql = prepare(db);
    this.#getAll = db.transaction((partition: Partition, hashes: readonly Hash[]) => this.#getEach(partition, hashes));
  }

  /** In one transaction: what an object stands upon may go with it meanwhile. */
  get(partition: Partition, hashes: readonly Hash[]): readonly (Uint8Array | null)[] {
    return this.#getAll(partition, hashes);
  }

  /** Rows that several of them stand upon, as versions of one node do, are read once. */
  #getEach(partition: Partition, hashes: readonly Hash[]): readonly (Uint8Array | null)[] {
    const known = new Map<number, SqliteLink>();
    const found = hashes.map((hash) => {
      const link = this.#find(partition.id, hash);
      if (link !== undefined) known.set(link.id, link);
      return link === undefined || link.storedAt === GONE ? null : link;
    });
    return found.map((link) => {
      if (link === null) return null;
      return link.isDelta ? resolveChain(partition.name, this.#chain(link, known)) : link.data;
    });
  }

  list(partition: number, after: Hash | null, limit: number): readonly ObjectInfo[] {
    const from = after === null ? BEFORE_ALL_HASHES : Buffer.from(after, "hex");
    return this.#sql.list.all(partition, from, from, limit).map(({ hash, storedAt, stored, head }) => ({
      hash: hash.toString("hex"),
      storedAt,
      size: head === null ? stored : objectBytes(head),
    }));
  }

  /** From an object down to what is stored whole; empty where there is no such object. */
  chainOf(partition: number, hex: Hash): Chain<SqliteLink> {
    const link = this.#find(partition, hex);
    return link === undefined ? [] : this.#chain(link);
  }

  #find(partition: number, hex: Hash): (SqliteLink & { readonly storedAt: number }) | undefined {
    const hash = Buffer.from(hex, "hex");
    const row = this.#sql.find.get(partition, hash, hash);
    return row === undefined ? undefined : { ...linkOf(hex, row), storedAt: row.storedAt };
  }

  #chain(link: SqliteLink, known = new Map<number, SqliteLink>()): Chain<SqliteLink> {
    return chainFrom(link, ({ base }) => {
      if (base === null) return undefined;
      const below = known.get(base) ?? this.#read(base);
      if (below !== undefined) known.set(base, below);
      return below;
    });
  }

  #read(id: number): SqliteLink | undefined {
    const row = this.#sql.byId.get(id);
    return row === undefined ? undefined : linkOf(row.hash.toString("hex"), row);
  }
}

function linkOf(hash: Hash, { id, base, data }: Row): SqliteLink {
  return { id, base, hash, isDelta: base !== null, data };
}

function prepare(db: Database.Database) {
  // A file that is only read may be from before there were deltas.
  const base = db.prepare("SELECT 1 FROM pragma_table_info('object') WHERE name = 'base'").get() === undefined ? "NULL" : "base";
  return {
    find: db.prepare<[number, Buffer, Buffer], Row & { readonly storedAt: number }>(
      `SELECT id, stored_at AS storedAt, ${base} AS base, data FROM object WHERE ${IS_OBJECT}`,
    ),
    byId: db.prepare<[number], Row & { readonly hash: Buffer }>(`SELECT id, hash, ${base} AS base, data FROM object WHERE id = ?`),
    // Only a delta's head: that of a large object could not be had without reading all of it.
    list: db.prepare<[number, Buffer, Buffer, number], { hash: Buffer; storedAt: number; stored: number; head: Buffer | null }>(
      `SELECT hash, stored_at AS storedAt, length(data) AS stored,
         CASE WHEN ${base} IS NULL THEN NULL ELSE substr(data, 1, ${DELTA_HEAD_BYTES}) END AS head
       FROM object WHERE partition = ? AND substr(hash, 1, 6) >= substr(?, 1, 6) AND hash > ? AND stored_at <> ${GONE}
       ORDER BY substr(hash, 1, 6), hash LIMIT ?`,
    ),
  };
}
