/**
 * Commits of which nobody knows what became: their connection broke before the answer. The server may still have such a commit
 * before it, unread, and take it after somebody looked and did not find it. So before anything else is asked about its partition, a
 * fence is put up there that says: this writer's eras up to this one are over. What was sent before is of those, and is refused.
 */
export class Doubts {
  readonly #fence: (partition: string, era: number) => Promise<void>;
  /** Partition → the last era that is in doubt. At most what was on its way when a connection broke. */
  readonly #open = new Map<string, number>();
  readonly #fencing = new Map<string, Promise<void>>();
  #era = 1;

  constructor(fence: (partition: string, era: number) => Promise<void>) {
    this.#fence = fence;
  }

  /** What a commit that is sent now says of itself. */
  get era(): number {
    return this.#era;
  }

  add(partition: string): void {
    this.#open.set(partition, this.#era);
    this.#era++;
  }

  /** Resolves when no commit in doubt can be taken any more. Rejects where that cannot be had now: then nothing may be read or written. */
  async settle(partition: string): Promise<void> {
    for (let era = this.#open.get(partition); era !== undefined; era = this.#open.get(partition)) {
      const fencing = this.#fencing.get(partition) ?? this.#start(partition, era);
      await fencing;
    }
  }

  async #start(partition: string, era: number): Promise<void> {
    const fencing = this.#fence(partition, era);
    this.#fencing.set(partition, fencing);
    try {
      await fencing;
      // Unless another commit came into doubt meanwhile.
      if (this.#open.get(partition) === era) this.#open.delete(partition);
    } finally {
      this.#fencing.delete(partition);
    }
  }

  get isEmpty(): boolean {
    return this.#open.size === 0;
  }
}
