import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { mayDoLittle } from "./callers.ts";
import { AppError, isPassing } from "./errors.ts";
import {
  checkBranch,
  checkFolder,
  findSource,
  type GitSourceDocument,
  openingOf,
  type PullOutcome,
  refusalOf,
  viewOfSource,
} from "./git-source-documents.ts";
import { GitSourceSecrets, SOURCES } from "./git-source-secrets.ts";
import { type Documents, documentsOf, findHead, writableHead } from "./heads.ts";
import { keys } from "./keys.ts";
import type { Ledger } from "./ledger.ts";
import { LIMITS } from "./limits.ts";
import type { Caller } from "./model.ts";
import { checkEnvironmentName, checkProject, quoted } from "./names.ts";
import type { Json, JsonObject, Repositories, RepositoryChange, Store } from "./ports.ts";
import { broughtUp, type Pulled } from "./pull-base.ts";
import type { PullRequest, PullResult, Pulls } from "./pulls.ts";
import type { SecretReference, Secrets } from "./secrets.ts";
import type { Timers } from "./timers.ts";

interface GitSourceRequest {
  readonly url: string;
  readonly branch: string;
  readonly path?: string | undefined;
  readonly username?: string | undefined;
  /** A token or password; left out, the one that is there stays, as long as the repository is the same. */
  readonly credential?: string | null | undefined;
  /** Makes a new secret for pushes to be signed with. */
  readonly rotate_hook?: boolean | undefined;
}

/** A push, as a forge tells of it. */
export interface Delivery {
  readonly id: string | null;
  readonly event: string | null;
  readonly signature: string | null;
  readonly raw: Uint8Array;
  /** What it says: for whoever knows that it is signed. Made of anybody's bytes, it could cost anything. @throws invalid_json */
  read(): JsonObject;
}

type Choices = Pick<PullRequest, "project" | "env" | "rewritten" | "resolve" | "dry_run" | "plan_id" | "bump" | "version" | "message">;

interface GitSourceParts {
  readonly store: Store;
  readonly ledger: Ledger;
  readonly secrets: Secrets;
  readonly timers: Timers;
  readonly pulls: Pulls;
  /** `null` where there is no way to repositories. */
  readonly repositories: Repositories | null;
  readonly failed: (error: unknown) => void;
}

/** The repositories that environments follow: which they are, what is pushed to them, and what becomes of it. */
export class GitSources {
  readonly #parts: GitSourceParts;
  readonly #stopping = new AbortController();
  /** By project: one whose forge is slow keeps others waiting for one place at most. */
  readonly #running = new Map<string, Promise<void>>();
  /** The projects that somebody pulls by hand. */
  readonly #byHand = new Set<string>();
  readonly #secrets: GitSourceSecrets;

  constructor(parts: GitSourceParts) {
    this.#parts = parts;
    this.#secrets = new GitSourceSecrets(parts.secrets);
  }

  /** The source, where there is one, and what was pulled last, from there or by hand. */
  async read(project: string, env: string) {
    const documents = documentsOf(this.#parts.store, project);
    await findHead(documents, env);
    const [source] = await documents.getAll<GitSourceDocument>([keys.gitSource(env)]);
    const pulled = await this.#parts.pulls.pulled(project, env);
    const shown = pulled && { commit: pulled.commit, path: pulled.path, revision: pulled.revision, at: pulled.at, by: pulled.by };
    return { project_id: project, env, source: source ? viewOfSource(source) : null, pulled: shown };
  }

  /** Says which branch an environment follows. What pushes are signed with is shown where it is made, and never again. */
  async set(caller: Caller, project: string, env: string, request: GitSourceRequest) {
    checkProject(project);
    checkEnvironmentName(env);
    checkBranch(request.branch);
    checkFolder(request.path ?? "");
    await this.#repositories().check(request.url);
    const documents = documentsOf(this.#parts.store, project);
    await findHead(documents, env);
    const [known] = await documents.getAll<GitSourceDocument>([keys.gitSource(env)]);
    const hook = !known || request.rotate_hook ? `whsec_${randomBytes(32).toString("base64")}` : null;
    const values = new Map<string, { value: string }>();
    if (hook !== null) values.set(`${env}.hook`, { value: hook });
    if (typeof request.credential === "string") values.set(`${env}.credential`, { value: request.credential });
    const source = await this.#parts.secrets.within(caller, project, SOURCES, values, async (tx, references) => {
      await writableHead(tx, env, tx.clock);
      const before = await tx.get<GitSourceDocument>(keys.gitSource(env));
      const made = documentOf(request, env, before, references, { at: tx.now, by: caller.actor });
      const kept = new Set([made.hook.vault, made.credential?.vault]);
      const left = [before?.hook, before?.credential].filter((reference) => reference && !kept.has(reference.vault));
      this.#parts.secrets.release(tx, SOURCES, left as unknown as readonly Json[]);
      tx.put(keys.gitSource(env), made);
      await tx.audit({ action: "git_source", environment: env, details: about(made) });
      return made;
    });
    return { project_id: project, env, source: viewOfSource(source), ...(hook !== null && { hook_secret: hook }) };
  }

