import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { AppError } from "../src/errors.ts";
import { createKeyFile, removeKeyFile } from "../src/vault/master-key.ts";
import { UsageError } from "./command.ts";

/** What `store:backup` and `store:restore` are told: one file, and where a copy of the master key's file is. */
interface BackupArguments {
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

/**
 * A file that holds this very key is as good as none: a command that was killed left it.
 * @throws UsageError where another one is there
 */
export async function mustTake(path: string, text: string, fix: string): Promise<void> {
  if (!existsSync(path) || (await holds(path, text))) return;
  throw new UsageError(`${path} is there already, and nothing is written over it.`, fix);
}

/** Writes the key file, and answers what removes it again; one that holds the key already stays either way. */
export async function placeKey(path: string, text: string): Promise<() => Promise<void>> {
  if (await holds(path, text)) return async () => {};
  try {
    await createKeyFile(path, text);
  } catch (error) {
    // What is said of it to who starts an engine would lead to another key here.
    const fix = "Look whether its folder is there and may be written to.";
    throw error instanceof AppError ? new AppError(error.code, { reason: error.message, fix, cause: error }) : error;
  }
  return () => removeKeyFile(path);
}

async function holds(path: string, text: string): Promise<boolean> {
  return existsSync(path) && (await readFile(path, "utf8")).trim() === text.trim();
}

/** Only an SQLite file is backed up here; servers have means of their own. */
export function mustBeSqlite(storeUrl: string): void {
  if (storeUrl.startsWith("sqlite:")) return;
  throw new UsageError(
    "STORE_URL names no SQLite file.",
    "PostgreSQL and Redis are backed up by their own means: see docs/operations.md. `npm run store:copy` copies them to an SQLite file.",
  );
}
