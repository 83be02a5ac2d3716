import { SOME } from "./access.ts";
import { may } from "./callers.ts";
import { AppError } from "./errors.ts";
import { documentsOf, findHead, isExpired, writableHead } from "./heads.ts";
import { keys, SYSTEM_PARTITION, systemKeys } from "./keys.ts";
import type { Ledger } from "./ledger.ts";
import type { AuditAction, Caller, Environment, Page, PageRequest, SyncStatus } from "./model.ts";
import { checkProject, quoted } from "./names.ts";
import { checkMayEdit, type Policy, policyFor, policyOf } from "./policy.ts";
import type { Hash, Store } from "./ports.ts";
import { appendStatus, statusResult } from "./previews.ts";
import { boundAt, type Requirement, requirementsOf, unbound } from "./requirements.ts";
import type { Snapshots } from "./snapshots.ts";
import { syncStatus } from "./sync.ts";
import { type Project, projectNotFound, type Transaction } from "./transaction.ts";
import { countVisible, type Sight, visibleEntries } from "./visible.ts";

interface StatusRequest {
  readonly project: string;
  readonly env: string;
  readonly reason?: string | undefined;
}

/** Which environments a list is to show; all where nothing is given. */
interface EnvironmentFilter {
  readonly previews?: "only" | "none" | undefined;
  readonly status?: Environment["status"] | undefined;
  /** A part of the name. */
  readonly search?: string | undefined;
  /** Whether to tell how many there are in all, which looks at every environment of the project. */
  readonly count?: boolean | undefined;
}

/** One environment as the registry shows it. */
interface EnvironmentView extends Omit<Environment, "platform" | "config" | "labelled_at" | "platform_since"> {
  readonly project_id: string;
  readonly snapshot: string;
  readonly sync_status: SyncStatus;
  readonly protected: boolean;
  /** Whether all that the platform requires is bound. */
  readonly config_complete: boolean;
  /** What is required, has no default and is not bound, as `vars/K`, `secrets/K` or `flags/K`. */
  readonly unbound: readonly string[];
}

/** The registry of environments. How they begin is in `creation.ts`, how previews end in `previews.ts`. */
export class Environments {
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #snapshots: Snapshots;

  constructor(store: Store, ledger: Ledger, snapshots: Snapshots) {
    this.#store = store;
    this.#ledger = ledger;
    this.#snapshots = snapshots;
  }

