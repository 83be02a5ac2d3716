import { LIMITS } from "./limits.ts";
import type { News } from "./news.ts";

interface FeedParts<Place> {
  readonly news: News;
  readonly project: string;
  /**
   * Looks what is new, and tells it: to all of `feed.places` where something is, else to those alone who have come since the last look.
   * @returns milliseconds after which to look again, whatever happens
   */
  readonly look: (newcomers: readonly Place[]) => Promise<number>;
  readonly end: (place: Place) => void;
  /** Nobody is there any more. */
  readonly empty: () => void;
}

/**
 * Follows a project for those who watch something of it, for as long as anybody does. However many they are, the store is looked at once
 * for a change, and for who joins while nothing changes nobody else is looked at. One look comes after another: each tells all that has
 * come until it began.
 */
export class Feed<Place> {
  readonly #parts: FeedParts<Place>;
  readonly #places = new Set<Place>();
  readonly #newcomers = new Set<Place>();
  #following = false;
  #wake = new AbortController();

  constructor(parts: FeedParts<Place>) {
    this.#parts = parts;
  }

  get places(): ReadonlySet<Place> {
    return this.#places;
  }

  /** @returns what lets them go */
  join(place: Place): () => void {
    this.#places.add(place);
    this.#newcomers.add(place);
    if (this.#following) this.#wake.abort();
    else void this.#follow();
    return () => this.#forget(place);
  }

  /** Ends it for these of its places. */
  end(places: Iterable<Place>): void {
    for (const place of [...places]) if (this.#forget(place)) this.#parts.end(place);
  }

  #forget(place: Place): boolean {
    this.#newcomers.delete(place);
    if (!this.#places.delete(place)) return false;
    if (this.#places.size === 0) {
      this.#wake.abort();
      this.#parts.empty();
    }
    return true;
  }

  /** Looks whenever the project may have changed, somebody has joined, or the time has come. */
  async #follow(): Promise<void> {
    const { news, project } = this.#parts;
    this.#following = true;
    while (this.#places.size > 0 && !news.closed) {
      const wake = new AbortController();
      this.#wake = wake;
      // Before it is looked at, so that no change falls between the look and the wait.
      const next = news.next(project, LIMITS.waitMs, wake.signal);
      const againMs = await this.#look().catch(() => LIMITS.watchRetryMs); // A store that is away is looked at again.
      if (this.#places.size === 0) wake.abort();
      const timer = setTimeout(() => wake.abort(), againMs);
      await next;
      clearTimeout(timer);
    }
    this.#following = false;
    this.end(this.#places);
  }

  async #look(): Promise<number> {
    const newcomers = [...this.#newcomers];
    const againMs = await this.#parts.look(newcomers);
    for (const place of newcomers) this.#newcomers.delete(place);
    return againMs;
  }
}
