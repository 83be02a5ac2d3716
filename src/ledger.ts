import { AppError } from "./errors.ts";
import { FifoMap } from "./fifo-map.ts";
import { Histogram, SECONDS } from "./histogram.ts";
import { keys } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import { canonicalJson } from "./merkle/canonical.ts";
import type { AuditRecord, Caller, Once } from "./model.ts";
import type { Check, Hash, Json, Key, Store, StoredObject } from "./ports.ts";
import type { ReadIndex } from "./read-index.ts";
import { RecentDocuments } from "./recent-documents.ts";
import { traced } from "./tracing.ts";
import { Transaction, View } from "./transaction.ts";
import { WriteTurns } from "./write-turns.ts";

type Task = {
  /** Races that were lost with it. */
  attempts: number;
  readonly caller: Caller;
  readonly work: (tx: Transaction) => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
};

/** What commits took, and how many writers shared each. */
export interface LedgerCounts {
  readonly commitSeconds: Histogram;
  readonly commitWriters: Histogram;
}

const WRITERS = [1, 2, 4, 8, 16, 32, LIMITS.batchWriters];

type Outcome = { readonly task: Task; readonly error?: unknown; readonly value?: unknown };

/**
 * The one way in which a project changes. Writers of a project queue here; those that wait together run one after
 * another, each on what the one before it wrote, and become one atomic commit. A writer that throws leaves no trace in
 * it. A lost race against another instance runs all of them again, so that `work` must have no effect but through its
 * transaction.
 */
export class Ledger {
  readonly counts: LedgerCounts = { commitSeconds: new Histogram(SECONDS), commitWriters: new Histogram(WRITERS) };
  readonly #store: Store;
  readonly #queues = new Map<string, Task[]>();
  /** `null` where the store gives none, since no other engine can write it. */
  readonly #turns: WriteTurns | null;
  readonly #recent: RecentDocuments;
  /** By project, the label that this instance made last: what comes of it is checked by the commit. */
  readonly #labels = new FifoMap<string, string>();

  /** @param index with it, what one commit left is not read again by the next */
  constructor(store: Store, index: Pick<ReadIndex, "known"> | null = null) {
    this.#store = store;
    this.#turns = store.turn === undefined ? null : new WriteTurns(store);
    this.#recent = new RecentDocuments(index);
  }

