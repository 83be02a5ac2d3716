import type { Alerts } from "./alerts.ts";
import { documentsOf } from "./heads.ts";
import { keys, SYSTEM_PARTITION, sinkKeys, sinkPartition, systemKeys } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import { MIRROR } from "./mirror-outlet.ts";
import type { Mirrors } from "./mirrors.ts";
import type { AuditRecord } from "./model.ts";
import { checkProject } from "./names.ts";
import { type Outlet, SinkOutlet } from "./outlets.ts";
import type { Sink, Store, Subscription } from "./ports.ts";
import { documentPages, turn } from "./scan.ts";
import { Sender } from "./sender.ts";
import { SinkHints } from "./sink-hints.ts";
import { newState, type SinkState } from "./sink-state.ts";
import type { Timers } from "./timers.ts";
import { type Project, projectNotFound } from "./transaction.ts";
import type { WebhookDocument } from "./webhook-documents.ts";
import type { WebhookOutlets } from "./webhook-outlets.ts";
import { WorkQueue } from "./work-queue.ts";

interface SinksParts {
  readonly store: Store;
  readonly timers: Timers;
  readonly sinks: readonly Sink[];
  readonly webhooks: WebhookOutlets;
  readonly mirrors: Mirrors;
  readonly alerts: Alerts;
  /** Names this engine in leases. Of one that has its store to itself the same after each start, so that it need not wait for its own. */
  readonly instance: string;
  readonly failed: (error: unknown) => void;
}

/** How far a sink has come with a project. */
export interface SinkView extends Omit<SinkState, "lease" | "failing_since"> {
  readonly name: string;
  readonly kind: string;
  readonly state: "ok" | "waiting" | "failing" | "inactive";
  /** The number of the project's newest record. */
  readonly head: number;
  readonly backlog: number;
  /** When the oldest of what it has not had was recorded; `null` where it has everything. */
  readonly backlog_since: string | null;
}

/** Records that are left to be sent, and how long the oldest of them has been there, in milliseconds; 0 where there is none. */
interface Backlog {
  readonly records: number;
  readonly ageMs: number;
}

const NOTHING_LEFT: Backlog = { records: 0, ageMs: 0 };
const WEBHOOK = "webhook";

/**
 * Sends the audit log to where people and other engines hear of it: the log is the outbox. A commit wakes the senders of its
 * project, in this process at once; timers bring back what was left for later; a sweep finds what a crash made everybody
 * forget. Writers wait for none of it.
 */
export class Sinks {
  readonly #parts: SinksParts;
  readonly #sender: Sender;
  readonly #hints: SinkHints;
  /** Projects that changed. */
  readonly #changed: WorkQueue;
  /** `<project>/<sink>`, by kind of sink, so that receivers that are slow hold up their like alone. */
  readonly #turns: ReadonlyMap<string, WorkQueue>;
  /** One for each turn under way: a single signal would gather a listener of every delivery. */
  readonly #underWay = new Set<AbortController>();
  #stopped = false;
  #subscription: Subscription | null = null;
  /** The sweep that is under way, and whether another has to follow. */
  #sweeping: Promise<void> | null = null;
  #missed = false;

  constructor(parts: SinksParts) {
    this.#parts = parts;
    this.#hints = new SinkHints(parts.timers);
    this.#sender = new Sender(parts.store, this.#hints, parts.failed, parts.instance);
    this.#changed = this.#queue((project) => this.#wake(project));
    const kinds = [...parts.sinks.map(({ name }) => name), WEBHOOK, MIRROR];
    this.#turns = new Map(kinds.map((kind) => [kind, this.#queue((key) => this.#turn(key))]));
  }

