import { Worker } from "node:worker_threads";
import { LIMITS } from "../limits.ts";
import { sizeOf, type Write } from "./write.ts";

const THREAD = new URL("./sqlite-checkpoint-worker.mjs", import.meta.url);
/** Bytes of a page. Each row that is written changes one, about, which is rarely its neighbours' too. */
const PAGE = 4096;

/**
 * Moves the write-ahead log into the file from a thread of its own, beside that which writes, so that commits go on meanwhile. What
 * they leave in the log is moved in a second pass, a short one, for which the next commit waits: then the log is empty and begins anew.
 * Where the thread is away, the log grows until SQLite moves it in a commit (`WRITING` in `sqlite-file.ts`).
 */
export class SqliteCheckpoints {
  readonly #options: { readonly path: string; readonly pragmas: readonly string[] };
  #worker: Worker | null = null;
  #isAway = false;
  /** About how long the log is. */
  #bytes = 0;
  /** The pass that is under way. */
  #pass: Promise<void> | null = null;
  #passed: () => void = () => {};
  /** Commits have added to the log while it was moved. */
  #isLeft = false;
  /** Of the pass that is under way: it is the one that commits wait for. */
  #isSecond = false;
  #count = 0;

  /** @param pragmas those of a connection that moves the log durably */
  constructor(path: string, pragmas: readonly string[]) {
    this.#options = { path, pragmas };
  }

  /** Passes that were made. */
  get count(): number {
    return this.#count;
  }

  /** Settles when the next group may be written; `null` where that is now. */
  turn(): Promise<void> | null {
    return this.#isLeft && this.#pass === null ? this.#begin(true) : null;
  }

  /** Notes what a group has put into the log. */
  wrote(writes: readonly Write[]): void {
    for (const write of writes) this.#bytes += logged(write);
    if (this.#bytes >= LIMITS.checkpointBytes && this.#pass === null) void this.#begin(false);
  }

  /** To be called before the engine's own connection is closed: the last one that closes moves what is left, and takes the log away. */
  async close(): Promise<void> {
    await this.#pass;
    this.#isAway = true;
    await this.#worker?.terminate();
  }

  #begin(isSecond: boolean): Promise<void> {
    this.#bytes = 0;
    this.#isLeft = false;
    if (!this.#isAway) this.#worker ??= this.#start();
    if (this.#isAway || this.#worker === null) return Promise.resolve();
    this.#isSecond = isSecond;
    this.#pass = new Promise<void>((resolve) => {
      this.#passed = resolve;
    });
    this.#worker.ref();
    this.#worker.postMessage("move");
    return this.#pass;
  }

  /** `null` where the system has no thread to give: the commit that asked for the pass stands all the same, and the next pass asks again. */
  #start(): Worker | null {
    try {
      return this.#listen(new Worker(THREAD, { workerData: this.#options, name: "checkpoints" }));
    } catch {
      return null;
    }
  }

  #listen(worker: Worker): Worker {
    worker.on("message", (isLeft: boolean) => {
      // What a second pass leaves somebody reads, for as long as a backup takes: to try again with each commit would not help.
      this.#isLeft = isLeft && !this.#isSecond;
      this.#count++;
      this.#end();
    });
    const gone = () => {
      this.#isAway = true;
      this.#end();
    };
    worker.on("error", gone);
    worker.on("exit", gone);
    return worker;
  }

  #end(): void {
    // Between passes it keeps no process from ending.
    this.#worker?.unref();
    this.#pass = null;
    this.#passed();
  }
}

function logged(write: Write): number {
  const { puts = [], deletes = [], objectDeletes = [] } = write.change ?? {};
  return sizeOf(write) + PAGE * (puts.length + deletes.length + write.objects.length + objectDeletes.length);
}
