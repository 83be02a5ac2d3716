import { headTag } from "./etags.ts";
import { Feed } from "./feed.ts";
import { type Documents, documentsOf, isExpired, readableHead } from "./heads.ts";
import { keys } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import type { Environment, Revision, RevisionAction } from "./model.ts";
import type { News } from "./news.ts";
import type { Hash, Store } from "./ports.ts";

/** What whoever watches an environment is told of one head. */
export interface HeadEvent {
  /** As OpenFeature's remote evaluation has it: what was evaluated before may be different now. */
  readonly type: "refetchEvaluation";
  /** That of state and config reads of this head. */
  readonly etag: string;
  readonly lastModified: string;
  readonly project_id: string;
  readonly env: string;
  readonly version: string;
  readonly revision: number;
  readonly snapshot: Hash;
  readonly action: RevisionAction;
  readonly timestamp: string;
  /** How many revisions before this one are not told of, since the watcher was too far behind. */
  readonly skipped?: number;
  /** Nothing comes after it. */
  readonly final?: "archived" | "expired";
}

export interface Watcher {
  /** Oldest first. Watchers that are told the same are given the very same list. */
  tell(events: readonly HeadEvent[]): void;
  /** Nothing more comes. */
  end(): void;
}

/** Tells those who watch an environment of each new head. However many they are, the store is read once for a change. */
export class Watches {
  readonly #store: Store;
  readonly #news: News;
  readonly #heads = new Map<string, Heads>();

  constructor(store: Store, news: News) {
    this.#store = store;
    this.#news = news;
  }

  /** Who watches now, all together. */
  get size(): number {
    let size = 0;
    for (const { feed } of this.#heads.values()) size += feed.places.size;
    return size;
  }

  /** The head of an environment that may be watched. @throws project_not_found, environment_not_found, environment_expired */
  head(project: string, env: string): Promise<Environment> {
    return readableHead(documentsOf(this.#store, project), env, async () => (await this.#store.now()).toISOString());
  }

  /**
   * Tells a watcher of every head after revision `after`; where that is `null`, or no revision yet, of the newest and all after it.
   * @returns what ends it
   */
  watch(project: string, env: string, after: number | null, watcher: Watcher): () => void {
    const name = `${project}/${env}`;
    let heads = this.#heads.get(name);
    if (heads === undefined) {
      heads = new Heads(this.#store, this.#news, { project, env }, () => void this.#heads.delete(name));
      this.#heads.set(name, heads);
    }
    return heads.feed.join({ watcher, at: after });
  }
}

/** Somebody who watches, and the revision that they have. */
interface Place {
  readonly watcher: Watcher;
  at: number | null;
}

/** The heads of one environment, as those who watch it are told of them. */
class Heads {
  readonly feed: Feed<Place>;
  readonly #store: Store;
  readonly #documents: Documents;
  readonly #env: string;
  /** The newest revision at the last look. */
  #newest = 0;

  constructor(store: Store, news: News, { project, env }: { readonly project: string; readonly env: string }, empty: () => void) {
    this.#store = store;
    this.#documents = documentsOf(store, project);
    this.#env = env;
    this.feed = new Feed({ news, project, look: (newcomers) => this.#look(newcomers), end: ({ watcher }) => watcher.end(), empty });
  }

  /** Tells everybody what they do not have. @returns milliseconds after which to look again */
  async #look(newcomers: readonly Place[]): Promise<number> {
    const [head, next] = await this.#documents.getAll<Environment | Revision>([
      keys.environment(this.#env),
      keys.revision(this.#env, this.#newest + 1),
    ]);
    if (!head) throw new Error(`${this.#env} was there when it was asked for`);
    const end = await this.#endOf(head as Environment);
    const isNew = head.revision !== this.#newest || end.reason !== undefined;
    const places = isNew ? [...this.feed.places] : newcomers;
    for (const [at, group] of grouped(places, head.revision)) {
      if (at === head.revision && end.reason === undefined) continue;
      const revisions = await this.#revisionsAfter(Math.min(at, head.revision - 1), head.revision, (next ?? null) as Revision | null);
      const events = eventsOf(this.#documents.project, revisions, head.revision - at, end.reason);
      for (const place of group) {
        place.at = head.revision;
        if (this.feed.places.has(place)) place.watcher.tell(events);
      }
    }
    this.#newest = head.revision;
    if (end.reason !== undefined) this.feed.end(places);
    return end.inMs;
  }

  async #endOf(head: Environment): Promise<{ readonly reason?: NonNullable<HeadEvent["final"]>; readonly inMs: number }> {
    if (head.status === "archived") return { reason: "archived", inMs: 0 };
    if (head.expires_at === null && head.status === "active") return { inMs: LIMITS.waitMs };
    const now = await this.#store.now();
    if (isExpired(head, now.toISOString())) return { reason: "expired", inMs: 0 };
    return { inMs: Math.min(LIMITS.waitMs, Date.parse(head.expires_at ?? "") - now.getTime()) };
  }

  /** All of them, or the newest alone where they are too many. */
  async #revisionsAfter(at: number, newest: number, next: Revision | null): Promise<readonly Revision[]> {
    if (next?.revision === newest && at === newest - 1) return [next];
    const limit = newest - at > LIMITS.watchReplay ? 1 : newest - at;
    const after = keys.revision(this.#env, newest - limit);
    const entries = await this.#store.list(this.#documents.project, { prefix: keys.revisionPrefix(this.#env), after, limit });
    return entries.map(({ value }) => value as unknown as Revision);
  }
}

/** By what they have; those who have the most first, since they are the many. */
function grouped(places: readonly Place[], newest: number): readonly (readonly [at: number, group: readonly Place[]])[] {
  const groups = new Map<number, Place[]>();
  for (const place of places) {
    // A revision that there is not yet is none that anybody was told of here.
    const at = place.at === null || place.at > newest ? newest - 1 : place.at;
    const group = groups.get(at);
    if (group === undefined) groups.set(at, [place]);
    else group.push(place);
  }
  return [...groups].sort(([left], [right]) => right - left);
}

function eventsOf(project: string, revisions: readonly Revision[], behind: number, final: HeadEvent["final"]): readonly HeadEvent[] {
  const skipped = Math.max(0, behind - revisions.length);
  return revisions.map((revision, index) => ({
    type: "refetchEvaluation",
    etag: headTag(project, revision),
    lastModified: revision.timestamp,
    project_id: project,
    env: revision.env,
    version: revision.version,
    revision: revision.revision,
    snapshot: revision.snapshot,
    action: revision.action,
    timestamp: revision.timestamp,
    ...(index === 0 && skipped > 0 && { skipped }),
    ...(index === revisions.length - 1 && final !== undefined && { final }),
  }));
}
