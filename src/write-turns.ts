import { LIMITS } from "./limits.ts";
import type { Store } from "./ports.ts";

interface Held {
  /** Until when further commits go with it, by `performance.now()`. */
  readonly until: number;
  readonly end: () => void;
}

/**
 * Instances that write the same project at the same time make one another's work void: who is faster wins, who lost begins anew, and whoever is
 * always slower never gets through. So once a race is lost they take turns, which the store gives in the order in which they ask. The commit's checks
 * keep the order, whatever becomes of the turns.
 *
 * Where no other instance writes nobody asks, and nobody waits. A turn is as long as a few commits, since the first of them has to read what others
 * wrote meanwhile.
 */
export class WriteTurns {
  readonly #store: Pick<Store, "turn">;
  /** By project that other instances write too, until when that counts, by `performance.now()`. */
  readonly #rivalries = new Map<string, number>();
  readonly #held = new Map<string, Held>();

  /** @param store which gives turns */
  constructor(store: Pick<Store, "turn">) {
    this.#store = store;
  }

  /** Resolves when this instance should begin its next commit. */
  async next(project: string): Promise<void> {
    const held = this.#held.get(project);
    if (held !== undefined && performance.now() < held.until) return;
    this.end(project);
    const until = this.#rivalries.get(project);
    if (until === undefined) return;
    if (until < performance.now()) {
      this.#rivalries.delete(project);
      return;
    }
    try {
      const turn = await this.#store.turn?.(project);
      if (turn === undefined) return;
      if (turn.waited) this.lost(project);
      this.#held.set(project, { until: performance.now() + LIMITS.writeTurnMs, end: turn.end });
    } catch {
      // Who gets no turn goes without.
    }
  }

  /** Whether it is this instance's turn, and of others the next. */
  has(project: string): boolean {
    return this.#held.has(project);
  }

  /** Nothing is left to be written: the next instance has its turn. */
  end(project: string): void {
    this.#held.get(project)?.end();
    this.#held.delete(project);
  }

  /** Another instance was faster, or had its turn first. */
  lost(project: string): void {
    if (this.#rivalries.size >= LIMITS.rivalries && !this.#rivalries.has(project)) return;
    this.#rivalries.set(project, performance.now() + LIMITS.rivalryMs);
  }
}
