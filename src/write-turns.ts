import { LIMITS } from "./limits.ts";
import type { Store } from "./ports.ts";

/** What is known of a project that other instances write too. */
interface Rivalry {
  /** Until when it counts as one, by `performance.now()`. */
  until: number;
  /** How many commits of others go before the next of its own: as many as there are others, as far as is known. At least 1. */
  others: number;
  /** Whether a race was lost since its last commit, and how many commits in a row it made without. */
  hasLost: boolean;
  unraced: number;
  /** After a commit of its own: up to which revision others go first, until when the next of them has time, and what its own took. */
  given: { readonly upTo: number; until: number; readonly tookMs: number } | null;
  wake: (() => void) | null;
}

/**
 * Instances that write the same project at the same time make one another's work void: who is faster wins, and who lost begins anew.
 * So whoever has won lets the others go first: until a commit of each is heard of, or as long as commits take. What matters is who goes first,
 * not whether anybody may: the commit's checks keep the order, whatever becomes of the turns.
 *
 * How many others there are nobody says: who waited and lost a race all the same takes it that there is one more; who waited in vain, or met nobody
 * for a long time, that there is one less. Where several wait and nobody comes, whose turn is next gives up first, so that they do not all go at once.
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
    while (rivalry?.given) {
      if (await heardBefore(rivalry, rivalry.given.until)) continue;
      // Whoever does not take the turn has nothing to write, or is gone.
      rivalry.given = null;
      rivalry.others--;
      if (rivalry.others === 0) this.#rivalries.delete(project);
    }
  }

  /** A commit was made that took so many milliseconds from the first read on. */
  won(project: string, revision: number, tookMs: number): void {
    const rivalry = this.#rivalries.get(project);
    if (rivalry === undefined) return;
    const now = performance.now();
    if (rivalry.until < now) {
      this.#rivalries.delete(project);
      return;
    }
    rivalry.unraced = rivalry.hasLost ? 0 : rivalry.unraced + 1;
    rivalry.hasLost = false;
    if (rivalry.unraced >= LIMITS.writeTurnProbe && rivalry.others > 1) {
      rivalry.unraced = 0;
      rivalry.others--;
    }
    rivalry.given = { upTo: revision + rivalry.others, until: now + patience(rivalry.others, tookMs), tookMs };
  }

  /** Another instance was faster. */
  lost(project: string): void {
    const until = performance.now() + LIMITS.rivalryMs;
    const rivalry = this.#rivalries.get(project);
    if (rivalry !== undefined) {
      rivalry.until = until;
      if (!rivalry.hasLost) rivalry.others++;
      rivalry.hasLost = true;
    } else if (this.#rivalries.size < LIMITS.rivalries) {
      this.#rivalries.set(project, { until, others: 1, hasLost: true, unraced: 0, given: null, wake: null });
    }
  }

  /** Of an own commit too, which is none of the others'. */
  #heard(project: string, revision: number): void {
    const rivalry = this.#rivalries.get(project);
    if (!rivalry?.given) return;
    const { given, others } = rivalry;
    const left = given.upTo - revision;
    if (left >= others) return;
    const now = performance.now();
    rivalry.until = now + LIMITS.rivalryMs;
    if (left <= 0) rivalry.given = null;
    else given.until = now + patience(left, given.tookMs);
    rivalry.wake?.();
  }
}

/** Milliseconds in which one of so many others has made a commit, where each takes about as long as this instance. */
function patience(left: number, tookMs: number): number {
  return Math.min((LIMITS.writeTurnCommits + left - 1) * tookMs, LIMITS.writeTurnMs);
}

/** Whether a commit of another is heard of by then. */
async function heardBefore(rivalry: Rivalry, until: number): Promise<boolean> {
  const heard = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), until - performance.now());
    rivalry.wake = () => {
      clearTimeout(timer);
      resolve(true);
    };
  });
  rivalry.wake = null;
  return heard;
}
