import { AppError } from "./errors.ts";
import { FifoMap } from "./fifo-map.ts";
import { SYSTEM_PARTITION } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import { checkProject } from "./names.ts";
import type { Store } from "./ports.ts";

interface Waiter {
  readonly partitions: readonly string[];
  readonly resolve: (revisions: readonly number[]) => void;
  readonly reject: (error: unknown) => void;
}

interface ReadIndexOptions {
  /**
   * Whether this process alone writes the store, and the store's watch tells of each commit before its writer is answered and before
   * any reader is answered with it: `sqlite:` and `memory:`.
   */
  readonly exclusive: boolean;
  /** Told where the store has less of a partition than it had: a failover or a restored backup took commits away that were acknowledged. */
  readonly failed?: (error: AppError) => void;
}

/**
 * Tells how new an answer has to be: whatever is kept in memory may answer a request only where it is as new as the revision that its
 * partition had at some moment after the request began.
 *
 * On a shared store that takes a question to the store. Questions that come while one is under way wait for the next and share it
 * (ReadIndex in Ongaro's dissertation on Raft, section 6.4), so that their number follows the round trips, not the requests.
 */
export class ReadIndex {
  readonly #store: Store;
  readonly #exclusive: boolean;
  readonly #failed: (error: AppError) => void;
  /**
   * The newest revisions, least recently learned first. On a store of its own they answer, and a partition that is not here is asked for; on a
   * shared one they only show where the store has gone back.
   */
  readonly #revisions = new FifoMap<string, number>();
  readonly #doubters: (() => void)[] = [];
  /** How often something was dropped from there: an answer asked for before may be older than what was dropped. */
  #dropped = 0;
  #waiting: Waiter[] = [];
  #checking = false;
  /** When each question that the store has not answered was asked, by `performance.now()`; the oldest first. */
  readonly #unanswered = new Set<{ readonly since: number }>();

  constructor(store: Store, { exclusive, failed = () => {} }: ReadIndexOptions) {
    this.#store = store;
    this.#exclusive = exclusive;
    this.#failed = failed;
    if (exclusive) store.watch({ onChange: (partition, revision) => this.#learn(partition, revision), onGap: () => this.#drop() });
    // Whoever answers after the connection was lost may be a server that has less, and may have been written to since.
    else store.watch({ onChange() {}, onGap: () => this.#doubt() });
  }

  /** Whether this process alone writes the store. */
  get exclusive(): boolean {
    return this.#exclusive;
  }

  /** The newest revision of the partition, where it is known without asking; always `null` on a shared store. */
  known(partition: string): number | null {
    return this.#exclusive ? (this.#revisions.get(partition) ?? null) : null;
  }

  /** Calls `doubt` whenever a revision proves nothing any more of what is kept in memory: it has to be read again before it is shown as current. */
  onDoubt(doubt: () => void): void {
    this.#doubters.push(doubt);
  }

  /** Notes that the partition has had this revision, by what was read from it. */
  reached(partition: string, revision: number): void {
    if (!this.#exclusive) this.#learn(partition, revision);
  }

  /**
   * The newest revisions of projects and of `_system`, in the order asked, by a check that began after this call.
   * @throws invalid_name, overloaded, or what the store throws: then nothing is known
   */
  async confirm(partitions: readonly string[]): Promise<readonly number[]> {
    const known = partitions.map((partition) => this.known(partition));
    if (known.every((revision) => revision !== null)) return known;
    for (const partition of partitions) if (partition !== SYSTEM_PARTITION) checkProject(partition);
    if (this.#waiting.length >= LIMITS.queuedReads)
      throw new AppError("overloaded", { reason: "Too many reads are waiting for the store." });
    return new Promise((resolve, reject) => {
      this.#waiting.push({ partitions, resolve, reject });
      if (!this.#checking) void this.#checkAll();
    });
  }

  /** Notes that the store owes an answer until `question` has one. */
  async asked<Result>(question: Promise<Result>): Promise<Result> {
    const asked = { since: performance.now() };
    this.#unanswered.add(asked);
    try {
      return await question;
    } finally {
      this.#unanswered.delete(asked);
    }
  }

  /**
   * Waits no longer than a reader should who could be shown what was last known: for how long the store has been silent counts, and not
   * when each of them began to wait, so that several waits of one request are no longer than one.
   */
  inTime<Result>(work: Promise<Result>): Promise<Result> {
    const [oldest] = this.#unanswered;
    const silentMs = oldest === undefined ? 0 : performance.now() - oldest.since;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new AppError("store_unavailable", { reason: "The store does not answer in time." })),
        Math.max(0, LIMITS.staleAfterMs - silentMs),
      );
      work.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }

  /** One check at a time: who comes while one is under way is answered by the next. */
  async #checkAll(): Promise<void> {
    this.#checking = true;
    while (this.#waiting.length > 0) await this.#check(this.#take());
    this.#checking = false;
  }

  /** Those whose partitions go into one question, in the order in which they came. */
  #take(): readonly Waiter[] {
    const wanted = new Set<string>();
    let count = 0;
    for (const { partitions } of this.#waiting) {
      const size = wanted.size;
      for (const partition of partitions) wanted.add(partition);
      if (count > 0 && wanted.size > size && wanted.size > LIMITS.getKeys) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  async #check(waiters: readonly Waiter[]): Promise<void> {
    const wanted = [...new Set(waiters.flatMap(({ partitions }) => partitions))];
    const before = this.#dropped;
    const had = wanted.map((partition) => this.#revisions.get(partition) ?? 0);
    try {
      const revisions = await this.asked(this.#store.revision(wanted));
      const found = new Map(wanted.map((partition, index) => [partition, revisions[index] ?? 0]));
      if (!this.#exclusive) this.#compare(wanted, had, found);
      if (this.#dropped === before) for (const [partition, revision] of found) this.#learn(partition, revision);
      for (const { partitions, resolve } of waiters) resolve(partitions.map((partition) => found.get(partition) ?? 0));
    } catch (error) {
      for (const { reject } of waiters) reject(error);
    }
  }

  /** A check that began after a revision was known finds that one or a newer, on a store that keeps what it acknowledged. */
  #compare(wanted: readonly string[], had: readonly number[], found: ReadonlyMap<string, number>): void {
    const lost = wanted.filter((partition, index) => (found.get(partition) ?? 0) < (had[index] ?? 0));
    if (lost.length === 0) return;
    const known = new Map(wanted.map((partition, index) => [partition, had[index] ?? 0]));
    for (const partition of lost) this.#revisions.delete(partition);
    this.#doubt();
    for (const partition of lost) this.#failed(wentBack(partition, known.get(partition) ?? 0, found.get(partition) ?? 0));
  }

  #doubt(): void {
    for (const doubt of this.#doubters) doubt();
  }

  #learn(partition: string, revision: number): void {
    const newest = Math.max(revision, this.#revisions.get(partition) ?? 0);
    this.#revisions.set(partition, newest);
    const oldest = this.#revisions.oldest();
    if (oldest === undefined || this.#revisions.size <= LIMITS.cachedRevisions) return;
    this.#revisions.delete(oldest[0]);
    this.#dropped++;
  }

  #drop(): void {
    this.#revisions.clear();
    this.#dropped++;
  }
}

/** For the log: nobody who asks can be told, and whoever runs the engine has to know. */
function wentBack(partition: string, had: number, has: number): AppError {
  return new AppError("store_unavailable", {
    reason: `The store has lost acknowledged commits: ${partition} had revision ${had} and has ${has} now, after a failover or a restored backup. Restart every engine on it, so that nothing of these is left in their memory, and see docs/operations.md.`,
  });
}
