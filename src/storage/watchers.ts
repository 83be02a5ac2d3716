import type { Subscription, WatchHandlers } from "../ports.ts";

/** The subscribers of one store inside this process. */
export class Watchers {
  readonly #subscribers = new Set<WatchHandlers>();

  subscribe(handlers: WatchHandlers): Subscription {
    // An object of its own, so that the same handlers may subscribe twice and leave one by one.
    const subscriber: WatchHandlers = {
      onChange: (partition, revision) => handlers.onChange(partition, revision),
      onGap: () => handlers.onGap(),
    };
    this.#subscribers.add(subscriber);
    return { close: () => void this.#subscribers.delete(subscriber) };
  }

  /** Tells everyone of the newest revision of each partition. Call it once these are durable, before the writers are answered. */
  announce(revisions: ReadonlyMap<string, number>): void {
    for (const [partition, revision] of revisions) this.#each((subscriber) => subscriber.onChange(partition, revision));
  }

  /** Tells everyone that changes may have been missed. */
  gap(): void {
    this.#each((subscriber) => subscriber.onGap());
  }

  clear(): void {
    this.#subscribers.clear();
  }

  #each(tell: (subscriber: WatchHandlers) => void): void {
    for (const subscriber of [...this.#subscribers]) {
      if (!this.#subscribers.has(subscriber)) continue;
      try {
        tell(subscriber);
      } catch (error) {
        // The commit is durable and other subscribers wait: one subscriber's fault is reported, not passed on.
        process.emitWarning(`A store watcher threw: ${error instanceof Error ? error.stack : String(error)}`, "StoreWatcherWarning");
      }
    }
  }
}
