import type { PolicyReply, Promoted } from "../replies.ts";
import { PROJECT } from "../telling.ts";
import type { RefusedPromotion } from "./replies.ts";
import type { Scene } from "./scene.ts";

const FLOW = "operations/weekly-report";
const DEPLOYED = { auto_deploy: true } as const;
const POLICY = {
  pipeline: ["development", "staging", "production"],
  environments: {
    staging: { validation: "required", ...DEPLOYED },
    production: { ...DEPLOYED, rollback_on_failure: true },
  },
};
const CAREFUL_POLICY = {
  ...POLICY,
  environments: { ...POLICY.environments, production: { ...POLICY.environments.production, approvals: 1 } },
};

/** The chapter on what is let through and what becomes of it: the Validation engine's word, and the Deployment Planner's work. */
export async function tellDeployments(scene: Scene): Promise<void> {
  await refuse(scene);
  await deploy(scene);
  await fail(scene);
  await takeBack(scene);
  await askFor(scene);
}

async function refuse(scene: Scene): Promise<void> {
  scene.step("The rules: staging takes what the Validation engine finds valid, and what is promoted is deployed by the Deployment Planner");
  // What happened before the rules is told before them: none of it is theirs.
  await scene.allArrived();
  await policy(scene, POLICY);

  scene.step("A flow uses an action that there is not: it does not come to staging, and the reply says which and where");
  await scene.flow(FLOW, "teleport.send");
  await scene.ada.ask<RefusedPromotion>({
    method: "POST",
    path: "/env/promote",
    body: { project_id: PROJECT, source_env: "development", target_env: "staging" },
    status: 409,
    shows: ({ details }) =>
      details.checks
        .flatMap((check) => check.details?.errors ?? [])
        .map(({ component, field, reason }) => `${component}, ${field}: ${reason}`),
  });
}

async function deploy(scene: Scene): Promise<void> {
  scene.step("Mended, it does: nobody tells the Deployment Planner but the engine, as the policy says");
  await scene.flow(FLOW, "integrations/slack.post");
  const { version } = await release(scene, "development", "staging");
  scene.step("From staging to production, likewise");
  await release(scene, "staging", "production");
  const { deployments } = (await scene.family.deployment.seen()).memory;
  scene.sees(
    "Deployment Planner",
    "/_seen",
    deployments.map(({ id, env, deployer }) => `${id}: ${version} to ${env}, for ${deployer}`),
  );
}

async function fail(scene: Scene): Promise<void> {
  scene.step("A deployment fails: staging says so, and why; the version before goes on running there");
  const { version } = await scene.flow(FLOW, "record.create");
  await failsAt(scene, "staging", version);
  await release(scene, "development", "staging", "failed");

  scene.step("The next one goes well");
  await scene.flow(FLOW, "record.upsert_many");
  await release(scene, "development", "staging");
}

async function takeBack(scene: Scene): Promise<void> {
  const { version } = await scene.environment("staging");
  const { version: before } = await scene.environment("production");
  scene.step("In production a failed deployment is taken back, since the policy says rollback_on_failure");
  await failsAt(scene, "production", version);
  await scene.promote("staging", "production");
  await scene.shows("production", before, "in_sync");
  await scene.versionLog("production");
  await scene.allArrived();
  const { alerts } = (await scene.family.monitoring.seen()).memory;
  scene.sees(
    "Monitoring",
    "/_seen",
    alerts.map(({ severity, message }) => `${severity}: ${message}`),
  );
  await failsAt(scene);
}

async function askFor(scene: Scene): Promise<void> {
  scene.step("After that, the team wants to be asked: a promotion to production waits, and the Feedback Loop is told who waits");
  await policy(scene, CAREFUL_POLICY);
  const { promotion_id, version } = await scene.promote("staging", "production", { status: 202 });
  await scene.allArrived();
  const { requests } = (await scene.family.feedback.seen()).memory;
  scene.sees(
    "Feedback Loop",
    "/_seen",
    requests.map((one) => `${one.id}: ${one.requested_by} asks for ${one.version} in ${one.target_env}`),
  );

  scene.step("Ben approves: it is applied, and deployed");
  await scene.ben.ask<Promoted>({
    method: "POST",
    path: `/env/promotions/${promotion_id}/approve`,
    body: { project_id: PROJECT, comment: "Mended" },
    shows: (reply) => [`version: ${reply.version}`],
  });
  await scene.shows("production", version, "in_sync");
}

/** Promotes, and waits for what the Deployment Planner makes of it. */
async function release(scene: Scene, source: string, target: string, status = "in_sync"): Promise<Promoted> {
  const promoted = await scene.promote(source, target);
  await scene.shows(target, promoted.version, status);
  return promoted;
}

function failsAt({ family }: Scene, env?: string, version?: string): Promise<void> {
  return family.deployment.behave("well", { fails: env === undefined ? [] : [{ env, version }] });
}

function policy({ ada }: Scene, body: object): Promise<PolicyReply> {
  return ada.ask<PolicyReply>({
    method: "PUT",
    path: `/env/${PROJECT}/policy`,
    body,
    shows: ({ policy: { environments } }) => Object.entries(environments ?? {}).map(([name, rules]) => `${name}: ${JSON.stringify(rules)}`),
  });
}
