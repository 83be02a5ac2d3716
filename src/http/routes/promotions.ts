import { PromoteBody, PromoteReply } from "../../schemas/promotions.ts";
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
  responses: { 200: { description: "Applied, planned (`dry_run`), or nothing to do.", schema: PromoteReply } },
  errors: [
    "invalid_name",
    "invalid_version",
    "same_environment",
    "project_not_found",
    "environment_not_found",
    "environment_archived",
    "environment_expired",
    "version_not_found",
    "checks_failed",
    "plan_stale",
    "secret_stays_secret",
    "vault_unavailable",
  ],
  async handler({ body, caller, domain }) {
    const { project_id: project, source_env: source, target_env: target, ...rest } = body;
    return { body: await domain.promotions.promote(caller, { project, source, target, ...rest }) };
  },
});

export const promotionRoutes: readonly Route[] = [promote];
