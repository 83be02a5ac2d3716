import { LIMITS } from "../limits.ts";
import type { Alert, AuditRecord, JsonObject, Sent, Sink } from "../ports.ts";
import { unavailable } from "./failures.ts";
import { told } from "./monitoring-text.ts";
import type { Sibling } from "./sibling.ts";

/** What says nothing about the record, but about who asks or when: it may be taken another time. */
const NOT_FOR_GOOD: ReadonlySet<number> = new Set([401, 403, 408, 425, 429]);

/**
 * The Monitoring engine: `POST /monitoring/logs` takes a record, `POST /monitoring/alert` tells people. A status from 200 to 299
 * says that it is taken, whatever the body; one of 400 to 499 that it never will be, but for those that say "not now" or
 * "not you".
 */
export class Monitoring implements Sink {
  readonly name = "monitoring";
  readonly #sibling: Sibling;

  constructor(sibling: Sibling) {
    this.#sibling = sibling;
  }

  send(record: AuditRecord, signal: AbortSignal): Promise<Sent> {
    const { project, seq, environment, version, actor, action, at } = record;
    const log = {
      ...told(record),
      engine: "environment-manager",
      project_id: project,
      env: environment,
      version,
      user: actor,
      action,
      timestamp: at,
      id: `${project}:${seq}`,
    };
    return this.#post("logs", log, record.request_id, signal);
  }

  alert({ project, severity, message, triggered_by, request_id }: Alert, signal: AbortSignal): Promise<Sent> {
    return this.#post("alert", { project_id: project, severity, message, triggered_by }, request_id, signal);
  }

  async #post(what: "logs" | "alert", json: JsonObject, requestId: string, signal: AbortSignal): Promise<Sent> {
    const request = { method: "POST", json, requestId, signal, timeoutMs: LIMITS.sinkTimeoutMs } as const;
    // Tried once: whoever sends has a patience of its own.
    const response = await this.#sibling.call(["monitoring", what], { ...request, idempotent: false });
    const { status } = response;
    if (status >= 200 && status <= 299) return "taken";
    const answered = `answers with status ${status}`;
    if (status >= 400 && status <= 499 && !NOT_FOR_GOOD.has(status)) return { refused: `The Monitoring engine ${answered}.` };
    throw unavailable("malformed", "The Monitoring engine", answered, response.retryAfterMs());
  }
}
