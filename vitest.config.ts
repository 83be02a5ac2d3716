import { defineConfig } from "vitest/config";

const long = process.env["ENV_MANAGER_TEST_LONG"] !== undefined;

/** Files that replace modules of ours by their own: each is given a process, for the others are to have the real ones. */
const REPLACING_MODULES = ["tests/hostile/credentials.test.ts", "tests/limits/small.test.ts"];

export default defineConfig({
  test: {
    globalSetup: "tests/support/built.ts",
    // Tests start real engines and databases, and wait for them: a worker more than the smallest machine has cores, and not many more.
    maxWorkers: 3,
    // How long a machine that is ten times slower than ours may take. They end what hangs, and no test waits for them.
    testTimeout: long ? 1_800_000 : 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
    projects: [
      // One process after another runs many files, with modules that are loaded once: a process for each took longer than most tests.
      { extends: true, test: { name: "together", include: ["tests/**/*.test.ts"], exclude: REPLACING_MODULES, isolate: false } },
      { extends: true, test: { name: "apart", include: REPLACING_MODULES } },
    ],
  },
});
