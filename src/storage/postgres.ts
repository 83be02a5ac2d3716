import type pg from "pg";
import { LIMITS } from "../limits.ts";
import type {
  Backend,
  Change,
  CommitResult,
  Entry,
  Hash,
  Key,
  ObjectInfo,
  Objects,
  Range,
  Subscription,
  Turn,
  WatchHandlers,
} from "../ports.ts";
import { DeltaBases } from "./delta-bases.ts";
import { GroupQueue, type Outcome } from "./group-queue.ts";
import { laneOf } from "./lanes.ts";
import type { StoreOptions } from "./open.ts";
import { PostgresClock } from "./postgres-clock.ts";
import { Connections, connect } from "./postgres-connections.ts";
import { isAnswer, NoConnection, RUNNING, storeError } from "./postgres-errors.ts";
import { notify, PostgresListener } from "./postgres-listener.ts";
import { PostgresNews } from "./postgres-news.ts";
import { PostgresReader } from "./postgres-reader.ts";
import { examine, migrate, mustBeThere } from "./postgres-schema.ts";
import { PostgresTurns } from "./postgres-turns.ts";
import { type PostgresPlace, postgresPlace } from "./postgres-url.ts";
import { PostgresWriter } from "./postgres-writer.ts";
import { sizeOf, type Write } from "./write.ts";

export interface PostgresOptions extends StoreOptions {
  /** Milliseconds between two looks for changes that nobody told of. */
  readonly pollMs?: number;
}

/** Counted since the store was opened. */
interface PostgresStats {
  /** Statements that commit: one for each group. */
  readonly statements: number;
  /** Writes in them, those that lost their checks included. */
  readonly writes: number;
  /** Statements that tell other engines. */
  readonly notices: number;
}

/**
 * Opens the database that `url` names (see `postgresPlace`), and makes its tables where there are none.
 *
 * Throws `invalid_request` for a URL that cannot be used, and `store_unavailable`, with reason and fix, for a server that cannot be
 * reached, refuses the user, cannot keep what is promised, or has the schema of a newer engine.
 */
export async function openPostgres(url: string, options: PostgresOptions = {}): Promise<PostgresBackend> {
  const place = postgresPlace(url);
  const backend = new PostgresBackend(place, options);
  try {
    const client = await connect(place, place.server);
    try {
      await examine(client, options);
      const { deltas = false, existing = false } = options;
      const areDeltas =
        existing && !deltas ? await mustBeThere(client, place.schema) : await migrate(client, place.schema, { deltas, existing });
      if (areDeltas) backend.useDeltas();
    } finally {
      await client.end();
    }
    await backend.start();
    return backend;
  } catch (error) {
    await backend.close();
    const { host, port } = place.server;
    throw storeError(error, `the PostgreSQL server at ${host.startsWith("/") ? host : `${host}:${port}`}`);
  }
}

/** One PostgreSQL database, shared by any number of engines. Commits that arrive together share one statement. */
export class PostgresBackend implements Backend {
  readonly objects: Objects;
  readonly #readers: Connections;
  readonly #writers: Connections;
  readonly #reader: PostgresReader;
  readonly #writer: PostgresWriter;
  readonly #turns: PostgresTurns;
  readonly #lanes: readonly GroupQueue<Write, CommitResult>[];
  readonly #listener: PostgresListener;
  readonly #news = new PostgresNews();
  readonly #clock = new PostgresClock();
  readonly #pollMs: number;
  #writes = 0;
  #polling: NodeJS.Timeout | null = null;
  #polled: Promise<void> = Promise.resolve();
  #settling: Promise<void> | null = null;
  #closed = false;

