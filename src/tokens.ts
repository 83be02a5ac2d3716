import { checkPattern, EVERY, type ExtraRight, type Grant, hasRight, includes, type Role, spans } from "./access.ts";
import { isTakenName } from "./actors.ts";
import { forbidden } from "./callers.ts";
import { DocumentCache, type Freshness } from "./document-cache.ts";
import { parseDuration } from "./durations.ts";
import { AppError } from "./errors.ts";
import { documentsOf } from "./heads.ts";
import { SYSTEM_PARTITION, systemKeys } from "./keys.ts";
import type { Ledger } from "./ledger.ts";
import { LIMITS } from "./limits.ts";
import type { Caller, Page, PageRequest } from "./model.ts";
import { quoted } from "./names.ts";
import type { Clock, Json, JsonObject, Store } from "./ports.ts";
import type { ReadIndex } from "./read-index.ts";
import type { Refusals } from "./refusals.ts";
import { placeBetween, turn } from "./scan.ts";
import {
  endOf,
  holds,
  isOver,
  newToken,
  notValid,
  type ShownToken,
  type TokenDocument,
  type TokenView,
  tokenDigest,
  viewOf,
} from "./token-documents.ts";
import type { Transaction } from "./transaction.ts";

/** Who a token, a session or an identity provider says that somebody is. */
export interface Principal {
  /** Whose it is: what the audit log names. */
  readonly subject: string;
  /** The token's id. */
  readonly token: string;
  readonly grants: readonly Grant[];
  /** Milliseconds since 1970; `null` where it does not end by itself. */
  readonly expiresAt: number | null;
}

/** A verdict that can be kept: it holds for as long as `_system` does not change, until that moment (milliseconds since 1970). */
export interface Judged {
  readonly principal: Principal;
  readonly until: number;
}

export interface TokenRequest {
  readonly name: string;
  readonly role: Role;
  readonly projects: readonly string[];
  readonly envs?: readonly string[] | undefined;
  readonly rights?: readonly ExtraRight[] | undefined;
  /** A duration; `null` for a token that does not end; 90 days where it is left out. */
  readonly expires_in?: string | null | undefined;
}

const TOKEN = /^envm_([0-9a-f]{16})_[A-Za-z0-9_-]{43}$/;
const ID = /^[0-9a-f]{16}$/;
const NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._@:/+-]*$/u;

interface TokensParts {
  readonly store: Store;
  readonly ledger: Ledger;
  readonly readIndex: ReadIndex;
  readonly refusals: Refusals;
  /** Judges when tokens end. */
  readonly clock: Clock;
  /** How long ago a token may have been known to be valid, for reads that may be stale while the store cannot be reached. */
  readonly staleMs: number;
}

/**
 * Access tokens: `envm_<id>_<secret>`, of 256 random bits, shown once and kept as their SHA-256, in the partition `_system` with an
 * audit chain of its own. What an administrator hands out is within what they have themselves.
 */
export class Tokens {
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #documents: DocumentCache<TokenDocument>;
  /** When tokens were last used, where that is not written yet: by id, in milliseconds since 1970. */
  readonly #used = new Map<string, number>();
  readonly #refusals: Refusals;

  constructor({ store, ledger, readIndex, refusals, clock, staleMs }: TokensParts) {
    this.#store = store;
    this.#ledger = ledger;
    this.#refusals = refusals;
    this.#clock = clock;
    this.#documents = new DocumentCache(store, readIndex, { limit: LIMITS.cachedTokens, staleMs });
  }

