import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";

const IDENTITY = {
  GIT_AUTHOR_NAME: "Grace",
  GIT_AUTHOR_EMAIL: "grace@example.com",
  GIT_COMMITTER_NAME: "Grace",
  GIT_COMMITTER_EMAIL: "grace@example.com",
};

/** A repository that somebody works in, with the system's git: what the engine's own way to run it makes of it is what is tested. */
export class WorkTree {
  readonly folder: string;
  #seconds = Date.parse("2026-01-31T12:00:00Z") / 1_000;

  constructor(folder = mkdtempSync(join(tmpdir(), "envm-work-tree-"))) {
    this.folder = folder;
    this.git("init", "--quiet", "--initial-branch=main");
  }

  git(...args: readonly string[]): string {
    const when = `${++this.#seconds} +0000`;
    const { PATH = "" } = process.env;
    const env = { PATH, HOME: this.folder, GIT_CONFIG_NOSYSTEM: "1", ...IDENTITY, GIT_AUTHOR_DATE: when, GIT_COMMITTER_DATE: when };
    return execFileSync("git", args, {
      cwd: this.folder,
      env,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      maxBuffer: 64 * 1024 * 1024,
    }).trim();
  }

  /** Makes commits of what `git fast-import` reads. */
  fastImport(stream: string): void {
    execFileSync("git", ["fast-import", "--quiet"], { cwd: this.folder, env: { PATH: process.env["PATH"] ?? "" }, input: stream });
  }

  /** Writes files, JSON where it is no text; `null` removes one. */
  write(files: Readonly<Record<string, unknown>>): this {
    for (const [path, content] of Object.entries(files)) {
      const full = join(this.folder, path);
      if (content === null) {
        rmSync(full, { recursive: true });
        continue;
      }
      mkdirSync(dirname(full), { recursive: true });
      writeFileSync(full, typeof content === "string" || Buffer.isBuffer(content) ? content : JSON.stringify(content));
    }
    return this;
  }

  link(path: string, target: string): this {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    symlinkSync(target, join(this.folder, path));
    return this;
  }

  /** Commits all that was written, and gives the commit's id. */
  commit(message: string, files: Readonly<Record<string, unknown>> = {}): string {
    this.write(files);
    this.git("add", "--all");
    this.git("commit", "--quiet", "--allow-empty", "--message", message);
    return this.git("rev-parse", "HEAD");
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** One that is gone when the test ends. */
export function workTree(): WorkTree {
  const tree = new WorkTree();
  onTestFinished(() => tree.dispose());
  return tree;
}
