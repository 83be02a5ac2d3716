import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { STORES, type StoreKind } from "./engine.ts";
import { type Failure, reduced } from "./reduce.ts";
import { commands, type Step } from "./steps.ts";
import { Trial } from "./trial.ts";

/** Few enough that a run comes to lose secrets, and one timer at a time, so that there is one order to foretell. */
vi.mock("../../src/limits.ts", async (original) => {
  const { LIMITS } = await original<typeof import("../../src/limits.ts")>();
  return { LIMITS: { ...LIMITS, rollbackRevisions: 4, dueAtOnce: 1 } };
});

const long = process.env["ENV_MANAGER_TEST_LONG"] !== undefined;
const RUNS = long ? { memory: 3_000, sqlite: 800 } : { memory: 100, sqlite: 50 };
/** Half as many on average, some of which come with others that give them a point. */
const COMMANDS = long ? 90 : 45;
/** That a failure may take to be made smaller. */
const REDUCE_MS = 60_000;
/** `<seed>/<path>`, as a failure names them. */
const [seed, path] = process.env["ENV_MANAGER_MODEL_REPLAY"]?.split("/") ?? [];

describe.each(STORES)("on the %s store", (kind) => {
  test("any commands in any order come out as the model foretells, and break no invariant", {
    timeout: long ? 3_600_000 : 180_000,
  }, async () => {
    let found: Failure | null = null;
    const runs = fc.asyncProperty(commands(COMMANDS), async (steps) => {
      found = await failureOf(kind, steps);
      return found === null;
    });
    const outcome = await fc.check(runs, {
      numRuns: RUNS[kind],
      endOnFailure: true,
      ...(seed !== undefined && { seed: Number(seed) }),
      ...(path !== undefined && { path, numRuns: 1 }),
    });
    if (found === null) return;
    const least = await reduced(found, (steps) => failureOf(kind, steps), Date.now() + REDUCE_MS);
    expect.fail(story(least, `${outcome.seed}/${outcome.counterexamplePath}`));
  });
});

async function failureOf(kind: StoreKind, steps: readonly Step[]): Promise<Failure | null> {
  const log: string[] = [];
  try {
    await Trial.run(kind, steps, { rollbackRevisions: LIMITS.rollbackRevisions }, log);
    return null;
  } catch (error) {
    return { steps, log, error };
  }
}

/** The fewest commands found that lead to a failure, and how to see them again. */
function story({ log, error }: Failure, replay: string): string {
  return [
    "Engine and model differ:",
    ...log.map((line, index) => `${String(index + 1).padStart(4)}. ${line}`),
    error instanceof Error ? error.stack : String(error),
    `Again: ENV_MANAGER_MODEL_REPLAY=${replay} npx vitest run tests/model`,
  ].join("\n");
}
