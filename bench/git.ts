import { type ChildProcessWithoutNullStreams, execFile, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import type { JsonObject } from "../src/ports.ts";

/** Everything that git can sync is synced before it says that it is done: what the engine promises too. */
const DURABLE = ["-c", "core.fsync=all"];
/** Keeps a commit's objects as one small pack. By default git makes each a file of its own, which takes longer but leaves no packs to merge. */
const PACKED = ["-c", "fastimport.unpackLimit=1"];

export type GitStorage = "as git comes" | "packed";

type Files = Iterable<readonly [path: string, content: JsonObject]>;

export function hasGit(): boolean {
  return spawnSync("git", ["--version"]).status === 0;
}

export function gitVersion(): string {
  return spawnSync("git", ["--version"], { encoding: "utf8" }).stdout.trim().split(" ").at(-1) ?? "";
}

/** A bare repository that commits one tree of JSON files, `collection/name.json`, by `git fast-import`. */
export class GitHistory {
  readonly #folder: string;
  readonly #storage: GitStorage;
  #commits = 0;

  constructor(folder: string, storage: GitStorage) {
    this.#folder = folder;
    this.#storage = storage;
    execFileSync("git", ["init", "--quiet", "--bare", folder]);
  }

  /** One commit by a process of its own, as a tool that runs git would make it. */
  async commit(files: Files, removed: readonly string[] = []): Promise<void> {
    const git = this.#start();
    const ended = once(git, "close");
    git.stdin.end(commitCommand(files, this.#commits++ > 0, removed));
    check(await ended);
  }

  /** Several commits by one process, for what is measured afterwards. */
  async commitAll(commits: Iterable<{ readonly files: Files; readonly removed: readonly string[] }>): Promise<void> {
    const git = this.#start();
    const ended = once(git, "close");
    let continues = this.#commits > 0;
    for (const { files, removed } of commits) {
      git.stdin.write(commitCommand(files, continues && this.#commits > 0, removed));
      continues = false;
      this.#commits++;
    }
    git.stdin.end();
    check(await ended);
  }

  /** Bytes of the pack and its index, once everything is in one, packed anew. */
  packedBytes(): number {
    execFileSync("git", ["-C", this.#folder, "repack", "-adfq"]);
    const packs = join(this.#folder, "objects", "pack");
    const files = readdirSync(packs).filter((name) => /\.(pack|idx)$/.test(name));
    return files.reduce((sum, name) => sum + statSync(join(packs, name)).size, 0);
  }

  /** A process that makes one commit after another, each durable before the next: git without the cost of its start. */
  session(): GitSession {
    return new GitSession(this.#start());
  }

  /** A new branch from the newest commit, by a process of its own. */
  async branch(name: string): Promise<void> {
    await promisify(execFile)("git", ["-C", this.#folder, ...DURABLE, "branch", name, "main"]);
  }

  /** A process that compares one pair of commits after another. */
  diffs(): GitDiffs {
    return new GitDiffs(this.#folder);
  }

  #start(): ChildProcessWithoutNullStreams {
    const settings = this.#storage === "packed" ? [...DURABLE, ...PACKED] : DURABLE;
    const git = spawn("git", ["-C", this.#folder, ...settings, "fast-import", "--quiet"]);
    git.stderr.pipe(process.stderr);
    return git;
  }
}

/** Continues a branch that has commits. */
class GitSession {
  readonly #git: ChildProcessWithoutNullStreams;
  #knowsBranch = false;

  constructor(git: ChildProcessWithoutNullStreams) {
    this.#git = git;
  }

  async commit(files: Files): Promise<void> {
    const done = once(this.#git.stdout, "data");
    this.#git.stdin.write(`${commitCommand(files, !this.#knowsBranch)}checkpoint\nprogress done\n`);
    this.#knowsBranch = true;
    await done;
  }

  async end(): Promise<void> {
    const ended = once(this.#git, "close");
    this.#git.stdin.end();
    check(await ended);
  }
}

/** Git says it again, and with it all that it has not said yet. */
const DONE = "done";

/** `git diff-tree --stdin`: what differs, by path and hashes, without the cost of a start. */
class GitDiffs {
  readonly #folder: string;
  readonly #git: ChildProcessWithoutNullStreams;
  #line: (line: string) => void = () => {};

  constructor(folder: string) {
    this.#folder = folder;
    this.#git = spawn("git", ["-C", folder, "diff-tree", "--stdin", "-r", "--raw"]);
    this.#git.stderr.pipe(process.stderr);
    createInterface({ input: this.#git.stdout }).on("line", (line) => this.#line(line));
  }

  /** The tree of a commit, which `compare` takes. */
  tree(commit: string): string {
    return execFileSync("git", ["-C", this.#folder, "rev-parse", `${commit}^{tree}`], { encoding: "utf8" }).trim();
  }

  /** How many files differ between two trees. */
  async compare(before: string, after: string): Promise<number> {
    let found = 0;
    const told = new Promise<void>((resolve) => {
      this.#line = (line) => {
        if (line.startsWith(":")) found++;
        if (line === DONE) resolve();
      };
    });
    this.#git.stdin.write(`${before} ${after}\n${DONE}\n`);
    await told;
    return found;
  }

  async end(): Promise<void> {
    const ended = once(this.#git, "close");
    this.#git.stdin.end();
    check(await ended);
  }
}

function commitCommand(files: Files, continues: boolean, removed: readonly string[] = []): string {
  const parts = ["commit refs/heads/main\ncommitter bench <bench@example.com> 1700000000 +0000\ndata 6\nchange\n"];
  if (continues) parts.push("from refs/heads/main^0\n");
  for (const path of removed) parts.push(`D ${path}.json\n`);
  for (const [path, content] of files) {
    const text = JSON.stringify(content);
    parts.push(`M 100644 inline ${path}.json\ndata ${Buffer.byteLength(text)}\n${text}\n`);
  }
  return parts.join("");
}

function check([code]: readonly unknown[]): void {
  if (code !== 0) throw new Error(`git ended with code ${String(code)}`);
}
