import { EXIT, type ExitCode } from "./exit-codes.ts";

/** An expected failure of the command line itself: told as it is. The engine's own come as the SDK's `EnvmError`. */
export class Failure extends Error {
  readonly exit: ExitCode;
  readonly code: string;
  readonly fix: string;

  constructor(exit: ExitCode, code: string, reason: string, fix = "") {
    super(reason);
    this.name = "Failure";
    this.exit = exit;
    this.code = code;
    this.fix = fix;
  }
}

/** What was typed cannot be done. */
export function usage(reason: string, fix = ""): Failure {
  return new Failure(EXIT.usage, "usage", reason, fix);
}

export function failed(reason: string, fix: string): Failure {
  return new Failure(EXIT.failed, "failed", reason, fix);
}

/** The code of a system call's error: `ENOENT`, `ENOSPC`, … Other errors have codes too, and say better themselves what went wrong. */
export function systemCode(error: unknown): string | null {
  return error instanceof Error && "code" in error && typeof error.code === "string" && /^E[A-Z0-9_]+$/.test(error.code)
    ? error.code
    : null;
}

/** What went wrong with a file, without its content. */
export function fileFailure(what: "read" | "written", path: string, error: unknown): Failure {
  const code = systemCode(error);
  const exit = code === "ENOENT" && what === "read" ? EXIT.missing : EXIT.failed;
  const [reason, fix] = FILE_REASONS[code ?? ""] ?? [`it cannot be ${what} (${code ?? "unknown error"})`, "Check the path and its rights."];
  return new Failure(exit, "file", `${path}: ${reason}.`, fix);
}

const FILE_REASONS: Readonly<Record<string, readonly [reason: string, fix: string]>> = {
  ENOENT: ["there is no such file or folder", "Check the path."],
  EACCES: ["you may not open it", "Check its rights, or choose another path."],
  EPERM: ["you may not change it", "Check its rights, or choose another path."],
  EISDIR: ["it is a folder", "Name a file."],
  ENOTDIR: ["a part of the path is no folder", "Check the path."],
  EROFS: ["the disk takes no writes", "Choose another path."],
  ENOSPC: ["the disk is full; nothing was changed", "Free some space, or choose another path."],
  EDQUOT: ["your quota is used up; nothing was changed", "Free some space, or choose another path."],
  EFBIG: ["the file may not grow that far; nothing was changed", "Raise the limit (ulimit -f), or choose another path."],
};
