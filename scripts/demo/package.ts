import { existsSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder that holds `package.json`: found by walking up, so that it is the same from `scripts/` and from `dist/scripts/`. */
export function packageFolder(from: string = fileURLToPath(import.meta.url)): string {
  let folder = dirname(from);
  while (!existsSync(join(folder, "package.json"))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`No package.json in any folder above ${from}.`);
    folder = parent;
  }
  return folder;
}

/** What Node must run to start the engine: the built one beside a built script, else the source. */
export function engineArguments(from: string = fileURLToPath(import.meta.url)): readonly string[] {
  const root = packageFolder(from);
  return from.startsWith(join(root, "dist") + sep) ? [join(root, "dist/index.js")] : ["--import", "tsx", join(root, "src/index.ts")];
}
