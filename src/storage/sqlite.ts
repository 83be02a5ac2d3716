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
import { isFull, noRoom, RUNNING, storeError } from "./sqlite-errors.ts";
import { openFile, type SqliteFile, sqlitePath } from "./sqlite-file.ts";
import { SqliteReader } from "./sqlite-reader.ts";
import { SqliteWriting } from "./sqlite-writing.ts";
import { Watchers } from "./watchers.ts";
import { sizeOf, type Write } from "./write.ts";

interface SqliteOptions {
  /** Milliseconds since 1970; the machine's clock unless a test brings its own. */
  readonly clock?: () => number;
  /** Milliseconds to wait for an engine that still holds the file. */
  readonly lockWaitMs?: number;
}

/** Counted since the file was opened. */
interface SqliteStats {
  /** Durable transactions, and those that failed. */
  readonly transactions: number;
  /** Writes in those that did not fail, with those that lost their checks. */
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

/** One SQLite file in WAL mode with `synchronous=FULL`, for one engine. Commits that wait together share one transaction. */
export class SqliteBackend implements Backend {
  readonly objects: Objects;
  readonly #file: SqliteFile;
  readonly #clock: () => number;
  readonly #reader: SqliteReader;
  readonly #writing: SqliteWriting;
  readonly #queue: GroupQueue<Write, CommitResult>;
  /** By partition, the groups that are under way for it: each settles when everybody has been told. */
  readonly #underWay = new Map<string, Set<Promise<unknown>>>();
  readonly #watchers = new Watchers();
  #writes = 0;

  constructor(file: SqliteFile, clock: () => number) {
    this.#file = file;
    this.#clock = clock;
    this.#reader = new SqliteReader(file.db);
    this.#writing = new SqliteWriting({ path: file.path, pragmas: file.pragmas }, () => this.#watchers.gap());
    const limits = { items: LIMITS.groupCommits, bytes: LIMITS.commitBytes, waiting: LIMITS.queuedWriters, running: LIMITS.sqliteGroups };
    this.#queue = new GroupQueue(limits, (writes: readonly Write[]) => this.#write(writes));
    this.objects = {
      get: (partition: string, hashes: readonly Hash[]) => this.#read(partition, () => this.#reader.getObjects(partition, hashes)),
      put: async (partition: string, objects: readonly StoredObject[]) => void (await this.#enqueue({ partition, change: null, objects })),
      list: (partition: string, after: Hash | null, limit: number): Promise<readonly ObjectInfo[]> =>
        this.#read(partition, () => this.#reader.listObjects(partition, after, limit)),
    };
  }

  get stats(): SqliteStats {
    const { transactions, checkpoints } = this.#writing;
    return { transactions, writes: this.#writes, checkpoints };
  }

  get(partition: string, keys: readonly Key[]): Promise<readonly (Entry<string> | null)[]> {
    return this.#read(partition, () => this.#reader.get(partition, keys));
  }

  list(partition: string, range: Range): Promise<readonly Entry<string>[]> {
    return this.#read(partition, () => this.#reader.list(partition, range));
  }

  revision(partitions: readonly string[]): Promise<readonly number[]> {
    return Promise.all(partitions.map((partition) => this.#read(partition, () => this.#reader.revision(partition))));
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

  /** An engine that nobody writes to would otherwise not know. */
  full(): string | null {
    return isFull(this.#file.path) ? noRoom(RUNNING) : null;
  }

  async close(): Promise<void> {
    await this.#queue.idle();
    await this.#writing.close();
    this.#watchers.clear();
    this.#file.db.close();
    // Last: from here on another engine may open the file.
    this.#file.lock.release();
  }

  #enqueue(write: Write): Promise<CommitResult> {
    return this.#queue.add(write, sizeOf(write));
  }

  #write(writes: readonly Write[]): Promise<readonly Outcome<CommitResult>[]> {
    const partitions = new Set(writes.map(({ partition }) => partition));
    const told = this.#commit(writes).finally(() => {
      for (const partition of partitions) {
        const groups = this.#underWay.get(partition);
        groups?.delete(told);
        if (groups?.size === 0) this.#underWay.delete(partition);
      }
    });
    for (const partition of partitions) {
      const groups = this.#underWay.get(partition);
      if (groups === undefined) this.#underWay.set(partition, new Set([told]));
      else groups.add(told);
    }
    return told;
  }

  async #commit(writes: readonly Write[]): Promise<readonly Outcome<CommitResult>[]> {
    const outcomes = await this.#writing.write(writes, this.#clock()).catch((error: unknown) => {
      throw this.#told(error);
    });
    const revisions = new Map<string, number>();
    const told = writes.map(({ partition, change }, index): Outcome<CommitResult> => {
      const outcome = outcomes[index] ?? { error: new Error("The group left a write without an outcome.") };
      if ("error" in outcome) return { error: this.#told(outcome.error) };
      if (change !== null && outcome.value.ok) revisions.set(partition, outcome.value.revision);
      return outcome;
    });
    this.#writes += writes.length;
    this.#watchers.announce(revisions);
    return told;
  }

  /**
   * What a group has written is in the file before this thread hears of it. Whoever reads it in between is answered when all that they may have
   * seen has been told: else the next one, answered from memory, would see what was before it.
   */
  async #read<Result>(partition: string, read: () => Result): Promise<Result> {
    try {
      const result = read();
      const groups = this.#underWay.get(partition);
      if (groups !== undefined) await Promise.allSettled(groups);
      return result;
    } catch (error) {
      throw this.#told(error);
    }
  }

  #told(error: unknown): unknown {
    return storeError(error, this.#file.path, RUNNING);
  }
}
