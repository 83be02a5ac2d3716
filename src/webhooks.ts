import { randomBytes } from "node:crypto";
import { parseDuration } from "./durations.ts";
import { AppError } from "./errors.ts";
import { documentsOf } from "./heads.ts";
import { keys } from "./keys.ts";
import type { Ledger } from "./ledger.ts";
import { LIMITS } from "./limits.ts";
import type { Caller } from "./model.ts";
import { checkProject } from "./names.ts";
import type { Store } from "./ports.ts";
import { type Project, projectNotFound } from "./transaction.ts";
import {
  aboutWebhook,
  checkPatterns,
  checkRoom,
  findWebhook,
  type ShownWebhook,
  viewOfWebhook,
  type WebhookDocument,
  type WebhookPatch,
  type WebhookRequest,
  type WebhookView,
  webhookIds,
} from "./webhook-documents.ts";
import type { Delivery } from "./webhook-outlet.ts";
import type { PingResult, WebhookOutlets } from "./webhook-outlets.ts";
import type { WebhookSecrets } from "./webhook-secrets.ts";

/** A project's webhooks: addresses outside that hear of what happens. */
export class Webhooks {
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #secrets: WebhookSecrets;
  readonly #outlets: WebhookOutlets;

  constructor(store: Store, ledger: Ledger, secrets: WebhookSecrets, outlets: WebhookOutlets) {
    this.#store = store;
    this.#ledger = ledger;
    this.#secrets = secrets;
    this.#outlets = outlets;
  }

  /** It hears of what is recorded from now on. The signing secret is shown by this, and by `rotate`, alone. */
  async create(caller: Caller, project: string, request: WebhookRequest): Promise<ShownWebhook> {
    await this.#check(project, request);
    const id = `wh${randomBytes(8).toString("hex")}`;
    return this.#secrets.withNew(caller, project, id, async (tx, secret) => {
      const ids = await webhookIds(tx);
      checkRoom(ids);
      const { url, events = ["*"], envs = ["*"], description = "" } = request;
      const settings = { id, url, events, envs, description };
      const record = await tx.audit({ action: "webhook_created", details: aboutWebhook(settings) });
      const webhook: WebhookDocument = {
        ...settings,
        active: true,
        disabled: null,
        from: record.seq,
        created_at: tx.now,
        created_by: caller.actor,
        updated_at: tx.now,
        updated_by: caller.actor,
        changed_at: tx.now,
        rotated_at: null,
        secret,
        previous: null,
      };
      tx.put(keys.webhook(id), webhook);
      tx.put(keys.webhooks, { ids: [...ids, id] });
      return webhook;
    });
  }

  /** Switched on again, it goes on where it stopped. */
  async patch(caller: Caller, project: string, id: string, patch: WebhookPatch): Promise<WebhookView> {
    await this.#check(project, patch);
    return this.#ledger.once(project, caller, () =>
      this.#ledger.write(project, caller, async (tx) => {
        const before = await findWebhook(tx, id);
        const given = Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined));
        const asked: WebhookDocument = { ...before, ...given, updated_at: tx.now, updated_by: caller.actor };
        const again = asked.active && !before.active;
        const next: WebhookDocument = {
          ...asked,
          disabled: again ? null : before.disabled,
          changed_at: again || asked.url !== before.url ? tx.now : before.changed_at,
        };
        tx.put(keys.webhook(id), next);
        await tx.audit({ action: "webhook_updated", details: { ...aboutWebhook(next), active: next.active } });
        return viewOfWebhook(next, tx.clock);
      }),
    );
  }

  async remove(caller: Caller, project: string, id: string): Promise<{ readonly status: "deleted"; readonly id: string }> {
    await this.#check(project);
    const reply = await this.#ledger.once(project, caller, () =>
      this.#ledger.write(project, caller, async (tx) => {
        const webhook = await findWebhook(tx, id);
        tx.delete(keys.webhook(id));
        tx.put(keys.webhooks, { ids: (await webhookIds(tx)).filter((other) => other !== id) });
        this.#secrets.release(tx, [webhook.secret, ...(webhook.previous === null ? [] : [webhook.previous.secret])]);
        await tx.audit({ action: "webhook_deleted", details: aboutWebhook(webhook) });
        return { status: "deleted" as const, id };
      }),
    );
    await this.#outlets.forget(project, id);
    return reply;
  }

  /** Another signing secret; events are signed with the one before too, for `overlap` longer. */
  async rotate(caller: Caller, project: string, id: string, overlap: string | undefined): Promise<ShownWebhook> {
    await this.view(project, id);
    const ms = overlapMs(overlap);
    // Before the commit, so that a crash in between leaves a timer too many; where it comes early, it sets another.
    const end = new Date((await this.#store.now()).getTime() + ms).toISOString();
    if (ms > 0) await this.#secrets.setTimer(project, id, end);
    return this.#secrets.withNew(caller, project, id, async (tx, secret) => {
      const before = await findWebhook(tx, id);
      const kept = ms === 0 ? null : { secret: before.secret, until: new Date(Date.parse(tx.clock) + ms).toISOString() };
      this.#secrets.release(tx, [...(before.previous === null ? [] : [before.previous.secret]), ...(kept === null ? [before.secret] : [])]);
      const next: WebhookDocument = { ...before, secret, previous: kept, rotated_at: tx.now, changed_at: tx.now };
      tx.put(keys.webhook(id), next);
      await tx.audit({ action: "webhook_rotated", details: { ...aboutWebhook(next), previous_until: kept?.until ?? null } });
      return next;
    });
  }

  /** Sends an event that tells of nothing, and says what came back. */
  async ping(project: string, id: string): Promise<PingResult> {
    return this.#outlets.ping(project, await this.#find(project, id));
  }

  async list(project: string): Promise<readonly WebhookView[]> {
    await this.#check(project);
    const now = (await this.#store.now()).toISOString();
    return (await this.#outlets.all(project)).map((webhook) => viewOfWebhook(webhook, now));
  }

  async view(project: string, id: string): Promise<WebhookView> {
    return viewOfWebhook(await this.#find(project, id), (await this.#store.now()).toISOString());
  }

  /** The newest attempts, newest first. */
  async deliveries(project: string, id: string): Promise<readonly Delivery[]> {
    return this.#outlets.deliveries(project, (await this.#find(project, id)).id);
  }

  async #find(project: string, id: string): Promise<WebhookDocument> {
    await this.#check(project);
    return findWebhook(documentsOf(this.#store, project), id);
  }

  /** Before anything is written. @throws project_not_found, invalid_request, target_not_allowed */
  async #check(project: string, request: WebhookPatch = {}): Promise<void> {
    checkProject(project);
    const [found] = await documentsOf(this.#store, project).getAll<Project>([keys.project]);
    if (!found) throw projectNotFound(project);
    checkPatterns(request);
    if (request.url !== undefined) await this.#outlets.checkUrl(request.url);
  }
}

function overlapMs(overlap: string | undefined): number {
  if (overlap === undefined) return LIMITS.webhookOverlapMs;
  const ms = overlap === "0s" ? 0 : parseDuration("overlap", overlap);
  if (ms <= LIMITS.webhookMaxOverlapMs) return ms;
  throw new AppError("invalid_request", {
    reason: "`overlap` is at most 30d.",
    fix: "Replace the secret where it is used within that time.",
  });
}