  /**
   * Runs `work` and commits what it wrote. Resolves once that is durable.
   * @throws whatever `work` throws, `write_conflict`, `overloaded`, or the store's own errors; then nothing was written,
   * unless the error says that nobody knows.
   */
  write<Result>(project: string, caller: Caller, work: (tx: Transaction) => Promise<Result>): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      const task: Task = { attempts: 0, caller, work, resolve: resolve as (value: unknown) => void, reject };
      const waiting = this.#queues.get(project);
      if (waiting === undefined) {
        this.#queues.set(project, [task]);
        void this.#drain(project);
      } else if (waiting.length >= LIMITS.queuedWriters) {
        reject(new AppError("overloaded", { fix: "Wait a moment and send the request again." }));
      } else {
        waiting.push(task);
      }
    });
  }

  /** Documents as they are, of those that hardly ever change and are asked for after each commit: see `RecentDocuments.read`. */
  standing(project: string): Pick<Transaction, "getAll"> {
    return {
      getAll: async <Value>(wanted: readonly Key[]) =>
        (await this.#recent.read(this.#store, project, wanted)).map((entry) => (entry?.value ?? null) as Value | null),
    };
  }

  /**
   * Runs an operation of which one write, made as this caller, answers the request; others it makes as `aside(caller)`.
   * Where that write has happened before, its answer is given again and nothing is done: it was kept in the same commit
   * as the change. That nothing was to change is an answer too.
   * @throws idempotency_mismatch where the key came with another request
   */
  once<Result>(project: string, caller: Caller, operation: () => Promise<Result>): Promise<Result> {
    return caller.once === undefined ? operation() : this.#once(project, caller.once, operation);
  }

  async #once<Result>(project: string, once: Once, operation: () => Promise<Result>): Promise<Result> {
    const known = await this.#answer<Result>(project, once);
    if (known !== null) return known.result;
    try {
      return await operation();
    } catch (error) {
      // The same request may have come in twice at once: what refused the second is what the first did.
      const made = await this.#answer<Result>(project, once);
      if (made !== null) return made.result;
      throw error;
    }
  }

  async #answer<Result>(project: string, once: Once): Promise<{ readonly result: Result } | null> {
    const [[entry], now] = await Promise.all([this.#store.get(project, [keys.once(once.id)]), this.#store.now()]);
    const answer = (entry?.value ?? null) as Answer | null;
    if (answer === null || isOutdated(answer, now.toISOString())) return null;
    if (answer.content !== once.content) throw idempotencyMismatch();
    return { result: answer.result as Result };
  }

  async #drain(project: string): Promise<void> {
    const queue = this.#queues.get(project) ?? [];
    while (queue.length > 0) {
      // Before they are counted: whoever comes while it is another's turn goes along.
      await this.#turns?.next(project);
      const batch = queue.splice(0, batchSize(queue[0]));
      queue.unshift(...(await this.#settle(project, batch)));
      // Whoever was answered may write again at once.
      if (this.#turns?.has(project)) await new Promise((resolve) => setImmediate(resolve));
    }
    this.#turns?.end(project);
    this.#queues.delete(project);
  }

  /** Answers writers, each with its own outcome, and returns those that have to wait for the next commit. */
  async #settle(project: string, batch: readonly Task[]): Promise<readonly Task[]> {
    try {
      return await this.#commitBatch(project, batch);
    } catch (error) {
      if (batch.length > 1 && isRefusedContent(error)) {
        // What one of them wrote cannot be stored: each goes alone, so that the others do not suffer from it.
        const left: Task[] = [];
        for (const task of batch) left.push(...(await this.#settle(project, [task])));
        return left;
      }
      for (const task of batch) task.reject(error);
      return [];
    }
  }

  /** Commits as many of the writers as one commit holds and returns the rest: after a lost race all that have not lost too many. */
  async #commitBatch(project: string, batch: readonly Task[]): Promise<readonly Task[]> {
    const recent = this.#recent.of(project);
    const view = await View.open({ store: this.#store, project, recent, newestLabel: this.#labels.get(project) ?? null });
    const outcomes: Outcome[] = [];
    for (const task of batch) {
      if (outcomes.length > 0 && view.bytes > LIMITS.commitBytes / 8) break;
      outcomes.push(await runTask(task, view));
    }
    const made = await this.#commit(project, view, outcomes.length);
    if (made === null) return this.#again(view, batch, outcomes);
    if (typeof made === "number") {
      this.#recent.keep(project, made, view.touched(made));
      this.#noteLabel(project, view.newestLabel);
    }
    for (const { task, error, value } of outcomes) error === undefined ? task.resolve(value) : task.reject(error);
    return batch.slice(outcomes.length);
  }

  #noteLabel(project: string, label: string | null): void {
    if (label === null || this.#labels.get(project) === label) return;
    this.#labels.set(project, label);
    const oldest = this.#labels.oldest();
    if (oldest !== undefined && this.#labels.size > LIMITS.recentProjects) this.#labels.delete(oldest[0]);
  }

  /**
   * Who took part in a race that was lost has one chance less, and looks where it supposed before. It begins anew as soon as it has its turn,
   * and waits only where that does not help.
   */
  async #again(view: View, batch: readonly Task[], outcomes: readonly Outcome[]): Promise<readonly Task[]> {
    // To one that takes no turns, since it has lost no race: it loses one now.
    const fence = this.#turns?.has(view.project) ? view.fence() : null;
    this.#turns?.lost(view.project);
    this.#labels.delete(view.project);
    for (const { task } of outcomes) {
      if (++task.attempts === LIMITS.commitAttempts) task.reject(new AppError("write_conflict", { fix: "Send the request again." }));
    }
    const left = batch.filter(({ attempts }) => attempts < LIMITS.commitAttempts);
    if (fence !== null) await this.#store.commit(view.project, fence);
    const tired = (left[0]?.attempts ?? 0) - LIMITS.commitAttemptsAtOnce;
    if (tired > 0) await pause(tired);
    return left;
  }

  /** The project's new revision; `"unknown"` where that was not told, or nothing was to be written; `null` where the race was lost. */
  async #commit(project: string, view: View, writers: number): Promise<number | "unknown" | null> {
    const change = view.change();
    if (change.puts.length + change.deletes.length === 0) {
      return (await this.#stillHolds(project, change.checks)) ? "unknown" : null;
    }
    let objects = change.objects;
    if (view.bytes > LIMITS.commitBytes / 2 || objects.length > LIMITS.commitOperations / 2) {
      // Objects are content-addressed: written ahead of the commit that refers to them they harm nobody, and a commit
      // that then fails leaves them to the garbage collector.
      for (const chunk of chunked(objects)) await this.#store.objects.put(project, chunk);
      objects = [];
    }
    const start = performance.now();
    try {
      const facts = { name: "commit", kind: "internal", attributes: { "envm.project": project, "envm.writers": writers } } as const;
      const result = await traced(facts, () => this.#store.commit(project, { ...change, objects }));
      this.counts.commitSeconds.observe((performance.now() - start) / 1_000);
      if (result.ok) this.counts.commitWriters.observe(writers);
      return result.ok ? result.revision : null;
    } catch (error) {
      if (error instanceof AppError && error.code !== "store_unavailable") throw error;
      if (await this.#tookEffect(project, view)) return "unknown";
      throw error;
    }
  }

  /** An answer that writes nothing must rest on one state too: all that it read is still as it was. */
  async #stillHolds(project: string, checks: readonly Check[]): Promise<boolean> {
    for (let from = 0; from < checks.length; from += LIMITS.getKeys) {
      const part = checks.slice(from, from + LIMITS.getKeys);
      const entries = await this.#store.get(
        project,
        part.map(({ key }) => key),
      );
      if (part.some(({ revision }, index) => (entries[index]?.revision ?? null) !== revision)) return false;
    }
    return true;
  }

  /**
   * A commit that threw may have happened all the same. Its first audit record tells: the record's hash covers the
   * request's id and all before it, so that no other commit can have put the same one there.
   * @throws store_unavailable, which says that nobody knows, where the store cannot be read for a while
   */
  async #tookEffect(project: string, view: View): Promise<boolean> {
    const record = view.firstRecord;
    if (record === undefined) return false;
    for (let attempt = 1; ; attempt++) {
      try {
        const [found] = await this.#store.get(project, [keys.audit(record.seq)]);
        return (found?.value as AuditRecord | undefined)?.hash === record.hash;
      } catch (cause) {
        if (attempt === LIMITS.readBackAttempts) throw unknownOutcome(cause);
        await pause(attempt);
      }
    }
  }
}

function unknownOutcome(cause: unknown): AppError {
  return new AppError("store_unavailable", {
    reason: "The store stopped answering while it was written to: whether the change was made is not known.",
    fix: "When the store answers again, look whether the change is there before you make it again. With an `Idempotency-Key` the same request can simply be sent again.",
    cause,
  });
}

/**
 * The longer a commit takes, the likelier it is that another instance is faster: where turns did not help its first writer, fewer go together
 * after each race that is lost.
 */
function batchSize(first: Task | undefined): number {
  const lost = (first?.attempts ?? 0) - LIMITS.commitAttemptsAtOnce;
  return lost > 0 ? Math.max(1, LIMITS.batchWriters >> lost) : LIMITS.batchWriters;
}

/** Nothing was written, because of what the commit holds and not because of the store's condition. */
function isRefusedContent(error: unknown): boolean {
  return error instanceof AppError && (error.code === "too_large" || error.code === "invalid_request");
}

/** The same caller for writes that go before or after the one that answers their request. */
export function aside({ once: _, ...caller }: Caller): Caller {
  return caller;
}

/** The same caller for what follows the write that answers their request, and is to be answered once too. */
export function stepAfter({ once, ...caller }: Caller, step: string): Caller {
  return once === undefined ? caller : { ...caller, once: { ...once, id: `${once.id}-${step}` } };
}

async function runTask(task: Task, view: View): Promise<Outcome> {
  const tx = new Transaction(view, task.caller);
  try {
    const made = await task.work(tx);
    const { once } = task.caller;
    const value = once === undefined ? made : await keepAnswer(tx, once, made);
    view.absorb(tx);
    return { task, value };
  } catch (error) {
    return { task, error: error ?? new Error("a writer threw nothing") };
  }
}

/** The document `once/<id>`. */
interface Answer {
  readonly content: Hash;
  readonly result: Json;
  readonly at: string;
}

/**
 * Refuses a second writer with the same key: `once` then gives it the first one's answer.
 * @returns the answer as it is kept, its members in the order in which stores give them back: what is answered first is, byte for byte,
 * what is answered again
 */
async function keepAnswer(tx: Transaction, once: Once, made: unknown): Promise<unknown> {
  const key = keys.once(once.id);
  const before = await tx.get<Answer>(key);
  if (before !== null && !isOutdated(before, tx.clock)) throw new AppError("write_conflict", { fix: "Send the request again." });
  const result: Json = JSON.parse(canonicalJson((made ?? null) as Json));
  tx.put(key, { content: once.content, result, at: tx.now } satisfies Answer);
  return result;
}

function isOutdated({ at }: Answer, now: string): boolean {
  return Date.parse(at) + LIMITS.onceMs <= Date.parse(now);
}

function idempotencyMismatch(): AppError {
  return new AppError("idempotency_mismatch", {
    reason: "This idempotency key came with another request before.",
    fix: "Use a new key for a new request; repeat a key with exactly the same request.",
  });
}

function* chunked(objects: readonly StoredObject[]): Generator<StoredObject[]> {
  let chunk: StoredObject[] = [];
  let bytes = 0;
  for (const object of objects) {
    if (chunk.length > 0 && (bytes + object.data.byteLength > LIMITS.commitBytes / 2 || chunk.length >= LIMITS.commitOperations / 2)) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(object);
    bytes += object.data.byteLength;
  }
  if (chunk.length > 0) yield chunk;
}

/** Waits longer after each lost race, with jitter, so that two instances do not meet again and again. */
function pause(attempt: number): Promise<void> {
  const ms = Math.random() * Math.min(2 ** attempt, LIMITS.commitPauseMs);
  return new Promise((resolve) => setTimeout(resolve, ms));
}
