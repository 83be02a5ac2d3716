import { AppError } from "../../src/errors.ts";
import type { AuditRecord } from "../../src/model.ts";
import type { DeployOutcome } from "../../src/ports.ts";
import { auditRecords, documents, PROJECT, type Project } from "../domain/support.ts";
import { PLANNER } from "../governed/support.ts";
import { openSending, type Sending } from "../sinks/support.ts";
import { following, ScriptedPlanner } from "./support.ts";

/** A production that is deployed by itself, and a planner that says what a test says. */

export const FAILED: DeployOutcome = { ok: false, reason: "The database refuses it.", stage: "migrate", fix: "Mend the migration." };
export const OK: DeployOutcome = { ok: true, url: "https://live.example", versionId: "deployment-1" };
export const AWAY = new AppError("engine_unavailable", { reason: "It cannot be reached.", details: { failure: "unreachable" } });

export type Ahead = Pick<Sending, "project"> & Partial<Pick<Sending, "settled">>;

export interface Scene extends Sending {
  readonly planner: ScriptedPlanner;
}

/** Staging is one change ahead of production, which is deployed by itself where the policy says nothing else. */
export async function scene(rules: { readonly [rule: string]: boolean | number } = { auto_deploy: true }): Promise<Scene> {
  const planner = new ScriptedPlanner(() => OK);
  const world = following(await openSending({ deployer: planner }));
  await ahead(world, rules);
  await world.settled();
  return { ...world, planner };
}

export async function ahead({ project, settled }: Ahead, rules: { readonly [rule: string]: boolean | number }): Promise<void> {
  await project.create("staging");
  await project.set("staging", { "entities/Order": { fields: 1 } });
  await project.create("production", { base: "staging" });
  // What was before the policy is none of its business.
  await settled?.();
  await project.policy({ environments: { production: rules } });
  await change(project, 1);
}

export function change(project: Project, fields: number) {
  return project.set("staging", { "entities/Note": { fields } });
}

export async function promoted({ project }: Pick<Sending, "project">): Promise<{ readonly version: string; readonly revision: number }> {
  const { version, revision } = await project.promote("staging", "production", { confirm: "production" });
  return { version, revision: revision ?? 0 };
}

/** One more change, promoted and settled. */
export async function next(world: Scene, fields: number): Promise<{ readonly version: string; readonly revision: number }> {
  await change(world.project, fields);
  const made = await promoted(world);
  await world.settled();
  return made;
}

export function report(
  { domain }: Pick<Sending, "domain">,
  about: { version: string; revision: number },
  status: "deploying" | "deployed" | "failed",
) {
  return domain.deployments.report(PLANNER, { project: PROJECT, env: "production", ...about, status });
}

export async function recordsOf({ store }: Pick<Sending, "store">, ...actions: readonly string[]): Promise<readonly AuditRecord[]> {
  return (await auditRecords(store)).filter(({ action, environment }) => environment === "production" && actions.includes(action));
}

/** Makes the follower of the log begin again: as after a crash before any of its cursor was kept. */
export async function replay({ store, domain, settled }: Scene): Promise<void> {
  const partition = `_sinks:${PROJECT}`;
  const deletes = (await documents(store, partition)).map(({ key }) => key);
  await store.commit(partition, { checks: [], puts: [], deletes, objects: [], objectDeletes: [] });
  await domain.sinks.visit(PROJECT);
  await settled();
}
