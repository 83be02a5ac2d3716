import type { Verified } from "../replies.ts";
import { StepFailed } from "../step-failed.ts";
import { PROJECT } from "../telling.ts";
import { preview, rotate } from "./outage.ts";
import type { Scene } from "./scene.ts";
import { secretNames, tokensPath } from "./secrets.ts";

/** The chapter on how it ends: the six are back, and everything arrives, each once. */
export async function tellRecovery(scene: Scene): Promise<void> {
  scene.step("All six are started again: what waited arrives");
  const { version } = await scene.environment("staging");
  await scene.family.start();
  await scene.allArrived();
  await scene.sinks();
  await scene.shows("staging", version, "in_sync");

  scene.step("What was refused is taken now");
  await rotate(scene);
  scene.sees("Vault", tokensPath("staging"), [await secretNames(scene, "staging")]);
  const promoted = await scene.promote("development", "staging", { meanwhile: 503 });
  await scene.shows("staging", promoted.version, "in_sync");

  scene.step("The preview gets its address");
  await preview(scene, "pr-143", 200);

  scene.step("Nothing is missing and nothing is doubled");
  await scene.allArrived();
  await count(scene);
  await scene.ready();
}

async function count(scene: Scene): Promise<void> {
  const { records } = await scene.ada.ask<Verified>({
    method: "GET",
    path: `/env/${PROJECT}/audit/verify`,
    shows: (reply) => [`valid: ${reply.valid}, ${reply.records} records`],
  });
  const monitoring = await scene.family.monitoring.seen();
  const { logs, repeated } = monitoring.memory;
  const { requests } = (await scene.family.feedback.seen()).memory;
  const inOrder = logs.every(({ id }, index) => id === `${PROJECT}:${index + 1}`);
  if (logs.length !== records || !inOrder)
    throw new StepFailed(`Monitoring has ${logs.length} of ${records} records, ${inOrder ? "in" : "out of"} order.`);
  scene.sees("Monitoring", "/_seen", [
    `records: ${logs.length}, from ${logs[0]?.id} to ${logs.at(-1)?.id}, in order, each once`,
    `sent twice and known by their ids: ${repeated.length}`,
  ]);
  scene.sees(
    "Feedback Loop",
    "/_seen",
    requests.map((one) => `${one.id}: ${one.requested_by} asks for ${one.version} in ${one.target_env}`),
  );
  for (const member of [monitoring, await scene.family.deployment.seen(), await scene.family.vault.seen()]) {
    if (member.breaches.length > 0) throw new StepFailed(`A contract was broken: ${member.breaches.join("; ")}`);
  }
}