  async create(caller: Caller, request: TokenRequest): Promise<ShownToken> {
    const grant = grantOf(request);
    checkName(request.name);
    if (!mayHandOut(caller, grant)) throw exceeds(caller);
    const ttl = request.expires_in === undefined ? LIMITS.tokenDefaultTtlMs : request.expires_in;
    const ms = typeof ttl === "string" ? parseDuration("expires_in", ttl) : ttl;
    const { id, token, sha256 } = newToken();
    return this.#ledger.write(SYSTEM_PARTITION, caller, async (tx) => {
      const document: TokenDocument = {
        id,
        name: request.name,
        ...grant,
        sha256,
        created_at: tx.now,
        created_by: caller.actor,
        expires_at: ms === null ? null : new Date(Date.parse(tx.clock) + ms).toISOString(),
        rotated_at: null,
        previous: null,
        revoked_at: null,
        revoked_by: null,
      };
      tx.put(systemKeys.token(id), document);
      await tx.audit({ action: "token_created", details: { ...about(document), expires_at: document.expires_at } });
      return { ...viewOf(document, tx.clock, null), token };
    });
  }

  /** Gives a token another secret. The one before is taken for `overlap` longer: an hour where that is left out. */
  async rotate(caller: Caller, id: string, { overlap }: { readonly overlap?: string | undefined }): Promise<ShownToken> {
    const ms = overlap === undefined ? LIMITS.tokenOverlapMs : overlap === "0s" ? 0 : parseDuration("overlap", overlap);
    if (ms > LIMITS.tokenMaxOverlapMs) {
      throw new AppError("invalid_request", {
        reason: "`overlap` is at most 30d.",
        fix: "Replace the token where it is used within that time.",
      });
    }
    const { token, sha256 } = newToken(id);
    const rotated = await this.#ledger.write(SYSTEM_PARTITION, caller, async (tx) => {
      const before = await findToken(tx, caller, id);
      // Whoever is shown a token can use it: it may not be able to do more than they are.
      if (!mayHandOut(caller, before)) throw exceeds(caller);
      checkActive(before, tx.clock);
      const until = new Date(Date.parse(tx.clock) + ms).toISOString();
      const document: TokenDocument = { ...before, sha256, rotated_at: tx.now, previous: { sha256: before.sha256, until } };
      tx.put(systemKeys.token(id), document);
      await tx.audit({ action: "token_rotated", details: { ...about(document), previous_until: until } });
      return document;
    });
    const [view] = await this.#views([rotated]);
    return { ...(view as TokenView), token };
  }

  /** Takes a token back, at once. Revoking again changes nothing. */
  async revoke(caller: Caller, id: string): Promise<{ readonly status: "revoked"; readonly id: string; readonly revoked_at: string }> {
    return this.#ledger.write(SYSTEM_PARTITION, caller, async (tx) => {
      const before = await findToken(tx, caller, id);
      if (before.revoked_at !== null) return { status: "revoked" as const, id, revoked_at: before.revoked_at };
      tx.put(systemKeys.token(id), { ...before, previous: null, revoked_at: tx.now, revoked_by: caller.actor } satisfies TokenDocument);
      await tx.audit({ action: "token_revoked", details: about(before) });
      return { status: "revoked" as const, id, revoked_at: tx.now };
    });
  }

  /** Tokens whose reach is within the caller's, by id. A page looks at a bounded number of them, so that it may be short. */
  async list(caller: Caller, { limit, cursor }: PageRequest): Promise<Page<TokenView>> {
    const prefix = systemKeys.tokenPrefix;
    const found: TokenDocument[] = [];
    let size = limit + 1;
    let after = prefix + (cursor ?? "");
    let place = after;
    let more = true;
    for (let looked = 0; more && found.length <= limit && looked < LIMITS.listEntries; ) {
      const entries = await this.#store.list(SYSTEM_PARTITION, { prefix, after, limit: size });
      found.push(...entries.map(({ value }) => value as unknown as TokenDocument).filter((token) => sees(caller, token)));
      more = entries.length === size;
      size = Math.max(size, LIMITS.scanPage);
      if (more && found.length <= limit) await turn();
      looked += entries.length;
      const last = entries.at(-1)?.key ?? after;
      // The last one that was looked at may be somebody else's: the cursor is a place before it, and after the one before.
      place = placeBetween(entries.at(-2)?.key ?? after, last);
      after = last;
    }
    const shown = found.slice(0, limit);
    const next = found.length > limit ? (shown.at(-1)?.id ?? null) : more ? place.slice(prefix.length) : null;
    return { items: await this.#views(shown), next_cursor: next };
  }

  async view(caller: Caller, id: string): Promise<TokenView> {
    const [view] = await this.#views([await findToken(documentsOf(this.#store, SYSTEM_PARTITION), caller, id)]);
    return view as TokenView;
  }

  /**
   * Whose token this is. All that is wrong with a token is told to whoever has it alone; of any other text, that it is none.
   * @throws unauthorized
   */
  async principal(token: string, freshness: Freshness = "current"): Promise<Principal> {
    const id = TOKEN.exec(token)?.[1];
    return this.#judge(token, id === undefined ? null : await this.#find(id, freshness));
  }

  /**
   * The same without waiting, where the token is known as it stands at that revision of `_system`, with the moment at which it has to be
   * judged again; `null` where it has to be asked for. @throws unauthorized
   */
  principalAt(token: string, revision: number): Judged | null {
    const id = TOKEN.exec(token)?.[1];
    const document = id === undefined ? null : this.#documents.kept(SYSTEM_PARTITION, systemKeys.token(id), revision);
    return document === null ? null : { principal: this.#judge(token, document), until: endOf(document, this.#clock.now().getTime()) };
  }

  /** The holder of a token that was shown before: what sessions rest on. @throws unauthorized */
  async holder(id: string): Promise<Principal> {
    const document = await this.#find(id, "current");
    if (document === null) throw notValid();
    return this.#admit(document, this.#clock.now().getTime());
  }

  /** The digests of a token's secrets that are taken now, the newest first: what its tickets are made with. None of one that there is not. */
  async digests(id: string, freshness: Freshness): Promise<readonly Uint8Array[]> {
    return this.#digestsIn(await this.#find(id, freshness));
  }

  /** The same without waiting; none of one that is not known as it stands at that revision of `_system`. */
  digestsAt(id: string, revision: number): readonly Uint8Array[] {
    return this.#digestsIn(this.#documents.kept(SYSTEM_PARTITION, systemKeys.token(id), revision));
  }

  #digestsIn(document: TokenDocument | null): readonly Uint8Array[] {
    if (document === null) return [];
    const { sha256, previous } = document;
    const kept = previous !== null && !isOver(previous.until, this.now()) ? [previous.sha256] : [];
    return [sha256, ...kept].map((digest) => Buffer.from(digest, "hex"));
  }

  /** Notes that `_system` had that revision at a moment after `at`, of `performance.now()`: how old what is known of a token is counts from there. */
  confirm(id: string, revision: number, at: number): void {
    this.#documents.confirm(SYSTEM_PARTITION, systemKeys.token(id), revision, at);
  }

  /** Milliseconds since 1970. */
  now(): number {
    return this.#clock.now().getTime();
  }

  /** Writes down when tokens were last used. */
  async noteUse(): Promise<void> {
    const used = [...this.#used].slice(0, LIMITS.notedTokens);
    if (used.length === 0) return;
    // Another instance may have seen a token later, and written it down already.
    const known = await documentsOf(this.#store, SYSTEM_PARTITION).getAll<{ at: string }>(used.map(([id]) => systemKeys.tokenUsed(id)));
    const puts = used
      .map(([id, at]) => ({ key: systemKeys.tokenUsed(id), value: { at: new Date(at).toISOString() } }))
      .filter(({ value }, index) => value.at > (known[index]?.at ?? ""));
    if (puts.length > 0) await this.#store.commit(SYSTEM_PARTITION, { checks: [], puts, deletes: [], objects: [], objectDeletes: [] });
    for (const [id, at] of used) if (this.#used.get(id) === at) this.#used.delete(id);
  }

  /** Notes that a token is used which was judged before. @returns whether that still holds */
  stillHolds({ principal, until }: Judged): boolean {
    const now = this.#clock.now().getTime();
    if (now >= until) return false;
    this.#note(principal.token, now);
    return true;
  }

  #judge(token: string, document: TokenDocument | null): Principal {
    const digest = tokenDigest(token);
    const now = this.#clock.now().getTime();
    if (!holds(document, digest, now) || document === null) throw notValid();
    return this.#admit(document, now);
  }

  #admit(document: TokenDocument, now: number): Principal {
    const { id, name, role, projects, envs, rights, expires_at, revoked_at } = document;
    if (revoked_at !== null || isOver(expires_at, now)) {
      const caller: Caller = { actor: name, subject: name, token: id, requestId: "sign-in", grants: [] };
      this.#refusals.note(caller, {
        action: "token_refused",
        what: "over",
        details: { token: id, why: revoked_at === null ? "expired" : "revoked" },
      });
      const reason = revoked_at === null ? `The token expired at ${expires_at}.` : "The token was revoked.";
      throw new AppError("unauthorized", { reason, fix: "Ask an administrator for another token." });
    }
    this.#note(id, now);
    const grants = [{ role, projects, envs, rights }];
    return { subject: name, token: id, grants, expiresAt: expires_at === null ? null : Date.parse(expires_at) };
  }

  #note(id: string, now: number): void {
    if (this.#used.size < LIMITS.notedTokens || this.#used.has(id)) this.#used.set(id, now);
  }

  async #find(id: string, freshness: Freshness): Promise<TokenDocument | null> {
    return (await this.#documents.read(SYSTEM_PARTITION, systemKeys.token(id), freshness))?.value ?? null;
  }

  async #views(tokens: readonly TokenDocument[]): Promise<TokenView[]> {
    const now = (await this.#store.now()).toISOString();
    const used = await documentsOf(this.#store, SYSTEM_PARTITION).getAll<{ at: string }>(tokens.map(({ id }) => systemKeys.tokenUsed(id)));
    return tokens.map((token, index) => {
      const unwritten = this.#used.get(token.id);
      return viewOf(token, now, unwritten === undefined ? (used[index]?.at ?? null) : new Date(unwritten).toISOString());
    });
  }
}

