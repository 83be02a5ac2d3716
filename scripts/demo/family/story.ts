import type { Client } from "../client.ts";
import type { Inputs } from "../inputs.ts";
import type { Narration } from "../narration.ts";
import { hireTeam } from "../story.ts";
import { tellDeployments } from "./deployments.ts";
import type { Family } from "./member.ts";
import { preview, tellOutage } from "./outage.ts";
import { tellRecovery } from "./recovery.ts";
import { Scene } from "./scene.ts";
import { tellSecrets } from "./secrets.ts";

/** The engine among its siblings: what each does for it, what becomes of it without them, and how it goes on. Throws `StepFailed`. */
export async function tellFamily(root: Client, narration: Narration, family: Family, inputs: Inputs): Promise<void> {
  const scene = new Scene(await hireTeam(root, narration), narration, family, inputs);
  await tellSecrets(scene);
  await tellDeployments(scene);
  scene.step("A preview has the Platform Builder's address");
  await preview(scene, "pr-142", 201);
  scene.step("The Monitoring engine has heard of all this, in order");
  await scene.allArrived();
  const { logs } = (await family.monitoring.seen()).memory;
  scene.sees("Monitoring", "/_seen", [
    `${logs.length} records, the newest: ${logs
      .slice(-3)
      .map(({ message }) => message)
      .join("; ")}`,
  ]);
  await scene.ready();
  await tellOutage(scene);
  await tellRecovery(scene);
}
