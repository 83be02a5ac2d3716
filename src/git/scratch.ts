import { createHash } from "node:crypto";
import { mkdtempSync, readlinkSync } from "node:fs";
import { lstat, readdir, readFile, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { LIMITS } from "../limits.ts";

/**
 * Folders for as long as something goes on, in the machine's folder for such. Each is named after the process that made it, so that
 * what a crash left behind, a key perhaps, is known as nobody's:
 *
 *     envm-<kind>-<machine>-<pid>-<start of the process>-<anything>
 */

/** What a folder is for: a fetch, a key for ssh, or the repositories of an engine that keeps none. */
type ScratchKind = "git" | "ssh" | "repositories";

/** Whose a folder is. */
interface Owner {
  readonly kind: string;
  /** Of those whose processes are numbered together. */
  readonly machine: string;
  readonly pid: number;
  /** As the system counts it, or `UNKNOWN`: another process may have got the same number since. */
  readonly start: string;
}

const NAME = /^envm-(git|ssh|repositories)-([0-9a-f]{8})-(\d{1,10})-(\d{1,20})-[A-Za-z0-9]{6}$/;
/** Where the system does not say when a process began. */
const UNKNOWN = "0";
/** Those that no process needs for as long as `LIMITS.scratchAgeMs`. */
const SHORT = ["git", "ssh"];

const machine = createHash("sha256").update(`${hostname()}${processNamespace()}`).digest("hex").slice(0, 8);
let started: Promise<string> | undefined;

/** Whose numbers processes have: containers may share a host's name and its folder for such, and number theirs alike. */
function processNamespace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

/** A folder that nobody else may read. Whoever asks for it takes it away. */
export async function makeScratch(kind: ScratchKind): Promise<string> {
  started ??= statOf(process.pid).then(({ start }) => start);
  return mkdtempSync(join(tmpdir(), `envm-${kind}-${machine}-${process.pid}-${await started}-`));
}

/** One that is gone when `work` ends. */
export async function withScratch<Result>(kind: ScratchKind, work: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await makeScratch(kind);
  try {
    return await work(folder);
  } finally {
    await removeScratch(folder);
  }
}

export function removeScratch(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true, maxRetries: 3 });
}

/**
 * Takes away what processes that are dead left behind: this user's alone, of this machine; of another one, whose processes cannot be looked
 * at, what is too old to be anybody's. @returns how many
 */
export async function sweepScratch(): Promise<number> {
  const names = await readdir(tmpdir()).catch(() => []);
  let swept = 0;
  for (const name of names) {
    const owner = ownerIn(name);
    if (owner === null || !(await isAbandoned(join(tmpdir(), name), owner))) continue;
    // What a git that outlived its engine still writes to goes the next time.
    swept += await removeScratch(join(tmpdir(), name)).then(
      () => 1,
      () => 0,
    );
  }
  return swept;
}

function ownerIn(name: string): Owner | null {
  const [, kind = "", of = "", pid = "", start = ""] = NAME.exec(name) ?? [];
  return kind === "" ? null : { kind, machine: of, pid: Number(pid), start };
}

async function isAbandoned(path: string, owner: Owner): Promise<boolean> {
  const found = await lstat(path).catch(() => null);
  if (found === null || !found.isDirectory() || found.uid !== process.getuid?.()) return false;
  if (owner.machine === machine) return !(await isRunning(owner));
  return SHORT.includes(owner.kind) && Date.now() - found.mtimeMs > LIMITS.scratchAgeMs;
}

async function isRunning({ pid, start }: Owner): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Another user's would be there.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  const stat = await statOf(pid);
  // Killed, and nobody has asked how it ended.
  if (stat.state === "Z" || stat.state === "X") return false;
  return stat.start === start || stat.start === UNKNOWN || start === UNKNOWN;
}

interface Stat {
  /** A letter; empty where the system does not say. */
  readonly state: string;
  /** When the process began, in ticks since the machine did; `UNKNOWN` where the system does not say. */
  readonly start: string;
}

async function statOf(pid: number): Promise<Stat> {
  const text = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  // The name of the program, in brackets, may hold anything.
  const members = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state = "", start = ""] = [members[0], members[19]];
  return { state, start: /^\d{1,20}$/.test(start) ? start : UNKNOWN };
}
