import { CloudEvent } from "cloudevents";
import { Webhook } from "standardwebhooks";
import type { WebhookEvent } from "../ports.ts";

/** One event as it is sent: its body is what the signatures are of, to the byte. */
interface WebhookMessage {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Both formats are made, and the event is checked, by their published libraries. */
export function signed({ subject, ...attributes }: WebhookEvent, secrets: readonly string[], at: Date): WebhookMessage {
  if (secrets.length === 0) throw new Error("an event without a secret to sign it with");
  const { id } = attributes;
  const body = JSON.stringify(new CloudEvent({ ...attributes, ...(subject !== null && { subject }), datacontenttype: "application/json" }));
  return {
    body,
    headers: {
      "content-type": "application/cloudevents+json; charset=utf-8",
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
      "webhook-signature": secrets.map((secret) => new Webhook(secret).sign(id, at, body)).join(" "),
    },
  };
}
