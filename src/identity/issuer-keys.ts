import type { createLocalJWKSet, JSONWebKeySet } from "jose";
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { discoverKeySet, type Provider } from "./discovery.ts";
import { fetchText } from "./fetch-text.ts";

/** The keys of one answer. Answers of the same text are the same set. */
export interface KeySet {
  readonly text: string;
  readonly find: ReturnType<typeof createLocalJWKSet>;
}

export interface IssuerStatus {
  /** `down` where no token can be verified. */
  readonly status: "ok" | "down";
  /** Why the issuer did not answer when it was last asked. */
  readonly reason?: string;
}

/**
 * An issuer's public keys. They are asked for when they are first needed, again when they are 10 minutes old, and when a token names
 * one that is not among them: at most once in 30 seconds, whatever tokens come. While the issuer is away they serve for an hour.
 *
 * jose's own remote set would ask an issuer that is away anew for every token, and forgets its keys as soon as they are to be renewed.
 */
export class IssuerKeys {
  readonly #provider: Provider;
  readonly #now: () => number;
  #keySet: KeySet | null = null;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #address: string | null = null;
  #discoveredAt = Number.NEGATIVE_INFINITY;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #failure: { readonly at: number; readonly error: Error } | null = null;
  #pending: Promise<void> | null = null;

  constructor(provider: Provider, now: () => number) {
    this.#provider = provider;
    this.#now = now;
  }

  /** @throws identity_unavailable */
  async current(): Promise<KeySet> {
    if (!this.#isWithin(this.#fetchedAt, LIMITS.keySetFreshMs)) await this.#renew();
    return this.#usable();
  }

  /**
   * The keys after a look for one that is not in `known`; `known` itself where there was a look a moment ago.
   *
   * @throws identity_unavailable where nobody can tell whether there is such a key
   */
  async newerThan(known: KeySet): Promise<KeySet> {
    if (this.#keySet !== known) return this.#usable();
    if (this.#pending !== null) await this.#pending;
    else if (!this.#isWithin(this.#lookedAt, LIMITS.unknownKeyMs) && !this.#isResting()) {
      this.#lookedAt = this.#now();
      await this.#renew();
    }
    if (this.#failure !== null) throw this.#unavailable();
    return this.#usable();
  }

  status(): IssuerStatus {
    if (this.#failure === null) return { status: "ok" };
    const reason = this.#failure.error.message;
    if (this.#isUsable()) return { status: "ok", reason };
    // Where no requests come to an engine that is not ready, nothing else would find out that the issuer is back.
    void this.#renew();
    return { status: "down", reason };
  }

  /** Whoever asks while a request is on its way waits for that one. Never throws: a failure is remembered. */
  async #renew(): Promise<void> {
    if (this.#isResting()) return;
    this.#pending ??= this.#load()
      .then(() => {
        this.#failure = null;
      })
      .catch((error: unknown) => {
        this.#failure = { at: this.#now(), error: error instanceof Error ? error : new Error("The request failed.") };
        // The keys may have moved.
        this.#address = null;
      })
      .finally(() => {
        this.#pending = null;
      });
    await this.#pending;
  }

  async #load(): Promise<void> {
    const at = this.#now();
    if (this.#address === null || !this.#isWithin(this.#discoveredAt, LIMITS.keySetFreshMs)) {
      this.#address = await discoverKeySet(this.#provider);
      this.#discoveredAt = at;
    }
    const { fetch, timeoutMs } = this.#provider;
    const text = await fetchText(fetch, this.#address, { bytes: LIMITS.keySetBytes, timeoutMs });
    if (text !== this.#keySet?.text) this.#keySet = await parseKeySet(text, this.#address);
    this.#fetchedAt = at;
  }

  #usable(): KeySet {
    if (this.#keySet !== null && this.#isUsable()) return this.#keySet;
    throw this.#unavailable();
  }

  #isUsable(): boolean {
    return this.#isWithin(this.#fetchedAt, LIMITS.keySetStaleMs);
  }

  #isResting(): boolean {
    return this.#failure !== null && this.#isWithin(this.#failure.at, LIMITS.identityRetryMs);
  }

  /** A time that lies ahead is no answer: the clock was set back since. */
  #isWithin(since: number, ms: number): boolean {
    const elapsed = this.#now() - since;
    return elapsed >= 0 && elapsed < ms;
  }

  #unavailable(): AppError {
    return new AppError("identity_unavailable", {
      reason: `The keys of the identity provider ${this.#provider.issuer} cannot be had, so that its tokens cannot be verified.`,
      fix: "Try again in a moment. Where it lasts, the engine's operator has to look: it must be able to reach the issuer, under this very name.",
      cause: this.#failure?.error,
    });
  }
}

async function parseKeySet(text: string, address: string): Promise<KeySet> {
  const { createLocalJWKSet } = await import("jose");
  try {
    return { text, find: createLocalJWKSet(JSON.parse(text) as JSONWebKeySet) };
  } catch (error) {
    throw new Error(`${address}: its answer is not a JSON Web Key Set.`, { cause: error });
  }
}
