import { join } from "node:path";
import { packageRoot } from "../package.ts";

/** What starts the engine: the bundle, or its sources where this runs from sources. */
export function engineEntry(): readonly string[] {
  const bundled = join(packageRoot(), "dist", "index.js");
  const fromSources = import.meta.url.endsWith(".ts");
  return fromSources ? [...process.execArgv, join(packageRoot(), "src", "index.ts")] : [bundled];
}
