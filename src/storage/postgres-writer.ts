import { randomUUID } from "node:crypto";
import type { CommitResult } from "../ports.ts";
import { type DeltaBases, type Encoded, type StoredForm, whole } from "./delta-bases.ts";
import type { Outcome } from "./group-queue.ts";
import type { Connections } from "./postgres-connections.ts";
import { isAnswer, isLocked, lacksBase, mayBeOne, NoConnection, RUNNING, storeError } from "./postgres-errors.ts";
import { Fences } from "./postgres-fences.ts";
import type { Write } from "./write.ts";

/** What `commit_group_2` answers for a write that lost its checks. */
const LOST = -1;

/** Writes groups of commits: one statement, and so one transaction and one round trip, for each. */
export class PostgresWriter {
  readonly fences: Fences;
  readonly #connections: Connections;
  readonly #schema: string;
  /** `null` where objects are stored whole. */
  #bases: DeltaBases | null = null;
  #statements = 0;

  constructor(connections: Connections, schema: string) {
    this.#connections = connections;
    this.#schema = schema;
    this.fences = new Fences((ticket, partitions) => this.#raiseFence(ticket, partitions));
  }

  /** From now on objects are stored as deltas, where that is shorter. */
  useDeltas(bases: DeltaBases): void {
    this.#bases = bases;
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
    const sorted = order.flatMap((index) => writes[index] ?? []);
    const answered = await this.#sendEncoded(ticket, sorted);
    if (answered.length !== writes.length) throw new Error("commit_group_2 left a write without an outcome.");
    const outcomes = new Array<Outcome<CommitResult>>(writes.length);
    order.forEach((index, position) => {
      const revision = Number(answered[position]);
      outcomes[index] = { value: revision === LOST ? { ok: false } : { ok: true, revision } };
    });
    return outcomes;
  }

  /** With objects as deltas; where the database lacks what one would stand upon, again with whole ones. */
  async #sendEncoded(ticket: string, writes: readonly Write[]): Promise<readonly string[]> {
    if (this.#bases === null)
      return this.#statement(
        ticket,
        writes,
        writes.map(({ objects }) => whole(objects)),
      );
    try {
      const encoded = await encode(this.#bases, writes);
      const answered = await this.#statement(
        ticket,
        writes,
        writes.map(({ partition, objects }) => encoded.get(partition)?.forms.splice(0, objects.length) ?? []),
      );
      // Where one lost its checks, it is not known which objects of its partition are there.
      const lost = new Set(writes.flatMap(({ partition }, index) => (Number(answered[index]) === LOST ? [partition] : [])));
      for (const [partition, { made }] of encoded) if (!lost.has(partition)) this.#bases.keep(partition, made);
      return answered;
    } catch (error) {
      if (!lacksBase(error)) throw error;
      this.#bases.forget();
      return this.#statement(
        ticket,
        writes,
        writes.map(({ objects }) => whole(objects)),
      );
    }
  }

  async #statement(ticket: string, writes: readonly Write[], forms: readonly (readonly StoredForm[])[]): Promise<readonly string[]> {
    const { description, bytes } = encodeGroup(writes, forms);
    const text = `SELECT ${this.#schema}.commit_group_2($1, $2, $3)::text[] AS outcomes`;
    this.#statements++;
    const { rows } = await this.#connections.use((client) => client.query<{ outcomes: string[] }>(text, [ticket, description, bytes]));
    return rows[0]?.outcomes ?? [];
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
  /** What to do, as JSON; see `commit_group_2`. */
  readonly description: string;
  /** The documents' texts and the objects' bytes, at the places that the description names. */
  readonly bytes: Buffer;
}

/** By partition: its objects may replace one another, whichever write they are in. */
async function encode(bases: DeltaBases, writes: readonly Write[]) {
  const encoded = new Map<string, { readonly forms: StoredForm[]; readonly made: Encoded["made"] }>();
  for (const partition of partitionsOf(writes)) {
    const objects = writes.flatMap((write) => (write.partition === partition ? write.objects : []));
    const { forms, made } = await bases.encode(partition, objects);
    encoded.set(partition, { forms: [...forms], made });
  }
  return encoded;
}

/** One blob for everything large: the driver would send several as hexadecimal text. */
function encodeGroup(writes: readonly Write[], forms: readonly (readonly StoredForm[])[]): EncodedGroup {
  const pieces: Uint8Array[] = [];
  let end = 0;
  const place = (piece: Uint8Array) => {
    pieces.push(piece);
    const at = end;
    end += piece.byteLength;
    return { at, size: piece.byteLength };
  };
  const described = writes.map(({ partition, change, objects }, index) => ({
    partition,
    ...(objects.length > 0 && {
      objects: forms[index]?.map(({ hash, base, data }) => ({ hash, ...place(data), ...(base !== null && { base }) })),
    }),
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
