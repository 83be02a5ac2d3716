import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { packageRoot } from "../../src/settings.ts";

const HERE = fileURLToPath(import.meta.url);

/** What Node must run to start the engine: the built one beside a built script, else the source. */
export function engineArguments(from: string = HERE): readonly string[] {
  return programArguments("index.js", "src/index.ts", from);
}

/** What Node must run to start an engine of the family, before its name. */
export function memberArguments(from: string = HERE): readonly string[] {
  return programArguments("scripts/family-engine.js", "scripts/demo/family/engine.ts", from);
}

export function packageFolder(from: string = HERE): string {
  return packageRoot(from);
}

function programArguments(built: string, source: string, from: string): readonly string[] {
  const root = packageRoot(from);
  return from.startsWith(join(root, "dist") + sep) ? [join(root, "dist", built)] : ["--import", "tsx", join(root, source)];
}
