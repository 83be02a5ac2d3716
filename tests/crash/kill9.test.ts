import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Fleet, SHARED, startAgain } from "../instances/fleet.ts";
import { Engine } from "../support/engine.ts";
import { Project } from "../support/project.ts";
import { type Acknowledged, checkProject, checkWhole, writeUntilKilled } from "./rounds.ts";

/**
 * What was acknowledged survives `kill -9` of the engine. In each round many writers write at once and again, until the engine is
 * killed when some number of writes has been answered. It is started again on the same store, and every acknowledged write is looked
 * for. What was not acknowledged may be there or not, but never in part. The rounds share one store: each is one more crash of it.
 */
const LONG = process.env.ENV_MANAGER_TEST_LONG !== undefined;
const PROJECTS = 7;
/** Rounds after which projects of their own are written to, so that looking at everything does not take longer and longer. */
const ERA = 10;

interface Backend {
  readonly name: string;
  readonly rounds: number;
  readonly writers: number;
  open(): Promise<{ readonly engine: Engine; readonly storeUrl: string; dispose(): Promise<void> }>;
}

const BACKENDS: readonly Backend[] = [
  {
    name: "sqlite",
    rounds: LONG ? 100 : 3,
    writers: 1_000,
    async open() {
      const engine = await new Engine().start();
      return { engine, storeUrl: `sqlite:${join(engine.directory, "env.db")}`, dispose: () => engine.dispose() };
    },
  },
  ...SHARED.map(({ name, start }) => ({
    name,
    rounds: LONG ? 100 : 2,
    writers: 200,
    async open() {
      const fleet = await Fleet.start(start, 1);
      return { engine: fleet.engines[0] as Engine, storeUrl: fleet.server.url, dispose: () => fleet.dispose() };
    },
  })),
];

describe.each(BACKENDS)("on $name", ({ rounds, writers, open }) => {
  let opened: Awaited<ReturnType<Backend["open"]>>;

  beforeAll(async () => {
    opened = await open();
  }, 180_000);
  afterAll(() => opened?.dispose(), 180_000);

  test(
    `${rounds} kills in the middle of ${writers} concurrent writers lose nothing that was acknowledged`,
    async () => {
      const { engine, storeUrl } = opened;
      let projects: readonly Project[] = [];
      let acknowledged: Acknowledged[] = [];
      for (let round = 0; round < rounds; round++) {
        if (round % ERA === 0) [projects, acknowledged] = [await newProjects(engine), []];
        const enough = Math.ceil((writers * ((round % ERA) + 0.5)) / Math.min(rounds, ERA));
        const written = await writeUntilKilled({
          engines: [engine],
          projects,
          writers,
          round,
          enough,
          kill: () => engine.kill9(),
          // A machine that is busy all the time may not get to a request in time.
          mayRefuse: true,
        });
        expect(written.length).toBeGreaterThanOrEqual(enough);
        acknowledged.push(...written);
        if (round % ERA === ERA - 1 || round === rounds - 1) await checkWhole(storeUrl);
        await startAgain(engine);
        for (const project of projects) {
          await checkProject(
            project,
            acknowledged.filter((write) => write.project === project),
          );
        }
      }
      // It still writes.
      for (const project of projects) await project.patchState("development", { set: { "entities/after": {} } });
    },
    rounds * 60_000,
  );
});

async function newProjects(engine: Engine): Promise<readonly Project[]> {
  const projects = Array.from({ length: PROJECTS }, () => new Project(engine, "crash"));
  for (const project of projects) await project.create("development");
  return projects;
}
