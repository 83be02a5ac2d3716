import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../storage/support.ts";
import { run } from "./support.ts";

test.each([
  ["audit-rotate", []],
  ["store-backup", ["copy.db"]],
  ["store-check", []],
  ["vault-move", ["--to", "builtin"]],
  ["vault-rotate", []],
] as const)("%s says of a database that is not there that it is not, and makes none", async (script, args) => {
  const folder = temporaryFolder();
  const outcome = await run(script, args, { STORE_URL: `sqlite:${join(folder, "mistyped.db")}`, VAULT_URL: "", VAULT_KIND: "" });
  expect(outcome).toMatchObject({ output: "", errors: expect.stringMatching(/^There is no database .*mistyped\.db\.\n/) });
  expect(outcome.code).not.toBe(0);
  expect(readdirSync(folder)).toEqual([]);
});

test.each(["audit-rotate", "store-check", "vault-rotate"])("%s does nothing where nothing is kept", async (script) => {
  const outcome = await run(script, [], { STORE_URL: "memory:", VAULT_URL: "", VAULT_KIND: "" });
  expect(outcome).toMatchObject({ code: 2, output: "", errors: expect.stringContaining("STORE_URL is memory:") });
});
