import { defineConfig } from "vitest/config";

const long = process.env["ENV_MANAGER_TEST_LONG"] !== undefined;

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    globalSetup: "tests/support/built.ts",
    // Tests start real engines and databases: fewer at a time are faster than many that wait for one another.
    maxWorkers: 2,
    // How long a machine that is ten times slower than ours may take. They end what hangs, and no test waits for them.
    testTimeout: long ? 1_800_000 : 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
  },
});
