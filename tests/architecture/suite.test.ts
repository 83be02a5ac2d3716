import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { packageRoot } from "../../src/package.ts";

/** One process runs many files of tests and loads each module once: what that leaves out is looked for here. */

const TESTS = join(packageRoot(), "tests");
const files = readdirSync(TESTS, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => ({ file: `tests/${file}`, text: readFileSync(join(TESTS, file), "utf8") }));

test("no module that tests share registers a hook when it is loaded: only the first file of a process would have it", () => {
  const hook = /^(before|after)(Each|All)\(/m;
  const registering = files.filter(({ file, text }) => !file.endsWith(".test.ts") && hook.test(text)).map(({ file }) => file);
  expect(registering).toEqual(["tests/support/each-file.ts"]);
});

test("a file that replaces modules has a process of its own", () => {
  const config = readFileSync(join(packageRoot(), "vitest.config.ts"), "utf8");
  const replacing = files.filter(({ text }) => /^vi\.(do)?mock\(/im.test(text)).map(({ file }) => file);
  expect(replacing.length).toBeGreaterThan(0);
  expect(replacing.filter((file) => !config.includes(`"${file}"`))).toEqual([]);
});
