import type { Caller } from "./model.ts";

/** Somebody who may do everything: the root token, or anybody where auth is off. */
export function mayDoAll(actor: string, requestId: string): Caller {
  return { actor, token: actor, requestId, mayReveal: () => true, mayForce: () => true, mayApprove: true };
}

/** Somebody who may do what their route lets through, and nothing beyond it. */
export function mayDoLittle(actor: string, requestId: string): Caller {
  return { actor, token: actor, requestId, mayReveal: () => false, mayForce: () => false, mayApprove: false };
}
