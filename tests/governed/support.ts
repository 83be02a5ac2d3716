import { durationMs } from "../../src/durations.ts";
import type { Caller } from "../../src/model.ts";
import type { Json } from "../../src/ports.ts";
import { caller, engineCaller, memoryStore, openWorld, PROJECT, type Project, TestClock, type World } from "../domain/support.ts";

export const ANN = caller("ann");
export const BEN = caller("ben");
export const CLEO = caller("cleo");
/** The token of a sibling engine. */
export const PLANNER: Caller = engineCaller("planner");

/** An engine whose clock stands still until a test moves it. */
export interface Governed extends World {
  readonly clock: TestClock;
}

export async function openGoverned(): Promise<Governed> {
  const clock = new TestClock();
  return { ...(await openWorld({ store: memoryStore(clock) })), clock };
}

/** Moves the clock: `pass(clock, "2h")`. */
export function pass(clock: TestClock, duration: string): void {
  clock.time += durationMs(duration) ?? Number.NaN;
}

export function at(clock: TestClock): string {
  return new Date(clock.time).toISOString();
}

/** Staging is one entity ahead of production. */
export async function stagingAhead({ project }: World): Promise<void> {
  await project.create("staging");
  await project.set("staging", { "entities/Order": { fields: 1 }, "flows/submit": { steps: 1 } });
  await project.create("production", { base: "staging" });
  await project.set("staging", { "entities/Note": { fields: 1 } });
}

export async function forProduction(project: Project, rules: Json): Promise<void> {
  await project.policy({ environments: { production: rules } });
}

export function approve({ domain }: Pick<World, "domain">, who: Caller, id: string | undefined, comment?: string) {
  return domain.pending.approve(who, { project: PROJECT, id: id ?? "", comment });
}

export function reject({ domain }: Pick<World, "domain">, who: Caller, id: string | undefined, comment?: string) {
  return domain.pending.reject(who, { project: PROJECT, id: id ?? "", comment });
}

export async function waiting({ domain }: Pick<World, "domain">, status?: string) {
  return (await domain.pending.list(caller("reader"), PROJECT, { limit: 100, cursor: null }, status)).items;
}

/** The Deployment Planner says that an environment's head runs, or what became of it. */
export async function deployed({ domain }: Pick<World, "domain">, env: string, status: "deployed" | "failed" = "deployed"): Promise<void> {
  const { version, revision } = await domain.environments.view(PROJECT, env);
  await domain.deployments.report(PLANNER, { project: PROJECT, env, version, revision, status });
}

/** A freeze of two hours each day from 10:00, UTC. The clock of these tests begins at midnight. */
export const FREEZE = { kind: "deny", cron: "0 10 * * *", duration: "2h", timezone: "UTC", reason: "Lunch." } as const;