  constructor(place: PostgresPlace, { pollMs = LIMITS.storePollMs, onNotice = () => {} }: PostgresOptions) {
    this.#pollMs = pollMs;
    this.#readers = new Connections(() => connect(place, place.server), place.poolSize, LIMITS.waitingReads);
    this.#writers = new Connections(() => connect(place, place.server), LIMITS.postgresWriters, LIMITS.queuedWriters);
    this.#reader = new PostgresReader((work) => this.#readTwice(work), place.schema);
    this.#writer = new PostgresWriter(this.#writers, place.schema);
    this.#turns = new PostgresTurns(() => connect(place, place.server), place.schema);
    const limits = { items: LIMITS.groupCommits, bytes: LIMITS.commitBytes, waiting: LIMITS.queuedWriters, running: 1 };
    this.#lanes = Array.from(
      { length: LIMITS.postgresWriters },
      () => new GroupQueue(limits, (writes: readonly Write[]) => this.#write(writes)),
    );
    this.#listener = new PostgresListener({
      connect: () => connect(place, place.listener),
      channel: `environment-manager/${place.schema}`,
      tell: (channel, payload) => this.#readers.use((client) => notify(client, channel, [payload])),
      onRevisions: (revisions) => this.#news.announce(revisions),
      onGap: () => this.#news.gap(),
      onDeaf: ({ message, fix }) =>
        onNotice(`${message} Commits of other engines are noticed up to ${pollMs / 1_000} s late meanwhile. ${fix}`),
    });
    this.objects = {
      get: (partition, hashes) => this.#read(partition, () => this.#reader.getObjects(partition, hashes)),
      put: async (partition, objects) => void (await this.#enqueue({ partition, change: null, objects })),
      list: (partition: string, after: Hash | null, limit: number): Promise<readonly ObjectInfo[]> =>
        this.#read(partition, () => this.#reader.listObjects(partition, after, limit)),
    };
  }

  /** From now on objects are stored as deltas, where that is shorter. */
  useDeltas(): void {
    this.#writer.useDeltas(new DeltaBases((partition, hashes) => this.#reader.links(partition, hashes)));
  }

  /** Resolves when the store hears of other engines' commits and knows what time it is. */
  async start(): Promise<void> {
    await this.#listener.start();
    await this.#measure();
    if (!this.#clock.isSet) throw new NoConnection("lost as soon as it was there");
    this.#schedulePoll();
  }

  get stats(): PostgresStats {
    return { statements: this.#writer.statements, writes: this.#writes, notices: this.#listener.notices };
  }

  get(partition: string, keys: readonly Key[]): Promise<readonly (Entry<string> | null)[]> {
    return this.#read(partition, () => this.#reader.get(partition, keys));
  }

  list(partition: string, range: Range): Promise<readonly Entry<string>[]> {
    return this.#read(partition, () => this.#reader.list(partition, range));
  }

  async revision(partitions: readonly string[]): Promise<readonly number[]> {
    return this.#answer(async () => {
      await this.#writer.fences.settled(partitions);
      return this.#reader.revision(partitions);
    });
  }

  commit(partition: string, change: Change<string>): Promise<CommitResult> {
    return this.#enqueue({ partition, change, objects: change.objects });
  }

  watch(handlers: WatchHandlers): Subscription {
    return this.#news.subscribe(handlers);
  }

  turn(partition: string): Promise<Turn> {
    return this.#answer(() => this.#turns.take(partition));
  }

  async now(): Promise<Date> {
    return new Date(this.#clock.now());
  }

  async close(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.idle()));
    this.#closed = true;
    if (this.#polling !== null) clearTimeout(this.#polling);
    await this.#polled;
    this.#news.clear();
    await this.#listener.close();
    await Promise.all([this.#readers.close(), this.#writers.close(), this.#turns.close()]);
  }

  /** A partition's writes go one after another over one lane: on two they would wait for its row, and hold up others meanwhile. */
  #enqueue(write: Write): Promise<CommitResult> {
    const lane = this.#lanes[laneOf(write.partition, LIMITS.postgresWriters)];
    if (lane === undefined) throw new Error("There is no such lane.");
    return lane.add(write, sizeOf(write));
  }

  async #write(writes: readonly Write[]): Promise<readonly Outcome<CommitResult>[]> {
    this.#writes += writes.length;
    const outcomes = await this.#writer.commitGroup(writes);
    const revisions = new Map<string, number>();
    writes.forEach(({ partition, change }, index) => {
      const outcome = outcomes[index];
      if (change !== null && outcome !== undefined && "value" in outcome && outcome.value.ok)
        revisions.set(partition, outcome.value.revision);
    });
    this.#news.announce(revisions);
    this.#listener.tell(revisions);
    return outcomes;
  }

  #read<Result>(partition: string, read: () => Promise<Result>): Promise<Result> {
    return this.#answer(async () => {
      await this.#writer.fences.settled([partition]);
      this.#news.care(partition);
      return read();
    });
  }

  /** Once more where the connection broke: it may have been cut while it lay idle, and the server be well. */
  async #readTwice<Result>(work: (client: pg.Client) => Promise<Result>): Promise<Result> {
    try {
      return await this.#readers.use(work);
    } catch (error) {
      if (isAnswer(error) || error instanceof NoConnection) throw error;
      return this.#readers.use(work);
    }
  }

  async #answer<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      throw storeError(error, RUNNING);
    }
  }

  #schedulePoll(): void {
    if (this.#closed) return;
    this.#polling = setTimeout(() => {
      this.#polled = this.#poll().finally(() => this.#schedulePoll());
    }, this.#pollMs);
    this.#polling.unref();
  }

  /** Looks whether the listening connection is alive, what became of commits in doubt, and for what nobody told. */
  async #poll(): Promise<void> {
    await this.#measure();
    // Beside it: who holds a partition that is in doubt keeps nobody from hearing of the others.
    this.#settling ??= this.#writer.fences.settleAll().finally(() => {
      this.#settling = null;
    });
    try {
      const untold = this.#news.announce(await this.#reader.revisions(this.#news.cared()));
      if (untold) this.#listener.check();
    } catch {
      // The next poll finds it.
    }
  }

  async #measure(): Promise<void> {
    await this.#clock.measure(async () => {
      const row = await this.#listener.ask<{ ms: number }>("SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS ms");
      return row?.ms ?? null;
    });
  }
}
