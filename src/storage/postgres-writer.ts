import { randomUUID } from "node:crypto";
import type { CommitResult } from "../ports.ts";
import type { Outcome } from "./group-queue.ts";
import type { Connections } from "./postgres-connections.ts";
import { isAnswer, isLocked, mayBeOne, NoConnection, RUNNING, storeError } from "./postgres-errors.ts";
import { Fences } from "./postgres-fences.ts";
import type { Write } from "./write.ts";

/** What `commit_group` answers for a write that lost its checks. */
const LOST = -1;

/** Writes groups of commits: one statement, and so one transaction and one round trip, for each. */
export class PostgresWriter {
  readonly fences: Fences;
  readonly #connections: Connections;
  readonly #schema: string;
  #statements = 0;

  constructor(connections: Connections, schema: string) {
    this.#connections = connections;
    this.#schema = schema;
    this.fences = new Fences((ticket, partitions) => this.#raiseFence(ticket, partitions));
  }

  /** Sent since the start. */
  get statements(): number {
    return this.#statements;
  }

  /**
   * Applies the writes, those of one partition in order. Each wins or loses its own checks, seeing those before it; one that fails
   * leaves no trace and does not disturb the others. Resolves when all is durable, and when what was not answered can not happen
   * any more.
   */
  async commitGroup(writes: readonly Write[]): Promise<readonly Outcome<CommitResult>[]> {
    const ticket = randomUUID();
    const partitions = partitionsOf(writes);
    try {
      await this.fences.settled(partitions);
      this.fences.mustHaveRoom();
    } catch (error) {
      return failed(writes, error);
    }
    try {
      return await this.#send(ticket, writes);
    } catch (error) {
      if (isAnswer(error)) {
        // The server has undone the whole group. Alone, each fails or succeeds for itself.
        if (writes.length > 1 && mayBeOne(error)) return this.#oneByOne(writes);
      } else if (!(error instanceof NoConnection)) {
        await this.fences.doubt(ticket, partitions);
      }
      return failed(writes, error);
    }
  }

  /**
   * Each for itself, except that nobody waits for a lock that another waited for in vain; where that are locks of two partitions, it
   * is taken for one on all. Else a group would wait as often as it has writes, and all that come after it too.
   */
  async #oneByOne(writes: readonly Write[]): Promise<readonly Outcome<CommitResult>[]> {
    const outcomes: Outcome<CommitResult>[] = [];
    const locked = new Map<string, readonly Outcome<CommitResult>[]>();
    for (const write of writes) {
      const known = locked.size > 1 ? [...locked.values()][0] : locked.get(write.partition);
      const made = known ?? (await this.commitGroup([write]));
      outcomes.push(...made);
      if (made.some((outcome) => "error" in outcome && isLocked(outcome.error))) locked.set(write.partition, made);
    }
    return outcomes;
  }

  async #send(ticket: string, writes: readonly Write[]): Promise<readonly Outcome<CommitResult>[]> {
    // By partition, in the order in which every engine locks them; within one, as they came.
    const order = writes.map((_, index) => index).sort((a, b) => byPartition(writes[a], writes[b]) || a - b);
    const { description, bytes } = encodeGroup(order.flatMap((index) => writes[index] ?? []));
    const text = `SELECT ${this.#schema}.commit_group($1, $2, $3)::text[] AS outcomes`;
    this.#statements++;
    const { rows } = await this.#connections.use((client) => client.query<{ outcomes: string[] }>(text, [ticket, description, bytes]));
    const answered = rows[0]?.outcomes ?? [];
    if (answered.length !== writes.length) throw new Error("commit_group left a write without an outcome.");
    const outcomes = new Array<Outcome<CommitResult>>(writes.length);
    order.forEach((index, position) => {
      const revision = Number(answered[position]);
      outcomes[index] = { value: revision === LOST ? { ok: false } : { ok: true, revision } };
    });
    return outcomes;
  }

  async #raiseFence(ticket: string, partitions: readonly string[]): Promise<void> {
    await this.#connections.use((client) => client.query(`SELECT ${this.#schema}.raise_fence($1, $2)`, [ticket, partitions]));
  }
}

function failed(writes: readonly Write[], error: unknown): readonly Outcome<CommitResult>[] {
  const told = storeError(error, RUNNING);
  return writes.map(() => ({ error: told }));
}

/** In the order of their bytes: a partition's name is ASCII. */
function byPartition(left: Write | undefined, right: Write | undefined): number {
  const [a = "", b = ""] = [left?.partition, right?.partition];
  return a < b ? -1 : a > b ? 1 : 0;
}

function partitionsOf(writes: readonly Write[]): readonly string[] {
  return [...new Set(writes.map(({ partition }) => partition))].sort();
}

interface EncodedGroup {
  /** What to do, as JSON; see `commit_group`. */
  readonly description: string;
  /** The documents' texts and the objects' bytes, at the places that the description names. */
  readonly bytes: Buffer;
}

/** One blob for everything large: the driver would send several as hexadecimal text. */
function encodeGroup(writes: readonly Write[]): EncodedGroup {
  const pieces: Uint8Array[] = [];
  let end = 0;
  const place = (piece: Uint8Array) => {
    pieces.push(piece);
    const at = end;
    end += piece.byteLength;
    return { at, size: piece.byteLength };
  };
  const described = writes.map(({ partition, change, objects }) => ({
    partition,
    ...(objects.length > 0 && { objects: objects.map(({ hash, data }) => ({ hash, ...place(data) })) }),
    ...(change !== null && {
      commit: true,
      ...(change.checks.length > 0 && { checks: change.checks }),
      ...(change.puts.length > 0 && { puts: change.puts.map(({ key, value }) => ({ key, ...place(Buffer.from(value)) })) }),
      ...(change.deletes.length > 0 && { deletes: change.deletes }),
      ...(change.objectDeletes.length > 0 && { objectDeletes: change.objectDeletes }),
    }),
  }));
  return { description: JSON.stringify(described), bytes: Buffer.concat(pieces, end) };
}
