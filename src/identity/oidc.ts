import { createHash } from "node:crypto";
import type { CryptoKey, JWTVerifyGetKey, JWTVerifyOptions, JWTVerifyResult } from "jose";
import { AppError } from "../errors.ts";
import { FifoMap } from "../fifo-map.ts";
import { LIMITS } from "../limits.ts";
import { type Identity, identityOf, type Mapping } from "./claims.ts";
import { checkIssuer } from "./discovery.ts";
import type { Fetch } from "./fetch-text.ts";
import { IssuerKeys, type IssuerStatus, type KeySet } from "./issuer-keys.ts";

export type { Identity } from "./claims.ts";
export type { Fetch } from "./fetch-text.ts";
export type { IssuerStatus } from "./issuer-keys.ts";
export { parseRoleMap } from "./role-map.ts";

export interface OidcOptions extends Mapping {
  /** An https URL, or http on a loopback host. Every character counts. */
  readonly issuer: string;
  /** What a token's `aud` must be, or hold. */
  readonly audience: string;
  readonly now?: () => Date;
  /** How requests to the issuer go out; Node's `fetch` by default. */
  readonly fetch?: Fetch;
  /** Milliseconds that the issuer may take to answer one request. */
  readonly timeoutMs?: number;
}

export interface Oidc {
  /** Digest of the issuer, the audience and the mapping: what a token grants depends on nothing else but the token. */
  readonly rules: Uint8Array;
  /**
   * Who the token speaks for; `null` where it is refused, for whatever reason.
   *
   * @throws identity_unavailable where that cannot be told, because the issuer's keys cannot be had
   */
  verify(jwt: string): Promise<Identity | null>;
  status(): IssuerStatus;
}

/** Signatures that the issuer alone can make: never `none`, and never `HS…`, whose secret would be a key that everybody may read. */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"];

/** A token without a type may be an access token; one that says that it is something else is not. */
const TYPES: readonly (string | undefined)[] = [undefined, "jwt", "at+jwt", "application/jwt", "application/at+jwt"];

const THREE_PARTS = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** Whether a token has the shape of a JWT. A token of another kind may have it too, by chance. */
export function looksLikeJwt(token: string): boolean {
  return token.length <= LIMITS.jwtLength && THREE_PARTS.test(token);
}

/**
 * Verifies the access tokens of one OpenID Connect issuer. Nothing is asked of it before the first token comes.
 *
 * @throws Error for an issuer that cannot be trusted
 */
export function openOidc(options: OidcOptions): Oidc {
  checkIssuer(options.issuer);
  return new Verifier(options);
}

function rulesOf({ issuer, audience, claim, actorClaim, roles }: OidcOptions): Uint8Array {
  return createHash("sha256")
    .update(JSON.stringify([issuer, audience, claim, actorClaim, [...roles]]))
    .digest();
}

interface Verified {
  readonly identity: Identity;
  /** Those that it was verified with. It counts for as long as they do. */
  readonly keySet: KeySet;
}

class Verifier implements Oidc {
  readonly rules: Uint8Array;
  readonly #options: OidcOptions;
  readonly #now: () => Date;
  readonly #keys: IssuerKeys;
  /** By the token's SHA-256, oldest first. */
  readonly #verified = new FifoMap<string, Verified>();

  constructor(options: OidcOptions) {
    const { issuer, fetch = globalThis.fetch, timeoutMs = LIMITS.identityTimeoutMs, now = () => new Date() } = options;
    this.rules = rulesOf(options);
    this.#options = options;
    this.#now = now;
    this.#keys = new IssuerKeys({ issuer, fetch, timeoutMs }, () => now().getTime());
  }

  async verify(jwt: string): Promise<Identity | null> {
    if (!looksLikeJwt(jwt)) return null;
    const digest = createHash("sha256").update(jwt).digest("base64");
    return (await this.#recall(digest)) ?? (await this.#verifyAnew(jwt, digest));
  }

  status(): IssuerStatus {
    return this.#keys.status();
  }

  /** The identity of a token that was verified before, with the keys that the issuer still has. */
  async #recall(digest: string): Promise<Identity | null> {
    const verified = this.#verified.get(digest);
    if (verified === undefined) return null;
    const isCurrent = verified.keySet === (await this.#keys.current()) && this.#now().getTime() < verified.identity.expiresAt;
    return isCurrent ? verified.identity : null;
  }

  async #verifyAnew(jwt: string, digest: string): Promise<Identity | null> {
    const used: { keySet?: KeySet } = {};
    const signed = await this.#checkToken(jwt, used);
    if (signed === null || !TYPES.includes(signed.protectedHeader.typ?.toLowerCase())) return null;
    const identity = identityOf(signed.payload, this.#options);
    if (identity !== null && used.keySet !== undefined) this.#remember(digest, { identity, keySet: used.keySet });
    return identity;
  }

  #remember(digest: string, verified: Verified): void {
    this.#verified.set(digest, verified);
    const oldest = this.#verified.oldest();
    if (oldest !== undefined && this.#verified.size > LIMITS.verifiedTokens) this.#verified.delete(oldest[0]);
  }

  /** Signature, issuer, audience and times. `null` where one of them is wrong; tells which keys were `used`. */
  async #checkToken(jwt: string, used: { keySet?: KeySet }): Promise<JWTVerifyResult | null> {
    const { errors, jwtVerify } = await import("jose");
    const find: JWTVerifyGetKey = async (header, token) => {
      const known = await this.#keys.current();
      used.keySet = known;
      try {
        return await known.find(header, token);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
        used.keySet = await this.#keys.newerThan(known);
        return used.keySet.find(header, token);
      }
    };
    try {
      return await jwtVerify(jwt, find, this.#demands());
    } catch (error) {
      if (error instanceof AppError) throw error;
      // What jose throws is about the token, or about a key that nothing can be verified with: neither proves anything.
      return error instanceof errors.JWKSMultipleMatchingKeys ? this.#tryEach(jwt, error) : null;
    }
  }

  /** For a token that does not name its key, where several would do. */
  async #tryEach(jwt: string, keys: AsyncIterable<CryptoKey>): Promise<JWTVerifyResult | null> {
    const { jwtVerify } = await import("jose");
    let tried = 0;
    for await (const key of keys) {
      if (tried++ === LIMITS.keysTried) break;
      const signed = await jwtVerify(jwt, key, this.#demands()).catch(() => null);
      if (signed !== null) return signed;
    }
    return null;
  }

  #demands(): JWTVerifyOptions {
    const { issuer, audience } = this.#options;
    return {
      algorithms: ALGORITHMS,
      issuer,
      audience,
      clockTolerance: LIMITS.clockToleranceSeconds,
      currentDate: this.#now(),
    };
  }
}
