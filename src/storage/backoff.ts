import { LIMITS } from "../limits.ts";

/** Waits between attempts: longer each time up to a bound, with jitter, so that many that lost one server do not come back as one. */
export class Backoff {
  #nextMs: number = LIMITS.storeRetryMs;

  /** Milliseconds to wait before the next attempt. */
  next(): number {
    const ms = this.#nextMs;
    this.#nextMs = Math.min(ms * 2, LIMITS.storeRetryMaxMs);
    return ms / 2 + (Math.random() * ms) / 2;
  }

  pause(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, this.next()));
  }

  reset(): void {
    this.#nextMs = LIMITS.storeRetryMs;
  }
}