  /** Follows it no more. What was pulled stays, and so does the place at which another pull goes on. */
  async remove(caller: Caller, project: string, env: string) {
    checkProject(project);
    return this.#parts.ledger.once(project, caller, () =>
      this.#parts.ledger.write(project, caller, async (tx) => {
        await findHead(tx, env);
        const source = await findSource(tx, env);
        const references = [source.hook, ...(source.credential === null ? [] : [source.credential])];
        this.#parts.secrets.release(tx, SOURCES, references as unknown as readonly Json[]);
        tx.delete(keys.gitSource(env));
        await tx.audit({ action: "git_source", environment: env, details: { removed: true } });
        return { status: "removed" as const, project_id: project, env };
      }),
    );
  }

  /** Pulls what the source's branch holds now, as somebody asks for it. */
  async pull(caller: Caller, request: Choices, signal: AbortSignal): Promise<PullResult> {
    const { project, env } = request;
    checkProject(project);
    checkEnvironmentName(env);
    return this.#parts.ledger.once(project, caller, async () => {
      const source = await this.#source(project, env);
      const change = await this.#alone(project, () => this.#change(project, source, request.rewritten === true, signal));
      const { rewritten: _, ...choices } = request; // What is rewritten, if anything, is for whoever has the repository to say.
      return this.#parts.pulls.pull(caller, { ...choices, ...change });
    });
  }

  /** Fetches for whoever waits for it. @throws overloaded */
  async #alone<Result>(project: string, fetch: () => Promise<Result>): Promise<Result> {
    const isOwn = this.#byHand.has(project);
    if (isOwn || this.#byHand.size >= LIMITS.gitPullsByHand) {
      throw new AppError("overloaded", {
        reason: isOwn ? `Another pull of ${quoted(project)} fetches its branch.` : "The engine fetches as many branches as it may.",
        fix: "Try again when one has ended.",
      });
    }
    this.#byHand.add(project);
    try {
      return await fetch();
    } finally {
      this.#byHand.delete(project);
    }
  }

  /**
   * Takes a delivery that its signature shows to come from whoever has the source's secret, and leaves the pull to the engine's own work.
   * A wrong signature, an environment without a source and one that there is not look the same.
   * @throws unauthorized
   */
  async hook(requestId: string, project: string, env: string, delivery: Delivery) {
    const source = await this.#verified(project, env, delivery);
    if (delivery.event === "ping") return { status: "pong" as const };
    const { ref, deleted } = delivery.read();
    if (delivery.event !== "push" || ref !== `refs/heads/${source.branch}` || deleted === true) return { status: "ignored" as const };
    // The id is no part of what is signed: what was signed alike is the same delivery, whatever id it comes with, and if it has none.
    const marks = [delivery.signature?.toLowerCase(), delivery.id].filter((mark) => typeof mark === "string" && mark !== "");
    const digests = marks.map((mark) =>
      createHash("sha256")
        .update(mark as string)
        .digest("base64url"),
    );
    // Before the commit: a crash leaves one timer too many, never one too few.
    const [due, at] = [{ project, what: `git:${env}` }, await this.#now()];
    await this.#parts.timers.setFor(due, at);
    const taken = await this.#parts.ledger.write(project, mayDoLittle("git-push", requestId), async (tx) => {
      const current = await findSource(tx, env);
      if (digests.some((digest) => current.deliveries.includes(digest))) return { status: "duplicate" as const };
      const deliveries = [...current.deliveries, ...digests].slice(-2 * LIMITS.gitDeliveries);
      tx.put(keys.gitSource(env), { ...current, deliveries, asked: current.asked + 1, next_at: null } satisfies GitSourceDocument);
      return { status: "accepted" as const };
    });
    // And again: whoever acted on it before the commit found nothing to pull, and took it away.
    if (taken.status === "accepted") {
      await this.#parts.timers.setFor(due, at);
      this.#parts.timers.hurry();
    }
    return taken;
  }

  async #verified(project: string, env: string, { signature, raw }: Delivery): Promise<GitSourceDocument> {
    // What is no signature at all asks nothing of the vault.
    const [, given] = /^sha256=([0-9a-f]{64})$/i.exec(signature ?? "") ?? [];
    const source = given === undefined ? null : await this.#sourceSigned(project, env, Buffer.from(given, "hex"), raw);
    if (source !== null) return source;
    throw new AppError("unauthorized", {
      reason: "The delivery is not signed with the secret of a source of this environment.",
      fix: "Give the forge's webhook the secret that was shown when the source was set, and the content type application/json.",
    });
  }

  async #sourceSigned(project: string, env: string, given: Buffer, raw: Uint8Array): Promise<GitSourceDocument | null> {
    try {
      const source = await this.#source(project, env);
      const secret = await this.#secrets.ofPushes(project, source);
      return timingSafeEqual(given, createHmac("sha256", secret).update(raw).digest()) ? source : null;
    } catch (error) {
      if (error instanceof AppError && !isPassing(error)) return null;
      throw error;
    }
  }

  /**
   * The timer's part: pulls what was pushed. Nobody who has something else due waits for a repository: the pull goes on beside, and a
   * later timer looks whether it came to an end.
   */
  async settle(project: string, env: string): Promise<void> {
    const [source] = await documentsOf(this.#parts.store, project).getAll<GitSourceDocument>([keys.gitSource(env)]);
    if (!source || source.answered >= source.asked || (source.next_at ?? "") > (await this.#now())) return;
    const what = { project, what: `git:${env}` };
    const isBusy = this.#running.has(project) || this.#running.size >= LIMITS.gitPullsAtOnce || this.#stopping.signal.aborted;
    const looked = this.#lookAgain(what, isBusy ? LIMITS.gitBusyMs : LIMITS.gitFetchMs + LIMITS.gitBusyMs);
    if (!isBusy) {
      // At once: another timer of the same source may be due at the same moment.
      const running = looked
        .then(() => this.#answer(project, env, source))
        .catch(this.#parts.failed)
        .finally(() => this.#running.delete(project));
      this.#running.set(project, running);
    }
    await looked;
  }

  async #lookAgain(what: { readonly project: string; readonly what: string }, ms: number): Promise<void> {
    await this.#parts.timers.setFor(what, new Date((await this.#parts.store.now()).getTime() + ms).toISOString());
  }

  /** Resolves when the pulls that go on now have ended. */
  async idle(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.idle();
  }

  async #answer(project: string, env: string, source: GitSourceDocument): Promise<void> {
    // Named by the push: whoever looks in the log finds what brought a revision about.
    const caller = mayDoLittle("git-push", `git-${env}-${source.asked}`);
    const outcome = await this.#pullAutomatically(caller, project, env, source);
    if (outcome === null) return;
    const failures = outcome.status === "failed" ? source.failures + 1 : 0;
    const goesOn = outcome.status === "failed" && failures < LIMITS.gitPullAttempts;
    const retryAt = goesOn ? new Date(Date.parse(outcome.at) + LIMITS.gitRetryMs * 2 ** (failures - 1)).toISOString() : openingOf(outcome);
    const what = { project, what: `git:${env}` };
    if (retryAt !== null) await this.#parts.timers.setFor(what, retryAt);
    const isAnswered = await this.#parts.ledger.write(project, caller, async (tx) => {
      const current = await tx.get<GitSourceDocument>(keys.gitSource(env));
      // One that was set anew meanwhile is another: its pull is still to come.
      if (current === null || !isSame(current, source) || current.updated_at !== source.updated_at) return false;
      const answered = retryAt === null ? Math.max(current.answered, source.asked) : current.answered;
      // What was pushed meanwhile is new, and waits for nothing.
      const next_at = current.asked > source.asked ? null : retryAt;
      const then = { answered, failures: goesOn ? failures : 0, next_at, outcome };
      tx.put(keys.gitSource(env), { ...current, ...then } satisfies GitSourceDocument);
      const isNews = outcome.status === "refused" || (outcome.status === "failed" && !goesOn);
      if (!isNews || (current.outcome?.commit === outcome.commit && current.outcome.reason === outcome.reason)) return true;
      const { commit, code, reason } = outcome;
      await tx.audit({ action: "pull_refused", environment: env, details: { commit, code, reason } });
      return true;
    });
    if (!isAnswered) await this.#lookAgain(what, 0);
  }

  /** `null` where the engine stops meanwhile: another one, or the next start, does it. */
  async #pullAutomatically(caller: Caller, project: string, env: string, source: GitSourceDocument): Promise<PullOutcome | null> {
    let commit: string | null = null;
    try {
      const change = await this.#change(project, source, false, this.#stopping.signal);
      commit = change.commit.id;
      const { status, revision, checks } = await this.#parts.pulls.pull(caller, { project, env, automatic: true, ...change });
      const nothing = { code: null, reason: null, fix: null, conflicts: [] };
      return { at: await this.#now(), status: status === "planned" ? "no_changes" : status, commit, revision, checks, ...nothing };
    } catch (error) {
      if (this.#stopping.signal.aborted) return null;
      if (!(error instanceof AppError)) this.#parts.failed(error);
      return refusalOf(error, commit, await this.#now());
    }
  }

  async #change(
    project: string,
    source: GitSourceDocument,
    rewritten: boolean,
    signal: AbortSignal,
  ): Promise<RepositoryChange & Pick<PullRequest, "holds">> {
    const { env, url, branch, path, username } = source;
    const password = await this.#secrets.credential(project, source);
    const pulled = await this.#parts.pulls.pulled(project, env);
    const where = { url, branch, path, credential: password === null ? null : { username: username ?? "git", password } };
    const change = await this.#repositories().changeSince(where, { project, env, pulled, rewritten }, signal);
    return { ...change, holds: (documents) => checkHolds(documents, source, pulled, change) };
  }

  async #source(project: string, env: string): Promise<GitSourceDocument> {
    const documents = documentsOf(this.#parts.store, project);
    await findHead(documents, env);
    return findSource(documents, env);
  }

  #repositories(): Repositories {
    if (this.#parts.repositories !== null) return this.#parts.repositories;
    throw new AppError("repository_unavailable", { reason: "This engine has no way to repositories." });
  }

  async #now(): Promise<string> {
    return (await this.#parts.store.now()).toISOString();
  }
}

/**
 * Fetching takes its time: meanwhile somebody may have named another branch, or none, or pulled what this is no difference to.
 * @throws plan_stale
 */
async function checkHolds(documents: Documents, source: GitSourceDocument, pulled: Pulled | null, change: RepositoryChange): Promise<void> {
  const [now, last] = await documents.getAll<GitSourceDocument & Pulled>([keys.gitSource(source.env), keys.pulled(source.env)]);
  if (!now || !isSame(now, source)) {
    throw new AppError("plan_stale", {
      reason: `${quoted(source.env)} follows ${now ? "another branch" : "no repository"} since the pull began.`,
      fix: "Pull again, where that is meant.",
    });
  }
  const isThere = last?.commit === change.commit.id && last.path === change.path;
  const isAsRead = last?.commit === pulled?.commit && last?.path === pulled?.path;
  if (last && !isThere && !isAsRead) throw broughtUp(source.env, last);
}

function isSame(one: GitSourceDocument, other: GitSourceDocument): boolean {
  const members = ["created_at", "url", "branch", "path"] as const;
  return members.every((member) => one[member] === other[member]);
}

/** A credential stays with the host that it was given for: no other ever gets it. */
function documentOf(
  request: GitSourceRequest,
  env: string,
  before: GitSourceDocument | null,
  references: ReadonlyMap<string, SecretReference>,
  { at, by }: { readonly at: string; readonly by: string },
): GitSourceDocument {
  const hook = references.get(`secrets/${env}.hook`) ?? before?.hook;
  if (hook === undefined) throw new AppError("write_conflict", { fix: "Send the request again." });
  const stays = request.credential === undefined && before !== null && new URL(before.url).origin === new URL(request.url).origin;
  return {
    env,
    url: request.url,
    branch: request.branch,
    path: request.path ?? "",
    username: request.username ?? (stays ? before.username : null),
    credential: references.get(`secrets/${env}.credential`) ?? (stays ? before.credential : null),
    hook,
    created_at: before?.created_at ?? at,
    created_by: before?.created_by ?? by,
    updated_at: at,
    updated_by: by,
    deliveries: before?.deliveries ?? [],
    asked: before?.asked ?? 0,
    answered: before?.answered ?? 0,
    failures: 0,
    next_at: null,
    outcome: before?.outcome ?? null,
  };
}

/** Of the URL the host alone: the rest may be a credential. */
function about({ url, branch, path, credential }: GitSourceDocument): JsonObject {
  return { host: new URL(url).hostname, branch, path, credential: credential !== null };
}
