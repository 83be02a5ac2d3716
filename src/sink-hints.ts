import { LIMITS } from "./limits.ts";
import type { Timers } from "./timers.ts";

/**
 * Timers for what sinks have yet to be sent: set before a sender begins, and before it leaves something for later, so that
 * whoever comes after a crash need not look through all projects. One that is set already costs nothing.
 */
export class SinkHints {
  readonly #timers: Timers;
  /** The newest timer of each project and sink. */
  readonly #set = new Map<string, string>();

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** When a sender that begins now, and is not heard of again, is to be looked after: seldom a new time, so that few timers do. */
  afterLease(now: Date): string {
    const ms = LIMITS.sinkLeaseMs;
    return new Date((Math.ceil(now.getTime() / ms) + 1) * ms).toISOString();
  }

  async set(project: string, name: string, at: string): Promise<void> {
    const key = `${project}/${name}`;
    if (this.#set.get(key) === at) return;
    await this.#timers.setFor({ project, what: `sink:${name}` }, at);
    if (this.#set.size >= LIMITS.sinkQueue) this.#set.clear();
    this.#set.set(key, at);
  }
}
