import { mayDoLittle } from "./callers.ts";
import type { FailedDeployments } from "./failed-deployments.ts";
import type { Garbage } from "./garbage.ts";
import type { GitSources } from "./git-sources.ts";
import { keys, SYSTEM_PARTITION, systemKeys } from "./keys.ts";
import type { Leases } from "./leases.ts";
import { LIMITS } from "./limits.ts";
import type { Caller } from "./model.ts";
import type { PendingPromotions } from "./pending.ts";
import type { Store } from "./ports.ts";
import type { Previews } from "./previews.ts";
import type { Promotion } from "./promotion.ts";
import type { Intent, Secrets } from "./secrets.ts";
import type { Sessions } from "./sessions.ts";
import type { Sinks } from "./sinks.ts";
import type { Due, Stop, Timers } from "./timers.ts";
import type { Tokens } from "./tokens.ts";
import type { WebhookSecrets } from "./webhook-secrets.ts";

/** Who acts where nobody asked: what audit records of the engine's own work name. */
export const ENGINE: Caller = mayDoLittle("engine", "sweep");

interface SweeperParts {
  readonly store: Store;
  readonly leases: Leases;
  readonly secrets: Secrets;
  readonly timers: Timers;
  readonly previews: Previews;
  readonly promotions: Promotion;
  readonly pending: PendingPromotions;
  readonly failedDeployments: FailedDeployments;
  readonly garbage: Garbage;
  readonly tokens: Tokens;
  readonly sessions: Sessions;
  readonly sinks: Sinks;
  readonly webhookSecrets: WebhookSecrets;
  readonly gitSources: GitSources;
  /** Told of a failure: nobody waits for this work. */
  readonly failed: (error: unknown) => void;
}

/**
 * The engine's own work: what is due (previews that end, promotions that expire or may go on), and what crashed writers
 * and old changes left behind. Of several instances one does it at a time; but every step may be repeated, and may run beside any
 * writer and any other instance, since one that stood still may go on after another has taken its place.
 */
export class Sweeper {
  readonly #parts: SweeperParts;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #stopping = new AbortController();

  constructor(parts: SweeperParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#parts.sinks.start();
    // Whoever waits for an answer comes first: this reads something of every project. After a stop it does nothing.
    setTimeout(() => this.#parts.sinks.lookThrough(), LIMITS.firstLookMs).unref();
    this.#parts.timers.onHurry(this.#every(LIMITS.dueEveryMs, () => this.#runDueAlone()));
    this.#every(LIMITS.useNotedMs, () => this.#parts.tokens.noteUse());
    this.#every(LIMITS.sweepSeconds * 1_000, () => this.#sweepAlone());
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#stopping.abort();
    await Promise.all([this.#parts.sinks.stop(), this.#parts.gitSources.stop()]);
    await Promise.all(this.#running);
    await this.#parts.tokens.noteUse().catch(this.#parts.failed);
  }

  /** Acts on what is due and returns how much that was. */
  runDue(stop: Stop = this.#stopping.signal): Promise<number> {
    return this.#parts.timers.run((due) => this.#act(due), this.#parts.failed, stop);
  }

  /** Goes over all projects once and returns how many unfinished intents it took away. */
  async sweep(stop: Stop = this.#stopping.signal): Promise<number> {
    const before = new Date((await this.#parts.store.now()).getTime() - LIMITS.intentAgeMs).toISOString();
    let swept = 0;
    await this.#parts.sessions.tidy().catch(this.#parts.failed);
    for await (const project of this.#projects()) {
      if (stop.aborted) break;
      swept += (await this.#tried(() => this.#sweepIntents(project, before))) ?? 0;
      await this.#tried(() => this.#parts.sinks.visit(project));
      await this.#tried(() => this.#parts.garbage.collect(project));
    }
    return swept;
  }

  /** What fails in one project keeps neither the others waiting nor what else is to be done there. `null` where it failed. */
  async #tried<Result>(work: () => Promise<Result>): Promise<Result | null> {
    try {
      return await work();
    } catch (error) {
      this.#parts.failed(error);
      return null;
    }
  }

  async #runDueAlone(): Promise<void> {
    if (!(await this.#parts.timers.isDue())) return;
    await this.#parts.leases.alone("due", {}, (lost) => this.runDue(this.#until(lost)));
  }

  async #sweepAlone(): Promise<void> {
    // Somewhat less than the time between two looks, so that none is left out for having come a moment too early.
    const everyMs = LIMITS.sweepSeconds * 900;
    await this.#parts.leases.alone("sweep", { everyMs }, async (lost) => {
      const stop = this.#until(lost);
      await this.sweep(stop);
      // What was cut short by a shutdown another instance does over, at once.
      return !stop.aborted;
    });
  }

  /** Not as a signal made of both: each would leave a trace in the one that lives as long as the engine. */
  #until(lost: AbortSignal): Stop {
    const stopping = this.#stopping.signal;
    return {
      get aborted() {
        return lost.aborted || stopping.aborted;
      },
    };
  }

  #act({ project, what }: Due): Promise<void> {
    const colon = what.indexOf(":");
    const name = what.slice(colon + 1);
    switch (what.slice(0, colon)) {
      case "env":
        return this.#parts.previews.expire(ENGINE, project, name);
      case "promotion":
        return this.#parts.pending.settle(ENGINE, project, name);
      case "auto":
        return this.#parts.promotions.promoteAutomatically(project, name);
      case "rollback":
        return this.#parts.failedDeployments.takeBack(project, name);
      case "sink":
        return this.#parts.sinks.due(project, name);
      case "webhook":
        return this.#parts.webhookSecrets.settle(project, name);
      case "git":
        return this.#parts.gitSources.settle(project, name);
      default:
        throw new Error(`nobody knows what to do about ${what}`);
    }
  }

  async #sweepIntents(project: string, before: string): Promise<number> {
    const entries = await this.#parts.store.list(project, { prefix: keys.intentPrefix, limit: LIMITS.pageItems });
    const intents = entries.map(({ key, value }) => ({ id: key.slice(keys.intentPrefix.length), intent: value as unknown as Intent }));
    return this.#parts.secrets.sweep(ENGINE, project, intents, before);
  }

  /**
   * One run of each kind at a time: where it takes longer, the next is left out.
   * @returns what begins a run at once or, where one goes on that may have looked already, as soon as that has ended
   */
  #every(ms: number, run: () => Promise<unknown>): () => void {
    let isRunning = false;
    let isAskedFor = false;
    const begin = () => {
      if (isRunning || this.#stopping.signal.aborted) return;
      isRunning = true;
      isAskedFor = false;
      const begun = this.#run(run).finally(() => {
        isRunning = false;
        this.#running.delete(begun);
        if (isAskedFor) begin();
      });
      this.#running.add(begun);
    };
    this.#timers.push(setInterval(begin, ms).unref());
    return () => {
      isAskedFor = true;
      begin();
    };
  }

  async #run(run: () => Promise<unknown>): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.#parts.failed(error);
    }
  }

  async *#projects(): AsyncGenerator<string> {
    const prefix = systemKeys.projectPrefix;
    let after: string = prefix;
    while (true) {
      const hints = await this.#parts.store.list(SYSTEM_PARTITION, { prefix, after, limit: LIMITS.pageItems });
      for (const { key } of hints) yield key.slice(prefix.length);
      const last = hints.at(-1);
      if (last === undefined || hints.length < LIMITS.pageItems) return;
      after = last.key;
    }
  }
}
