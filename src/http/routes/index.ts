import type { Route } from "../route.ts";
import { auditRoutes } from "./audit.ts";
import { comparisonRoutes } from "./comparison.ts";
import { configRoutes } from "./config.ts";
import { deploymentRoutes } from "./deployments.ts";
import { environmentRoutes } from "./environments.ts";
import { flagRoutes } from "./flags.ts";
import { mirrorRoutes } from "./mirror.ts";
import { ofrepRoutes } from "./ofrep.ts";
import { policyRoutes } from "./policy.ts";
import { promotionRoutes } from "./promotions.ts";
import { pullRoutes } from "./pulls.ts";
import { sinkRoutes } from "./sinks.ts";
import { stateRoutes } from "./state.ts";
import { tokenRoutes } from "./tokens.ts";
import { versionRoutes } from "./versions.ts";
import { watchRoutes } from "./watch.ts";
import { webhookRoutes } from "./webhooks.ts";

/** Every route of the domain, in the order in which the reference shows them. */
export const apiRoutes: readonly Route[] = [
  ...environmentRoutes,
  ...stateRoutes,
  ...configRoutes,
  ...flagRoutes,
  ...ofrepRoutes,
  ...promotionRoutes,
  ...versionRoutes,
  ...comparisonRoutes,
  ...deploymentRoutes,
  ...pullRoutes,
  ...watchRoutes,
  ...policyRoutes,
  ...auditRoutes,
  ...sinkRoutes,
  ...webhookRoutes,
  ...mirrorRoutes,
  ...tokenRoutes,
];
