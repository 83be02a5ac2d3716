import { AppError } from "./errors.ts";
import { isObject } from "./json.ts";
import { auditSeq, keys, sinkKeys, sinkPartition } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import type { AuditRecord } from "./model.ts";
import type { Outlet } from "./outlets.ts";
import type { Entry, Store } from "./ports.ts";
import type { SinkHints } from "./sink-hints.ts";
import { failed, isHeld, moved, newState, restsUntil, type SinkState } from "./sink-state.ts";
import { Tenure } from "./tenure.ts";

/**
 * Sends a project's audit records to one sink: in order, each at least once, by one sender at a time on any number of
 * instances. Who sends holds a lease, taken by a commit of the sink's document; every move of the cursor is a commit that
 * finds the document as its own last one left it. So a sender that was thought dead cannot move it back or on.
 */
export class Sender {
  readonly #store: Store;
  readonly #hints: SinkHints;
  readonly #failed: (error: unknown) => void;
  /** Names this instance in leases. */
  readonly #owner: string;

  constructor(store: Store, hints: SinkHints, failed: (error: unknown) => void, instance: string) {
    this.#owner = instance;
    this.#store = store;
    this.#hints = hints;
    this.#failed = failed;
  }

  /** Whether there are records that the sink has not had, or is not known to have had. */
  async hasWork(project: string, outlet: Outlet): Promise<boolean> {
    const [entry] = await this.#store.get(sinkPartition(project), [sinkKeys.state(outlet.name)]);
    return (await this.#after(project, stateOf(entry, outlet).cursor, 1)).length > 0;
  }

  /** One turn: a page of records at most. Returns whether there is more to be sent at once. */
  async turn(project: string, outlet: Outlet, signal: AbortSignal): Promise<boolean> {
    const [[entry], now] = await Promise.all([this.#store.get(sinkPartition(project), [sinkKeys.state(outlet.name)]), this.#store.now()]);
    const state = stateOf(entry, outlet);
    const entries = await this.#after(project, state.cursor, LIMITS.sinkPage);
    if (entries.length === 0) return false;
    // Whoever sends has set a timer for it before.
    if (isHeld(state, this.#owner, now)) return false;
    const rest = restsUntil(state, now, outlet.since);
    await this.#hints.set(project, outlet.name, rest ?? this.#hints.afterLease(now));
    if (rest !== null) return false;
    const tenure = new Tenure(this.#store, { project, name: outlet.name, owner: this.#owner, now, revision: entry?.revision ?? null });
    if (!(await tenure.save(state))) return true;
    return this.#send(outlet, tenure, state, entries, signal);
  }

  async #send(outlet: Outlet, tenure: Tenure, begun: SinkState, entries: readonly Entry[], signal: AbortSignal): Promise<boolean> {
    let state = begun;
    let unsaved = 0;
    for (const entry of entries) {
      if (signal.aborted || tenure.elapsedMs() > LIMITS.sinkTurnMs) break;
      // Who stood still for so long asks first: somebody else may have gone on by now.
      if (tenure.isOver() && !(await tenure.save(state, outlet.notes()))) return true;
      try {
        const attempt = { failures: state.failures, signal };
        const outcome = await tenure.holding(state, () => sendOne(outlet, entry, attempt));
        if (typeof outcome === "object" && "gone" in outcome) return await this.#end(outlet, tenure, state, outcome.gone);
        state = moved(state, auditSeq(entry.key), outcome, tenure.now().toISOString());
      } catch (error) {
        // Nobody is to blame for a shutdown.
        if (signal.aborted) break;
        return await this.#leave(outlet, tenure, state, error);
      }
      if (++unsaved < LIMITS.sinkBatch && !tenure.isHalfOver()) continue;
      if (!(await tenure.save(state, outlet.notes()))) return true;
      unsaved = 0;
    }
    if (!(await tenure.release(state, outlet.notes()))) return true;
    return state.cursor < auditSeq(entries.at(-1)?.key ?? "") || entries.length === LIMITS.sinkPage;
  }

  /** Leaves the rest for later. */
  async #leave(outlet: Outlet, tenure: Tenure, state: SinkState, error: unknown): Promise<boolean> {
    const left = failed(state, reasonOf(error), tenure.now(), restOf(error));
    if (!(error instanceof AppError)) this.#failed(error);
    const since = [left.failing_since ?? "", outlet.since ?? ""].sort().at(-1) ?? "";
    if (outlet.end !== undefined && tenure.now().getTime() - Date.parse(since) > LIMITS.webhookGiveUpMs) {
      return this.#end(outlet, tenure, left, `nothing but failures since ${since}, the last: ${reasonOf(error)}`);
    }
    if (left.next_at !== null) await this.#hints.set(tenure.project, outlet.name, left.next_at);
    await tenure.release(left, outlet.notes());
    return false;
  }

  /** Whoever may have lost the lease judges nobody. The record of it comes first: after a crash in between, the sink says once more that it is gone. */
  async #end(outlet: Outlet, tenure: Tenure, state: SinkState, reason: string): Promise<boolean> {
    if (!(await tenure.save(state, outlet.notes()))) return true;
    await outlet.end?.(reason);
    await tenure.release({ ...state, last_error: { at: tenure.now().toISOString(), reason } }, outlet.notes());
    return false;
  }

  #after(project: string, cursor: number, limit: number): Promise<readonly Entry[]> {
    return this.#store.list(project, { prefix: keys.auditPrefix, from: keys.audit(cursor + 1), limit });
  }
}

function stateOf(entry: Entry | null | undefined, outlet: Outlet): SinkState {
  return (entry?.value as unknown as SinkState | undefined) ?? newState(outlet.from);
}

/** What somebody made of a record past the engine is nothing that a sink could take; `verify` tells of it. */
async function sendOne(outlet: Outlet, { value }: Entry, attempt: Parameters<Outlet["send"]>[1]) {
  if (!isObject(value) || typeof value.action !== "string") return { refused: "The record was altered in the store." };
  return outlet.send(value as unknown as AuditRecord, attempt);
}

/** For how long the other side asked to be left alone, in milliseconds. */
function restOf(error: unknown): number {
  const asked = error instanceof AppError ? error.details?.["retry_after_ms"] : undefined;
  return typeof asked === "number" ? asked : 0;
}

/** What an expected failure says may be shown; anything else is for the log. */
function reasonOf(error: unknown): string {
  return error instanceof AppError ? error.message : "Something went wrong inside the engine.";
}
