import { AppError } from "../errors.ts";
import type { Backend, Store } from "../ports.ts";
import { checked } from "./checked.ts";
import { driverError } from "./sqlite-errors.ts";

export interface StoreOptions {
  /** Refuse a shared store that may lose what it acknowledged, instead of giving notice. */
  readonly strict?: boolean;
  /** Store objects as deltas from now on, though the store is from before there were any: no older engine may use it any more. */
  readonly deltas?: boolean;
  /** Refuse a shared store in which nothing of this engine's is yet, or, without `deltas`, that an older one wrote, instead of preparing it. */
  readonly existing?: boolean;
  /** Told what the operator should know about the store. */
  readonly onNotice?: (notice: string) => void;
}

/** Loads a backend only when its scheme is asked for, so that a start pays for one driver. */
const BACKENDS: Readonly<Record<string, (url: string, options: StoreOptions) => Promise<Backend>>> = {
  memory: async () => new (await import("./memory.ts")).MemoryBackend(),
  sqlite: (url) => withDriver(async () => (await import("./sqlite.ts")).openSqlite(url)),
  postgres: openPostgres,
  postgresql: openPostgres,
  redis: openRedis,
  rediss: openRedis,
  "redis+cluster": openRedis,
  "rediss+cluster": openRedis,
};

/**
 * Opens the store that `url` names: `memory:`, `sqlite:./data/env.db`, `postgres://user:password@host/database`, or
 * `redis://host:6379` and its kin.
 *
 * Throws `invalid_request` for a URL that names no known kind of store, `store_unavailable` (with reason and fix) for a store
 * that cannot be used.
 */
export async function openStore(url: string, options: StoreOptions = {}): Promise<Store> {
  const scheme = /^([a-z+]+):/.exec(url)?.[1] ?? "";
  const open = Object.hasOwn(BACKENDS, scheme) ? BACKENDS[scheme] : undefined;
  if (open === undefined) {
    const known = Object.keys(BACKENDS).map((name) => `${name}:`);
    throw new AppError("invalid_request", {
      // Not the URL itself: it may hold a password.
      reason: `STORE_URL names no known kind of store${scheme === "" ? "" : ` ("${scheme}:")`}. Known are: ${known.join(", ")}.`,
      fix: "Set STORE_URL=sqlite:./data/env.db for a file on this machine, STORE_URL=postgres://user:password@host/database or STORE_URL=redis://host:6379 for a store that engines share, or STORE_URL=memory: to keep nothing.",
    });
  }
  return checked(await open(url, options));
}

/**
 * Opens a store for reading alone: an SQLite file beside the engine that has it, without its lock. Elsewhere it is `openStore`, which
 * prepares nothing; and not to write is the caller's part.
 */
export async function openForReading(url: string): Promise<Store> {
  if (!url.startsWith("sqlite:")) return openStore(url, { existing: true });
  return checked(await withDriver(async () => (await import("./sqlite-reading.ts")).openSqliteReading(url)));
}

/** The driver is native code, which is there for one Node and not for another. */
async function withDriver<T>(open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    throw driverError(error);
  }
}

async function openPostgres(url: string, options: StoreOptions): Promise<Backend> {
  return (await import("./postgres.ts")).openPostgres(url, options);
}

async function openRedis(url: string, options: StoreOptions): Promise<Backend> {
  return (await import("./redis.ts")).openRedis(url, options);
}

/** Whether one process alone can have the store that `url` names, and is therefore told of every change to it. */
export function isExclusive(url: string): boolean {
  return /^(sqlite|memory):/.test(url);
}
