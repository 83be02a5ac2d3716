import { randomBytes } from "node:crypto";
import { mayDoLittle } from "./callers.ts";
import { AppError } from "./errors.ts";
import { documentsOf } from "./heads.ts";
import { keys, sinkKeys, sinkPartition } from "./keys.ts";
import type { Ledger } from "./ledger.ts";
import type { Store, WebhookDeliverer } from "./ports.ts";
import { aboutWebhook, allWebhooks, type WebhookDocument, webhookIds } from "./webhook-documents.ts";
import { pingOf } from "./webhook-events.ts";
import { answered, type Deliveries, type Delivery, WebhookOutlet } from "./webhook-outlet.ts";
import type { WebhookSecrets } from "./webhook-secrets.ts";

const ENGINE = mayDoLittle("engine", "webhooks");

export interface PingResult {
  readonly delivered: boolean;
  /** `null` where no reply came. */
  readonly status: number | null;
  readonly duration_ms: number;
  readonly error: string | null;
}

/** A project's webhooks as sinks of its audit log. */
export class WebhookOutlets {
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #secrets: WebhookSecrets;
  readonly #deliverer: WebhookDeliverer | null;

  /** Without a deliverer, nothing is delivered from here. */
  constructor(store: Store, ledger: Ledger, secrets: WebhookSecrets, deliverer: WebhookDeliverer | null) {
    this.#store = store;
    this.#ledger = ledger;
    this.#secrets = secrets;
    this.#deliverer = deliverer;
  }

  /** The names of what may have to be sent to. */
  async ids(project: string): Promise<readonly string[]> {
    return this.#deliverer === null ? [] : webhookIds(this.#ledger.standing(project));
  }

  all(project: string): Promise<readonly WebhookDocument[]> {
    return allWebhooks(documentsOf(this.#store, project));
  }

  /** For one turn of a sender; `null` where there is no such webhook, or it is switched off. */
  async outlet(project: string, id: string): Promise<WebhookOutlet | null> {
    const [webhook] = await documentsOf(this.#store, project).getAll<WebhookDocument>([keys.webhook(id)]);
    return webhook?.active === true && this.#deliverer !== null ? this.#open(project, webhook) : null;
  }

  /** @throws target_not_allowed */
  async checkUrl(url: string): Promise<void> {
    await this.#available().check(url);
  }

  /** Sends an event that tells of nothing, now, whether or not the webhook is active, and says what came back. */
  async ping(project: string, webhook: WebhookDocument): Promise<PingResult> {
    const now = await this.#store.now();
    const outlet = this.#open(project, webhook);
    const begun = performance.now();
    const took = () => Math.round(performance.now() - begun);
    try {
      const event = pingOf(project, webhook.id, randomBytes(8).toString("hex"), now.toISOString());
      const { status } = await outlet.deliver(event, now, new AbortController().signal);
      const delivered = status >= 200 && status <= 299;
      return { delivered, status, duration_ms: took(), error: delivered ? null : answered(status) };
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return { delivered: false, status: null, duration_ms: took(), error: error.message };
    } finally {
      await outlet.close();
    }
  }

  /** The newest attempts, newest first. */
  async deliveries(project: string, id: string): Promise<readonly Delivery[]> {
    const [found] = await documentsOf(this.#store, sinkPartition(project)).getAll<Deliveries>([sinkKeys.deliveries(id)]);
    return [...(found?.attempts ?? [])].reverse();
  }

  /** Forgets how far a webhook had come: it is gone, and its id is never given again. */
  async forget(project: string, id: string): Promise<void> {
    const deletes = [sinkKeys.state(id), sinkKeys.deliveries(id)];
    await this.#store.commit(sinkPartition(project), { checks: [], puts: [], deletes, objects: [], objectDeletes: [] });
  }

  #open(project: string, webhook: WebhookDocument): WebhookOutlet {
    return new WebhookOutlet({
      store: this.#store,
      project,
      webhook,
      deliverer: this.#available(),
      secrets: () => this.#secrets.current(project, webhook),
      end: (reason) => this.#disable(project, webhook.id, reason),
    });
  }

  async #disable(project: string, id: string, reason: string): Promise<void> {
    await this.#ledger.write(project, ENGINE, async (tx) => {
      const webhook = await tx.get<WebhookDocument>(keys.webhook(id));
      if (webhook === null || !webhook.active) return;
      tx.put(keys.webhook(id), { ...webhook, active: false, disabled: { at: tx.now, reason } } satisfies WebhookDocument);
      await tx.audit({ action: "webhook_disabled", details: { ...aboutWebhook(webhook), reason } });
    });
  }

  #available(): WebhookDeliverer {
    if (this.#deliverer !== null) return this.#deliverer;
    throw new AppError("invalid_request", { reason: "This engine delivers no webhooks.", fix: "Ask whoever runs it." });
  }
}
