import type { JWTPayload } from "jose";
import type { Grant } from "../access.ts";
import { isObject } from "../json.ts";
import { LIMITS } from "../limits.ts";

/** Who a verified token speaks for, and what that grants. */
export interface Identity {
  /** Whose token it is, by the issuer's own name: never given to anybody else. */
  readonly subject: string;
  /** What the audit log calls them. */
  readonly actor: string;
  readonly grants: readonly Grant[];
  /** In milliseconds since 1970. */
  readonly expiresAt: number;
}

export interface Mapping {
  /** The claim that holds groups or roles: a string, or a list of strings; dots lead into nested claims (`realm_access.roles`). */
  readonly claim: string;
  /** What each value of the claim grants. */
  readonly roles: ReadonlyMap<string, Grant>;
  /** The claim that names the person in the audit log. Whose token lacks it is named by `sub`. */
  readonly actorClaim: string;
}

/** `null` where the token names nobody, never expires, or is granted nothing. */
export function identityOf(payload: JWTPayload, { claim, roles, actorClaim }: Mapping): Identity | null {
  const subject = asName(payload.sub);
  const expiresAt = Math.floor((payload.exp ?? Number.NaN) * 1000);
  const grants = [...new Set(valuesOf(claimAt(payload, claim)))].flatMap((value) => roles.get(value) ?? []);
  if (subject === null || !Number.isSafeInteger(expiresAt) || grants.length === 0) return null;
  return Object.freeze({ subject, actor: asName(claimAt(payload, actorClaim)) ?? subject, grants: Object.freeze(grants), expiresAt });
}

/** The claim of that name, or else the one that its dots lead to: names of claims may hold dots (`https://example.com/roles`). */
function claimAt(claims: unknown, path: string): unknown {
  if (!isObject(claims)) return undefined;
  const members = new Map(Object.entries(claims));
  if (members.has(path)) return members.get(path);
  for (let dot = path.indexOf("."); dot !== -1; dot = path.indexOf(".", dot + 1)) {
    const found = claimAt(members.get(path.slice(0, dot)), path.slice(dot + 1));
    if (found !== undefined) return found;
  }
  return undefined;
}

function valuesOf(claim: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(claim) ? claim : [claim];
  return values.filter((value) => typeof value === "string");
}

/** What is not seen, or turns letters around, makes a name look like somebody else's. */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]/u;

function asName(claim: unknown): string | null {
  if (typeof claim !== "string" || claim === "" || claim.length > LIMITS.identityNameLength) return null;
  return claim.trim() !== claim || UNSEEN.test(claim) ? null : claim;
}
