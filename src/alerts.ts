import { documentsOf } from "./heads.ts";
import { keys } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import type { AuditRecord, Environment } from "./model.ts";
import type { Alert, Clock, Sink, Store } from "./ports.ts";
import { isAhead } from "./store-clock.ts";

/**
 * What people are alerted of. What an audit record tells of goes out with the record, by the same cursor, so that it is never
 * lost; what no record tells of, a broken chain of records, goes out as it is found.
 */
export class Alerts {
  readonly #store: Store;
  readonly #sinks: readonly Sink[];
  readonly #clock: Clock;
  readonly #failed: (error: unknown) => void;
  /** When each was last raised, in milliseconds since 1970. */
  readonly #raised = new Map<string, number>();
  #underWay = 0;

  constructor(store: Store, sinks: readonly Sink[], clock: Clock, failed: (error: unknown) => void) {
    this.#store = store;
    this.#sinks = sinks.filter(({ alert }) => alert !== undefined);
    this.#clock = clock;
    this.#failed = failed;
  }

  /** The alert that a record gives rise to, or `null`. */
  async of(record: AuditRecord): Promise<Alert | null> {
    const { project, environment, version, actor, request_id, details } = record;
    const about = { project, triggered_by: actor, request_id };
    if (record.action === "validation_failed" && details.type === "production") {
      return { ...about, severity: "critical", message: `${version} may not go to ${environment}: the Validation engine refuses it.` };
    }
    if (record.action !== "deployment" || details.status !== "failed") return null;
    const why = typeof details.reason === "string" ? `: ${details.reason}` : ".";
    const severity = (await this.#isProduction(project, environment)) ? "critical" : "warning";
    return { ...about, severity, message: `Deploying ${version} to ${environment} failed${why}` };
  }

  /** Tells whoever listens, as well as it can be done: nobody waits, and the same alert goes out once an hour and instance. */
  raise(alert: Alert): void {
    const now = this.#clock.now().getTime();
    const key = JSON.stringify([alert.project, alert.severity, alert.message]);
    if (isAhead((this.#raised.get(key) ?? Number.NEGATIVE_INFINITY) + LIMITS.alertEveryMs, LIMITS.alertEveryMs, now)) return;
    if (this.#underWay >= LIMITS.alertsAtOnce) return;
    if (this.#raised.size >= LIMITS.notedTokens) this.#raised.clear();
    this.#raised.set(key, now);
    for (const sink of this.#sinks) void this.#tell(sink, alert, key);
  }

  async #tell(sink: Sink, alert: Alert, key: string): Promise<void> {
    this.#underWay++;
    try {
      await sink.alert?.(alert, new AbortController().signal);
    } catch (error) {
      // Whoever finds it again may tell it again.
      this.#raised.delete(key);
      this.#failed(error);
    } finally {
      this.#underWay--;
    }
  }

  async #isProduction(project: string, env: string | null): Promise<boolean> {
    if (env === null) return false;
    const [head] = await documentsOf(this.#store, project).getAll<Environment>([keys.environment(env)]);
    return head?.type === "production";
  }
}
