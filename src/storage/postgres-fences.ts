import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { Backoff } from "./backoff.ts";
import { NoConnection } from "./postgres-errors.ts";

interface Doubt {
  readonly ticket: string;
  readonly partitions: readonly string[];
  /** The attempt that is under way. */
  settling: Promise<void> | null;
}

/**
 * Groups that were sent and never answered. Such a group may still be under way somewhere between here and the server's disk, and
 * whoever reads back too early would take it for lost. So it is fenced: from then on it has happened or never will. Until that is
 * certain, nothing is read from its partitions.
 */
export class Fences {
  readonly #raise: (ticket: string, partitions: readonly string[]) => Promise<void>;
  readonly #doubts = new Set<Doubt>();

  /** @param raise tells the server; it throws where that cannot be done now */
  constructor(raise: (ticket: string, partitions: readonly string[]) => Promise<void>) {
    this.#raise = raise;
  }

  /** Tries for a while, and remembers the group where that was not long enough. Never throws. */
  async doubt(ticket: string, partitions: readonly string[]): Promise<void> {
    const doubt: Doubt = { ticket, partitions, settling: null };
    this.#doubts.add(doubt);
    const end = performance.now() + LIMITS.storeDoubtMs;
    const backoff = new Backoff();
    while (this.#doubts.has(doubt)) {
      try {
        await this.#settle(doubt);
      } catch {
        if (performance.now() > end) return;
        await backoff.pause();
      }
    }
  }

  /** Settles what is in doubt about these partitions. @throws whatever keeps the server from being asked */
  async settled(partitions: readonly string[]): Promise<void> {
    if (this.#doubts.size === 0) return;
    for (const doubt of [...this.#doubts]) {
      if (doubt.partitions.some((partition) => partitions.includes(partition))) await this.#settle(doubt);
    }
  }

  /** Groups that are in doubt. */
  get size(): number {
    return this.#doubts.size;
  }

  /** Settles all of which that can be done now: what nobody asks about again would stay in doubt for good. Never throws. */
  async settleAll(): Promise<void> {
    for (const doubt of [...this.#doubts]) {
      try {
        await this.#settle(doubt);
      } catch (error) {
        // Nor could the others be asked about now.
        if (error instanceof NoConnection) return;
      }
    }
  }

  /** @throws AppError `store_unavailable` where so much is in doubt that no more may be sent */
  mustHaveRoom(): void {
    if (this.#doubts.size < LIMITS.doubtfulGroups) return;
    throw new AppError("store_unavailable", {
      reason: "The engine's database does not answer.",
      fix: "See that the database server runs.",
    });
  }

  #settle(doubt: Doubt): Promise<void> {
    doubt.settling ??= this.#raise(doubt.ticket, doubt.partitions)
      .then(() => void this.#doubts.delete(doubt))
      .finally(() => {
        doubt.settling = null;
      });
    return doubt.settling;
  }
}
