import { SYSTEM_PARTITION } from "./keys.ts";
import type { Ledger } from "./ledger.ts";
import { LIMITS } from "./limits.ts";
import type { Caller } from "./model.ts";
import type { Clock, JsonObject } from "./ports.ts";
import { isAhead } from "./store-clock.ts";

interface Refusal {
  readonly action: "token_refused" | "access_refused";
  /** Of which there is a fixed number: nothing that the caller chose. */
  readonly what: string;
  readonly details: JsonObject;
}

/**
 * Records of what was refused to somebody known, in the audit log of access: of one kind the first in an hour, for each token and
 * instance, so that nobody can fill it.
 */
export class Refusals {
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #failed: (error: unknown) => void;
  /** When each was last recorded, in milliseconds since 1970. */
  readonly #noted = new Map<string, number>();

  constructor(ledger: Ledger, clock: Clock, failed: (error: unknown) => void) {
    this.#ledger = ledger;
    this.#clock = clock;
    this.#failed = failed;
  }

  /** Whoever is refused does not wait for the record of it. */
  note(caller: Caller, { action, what, details }: Refusal): void {
    const now = this.#clock.now().getTime();
    const key = JSON.stringify([caller.token, action, what]);
    if (isAhead((this.#noted.get(key) ?? Number.NEGATIVE_INFINITY) + LIMITS.refusalNotedMs, LIMITS.refusalNotedMs, now)) return;
    if (this.#noted.size >= LIMITS.notedTokens) this.#noted.clear();
    this.#noted.set(key, now);
    const { once: _, ...refused } = caller;
    this.#ledger.write(SYSTEM_PARTITION, refused, (tx) => tx.audit({ action, details })).catch(this.#failed);
  }
}
