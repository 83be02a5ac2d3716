import { afterAll, beforeAll, expect, test } from "vitest";
import { Engine } from "../support/engine.ts";
import { Project } from "../support/project.ts";
import { type Acknowledged, checkProject, writeUntilKilled } from "./rounds.ts";

/**
 * What was acknowledged survives `kill -9`. In each round 1,000 writers write at once and again, until the engine is killed
 * when some number of writes has been answered. It is started again on the same files, and every acknowledged write is
 * looked for. What was not acknowledged may be there or not, but never in part. The rounds share one database: each is one
 * more crash of it.
 */
const ROUNDS = process.env.ENV_MANAGER_TEST_LONG ? 20 : 3;
const WRITERS = 1_000;
const PROJECTS = 7;

const engine = new Engine();
const projects: Project[] = [];

beforeAll(async () => {
  await engine.start();
  for (let index = 0; index < PROJECTS; index++) {
    const project = new Project(engine, "crash");
    await project.create("development");
    projects.push(project);
  }
}, 60_000);
afterAll(() => engine.dispose(), 60_000);

test(
  `${ROUNDS} kills in the middle of ${WRITERS} concurrent writes lose nothing that was acknowledged`,
  async () => {
    const acknowledged: Acknowledged[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const enough = Math.ceil((WRITERS * (round + 0.5)) / ROUNDS);
      const written = await writeUntilKilled({
        engines: [engine],
        projects,
        writers: WRITERS,
        round,
        enough,
        kill: () => engine.kill9(),
        mayRefuse: false,
      });
      expect(written.length).toBeGreaterThanOrEqual(enough);
      acknowledged.push(...written);
      await engine.restart();
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
  ROUNDS * 60_000,
);
