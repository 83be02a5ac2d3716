import { EVERY } from "./access.ts";
import { may } from "./callers.ts";
import { keys } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import type { AuditRecord, Caller } from "./model.ts";
import { checkProject } from "./names.ts";
import type { News } from "./news.ts";
import type { Store } from "./ports.ts";
import { type Project, projectNotFound } from "./transaction.ts";

/** From which record on a watcher is told: the first thing that one who names none hears. */
export interface ProjectWatched {
  readonly type: "projectWatched";
  readonly project_id: string;
  readonly seq: number;
}

/** What whoever watches a project is told of one audit record: enough to know what to read again. */
export interface ProjectChanged {
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

/** Somebody who watches. */
interface Place {
  isGone: boolean;
  /** Ends the wait that is under way. */
  wake: AbortController;
}

/** Tells those who watch a project of all that happens in it, as its audit log has it, as far as they may see it. */
export class ProjectWatches {
  readonly #store: Store;
  readonly #news: News;

  constructor(store: Store, news: News) {
    this.#store = store;
    this.#news = news;
  }

  /** The number of the newest record. @throws project_not_found */
  async newest(project: string): Promise<number> {
    checkProject(project);
    const [entry] = await this.#store.get(project, [keys.project]);
    if (!entry) throw projectNotFound(project);
    return (entry.value as unknown as Project).audit.seq;
  }

  /**
   * Tells of every record after number `after`; where that is `null`, of the newest one's number, and all after it.
   * @returns what ends it
   */
  watch(caller: Caller, project: string, after: number | null, newest: number, watcher: ProjectWatcher): () => void {
    const place: Place = { isGone: false, wake: new AbortController() };
    if (after === null) watcher.tell([{ type: "projectWatched", project_id: project, seq: newest }]);
    void this.#follow(caller, project, after ?? newest, watcher, place);
    return () => {
      place.isGone = true;
      place.wake.abort();
    };
  }

  async #follow(caller: Caller, project: string, from: number, watcher: ProjectWatcher, place: Place): Promise<void> {
    let at = from;
    while (!place.isGone && !this.#news.closed) {
      const wake = new AbortController();
      place.wake = wake;
      // Before the log is looked at, so that no change falls between the look and the wait.
      const news = this.#news.next(project, LIMITS.waitMs, wake.signal);
      let retry: NodeJS.Timeout | undefined;
      try {
        at = await this.#look(caller, project, at, watcher, place);
      } catch {
        // A store that is away is looked at again.
        retry = setTimeout(() => wake.abort(), LIMITS.watchRetryMs);
      }
      await news;
      clearTimeout(retry);
    }
    watcher.end();
  }

  async #look(caller: Caller, project: string, at: number, watcher: ProjectWatcher, place: Place): Promise<number> {
    const newest = await this.newest(project);
    // A number that there is not yet is none that anybody was told here.
    const last = Math.min(at, newest);
    if (last === newest) return newest;
    const first = Math.max(last, newest - LIMITS.watchReplay);
    const range = { prefix: keys.auditPrefix, after: keys.audit(first), limit: LIMITS.watchReplay };
    const records = (await this.#store.list(project, range)).map(({ value }) => value as unknown as AuditRecord);
    const events = eventsOf(caller, project, records, first - last);
    if (events.length > 0 && !place.isGone) watcher.tell(events);
    return records.at(-1)?.seq ?? newest;
  }
}

function eventsOf(caller: Caller, project: string, records: readonly AuditRecord[], skipped: number): readonly ProjectEvent[] {
  const seen = records.filter(({ environment }) => may(caller, "read", project, environment ?? EVERY));
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