  /** The projects in which the caller may read something, by name. */
  async projects(caller: Caller, page: PageRequest): Promise<Page<{ project_id: string; created_at: string; created_by: string }>> {
    const prefix = systemKeys.projectPrefix;
    const sight = { patterns: caller.grants.flatMap(({ projects }) => projects), sees: (name: string) => may(caller, "read", name, SOME) };
    const { items: hints, next_cursor } = await visibleEntries(this.#store, SYSTEM_PARTITION, prefix, page, sight);
    // A hint is written before its project: one whose project never came is no project.
    const found = await Promise.all(
      hints.map(
        async ({ key }) => (await this.#store.get(key.slice(prefix.length), [keys.project]))[0]?.value as unknown as Project | undefined,
      ),
    );
    const items = found
      .filter((project) => project !== undefined)
      .map(({ project_id, created_at, created_by }) => ({ project_id, created_at, created_by }));
    return { items, next_cursor };
  }

  /** The environments of a project that the caller may read, by name. */
  async list(caller: Caller, project: string, page: PageRequest, filter: EnvironmentFilter = {}) {
    checkProject(project);
    const documents = documentsOf(this.#store, project);
    const [[found], { policy }, now] = await Promise.all([documents.getAll<Project>([keys.project]), policyOf(documents), this.#now()]);
    if (!found) throw projectNotFound(project);
    const { created_at, created_by } = found;
    const sight: Sight = {
      patterns: caller.grants.flatMap(({ envs }) => envs),
      sees: (env) => may(caller, "read", project, env),
      wants: (_, head) => isAskedFor(head as unknown as Environment, filter, now),
    };
    const { items: heads, next_cursor } = await visibleEntries(this.#store, project, keys.environmentPrefix, page, sight);
    const viewed = this.#viewer(project, policy, now);
    const items = await Promise.all(heads.map(({ value }) => viewed(value as unknown as Environment)));
    const total = filter.count ? { total: await countVisible(this.#store, project, keys.environmentPrefix, sight) } : {};
    return { project_id: project, created_at, created_by, items, next_cursor, ...total };
  }

  async view(project: string, env: string): Promise<EnvironmentView> {
    const documents = documentsOf(this.#store, project);
    const [head, { policy }, now] = await Promise.all([findHead(documents, env), policyOf(documents), this.#now()]);
    return this.#viewer(project, policy, now)(head);
  }

  async archive(caller: Caller, request: StatusRequest) {
    return this.#turn(caller, request, "archived", async (tx) => {
      const head = await editableHead(tx, request.env);
      return appendStatus(tx, { ...head, status: "archived" }, "archive", request.reason);
    });
  }

  /** Stops automatic promotions into an environment until `resume` or a manual promotion. */
  async hold(caller: Caller, request: StatusRequest) {
    return this.#turn(caller, request, "held", async (tx) => {
      const head = await editableHead(tx, request.env);
      return putHead(
        tx,
        { ...head, hold: { by: caller.actor, at: tx.now, reason: request.reason ?? "held by hand" } },
        "hold",
        request.reason,
      );
    });
  }

  async resume(caller: Caller, request: StatusRequest) {
    return this.#turn(caller, request, "resumed", async (tx) => {
      const head = await editableHead(tx, request.env);
      if (head.hold === null) {
        throw new AppError("invalid_transition", {
          reason: `The environment ${quoted(head.env)} is not held.`,
          fix: "There is nothing to resume.",
        });
      }
      return putHead(tx, { ...head, hold: null }, "resume", request.reason);
    });
  }

  async #turn<Status extends string>(
    caller: Caller,
    request: StatusRequest,
    status: Status,
    change: (tx: Transaction) => Promise<Environment>,
  ) {
    checkProject(request.project);
    return this.#ledger.once(request.project, caller, () =>
      this.#ledger.write(request.project, caller, async (tx) => {
        return statusResult(status, await change(tx));
      }),
    );
  }

  /** Shows environments of one project as of one moment. What they have in common is looked up once: most run a platform that others run too. */
  #viewer(project: string, policy: Policy, now: string): (head: Environment) => Promise<EnvironmentView> {
    const maps = this.#snapshots.read(project);
    const required = new Map<Hash, Promise<readonly Requirement[]>>();
    const requiredBy = (platform: Hash) => {
      const known = required.get(platform) ?? requirementsOf(maps, platform);
      required.set(platform, known);
      return known;
    };
    return async (head) => {
      const { platform, config, labelled_at: _, platform_since: __, ...shown } = head;
      const missing = await unbound(maps, await requiredBy(platform), config);
      return {
        project_id: project,
        ...shown,
        status: statusAt(head, now),
        snapshot: maps.snapshot({ platform, config }),
        sync_status: syncStatus(head),
        protected: policyFor(policy, head.env, head.type).protected,
        config_complete: missing.length === 0,
        unbound: missing.map(boundAt),
      };
    };
  }

  async #now(): Promise<string> {
    return (await this.#store.now()).toISOString();
  }
}

function isAskedFor(head: Environment, { previews, status, search }: EnvironmentFilter, now: string): boolean {
  if (previews !== undefined && (head.type === "preview") !== (previews === "only")) return false;
  if (search !== undefined && !head.env.includes(search.toLowerCase())) return false;
  return status === undefined || statusAt(head, now) === status;
}

/** A preview is over from the moment on that it names, whether or not the sweep has come by. */
function statusAt(head: Environment, now: string): Environment["status"] {
  return head.status === "active" && isExpired(head, now) ? "expired" : head.status;
}

/** The head of an environment that may be changed, and by whoever asks. */
async function editableHead(tx: Transaction, env: string): Promise<Environment> {
  const head = await writableHead(tx, env, tx.clock);
  await checkMayEdit(tx, tx.caller, head);
  return head;
}

/** A change of the head that makes no revision. */
async function putHead(tx: Transaction, head: Environment, action: AuditAction, reason: string | undefined): Promise<Environment> {
  tx.put(keys.environment(head.env), head);
  await tx.audit({
    action,
    environment: head.env,
    version: head.version,
    revision: head.revision,
    ...(reason !== undefined && { details: { reason } }),
  });
  return head;
}
