import type { Hash, StoredObject } from "../ports.ts";
import { LineMemory } from "./line-memory.ts";
import { assemble, deltaAt, type Seat, type Standing, seatAfter } from "./lines.ts";
import { RENEW_AFTER_MS } from "./renewal.ts";
import type Database from "./sqlite-driver.cjs";
import { GONE, IS_OBJECT, SqliteObjects } from "./sqlite-objects.ts";

interface Known {
  readonly id: number;
  readonly storedAt: number;
  readonly base: number | null;
}

/** An object by the number of its row. */
interface Row extends Standing {
  readonly id: number;
}

/**
 * Puts objects, as deltas where that is shorter, and deletes them. A row that another stands upon stays until that is gone too, hidden from
 * everybody: whoever deletes objects need not know which others are made of them. Runs inside of the caller's transaction.
 */
export class SqliteObjectWriter {
  readonly #objects: SqliteObjects;
  readonly #memory = new LineMemory<Row>();
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: Database.Database) {
    this.#objects = new SqliteObjects(db);
    this.#sql = prepare(db);
  }

  put(partition: number, object: StoredObject, now: number): void {
    const name = Buffer.from(object.hash, "hex");
    const known = this.#sql.known.get(partition, name, name);
    if (known !== undefined) {
      if (known.storedAt === GONE || now - known.storedAt >= RENEW_AFTER_MS) this.#sql.setTime.run(now, known.id);
      return;
    }
    const { hash, data, replaces } = object;
    const seat = replaces === undefined ? null : this.#seatAfter(partition, replaces);
    const delta = seat === null ? null : deltaAt(seat, data);
    const [place, base] = seat === null || delta === null ? [0, null] : [seat.place, seat.base];
    const { lastInsertRowid } = this.#sql.add.run(partition, name, now, delta ?? data, base?.id ?? null);
    this.#memory.keep(partition, { id: Number(lastInsertRowid), hash, place, base: base?.hash ?? null, bytes: data });
  }

  /** To be called where what was put may have been rolled back: rows that are not there are not to be stood upon. */
  forget(): void {
    this.#memory.clear();
  }

  delete(partition: number, hash: Hash): void {
    const name = Buffer.from(hash, "hex");
    const known = this.#sql.known.get(partition, name, name);
    if (known === undefined || known.storedAt === GONE) return;
    if (this.#isBase(known)) this.#sql.setTime.run(GONE, known.id);
    else this.#drop(known);
  }

  #seatAfter(partition: number, hash: Hash): Seat<Row> | null {
    const known = (name: Hash) => this.#memory.get(partition, name);
    const seat = () => {
      const replaced = known(hash);
      return replaced === undefined ? undefined : seatAfter(replaced, known);
    };
    const remembered = seat();
    if (remembered !== undefined) return remembered;
    for (const { link, ...standing } of assemble(this.#objects.chainOf(partition, hash))) {
      this.#memory.keep(partition, { ...standing, id: link.id });
    }
    return seat() ?? null;
  }

  /** Takes the row away, and those below that were only there for it. */
  #drop(row: Known): void {
    this.#sql.drop.run(row.id);
    this.#memory.clear();
    const below = row.base === null ? undefined : this.#sql.knownById.get(row.base);
    // As deep as a chain is long.
    if (below?.storedAt === GONE && !this.#isBase(below)) this.#drop(below);
  }

  #isBase({ id }: Known): boolean {
    return this.#sql.dependent.get(id) !== undefined;
  }
}

function prepare(db: Database.Database) {
  return {
    known: db.prepare<[number, Buffer, Buffer], Known>(`SELECT id, stored_at AS storedAt, base FROM object WHERE ${IS_OBJECT}`),
    knownById: db.prepare<[number], Known>("SELECT id, stored_at AS storedAt, base FROM object WHERE id = ?"),
    dependent: db.prepare<[number], { id: number }>("SELECT id FROM object WHERE base = ? LIMIT 1"),
    add: db.prepare<[number, Buffer, number, Uint8Array, number | null]>(
      "INSERT INTO object (partition, hash, stored_at, data, base) VALUES (?, ?, ?, ?, ?)",
    ),
    setTime: db.prepare<[number, number]>("UPDATE object SET stored_at = ? WHERE id = ?"),
    drop: db.prepare<[number]>("DELETE FROM object WHERE id = ?"),
  };
}
