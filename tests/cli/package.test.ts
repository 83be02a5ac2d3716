import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { listeningUrl, standaloneEnvironment } from "../../scripts/demo/engine-process.ts";
import { built } from "../support/built.ts";
import { ended } from "./support.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  bin: Record<string, string>;
  version: string;
  files: string[];
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "envm-package-"));
  // As npm would unpack it: the manifest beside what was built, and a link to the program.
  cpSync(built("."), join(folder, "package", "dist"), { recursive: true });
  symlinkSync(join(ROOT, "package.json"), join(folder, "package", "package.json"));
  mkdirSync(join(folder, "bin"));
  symlinkSync(join(folder, "package", manifest.bin["envm"] ?? ""), join(folder, "bin", "envm"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the package names `envm`, which is a program of its own and needs no other package to run", () => {
  expect(manifest.bin).toEqual({ envm: "dist/cli/main.js" });
  expect(manifest.files).toContain("dist");
  const main = join(folder, "package", "dist/cli/main.js");
  expect(readFileSync(main, "utf8").split("\n")[0]).toBe("#!/usr/bin/env node");
  expect(statSync(main).mode & 0o111).toBe(0o111);
  const { stdout, stderr, status } = spawnSync(join(folder, "bin", "envm"), ["--version"], { encoding: "utf8", cwd: folder });
  expect({ stdout, stderr, status }).toEqual({ stdout: `${manifest.version}\n`, stderr: "", status: 0 });
});

test.each([[["--help"]], [["-o"]], [[""]], [["dist", "web"]]])("a build of %j is refused before it takes anything away", (words) => {
  const { status, stderr } = spawnSync(process.execPath, ["scripts/build.mjs", ...words], { cwd: ROOT, encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining("one folder") });
  expect(existsSync(join(ROOT, "--help"))).toBe(false);
});

test("only the command that is typed is loaded, and nothing of the engine", () => {
  const graph = spawnSync(process.execPath, ["--input-type=module", "-e", TRACE, join(folder, "package", "dist/cli/main.js")], {
    encoding: "utf8",
    cwd: folder,
  });
  const loaded = graph.stdout.split("\n").filter((line) => line.startsWith("bytes "));
  const bytes = Number(loaded[0]?.slice(6));
  expect(bytes).toBeGreaterThan(10_000);
  expect(bytes).toBeLessThan(200_000);
});

/** Adds up what the entry imports before anything runs, and what `run` imports besides. */
const TRACE = `
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
const seen = new Set();
const visit = (path) => {
  if (seen.has(path)) return;
  seen.add(path);
  const text = readFileSync(path, "utf8");
  for (const [, name] of text.matchAll(/(?:from|import)\\s*"(\\.[^"]+)"/g)) visit(resolve(dirname(path), name));
};
visit(process.argv[1]);
console.log("bytes " + [...seen].reduce((sum, path) => sum + readFileSync(path).length, 0));
`;

test("`envm serve` starts an engine, which ends in order when envm is told to", async () => {
  const child = spawn(process.execPath, [built("cli/main.js"), "serve", "--port", "0", "--store", "memory:", "--no-auth"], {
    cwd: ROOT,
    env: standaloneEnvironment({ ENV_MANAGER_MASTER_KEY: Buffer.alloc(32, 7).toString("base64") }) as NodeJS.ProcessEnv,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const end = ended(child);
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const found = listeningUrl(line);
      if (found !== null) resolve(found);
    });
    end.then(({ out, err }) => reject(new Error(`it ended before it listened:\n${out}${err}`)), reject);
  });
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  child.kill("SIGTERM");
  expect(await end).toMatchObject({ code: 0, signal: null });
});
