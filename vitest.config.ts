import { defineConfig } from "vitest/config";

const long = process.env["ENV_MANAGER_TEST_LONG"] !== undefined;

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    // Tests start real engines and databases: fewer at a time are faster than many that wait for one another.
    maxWorkers: 2,
    testTimeout: long ? 1_800_000 : 60_000,
    hookTimeout: 60_000,
  },
});
