import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { UsageError } from "./command.ts";

/** What `store:backup` and `store:restore` are told: one file, and where a copy of the master key's file is. */
export interface BackupArguments {
  readonly file: string;
  readonly key: string | null;
}

export function backupArguments(args: readonly string[], what: string): BackupArguments {
  const at = args.indexOf("--key");
  const key = at < 0 ? null : (args[at + 1] ?? "");
  const rest = at < 0 ? args : [...args.slice(0, at), ...args.slice(at + 2)];
  const [file, more] = rest;
  if (file === undefined || file.startsWith("-") || more !== undefined || key === "" || key?.startsWith("-")) {
    throw new UsageError(`One file is needed: ${what}.`, "--help tells what may be said.");
  }
  return { file, key };
}

/** @throws UsageError where there is no such file */
export async function keyText(path: string): Promise<string> {
  if (!existsSync(path)) throw new UsageError(`There is no key file ${path}.`, "Give the file that holds the master key.");
  return readFile(path, "utf8");
}

/** Only an SQLite file is backed up here; servers have means of their own. */
export function mustBeSqlite(storeUrl: string): void {
  if (storeUrl.startsWith("sqlite:")) return;
  throw new UsageError(
    "STORE_URL names no SQLite file.",
    "PostgreSQL and Redis are backed up by their own means: see docs/operations.md. `npm run store:copy` copies them to an SQLite file.",
  );
}
