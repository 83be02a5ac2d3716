import type { PromotionResult } from "../../apply.ts";
import { ProjectParams } from "../../schemas/common.ts";
import {
  DecisionBody,
  DecisionParams,
  PromoteBody,
  PromoteReply,
  Promotion,
  PromotionPage,
  PromotionParams,
  PromotionQuery,
  ReadinessParams,
  ReadinessQuery,
  RejectionReply,
} from "../../schemas/promotions.ts";
import { pageRequest } from "../page.ts";
import type { Reply } from "../reply.ts";
import { type Route, route } from "../route.ts";

const promote = route({
  method: "post",
  path: "/env/promote",
  operationId: "promote",
  idempotent: true,
  tag: "Promotion",
  summary: "Promote a version from one environment to another",
  description:
    "Carries the platform state; the target keeps its own config and secrets. Asks every check of the plan, and refuses where one fails " +
    "(`checks_failed`, with the fix for each). `dry_run` answers the plan; sending its `plan_id` applies exactly that plan or nothing.",
  body: PromoteBody,
  responses: {
    200: { description: "Applied, planned (`dry_run`), or nothing to do.", schema: PromoteReply },
    202: { description: "Put up for approval.", schema: PromoteReply },
  },
  errors: [
    "invalid_name",
    "invalid_version",
    "same_environment",
    "project_not_found",
    "environment_not_found",
    "environment_archived",
    "environment_expired",
    "version_not_found",
    "key_not_found",
    "checks_failed",
    "merge_conflict",
    "unrelated_histories",
    "plan_stale",
    "forbidden",
    "version_taken",
    "secret_stays_secret",
    "invalid_flag",
    "vault_unavailable",
    "validation_unavailable",
  ],
  async handler({ body, caller, domain }) {
    const { project_id: project, source_env: source, target_env: target, ...rest } = body;
    return promotionReply(await domain.promotions.promote(caller, { project, source, target, ...rest }));
  },
});

const getReadiness = route({
  method: "get",
  path: "/env/:project/:env/readiness",
  operationId: "getPromotionReadiness",
  tag: "Promotion",
  summary: "Ask what stands in the way of a promotion",
  description: "The plan of promoting `source` into this environment, with every check, without asking to promote.",
  params: ReadinessParams,
  query: ReadinessQuery,
  conditional: "read",
  responses: { 200: { description: "The plan.", schema: PromoteReply } },
  errors: [
    "invalid_name",
    "same_environment",
    "project_not_found",
    "environment_not_found",
    "environment_archived",
    "environment_expired",
    "version_not_found",
    "unrelated_histories",
    "invalid_flag",
    "too_large",
  ],
  async handler({ params, query, caller, domain }) {
    const { project, env: target } = params;
    return { body: await domain.promotions.readiness(caller, { project, target, ...query }) };
  },
});

const listPromotions = route({
  method: "get",
  path: "/env/:project/promotions",
  operationId: "listPromotions",
  tag: "Promotion",
  summary: "List what waits for approval, and what became of it",
  description:
    "Newest first: who asked for what, who has agreed, and for whom it waits. A promotion whose ground has changed is shown as voided.",
  params: ProjectParams,
  query: PromotionQuery,
  conditional: "read",
  responses: { 200: { description: "A page of promotions.", schema: PromotionPage } },
  errors: ["invalid_name", "project_not_found"],
  handler: async ({ params, query, caller, domain }) => ({
    body: await domain.pending.list(caller, params.project, pageRequest(query), query.status),
  }),
});

const getPromotion = route({
  method: "get",
  path: "/env/:project/promotions/:id",
  operationId: "getPromotion",
  tag: "Promotion",
  summary: "Read one promotion that was put up for approval",
  description: "What `listPromotions` says of it, however long ago it was put up.",
  params: PromotionParams,
  conditional: "read",
  responses: { 200: { description: "The promotion.", schema: Promotion } },
  errors: ["invalid_name", "project_not_found", "promotion_not_found"],
  handler: async ({ params: { project, id }, caller, domain }) => ({ body: await domain.pending.get(caller, project, id) }),
});

const DECISION_ERRORS = ["invalid_name", "forbidden", "project_not_found", "promotion_not_found", "promotion_closed"] as const;

const approvePromotion = route({
  method: "post",
  path: "/env/promotions/:id/approve",
  operationId: "approvePromotion",
  idempotent: true,
  tag: "Promotion",
  summary: "Approve a promotion",
  description:
    "Agrees to exactly the plan that was put up: any edit on either side, and any change of the policy, voids it. The last approval that is " +
    "needed applies it, after asking every check again; where one fails now, it goes on waiting. Who asked for it cannot approve it.",
  params: DecisionParams,
  body: DecisionBody,
  responses: {
    200: { description: "It was the last approval, and the promotion is applied.", schema: PromoteReply },
    202: { description: "It goes on waiting: for more approvals, or for a check.", schema: PromoteReply },
  },
  errors: [...DECISION_ERRORS, "self_approval", "already_approved", "version_taken"],
  async handler({ params, body, caller, domain }) {
    const { project_id: project, ...rest } = body;
    return promotionReply(await domain.pending.approve(caller, { project, id: params.id, ...rest }));
  },
});

const rejectPromotion = route({
  method: "post",
  path: "/env/promotions/:id/reject",
  operationId: "rejectPromotion",
  idempotent: true,
  tag: "Promotion",
  summary: "Reject a promotion",
  description: "Closes it for good. To try again, promote again.",
  params: DecisionParams,
  body: DecisionBody,
  responses: { 200: { description: "It is closed.", schema: RejectionReply } },
  errors: DECISION_ERRORS,
  async handler({ params, body, caller, domain }) {
    const { project_id: project, ...rest } = body;
    return { body: await domain.pending.reject(caller, { project, id: params.id, ...rest }) };
  },
});

function promotionReply(result: PromotionResult): Reply {
  return { status: result.status === "pending_approval" ? 202 : 200, body: result };
}

export const promotionRoutes: readonly Route[] = [promote, getReadiness, listPromotions, getPromotion, approvePromotion, rejectPromotion];
