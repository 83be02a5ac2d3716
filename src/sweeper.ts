import { mayDoLittle } from "./callers.ts";
import { keys, SYSTEM_PARTITION, systemKeys } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import type { Caller } from "./model.ts";
import type { Store } from "./ports.ts";
import type { Intent, Secrets } from "./secrets.ts";

/** Who acts where nobody asked: what audit records of the engine's own work name. */
export const ENGINE: Caller = mayDoLittle("engine", "sweep");

/** Takes away what crashed writers left behind. Every step may be repeated, and may run beside any writer. */
export class Sweeper {
  readonly #store: Store;
  readonly #secrets: Secrets;
  readonly #failed: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(store: Store, secrets: Secrets, failed: (error: unknown) => void) {
    this.#store = store;
    this.#secrets = secrets;
    this.#failed = failed;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#running = this.#running.then(async () => void (await this.sweep())).catch(this.#failed);
    }, LIMITS.sweepSeconds * 1_000);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  /** Goes over all projects once and returns how many unfinished intents it took away. */
  async sweep(): Promise<number> {
    const before = new Date((await this.#store.now()).getTime() - LIMITS.intentAgeMs).toISOString();
    let swept = 0;
    for await (const project of this.#projects()) {
      // What fails in one project must not keep the others waiting.
      swept += await this.#sweepProject(project, before).catch((error: unknown) => {
        this.#failed(error);
        return 0;
      });
    }
    return swept;
  }

  async #sweepProject(project: string, before: string): Promise<number> {
    const entries = await this.#store.list(project, { prefix: keys.intentPrefix, limit: LIMITS.pageItems });
    const intents = entries.map(({ key, value }) => ({ id: key.slice(keys.intentPrefix.length), intent: value as unknown as Intent }));
    return this.#secrets.sweep(ENGINE, project, intents, before);
  }

  async *#projects(): AsyncGenerator<string> {
    const prefix = systemKeys.projectPrefix;
    let after: string = prefix;
    while (true) {
      const hints = await this.#store.list(SYSTEM_PARTITION, { prefix, after, limit: LIMITS.pageItems });
      for (const { key } of hints) yield key.slice(prefix.length);
      const last = hints.at(-1);
      if (last === undefined || hints.length < LIMITS.pageItems) return;
      after = last.key;
    }
  }
}
