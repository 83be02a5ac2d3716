import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, test } from "vitest";
import { Engine } from "../support/engine.ts";
import { Project } from "../support/project.ts";
import { RedisServer } from "../support/redis.ts";
import { type Acknowledged, checkProject, checkWhole, writeUntilKilled } from "./rounds.ts";

/**
 * Two engines share a Redis server. In turn the server, and one of the engines, is killed with -9 while both engines write to the same
 * projects. Every acknowledged write is looked for, through the engine that was not asked to write it.
 */
const ROUNDS = process.env.ENV_MANAGER_TEST_LONG ? 100 : 3;
const WRITERS = 24;
const PROJECTS = 4;
const WRITES_A_ROUND = 60;

let server: RedisServer;
let engines: readonly Engine[];
const projects: Project[] = [];

beforeAll(async () => {
  server = await RedisServer.start();
  const env = { STORE_URL: server.url, STORE_STRICT: "1", ENV_MANAGER_MASTER_KEY: randomBytes(32).toString("base64") };
  engines = [new Engine({ env }), new Engine({ env })];
  await Promise.all(engines.map((engine) => engine.start()));
  for (let index = 0; index < PROJECTS; index++) {
    const project = new Project(engines[index % 2] as Engine, "crash");
    await project.create("development");
    projects.push(project);
  }
}, 120_000);
afterAll(async () => {
  await Promise.all(engines.map((engine) => engine.dispose()));
  await server.dispose();
}, 120_000);

/** Asks until the engine has its store again: it tries by itself, after pauses. */
async function ready(engine: Engine): Promise<void> {
  while ((await engine.get("/readyz")).status !== 200);
}

test(
  `${ROUNDS} kills of the server and of engines in turn, under load, lose nothing that was acknowledged`,
  async () => {
    const acknowledged: Acknowledged[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const victim = engines[round % 4 === 1 ? 0 : 1] as Engine;
      const killsServer = round % 2 === 0;
      const written = await writeUntilKilled({
        engines,
        projects,
        writers: WRITERS,
        round,
        enough: WRITES_A_ROUND + round,
        kill: () => (killsServer ? server.kill() : victim.kill9()),
        mayRefuse: true,
      });
      acknowledged.push(...written);
      if (killsServer) await server.restart();
      else await victim.start();
      await Promise.all(engines.map(ready));
      for (const project of projects) {
        await checkProject(
          project,
          acknowledged.filter((write) => write.project === project),
        );
      }
      await checkWhole(server.url);
    }
  },
  ROUNDS * 60_000,
);
