import { ProjectParams } from "../../schemas/common.ts";
import {
  CreateWebhookBody,
  DeliveryList,
  PatchWebhookBody,
  PingReply,
  RotateWebhookBody,
  ShownWebhookSchema,
  WebhookDeleted,
  WebhookList,
  WebhookParams,
  WebhookSchema,
} from "../../schemas/webhooks.ts";
import { type Route, route } from "../route.ts";

const NOT_FOUND = ["invalid_name", "project_not_found", "webhook_not_found"] as const;

const createWebhook = route({
  method: "post",
  path: "/env/:project/webhooks",
  operationId: "createWebhook",
  tag: "Webhooks",
  summary: "Create a webhook",
  description:
    "What is recorded from now on is sent there: CloudEvents 1.0 in JSON, signed as Standard Webhooks has it, in order, each at least once, by an id " +
    "that tells repeats. The signing secret is shown in this reply and never again, so that the request takes no Idempotency-Key: sent again, it makes another webhook.",
  params: ProjectParams,
  body: CreateWebhookBody,
  responses: { 201: { description: "The webhook.", schema: ShownWebhookSchema, headers: ["Location"] } },
  errors: ["invalid_name", "project_not_found", "target_not_allowed", "vault_unavailable"],
  async handler({ params, body, caller, domain }) {
    const webhook = await domain.webhooks.create(caller, params.project, body);
    return { status: 201, headers: { location: `/env/${params.project}/webhooks/${webhook.id}` }, body: webhook };
  },
});

const listWebhooks = route({
  method: "get",
  path: "/env/:project/webhooks",
  operationId: "listWebhooks",
  tag: "Webhooks",
  summary: "List webhooks",
  description: "All of the project's; GET /env/:project/sinks tells how far each has come.",
  params: ProjectParams,
  conditional: "read",
  responses: { 200: { description: "The webhooks.", schema: WebhookList } },
  errors: ["invalid_name", "project_not_found"],
  handler: async ({ params, domain }) => ({ body: { items: await domain.webhooks.list(params.project) } }),
});

const getWebhook = route({
  method: "get",
  path: "/env/:project/webhooks/:id",
  operationId: "getWebhook",
  tag: "Webhooks",
  summary: "Read one webhook",
  description: "Its settings, without its secret.",
  params: WebhookParams,
  conditional: "read",
  responses: { 200: { description: "The webhook.", schema: WebhookSchema } },
  errors: NOT_FOUND,
  handler: async ({ params, domain }) => ({ body: await domain.webhooks.view(params.project, params.id) }),
});

const patchWebhook = route({
  method: "patch",
  path: "/env/:project/webhooks/:id",
  operationId: "patchWebhook",
  idempotent: true,
  tag: "Webhooks",
  summary: "Change a webhook",
  description:
    "Its address, what it hears of, or whether it is active. One that failed is tried again at once where its address is new, or it was switched off.",
  params: WebhookParams,
  body: PatchWebhookBody,
  responses: { 200: { description: "The webhook.", schema: WebhookSchema } },
  errors: [...NOT_FOUND, "target_not_allowed"],
  handler: async ({ params, body, caller, domain }) => ({ body: await domain.webhooks.patch(caller, params.project, params.id, body) }),
});

const deleteWebhook = route({
  method: "delete",
  path: "/env/:project/webhooks/:id",
  operationId: "deleteWebhook",
  idempotent: true,
  tag: "Webhooks",
  summary: "Delete a webhook",
  description: "Nothing more is sent there, and its secrets leave the vault.",
  params: WebhookParams,
  responses: { 200: { description: "It is gone.", schema: WebhookDeleted } },
  errors: NOT_FOUND,
  handler: async ({ params, caller, domain }) => ({ body: await domain.webhooks.remove(caller, params.project, params.id) }),
});

const rotateWebhook = route({
  method: "post",
  path: "/env/:project/webhooks/:id/rotate",
  operationId: "rotateWebhook",
  tag: "Webhooks",
  summary: "Replace a webhook's secret",
  description: "The new one is shown this once. Events are signed with both for `overlap` longer, so that the receiver can be moved over.",
  params: WebhookParams,
  body: RotateWebhookBody,
  emptyBody: true,
  responses: { 200: { description: "The webhook.", schema: ShownWebhookSchema } },
  errors: [...NOT_FOUND, "vault_unavailable"],
  handler: async ({ params, body, caller, domain }) => ({
    body: await domain.webhooks.rotate(caller, params.project, params.id, body.overlap),
  }),
});

const pingWebhook = route({
  method: "post",
  path: "/env/:project/webhooks/:id/ping",
  operationId: "pingWebhook",
  tag: "Webhooks",
  summary: "Try a webhook out",
  description:
    "Sends one event of type `io.puraify.environment-manager.ping` now, active or not, and says what came back. No record is sent by it.",
  params: WebhookParams,
  responses: { 200: { description: "What came back.", schema: PingReply } },
  errors: NOT_FOUND,
  handler: async ({ params, domain }) => ({ body: await domain.webhooks.ping(params.project, params.id), volatile: true }),
});

const listDeliveries = route({
  method: "get",
  path: "/env/:project/webhooks/:id/deliveries",
  operationId: "listDeliveries",
  tag: "Webhooks",
  summary: "List a webhook's deliveries",
  description: "The newest attempts, newest first: which record, what came back, and how long it took.",
  params: WebhookParams,
  conditional: "read",
  responses: { 200: { description: "The attempts.", schema: DeliveryList } },
  errors: NOT_FOUND,
  handler: async ({ params, domain }) => ({ body: { items: await domain.webhooks.deliveries(params.project, params.id) } }),
});

export const webhookRoutes: readonly Route[] = [
  createWebhook,
  listWebhooks,
  getWebhook,
  patchWebhook,
  deleteWebhook,
  rotateWebhook,
  pingWebhook,
  listDeliveries,
];