function grantOf({ role, projects, envs = [EVERY], rights = [] }: TokenRequest): Grant {
  for (const pattern of projects) checkPattern(pattern, "projects");
  for (const pattern of envs) checkPattern(pattern, "envs");
  if (projects.length === 0 || envs.length === 0) {
    throw new AppError("invalid_request", {
      reason: "A token that reaches no project or no environment is of no use.",
      fix: 'Name at least one in `projects` and in `envs`; "*" stands for all.',
    });
  }
  const grant = { role, projects, envs, rights };
  if (rights.includes("secrets:reveal") && !hasRight(grant, "reveal")) {
    throw new AppError("invalid_request", {
      reason: `The role ${role} reads no config, so it cannot reveal secrets.`,
      fix: "Choose the role reader or one that may do more, or leave secrets:reveal out.",
    });
  }
  return grant;
}

function checkName(name: string): void {
  const taken = isTakenName(name);
  if (NAME.test(name) && name.length <= LIMITS.actorLength && name.trim() === name && !taken) return;
  throw new AppError("invalid_name", {
    reason: taken ? `${quoted(name)} is what the engine calls itself in the audit log.` : `${quoted(name)} cannot name a token.`,
    fix: "Name who uses it, in letters, digits, spaces and `._@:/+-`, for example `ci-deploy` or `ada@example.com`.",
    details: { kind: "token" },
  });
}

