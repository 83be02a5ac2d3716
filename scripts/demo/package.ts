import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { packageRoot } from "../../src/settings.ts";

/** What Node must run to start the engine: the built one beside a built script, else the source. */
export function engineArguments(from: string = fileURLToPath(import.meta.url)): readonly string[] {
  const root = packageRoot(from);
  return from.startsWith(join(root, "dist") + sep) ? [join(root, "dist/index.js")] : ["--import", "tsx", join(root, "src/index.ts")];
}
