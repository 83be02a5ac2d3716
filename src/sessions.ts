import { randomBytes } from "node:crypto";
import type { Grant } from "./access.ts";
import { DocumentCache } from "./document-cache.ts";
import { AppError } from "./errors.ts";
import { SYSTEM_PARTITION, systemKeys } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import type { Clock, Json, Store } from "./ports.ts";
import type { ReadIndex } from "./read-index.ts";
import { documentPages } from "./scan.ts";
import { tokenDigest } from "./token-documents.ts";
import type { Principal } from "./tokens.ts";

/** The document `session/<sha256 of the cookie>`. */
interface SessionDocument {
  readonly subject: string;
  /** The id of the token that it was opened with: with that one, it ends. */
  readonly token: string;
  /** What an identity provider granted, which nobody can be asked about later. */
  readonly grants: readonly Grant[];
  readonly expires_at: string;
  /** What ties the session to something that may change, where its token has no document: see `open`. */
  readonly tie: string | null;
}

export interface OpenedSession {
  /** The cookie's value: 256 random bits, of which the digest alone is kept. */
  readonly secret: string;
  readonly expiresAt: number;
  /** Milliseconds until then, by the clock that it ends by. */
  readonly lastsMs: number;
}

const SECRET = /^[A-Za-z0-9_-]{43}$/;

/** Sessions of the dashboard: a cookie in place of a token, for a while, with what the token may do at each moment. */
export class Sessions {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #documents: DocumentCache<SessionDocument>;

  constructor(store: Store, readIndex: ReadIndex, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
    // Whoever looks at the dashboard sees that the store is away.
    this.#documents = new DocumentCache(store, readIndex, { limit: LIMITS.cachedTokens, staleMs: 0 });
  }

  /** Ends with what it was opened with, and after 12 hours at the latest; or as soon as `tie` says something else of its secret. */
  async open({ subject, token, grants, expiresAt }: Principal, tie: (secret: string) => string | null): Promise<OpenedSession> {
    const secret = randomBytes(32).toString("base64url");
    const now = this.#clock.now().getTime();
    const end = Math.min(expiresAt ?? Number.POSITIVE_INFINITY, now + LIMITS.sessionMs);
    const document: SessionDocument = { subject, token, grants, expires_at: new Date(end).toISOString(), tie: tie(secret) };
    const put = { key: keyOf(secret), value: document as unknown as Json };
    await this.#store.commit(SYSTEM_PARTITION, { checks: [], puts: [put], deletes: [], objects: [], objectDeletes: [] });
    return { secret, expiresAt: end, lastsMs: end - now };
  }

  /** Whom a session was opened for; that their token and its tie still hold is the caller's to find out. @throws unauthorized */
  async find(secret: string): Promise<Principal & { readonly tie: string | null }> {
    const document = SECRET.test(secret) ? await this.#documents.current(SYSTEM_PARTITION, keyOf(secret)) : null;
    if (document === null || Date.parse(document.expires_at) <= this.#clock.now().getTime()) throw sessionOver();
    const { subject, token, grants, expires_at, tie } = document;
    return { subject, token, grants, expiresAt: Date.parse(expires_at), tie };
  }

  /** Closing what is closed succeeds. */
  async close(secret: string): Promise<void> {
    if (!SECRET.test(secret)) return;
    await this.#delete([keyOf(secret)]);
  }

  /** Takes sessions away that are over. Returns how many that were. */
  async tidy(): Promise<number> {
    const now = this.#clock.now().getTime();
    let taken = 0;
    for await (const page of documentPages(this.#store, SYSTEM_PARTITION, systemKeys.sessionPrefix)) {
      const over = page.filter(({ value }) => Date.parse((value as unknown as SessionDocument).expires_at) <= now);
      if (over.length > 0) await this.#delete(over.map(({ key }) => key));
      taken += over.length;
    }
    return taken;
  }

  async #delete(deletes: readonly string[]): Promise<void> {
    await this.#store.commit(SYSTEM_PARTITION, { checks: [], puts: [], deletes, objects: [], objectDeletes: [] });
  }
}

function keyOf(secret: string): string {
  return systemKeys.session(tokenDigest(secret).toString("hex"));
}

export function sessionOver(): AppError {
  return new AppError("unauthorized", { reason: "The session is over.", fix: "Log in again: POST /session with a token." });
}
