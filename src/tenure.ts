import { sinkKeys, sinkPartition } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import type { Json, Put, Store } from "./ports.ts";
import { cut, type SinkState } from "./sink-state.ts";

interface TenureFacts {
  readonly project: string;
  readonly name: string;
  readonly owner: string;
  /** The store's time as it begins. */
  readonly now: Date;
  /** Of the sink's document as it was read; `null` where there was none. */
  readonly revision: number | null;
}

/** The time for which one sender has a project and sink to itself: from the first commit that succeeds to the first that does not. */
export class Tenure {
  readonly project: string;
  readonly #store: Store;
  readonly #facts: TenureFacts;
  readonly #begun = performance.now();
  #renewed = 0;
  #revision: number | null;

  constructor(store: Store, facts: TenureFacts) {
    this.project = facts.project;
    this.#store = store;
    this.#facts = facts;
    this.#revision = facts.revision;
  }

  elapsedMs(): number {
    return performance.now() - this.#begun;
  }

  /** The store's time, by what has passed since it was asked. */
  now(): Date {
    return new Date(this.#facts.now.getTime() + this.elapsedMs());
  }

  isHalfOver(): boolean {
    return this.elapsedMs() - this.#renewed > LIMITS.sinkLeaseMs / 2;
  }

  /** Whether the lease has run out by this process's own time: who was stopped for a while finds out. */
  isOver(): boolean {
    return this.elapsedMs() - this.#renewed > LIMITS.sinkLeaseMs;
  }

  /** Writes down how far it has come, and has the lease from now on. `false` where somebody else has it: then nothing was written. */
  save(state: SinkState, notes: readonly Put[] = []): Promise<boolean> {
    const until = new Date(this.now().getTime() + LIMITS.sinkLeaseMs).toISOString();
    return this.#commit({ ...state, lease: { owner: this.#facts.owner, until } }, notes);
  }

  /** The same, and gives the lease up. */
  release(state: SinkState, notes: readonly Put[]): Promise<boolean> {
    return this.#commit({ ...state, lease: null }, notes);
  }

  /** Does something that may take longer than a lease lasts: it is renewed meanwhile, with the state as it was before. */
  async holding<Result>(state: SinkState, work: () => Promise<Result>): Promise<Result> {
    let renewed: Promise<unknown> = Promise.resolve();
    const renew = () => {
      // Where that fails the next commit does too, and says so to whoever has to know.
      renewed = renewed.then(() => this.save(state)).catch(() => {});
    };
    const timer = setInterval(renew, LIMITS.sinkLeaseMs / 3).unref();
    try {
      return await work();
    } finally {
      clearInterval(timer);
      await renewed;
    }
  }

  async #commit(state: SinkState, notes: readonly Put[]): Promise<boolean> {
    const elapsed = this.elapsedMs();
    const key = sinkKeys.state(this.#facts.name);
    const { last_error } = state;
    const value = { ...state, last_error: last_error && { ...last_error, reason: cut(last_error.reason) } } as unknown as Json;
    const result = await this.#store.commit(sinkPartition(this.project), {
      checks: [{ key, revision: this.#revision }],
      puts: [{ key, value }, ...notes],
      deletes: [],
      objects: [],
      objectDeletes: [],
    });
    if (!result.ok) return false;
    this.#revision = result.revision;
    this.#renewed = elapsed;
    return true;
  }
}
