import { Worker } from "node:worker_threads";
import { AppError } from "../errors.ts";
import type { CommitResult } from "../ports.ts";
import type { Outcome } from "./group-queue.ts";
import { type FromThread, packed, unpackedError, unpackedOutcome } from "./sqlite-messages.ts";
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
  #checkpoints = 0;

  /** @param onLost called before anybody is told that it is not known what became of a group */
  constructor(options: WritingOptions, onLost: () => void) {
    this.#options = options;
    this.#onLost = onLost;
  }

  /** Passes in which the log was moved into the file, as of the newest answer. */
  get checkpoints(): number {
    return this.#checkpoints;
  }

  /**
   * Settles when all is durable. Rejects where the group as a whole failed: with what SQLite threw, and nothing is written; with
   * `store_unavailable` where the thread could not be started, or has ended, and it is not known whether the group is written.
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

  /** To be called when nothing is under way. */
  async close(): Promise<void> {
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
      return this.#listen(new Worker(THREAD, { workerData: this.#options, name: "writes" }));
    } catch (cause) {
      throw new AppError("store_unavailable", {
        reason: "The engine's database cannot be written: the system gives no thread to write it.",
        fix: "Let the user that runs the engine have more threads (ulimit -u, or the container's limit of processes), or end others.",
        cause,
      });
    }
  }

  #listen(thread: Worker): Worker {
    let cause: unknown;
    thread.on("message", (answer: FromThread) => this.#answer(answer));
    thread.on("error", (error) => {
      cause = error;
    });
    // Only when it is gone, its connection has let go of the file, and what it has not committed will never be.
    thread.on("exit", () => this.#gone(thread, cause));
    return thread;
  }

  #answer(answer: FromThread): void {
    const group = this.#underWay.shift();
    // Between groups it keeps no process from ending.
    if (this.#underWay.length === 0) this.#thread?.unref();
    if ("failed" in answer) {
      group?.reject(unpackedError(answer.failed));
    } else {
      this.#checkpoints = answer.checkpoints;
      group?.resolve(answer.outcomes.map(unpackedOutcome));
    }
  }

  #gone(thread: Worker, cause: unknown): void {
    if (this.#thread !== thread) return;
    this.#thread = null;
    const lost = this.#underWay;
    this.#underWay = [];
    if (lost.length > 0) this.#onLost();
    for (const { reject } of lost) {
      reject(
        new AppError("store_unavailable", {
          reason: "What writes the engine's database has ended while this was written: whether it was is not known.",
          fix: "Look whether the change is there before you make it again; the engine's log says what went wrong.",
          cause,
        }),
      );
    }
  }
}