/** One of the caller's own grants must be an administrator's, and hold all of it: rights of several do not add up. */
function mayHandOut({ grants }: Caller, grant: Grant): boolean {
  return includes(
    grants.filter((own) => hasRight(own, "administer")),
    grant,
  );
}

/** To revoke a token and to see it, reach is enough: what it may do makes no difference. */
function sees(caller: Caller, token: Grant): boolean {
  return caller.grants.some((grant) => hasRight(grant, "administer") && spans(grant, token));
}

async function findToken(documents: Pick<Transaction, "getAll">, caller: Caller, id: string): Promise<TokenDocument> {
  const [found] = ID.test(id) ? await documents.getAll<TokenDocument>([systemKeys.token(id)]) : [];
  if (found && sees(caller, found)) return found;
  // Who takes a token for its id must not read it in every log on the way.
  const which = ID.test(id) ? ` ${quoted(id)}` : " of that id";
  throw new AppError("token_not_found", {
    reason: `There is no token${which}.`,
    fix: "GET /tokens lists them: an id has 16 hexadecimal digits.",
  });
}

function checkActive({ expires_at, revoked_at }: TokenDocument, now: string): void {
  if (revoked_at === null && !isOver(expires_at, Date.parse(now))) return;
  throw new AppError("invalid_transition", {
    reason: revoked_at === null ? `The token expired at ${expires_at}.` : "The token was revoked.",
    fix: "Create another: POST /tokens.",
  });
}

function exceeds(caller: Caller): AppError {
  const fix = "Narrow its projects, environments or rights, or ask an administrator who has them all.";
  return forbidden(caller, "give a token more than they have themselves", fix);
}

function about({ id, name, role, projects, envs, rights }: TokenDocument): JsonObject {
  return { token: id, name, role, projects, envs, rights: rights as readonly Json[] };
}
