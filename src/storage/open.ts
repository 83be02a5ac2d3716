import { AppError } from "../errors.ts";
import type { Backend, Store } from "../ports.ts";
import { checked } from "./checked.ts";

/** Loads a backend only when its scheme is asked for, so that a start pays for one driver. */
const BACKENDS: Readonly<Record<string, (url: string) => Promise<Backend>>> = {
  memory: async () => new (await import("./memory.ts")).MemoryBackend(),
  sqlite: async (url) => (await import("./sqlite.ts")).openSqlite(url),
  postgres: async (url) => (await import("./postgres.ts")).openPostgres(url),
  postgresql: async (url) => (await import("./postgres.ts")).openPostgres(url),
};

/**
 * Opens the store that `url` names: `memory:`, `sqlite:./data/env.db`, or `postgres://user:password@host/database`.
 *
 * Throws `invalid_request` for a URL that names no known kind of store, `store_unavailable` (with reason and fix) for a store
 * that cannot be used.
 */
export async function openStore(url: string): Promise<Store> {
  const scheme = /^([a-z]+):/.exec(url)?.[1] ?? "";
  const open = Object.hasOwn(BACKENDS, scheme) ? BACKENDS[scheme] : undefined;
  if (open === undefined) {
    const known = Object.keys(BACKENDS).map((name) => `${name}:`);
    throw new AppError("invalid_request", {
      // Not the URL itself: it may hold a password.
      reason: `STORE_URL names no known kind of store${scheme === "" ? "" : ` ("${scheme}:")`}. Known are: ${known.join(", ")}.`,
      fix: "Set STORE_URL=sqlite:./data/env.db for a file on this machine, STORE_URL=postgres://user:password@host/database for a database that engines share, or STORE_URL=memory: to keep nothing.",
    });
  }
  return checked(await open(url));
}
