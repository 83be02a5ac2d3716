import { durationText, parseDuration } from "../../durations.ts";
import { AppError } from "../../errors.ts";
import { LIMITS } from "../../limits.ts";
import { EnvironmentParams } from "../../schemas/common.ts";
import { ActiveQuery, ActiveReply, type ActiveWish, DeploymentReply, DeploymentReportBody } from "../../schemas/deployments.ts";
import { type Route, route } from "../route.ts";

const getActive = route({
  method: "get",
  path: "/env/:project/:env/active",
  operationId: "getActive",
  tag: "Deployments",
  summary: "Read what should run",
  description: "The environment's head, its checksum, and where its state and config are read. For the deployment planner.",
  params: EnvironmentParams,
  query: ActiveQuery,
  conditional: "read",
  responses: { 200: { description: "What should run.", schema: ActiveReply } },
  errors: ["invalid_name", "project_not_found", "environment_not_found", "environment_expired", "revision_not_found"],
  async handler({ params, query, connection, domain }) {
    const { project, env } = params;
    const { wait, after, ...at } = query;
    if (wait === undefined && after === undefined) return domain.deployments.active(project, env, at);
    const wish = waitFor(query);
    const active = await domain.deployments.activeAfter(project, env, { ...wish, signal: connection.signal });
    await connection.admitAgain();
    return active;
  },
});

/** @throws invalid_request for a wait that makes no sense */
function waitFor({ wait = "0s", after = 0, at }: ActiveWish): { readonly waitMs: number; readonly after: number } {
  const waitMs = wait === "0s" ? 0 : parseDuration("wait", wait);
  if (at !== undefined || waitMs > LIMITS.waitMs) {
    throw new AppError("invalid_request", {
      reason: at === undefined ? `\`wait\` is at most ${durationText(LIMITS.waitMs)}.` : "What was at a revision is not waited for.",
      fix: "Send `?wait=30s&after=<the revision that you have>`.",
    });
  }
  return { waitMs, after };
}

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
