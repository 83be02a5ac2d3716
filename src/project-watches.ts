import { EVERY } from "./access.ts";
import { may } from "./callers.ts";
import { Feed } from "./feed.ts";
import { keys } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import type { AuditRecord, Caller } from "./model.ts";
import { checkProject } from "./names.ts";
import type { News } from "./news.ts";
import type { Store } from "./ports.ts";
import { type Project, projectNotFound } from "./transaction.ts";

/** From which record on a watcher is told: the first thing that one who names none hears. */
interface ProjectWatched {
  readonly type: "projectWatched";
  readonly project_id: string;
  readonly seq: number;
}

/** What whoever watches a project is told of one audit record: enough to know what to read again. */
interface ProjectChanged {
  readonly type: "projectChanged";
  readonly project_id: string;
  readonly seq: number;
  readonly action: string;
  readonly environment: string | null;
  readonly version: string | null;
  readonly revision: number | null;
  readonly timestamp: string;
  /** How many records before this one are not told of, since the watcher was too far behind. */
  readonly skipped?: number;
}

export type ProjectEvent = ProjectWatched | ProjectChanged;

export interface ProjectWatcher {
  /** Oldest first. */
  tell(events: readonly ProjectEvent[]): void;
  /** Nothing more comes. */
  end(): void;
}

/** Tells those who watch a project of all that happens in it, as its audit log has it, as far as they may see it. */
export class ProjectWatches {
  readonly #store: Store;
  readonly #news: News;
  readonly #logs = new Map<string, Log>();

  constructor(store: Store, news: News) {
    this.#store = store;
    this.#news = news;
  }

  /** The number of the newest record. @throws project_not_found */
  newest(project: string): Promise<number> {
    checkProject(project);
    return newestRecord(this.#store, project);
  }

  /**
   * Tells of every record after number `after`; where that is `null`, or no record's yet, of the newest one's number, and all after it.
   * @returns what ends it
   */
  watch(caller: Caller, project: string, after: number | null, newest: number, watcher: ProjectWatcher): () => void {
    const isKnown = after !== null && after <= newest;
    if (!isKnown) watcher.tell([{ type: "projectWatched", project_id: project, seq: newest }]);
    let log = this.#logs.get(project);
    if (log === undefined) {
      log = new Log(this.#store, this.#news, project, () => void this.#logs.delete(project));
      this.#logs.set(project, log);
    }
    return log.feed.join({ watcher, caller, sees: JSON.stringify(caller.grants), at: isKnown ? after : newest });
  }
}

/** Somebody who watches, what they may see, and the record that they have. */
interface Place {
  readonly watcher: ProjectWatcher;
  readonly caller: Caller;
  /** The same for all who may see the same. */
  readonly sees: string;
  at: number;
}

/** The audit log of one project, as those who watch it are told of it. */
class Log {
  readonly feed: Feed<Place>;
  readonly #store: Store;
  readonly #project: string;
  /** The newest record at the last look. */
  #newest = 0;

  constructor(store: Store, news: News, project: string, empty: () => void) {
    this.#store = store;
    this.#project = project;
    this.feed = new Feed({ news, project, look: (newcomers) => this.#look(newcomers), end: ({ watcher }) => watcher.end(), empty });
  }

  /** Tells everybody what they do not have. @returns milliseconds after which to look again */
  async #look(newcomers: readonly Place[]): Promise<number> {
    const newest = await newestRecord(this.#store, this.#project);
    const places = newest === this.#newest ? newcomers : [...this.feed.places];
    const behind = places.filter(({ at }) => at < newest);
    const from = behind.reduce((oldest, { at }) => Math.min(oldest, at), newest);
    const records = from < newest ? await this.#recordsAfter(Math.max(from, newest - LIMITS.watchReplay)) : [];
    const told = new Map<string, readonly ProjectEvent[]>();
    for (const place of behind) {
      const id = `${place.at} ${place.sees}`;
      const events = told.get(id) ?? eventsFor(place, this.#project, records);
      told.set(id, events);
      place.at = records.at(-1)?.seq ?? newest;
      if (events.length > 0 && this.feed.places.has(place)) place.watcher.tell(events);
    }
    this.#newest = newest;
    return LIMITS.waitMs;
  }

  async #recordsAfter(seq: number): Promise<readonly AuditRecord[]> {
    const range = { prefix: keys.auditPrefix, after: keys.audit(seq), limit: LIMITS.watchReplay };
    return (await this.#store.list(this.#project, range)).map(({ value }) => value as unknown as AuditRecord);
  }
}

async function newestRecord(store: Store, project: string): Promise<number> {
  const [entry] = await store.get(project, [keys.project]);
  if (!entry) throw projectNotFound(project);
  return (entry.value as unknown as Project).audit.seq;
}

function eventsFor({ caller, at }: Place, project: string, records: readonly AuditRecord[]): readonly ProjectEvent[] {
  const skipped = Math.max(0, (records[0]?.seq ?? 0) - 1 - at);
  const seen = records.filter(({ seq, environment }) => seq > at && may(caller, "read", project, environment ?? EVERY));
  return seen.map(({ seq, action, environment, version, revision, at }, index) => ({
    type: "projectChanged",
    project_id: project,
    seq,
    action,
    environment,
    version,
    revision,
    timestamp: at,
    ...(index === 0 && skipped > 0 && { skipped }),
  }));
}
