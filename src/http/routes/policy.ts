import { ProjectParams } from "../../schemas/common.ts";
import { PolicyBody, PolicyReply, PolicyWritten } from "../../schemas/policy.ts";
import { type Route, route } from "../route.ts";

const getPolicy = route({
  method: "get",
  path: "/env/:project/policy",
  operationId: "getPolicy",
  tag: "Policy",
  summary: "Read the policy",
  description: "What the project demands of its promotions.",
  params: ProjectParams,
  conditional: "read",
  responses: { 200: { description: "The policy in force.", schema: PolicyReply } },
  errors: ["invalid_name", "project_not_found"],
  async handler({ params, domain }) {
    const { tag, ...body } = await domain.policies.read(params.project);
    return { body, tag };
  },
});

const replacePolicy = route({
  method: "put",
  path: "/env/:project/policy",
  operationId: "replacePolicy",
  idempotent: true,
  tag: "Policy",
  summary: "Replace the policy",
  description: "The body is the whole policy. One with faults is refused, with the path of each.",
  params: ProjectParams,
  body: PolicyBody,
  conditional: "write",
  responses: { 200: { description: "The policy from now on.", schema: PolicyWritten } },
  errors: ["invalid_name", "invalid_policy", "project_not_found", "precondition_failed"],
  async handler({ params, body, caller, domain, ifMatch }) {
    const { tag, ...written } = await domain.policies.replace(caller, params.project, body, ifMatch);
    return { body: written, tag };
  },
});

export const policyRoutes: readonly Route[] = [getPolicy, replacePolicy];
