import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { AppError } from "../errors.ts";

/** Free bytes under which a failed write is put down to a full disk. */
const FULL_BELOW_BYTES = 1024 * 1024;

/** What reasons call the file once the engine runs: callers of the API have no business with its path. */
export const RUNNING = "the engine's database";

/** SQLite's own name of an error (`SQLITE_FULL`, `SQLITE_IOERR_WRITE`, …), or "" where it is not SQLite's. */
export function sqliteCode(error: unknown): string {
  const code = error instanceof Error ? (error as Error & { code?: unknown }).code : undefined;
  return typeof code === "string" && code.startsWith("SQLITE_") ? code : "";
}

/**
 * What a failure of the database at `path` means to the caller: `storage_full` (nothing was written, try again when there is
 * room) or `store_unavailable`. What is not SQLite's comes back unchanged.
 *
 * `subject` is what the reason calls the file: its path for the operator at start, less for those who call the API.
 */
export function storeError(error: unknown, path: string, subject: string): unknown {
  const code = sqliteCode(error);
  if (code === "") return error;
  if (code === "SQLITE_FULL" || (code.startsWith("SQLITE_IOERR") && !code.includes("FSYNC") && isFull(path))) {
    return new AppError("storage_full", {
      reason: noRoom(subject),
      fix: "Free some space: writes then succeed again by themselves. Reads go on meanwhile.",
      cause: error,
    });
  }
  const [, what, fix] = REASONS.find(([prefix]) => code.startsWith(prefix)) ?? [
    "",
    `failed (${code}).`,
    "Look at the disk and at the system's log.",
  ];
  return new AppError("store_unavailable", { reason: `${subject} ${what}`.replace(/^the /, "The "), fix, cause: error });
}

export function noRoom(subject: string): string {
  return `The disk is full: there is no room for ${subject}.`;
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

/** Node's own names of what is amiss with a driver: it is not there, or its native code is of another Node. */
const UNUSABLE = new Set(["MODULE_NOT_FOUND", "ERR_DLOPEN_FAILED"]);

/** What it means that SQLite's driver cannot be loaded: `store_unavailable`. What is something else comes back unchanged. */
export function driverError(error: unknown): unknown {
  if (!(error instanceof Error) || !UNUSABLE.has(String((error as Error & { code?: unknown }).code))) return error;
  const [what] = error.message.split("\n");
  return new AppError("store_unavailable", {
    reason: `The driver of SQLite cannot be loaded in Node ${process.versions.node}: ${what}`,
    fix: "Install the packages anew with the Node that runs the engine: npm ci, or npm install -g of the package. Optional packages belong to it.",
    cause: error,
  });
}

/** Whether the disk that `path` is on has no room left, which costs no write to find out. */
export function isFull(path: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize < FULL_BELOW_BYTES;
  } catch {
    return false;
  }
}
