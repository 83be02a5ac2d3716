import { execFileSync } from "node:child_process";
import { join } from "node:path";
import Database from "better-sqlite3";
import type { Engine } from "../support/engine.ts";

/** Who runs the engine, as its own lock file says: another process would say another. */
export function processIdOf(engine: Engine): number {
  const lock = new Database(join(engine.directory, "env.db-lock"), { readonly: true });
  try {
    return lock.prepare<[], { readonly pid: number }>("SELECT pid FROM holder").get()?.pid ?? 0;
  } finally {
    lock.close();
  }
}

/** Megabytes that a process holds in memory. */
export function megabytesOf(pid: number): number {
  return Math.round(Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" })) / 1_024);
}
