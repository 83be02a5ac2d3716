import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { buildSdk } from "../../scripts/sdk.mjs";
import { packageRoot } from "../../src/settings.ts";

/** Makes a folder this package, with its SDK as `npm run build` makes it, and what the SDK needs of others beside it. */
export async function layOutPackage(folder: string): Promise<void> {
  const root = packageRoot();
  await buildSdk(root, join(folder, "dist/sdk"));
  const { scripts: _, ...manifest } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  for (const name of ["@openfeature/core", "@openfeature/server-sdk"]) {
    const path = join(folder, "node_modules", name);
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(join(root, "node_modules", name), path);
  }
}
