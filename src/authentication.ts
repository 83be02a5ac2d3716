import { createHmac, timingSafeEqual } from "node:crypto";
import { EVERYTHING, type Grant } from "./access.ts";
import { isTakenName } from "./actors.ts";
import type { Freshness } from "./document-cache.ts";
import { AppError } from "./errors.ts";
import { type OpenedSession, type Sessions, sessionOver } from "./sessions.ts";
import { endOfTicket, isMadeWith, makeTicket, readTicket } from "./tickets.ts";
import { notValid, tokenDigest } from "./token-documents.ts";
import type { Judged, Principal, Tokens } from "./tokens.ts";

/** Whom an identity provider says that somebody is. */
export interface Identity {
  /** Unique and unchanging with the provider. */
  readonly subject: string;
  /** What the audit log names. */
  readonly actor: string;
  readonly grants: readonly Grant[];
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** Where people sign in elsewhere. */
export interface IdentityProvider {
  /** Digest of what its tokens are judged by, and what they grant. */
  readonly rules: Uint8Array;
  /** Whether a text has the form of this provider's tokens. */
  recognizes(token: string): boolean;
  /** `null` where the token is none of the provider's, is over, or grants nothing. @throws identity_unavailable */
  verify(token: string): Promise<Identity | null>;
}

interface AuthenticationParts {
  /** SHA-256 of the token that may do everything. */
  readonly rootDigest: Uint8Array;
  readonly tokens: Tokens;
  readonly sessions: Sessions;
  readonly identities: IdentityProvider | null;
}

interface LastTicket {
  readonly project: string;
  readonly env: string;
  readonly expiresAt: number;
  readonly text: string;
}

const ROOT: Principal = { subject: "root", token: "root", grants: [EVERYTHING], expiresAt: null };
const FROM_PROVIDER = "oidc-";

/** Tells who somebody is, by whatever they show: the root token, a token, an identity provider's, or a session of any of them. */
export class Authentication {
  readonly #parts: AuthenticationParts;
  /** Of each principal. Who is judged anew, since something may have changed, is another one: what was made for the one before is forgotten. */
  readonly #lastTickets = new WeakMap<Principal, LastTicket>();

  constructor(parts: AuthenticationParts) {
    this.#parts = parts;
  }

  /** @throws unauthorized, identity_unavailable */
  async byToken(token: string, freshness: Freshness = "current"): Promise<Principal> {
    // Digests are of one length, so that comparing tells neither length nor place of a difference.
    if (timingSafeEqual(tokenDigest(token), this.#parts.rootDigest)) return ROOT;
    const { identities, tokens } = this.#parts;
    if (identities?.recognizes(token) !== true) return tokens.principal(token, freshness);
    const identity = await identities.verify(token);
    if (identity === null) throw notValid();
    const { subject, actor, grants, expiresAt } = identity;
    // A provider's users choose their names perhaps: none of them is taken for the engine.
    const name = isTakenName(actor) ? FROM_PROVIDER + actor : actor;
    return { subject: name, token: FROM_PROVIDER + tokenDigest(subject).toString("hex").slice(0, 32), grants, expiresAt };
  }

  /** As `byToken`, without waiting: `null` where it has to be asked for, or cannot be kept. @throws unauthorized */
  byTokenAt(token: string, revision: number): Judged | null {
    if (timingSafeEqual(tokenDigest(token), this.#parts.rootDigest)) return { principal: ROOT, until: Number.POSITIVE_INFINITY };
    const { identities, tokens } = this.#parts;
    return identities?.recognizes(token) === true ? null : tokens.principalAt(token, revision);
  }

  /** Whether a verdict that was kept holds now: `_system` has not changed since. */
  stillHolds(judged: Judged): boolean {
    return judged.principal === ROOT || this.#parts.tokens.stillHolds(judged);
  }

  /** @throws unauthorized */
  async bySession(secret: string): Promise<Principal> {
    const { tie, ...opened } = await this.#parts.sessions.find(secret);
    const key = this.#keyOfTie(opened.token);
    if (key === null) return this.#parts.tokens.holder(opened.token);
    if (tie !== tieOf(secret, key)) throw sessionOver();
    return opened.token === ROOT.token ? ROOT : opened;
  }

  /**
   * A ticket to watch one environment, for whoever holds a token of the engine's own; `null` for others. It may be made of what was last
   * known of the token: it is checked against what is known when it is shown.
   */
  async ticket(holder: string, project: string, env: string): Promise<string | null> {
    if (holder.startsWith(FROM_PROVIDER)) return null;
    return this.#ticketOf(holder, await this.#keysOf(holder, "known"), project, env);
  }

  /** The same without waiting, for whoever was judged as of that revision of `_system`; `null` also where it takes a look at the store. */
  ticketAt(principal: Principal, project: string, env: string, revision: number): string | null {
    const expiresAt = endOfTicket(this.#parts.tokens.now());
    const last = this.#lastTickets.get(principal);
    if (last?.expiresAt === expiresAt && last.project === project && last.env === env) return last.text;
    const { rootDigest, tokens } = this.#parts;
    const holder = principal.token;
    const text = this.#ticketOf(holder, holder === ROOT.token ? [rootDigest] : tokens.digestsAt(holder, revision), project, env);
    if (text !== null) this.#lastTickets.set(principal, { project, env, expiresAt, text });
    return text;
  }

  #ticketOf(holder: string, [key]: readonly Uint8Array[], project: string, env: string): string | null {
    return key === undefined ? null : makeTicket(holder, key, project, env, this.#parts.tokens.now());
  }

  /** Whoever holds a ticket may be told that there is something new in that environment, and nothing else. @throws unauthorized */
  async byTicket(text: string, project: string, env: string): Promise<Principal> {
    const ticket = readTicket(text);
    const keys = ticket === null ? [] : await this.#keysOf(ticket.holder, "current");
    if (ticket === null || !isMadeWith(ticket, keys, project, env)) throw notValid();
    const { holder, expiresAt } = ticket;
    if (expiresAt <= this.#parts.tokens.now())
      throw new AppError("unauthorized", { reason: "The ticket is over.", fix: "Evaluate all flags again: the reply has a new one." });
    const principal = holder === ROOT.token ? ROOT : await this.#parts.tokens.holder(holder);
    const grants: readonly Grant[] = [{ role: "client", projects: [project], envs: [env], rights: [] }];
    return { ...principal, grants, expiresAt: Math.min(expiresAt, principal.expiresAt ?? expiresAt) };
  }

  async #keysOf(holder: string, freshness: Freshness): Promise<readonly Uint8Array[]> {
    return holder === ROOT.token ? [this.#parts.rootDigest] : this.#parts.tokens.digests(holder, freshness);
  }

  openSession(principal: Principal): Promise<OpenedSession> {
    const key = this.#keyOfTie(principal.token);
    return this.#parts.sessions.open(principal, (secret) => (key === null ? null : tieOf(secret, key)));
  }

  closeSession(secret: string): Promise<void> {
    return this.#parts.sessions.close(secret);
  }

  /**
   * What a session rests on where that is no document of a token: with another root token, or another provider or role map, those of the
   * one before are over. `null` where there is a document. @throws unauthorized where the provider is gone
   */
  #keyOfTie(token: string): Uint8Array | null {
    if (token === ROOT.token) return this.#parts.rootDigest;
    if (!token.startsWith(FROM_PROVIDER)) return null;
    if (this.#parts.identities === null) throw sessionOver();
    return this.#parts.identities.rules;
  }
}

function tieOf(secret: string, key: Uint8Array): string {
  return createHmac("sha256", key).update(secret).digest("hex");
}
