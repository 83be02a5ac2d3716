import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Engine } from "../support/engine.ts";

/** Who runs the engine, as is noted beside its database: another process would say another. */
export function processIdOf(engine: Engine): number {
  return Number(/^process (\d+) /.exec(readFileSync(join(engine.directory, "env.db-holder"), "utf8"))?.[1]);
}

/** Megabytes that a process holds in memory. */
export function megabytesOf(pid: number): number {
  return Math.round(Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" })) / 1_024);
}