  /** Begins to send what is committed from now on. */
  start(): void {
    this.#subscription = this.#parts.store.watch({
      onChange: (partition) => {
        if (!partition.startsWith("_")) this.#changed.add(partition);
      },
      onGap: () => this.lookThrough(),
    });
  }

  /** Looks through all projects, for what was committed just before a crash. One at a time; what is missed meanwhile makes another follow. */
  lookThrough(): void {
    if (this.#stopped) return;
    this.#missed = true;
    this.#sweeping ??= this.#sweep().finally(() => {
      this.#sweeping = null;
    });
  }

  /** Ends what is under way; each project goes on where it was, here or elsewhere. */
  async stop(): Promise<void> {
    this.#subscription?.close();
    this.#stopped = true;
    for (const turn of this.#underWay) turn.abort();
    await Promise.all([this.#changed, ...this.#turns.values()].map((queue) => queue.stop()));
    await this.#sweeping;
  }

  /** Resolves when nothing is under way any more: what is left waits for its time. */
  async idle(): Promise<void> {
    do {
      await this.#sweeping;
      await this.#changed.idle();
      for (const queue of this.#turns.values()) await queue.idle();
    } while (this.#sweeping !== null);
  }

  /** A timer has come: whoever was to send may be gone. */
  async due(project: string, name: string): Promise<void> {
    await this.#look(project, name);
  }

  /** Looks whether a project has what was not sent, without having been told. */
  async visit(project: string): Promise<void> {
    if (this.#stopped) return;
    for (const name of await this.#names(project)) await this.#look(project, name);
  }

  /** Where a project's records go, how far each has come, and what is in the way. */
  async overview(project: string): Promise<readonly SinkView[]> {
    checkProject(project);
    // The cursors after the head, so that none is ahead of it.
    const found = await documentsOf(this.#parts.store, project).getAll<Project>([keys.project]);
    const head = found[0]?.audit.seq;
    if (head === undefined) throw projectNotFound(project);
    const [webhooks, mirror] = await Promise.all([this.#parts.webhooks.all(project), this.#parts.mirrors.find(project)]);
    const ids = [...webhooks.map(({ id }) => id), ...(mirror === null ? [] : [MIRROR])];
    const names = [...this.#parts.sinks.map(({ name }) => name), ...ids];
    const states = await documentsOf(this.#parts.store, sinkPartition(project)).getAll<SinkState>(names.map(sinkKeys.state));
    const views = names.map((name, index) => {
      const webhook = webhooks.find(({ id }) => id === name);
      const from = webhook?.from ?? (name === MIRROR ? mirror?.from : 0) ?? 0;
      return viewOf(name, states[index] ?? newState(from), head, webhook);
    });
    const behind = [...new Set(views.flatMap(({ backlog, cursor }) => (backlog > 0 ? [cursor + 1] : [])))];
    if (behind.length === 0) return views;
    const oldest = await documentsOf(this.#parts.store, project).getAll<AuditRecord>(behind.map(keys.audit));
    return views.map((view) => ({ ...view, backlog_since: oldest[behind.indexOf(view.cursor + 1)]?.at ?? null }));
  }

  /** What is left to be sent, by kind of sink, of the first projects by name. */
  async backlog(): Promise<Readonly<Record<string, Backlog>>> {
    const left: Record<string, Backlog> = Object.fromEntries([...this.#turns.keys()].map((kind) => [kind, NOTHING_LEFT]));
    const prefix = systemKeys.projectPrefix;
    const now = await this.#parts.store.now();
    for (const { key } of await this.#parts.store.list(SYSTEM_PARTITION, { prefix, limit: LIMITS.pageItems })) {
      const project = key.slice(prefix.length);
      // A hint is written before its project, which may never have come.
      const views = await this.overview(project).catch(() => []);
      for (const { kind, backlog, backlog_since } of views.filter(({ state, backlog }) => state !== "inactive" && backlog > 0)) {
        const { records, ageMs } = left[kind] ?? NOTHING_LEFT;
        // A clock that was set back makes no record younger than none.
        const age = now.getTime() - Date.parse(backlog_since ?? now.toISOString());
        left[kind] = { records: records + backlog, ageMs: Math.max(ageMs, age) };
      }
      await turn();
    }
    return left;
  }

  async #wake(project: string): Promise<boolean> {
    for (const name of await this.#names(project)) this.#queueOf(name)?.add(`${project}/${name}`);
    return false;
  }

  async #names(project: string): Promise<readonly string[]> {
    const [webhooks, hasMirror] = await Promise.all([this.#parts.webhooks.ids(project), this.#parts.mirrors.has(project)]);
    return [...this.#parts.sinks.map(({ name }) => name), ...webhooks, ...(hasMirror ? [MIRROR] : [])];
  }

  async #look(project: string, name: string): Promise<void> {
    const outlet = await this.#outlet(project, name);
    if (outlet === null) return;
    try {
      if (!(await this.#sender.hasWork(project, outlet))) return;
      // Whoever was told of it may be gone before it begins.
      await this.#hints.set(project, name, this.#hints.afterLease(await this.#parts.store.now()));
    } finally {
      await outlet.close();
    }
    const queue = this.#queueOf(name);
    await queue?.room();
    queue?.add(`${project}/${name}`);
  }

  async #turn(key: string): Promise<boolean> {
    const slash = key.indexOf("/");
    const project = key.slice(0, slash);
    const outlet = await this.#outlet(project, key.slice(slash + 1));
    if (outlet === null) return false;
    const underWay = new AbortController();
    this.#underWay.add(underWay);
    try {
      return !this.#stopped && (await this.#sender.turn(project, outlet, underWay.signal));
    } finally {
      this.#underWay.delete(underWay);
      await outlet.close();
    }
  }

  /** `null` for what is none, or none any more. */
  async #outlet(project: string, name: string): Promise<Outlet | null> {
    if (name === MIRROR) return this.#parts.mirrors.outlet(project);
    const sink = this.#parts.sinks.find((one) => one.name === name);
    return sink === undefined ? this.#parts.webhooks.outlet(project, name) : new SinkOutlet(sink, this.#parts.alerts);
  }

  #queueOf(name: string): WorkQueue | undefined {
    return this.#turns.get(name) ?? this.#turns.get(WEBHOOK);
  }

  #queue(work: (key: string) => Promise<boolean>): WorkQueue {
    const { failed } = this.#parts;
    return new WorkQueue({ workers: LIMITS.sinkSenders, limit: LIMITS.sinkQueue, work, failed, overflow: () => this.lookThrough() });
  }

  async #sweep(): Promise<void> {
    while (this.#missed && !this.#stopped) {
      this.#missed = false;
      try {
        for await (const page of documentPages(this.#parts.store, SYSTEM_PARTITION, systemKeys.projectPrefix)) {
          for (const { key } of page) {
            await this.visit(key.slice(systemKeys.projectPrefix.length));
            await turn();
          }
        }
      } catch (error) {
        if (!this.#stopped) this.#parts.failed(error);
        return;
      }
    }
  }
}

function viewOf(name: string, state: SinkState, head: number, webhook: WebhookDocument | undefined): SinkView {
  const { lease: _, failing_since: __, ...shown } = state;
  const backlog = Math.max(0, head - state.cursor);
  const working = state.failures > 0 ? "failing" : backlog > 0 ? "waiting" : "ok";
  return {
    name,
    kind: webhook === undefined ? name : WEBHOOK,
    state: webhook?.active === false ? "inactive" : working,
    head,
    backlog,
    backlog_since: null,
    ...shown,
  };
}
