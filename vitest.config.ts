import { defineConfig } from "vitest/config";

const long = process.env["ENV_MANAGER_TEST_LONG"] !== undefined;

/**
 * Files that change for good what their process has, each of which is given one for itself: by modules of their own in place of ours, by
 * providers of OpenFeature, of which a process keeps every one, and by an SDK for traces.
 */
const APART = [
  "tests/model/model.test.ts",
  "tests/hostile/credentials.test.ts",
  "tests/limits/small.test.ts",
  "tests/ofrep/server-provider.test.ts",
  "tests/sdk/openfeature.test.ts",
  "tests/tracing/spans.test.ts",
];

export default defineConfig({
  test: {
    globalSetup: ["tests/support/built.ts", "tests/support/children.ts", "tests/support/temporary.ts"],
    setupFiles: "tests/support/each-file.ts",
    // Tests start real engines and databases, and wait for them: a worker more than the smallest machine has cores, and not many more.
    maxWorkers: 3,
    // How long a machine that is ten times slower than ours may take. They end what hangs, and no test waits for them.
    testTimeout: long ? 1_800_000 : 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
    projects: [
      // One process after another runs many files, with modules that are loaded once: a process for each took longer than most tests.
      { extends: true, test: { name: "together", include: ["tests/**/*.test.ts"], exclude: APART, isolate: false } },
      { extends: true, test: { name: "apart", include: APART } },
    ],
  },
});
