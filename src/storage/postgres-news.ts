import { FifoMap } from "../fifo-map.ts";
import { LIMITS } from "../limits.ts";
import type { Subscription, WatchHandlers } from "../ports.ts";
import { Watchers } from "./watchers.ts";

/**
 * What this engine's subscribers were told. A revision is told once, whether this engine made it, another engine told of it, or
 * a poll found it: an engine that died after its commit told nobody.
 */
export class PostgresNews {
  readonly #watchers = new Watchers();
  /** The newest revision told of each partition that this engine has to do with; 0 where none was told yet. */
  readonly #told = new FifoMap<string, number>();

  subscribe(handlers: WatchHandlers): Subscription {
    return this.#watchers.subscribe(handlers);
  }

  /** From now on a poll looks after this partition too. */
  care(partition: string): void {
    if (!this.#told.has(partition)) this.#remember(partition, 0);
  }

  /** The partitions that a poll asks for. */
  cared(): readonly string[] {
    return [...this.#told.keys()];
  }

  /** Answers whether any of it is news. */
  announce(revisions: ReadonlyMap<string, number>): boolean {
    const news = new Map<string, number>();
    for (const [partition, revision] of revisions) {
      if (revision <= (this.#told.get(partition) ?? 0)) continue;
      this.#remember(partition, revision);
      news.set(partition, revision);
    }
    this.#watchers.announce(news);
    return news.size > 0;
  }

  /** What was told is no bound any more: the server may have come back with less. */
  gap(): void {
    for (const partition of this.cared()) this.#told.set(partition, 0);
    this.#watchers.gap();
  }

  clear(): void {
    this.#watchers.clear();
  }

  #remember(partition: string, revision: number): void {
    this.#told.set(partition, revision);
    const oldest = this.#told.oldest();
    if (oldest !== undefined && this.#told.size > LIMITS.cachedPartitions) this.#told.delete(oldest[0]);
  }
}
