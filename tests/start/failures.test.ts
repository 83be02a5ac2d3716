import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { packageRoot } from "../../src/package.ts";
import { Engine } from "../support/engine.ts";

const engines: Engine[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  for (const engine of engines.splice(0)) await engine.dispose();
});

/** What an engine says that does not start. */
async function refusal(env: Readonly<Record<string, string>>): Promise<string> {
  const engine = new Engine({ env });
  engines.push(engine);
  await expect(engine.start()).rejects.toThrow();
  return /environment-manager cannot start: ([\s\S]*)/.exec(engine.output())?.[1]?.trim() ?? engine.output();
}

test.each([
  [{ WEBHOOK_ALLOW: "hooks.internal, 10.0/8" }, 'WEBHOOK_ALLOW holds "10.0/8", which is neither a host name'],
  [{ GIT_ALLOW: "10.0/8" }, 'GIT_ALLOW holds "10.0/8", which is neither a host name'],
  [{ GIT_PATH: "package.json" }, "Let the user who runs the engine write to it, or set GIT_PATH to another folder."],
  [{ ENV_MANAGER_HOST: "192.0.2.1", ENV_MANAGER_AUTH: "on" }, 'ENV_MANAGER_HOST is "192.0.2.1", which is no address of this machine.'],
  [
    { ENV_MANAGER_HOST: "no.such.host.invalid", ENV_MANAGER_AUTH: "on" },
    'ENV_MANAGER_HOST is "no.such.host.invalid", which cannot be found.',
  ],
])("a start that fails names the setting and says how to mend it: %o", async (env, words) => {
  const said = await refusal(env as Record<string, string>);
  expect(said).toContain(words);
  expect(said).not.toMatch(/\n\s+at /);
});

/** A package as it lies where one was installed, with links to what it needs but for `without`. */
function installed(without: string): string {
  const folder = mkdtempSync(join(tmpdir(), "env-installed-"));
  folders.push(folder);
  for (const name of ["dist", "package.json"]) symlinkSync(join(packageRoot(), name), join(folder, name));
  const libraries = join(packageRoot(), "node_modules");
  mkdirSync(join(folder, "node_modules"));
  for (const name of readdirSync(libraries)) {
    if (name !== without) symlinkSync(join(libraries, name), join(folder, "node_modules", name));
  }
  return folder;
}

test("a start without the driver of SQLite that this Node needs says so, and how to install it", () => {
  const driver = Number.parseInt(process.versions.node, 10) < 22 ? "better-sqlite3" : "better-sqlite3-napi";
  const folder = installed(driver);
  // By where it lies, not by where its links lead.
  const start = ["--preserve-symlinks", "--preserve-symlinks-main", join(folder, "dist", "index.js")];
  const env = { PATH: process.env["PATH"], STORE_URL: `sqlite:${join(folder, "env.db")}`, ENV_MANAGER_PORT: "0" };
  const { status, stderr } = spawnSync(process.execPath, start, { cwd: folder, env, encoding: "utf8", timeout: 60_000 });
  expect(stderr).toContain(`The driver of SQLite cannot be loaded in Node ${process.versions.node}: Cannot find module`);
  expect(stderr).toContain(driver);
  expect(stderr).toContain("Install the packages anew with the Node that runs the engine");
  expect(stderr).not.toMatch(/\n\s+at /);
  expect(status).toBe(1);
});
