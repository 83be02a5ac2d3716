import { randomBytes } from "node:crypto";
import { mayDoLittle } from "./callers.ts";
import { keys } from "./keys.ts";
import type { Ledger } from "./ledger.ts";
import type { Caller } from "./model.ts";
import type { Json, Store } from "./ports.ts";
import type { SecretReference, Secrets } from "./secrets.ts";
import type { Timers } from "./timers.ts";
import type { Transaction } from "./transaction.ts";
import { type ShownWebhook, viewOfWebhook, type WebhookDocument } from "./webhook-documents.ts";

/** Where signing secrets stand among those of environments, none of which can have this name. */
const ENV = "_webhooks";
const ENGINE = mayDoLittle("engine", "webhooks");

/** What webhooks are signed with: `whsec_` and 256 random bits in base64, as Standard Webhooks has it, in the vault like any secret. */
export class WebhookSecrets {
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #secrets: Secrets;
  readonly #timers: Timers;

  constructor(store: Store, ledger: Ledger, secrets: Secrets, timers: Timers) {
    this.#store = store;
    this.#ledger = ledger;
    this.#secrets = secrets;
    this.#timers = timers;
  }

  /**
   * Commits what `work` makes of a new secret, and shows it. It is in the vault before the commit that refers to it, and leaves
   * it again where that does not happen.
   */
  async withNew(
    caller: Caller,
    project: string,
    id: string,
    work: (tx: Transaction, secret: SecretReference) => Promise<WebhookDocument>,
  ): Promise<ShownWebhook> {
    const secret = `whsec_${randomBytes(32).toString("base64")}`;
    return this.#secrets.within(caller, project, ENV, new Map([[id, { value: secret }]]), async (tx, references) => {
      const reference = references.get(`secrets/${id}`);
      if (reference === undefined) throw new Error("a secret that was staged has no reference");
      return { ...viewOfWebhook(await work(tx, reference), tx.clock), secret };
    });
  }

  /** What events are signed with now: after a rotation, for a while, with both. */
  async current(project: string, { id, secret, previous }: WebhookDocument): Promise<readonly string[]> {
    const now = (await this.#store.now()).toISOString();
    const references = [secret, ...(previous !== null && previous.until > now ? [previous.secret] : [])];
    const lost = {
      reason: `The secret that the webhook ${id} signs with is gone from the vault.`,
      fix: `Make a new one, and give it to the receiver: POST /env/${project}/webhooks/${id}/rotate.`,
    };
    return Promise.all(references.map((reference) => this.#secrets.revealOwn(project, ENV, reference as unknown as Json, lost)));
  }

  /** Gives secrets up with the commit. */
  release(tx: Transaction, references: readonly SecretReference[]): void {
    this.#secrets.release(tx, ENV, references as unknown as readonly Json[]);
  }

  setTimer(project: string, id: string, at: string): Promise<void> {
    return this.#timers.setFor({ project, what: `webhook:${id}` }, at);
  }

  /** The timer's part: gives up a secret that events are not signed with any more. */
  async settle(project: string, id: string): Promise<void> {
    const again = await this.#ledger.write(project, ENGINE, async (tx) => {
      const webhook = await tx.get<WebhookDocument>(keys.webhook(id));
      if (webhook === null || webhook.previous === null) return null;
      if (webhook.previous.until > tx.clock) return webhook.previous.until;
      this.release(tx, [webhook.previous.secret]);
      tx.put(keys.webhook(id), { ...webhook, previous: null } satisfies WebhookDocument);
      return null;
    });
    if (again !== null) await this.setTimer(project, id, again);
  }
}
