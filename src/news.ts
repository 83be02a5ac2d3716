import type { Store, Subscription } from "./ports.ts";

/** Tells those who wait that a project may have changed: they look for themselves. */
export class News {
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #subscription: Subscription;
  #closed = false;

  constructor(store: Store) {
    this.#subscription = store.watch({
      onChange: (partition) => this.#tell(this.#waiting.get(partition)),
      onGap: () => this.#tellAll(),
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Resolves when the project may have changed since this was called, after `ms` milliseconds, when `signal` is aborted, or at once
   * where nothing is to be waited for any more. Ask first and look then: what changes in between is not missed.
   */
  next(project: string, ms: number, signal: AbortSignal): Promise<void> {
    if (this.#closed || signal.aborted || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const waiters = this.#waiting.get(project) ?? new Set();
      this.#waiting.set(project, waiters);
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        waiters.delete(done);
        if (waiters.size === 0 && this.#waiting.get(project) === waiters) this.#waiting.delete(project);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener("abort", done, { once: true });
      waiters.add(done);
    });
  }

  /** Who waits is answered, so that a shutdown need not wait for them. */
  close(): void {
    this.#closed = true;
    this.#subscription.close();
    this.#tellAll();
  }

  #tellAll(): void {
    for (const waiters of [...this.#waiting.values()]) this.#tell(waiters);
  }

  #tell(waiters: ReadonlySet<() => void> | undefined): void {
    for (const done of [...(waiters ?? [])]) done();
  }
}
