import { spawnSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { packageRoot } from "../../src/package.ts";

/** What the build is made of. */
const SOURCES = ["package-lock.json", "scripts", "src", "web"];
/** What it makes last. */
const LAST = "web/index.html";

/** A file of the built package: tests start what people start, in a tenth of the time that its source takes. */
export function built(file: string): string {
  return join(packageRoot(), "dist", file);
}

/** Before the tests, and before each run of those that are watched. */
export default function buildBefore(project: TestProject): void {
  buildAnew();
  project.onTestsRerun(buildAnew);
}

/** Builds the package where a source, or a folder of sources, is newer than what is built. */
function buildAnew(): void {
  const at = statSync(built(LAST), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (Math.max(...SOURCES.map((source) => newest(join(packageRoot(), source)))) <= at) return;
  const { status } = spawnSync(process.execPath, ["scripts/build.mjs"], { cwd: packageRoot(), stdio: "inherit" });
  if (status !== 0) throw new Error("What the tests start could not be built: npm run build");
}

function newest(path: string): number {
  const entry = statSync(path);
  const inside = entry.isDirectory() ? readdirSync(path) : [];
  return Math.max(entry.mtimeMs, ...inside.map((name) => newest(join(path, name))));
}
