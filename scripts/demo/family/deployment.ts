import { type Answer, type Contract, type Members, noSuchRoute, shaped } from "./contract.ts";

export interface DeploymentMemory {
  /** What was deployed, in that order. */
  deployments: { project: string; env: string; version: string; deployer: string; id: string }[];
  /** Every order that was acted on, also those that failed and those that came again. */
  orders: { env: string; version: string }[];
  /** What it is told to fail. */
  fails: { readonly env: string; readonly version: string }[];
}

const ORDER = { project_id: ["string"], target_env: ["string"], deployer_id: ["string"], version_name: ["string"] };

/** The Deployment Planner. Told again to deploy what runs already, it answers as before. */
export const deployment: Contract<DeploymentMemory> = {
  empty: () => ({ deployments: [], orders: [], fails: [] }),
  answer(asked, memory) {
    if (asked.method !== "POST" || asked.path.join("/") !== "deploy") return noSuchRoute(asked);
    return shaped(
      asked.body,
      ORDER,
      (order) => deploy(order, memory),
      (reason) => ({ status: "error", reason, stage: "request" }),
    );
  },
  told({ fails }, memory) {
    if (fails !== undefined) memory.fails = fails as DeploymentMemory["fails"];
  },
};

function deploy({ project_id, target_env, deployer_id, version_name }: Members, memory: DeploymentMemory): Answer {
  const [project, env, version] = [String(project_id), String(target_env), String(version_name)];
  memory.orders.push({ env, version });
  if (memory.fails.some((one) => one.env === env && one.version === version)) return failure(version);
  const running = memory.deployments.filter((one) => one.project === project && one.env === env).at(-1);
  const id = running?.version === version ? running.id : `deployment-${memory.deployments.length + 1}`;
  if (running?.id !== id) memory.deployments.push({ project, env, version, deployer: String(deployer_id), id });
  return { status: 200, body: { status: "success", env, version_id: id, url: `https://${env}.${project}.example` } };
}

function failure(version: string): Answer {
  const reason = `The database refuses a migration of ${version}.`;
  return { status: 200, body: { status: "error", reason, stage: "migrate", fix_suggestion: "Mend the migration, then promote again." } };
}
