import { type ChildProcessByStdio, spawn } from "node:child_process";
import { tmpdir } from "node:os";
import type { Readable, Writable } from "node:stream";
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";

/** The one way to run the system's `git`: it sees nothing of this process's environment, nor of anybody's configuration. */

export interface GitOptions {
  /** The repository: its folder itself where it is bare. */
  readonly repository?: string;
  /** Where it runs. */
  readonly cwd?: string;
  /** Configuration for this run alone. */
  readonly config?: Readonly<Record<string, string>>;
  /** Variables besides the minimum, such as `GIT_ASKPASS`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Transports that it may use; none where left out: `["https"]`, `["ssh"]`, `["file"]`. */
  readonly protocols?: readonly string[];
  /** Milliseconds, at most `LIMITS.gitMs`, which is what holds where it is left out. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface GitRun extends GitOptions {
  /** What it reads; nothing where left out. */
  readonly input?: string | Uint8Array;
  /** Bytes that it may write. More of them fail it. */
  readonly maxBytes?: number;
}

/** A `git` that ended with another code than 0, was stopped, or wrote too much. What it said may hold names of files and hosts, and no credentials. */
export class GitError extends Error {
  override readonly name = "GitError";
  /** `null` where it did not end by itself. */
  readonly exitCode: number | null;
  /** The end of what it wrote to standard error. */
  readonly stderr: string;
  /** What it wrote until then, of one that was run to its end. */
  stdout = "";

  constructor(what: string, exitCode: number | null, stderr: string) {
    super(`git ${what}${stderr === "" ? "" : `: ${stderr.trim().slice(-LIMITS.gitErrorLength)}`}`);
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}

/** What the other side says of its own disk, marked as such, does not count. */
const NO_ROOM = /^(?!remote:).*(No space left on device|Disk quota exceeded|Out of diskspace)/m;

/** The error with which work on repositories failed, told as a full disk's where it is one's: it may go well another time. */
export function orNoRoom(error: unknown): unknown {
  const isFull = error instanceof GitError ? NO_ROOM.test(error.stderr) : ["ENOSPC", "EDQUOT"].includes(codeOf(error));
  if (!isFull) return error;
  return new AppError("storage_full", {
    reason: "The disk is full: there is no room for Git repositories.",
    fix: "Free some space in GIT_PATH and TMPDIR: then it goes on by itself.",
    cause: error,
  });
}

function codeOf(error: unknown): string {
  return String((error as { readonly code?: unknown } | null)?.code);
}

export interface GitProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Resolves when it ended with 0 and all that it wrote was read. @throws GitError; AppError `git_unavailable` where there is no git */
  readonly ended: Promise<void>;
  /** Ends it and everything that it started, at once. */
  kill(): void;
}

/** Holds for every run; a run's own `config` comes after it. */
const CONFIG: Readonly<Record<string, string>> = {
  "core.hooksPath": "/dev/null",
  "core.fsmonitor": "false",
  "core.attributesFile": "/dev/null",
  "core.excludesFile": "/dev/null",
  "core.protectHFS": "true",
  "core.protectNTFS": "true",
  "core.symlinks": "false",
  "core.autocrlf": "false",
  // Would have a repository's own configuration say which program looks at signatures.
  "log.showSignature": "false",
  "core.quotePath": "false",
  // Else a repository that is set to another encoding has its messages told in that.
  "i18n.logOutputEncoding": "UTF-8",
  "credential.helper": "",
  "gc.auto": "0",
  "maintenance.auto": "false",
  "http.followRedirects": "false",
  "submodule.recurse": "false",
  "fetch.recurseSubmodules": "false",
  "advice.detachedHead": "false",
  "init.defaultBranch": "main",
  "safe.directory": "*",
};

