import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { ENGINE_BUILT, here } from "./processes.ts";

const SOURCES = ["src", "web/src", "scripts", "package-lock.json"];

/** Builds where what is built is older than what it is built from: a start is measured on what people run. */
export function ensureBuilt(): void {
  const newest = Math.max(...SOURCES.map((name) => changedAt(here(`../${name}`))));
  if (existsSync(ENGINE_BUILT) && statSync(ENGINE_BUILT).mtimeMs > newest) return;
  console.error("npm run build …");
  const { status } = spawnSync("npm", ["run", "--silent", "build"], { cwd: here(".."), stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0) console.error("The build failed: rows that need it measure what was built before, or are skipped.");
}

/** When a file, or the newest file below a folder, was changed. */
function changedAt(path: string): number {
  const stats = statSync(path);
  if (!stats.isDirectory()) return stats.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => changedAt(join(path, name))));
}
