import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { AppError } from "../../src/errors.ts";
import { childScript } from "../support/children.ts";

/** A folder that every user may enter, so that tests can act as another user. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "env-store-"));
  chmodSync(folder, 0o755);
  return folder;
}

/** The `AppError` that a promise rejects with; fails where it does not. */
export async function errorOf(promise: Promise<unknown>): Promise<AppError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof AppError) return error;
  throw new Error(`An AppError was expected, not ${String(error)}.`);
}

export interface Child {
  readonly process: ChildProcess;
  /** Lines of its standard output. */
  readonly lines: AsyncIterator<string>;
  /** `kill -9`, and the wait until it is gone. */
  kill(): Promise<void>;
}

/** Runs `tests/storage/children/<name>.ts` as a process of its own. */
export function runChild(name: "hold" | "write-and-leave" | "write-loop", ...args: readonly string[]): Child {
  const child = spawn(process.execPath, [childScript(`storage/children/${name}`), ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  return {
    process: child,
    lines: createInterface({ input: child.stdout })[Symbol.asyncIterator](),
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
