import { createHash, randomUUID } from "node:crypto";
import { existsSync, renameSync, writeFileSync } from "node:fs";
import { readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { EVERY } from "../access.ts";
import { AppError } from "../errors.ts";
import { encodeName } from "../git/file-names.ts";
import { GitError, gitText, orNoRoom, runGit, startGit } from "../git/run.ts";
import { untilAny } from "../git/until.ts";
import type { GitReader, GitReading, GitTalk } from "../git-reading.ts";
import { LIMITS } from "../limits.ts";
import { quoted } from "../names.ts";
import { makeFolder } from "../storage/folder.ts";
import { projectNotFound } from "../transaction.ts";
import type { History } from "./history.ts";
import type { Tips } from "./import-script.ts";
import { headOf, Repository, type RepositoryState } from "./repository.ts";

interface ProjectRepositoriesOptions {
  /** The folder that they are in: nobody else's. */
  readonly folder: string;
  readonly history: History;
  /** How many are kept. */
  readonly limit?: number;
  /** Does away with what is of use to nobody any more. */
  readonly closed?: () => Promise<void>;
}

/** A repository as somebody may see it. */
export interface SeenRepository {
  readonly path: string;
  readonly state: RepositoryState;
}

/**
 * The Git repositories of all projects, each made when it is first asked for and brought up to date whenever it is. Where there are
 * too many, those asked for longest ago go: they can be made again.
 */
export class ProjectRepositories implements GitReader {
  readonly #options: Required<ProjectRepositoriesOptions>;
  readonly #open = new Map<string, Repository>();
  /** What is under way for each project: one thing at a time. */
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly #owner = randomUUID();
  readonly #closing = new AbortController();
  #isClaimed = false;

  constructor(options: ProjectRepositoriesOptions) {
    this.#options = { limit: LIMITS.gitRepositories, closed: async () => {}, ...options };
  }

  /** Takes the folder for this engine, as whatever is done there does first. @throws git_unavailable where it cannot be used */
  claim(): void {
    const { folder } = this.#options;
    const path = ownerFile(folder);
    try {
      makeFolder(folder, 0o700);
      writeFileSync(`${path}.new`, this.#owner, { mode: 0o600 });
      renameSync(`${path}.new`, path);
      this.#isClaimed = true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new AppError("git_unavailable", {
        reason: `The folder of this engine's Git repositories cannot be made or written to (${code}).`,
        fix: "Let the user who runs the engine write to it, or set GIT_PATH to another folder.",
        cause: error,
      });
    }
  }

  /** A project's repository with everything that was recorded before it was asked for. @throws project_not_found, git_unavailable */
  current(project: string, signal?: AbortSignal): Promise<SeenRepository> {
    return this.#alone(project, () => this.#caughtUp(project, signal));
  }

  /**
   * The part of it that somebody may read: the branches all of whose commits are of environments that they may. Git gives whoever may
   * fetch from a repository every object in it, so that a part is a repository of its own. The whole is for those alone who may read
   * what is still to come, too.
   * @throws project_not_found also where they may read nothing; forbidden where no branch is theirs alone
   */
  visible(project: string, sees: (env: string) => boolean, signal?: AbortSignal): Promise<SeenRepository> {
    // In one turn: what comes into the whole meanwhile may be nothing for them.
    return this.#alone(project, async () => {
      const whole = await this.#caughtUp(project, signal);
      if (sees(EVERY)) return whole;
      const shown = [...whole.state.tips].filter(([, tip]) => !tip.expired && tip.holds.every(sees));
      if (shown.length > 0) return this.#part(project, whole, new Map(shown), signal);
      if (![...whole.state.tips.keys()].some(sees)) throw projectNotFound(project);
      throw new AppError("forbidden", {
        reason: `No branch of ${quoted(project)} is for this token: those of the environments that it may read hold commits of others.`,
        fix: "A branch holds what was promoted into its environment, and what it was created from. Use a token that may read those environments too.",
      });
    });
  }

  /** Ends once nothing is under way: what is goes on from where it was at the next start. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#turns.values());
    await this.#options.closed();
  }

  async open(project: string, mayRead: (env: string) => boolean, signal: AbortSignal): Promise<GitReading> {
    const { path } = await this.visible(project, mayRead, signal);
    return {
      refs: (protocol, gone) => uploadPack(path, ["--advertise-refs"], protocol, gone),
      pack: (protocol, gone) => uploadPack(path, [], protocol, gone),
    };
  }

  async #part(project: string, whole: SeenRepository, tips: Tips, signal: AbortSignal | undefined): Promise<SeenRepository> {
    // Whoever is served from it may read all that it holds, whoever else is.
    const held = [...tips].map(([env, { holds }]) => `${env}: ${holds.join(" ")}\n`);
    const name = createHash("sha256").update(held.sort().join("")).digest("hex").slice(0, 32);
    const path = join(this.#folderOf(project), "parts", `${name}.git`);
    const state = { ...whole.state, tips };
    const mark = `${whole.state.seq}:${whole.state.hash}`;
    if ((await readFile(join(path, "envm-part"), "utf8").catch(() => "")) === mark) {
      await used(path);
      return { path, state };
    }
    const fetch = () => this.#until(signal, (until) => fetchPart(path, whole.path, tips, until));
    try {
      await fetch();
    } catch (error) {
      if (!(error instanceof GitError) || error.exitCode === null) throw error;
      // What a crash left in it is in the way: it is made anew.
      await rm(path, { recursive: true, force: true });
      await fetch();
    }
    await writeFile(join(path, "envm-part"), mark);
    await this.#keepNewest(join(this.#folderOf(project), "parts"), LIMITS.gitParts);
    return { path, state };
  }

  async #caughtUp(project: string, signal: AbortSignal | undefined): Promise<SeenRepository> {
    const repository = this.#repositoryOf(project);
    return { path: repository.path, state: await this.#until(signal, (until) => repository.catchUp(until)) };
  }

  /** As long as somebody waits for it, and the engine runs. */
  #until<Result>(signal: AbortSignal | undefined, work: (until: AbortSignal) => Promise<Result>): Promise<Result> {
    return untilAny([signal, this.#closing.signal], work);
  }

  #repositoryOf(project: string): Repository {
    const known = this.#open.get(project);
    if (known !== undefined) return known;
    const repository = new Repository(join(this.#folderOf(project), "repository.git"), project, this.#options.history);
    this.#open.set(project, repository);
    return repository;
  }

  #folderOf(project: string): string {
    return join(this.#options.folder, encodeName(project, "folded"));
  }

  async #alone<Result>(project: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.#turns.get(project) ?? Promise.resolve();
    const turn = before
      .catch(() => {})
      .then(async () => {
        this.#closing.signal.throwIfAborted();
        await this.#checkOwner();
        await used(this.#folderOf(project));
        const result = await work();
        await used(this.#folderOf(project));
        await this.#keepNewest(this.#options.folder, this.#options.limit);
        return result;
      });
    this.#turns.set(project, turn);
    try {
      return await turn;
    } catch (error) {
      throw this.#closing.signal.aborted ? new AppError("shutting_down", { cause: error }) : orNoRoom(error);
    } finally {
      if (this.#turns.get(project) === turn) this.#turns.delete(project);
    }
  }

  /** Two engines that wrote the same repository would take one another back. */
  async #checkOwner(): Promise<void> {
    const path = ownerFile(this.#options.folder);
    // Somebody may have taken the whole folder away: it is made anew.
    if (!this.#isClaimed || !existsSync(path)) this.claim();
    if ((await readFile(path, "utf8").catch(() => "")) === this.#owner) return;
    throw new AppError("git_unavailable", {
      reason: "Another engine has taken over the folder of this engine's Git repositories.",
      fix: "Give each engine a folder of its own in GIT_PATH, and start this one again.",
    });
  }

  /** Takes away what was used longest ago, and is not at work. */
  async #keepNewest(folder: string, limit: number): Promise<void> {
    const names = (await readdir(folder)).filter((name) => name !== "owner");
    if (names.length <= limit) return;
    const atWork = new Set([...this.#turns.keys()].map((project) => join(this.#options.folder, encodeName(project, "folded"))));
    const aged = await Promise.all(
      names.map(async (name) => ({ name, at: (await stat(join(folder, name)).catch(() => null))?.mtimeMs ?? 0 })),
    );
    const oldest = aged.sort((left, right) => left.at - right.at).slice(0, names.length - limit);
    for (const { name } of oldest) {
      if (atWork.has(join(folder, name))) continue;
      for (const [project] of this.#open) if (encodeName(project, "folded") === name) this.#open.delete(project);
      await rm(join(folder, name), { recursive: true, force: true });
    }
  }
}

function ownerFile(folder: string): string {
  return join(folder, "owner");
}

/** Notes that a folder is used. Who is refused has none. */
async function used(folder: string): Promise<void> {
  const now = new Date();
  await utimes(folder, now, now).catch(() => {});
}

/** Clients may leave out what is old, what is large, and what they do not look at. */
const SERVING = {
  "uploadpack.allowFilter": "true",
  "uploadpack.hideRefs": "refs/envm",
  "uploadpack.keepAlive": "5",
  "pack.threads": "1",
  "core.bigFileThreshold": "8m",
};

/** Talks to a client of Git, which is at the other end of its input and output. */
function uploadPack(path: string, args: readonly string[], protocol: string, signal: AbortSignal): GitTalk {
  const env = protocol === "" ? {} : { GIT_PROTOCOL: protocol };
  const options = { cwd: path, env, config: SERVING, timeoutMs: LIMITS.gitServeMs, signal };
  const {
    stdin: input,
    stdout: output,
    ended,
    kill: stop,
  } = startGit(["upload-pack", "--stateless-rpc", "--strict", ...args, "."], options);
  return { input, output, ended, stop };
}

/** Brings the branches of some environments, and what hangs on them, from one repository into another that holds nothing else. */
async function fetchPart(path: string, from: string, tips: Tips, signal: AbortSignal): Promise<void> {
  await runGit(["init", "--bare", "--quiet", "--template=", path]);
  const wanted = await refsOf(from, tips);
  const input = [...wanted].map((ref) => `+${ref}:${ref}\n`).join("");
  const config = { "fetch.unpackLimit": "1", "pack.threads": "1" };
  const fetch = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--stdin", from];
  await runGit(fetch, { repository: path, input, config, protocols: ["file"], signal });
  const left = (await refNames(path, [])).filter((ref) => !wanted.has(ref));
  await runGit(["update-ref", "--stdin"], { repository: path, input: left.map((ref) => `delete ${ref}\n`).join("") });
  await runGit(["symbolic-ref", "HEAD", `refs/heads/${headOf(tips)}`], { repository: path });
  await runGit(["repack", "-d", "--geometric=2", "--quiet"], { repository: path, config, signal });
}

/** The branches of some environments, and the versions that are on them. */
async function refsOf(path: string, tips: Tips): Promise<ReadonlySet<string>> {
  const merged = [...tips.values()].map(({ commit }) => `--merged=${commit}`);
  return new Set([...[...tips.keys()].map((env) => `refs/heads/${env}`), ...(await refNames(path, [...merged, "refs/tags"]))]);
}

async function refNames(path: string, args: readonly string[]): Promise<readonly string[]> {
  const found = await gitText(["for-each-ref", "--format=%(refname)", ...args], { repository: path });
  return found === "" ? [] : found.split("\n");
}
