import * as z from "zod";
import { LIMITS } from "../limits.ts";
import { ProjectId, Timestamp } from "./common.ts";

const id = "wh0f1e2d3c4b5a6978";
const TYPE = "io.puraify.environment-manager.promote";

const Url = z
  .string()
  .min(1)
  .max(LIMITS.urlLength)
  .meta({
    description: "Where events are sent: https, a public address, without credentials. It is shown to administrators alone.",
    examples: ["https://hooks.example.com/environments"],
  });

const patterns = (what: string, example: readonly string[]) =>
  z
    .array(z.string().min(1).max(64))
    .min(1)
    .max(LIMITS.webhookPatterns)
    .meta({ description: what, examples: [example] });

const Events = patterns(
  "Patterns of what it hears of: actions of the audit log, in which `*` stands for any characters. A deployment is `deployment.deploying`, `deployment.deployed` or `deployment.failed`.",
  ["promote", "deployment.*"],
);
const Envs = patterns("Patterns of environments. What concerns no environment, a policy for example, goes to `*` alone.", ["production"]);
const Description = z
  .string()
  .max(LIMITS.messageLength)
  .meta({ description: "What it is for.", examples: ["Tells the team's chat"] });

export const CreateWebhookBody = z
  .strictObject({ url: Url, events: Events.optional(), envs: Envs.optional(), description: Description.optional() })
  .meta({
    id: "CreateWebhook",
    description: "Where to send what. All events, and all environments, where these are left out.",
    examples: [{ url: "https://hooks.example.com/environments", events: ["promote", "deployment.*"], envs: ["production"] }],
  });

export const PatchWebhookBody = z
  .strictObject({
    url: Url.optional(),
    events: Events.optional(),
    envs: Envs.optional(),
    description: Description.optional(),
    active: z.boolean().optional().meta({ description: "Switched on again, it goes on where it stopped." }),
  })
  .meta({ id: "PatchWebhook", description: "What changes; the rest stays.", examples: [{ active: true }] });

export const RotateWebhookBody = z
  .strictObject({
    overlap: z
      .string()
      .max(32)
      .optional()
      .meta({
        description: "How long events are signed with the secret before too: a day where this is left out, `0s` to end it now.",
        examples: ["24h"],
      }),
  })
  .meta({ id: "RotateWebhook", description: "How the secret before ends.", examples: [{ overlap: "24h" }] });

const view = {
  id: z.string(),
  url: z.string(),
  events: z.array(z.string()),
  envs: z.array(z.string()),
  description: z.string(),
  active: z.boolean(),
  disabled: z
    .object({ at: Timestamp, reason: z.string() })
    .nullable()
    .meta({ description: "Why the engine switched it off: its receiver said that it is gone (410), or failed for days." }),
  created_at: Timestamp,
  created_by: z.string(),
  updated_at: Timestamp,
  updated_by: z.string(),
  rotated_at: Timestamp.nullable(),
  previous_until: Timestamp.nullable().meta({ description: "Until when events are signed with the secret before the last rotation too." }),
};

const viewExample = {
  id,
  url: "https://hooks.example.com/environments",
  events: ["promote", "deployment.*"],
  envs: ["production"],
  description: "",
  active: true,
  disabled: null,
  created_at: "2026-01-31T12:00:00.000Z",
  created_by: "ada",
  updated_at: "2026-01-31T12:00:00.000Z",
  updated_by: "ada",
  rotated_at: null,
  previous_until: null,
};

export const WebhookSchema = z.object(view).meta({ id: "Webhook", description: "A webhook, without its secret.", examples: [viewExample] });

export const ShownWebhookSchema = z
  .object({ ...view, secret: z.string().meta({ description: "What events are signed with: shown this once." }) })
  .meta({
    id: "ShownWebhook",
    description: "A webhook with its signing secret, which is shown this once and kept in the vault.",
    examples: [{ ...viewExample, secret: `whsec_${"x".repeat(43)}=` }],
  });

export const WebhookList = z
  .object({ items: z.array(WebhookSchema) })
  .meta({ id: "WebhookList", description: `The webhooks of a project, at most ${LIMITS.webhooks}.`, examples: [{ items: [viewExample] }] });

export const WebhookDeleted = z
  .object({ status: z.literal("deleted"), id: z.string() })
  .meta({ id: "WebhookDeleted", description: "It is gone, its secrets too.", examples: [{ status: "deleted", id }] });

export const PingReply = z
  .object({
    delivered: z.boolean(),
    status: z.int().nullable().meta({ description: "What the receiver answered; `null` where no reply came." }),
    duration_ms: z.int().min(0),
    error: z.string().nullable(),
  })
  .meta({
    id: "WebhookPing",
    description: "What came back.",
    examples: [{ delivered: true, status: 204, duration_ms: 35, error: null }],
  });

const deliveryExample = {
  id: "pf-777:42",
  type: TYPE,
  at: "2026-01-31T12:00:00.000Z",
  outcome: "taken",
  status: 204,
  duration_ms: 35,
  error: null,
};

export const DeliveryList = z
  .object({
    items: z.array(
      z.object({
        id: z.string().meta({ description: "The event's, and so the audit record's: `<project>:<seq>`." }),
        type: z.string(),
        at: Timestamp,
        outcome: z.enum(["taken", "refused", "failed"]).meta({ description: "What `failed` is tried again." }),
        status: z.int().nullable(),
        duration_ms: z.int().min(0),
        error: z.string().nullable(),
      }),
    ),
  })
  .meta({
    id: "DeliveryList",
    description: `The newest ${LIMITS.webhookDeliveries} attempts, newest first; of replies their status alone.`,
    examples: [{ items: [deliveryExample] }],
  });

export const WebhookParams = z.strictObject({
  project: ProjectId,
  id: z.string().meta({ description: "The webhook.", examples: [id] }),
});
