import type { AppError } from "../errors.ts";

/**
 * The end of one request that does not end by itself: its time is up, its caller gives up, or its target is closed. The first
 * to come is the reason. `AbortSignal.any` and `.timeout` would do the same, but leave a trace in a signal that lives long.
 */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #caller: AbortSignal | undefined;
  readonly #givesUp: () => void;

  constructor(timeoutMs: number, late: () => AppError, caller: AbortSignal | undefined, givenUp: (reason: unknown) => AppError) {
    this.#timer = setTimeout(() => this.end(late()), timeoutMs);
    this.#caller = caller;
    this.#givesUp = () => this.end(givenUp(caller?.reason));
    if (caller?.aborted) this.#givesUp();
    else caller?.addEventListener("abort", this.#givesUp, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  end(reason: AppError): void {
    this.#controller.abort(reason);
  }

  /** `work`, or the reason as soon as there is one: `work` itself may notice only later. */
  race<Result>(work: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      const stop = () => reject(this.signal.reason);
      if (this.signal.aborted) stop();
      else this.signal.addEventListener("abort", stop, { once: true });
      work.then(resolve, reject);
    });
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#caller?.removeEventListener("abort", this.#givesUp);
  }
}
