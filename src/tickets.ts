import { createHmac, timingSafeEqual } from "node:crypto";
import { LIMITS } from "./limits.ts";

/**
 * A ticket lets whoever cannot send a header, as a browser's `EventSource`, watch one environment for an hour or two: it stands in the
 * address. It is made with the digest of a token's secret, so that it holds no longer than the token, on every instance, and nothing is kept
 * of it. For about an hour it is the same, so that a page that asks again need not connect again.
 */
interface Ticket {
  /** Whose token it was made with. */
  readonly holder: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  readonly mac: Uint8Array;
}

const TICKET = /^envt_([0-9a-z]{1,16})_([0-9a-z]{1,11})_([A-Za-z0-9_-]{43})$/;

/** When a ticket that is made now is over. */
export function endOfTicket(now: number): number {
  return (Math.floor(now / LIMITS.ticketMs) + 2) * LIMITS.ticketMs;
}

export function makeTicket(holder: string, key: Uint8Array, project: string, env: string, now: number): string {
  const expiresAt = endOfTicket(now);
  return `envt_${holder}_${expiresAt.toString(36)}_${macOf(holder, expiresAt, key, project, env).toString("base64url")}`;
}

export function readTicket(text: string): Ticket | null {
  const [, holder, end, mac] = TICKET.exec(text) ?? [];
  if (holder === undefined || end === undefined || mac === undefined) return null;
  return { holder, expiresAt: Number.parseInt(end, 36), mac: Buffer.from(mac, "base64url") };
}

/** Whether a ticket was made with one of these keys, for this environment. */
export function isMadeWith({ holder, expiresAt, mac }: Ticket, keys: readonly Uint8Array[], project: string, env: string): boolean {
  return keys.some((key) => timingSafeEqual(mac, macOf(holder, expiresAt, key, project, env)));
}

function macOf(holder: string, expiresAt: number, key: Uint8Array, project: string, env: string): Buffer {
  return createHmac("sha256", key)
    .update(JSON.stringify(["watch", holder, expiresAt, project, env]))
    .digest();
}
