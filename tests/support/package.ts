import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { packageRoot } from "../../src/package.ts";
import { built } from "./built.ts";

/** Makes a folder this package, with its SDK as it is built, and what the SDK needs of others beside it. */
export function layOutPackage(folder: string): void {
  const root = packageRoot();
  cpSync(built("sdk"), join(folder, "dist/sdk"), { recursive: true });
  const { scripts: _, ...manifest } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  for (const name of ["@openfeature/core", "@openfeature/server-sdk"]) {
    const path = join(folder, "node_modules", name);
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(join(root, "node_modules", name), path);
  }
}
