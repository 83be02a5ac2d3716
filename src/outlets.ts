import type { Alerts } from "./alerts.ts";
import type { AuditRecord } from "./model.ts";
import type { Put, Sink } from "./ports.ts";
import type { Outcome } from "./sink-state.ts";

/** How a record is sent: how often this very record has failed before, and until when anybody waits. */
export interface Attempt {
  readonly failures: number;
  readonly signal: AbortSignal;
}

/** A sink as one project has it, for one turn of a sender. */
export interface Outlet {
  readonly name: string;
  /** The number of the last record that it does not get, where it has no document yet. */
  readonly from: number;
  /** Failures before this time do not count: what they failed of was changed. `null` where nothing changes. */
  readonly since: string | null;
  /** @throws where it is to be tried again later; `gone` where it is of no use ever again */
  send(record: AuditRecord, attempt: Attempt): Promise<Outcome | { readonly gone: string }>;
  /** Documents of the sinks' partition that go with the next commit of the cursor. */
  notes(): readonly Put[];
  /** Switches it off, with a record of why. Absent where it cannot be. */
  end?(reason: string): Promise<void>;
  close(): Promise<void>;
}

/** A sink that gets every record of every project, from the first one on. */
export class SinkOutlet implements Outlet {
  readonly name: string;
  readonly from = 0;
  readonly since = null;
  readonly #sink: Sink;
  readonly #alerts: Alerts;

  constructor(sink: Sink, alerts: Alerts) {
    this.name = sink.name;
    this.#sink = sink;
    this.#alerts = alerts;
  }

  async send(record: AuditRecord, { signal }: Attempt): Promise<Outcome> {
    const sent = await this.#sink.send(record, signal);
    const alert = this.#sink.alert === undefined ? null : await this.#alerts.of(record);
    // Both or neither: where the alert fails, the record is sent again with it.
    const alerted = alert === null ? "taken" : await this.#sink.alert?.(alert, signal);
    return sent === "taken" && alerted !== undefined && alerted !== "taken" ? { refused: `its alert: ${alerted.refused}` } : sent;
  }

  notes(): readonly Put[] {
    return [];
  }

  async close(): Promise<void> {}
}
