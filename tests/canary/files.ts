import { readdirSync } from "node:fs";
import { join, relative } from "node:path";

/** The files below a folder, however deep. What holds keys is left out: it holds nothing else. */
export function filesIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/\.key(?:\.new)?$/.test(entry.name))
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)));
}
