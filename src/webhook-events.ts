import { EVERY, matches } from "./access.ts";
import type { AuditRecord } from "./model.ts";
import type { JsonObject, WebhookEvent } from "./ports.ts";

/** How audit records become events, and which of them a webhook asked for. Pure. */

const TYPE = "io.puraify.environment-manager";

/** What an event is called: the record's action, and for a deployment what was said of it, as in `deployment.failed`. */
function eventName({ action, details }: AuditRecord): string {
  return action === "deployment" && typeof details.status === "string" ? `${action}.${details.status}` : action;
}

/** The whole record, its hashes too, so that whoever receives it can check it and need not trust this store. */
export function eventOf(record: AuditRecord): WebhookEvent {
  const { project, seq, environment, at } = record;
  return {
    id: `${project}:${seq}`,
    type: `${TYPE}.${eventName(record)}`,
    source: sourceOf(project, environment),
    subject: environment,
    time: at,
    data: record as unknown as JsonObject,
  };
}

/** What is sent to try a webhook out. */
export function pingOf(project: string, webhook: string, id: string, at: string): WebhookEvent {
  return {
    id: `${project}:ping-${id}`,
    type: `${TYPE}.ping`,
    source: sourceOf(project, null),
    subject: null,
    time: at,
    data: { project, webhook },
  };
}

/** What is about no environment goes to those that asked for all of them. */
export function wants(
  { events, envs }: { readonly events: readonly string[]; readonly envs: readonly string[] },
  record: AuditRecord,
): boolean {
  const names = [eventName(record), record.action];
  const { environment } = record;
  const wantsEvent = events.some((pattern) => names.some((name) => matches(pattern, name)));
  return wantsEvent && envs.some((pattern) => (environment === null ? pattern === EVERY : matches(pattern, environment)));
}

function sourceOf(project: string, environment: string | null): string {
  return environment === null ? `/env/${project}` : `/env/${project}/${environment}`;
}
