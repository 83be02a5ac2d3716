import { AppError } from "./errors.ts";
import { documentsOf } from "./heads.ts";
import { sinkKeys, sinkPartition } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import type { AuditRecord } from "./model.ts";
import type { Attempt, Outlet } from "./outlets.ts";
import type { Put, Store, WebhookConnection, WebhookDeliverer, WebhookEvent, WebhookReply } from "./ports.ts";
import { cut, type Outcome } from "./sink-state.ts";
import type { WebhookDocument } from "./webhook-documents.ts";
import { eventOf, wants } from "./webhook-events.ts";

/** One attempt to deliver an event: of the receiver's reply its status alone. */
export interface Delivery {
  readonly id: string;
  readonly type: string;
  readonly at: string;
  readonly outcome: "taken" | "refused" | "failed";
  readonly status: number | null;
  readonly duration_ms: number;
  readonly error: string | null;
}

/** The document `deliveries/<webhook>`, the newest last. */
export interface Deliveries {
  readonly attempts: readonly Delivery[];
}

interface WebhookOutletParts {
  readonly store: Store;
  readonly project: string;
  readonly webhook: WebhookDocument;
  readonly deliverer: WebhookDeliverer;
  /** Those that events are signed with at the moment. */
  readonly secrets: () => Promise<readonly string[]>;
  readonly end: (reason: string) => Promise<void>;
}

/** What is wrong with one event, and not with the address or the way there. */
const ABOUT_THE_EVENT: ReadonlySet<number> = new Set([400, 413, 415, 422]);
const GONE = 410;

/** One webhook, for one turn of a sender. */
export class WebhookOutlet implements Outlet {
  readonly name: string;
  readonly from: number;
  readonly since: string;
  readonly #parts: WebhookOutletParts;
  #connection: WebhookConnection | null = null;
  #secrets: Promise<readonly string[]> | null = null;
  #attempts: Delivery[] | null = null;

  constructor(parts: WebhookOutletParts) {
    this.#parts = parts;
    this.name = parts.webhook.id;
    this.from = parts.webhook.from;
    this.since = parts.webhook.changed_at;
  }

  async send(record: AuditRecord, attempt: Attempt): Promise<Outcome | { readonly gone: string }> {
    if (!wants(this.#parts.webhook, record)) return "passed";
    const event = eventOf(record);
    const begun = performance.now();
    const now = await this.#parts.store.now();
    const at = now.toISOString();
    const note = (outcome: Delivery["outcome"], status: number | null, error: string | null) =>
      this.#note({ id: event.id, type: event.type, at, outcome, status, duration_ms: Math.round(performance.now() - begun), error });
    let status: number | null = null;
    try {
      const reply = await this.deliver(event, now, attempt.signal);
      status = reply.status;
      const sent = judge(reply, attempt.failures);
      await note(sent === "taken" ? "taken" : "refused", status, sent === "taken" ? null : answered(status));
      return sent;
    } catch (error) {
      await note("failed", status, error instanceof AppError ? cut(error.message) : "Something went wrong inside the engine.");
      throw error;
    }
  }

  /** Sends any event, and says what came back. */
  async deliver(event: WebhookEvent, now: Date, signal: AbortSignal): Promise<WebhookReply> {
    this.#secrets ??= this.#parts.secrets();
    const secrets = await this.#secrets;
    this.#connection ??= this.#parts.deliverer.open(this.#parts.webhook.url);
    return this.#connection.send(event, secrets, now, signal);
  }

  notes(): readonly Put[] {
    if (this.#attempts === null) return [];
    const attempts = this.#attempts.slice(-LIMITS.webhookDeliveries);
    return [{ key: sinkKeys.deliveries(this.name), value: { attempts: attempts.map((attempt) => ({ ...attempt })) } }];
  }

  end(reason: string): Promise<void> {
    return this.#parts.end(reason);
  }

  async close(): Promise<void> {
    await this.#connection?.close();
  }

  async #note(delivery: Delivery): Promise<void> {
    this.#attempts ??= await this.#before();
    this.#attempts.push(delivery);
  }

  async #before(): Promise<Delivery[]> {
    const { store, project } = this.#parts;
    const [found] = await documentsOf(store, sinkPartition(project)).getAll<Deliveries>([sinkKeys.deliveries(this.name)]);
    return [...(found?.attempts ?? [])];
  }
}

/**
 * What a receiver means by a status. That it will not have one event it has to say a few times: a receiver whose secret is
 * wrong answers every event so, and is mended sooner or later.
 * @throws engine_unavailable
 */
function judge({ status, retryAfterMs }: WebhookReply, failures: number): Outcome | { readonly gone: string } {
  if (status >= 200 && status <= 299) return "taken";
  if (status === GONE) return { gone: answered(status) };
  if (ABOUT_THE_EVENT.has(status) && failures + 1 >= LIMITS.webhookRefusals) return { refused: answered(status) };
  throw new AppError("engine_unavailable", {
    reason: answered(status),
    fix: "See why the receiver does not answer with a status from 200 to 299.",
    details: { ...(retryAfterMs !== null && { retry_after_ms: retryAfterMs }) },
  });
}

/** Of a reply its status alone: bodies and headers are the receiver's own. */
export function answered(status: number): string {
  return `The receiver answers with status ${status}.`;
}
