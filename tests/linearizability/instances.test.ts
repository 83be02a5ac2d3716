import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PROJECT } from "../domain/support.ts";
import { Fleet, SHARED, startAgain } from "../instances/fleet.ts";
import type { Engine } from "../support/engine.ts";
import { checkLinearizable } from "./checker.ts";
import { record } from "./clients.ts";
import { ENVIRONMENT, sessionFaults } from "./environment.ts";
import { httpTarget } from "./http-target.ts";

/** One round is one history, with a kill and a pause of each instance. */
const ROUNDS = process.env.ENV_MANAGER_TEST_LONG === undefined ? 1 : 20;
const ENVS = ["development", "staging", "testing"];
const CLIENTS = 4;
/** Operations between two things that go wrong. */
const BETWEEN = 60;
/** Operations while one instance stands still. */
const BETWEEN_PAUSED = 12;

describe.each(SHARED)("on $name", ({ start }) => {
  let fleet: Fleet;

  beforeAll(async () => {
    fleet = await Fleet.start(start, 2);
  }, 120_000);
  afterAll(() => fleet?.dispose(), 120_000);

  test(
    "two instances are as one to their clients, though they are killed and stand still",
    async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const envs = ENVS.map((env) => `${env}-${round}`);
        const [first] = fleet.engines as [Engine];
        for (const env of envs) {
          const made = await first.request("POST", "/env/create", { project_id: PROJECT, new_environment: env });
          expect(made.status, made.text).toBe(201);
        }
        const targets = fleet.engines.map((engine) => httpTarget(() => engine.url));
        let operations = 0;
        let over = false;
        const recording = record({
          targets: () => targets,
          envs,
          clients: CLIENTS,
          over: (count) => {
            operations = count;
            return over;
          },
        });
        try {
          for (const engine of fleet.engines) {
            await more(() => operations);
            engine.signal("SIGSTOP");
            // Those who ask it wait until they lose patience; those who ask the other go on.
            await more(() => operations, BETWEEN_PAUSED);
            engine.signal("SIGCONT");
            await more(() => operations);
            await engine.kill9();
            await startAgain(engine);
          }
          await more(() => operations);
        } finally {
          over = true;
        }
        const history = await recording;
        const verdict = checkLinearizable(ENVIRONMENT, history);
        expect(verdict.ok ? null : verdict).toBeNull();
        expect(sessionFaults(history)).toEqual([]);
        expect(history.filter(({ output }) => output?.kind === "written").length).toBeGreaterThan(BETWEEN);
        const { body } = await first.get<{ valid: boolean }>(`/env/${PROJECT}/audit/verify`);
        expect(body).toMatchObject({ valid: true });
      }
    },
    ROUNDS * 240_000,
  );
});

/** Resolves when so many more operations have been answered. */
async function more(operations: () => number, count = BETWEEN): Promise<void> {
  const enough = operations() + count;
  await expect.poll(operations, { timeout: 90_000 }).toBeGreaterThanOrEqual(enough);
}
