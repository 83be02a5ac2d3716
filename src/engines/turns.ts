/** Lets `size` be at work at a time. The others wait in the order in which they came, and leave when their signal says so. */
export class Turns {
  #free: number;
  readonly #limit: number;
  readonly #full: () => Error;
  readonly #waiting = new Set<() => void>();

  /** At most `limit` wait; whoever comes then is refused with `full()`. */
  constructor(size: number, limit: number, full: () => Error) {
    this.#free = size;
    this.#limit = limit;
    this.#full = full;
  }

  /** To be given back with `give`. @throws the signal's reason, or `full()`: then there is nothing to give back */
  async take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#free > 0) this.#free--;
    else if (this.#waiting.size >= this.#limit) throw this.#full();
    else await this.#wait(signal);
  }

  give(): void {
    const [next] = this.#waiting;
    if (next === undefined) this.#free++;
    else next();
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const come = () => {
        this.#waiting.delete(come);
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const leave = () => {
        this.#waiting.delete(come);
        reject(signal.reason);
      };
      this.#waiting.add(come);
      signal.addEventListener("abort", leave, { once: true });
    });
  }
}
