import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder that the package is in, whether it is run from its sources or bundled. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json")) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as { readonly version: string };
  return version;
}

/** What starts the engine: the bundle, or its sources where this runs from sources. */
export function engineEntry(): readonly string[] {
  const bundled = join(packageRoot(), "dist", "index.js");
  const fromSources = import.meta.url.endsWith(".ts");
  return fromSources ? [...process.execArgv, join(packageRoot(), "src", "index.ts")] : [bundled];
}
