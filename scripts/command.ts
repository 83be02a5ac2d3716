import { existsSync } from "node:fs";
import { AppError } from "../src/errors.ts";
import { SettingsError } from "../src/settings.ts";
import { sqlitePath } from "../src/storage/sqlite-file.ts";

/** What the commands of this folder have in common: how they speak, and how they fail. */

/** The command was called in a way that it does not take. */
export class UsageError extends Error {
  readonly fix: string;

  constructor(reason: string, fix: string) {
    super(reason);
    this.fix = fix;
  }
}

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Before a store is opened that should hold something: opening a file that is not there would make one. @throws UsageError */
export function mustExist(storeUrl: string): void {
  const fix = "Set STORE_URL to the store of the engine.";
  if (storeUrl.startsWith("memory:")) throw new UsageError("STORE_URL is memory:, which keeps nothing.", fix);
  if (!storeUrl.startsWith("sqlite:")) return;
  const path = sqlitePath(storeUrl);
  if (!existsSync(path)) throw new UsageError(`There is no database ${path}.`, fix);
}

/** Runs a command. One that fails says why and what to do: exit code 2 for wrong usage or settings, 1 for anything else. */
export async function runCommand(main: (args: readonly string[]) => Promise<void>): Promise<void> {
  try {
    await main(process.argv.slice(2));
  } catch (error) {
    const usage = error instanceof UsageError || error instanceof SettingsError;
    const fix = error instanceof UsageError || error instanceof AppError ? error.fix : undefined;
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${fix === undefined ? "" : `${fix}\n`}`);
    process.exitCode = usage ? 2 : 1;
  }
}
