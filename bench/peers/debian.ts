import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { CACHE } from "./packages.ts";

const run = promisify(execFile);
const DOWNLOAD_MS = 120_000;

/** The path of a program that Debian has: what is installed, or else unpacked into the cache, where it changes nothing of the machine. */
export async function debianProgram(program: string, packages: readonly string[]): Promise<string> {
  const onPath = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, program));
  const unpacked = join(CACHE, "debian", "usr", "bin", program);
  const found = [...onPath, unpacked].find(existsSync);
  if (found !== undefined) return found;
  const folder = join(CACHE, "debian");
  mkdirSync(folder, { recursive: true });
  console.error(`apt-get downloads ${packages.join(", ")} into ${folder} …`);
  try {
    await run("apt-get", ["download", ...packages], { cwd: folder, timeout: DOWNLOAD_MS });
    for (const file of readdirSync(folder).filter((name) => name.endsWith(".deb")))
      await run("dpkg-deb", ["-x", file, folder], { cwd: folder });
  } catch (error) {
    throw new Error(`${program} is not installed, and Debian's packages ${packages.join(", ")} could not be downloaded: ${String(error)}`);
  }
  if (!existsSync(unpacked)) throw new Error(`Debian's packages ${packages.join(", ")} bring no ${program}`);
  return unpacked;
}
