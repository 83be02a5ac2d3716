import { createHash } from "node:crypto";
import { AppError } from "./errors.ts";
import type { HeadCache } from "./head-cache.ts";
import { documentsOf, findRevision, resolveRevision, revisionOfVersion, writableHead } from "./heads.ts";
import { keys } from "./keys.ts";
import type { Ledger } from "./ledger.ts";
import { canonicalJson, snapshotId } from "./merkle/index.ts";
import type { Caller, Deployment, Environment, Revision, SyncStatus } from "./model.ts";
import { checkProject, quoted } from "./names.ts";
import type { News } from "./news.ts";
import { type Policy, policyFor, policyOf } from "./policy.ts";
import type { Json, JsonObject, Store } from "./ports.ts";
import { syncStatus } from "./sync.ts";
import type { Timers } from "./timers.ts";

export interface DeploymentReport {
  readonly project: string;
  readonly env: string;
  readonly version: string;
  readonly revision?: number | undefined;
  readonly status: Deployment["status"];
  readonly url?: string | undefined;
  readonly version_id?: string | undefined;
  readonly reason?: string | undefined;
}

interface ActiveState {
  readonly project_id: string;
  readonly env: string;
  readonly version: string;
  readonly revision: number;
  readonly snapshot: string;
  /** `sha256:<snapshot>`: the same content has the same checksum, whatever its version and revision. */
  readonly checksum: string;
  readonly status: SyncStatus;
  readonly url: string;
  readonly state_url: string;
  readonly config_url: string;
}

/** What should run, and what the Deployment Planner says does run. */
export class Deployments {
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #timers: Timers;
  readonly #news: News;
  readonly #heads: HeadCache;

  constructor(store: Store, ledger: Ledger, timers: Timers, news: News, heads: HeadCache) {
    this.#store = store;
    this.#ledger = ledger;
    this.#timers = timers;
    this.#news = news;
    this.#heads = heads;
  }

