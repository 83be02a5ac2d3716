import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { AppError } from "../errors.ts";

/** Free bytes under which a failed write is put down to a full disk. */
const FULL_BELOW_BYTES = 1024 * 1024;

/** SQLite's own name of an error (`SQLITE_FULL`, `SQLITE_IOERR_WRITE`, …), or "" where it is not SQLite's. */
export function sqliteCode(error: unknown): string {
  const code = error instanceof Error ? (error as Error & { code?: unknown }).code : undefined;
  return typeof code === "string" && code.startsWith("SQLITE_") ? code : "";
}

/**
 * What a failure of the database at `path` means to the caller: `storage_full` (nothing was written, try again when there is
 * room) or `store_unavailable`. Errors of this engine pass unchanged.
 */
export function storeError(error: unknown, path: string): AppError {
  if (error instanceof AppError) return error;
  const code = sqliteCode(error);
  if (code === "SQLITE_FULL" || (code.startsWith("SQLITE_IOERR") && !code.includes("FSYNC") && isFull(path))) {
    return new AppError("storage_full", {
      reason: `The disk that holds ${path} is full.`,
      fix: "Free some space: writes then succeed again by themselves. Reads go on meanwhile.",
      cause: error,
    });
  }
  const known = REASONS.find(([prefix]) => code.startsWith(prefix));
  const message = error instanceof Error ? error.message : String(error);
  return new AppError("store_unavailable", {
    reason: known === undefined ? `The database ${path} failed: ${message}` : `${path} ${known[1]}`,
    fix: known?.[2] ?? "Look at the disk and at the system's log.",
    cause: error,
  });
}

/** By prefix of SQLite's code: what is the matter with the file, and what to do. */
const REASONS: readonly (readonly [prefix: string, reason: string, fix: string])[] = [
  [
    "SQLITE_NOTADB",
    "is not an SQLite database.",
    "Point STORE_URL at another file, or move this one away so that a new database can be made.",
  ],
  ["SQLITE_CORRUPT", "is damaged: its pages do not fit together.", "Restore the file from a backup."],
  [
    "SQLITE_READONLY",
    "is read-only for this user.",
    "Give the user that runs the engine write permission on the file and on its folder, or mount the disk writable.",
  ],
  [
    "SQLITE_CANTOPEN",
    "or a file beside it cannot be opened.",
    "Give the user that runs the engine permission to read and write the file and its folder.",
  ],
  ["SQLITE_PERM", "may not be used by this user.", "Give the user that runs the engine permission to read and write the file."],
  ["SQLITE_BUSY", "is locked by another program.", "Close the program that writes to the file."],
];

function isFull(path: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize < FULL_BELOW_BYTES;
  } catch {
    return false;
  }
}
