import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { BEHAVIOURS } from "../../scripts/demo/family/behaviour.ts";
import { Member } from "../../scripts/demo/family/member.ts";
import type { MemberName } from "../../scripts/demo/family/play.ts";
import { until } from "../../scripts/demo/waiting.ts";
import { PlatformBuilder } from "../../src/engines/builder.ts";
import { DeploymentPlanner } from "../../src/engines/deployment.ts";
import { FeedbackEngine } from "../../src/engines/feedback.ts";
import type { Sibling } from "../../src/engines/sibling.ts";
import type { Deployer, DeployOrder, DeployOutcome } from "../../src/ports.ts";
import { auditRecords } from "../domain/support.ts";
import { later, type Sending } from "../sinks/support.ts";
import type { Engine } from "../support/engine.ts";
import { expectSilence, PatientSibling } from "../support/patient-sibling.ts";

/** How an engine may be: as `Behaviour` has it, or not running at all. */
export const FAULTS = [...BEHAVIOURS.filter((behaviour) => behaviour !== "well"), "away"] as const;
export type Fault = (typeof FAULTS)[number];

/** What answers when it is told to behave otherwise, or never. */
const SILENT: readonly Fault[] = ["slow", "nothing"];

/** One engine of the family for all tests of a file, as new for each of them. */
export function useMember<Name extends MemberName>(name: Name): Member<Name> {
  const folder = mkdtempSync(join(tmpdir(), "env-manager-family-"));
  const member = new Member(name, folder);
  beforeAll(async () => {
    await member.start();
  });
  beforeEach(async () => {
    if (!member.running) await member.start();
    await member.behave("well", { forget: true });
    expectSilence(false);
  });
  afterAll(async () => {
    await member.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  return member;
}

export async function breaks(member: Pick<Member<MemberName>, "behave" | "stop">, fault: Fault): Promise<void> {
  expectSilence(SILENT.includes(fault));
  if (fault === "away") await member.stop();
  else await member.behave(fault);
}

export async function recovers(member: Pick<Member<MemberName>, "behave" | "start">, fault: Fault): Promise<void> {
  if (fault === "away") await member.start();
  else await member.behave("well");
  expectSilence(false);
}

function siblingOf(name: string, { url }: Pick<Member<MemberName>, "url">): Sibling {
  // The breaker goes by real time, which tests do not wait for.
  const sibling = new PatientSibling(name, url, { attempts: 2, firstPauseMs: 1, failures: 1_000_000, pauseMs: 1 });
  later(() => sibling.close());
  return sibling;
}

export const builderAt = (member: Member<"builder">) => new PlatformBuilder(siblingOf("Platform Builder", member));
export const plannerAt = (member: Member<"deployment">) => new DeploymentPlanner(siblingOf("Deployment Planner", member));
export const feedbackAt = (member: Member<"feedback">) => new FeedbackEngine(siblingOf("Feedback Loop", member));

/** Who follows the log may write to it: settled is what has nothing left to follow or to do, or waits for its time to try again. */
export function following<World extends Sending>(world: World): World {
  const settled = async (): Promise<void> => {
    let [before, written] = [-1, 0];
    while (before !== written) {
      before = written;
      await world.settled();
      // What is due at this very moment is due a moment later.
      world.clock.time += 1;
      await world.domain.sweeper.runDue();
      await world.settled();
      written = (await auditRecords(world.store)).length;
    }
  };
  const after = async (ms: number): Promise<void> => {
    world.clock.time += ms;
    await world.domain.sweeper.runDue();
    await settled();
  };
  return { ...world, settled, after };
}

/** A Deployment Planner that says what a test says: `answer` is asked for each order, in turn. */
export class ScriptedPlanner implements Deployer {
  readonly orders: DeployOrder[] = [];
  answer: (order: DeployOrder) => Promise<DeployOutcome> | DeployOutcome;

  constructor(answer: (order: DeployOrder) => Promise<DeployOutcome> | DeployOutcome = () => ({ ok: true })) {
    this.answer = answer;
  }

  async deploy(order: DeployOrder): Promise<DeployOutcome> {
    this.orders.push(order);
    return this.answer(order);
  }

  get versions(): readonly string[] {
    return this.orders.map(({ version }) => version);
  }
}

/** Asks a running engine until its reply is as it should be; bounded. */
export function eventually<Body>(engine: Engine, path: string, isDone: (body: Body) => boolean): Promise<Body> {
  return until(`GET ${path} does not become what it should`, async () => {
    const { status, body } = await engine.get<Body>(path);
    return status === 200 && isDone(body) ? body : null;
  });
}
