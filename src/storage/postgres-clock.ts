/** Milliseconds by which two machines' clocks may part in one second: far more than they do. */
const DRIFT_PER_MS = 0.000_2;
/** Milliseconds for which it stands still where the database's clock is set back: what goes by it would wait for as long. */
const STANDS_MS = 5 * 60_000;

/**
 * The database's clock, told without asking it each time: its distance from this process' own steady clock is measured now and then.
 * A measurement is as good as its round trip was short. Where the database's clock is set back it waits until that has come up with it, or goes
 * back with it, where that would take too long; otherwise it never runs backwards.
 */
export class PostgresClock {
  /** What to add to `performance.now()`. */
  #offset = 0;
  /** Milliseconds by which `#offset` may be wrong, when it was measured. */
  #error = Number.POSITIVE_INFINITY;
  #measuredAt = 0;
  #last = 0;

  /** Whether it knows what time it is. */
  get isSet(): boolean {
    return this.#error < Number.POSITIVE_INFINITY;
  }

  /** Asks once. `ask` answers the database's clock in milliseconds since 1970, or `null` where it cannot be asked now. */
  async measure(ask: () => Promise<number | null>): Promise<void> {
    const sent = performance.now();
    const told = await ask();
    const received = performance.now();
    if (told === null) return;
    const error = (received - sent) / 2;
    const offset = told + error - received;
    const known = this.#error + (received - this.#measuredAt) * DRIFT_PER_MS;
    // Kept where it is the better one, or where both cannot be true: the database's clock was set.
    if (error > known && Math.abs(offset - this.#offset) <= error + known) return;
    this.#offset = offset;
    this.#error = error;
    this.#measuredAt = received;
    if (received + offset < this.#last - STANDS_MS) this.#last = 0;
  }

  /** Milliseconds since 1970. */
  now(): number {
    this.#last = Math.max(this.#last, Math.round(performance.now() + this.#offset));
    return this.#last;
  }
}
