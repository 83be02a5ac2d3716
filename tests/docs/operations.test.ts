import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { ERRORS } from "../../src/errors.ts";
import { built } from "../support/built.ts";
import { Engine, useEngine } from "../support/engine.ts";
import { hasShell, withoutShell } from "./curl.ts";
import { blocks, read, rows, section } from "./support.ts";

const PAGE = read("docs/operations.md");
const run = promisify(execFile);

/** The page's commands, run from another folder than the package's. */
function here(commands: string): string {
  return commands.replace(/npm run store:(\w+)(?: --)?/g, (_, name) => `${process.execPath} ${built(`scripts/store-${name}.js`)}`);
}

describe.runIf(hasShell())(`a backup, as the page says,${withoutShell()}`, () => {
  const engine = useEngine();
  const folder = mkdtempSync(join(tmpdir(), "env-manager-backup-"));
  const [backUp = "", restore = ""] = blocks(section(PAGE, "## Backups and keys"), "sh");
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("is made beside a running engine, is whole, and opens with its key", async () => {
    for (const name of ["backup", "keys", "restored"]) mkdirSync(join(folder, name));
    await engine.request("POST", "/env/create", { project_id: "pf-777", new_environment: "staging", env_variables: { API_KEY: "sk-1" } });
    await run("bash", ["-euo", "pipefail", "-c", here(backUp)], {
      cwd: folder,
      env: { ...process.env, STORE_URL: `sqlite:${engine.directory}/env.db` },
    });
    await engine.request("PATCH", "/env/pf-777/staging/config", { secrets: { API_KEY: "sk-after" } });
    const { stdout } = await run("bash", ["-euo", "pipefail", "-c", here(restore)], { cwd: folder });
    expect(stdout).toContain("Everything in 1 project resolves.");
    const restored = new Engine();
    for (const name of ["env.db", "env.db.key"]) cpSync(join(folder, "restored", name), join(restored.directory, name));
    await restored.start();
    const { body } = await restored.get<{ secrets: unknown }>("/env/pf-777/staging/runtime");
    expect(body.secrets).toEqual({ API_KEY: "sk-1" });
    await restored.dispose();
  });
});

test("what is seen when something is wrong exists: every error code, every route", () => {
  const table = rows(section(PAGE, "## When something is wrong"));
  expect(table.length).toBeGreaterThan(10);
  for (const [seen = "", , act = ""] of table) {
    for (const [, status = "", code = ""] of seen.matchAll(/^(\d{3}) `(\w+)`/g)) {
      expect(ERRORS[code as keyof typeof ERRORS]?.status, code).toBe(Number(status));
    }
    for (const [, script = ""] of act.matchAll(/npm run ([\w:]+)/g)) {
      expect(Object.keys((JSON.parse(read("package.json")) as { scripts: object }).scripts)).toContain(script);
    }
  }
});
