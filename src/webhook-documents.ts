import { checkPattern, matches } from "./access.ts";
import { AppError } from "./errors.ts";
import { keys } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import { DEPLOYMENT_STATUSES, PROJECT_ACTIONS } from "./model.ts";
import { quoted } from "./names.ts";
import type { JsonObject } from "./ports.ts";
import type { SecretReference } from "./secrets.ts";
import type { Transaction } from "./transaction.ts";

export interface WebhookRequest {
  readonly url: string;
  readonly events?: readonly string[] | undefined;
  readonly envs?: readonly string[] | undefined;
  readonly description?: string | undefined;
}

export type WebhookPatch = { readonly [Member in keyof WebhookRequest]?: WebhookRequest[Member] | undefined } & {
  readonly active?: boolean | undefined;
};

/** The document `webhook/<id>`. */
export interface WebhookDocument {
  readonly id: string;
  readonly url: string;
  /** Patterns of what events are called, and of environments. */
  readonly events: readonly string[];
  readonly envs: readonly string[];
  readonly description: string;
  readonly active: boolean;
  /** Why the engine switched it off. */
  readonly disabled: { readonly at: string; readonly reason: string } | null;
  /** The number of the audit record of its creation: it gets what came after. */
  readonly from: number;
  readonly created_at: string;
  readonly created_by: string;
  readonly updated_at: string;
  readonly updated_by: string;
  /** When something was last changed that failures may have been due to. */
  readonly changed_at: string;
  readonly rotated_at: string | null;
  readonly secret: SecretReference;
  /** The secret before the last rotation, for as long as events are signed with it too. */
  readonly previous: { readonly secret: SecretReference; readonly until: string } | null;
}

/** A webhook as it is shown. */
export interface WebhookView extends Omit<WebhookDocument, "secret" | "previous" | "from" | "changed_at"> {
  /** Until when events are signed with the secret before the last rotation too. */
  readonly previous_until: string | null;
}

export type ShownWebhook = WebhookView & { readonly secret: string };

type Documents = Pick<Transaction, "getAll">;

const ID = /^wh[0-9a-f]{16}$/;
const EVENT = /^[a-z_.*]{1,64}$/;

/** The ids of a project's webhooks. */
export async function webhookIds(documents: Documents): Promise<readonly string[]> {
  const [found] = await documents.getAll<{ readonly ids: readonly string[] }>([keys.webhooks]);
  return found?.ids ?? [];
}

export async function allWebhooks(documents: Documents): Promise<readonly WebhookDocument[]> {
  const found = await documents.getAll<WebhookDocument>((await webhookIds(documents)).map(keys.webhook));
  return found.filter((webhook) => webhook !== null);
}

/** @throws webhook_not_found */
export async function findWebhook(documents: Documents, id: string): Promise<WebhookDocument> {
  const [found] = ID.test(id) ? await documents.getAll<WebhookDocument>([keys.webhook(id)]) : [];
  if (found) return found;
  throw new AppError("webhook_not_found", { reason: `There is no webhook ${quoted(id)}.`, fix: "GET /env/<project>/webhooks lists them." });
}

/** What events can be called: a pattern that is none of these would be sent nothing, ever. */
const EVENTS: readonly string[] = [...PROJECT_ACTIONS, ...DEPLOYMENT_STATUSES.map((status) => `deployment.${status}`)];

/** @throws invalid_request, naming the field */
export function checkPatterns({ events = [], envs = [] }: WebhookPatch): void {
  for (const pattern of events) {
    if (EVENT.test(pattern) && pattern.split("*").length <= 2) {
      if (EVENTS.some((event) => matches(pattern, event))) continue;
      throw new AppError("invalid_request", {
        reason: `\`events\` holds ${quoted(pattern)}, which no event is called.`,
        fix: `Events are: ${EVENTS.join(", ")}. One \`*\` stands for any characters.`,
      });
    }
    throw new AppError("invalid_request", {
      reason: `\`events\` holds what is no pattern: ${quoted(pattern)}.`,
      fix: "Use actions of the audit log, in which one `*` stands for any characters: `promote`, `deployment.*` or `*`.",
    });
  }
  for (const pattern of envs) checkPattern(pattern, "envs");
}

export function checkRoom(ids: readonly string[]): void {
  if (ids.length < LIMITS.webhooks) return;
  throw new AppError("too_large", {
    reason: `A project has at most ${LIMITS.webhooks} webhooks.`,
    fix: "Delete one that is not needed any more.",
  });
}

/** What audit records say of it. Of the URL the host alone: the rest may be a credential. */
export function aboutWebhook({ id, url, events, envs }: Pick<WebhookDocument, "id" | "url" | "events" | "envs">): JsonObject {
  return { webhook: id, host: new URL(url).hostname, events, envs };
}

export function viewOfWebhook(document: WebhookDocument, now: string): WebhookView {
  const { secret: _, previous, from: __, changed_at: ___, ...shown } = document;
  return { ...shown, previous_until: previous !== null && previous.until > now ? previous.until : null };
}
