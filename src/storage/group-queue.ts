import { AppError } from "../errors.ts";

/** What became of one item of a group: its own result, or its own error. */
export type Outcome<Result> = { readonly value: Result } | { readonly error: unknown };

interface GroupLimits {
  /** Items in one group. */
  readonly items: number;
  /** Bytes in one group; a single item may exceed them and then goes alone. */
  readonly bytes: number;
  /** Items that may wait. */
  readonly waiting: number;
  /** Groups that may run at a time, as far as they have fewer bytes than two that are full. */
  readonly running: number;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly bytes: number;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Collects what arrives during one turn of the event loop and hands it to `run` as one group, in order of arrival. A single item waits no longer
 * than its turn; while as many groups run as may, the next one grows.
 *
 * `run` answers one outcome for each item, in order; where it throws, every item of the group fails with that error.
 */
export class GroupQueue<Item, Result> {
  readonly #run: (items: readonly Item[]) => Promise<readonly Outcome<Result>[]>;
  readonly #limits: GroupLimits;
  #waiting: Waiting<Item, Result>[] = [];
  #isScheduled = false;
  #running = 0;
  #runningBytes = 0;
  #idle: (() => void)[] = [];

  constructor(limits: GroupLimits, run: (items: readonly Item[]) => Promise<readonly Outcome<Result>[]>) {
    this.#limits = limits;
    this.#run = run;
  }

  /** Settles when the item's group has run. Throws `overloaded`, and the item never runs, where too many wait already. */
  add(item: Item, bytes: number): Promise<Result> {
    if (this.#waiting.length >= this.#limits.waiting) {
      return Promise.reject(new AppError("overloaded", { reason: "Too many writes are waiting for the store." }));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, bytes, resolve, reject });
      this.#schedule();
    });
  }

  /** Resolves when nothing waits or runs. */
  idle(): Promise<void> {
    if (this.#waiting.length === 0 && this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #schedule(): void {
    if (this.#isScheduled || this.#running >= this.#limits.running || this.#runningBytes >= 2 * this.#limits.bytes) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      void this.#next();
    });
  }

  async #next(): Promise<void> {
    const group = this.#take();
    const bytes = group.reduce((sum, one) => sum + one.bytes, 0);
    this.#running++;
    this.#runningBytes += bytes;
    if (this.#waiting.length > 0) this.#schedule();
    let outcomes: readonly Outcome<Result>[];
    try {
      outcomes = await this.#run(group.map(({ item }) => item));
    } catch (error) {
      outcomes = group.map(() => ({ error }));
    }
    group.forEach(({ resolve, reject }, index) => {
      const outcome = outcomes[index] ?? { error: new Error("The group left an item without an outcome.") };
      if ("error" in outcome) reject(outcome.error);
      else resolve(outcome.value);
    });
    this.#running--;
    this.#runningBytes -= bytes;
    if (this.#waiting.length > 0) this.#schedule();
    else if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  #take(): readonly Waiting<Item, Result>[] {
    let bytes = 0;
    let count = 0;
    for (const { bytes: size } of this.#waiting) {
      if (count === this.#limits.items || (count > 0 && bytes + size > this.#limits.bytes)) break;
      bytes += size;
      count++;
    }
    return this.#waiting.splice(0, count);
  }
}
