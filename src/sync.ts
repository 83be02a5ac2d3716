import { snapshotId } from "./merkle/index.ts";
import type { Deployment, Environment, SyncStatus } from "./model.ts";

/** How what runs compares with what should run: the head against the Deployment Planner's reports. */
export function syncStatus(head: Environment): SyncStatus {
  const { deployment, deployed } = head;
  if (deployment === null) return "never_deployed";
  if (deployment.status === "deploying") return "deploying";
  if (deployment.status === "failed" && showsHead(head, deployment)) return "failed";
  return deployed !== null && showsHead(head, deployed) ? "in_sync" : "ready_for_deploy";
}

function showsHead(head: Environment, reported: Deployment): boolean {
  return reported.snapshot === snapshotId(head.platform, head.config);
}
