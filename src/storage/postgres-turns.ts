import { createHash } from "node:crypto";
import type pg from "pg";
import { LIMITS } from "../limits.ts";
import type { Turn } from "../ports.ts";
import { Connections } from "./postgres-connections.ts";

/** As they are set in the transaction that holds a turn: how long it waits, and how long it may be held. */
const BEGIN = `BEGIN;
  SET LOCAL lock_timeout = ${LIMITS.writeTurnWaitMs};
  SET LOCAL idle_in_transaction_session_timeout = ${LIMITS.writeTurnMaxMs}`;

/**
 * Turns at writing a partition, which several engines ask for: an advisory lock of the database, which serves who waits in the order in which they
 * came, and lets go of it with the connection of an engine that is gone. It is held by a transaction, since a pooler may give each another connection.
 */
export class PostgresTurns {
  readonly #connections: Connections;
  readonly #schema: string;
  readonly #held = new Set<() => void>();

  constructor(connect: () => Promise<pg.Client>, schema: string) {
    this.#connections = new Connections(connect, LIMITS.postgresTurns, LIMITS.postgresTurns);
    this.#schema = schema;
  }

  /** @throws where none is to be had, or not in time */
  take(partition: string): Promise<Turn> {
    const lock = lockNumber(this.#schema, partition);
    return new Promise((resolve, reject) => {
      const holding = this.#connections.use(async (client) => {
        try {
          await client.query(BEGIN);
          const { rows } = await client.query<{ free: boolean }>(`SELECT pg_try_advisory_xact_lock(${lock}) AS free`);
          const waited = rows[0]?.free !== true;
          if (waited) await client.query(`SELECT pg_advisory_xact_lock(${lock})`);
          await this.#hold((end) => resolve({ waited, end }));
        } finally {
          await client.query("ROLLBACK");
        }
      });
      holding.catch(reject);
    });
  }

  /** Ends those that are held. */
  async close(): Promise<void> {
    for (const end of this.#held) end();
    await this.#connections.close();
  }

  /** Until it is ended. */
  async #hold(begin: (end: () => void) => void): Promise<void> {
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#held.add(end);
    begin(end);
    await ended;
    this.#held.delete(end);
  }
}

/** As the database takes it: a whole number of 64 bits. */
function lockNumber(schema: string, partition: string): bigint {
  return createHash("sha256").update(`turn/${schema}/${partition}`).digest().readBigInt64BE();
}
