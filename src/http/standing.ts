import { AppError } from "../errors.ts";
import { SYSTEM_PARTITION } from "../keys.ts";
import { LIMITS } from "../limits.ts";
import type { News } from "../news.ts";
import type { Connection } from "./route.ts";

/** All connections that showed the same token or session: it is judged once for all of them. */
interface Credential {
  readonly ends: Set<() => void>;
  /** The first of them. */
  readonly connection: Pick<Connection, "admitAgain">;
  timer: NodeJS.Timeout | undefined;
}

/** Sees to it that whoever stays connected still may: a token that is revoked or over ends what was begun with it. */
export class Standing {
  readonly #news: News;
  readonly #now: () => number;
  readonly #credentials = new Map<string, Credential>();
  #following = false;
  #left = new AbortController();

  /** @param now of the clock that tokens end by, in milliseconds since 1970 */
  constructor(news: News, now: () => number) {
    this.#news = news;
    this.#now = now;
  }

  /** Calls `end` as soon as the connection's token is no longer valid, unless what it returns was called before. */
  hold(connection: Pick<Connection, "credential" | "admitAgain">, end: () => void): () => void {
    const key = connection.credential;
    const credential: Credential = this.#credentials.get(key) ?? { ends: new Set(), connection, timer: undefined };
    this.#credentials.set(key, credential);
    credential.ends.add(end);
    // It may have ended since the request was let in.
    void this.#judge(credential);
    if (!this.#following) void this.#follow();
    return () => {
      if (!credential.ends.delete(end) || credential.ends.size > 0) return;
      clearTimeout(credential.timer);
      if (this.#credentials.get(key) === credential) this.#credentials.delete(key);
      if (this.#credentials.size === 0) this.#left.abort();
    };
  }

  /** Judges all of them whenever one may have changed; where much changes, not each time. */
  async #follow(): Promise<void> {
    this.#following = true;
    let change = this.#change();
    while (this.#credentials.size > 0 && !this.#news.closed) {
      await change;
      // Asked for before they are judged: what changes from here on has them judged again.
      change = this.#change();
      for (const credential of [...this.#credentials.values()]) await this.#judge(credential);
      await new Promise((resolve) => setTimeout(resolve, LIMITS.watchJudgeMs));
    }
    this.#following = false;
  }

  /** Resolves with the next change of tokens and sessions, or when nobody is left whom it could be about. */
  #change(): Promise<void> {
    this.#left = new AbortController();
    return this.#news.next(SYSTEM_PARTITION, LIMITS.waitMs, this.#left.signal);
  }

  async #judge(credential: Credential): Promise<void> {
    clearTimeout(credential.timer);
    try {
      const expiresAt = await credential.connection.admitAgain();
      if (expiresAt !== null) this.#judgeIn(credential, Math.min(Math.max(expiresAt - this.#now(), LIMITS.watchJudgeMs), LIMITS.waitMs));
    } catch (error) {
      if (error instanceof AppError && error.code === "unauthorized") for (const end of [...credential.ends]) end();
      else this.#judgeIn(credential, LIMITS.watchRetryMs); // Who cannot be judged now may be revoked already.
    }
  }

  #judgeIn(credential: Credential, ms: number): void {
    if (credential.ends.size === 0) return;
    clearTimeout(credential.timer);
    credential.timer = setTimeout(() => void this.#judge(credential), ms);
  }
}
