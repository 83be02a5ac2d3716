import type { Readable } from "node:stream";
import { AppError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { RepositoryChange } from "../ports.ts";
import { GitError, type GitOptions, type GitProcess, gitText, runGit, startGit } from "./run.ts";

/** Reads commits and their differences, by plumbing alone: nothing is checked out, no filter, hook or attribute of the repository runs. */

type Commit = RepositoryChange["commit"];

/** One file that differs between two trees. */
export interface FileChange {
  /** With U+FFFD for what is not UTF-8. */
  readonly path: string;
  /** Six octal digits; `000000` where there is no file. */
  readonly oldMode: string;
  readonly newMode: string;
  readonly oldId: string;
  readonly newId: string;
}

export interface LineCommit extends Commit {
  /** What it changed of its first parent, within the folder. */
  readonly changes: readonly FileChange[];
  /** Seconds since 1970 at which it was committed. */
  readonly committed: number;
}

const HEADER = "%H%x01%aI%x01%ct%x01%an%x01%ae%x01%B";
const DIFF = ["--raw", "-r", "-z", "--no-abbrev", "--no-renames"];

/** A repository that is there, opened for reading. */
export class Commits {
  readonly options: GitOptions;

  constructor(options: GitOptions) {
    this.options = options;
  }

  /** The newest commit of a branch, or what a full ref or an id names. @throws branch_not_found */
  async tip(branch: string): Promise<string> {
    const found = (await this.#resolved(`refs/heads/${branch}`)) ?? (await this.#resolved(branch));
    if (found !== null) return found;
    throw new AppError("branch_not_found", {
      reason: `The repository has no branch ${JSON.stringify(branch.slice(0, 200))}.`,
      fix: "git branch --list shows what it has.",
    });
  }

  async #resolved(name: string): Promise<string | null> {
    if (name.startsWith("-")) return null;
    try {
      return await gitText(["rev-parse", "--verify", "--quiet", "--end-of-options", `${name}^{commit}`], this.options);
    } catch (error) {
      if (error instanceof GitError && error.exitCode === 1) return null;
      throw unreadable(error);
    }
  }

  /** All branches, by name. */
  async branches(): Promise<readonly string[]> {
    const text = await this.#text(["for-each-ref", "--format=%(refname)", "refs/heads/"]);
    return text
      .split("\n")
      .filter(Boolean)
      .map((ref) => ref.slice("refs/heads/".length));
  }

  async facts(id: string): Promise<Commit> {
    const [first = ""] = (await this.#text(["log", "-1", "-z", `--format=${HEADER}`, id])).split("\0");
    return commitIn(first);
  }

  /** Whether a commit is there, and `tip` descends from it or is it. */
  async descends(tip: string, from: string): Promise<"yes" | "no" | "gone"> {
    if ((await this.#resolved(from)) === null) return "gone";
    try {
      await runGit(["merge-base", "--is-ancestor", from, tip], this.options);
      return "yes";
    } catch (error) {
      if (error instanceof GitError && error.exitCode === 1) return "no";
      throw unreadable(error);
    }
  }

  /** What a folder of a commit is: `""` names its root. */
  async folder(commit: string, path: string): Promise<"folder" | "missing" | "other"> {
    if (path === "") return "folder";
    const text = await this.#text(["ls-tree", "-z", commit, "--", path]);
    const [, type] = /^\d+ (\w+) /.exec(text) ?? [];
    return type === undefined ? "missing" : type === "tree" ? "folder" : "other";
  }

  /** The folders within a folder. */
  async folders(commit: string, path: string): Promise<readonly string[]> {
    const text = await this.#text(["ls-tree", "-z", "-d", "--name-only", commit, ...(path === "" ? [] : ["--", `${path}/`])]);
    return text
      .split("\0")
      .filter(Boolean)
      .map((name) => name.slice(name.lastIndexOf("/") + 1));
  }

  /** The paths of what is within some folders, of files and folders alike; of a folder that there is not, none. */
  async *names(commit: string, folders: readonly string[]): AsyncGenerator<string> {
    for (let at = 0; at < folders.length; at += LIMITS.gitFoldersAtOnce) {
      const some = folders.slice(at, at + LIMITS.gitFoldersAtOnce).map((folder) => `${folder}/`);
      const git = this.#start(["ls-tree", "-t", "-z", "--name-only", commit, "--", ...some]);
      for await (const path of all(git)) yield path.toString("utf8");
    }
  }

  /** Whether its history is cut off somewhere, as that of `git clone --depth` is. */
  async isShallow(): Promise<boolean> {
    return (await this.#text(["rev-parse", "--is-shallow-repository"])) === "true";
  }

  /** What differs between two commits within a folder; all that the second holds where the first is `null`. */
  async changes(from: string | null, to: string, path: string): Promise<readonly FileChange[]> {
    const base = from ?? (await gitText(["hash-object", "-t", "tree", "--stdin"], this.options));
    const within = path === "" ? [] : ["--", path];
    const found: FileChange[] = [];
    for await (const item of items(this.#start(["diff-tree", ...DIFF, base, to, ...within]))) {
      if (item.change !== undefined) found.push(item.change);
      if (found.length > LIMITS.gitFiles) throw tooMany();
    }
    return found;
  }

  /**
   * The commits of a branch that changed a folder, the oldest first, after `since`: along first parents, as a branch goes. A few at a time, so
   * that no git has to wait for whoever takes long with each.
   */
  async *line(tip: string, path: string, since: string | null): AsyncGenerator<LineCommit> {
    const within = path === "" ? [] : ["--", path];
    const range = since === null ? [tip] : [tip, `^${since}`];
    const ids = (await this.#text(["rev-list", "--first-parent", "--reverse", ...range, ...within])).split("\n").filter(Boolean);
    for (let at = 0; at < ids.length; at += LIMITS.gitCommitsAtOnce) {
      const some = ids.slice(at, at + LIMITS.gitCommitsAtOnce);
      const args = [
        "log",
        "--no-walk=unsorted",
        "--diff-merges=first-parent",
        "--root",
        ...DIFF,
        `--format=${HEADER}`,
        "--stdin",
        ...within,
      ];
      yield* lineOf(this.#start(args, `${some.join("\n")}\n`));
    }
  }

  /** How many commits `line` gives. */
  async length(tip: string, path: string, since: string | null): Promise<number> {
    const range = since === null ? [tip] : [tip, `^${since}`];
    return Number(await this.#text(["rev-list", "--count", "--first-parent", ...range, ...(path === "" ? [] : ["--", path])]));
  }

  /** The message of the newest commit along first parents, after `since`, that has a line like each of these. */
  async newestWith(tip: string, since: string | null, patterns: readonly string[]): Promise<string | null> {
    const range = since === null ? [tip] : [tip, `^${since}`];
    const wanted = ["--extended-regexp", "--all-match", ...patterns.map((pattern) => `--grep=^${pattern}$`)];
    const text = await this.#text(["log", "--first-parent", "--max-count=1", "--format=%B", ...wanted, ...range]);
    return text === "" ? null : text;
  }

  async #text(args: readonly string[]): Promise<string> {
    try {
      return await gitText(args, this.options);
    } catch (error) {
      throw unreadable(error);
    }
  }

  #start(args: readonly string[], input = ""): GitProcess {
    const git = startGit(args, this.options);
    git.stdin.end(input);
    return git;
  }
}

async function* lineOf(git: GitProcess): AsyncGenerator<LineCommit> {
  let current: { header: string; changes: FileChange[] } | null = null;
  for await (const item of items(git)) {
    if (item.change === undefined) {
      if (current !== null) yield lineCommit(current);
      current = { header: item.header, changes: [] };
    } else {
      current?.changes.push(item.change);
      if ((current?.changes.length ?? 0) > LIMITS.gitFiles) throw tooMany();
    }
  }
  if (current !== null) yield lineCommit(current);
}

type Item = { readonly change: FileChange; readonly header?: undefined } | { readonly header: string; readonly change?: undefined };

/** What `--raw -z` writes: headers, and pairs of a change and its path. */
async function* items(git: GitProcess): AsyncGenerator<Item> {
  let meta: string | null = null;
  for await (const token of all(git)) {
    if (meta !== null) {
      yield { change: changeIn(meta, token) };
      meta = null;
    } else {
      const text = token.toString("utf8").replace(/^\n/, "");
      if (text.startsWith(":")) meta = text;
      else if (text !== "") yield { header: text };
    }
  }
}

/** All that a git writes, and that it ended well; it ends with whoever reads no further. */
async function* all(git: GitProcess): AsyncGenerator<Buffer> {
  let ended = false;
  try {
    yield* tokens(git.stdout);
    await git.ended;
    ended = true;
  } catch (error) {
    throw unreadable(error);
  } finally {
    if (!ended) git.kill();
  }
}

async function* tokens(stream: Readable): AsyncGenerator<Buffer> {
  let rest: Buffer[] = [];
  let size = 0;
  for await (const piece of stream as AsyncIterable<Buffer>) {
    let at = 0;
    for (let end = piece.indexOf(0); end >= 0; end = piece.indexOf(0, at)) {
      yield Buffer.concat([...rest, piece.subarray(at, end)]);
      rest = [];
      size = 0;
      at = end + 1;
    }
    if (at < piece.length) rest.push(piece.subarray(at));
    size += piece.length - at;
    if (size > LIMITS.gitOutputBytes) throw new AppError("too_large", { reason: "A commit's message is too large.", fix: "Shorten it." });
  }
  if (size > 0) yield Buffer.concat(rest);
}

const META = /^:(\d{6}) (\d{6}) ([0-9a-f]+) ([0-9a-f]+) ([A-Z])/;

function changeIn(meta: string, path: Buffer): FileChange {
  const [, oldMode = "", newMode = "", oldId = "", newId = ""] = META.exec(meta) ?? [];
  return { path: path.toString("utf8"), oldMode, newMode, oldId, newId };
}

function lineCommit({ header, changes }: { readonly header: string; readonly changes: readonly FileChange[] }): LineCommit {
  return { ...commitIn(header), changes, committed: Number(header.split("\u0001")[2]) };
}

function commitIn(header: string): Commit {
  const [id = "", at = "", committed = "", author = "", email = "", ...message] = header.split("\u0001");
  return {
    id,
    author: line(author),
    email: line(email),
    at: isoTime(at, Number(committed)),
    message: cut(message.join(" ").trim(), LIMITS.commitMessageLength),
  };
}

/** Commits may hold any text where an author's name stands. */
function line(text: string): string {
  return cut(text.replaceAll(/\p{Cc}/gu, ""), LIMITS.commitAuthorLength);
}

/** Its beginning, without half of a character at the end, which no JSON may hold. */
function cut(text: string, length: number): string {
  return text.slice(0, length).replace(/[\uD800-\uDBFF]$/, "");
}

/** Commits may say any time. */
function isoTime(text: string, seconds: number): string {
  const authored = Date.parse(text);
  const known = Number.isNaN(authored) ? seconds * 1_000 : authored;
  const isOrdinary = Number.isFinite(known) && known >= 0 && known < Date.UTC(9999, 0);
  return new Date(isOrdinary ? known : 0).toISOString();
}

function tooMany(): AppError {
  return new AppError("too_large", { reason: `A commit changes more than ${LIMITS.gitFiles} files.`, fix: "Name a smaller folder." });
}

/** What git says of a repository that is damaged, or none. */
export function unreadable(error: unknown): unknown {
  if (!(error instanceof GitError)) return error;
  if (error.exitCode === null) {
    return new AppError("repository_unavailable", { reason: `Reading the repository was given up: ${error.message}.`, cause: error });
  }
  const isNone = /not a git repository/i.test(error.stderr);
  return new AppError("invalid_repository", {
    reason: isNone ? "There is no Git repository." : `The repository cannot be read: ${firstLine(error.stderr)}`,
    fix: isNone ? "Name the folder of one." : "git fsck in it says what is damaged; clone it anew.",
    cause: error,
  });
}

function firstLine(text: string): string {
  return (text.trim().split("\n")[0] ?? "").replaceAll(/\p{Cc}/gu, " ").slice(0, 300);
}
