import { LIMITS } from "./limits.ts";
import type { Store } from "./ports.ts";

/** What is known of a project that other instances write too. */
interface Rivalry {
  /** Until when it counts as one, by `performance.now()`. */
  until: number;
  /** The newest commit of this instance after which it is another's turn, and until when that one has it. */
  given: { readonly revision: number; readonly until: number } | null;
  wake: (() => void) | null;
}

/**
 * Instances that write the same project at the same time make one another's work void: who is faster wins, and who lost begins anew.
 * So whoever has won lets another go first: until that one's commit is heard of, or as long as a commit takes. What matters is who
 * goes first, not whether anybody may: the commit's checks keep the order, whatever becomes of the turns.
 *
 * It begins with the first race that is lost, so that where no other instance writes nobody waits.
 */
export class WriteTurns {
  readonly #rivalries = new Map<string, Rivalry>();

  constructor(store: Store) {
    store.watch({
      onChange: (project, revision) => this.#heard(project, revision),
      onGap: () => {}, // Who waits for a commit that nobody tells of goes on by itself.
    });
  }

  /** Resolves when this instance should begin its next commit. */
  async next(project: string): Promise<void> {
    const rivalry = this.#rivalries.get(project);
    const given = rivalry?.given;
    if (rivalry === undefined || !given) return;
    await new Promise<void>((resolve) => {
      // Whoever does not take the turn has nothing to write, or is gone: from now on nobody waits for it.
      const timer = setTimeout(() => {
        this.#rivalries.delete(project);
        resolve();
      }, given.until - performance.now());
      rivalry.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    rivalry.wake = null;
  }

  /** A commit was made that took so many milliseconds from the first read on. */
  won(project: string, revision: number, tookMs: number): void {
    const rivalry = this.#rivalries.get(project);
    if (rivalry === undefined) return;
    const now = performance.now();
    if (rivalry.until < now) this.#rivalries.delete(project);
    else rivalry.given = { revision, until: now + Math.min(LIMITS.writeTurnCommits * tookMs, LIMITS.writeTurnMs) };
  }

  /** Another instance was faster. */
  lost(project: string): void {
    const until = performance.now() + LIMITS.rivalryMs;
    const known = this.#rivalries.get(project);
    if (known !== undefined) known.until = until;
    else if (this.#rivalries.size < LIMITS.rivalries) this.#rivalries.set(project, { until, given: null, wake: null });
  }

  /** Of an own commit too, which is none of the other's. */
  #heard(project: string, revision: number): void {
    const rivalry = this.#rivalries.get(project);
    if (rivalry?.given == null || revision <= rivalry.given.revision) return;
    rivalry.until = performance.now() + LIMITS.rivalryMs;
    rivalry.given = null;
    rivalry.wake?.();
  }
}
