import { existsSync } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { GitError, gitText, runGit, startGit } from "../git/run.ts";
import { LIMITS } from "../limits.ts";
import type { History, HistoryPage, Position } from "./history.ts";
import { ImportScript, type Tip, type Tips } from "./import-script.ts";

/** How far a repository has come: written after everything that it says is there. */
export interface RepositoryState extends Position {
  readonly tips: Tips;
}

const FORMAT = 1;
const STATE_FILE = "envm.json";
const NOTHING: RepositoryState = { seq: 0, hash: "", tips: new Map() };

/** Of imports: each makes one pack, written through to the disk, and geometric repacking keeps their number small at a bounded cost. */
const IMPORT = { "fastimport.unpackLimit": "1", "core.fsync": "all", "pack.threads": "1" };

/**
 * The Git repository of one project: a bare one, made of the project's history alone, so that it can be thrown away and made again.
 * It goes on from where its state says; what a crash left beyond that is made once more, to the very same commits.
 */
export class Repository {
  readonly path: string;
  readonly #project: string;
  readonly #history: History;
  /** Known to be of this project's history, and whole. */
  #state: RepositoryState | null = null;
  #imports = 0;

  constructor(path: string, project: string, history: History) {
    this.path = path;
    this.#project = project;
    this.#history = history;
  }

  /** Everything up to the newest record that there is when it begins. One at a time. */
  async catchUp(signal?: AbortSignal): Promise<RepositoryState> {
    const head = await this.#history.head(this.#project);
    try {
      return await this.#goOn(head.seq, signal);
    } catch (error) {
      // Damage is mended by making it anew; what is wrong with this machine's git, or was stopped, is not.
      if (!(error instanceof GitError) || error.exitCode === null || signal?.aborted || isOfTheMachine(error)) throw error;
      await this.#beginAnew();
      return this.#goOn(head.seq, signal);
    }
  }

  /** The state as it stands, whether or not it is the newest. */
  get state(): RepositoryState | null {
    return this.#state;
  }

  async #goOn(seq: number, signal: AbortSignal | undefined): Promise<RepositoryState> {
    // Somebody may have taken it away meanwhile.
    let state = this.#state !== null && existsSync(this.path) ? this.#state : await this.#load();
    while (state.seq < seq) {
      signal?.throwIfAborted();
      const { tips } = state;
      const page = await this.#history.after(this.#project, state.seq, (env) => tips.get(env)?.revision ?? 0);
      if (page === null) break;
      state = await this.#import(state, page, signal);
    }
    this.#state = state;
    return state;
  }

  async #import(before: RepositoryState, page: HistoryPage, signal: AbortSignal | undefined): Promise<RepositoryState> {
    const tips = page.steps.length === 0 ? before.tips : await this.#commit(before.tips, page, signal);
    const state: RepositoryState = { seq: page.seq, hash: page.hash, tips };
    await this.#save(state);
    this.#state = state;
    if (page.steps.length > 0 && ++this.#imports % LIMITS.gitRepackEvery === 0) {
      await runGit(["repack", "-d", "--geometric=2", "--quiet"], { repository: this.path, config: IMPORT, signal });
    }
    return state;
  }

  async #commit(before: Tips, { steps }: HistoryPage, signal: AbortSignal | undefined): Promise<Tips> {
    const script = new ImportScript(before);
    const args = ["fast-import", "--quiet", "--done", "--force", "--date-format=raw", `--max-pack-size=${LIMITS.gitPackBytes}`];
    const git = startGit(args, { repository: this.path, config: IMPORT, signal });
    const [fed, read, ended] = await Promise.allSettled([
      pipeline(Readable.from(script.commands(steps)), git.stdin),
      text(git.stdout),
      git.ended,
    ]);
    // Whoever feeds a git that has ended hears of a broken pipe; why it ended is what counts.
    if (fed.status === "rejected" && !isBrokenPipe(fed.reason)) throw fed.reason;
    for (const outcome of [ended, fed, read]) if (outcome.status === "rejected") throw outcome.reason;
    const tips = script.tips(read.status === "fulfilled" ? read.value.split("\n") : []);
    await this.#pointHead(before, tips);
    return tips;
  }

  /** What a clone checks out: production where there is one, otherwise the environment that came first. */
  async #pointHead(before: Tips, tips: Tips): Promise<void> {
    const branch = headOf(tips);
    if (branch !== null && branch !== headOf(before))
      await runGit(["symbolic-ref", "HEAD", `refs/heads/${branch}`], { repository: this.path });
  }

  /** What the disk has, where it is of this history and whole; otherwise an empty repository. */
  async #load(): Promise<RepositoryState> {
    const state = await this.#read();
    if (state !== null && (await this.#history.has(this.#project, state)) && (await this.#isThere(state))) return state;
    await this.#beginAnew();
    return NOTHING;
  }

  async #beginAnew(): Promise<void> {
    this.#state = null;
    await rm(this.path, { recursive: true, force: true });
    await mkdir(this.path, { recursive: true, mode: 0o700 });
    await runGit(["init", "--bare", "--quiet", "--template=", this.path]);
  }

  async #isThere({ tips }: RepositoryState): Promise<boolean> {
    for (const name of await readdir(this.path)) {
      // What was left by a git that was killed; nobody else is at work here.
      if (name.startsWith("fast_import_crash_")) await rm(join(this.path, name), { force: true });
    }
    const wanted = [...tips.values()].map(({ commit }) => `${commit}^{tree}`);
    try {
      const found = await gitText(["cat-file", "--batch-check"], { repository: this.path, input: `${wanted.join("\n")}\n` });
      return found.split("\n").every((line) => line.includes(" tree ")) || wanted.length === 0;
    } catch (error) {
      if (error instanceof GitError) return false;
      throw error;
    }
  }

  async #read(): Promise<RepositoryState | null> {
    const path = join(this.path, STATE_FILE);
    if (!existsSync(path)) return null;
    try {
      const { format, project, seq, hash, tips } = JSON.parse(await readFile(path, "utf8")) as SavedState;
      return format === FORMAT && project === this.#project ? { seq, hash, tips: new Map(Object.entries(tips)) } : null;
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof TypeError) return null;
      throw error;
    }
  }

  async #save({ seq, hash, tips }: RepositoryState): Promise<void> {
    const saved: SavedState = { format: FORMAT, project: this.#project, seq, hash, tips: Object.fromEntries(tips) };
    const path = join(this.path, STATE_FILE);
    const file = await open(`${path}.new`, "w", 0o600);
    try {
      await file.writeFile(JSON.stringify(saved));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
  }
}

interface SavedState extends Position {
  readonly format: number;
  readonly project: string;
  readonly tips: Readonly<Record<string, Tip>>;
}

/** The branch that a clone checks out; `null` where there is none. */
export function headOf(tips: Tips): string | null {
  if (tips.get("production")?.expired === false) return "production";
  return [...tips].find(([, { expired }]) => !expired)?.[0] ?? null;
}

/** What making the repository anew would meet again. */
function isOfTheMachine({ stderr }: GitError): boolean {
  return /No space left on device|Disk quota exceeded|Out of diskspace|Read-only file system|[Oo]ut of memory|Cannot allocate memory|Too many open files/.test(
    stderr,
  );
}

function isBrokenPipe(error: unknown): boolean {
  return ["EPIPE", "ECONNRESET", "ERR_STREAM_PREMATURE_CLOSE", "ERR_STREAM_DESTROYED"].includes(
    (error as NodeJS.ErrnoException).code ?? "",
  );
}
