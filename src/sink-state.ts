import { LIMITS } from "./limits.ts";
import { isAhead } from "./store-clock.ts";

/** The document `sink/<name>` in a project's partition of sinks: how far a sink has come with the project's audit log. Pure. */
export interface SinkState {
  /** The number of the newest record that is done with. */
  readonly cursor: number;
  /** Who sends now, and until when nobody else does. */
  readonly lease: { readonly owner: string; readonly until: string } | null;
  /** Records that it has. */
  readonly taken: number;
  readonly refused_count: number;
  /** The newest records that it will never take, and why. */
  readonly refused: readonly { readonly seq: number; readonly reason: string; readonly at: string }[];
  /** Failures in a row. */
  readonly failures: number;
  /** When the first of them was. */
  readonly failing_since: string | null;
  /** Before this it is not tried again. */
  readonly next_at: string | null;
  /** Kept when it works again. */
  readonly last_error: { readonly at: string; readonly reason: string } | null;
}

/** What became of a record: `passed` means that it was none of this sink's business. */
export type Outcome = "taken" | "passed" | { readonly refused: string };

export function newState(cursor: number): SinkState {
  return {
    cursor,
    lease: null,
    taken: 0,
    refused_count: 0,
    refused: [],
    failures: 0,
    failing_since: null,
    next_at: null,
    last_error: null,
  };
}

/** After a record that is done with, whatever became of it. */
export function moved(state: SinkState, seq: number, outcome: Outcome, at: string): SinkState {
  const next = { ...state, cursor: seq };
  if (outcome === "passed") return next;
  const working = { ...next, failures: 0, failing_since: null, next_at: null };
  if (outcome === "taken") return { ...working, taken: state.taken + 1 };
  const refused = [...state.refused, { seq, reason: cut(outcome.refused), at }].slice(-LIMITS.sinkRefusals);
  return { ...working, refused_count: state.refused_count + 1, refused };
}

/**
 * After a failure: the next try comes later after each, at a time of its own, so that not all projects come back at once, and not
 * before `restMs` are over where the other side asked for that.
 */
export function failed(state: SinkState, reason: string, now: Date, restMs: number): SinkState {
  const at = now.toISOString();
  const longest = Math.min(LIMITS.sinkRetryMs * 2 ** Math.min(state.failures, 30), LIMITS.sinkRetryMaxMs);
  const pause = Math.min(restMs, LIMITS.sinkRestMs) + longest * (0.5 + Math.random() / 2);
  return {
    ...state,
    lease: null,
    failures: state.failures + 1,
    failing_since: state.failing_since ?? at,
    next_at: new Date(now.getTime() + pause).toISOString(),
    last_error: { at, reason: cut(reason) },
  };
}

/** Whether somebody else sends. */
export function isHeld({ lease }: SinkState, owner: string, now: Date): boolean {
  return lease !== null && lease.owner !== owner && isAhead(Date.parse(lease.until), LIMITS.sinkLeaseMs, now.getTime());
}

/**
 * Until when a sender has to keep its hands off; `null` where it may go on. `since`: failures before that do not count, nor one that is yet to
 * come, which a clock told of that has been set back.
 */
export function restsUntil(state: SinkState, now: Date, since: string | null): string | null {
  const { next_at, last_error } = state;
  const isOutdated = since !== null && last_error !== null && last_error.at < since;
  const isYetToCome = last_error !== null && Date.parse(last_error.at) > now.getTime() + LIMITS.sinkLeaseMs;
  return next_at !== null && next_at > now.toISOString() && !isOutdated && !isYetToCome ? next_at : null;
}

export function cut(text: string): string {
  return text.slice(0, LIMITS.sinkErrorLength);
}
