import { hash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Grant } from "./access.ts";
import { AppError } from "./errors.ts";

/** The document `token/<id>`. The token itself is nowhere. */
export interface TokenDocument extends Grant {
  readonly id: string;
  readonly name: string;
  /** SHA-256 of the whole token, hexadecimal. */
  readonly sha256: string;
  readonly created_at: string;
  readonly created_by: string;
  readonly expires_at: string | null;
  readonly rotated_at: string | null;
  /** The token before the last rotation, for as long as it is still taken. */
  readonly previous: { readonly sha256: string; readonly until: string } | null;
  readonly revoked_at: string | null;
  readonly revoked_by: string | null;
}

/** A token as it is listed. */
export interface TokenView extends Omit<TokenDocument, "sha256" | "previous"> {
  readonly status: "active" | "expired" | "revoked";
  /** To the minute. */
  readonly last_used_at: string | null;
  /** Until when the token before the last rotation is still taken. */
  readonly previous_until: string | null;
}

export type ShownToken = TokenView & { readonly token: string };

/** Compared with where there is no token, so that an id that exists takes no longer than one that does not. No text has it. */
const NO_DIGEST = Buffer.alloc(32);

/** When a token, or its secret before the last rotation, ends next: milliseconds since 1970. */
export function endOf({ expires_at, previous }: TokenDocument, now: number): number {
  const ends = [expires_at, previous?.until].map((moment) => (moment ? Date.parse(moment) : Number.POSITIVE_INFINITY));
  return Math.min(...ends.filter((end) => end > now));
}

export function tokenDigest(token: string): Buffer {
  return hash("sha256", token, "buffer");
}

/** For every text that is no token: neither which part is wrong nor whether its id exists. */
export function notValid(): AppError {
  return new AppError("unauthorized", { reason: "The token is not valid." });
}

export function newToken(id: string = randomBytes(8).toString("hex")): {
  readonly id: string;
  readonly token: string;
  readonly sha256: string;
} {
  const token = `envm_${id}_${randomBytes(32).toString("base64url")}`;
  return { id, token, sha256: tokenDigest(token).toString("hex") };
}

/** Compares with both digests, whichever is right and whether or not there is such a token, in constant time. */
export function holds(document: TokenDocument | null, digest: Buffer, now: number): boolean {
  const previous = document?.previous ?? null;
  const isCurrent = timingSafeEqual(digest, digestOf(document));
  const isPrevious = timingSafeEqual(digest, digestOf(previous));
  return isCurrent || (isPrevious && !isOver(previous?.until ?? null, now));
}

function digestOf(kept: { readonly sha256: string } | null): Buffer {
  return kept === null ? NO_DIGEST : Buffer.from(kept.sha256, "hex");
}

export function isOver(moment: string | null, now: number): boolean {
  return moment !== null && Date.parse(moment) <= now;
}

/** As it is listed. */
export function viewOf(document: TokenDocument, now: string, lastUsed: string | null): TokenView {
  const { sha256: _, previous, ...shown } = document;
  const ended = isOver(document.expires_at, Date.parse(now)) ? "expired" : "active";
  return {
    ...shown,
    status: document.revoked_at === null ? ended : "revoked",
    last_used_at: lastUsed,
    previous_until: previous === null || isOver(previous.until, Date.parse(now)) ? null : previous.until,
  };
}
