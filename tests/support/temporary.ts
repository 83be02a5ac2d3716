import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { freemem } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** What tests have for the system's temporary folder; null where that is the system's own. */
    temporary: string | null;
  }
}

const MEMORY = "/dev/shm";
const GIGABYTE = 1024 ** 3;

/**
 * Makes a temporary folder in memory, for a run of tests makes tens of thousands of commits that wait for the disk. Whatever is killed
 * leaves there what it would leave on a disk: what only a disk loses, with its power, is no test's subject. The long proofs use the disk.
 */
export default function makeTemporary(project: TestProject): (() => void) | undefined {
  const folder = process.env.ENV_MANAGER_TEST_LONG === undefined && hasRoom() ? mkdtempSync(join(MEMORY, "env-tests-")) : null;
  const isUsable = folder !== null && runsPrograms(folder);
  project.provide("temporary", isUsable ? folder : null);
  if (folder === null) return undefined;
  // PostgreSQL is somebody else's where root tests.
  chmodSync(folder, 0o1777);
  return () => rmSync(folder, { recursive: true, force: true });
}

/** Several times what the tests need. */
function hasRoom(): boolean {
  if (!existsSync(MEMORY)) return false;
  const { bavail, bsize } = statfsSync(MEMORY);
  return bavail * bsize >= 2 * GIGABYTE && freemem() >= 4 * GIGABYTE;
}

/** In containers, it may be a folder from which nothing is started. */
function runsPrograms(folder: string): boolean {
  const program = join(folder, "program");
  writeFileSync(program, "#!/bin/sh\n", { mode: 0o755 });
  return spawnSync(program).status === 0;
}
