import { ErrorReply } from "redis";
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";

/** The server's own word for an error (`OOM`, `MOVED`, …); "" where it is not the server's: the connection broke. */
export function replyCode(error: unknown): string {
  if (!(error instanceof ErrorReply)) return "";
  return /^-?([A-Z]+)/.exec(error.message)?.[1] ?? "ERR";
}

/** Whether the server answered: what it refused it did not do. Otherwise nobody knows. */
export function isAnswer(error: unknown): boolean {
  return error instanceof ErrorReply;
}

/** Whether this server cannot serve for now, though its connection stands: a new one may lead to the primary. */
export function isWrongServer(error: unknown): boolean {
  return ["READONLY", "LOADING", "MASTERDOWN"].includes(replyCode(error));
}

/** What a failure means to the caller: `storage_full` (nothing was written) or `store_unavailable`. What is not Redis's comes back as it is. */
export function storeError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const code = replyCode(error);
  const message = error instanceof Error ? error.message : String(error);
  if (code === "OOM" || (code === "MISCONF" && /no space left/i.test(message))) {
    return new AppError("storage_full", {
      reason: "Redis has no room left.",
      fix: "Raise its maxmemory, or free space on its disk: writes then succeed again by themselves. Reads go on meanwhile.",
      cause: error,
    });
  }
  const [reason, fix] =
    (code === "" ? undefined : REASONS[code]) ?? (/max number of clients/.test(message) ? NO_CONNECTION : fallback(code));
  return new AppError("store_unavailable", { reason, fix, cause: error });
}

function fallback(code: string): readonly [reason: string, fix: string] {
  return code === ""
    ? ["Redis cannot be reached.", "Look whether it runs and whether its address in STORE_URL is right."]
    : [`Redis refused the request (${code}).`, "Look at the log of the Redis server."];
}

const NO_CONNECTION = [
  "Redis has no connection left.",
  `Raise its maxclients: each engine takes ${LIMITS.redisWriters + 1} to each server.`,
] as const;

/** By the server's word: what is the matter, and what to do. */
const REASONS: Readonly<Record<string, readonly [reason: string, fix: string]>> = {
  LOADING: ["Redis is loading its data.", "Wait until it has: it serves then by itself."],
  READONLY: ["This Redis server is a replica.", "Let STORE_URL name the primary."],
  MASTERDOWN: ["This Redis server is a replica without its primary.", "Let STORE_URL name the primary."],
  MISCONF: ["Redis cannot write to its disk and refuses writes.", "Look at its log, and mend its disk."],
  NOREPLICAS: ["Redis has too few replicas in touch (min-replicas-to-write) and refuses writes.", "Bring its replicas back."],
  CLUSTERDOWN: ["The Redis cluster has no server for some of its slots.", "Look at CLUSTER INFO, and bring the missing server back."],
  TRYAGAIN: ["Redis is moving this project to another server of the cluster.", "Wait a moment and try again."],
  MOVED: ["The Redis cluster is changing its layout.", "Wait a moment and try again."],
  ASK: ["The Redis cluster is changing its layout.", "Wait a moment and try again."],
  BUSY: ["Redis is held up by a script.", "Look who runs it; SCRIPT KILL ends one that has not written."],
  NOAUTH: ["Redis asks for a password.", "Put user and password into STORE_URL."],
  WRONGPASS: ["Redis refuses this user or password.", "Mend the user and password in STORE_URL."],
  NOPERM: ["This user of Redis lacks a right.", "Give the user the commands, keys and channels that docs/operations.md names."],
  WRONGTYPE: ["A key of Redis is not as the engine made it.", "Find out who else writes to keys that begin with envm:."],
};
