import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { rm, symlink } from "node:fs/promises";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { REQUIRE } from "../../scripts/threads.mjs";
import { openStore } from "../../src/storage/open.ts";
import Database from "../../src/storage/sqlite-driver.cjs";
import { headOf, openWorld, PROJECT } from "../domain/support.ts";
import { inFolder } from "../vault/support.ts";
import { long } from "./support.ts";

/** In the folder of the packages, which the bundle loads from there. */
const BUNDLE = resolve("node_modules", ".cache", `store-check-${process.pid}`, "store-check.mjs");

interface Outcome {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

function run(args: readonly string[], env: Record<string, string>): Promise<Outcome> {
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn(process.execPath, [BUNDLE, ...args], { env: { PATH, HOME, ...env } });
  let [output, errors] = ["", ""];
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  child.stderr.on("data", (chunk) => {
    errors += chunk;
  });
  return new Promise((done) => child.on("close", (code) => done({ code, output, errors })));
}

beforeAll(async () => {
  await build({
    entryPoints: ["scripts/store-check.ts"],
    outfile: BUNDLE,
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    banner: { js: REQUIRE },
  });
});

afterAll(() => rm(join(BUNDLE, ".."), { recursive: true, force: true }));

describe("npm run store:check", () => {
  test("says that a whole store is whole, that one in use is in use, and what is wrong with a damaged one", () =>
    inFolder(async (folder) => {
      const url = `sqlite:${join(folder, "env.db")}`;
      const store = await openStore(url);
      const { project } = await openWorld({ store });
      await project.create("staging", { env_variables: { API_KEY: "a" } });
      await project.set("staging", { "flows/a": long("a") });
      await symlink(join(folder, "env.db"), join(folder, "alias.db"));
      for (const name of ["env.db", "alias.db"]) {
        const inUse = await run([], { STORE_URL: `sqlite:${join(folder, name)}` });
        expect(inUse).toMatchObject({ code: 1, output: "" });
        expect(inUse.errors).toContain("in use by process");
      }
      const { platform } = await headOf(store, "staging");
      await store.close();

      // As an older engine left it: what is only checked is brought up to date by nobody.
      const version = (set?: number) => {
        const db = new Database(join(folder, "env.db"));
        const found = db.pragma(set === undefined ? "user_version" : `user_version = ${set}`, { simple: true });
        db.close();
        return found;
      };
      const current = Number(version());
      version(current - 1);
      const whole = await run([], { STORE_URL: url });
      expect(version()).toBe(current - 1);
      version(current);
      expect(whole).toMatchObject({ code: 0, errors: "" });
      expect(whole.output).toBe(
        `${PROJECT}: 1 environment, 2 revisions, 2 versions, 3 objects; no fault\nEverything in 1 project resolves.\n`,
      );

      const again = await openStore(url);
      await again.commit(PROJECT, { checks: [], puts: [], deletes: [], objects: [], objectDeletes: [platform] });
      await again.close();
      const damaged = await run([], { STORE_URL: url });
      expect(damaged).toMatchObject({ code: 1, errors: "" });
      expect(damaged.output).toContain(
        `FAULT ${PROJECT}: object ${platform} is missing, which the platform of revision 2 of staging needs\n`,
      );
      expect(damaged.output).toContain("1 fault in 1 project.");
    }));

  test("explains itself, and refuses what it does not know or cannot check", () =>
    inFolder(async (folder) => {
      const help = await run(["--help"], {});
      expect(help).toMatchObject({ code: 0, errors: "" });
      expect(help.output).toContain("Changes nothing.");
      expect(await run(["--mend"], {})).toMatchObject({ code: 2, output: "" });
      expect(await run([], { STORE_URL: "memory:" })).toMatchObject({ code: 2, output: "" });
      const nowhere = join(folder, "none.db");
      const missing = await run([], { STORE_URL: `sqlite:${nowhere}` });
      expect(missing).toMatchObject({ code: 2, output: "" });
      expect(missing.errors).toContain("There is no database");
      expect(existsSync(nowhere)).toBe(false);
    }));
});
