import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { packageRoot } from "../../src/package.ts";

/** What Node must run to start the engine: the built one beside a built script, else the source. */
export function engineArguments(): readonly string[] {
  return programArguments("index.js", "src/index.ts");
}

/** What Node must run to start an engine of the family, before its name. */
export function memberArguments(): readonly string[] {
  return programArguments("scripts/family-engine.js", "scripts/demo/family/engine.ts");
}

function programArguments(built: string, source: string): readonly string[] {
  const root = packageRoot();
  const isBuilt = fileURLToPath(import.meta.url).startsWith(join(root, "dist") + sep);
  return isBuilt ? [join(root, "dist", built)] : ["--import", "tsx", join(root, source)];
}
