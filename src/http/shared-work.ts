import { LIMITS } from "../limits.ts";

/**
 * Work that costs much and that anybody may ask for. Whoever waits for it when it begins shares it, and it rests after it, however often it
 * is asked for, so that others have their turn. What it finds is never older than the question.
 *
 * @example
 * const text = new SharedWork(() => write());
 * await text.ask();
 */
export class SharedWork<Result> {
  readonly #work: () => Promise<Result>;
  /** What was asked for and has not begun. */
  #next: Promise<Result> | null = null;
  /** Ends with the last one that has begun, and the rest after it. */
  #rested: Promise<unknown> = Promise.resolve();

  constructor(work: () => Promise<Result>) {
    this.#work = work;
  }

  /** @throws whatever the work throws */
  ask(): Promise<Result> {
    this.#next ??= this.#rested.then(() => this.#begin());
    return this.#next;
  }

  #begin(): Promise<Result> {
    this.#next = null;
    const begun = performance.now();
    const done = this.#work();
    this.#rested = done.then(
      () => rest(performance.now() - begun),
      () => rest(performance.now() - begun),
    );
    return done;
  }
}

function rest(tookMs: number): Promise<void> {
  const ms = Math.min(LIMITS.sharedWorkRests * tookMs, LIMITS.sharedWorkRestMs);
  // Whoever stops the engine does not wait for a rest.
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