/** Starts a git whose input and output are streams, with their back-pressure. */
export function startGit(args: readonly string[], options: GitOptions = {}): GitProcess {
  const { cwd = options.repository ?? tmpdir(), timeoutMs = LIMITS.gitMs, signal } = options;
  // A group of its own, so that what git starts ends with it.
  const child = spawn("git", [...args], { cwd, env: environment(options), stdio: ["pipe", "pipe", "pipe"], detached: true });
  const kill = () => killGroup(child);
  const stopped = stopper(kill, Math.min(timeoutMs, LIMITS.gitMs), signal);
  // Whoever reads what it wrote sees how it ended by `ended`; a pipe that it closed early is no news of its own.
  child.stdin.on("error", () => {});
  const said = tailOf(child.stderr);
  const ended = new Promise<void>((resolve, reject) => {
    child.once("error", (error) => reject(child.pid === undefined ? unavailable(error) : error));
    child.once("close", (code, killed) => {
      if (code === 0) resolve();
      else reject(new GitError(stopped.why() ?? `${args[0]} ended with ${code ?? killed}`, stopped.why() === null ? code : null, said()));
    });
  }).finally(stopped.release);
  ended.catch(() => {}); // Whoever started it looks, though perhaps not at once.
  return { stdin: child.stdin, stdout: child.stdout, ended, kill };
}

/** Runs a git to its end, and gives what it wrote. @throws GitError; AppError `git_unavailable` */
export async function runGit(args: readonly string[], options: GitRun = {}): Promise<Buffer> {
  const { input = "", maxBytes = LIMITS.gitOutputBytes } = options;
  const git = startGit(args, options);
  git.stdin.end(input);
  const pieces: Buffer[] = [];
  let size = 0;
  let isTooMuch = false;
  git.stdout.on("data", (piece: Buffer) => {
    size += piece.length;
    if (size <= maxBytes) pieces.push(piece);
    else if (!isTooMuch) {
      isTooMuch = true;
      git.kill();
    }
  });
  const failure = await git.ended.then(
    () => null,
    (error: unknown) => error,
  );
  if (isTooMuch) throw new GitError(`${args[0]} wrote more than ${maxBytes} bytes`, null, "");
  if (failure instanceof GitError) failure.stdout = Buffer.concat(pieces).toString("utf8");
  if (failure !== null) throw failure;
  return Buffer.concat(pieces);
}

/** The text of what it wrote, without the line feed at its end. */
export async function gitText(args: readonly string[], options: GitRun = {}): Promise<string> {
  return (await runGit(args, options)).toString("utf8").replace(/\n$/, "");
}

function environment({ repository, config = {}, env = {}, protocols = [] }: GitOptions): Record<string, string> {
  const settings = Object.entries({ ...CONFIG, ...config });
  const numbered = settings.flatMap(([key, value], index) => [
    [`GIT_CONFIG_KEY_${index}`, key],
    [`GIT_CONFIG_VALUE_${index}`, value],
  ]);
  return {
    PATH: process.env.PATH ?? "/usr/local/bin:/usr/bin:/bin",
    HOME: "/nonexistent",
    LC_ALL: "C",
    TZ: "UTC",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_SYSTEM: "/dev/null",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ASKPASS: "",
    SSH_ASKPASS: "",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_LITERAL_PATHSPECS: "1",
    // An empty list allows none.
    GIT_ALLOW_PROTOCOL: protocols.join(":"),
    GIT_PROTOCOL_FROM_USER: "0",
    ...(repository !== undefined && { GIT_DIR: repository, GIT_CEILING_DIRECTORIES: repository }),
    ...env,
    GIT_CONFIG_COUNT: String(settings.length),
    ...Object.fromEntries(numbered),
  };
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

function killGroup(child: Child): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It is gone, and all that it started.
  }
}

function stopper(kill: () => void, timeoutMs: number, signal: AbortSignal | undefined) {
  let why: string | null = null;
  const stop = (reason: string) => {
    why ??= reason;
    kill();
  };
  const timer = setTimeout(() => stop(`took longer than ${Math.round(timeoutMs / 1_000)} seconds`), timeoutMs);
  const abort = () => stop("was stopped");
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted) abort();
  return {
    why: () => why,
    release: () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    },
  };
}

/** Keeps the end of a text, and reads all of it. */
function tailOf(stream: Readable): () => string {
  let text = "";
  stream.setEncoding("utf8");
  stream.on("data", (piece: string) => {
    text = (text + piece).slice(-LIMITS.gitErrorLength);
  });
  return () => text;
}

function unavailable(cause: Error): AppError {
  const isMissing = (cause as NodeJS.ErrnoException).code === "ENOENT";
  return new AppError("git_unavailable", {
    reason: isMissing ? "The machine that the engine runs on has no git." : "git cannot be started.",
    fix: "Whoever runs the engine installs it: `apt-get install git` on Debian and Ubuntu, `apk add git` on Alpine, `dnf install git` on Fedora.",
    cause,
  });
}