  /** What should run in an environment: its head, or revision `at`. */
  async active(project: string, env: string, { at }: { at?: number | undefined }): Promise<{ tag: string; body: ActiveState }> {
    const { value: head } = await this.#heads.readable(project, env, "current");
    const shown = at === undefined ? head : await findRevision(documentsOf(this.#store, project), head, at);
    return activeAt(project, head, shown);
  }

  /**
   * What should run as soon as it is newer than revision `after`, or when the time is over, or there is nobody to answer any
   * more. For a planner that would otherwise ask again and again. Who names a revision that there is not yet has it of another store, or of
   * this one before it was restored: they are told at once what there is, or they would sleep through all revisions up to theirs.
   */
  async activeAfter(project: string, env: string, { after, waitMs, signal }: { after: number; waitMs: number; signal: AbortSignal }) {
    const end = performance.now() + waitMs;
    while (true) {
      const changed = new AbortController();
      // Before it is looked at, so that no change falls between the look and the wait.
      const news = this.#news.next(project, end - performance.now(), AbortSignal.any([signal, changed.signal]));
      try {
        const active = await this.active(project, env, {});
        if (active.body.revision !== after || signal.aborted || this.#news.closed || performance.now() >= end) return active;
        await news;
      } finally {
        changed.abort();
      }
    }
  }

  /**
   * Takes a report. One about an older revision than was reported already, or one that repeats the newest, is stale and
   * changes nothing.
   */
  async report(caller: Caller, report: DeploymentReport) {
    const { project } = report;
    checkProject(project);
    checkUrl(report.url);
    const next = await this.#next(report);
    // Before the commit, so that a crash in between forgets nothing; and after it, since who looks too early finds nothing to do.
    if (next !== null) await this.#setTimer(project, next);
    const reply = await this.#ledger.once(project, caller, () => this.#record(caller, report));
    if (next !== null) {
      await this.#setTimer(project, next);
      this.#timers.hurry();
    }
    return reply;
  }

  async #setTimer(project: string, what: string): Promise<void> {
    await this.#timers.setFor({ project, what }, (await this.#store.now()).toISOString());
  }

  /** What the policy lets follow by itself, as a timer names it: a promotion of what was deployed, or a way back from what was not. */
  async #next({ project, env, status }: DeploymentReport): Promise<string | null> {
    if (status === "deploying") return null;
    const documents = documentsOf(this.#store, project);
    const { policy } = await policyOf(documents);
    if (status === "deployed") return startsPromotions(policy, env) ? `auto:${env}` : null;
    const [head] = await documents.getAll<Environment>([keys.environment(env)]);
    return head && policyFor(policy, env, head.type).rollback_on_failure ? `rollback:${env}` : null;
  }

  #record(caller: Caller, report: DeploymentReport) {
    const { project, env } = report;
    return this.#ledger.write(project, caller, async (tx) => {
      const head = await writableHead(tx, env, tx.clock);
      const number = report.revision ?? (await revisionOfVersion(tx, head, report.version));
      const revision = await resolveRevision(tx, head, number);
      if (report.revision !== undefined && revision.version !== report.version && `v${report.version}` !== revision.version) {
        throw new AppError("invalid_request", {
          reason: `Revision ${number} of ${quoted(env)} is version ${revision.version}, not ${quoted(report.version)}.`,
          fix: "Report the version and revision that GET …/active gave.",
        });
      }
      const { url, version_id, reason } = report;
      const deployment: Deployment = {
        status: report.status,
        version: revision.version,
        revision: number,
        snapshot: revision.snapshot,
        at: tx.now,
        by: caller.actor,
        ...(url !== undefined && { url }),
        ...(version_id !== undefined && { version_id }),
        ...(reason !== undefined && { reason }),
      };
      const about = { env, version: revision.version, revision: number };
      if (isStale(head, deployment)) return { status: "stale" as const, ...about, sync_status: syncStatus(head) };
      const next: Environment = { ...head, deployment, deployed: report.status === "deployed" ? deployment : head.deployed };
      tx.put(keys.environment(env), next);
      await tx.audit({
        action: "deployment",
        environment: env,
        version: revision.version,
        revision: number,
        details: { ...(deployment as unknown as JsonObject) },
      });
      return { status: "recorded" as const, ...about, sync_status: syncStatus(next) };
    });
  }
}

/** What should run where the environment has that head; or what should have, at one of its revisions. */
export function activeAt(
  project: string,
  head: Environment,
  shown: Environment | Revision,
): { readonly tag: string; readonly body: ActiveState } {
  const snapshot = snapshotId(shown.platform, shown.config);
  const path = `/env/${project}/${head.env}`;
  const body: ActiveState = {
    project_id: project,
    env: head.env,
    version: shown.version,
    revision: shown.revision,
    snapshot,
    checksum: `sha256:${snapshot}`,
    status: syncStatus(head),
    url: head.deployed?.url ?? head.url,
    state_url: `${path}/state?at=${shown.revision}`,
    config_url: `${path}/config?at=${shown.revision}`,
  };
  const tag = createHash("sha256")
    .update(canonicalJson(body as unknown as Json))
    .digest("hex")
    .slice(0, 32);
  return { tag, body };
}

/** Whether the policy promotes by itself what is deployed in `env`. */
function startsPromotions(policy: Policy, env: string): boolean {
  return Object.values(policy.environments ?? {}).some(
    ({ auto_promote, auto_promote_from }) => auto_promote_from === env || (auto_promote && policy.pipeline?.includes(env)),
  );
}

/** People follow it: nothing but an address of the web. */
function checkUrl(url: string | undefined): void {
  if (url === undefined || (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol))) return;
  throw new AppError("invalid_request", {
    reason: "`url` is no http or https URL.",
    fix: "Give the address that people open, or leave it out.",
  });
}

/** `deploying` comes before the outcome; a report out of order, or again, tells nothing new. */
function isStale({ deployment }: Environment, report: Deployment): boolean {
  if (deployment === null || report.revision > deployment.revision) return false;
  if (report.revision < deployment.revision) return true;
  return report.status === deployment.status || report.status === "deploying";
}
