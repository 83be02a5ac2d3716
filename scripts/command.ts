import { AppError } from "../src/errors.ts";
import { SettingsError } from "../src/settings.ts";

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
