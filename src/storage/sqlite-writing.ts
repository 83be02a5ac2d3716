import { Worker } from "node:worker_threads";
import { AppError } from "../errors.ts";
import type { CommitResult } from "../ports.ts";
import type { Outcome } from "./group-queue.ts";
import { type FromThread, type PackedAnswers, packed, unpackedError, unpackedOutcome } from "./sqlite-messages.ts";
import type { Write } from "./write.ts";

/** Where the engine is built, a file of its own; where it runs from its source, what calls for `sqlite-writing-thread.ts`. */
const THREAD = new URL("./sqlite-writing-thread.mjs", import.meta.url);

export interface WritingOptions {
  readonly path: string;
  /** Of the connection that writes. */
  readonly pragmas: readonly string[];
}

interface Group {
  readonly resolve: (outcomes: readonly Outcome<CommitResult>[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Writes groups of commits from a thread of its own, with a connection of its own, in the order in which they come: while it writes one and
 * waits for the disk, this thread answers readers and prepares the next. The thread is started by the first group, and again by the next one
 * where it has ended, which nobody means it to.
 */
export class SqliteWriting {
  readonly #options: WritingOptions;
  readonly #onLost: () => void;
  #thread: Worker | null = null;
  /** Groups that the thread has not answered; the oldest first. */
  #underWay: Group[] = [];
  /** Passes that the thread has made, and those before it. */
  #checkpoints = 0;
  #checkpointsBefore = 0;
  #transactions = 0;
  #closed: Promise<void> | null = null;

  /** @param onLost called before anybody is told that it is not known what became of a group */
  constructor(options: WritingOptions, onLost: () => void) {
    this.#options = options;
    this.#onLost = onLost;
  }

  /** Passes in which the log was moved into the file, as of the newest answer. */
  get checkpoints(): number {
    return this.#checkpointsBefore + this.#checkpoints;
  }

  /** Transactions that were answered: one for the groups that waited together. */
  get transactions(): number {
    return this.#transactions;
  }

  /**
   * Settles when all is durable. Rejects where the group as a whole failed: with what SQLite threw, and nothing is written; with
   * `store_unavailable` where the thread could not be started, and nothing is written, or where it has ended, and that is not known.
   *
   * @param now when its objects are stored, in milliseconds since 1970
   */
  write(writes: readonly Write[], now: number): Promise<readonly Outcome<CommitResult>[]> {
    return new Promise((resolve, reject) => {
      this.#thread ??= this.#start();
      const group = packed(writes, now);
      this.#thread.postMessage(group, [group.bytes.buffer]);
      this.#underWay.push({ resolve, reject });
      this.#thread.ref();
    });
  }

  /** Resolves when the thread has let go of the file. To be called when nothing is under way. */
  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<void> {
    const thread = this.#thread;
    if (thread === null) return;
    this.#thread = null;
    const gone = new Promise((resolve) => thread.once("exit", resolve));
    thread.ref();
    thread.postMessage("close");
    await gone;
  }

  /** @throws AppError where the system has no thread to give */
  #start(): Worker {
    try {
      // Without the options that this process was started with: they are for its own script.
      return this.#listen(new Worker(THREAD, { workerData: this.#options, execArgv: [], name: "writes" }));
    } catch (cause) {
      throw notBegun(cause);
    }
  }

  #listen(thread: Worker): Worker {
    let hasBegun = false;
    let cause: unknown;
    thread.on("message", (message: FromThread) => {
      if (message === "begun") hasBegun = true;
      else this.#answered(message);
    });
    thread.on("error", (error) => {
      cause = error;
    });
    // Only when it is gone, its connection has let go of the file, and what it has not committed will never be.
    thread.on("exit", () => {
      if (this.#thread === thread) this.#gone(hasBegun ? unknownOutcome(cause) : notBegun(cause));
    });
    return thread;
  }

  #answered({ answers, checkpoints }: PackedAnswers): void {
    this.#transactions++;
    this.#checkpoints = checkpoints;
    const groups = this.#underWay.splice(0, answers.length);
    // Between groups it keeps no process from ending.
    if (this.#underWay.length === 0) this.#thread?.unref();
    for (const [index, group] of groups.entries()) {
      const answer = answers[index];
      if (answer === undefined) continue;
      if ("failed" in answer) group.reject(unpackedError(answer.failed));
      else group.resolve(answer.outcomes.map(unpackedOutcome));
    }
  }

  #gone(error: AppError): void {
    // Whoever finds out that the write is there all the same says nothing of it.
    process.emitWarning(`The thread that writes the database has ended: ${describe(error.cause)}`, "StoreThreadWarning");
    this.#thread = null;
    this.#checkpointsBefore += this.#checkpoints;
    this.#checkpoints = 0;
    const lost = this.#underWay;
    this.#underWay = [];
    if (lost.length === 0) return;
    // Node may hand over what the thread answered last and that it has ended in one go. What was answered is told first: told after that
    // something may have been missed, an older revision would be taken for the newest.
    setImmediate(() => {
      this.#onLost();
      for (const { reject } of lost) reject(error);
    });
  }
}

function notBegun(cause: unknown): AppError {
  return new AppError("store_unavailable", {
    reason: "The engine's database cannot be written: the thread that writes it could not be started.",
    fix: "Let the user that runs the engine have more threads (ulimit -u, or the container's limit of processes); the engine's log says what went wrong.",
    cause,
  });
}

function unknownOutcome(cause: unknown): AppError {
  return new AppError("store_unavailable", {
    reason: "What writes the engine's database has ended while this was written: whether it was is not known.",
    fix: "Look whether the change is there before you make it again; the engine's log says what went wrong.",
    cause,
  });
}

function describe(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : "it was ended from outside";
}
