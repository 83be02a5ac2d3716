import { LIMITS } from "./limits.ts";
import type { Clock, Store } from "./ports.ts";

/**
 * The store's time without asking for it each time: what every instance agrees on, whatever its machine's clock says. It goes on by
 * what has passed since it was asked for.
 */
export class StoreClock implements Clock {
  readonly #store: Store;
  /** The store's time and this process's, in milliseconds, of one moment. */
  #known: { readonly store: number; readonly own: number };

  private constructor(store: Store, known: { readonly store: number; readonly own: number }) {
    this.#store = store;
    this.#known = known;
  }

  static async open(store: Store): Promise<StoreClock> {
    return new StoreClock(store, await ask(store));
  }

  now(): Date {
    return new Date(this.#known.store + performance.now() - this.#known.own);
  }

  /** Asks again, since clocks drift apart. */
  async set(): Promise<void> {
    this.#known = await ask(this.#store);
  }

  /** Asks again and again, until the process ends or `stop` is aborted. */
  keep(stop: AbortSignal, failed: (error: unknown) => void): void {
    const timer = setInterval(() => void this.set().catch(failed), LIMITS.clockSetMs).unref();
    stop.addEventListener("abort", () => clearInterval(timer), { once: true });
  }
}

/** As of the middle of the time that the answer took. */
async function ask(store: Store): Promise<{ readonly store: number; readonly own: number }> {
  const begun = performance.now();
  const now = await store.now();
  return { store: now.getTime(), own: (begun + performance.now()) / 2 };
}

/**
 * Whether `until` is still to come, of what is set for at most `longestMs` from the moment at which it is written down. What is twice as far
 * ahead was written by a clock that has been set back since: to wait for it would be to wait for as long as that clock was wrong.
 */
export function isAhead(until: number, longestMs: number, now: number): boolean {
  const left = until - now;
  return left > 0 && left <= 2 * longestMs;
}
