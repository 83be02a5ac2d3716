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
  StoredObject,
  Subscription,
  WatchHandlers,
} from "../ports.ts";
import { GroupQueue, type Outcome } from "./group-queue.ts";
import { SqliteCheckpoints } from "./sqlite-checkpoints.ts";
import { RUNNING, storeError } from "./sqlite-errors.ts";
import { DURABLE, openFile, type SqliteFile, sqlitePath } from "./sqlite-file.ts";
import { SqliteReader } from "./sqlite-reader.ts";
import { SqliteWriter } from "./sqlite-writer.ts";
import { Watchers } from "./watchers.ts";
import { sizeOf, type Write } from "./write.ts";

export interface SqliteOptions {
  /** Milliseconds since 1970; the machine's clock unless a test brings its own. */
  readonly clock?: () => number;
  /** Milliseconds to wait for an engine that still holds the file. */
  readonly lockWaitMs?: number;
}

/** Counted since the file was opened. */
export interface SqliteStats {
  /** Durable transactions: one for each group. */
  readonly transactions: number;
  /** Writes in them, those that lost their checks included. */
  readonly writes: number;
  /** Passes in which the log was moved into the file, beside them. */
  readonly checkpoints: number;
}

/**
 * Opens the SQLite file that `url` names (see `sqlitePath`), and makes it where there is none.
 *
 * Throws `store_unavailable`, with reason and fix, for a file that is not a database, is another program's, is from a newer
 * schema, is read-only, or is in use by another engine; `storage_full` where there is no room to open it.
 */
export async function openSqlite(url: string, options: SqliteOptions = {}): Promise<SqliteBackend> {
  const file = await openFile(sqlitePath(url), options.lockWaitMs ?? LIMITS.storeLockMs);
  return new SqliteBackend(file, options.clock ?? Date.now);
}

/** One SQLite file in WAL mode with `synchronous=FULL`, for one engine. Commits that arrive together share one transaction. */
export class SqliteBackend implements Backend {
  readonly objects: Objects;
  readonly #file: SqliteFile;
  readonly #clock: () => number;
  readonly #reader: SqliteReader;
  readonly #writer: SqliteWriter;
  readonly #checkpoints: SqliteCheckpoints;
  readonly #queue: GroupQueue<Write, CommitResult>;
  readonly #watchers = new Watchers();
  #transactions = 0;
  #writes = 0;

  constructor(file: SqliteFile, clock: () => number) {
    this.#file = file;
    this.#clock = clock;
    this.#reader = new SqliteReader(file.db);
    this.#writer = new SqliteWriter(file.db, file.path, clock);
    this.#checkpoints = new SqliteCheckpoints(file.path, DURABLE);
    const limits = { items: LIMITS.groupCommits, bytes: LIMITS.commitBytes, waiting: LIMITS.queuedWriters, turns: LIMITS.groupTurns };
    this.#queue = new GroupQueue(limits, (writes) => this.#checkpoints.turn()?.then(() => this.#write(writes)) ?? this.#write(writes));
    this.objects = {
      get: async (partition: string, hashes: readonly Hash[]) => this.#read(() => this.#reader.getObjects(partition, hashes)),
      put: async (partition: string, objects: readonly StoredObject[]) => void (await this.#enqueue({ partition, change: null, objects })),
      list: async (partition: string, after: Hash | null, limit: number): Promise<readonly ObjectInfo[]> =>
        this.#read(() => this.#reader.listObjects(partition, after, limit)),
    };
  }

  get stats(): SqliteStats {
    return { transactions: this.#transactions, writes: this.#writes, checkpoints: this.#checkpoints.count };
  }

  async get(partition: string, keys: readonly Key[]): Promise<readonly (Entry<string> | null)[]> {
    return this.#read(() => this.#reader.get(partition, keys));
  }

  async list(partition: string, range: Range): Promise<readonly Entry<string>[]> {
    return this.#read(() => this.#reader.list(partition, range));
  }

  async revision(partitions: readonly string[]): Promise<readonly number[]> {
    return this.#read(() => this.#reader.revision(partitions));
  }

  commit(partition: string, change: Change<string>): Promise<CommitResult> {
    return this.#enqueue({ partition, change, objects: change.objects });
  }

  watch(handlers: WatchHandlers): Subscription {
    return this.#watchers.subscribe(handlers);
  }

  async now(): Promise<Date> {
    return new Date(this.#clock());
  }

  async close(): Promise<void> {
    await this.#queue.idle();
    await this.#checkpoints.close();
    this.#watchers.clear();
    this.#file.db.close();
    // Last: from here on another engine may open the file.
    this.#file.lock.release();
  }

  #enqueue(write: Write): Promise<CommitResult> {
    return this.#queue.add(write, sizeOf(write));
  }

  #write(writes: readonly Write[]): readonly Outcome<CommitResult>[] {
    const { outcomes, revisions } = this.#writer.commitGroup(writes);
    this.#transactions++;
    this.#writes += writes.length;
    this.#checkpoints.wrote(writes);
    this.#watchers.announce(revisions);
    return outcomes;
  }

  #read<Result>(read: () => Result): Result {
    try {
      return read();
    } catch (error) {
      throw storeError(error, this.#file.path, RUNNING);
    }
  }
}
