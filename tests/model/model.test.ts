import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { STORES } from "./engine.ts";
import { type Action, beginning, commands, type Step } from "./steps.ts";
import { Trial } from "./trial.ts";

/** Few enough that a run comes to lose secrets, and one timer at a time, so that there is one order to foretell. */
vi.mock("../../src/limits.ts", async (original) => {
  const { LIMITS } = await original<typeof import("../../src/limits.ts")>();
  return { LIMITS: { ...LIMITS, rollbackRevisions: 4, dueAtOnce: 1 } };
});

const long = process.env["ENV_MANAGER_TEST_LONG"] !== undefined;
const RUNS = long ? { memory: 2_000, sqlite: 600 } : { memory: 70, sqlite: 45 };
/** Half as many on average. */
const COMMANDS = long ? 120 : 80;
const TIME_MS = long ? 1_800_000 : 150_000;
/** `<seed>` or `<seed>/<path>`, as a failure names them. */
const [seed, path] = process.env["ENV_MANAGER_MODEL_REPLAY"]?.split("/") ?? [];

describe.each(STORES)("on the %s store", (kind) => {
  test("any commands in any order come out as the model foretells, and break no invariant", {
    timeout: long ? 3_600_000 : 600_000,
  }, async () => {
    const bounds = { rollbackRevisions: LIMITS.rollbackRevisions };
    let failed: readonly string[] = [];
    const runs = fc.asyncProperty(beginning, commands(COMMANDS), async (begin, steps) => {
      const log: string[] = [];
      try {
        await Trial.run(kind, begin, steps, bounds, log);
      } catch (error) {
        failed = log;
        throw error;
      }
    });
    const outcome = await fc.check(runs, {
      numRuns: RUNS[kind],
      // A failure that is still being made smaller is told as it is then.
      interruptAfterTimeLimit: TIME_MS,
      markInterruptAsFailure: true,
      ...(seed !== undefined && { seed: Number(seed) }),
      ...(path !== undefined && { path, numRuns: 1 }),
    });
    if (outcome.failed) expect.fail(story(outcome, failed));
  });
});

/** The commands that led to a failure, the fewest found, and how to see them again. */
function story(outcome: fc.RunDetails<[readonly Action[], Step[]]>, log: readonly string[]): string {
  const { seed, counterexamplePath, numRuns, numShrinks, errorInstance } = outcome;
  const message = errorInstance instanceof Error ? errorInstance.stack : String(errorInstance);
  return [
    `Engine and model differ (run ${numRuns}, made smaller ${numShrinks} times):`,
    ...log.map((line, index) => `${String(index + 1).padStart(4)}. ${line}`),
    message,
    `Again: ENV_MANAGER_MODEL_REPLAY=${seed}/${counterexamplePath} npx vitest run tests/model`,
  ].join("\n");
}
