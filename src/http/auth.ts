import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { mayDoAll } from "../callers.ts";
import { AppError } from "../errors.ts";
import type { Caller } from "../model.ts";

/** Tells who asks. @throws unauthorized */
export type Authenticate = (request: IncomingMessage, requestId: string) => Caller;

const BEARER = /^Bearer +([\x21-\x7e]+)$/i;

/** For development on a loopback host: whoever gets here may do everything. */
export const trustEveryone: Authenticate = (_request, requestId) => mayDoAll("local", requestId);

/** One token that may do everything, known by its SHA-256 alone. */
export function rootTokenOnly(rootTokenDigest: Uint8Array): Authenticate {
  return (request, requestId) => {
    // Digests are of one length, so that comparing tells neither length nor place of a difference.
    if (!timingSafeEqual(digest(bearerToken(request)), rootTokenDigest))
      throw new AppError("unauthorized", { reason: "The token is not valid." });
    return mayDoAll("root", requestId);
  };
}

function bearerToken(request: IncomingMessage): string {
  const [header, second] = request.headersDistinct.authorization ?? [];
  if (header === undefined) throw new AppError("unauthorized", { reason: "The request has no Authorization header." });
  if (second !== undefined) throw new AppError("unauthorized", { reason: "The request has more than one Authorization header." });
  const token = BEARER.exec(header)?.[1];
  if (token === undefined) throw new AppError("unauthorized", { reason: "The Authorization header is not of the form `Bearer <token>`." });
  return token;
}

function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
