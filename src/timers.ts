import { type Expiry, endOf, hasExpiry } from "./expiry.ts";
import { SYSTEM_PARTITION, systemKeys } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import type { Entry, Store } from "./ports.ts";

/** What is due: the project and the thing in it. A hint, not a promise: whoever acts on it looks at the thing itself. */
export interface Due {
  readonly project: string;
  /** `<kind>:<name>`, for example `env:pr-142`. */
  readonly what: string;
}

/** Says when work is to be left for later. */
export type Stop = Pick<AbortSignal, "aborted">;

/**
 * Durable timers in the `_system` partition, ordered by time, so that looking for what is due costs what is due. A timer
 * is set before the commit that needs it: a crash leaves one too many, never one too few.
 */
export class Timers {
  readonly #store: Store;
  #look: () => void = () => {};

  constructor(store: Store) {
    this.#store = store;
  }

  /** Sets the timer of a preview's end, where the request names one that makes sense, and returns when that is. */
  async prepare(project: string, env: string, expiry: Expiry): Promise<string | null> {
    if (!hasExpiry(expiry)) return null;
    const now = (await this.#store.now()).getTime();
    const end = endOf(expiry, now);
    // What makes no sense is refused by the write that follows.
    if (end <= now || end > now + LIMITS.previewTtlMs) return null;
    const at = new Date(end).toISOString();
    await this.set(project, env, at);
    return at;
  }

  /** Sets the timer of an end that was just committed again, where the one that was prepared may have come too early to find it. */
  async confirm(project: string, env: string, prepared: string | null, end: string): Promise<void> {
    if (prepared === null || prepared <= (await this.#store.now()).toISOString()) await this.set(project, env, end);
  }

  /** Sets a timer for an environment. */
  set(project: string, env: string, at: string): Promise<void> {
    return this.setFor({ project, what: `env:${env}` }, at);
  }

  async setFor({ project, what }: Due, at: string): Promise<void> {
    const put = { key: systemKeys.due(at, project, what), value: { project, what } };
    await this.#store.commit(SYSTEM_PARTITION, { checks: [], puts: [put], deletes: [], objects: [], objectDeletes: [] });
  }

  /** Has `look` called where somebody waits to see what is due done. */
  onHurry(look: () => void): void {
    this.#look = look;
  }

  /** Has what is due looked for at once, by this instance; where another is at it, the next look finds what is left. */
  hurry(): void {
    this.#look();
  }

  /** Environments whose time has come and that nobody has acted on yet, as far as one look tells. */
  async dueEnvironments(): Promise<number> {
    const entries = await this.#store.list(SYSTEM_PARTITION, { ...dueAt(await this.#store.now()), limit: LIMITS.pageItems });
    return entries.filter(({ value }) => (value as unknown as Due).what.startsWith("env:")).length;
  }

  /** Whether anything is due. */
  async isDue(): Promise<boolean> {
    return (await this.#store.list(SYSTEM_PARTITION, { ...dueAt(await this.#store.now()), limit: 1 })).length > 0;
  }

  /**
   * Runs `act` for everything that is due and forgets what it did without an error; what fails stays for the next run, and so does
   * what is left when `stop` is aborted. Returns how many were due.
   */
  async run(act: (due: Due) => Promise<void>, failed: (error: unknown) => void, stop: Stop): Promise<number> {
    const due = dueAt(await this.#store.now());
    let after: string | undefined;
    let count = 0;
    while (true) {
      const range = { ...due, limit: LIMITS.dueAtOnce, ...(after !== undefined && { after }) };
      const entries = stop.aborted ? [] : await this.#store.list(SYSTEM_PARTITION, range);
      const done = await Promise.all(
        entries.map(async (entry) => {
          try {
            await act(entry.value as unknown as Due);
            return entry;
          } catch (error) {
            failed(error);
            return null;
          }
        }),
      );
      await this.#forget(done.filter((entry) => entry !== null));
      count += entries.length;
      after = entries.at(-1)?.key;
      if (entries.length < LIMITS.dueAtOnce) return count;
    }
  }

  /**
   * Takes timers away as they were read: one that was set anew meanwhile, for the same time, is another, and stays. Where others were
   * taken away or set meanwhile all of them stay, and are acted on once more.
   */
  async #forget(entries: readonly Entry[]): Promise<void> {
    if (entries.length === 0) return;
    const checks = entries.map(({ key, revision }) => ({ key, revision }));
    const deletes = entries.map(({ key }) => key);
    await this.#store.commit(SYSTEM_PARTITION, { checks, puts: [], deletes, objects: [], objectDeletes: [] });
  }
}

/** All up to this very millisecond: what is set for now, and looked for at once, is found. */
function dueAt(now: Date) {
  return { prefix: systemKeys.duePrefix, before: systemKeys.due(new Date(now.getTime() + 1).toISOString(), "", "") };
}
