/** What work-queue.ts asks of whoever makes one. */
interface WorkQueueParts {
  /** How many keys are worked on at a time. */
  readonly workers: number;
  /** How many may wait. */
  readonly limit: number;
  /** Returns whether there is more to do for the same key, once the others have had their turn. */
  readonly work: (key: string) => Promise<boolean>;
  readonly failed: (error: unknown) => void;
  /** Told that a key was left out, because too many wait. */
  readonly overflow: () => void;
}

/**
 * Keys that something has to be done about, in the order in which they came, a bounded number at a time and each by one worker
 * at a time. A key that comes while it waits is there already; one that comes while it is worked on has another turn.
 */
export class WorkQueue {
  readonly #parts: WorkQueueParts;
  readonly #waiting = new Set<string>();
  /** Whether the key came again meanwhile. */
  readonly #working = new Map<string, boolean>();
  #listeners: (() => void)[] = [];
  #scheduled = false;
  #stopped = false;

  constructor(parts: WorkQueueParts) {
    this.#parts = parts;
  }

  /** Returns at once: nothing is done before whoever calls this has gone on. */
  add(key: string): void {
    if (this.#stopped || this.#waiting.has(key)) return;
    if (this.#working.has(key)) {
      this.#working.set(key, true);
    } else if (this.#waiting.size >= this.#parts.limit) {
      this.#parts.overflow();
    } else {
      this.#waiting.add(key);
      this.#schedule();
    }
  }

  /** Resolves when a key may be added without being left out. */
  room(): Promise<void> {
    return this.#until(() => this.#stopped || this.#waiting.size < this.#parts.limit);
  }

  /** Resolves when nothing waits and nothing is worked on. */
  idle(): Promise<void> {
    return this.#until(() => this.#waiting.size + this.#working.size === 0);
  }

  /** Begins nothing more, and resolves when what was begun has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#waiting.clear();
    this.#tell();
    await this.idle();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#fill();
    });
  }

  #fill(): void {
    for (const key of this.#waiting) {
      if (this.#working.size >= this.#parts.workers) break;
      this.#waiting.delete(key);
      this.#working.set(key, false);
      void this.#run(key);
    }
    this.#tell();
  }

  async #run(key: string): Promise<void> {
    let again = false;
    try {
      again = await this.#parts.work(key);
    } catch (error) {
      this.#parts.failed(error);
    }
    again ||= this.#working.get(key) === true;
    this.#working.delete(key);
    if (again) this.add(key);
    if (this.#waiting.size > 0) this.#schedule();
    this.#tell();
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#listeners.push(resolve));
  }

  #tell(): void {
    for (const listener of this.#listeners.splice(0)) listener();
  }
}
