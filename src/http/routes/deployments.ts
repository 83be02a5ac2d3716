import { AtQuery, EnvironmentParams } from "../../schemas/common.ts";
import { ActiveReply, DeploymentReply, DeploymentReportBody } from "../../schemas/deployments.ts";
import { type Route, route } from "../route.ts";

const getActive = route({
  method: "get",
  path: "/env/:project/:env/active",
  operationId: "getActive",
  tag: "Deployments",
  summary: "Read what should run",
  description: "The environment's head, its checksum, and where its state and config are read. For the deployment planner.",
  params: EnvironmentParams,
  query: AtQuery,
  conditional: "read",
  responses: { 200: { description: "What should run.", schema: ActiveReply } },
  errors: ["invalid_name", "project_not_found", "environment_not_found", "environment_expired", "revision_not_found"],
  handler: ({ params, query, domain }) => domain.deployments.active(params.project, params.env, query),
});

const reportDeployment = route({
  method: "post",
  path: "/env/deployments",
  operationId: "reportDeployment",
  idempotent: true,
  tag: "Deployments",
  summary: "Report a deployment",
  description: "What became of deploying a version. A report that is older than what is known changes nothing and answers `stale`.",
  body: DeploymentReportBody,
  responses: { 200: { description: "Where the environment stands now.", schema: DeploymentReply } },
  errors: [
    "invalid_name",
    "invalid_version",
    "project_not_found",
    "environment_not_found",
    "environment_archived",
    "version_not_found",
    "revision_not_found",
  ],
  async handler({ body, caller, domain }) {
    const { project_id: project, ...rest } = body;
    return { body: await domain.deployments.report(caller, { project, ...rest }) };
  },
});

export const deploymentRoutes: readonly Route[] = [getActive, reportDeployment];
