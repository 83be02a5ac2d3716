import { summary } from "./changes.ts";
import { AppError } from "./errors.ts";
import { type Documents, documentsOf, findHead, findRevision, isExpired, readableHead, writableHead } from "./heads.ts";
import { keys, SYSTEM_PARTITION, systemKeys } from "./keys.ts";
import { exactLabel, FIRST_LABEL } from "./labels.ts";
import { type Ledger, type Project, projectNotFound, type Transaction } from "./ledger.ts";
import { LIMITS } from "./limits.ts";
import { newLine, nextOnLine } from "./lineage.ts";
import { EMPTY_ROOT } from "./merkle/index.ts";
import type {
  Caller,
  Environment,
  EnvironmentType,
  Label,
  Page,
  PageRequest,
  RevisionAction,
  Snapshot,
  SyncStatus,
  VariableInput,
} from "./model.ts";
import { checkEnvironmentName, checkProject, quoted } from "./names.ts";
import { policyFor, policyOf } from "./policy.ts";
import type { Json, Store } from "./ports.ts";
import { boundAt, requirementsOf, unbound } from "./requirements.ts";
import { appendRevision, type VersionChoice } from "./revisions.ts";
import { type Secrets, type SecretValue, vaultPath } from "./secrets.ts";
import type { EditableMaps, Maps, Snapshots } from "./snapshots.ts";
import { syncStatus } from "./sync.ts";
import { checkStillVars, sortVariables } from "./variables.ts";

export interface CreateRequest {
  readonly project: string;
  readonly env: string;
  readonly base: string | null;
  readonly env_variables?: Readonly<Record<string, VariableInput>> | undefined;
  readonly type?: EnvironmentType | undefined;
  readonly version?: string | undefined;
  readonly message?: string | undefined;
  /** Whether the base's secrets are copied into entries of the new environment's own. */
  readonly secrets?: "copy" | "empty" | undefined;
}

export interface StatusRequest {
  readonly project: string;
  readonly env: string;
  readonly reason?: string | undefined;
}

interface CreationPlan {
  readonly vars: ReadonlyMap<string, string>;
  readonly secrets: ReadonlyMap<string, SecretValue>;
}

/** One environment as the registry shows it. */
export interface EnvironmentView extends Omit<Environment, "platform" | "config" | "labelled_at"> {
  readonly project_id: string;
  readonly snapshot: string;
  readonly sync_status: SyncStatus;
  readonly protected: boolean;
  /** Whether all that the platform requires is bound. */
  readonly config_complete: boolean;
  /** What is required, has no default and is not bound, as `vars/K`, `secrets/K` or `flags/K`. */
  readonly unbound: readonly string[];
}

/** The registry of environments, and their lifecycle. */
export class Environments {
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #snapshots: Snapshots;
  readonly #secrets: Secrets;
  readonly #previewUrl: string;

  constructor(store: Store, ledger: Ledger, snapshots: Snapshots, secrets: Secrets, previewUrlTemplate: string) {
    this.#store = store;
    this.#ledger = ledger;
    this.#snapshots = snapshots;
    this.#secrets = secrets;
    this.#previewUrl = previewUrlTemplate;
  }

  /**
   * Creates an environment: from a base, with its platform, vars and flags but with secrets of its own; or empty. The
   * first environment of a project creates the project.
   */
  async create(caller: Caller, request: CreateRequest) {
    const { project, env } = request;
    checkProject(project);
    checkEnvironmentName(env);
    const plan = await this.#planCreation(caller, request);
    await this.#hint(project, caller);
    const staged = await this.#secrets.stage(caller, project, env, plan.secrets);
    try {
      return await this.#ledger.write(project, caller, async (tx) => {
        await checkFree(tx, env);
        const maps = this.#snapshots.edit(tx);
        const base = request.base === null ? null : await readableBase(tx, request.base, async () => tx.now);
        await this.#checkStillTrue(maps, base, request, plan);
        const platform = base?.platform ?? EMPTY_ROOT;
        const edits = new Map<string, Json | undefined>([...plan.vars].map(([name, value]) => [`vars/${name}`, value]));
        const { config, changes, left } = await this.#configFrom(maps, base, new Map([...edits, ...staged.references]));
        await staged.bind(tx);
        const { head } = await appendRevision(tx, {
          head: this.#newHead(request, tx, base),
          snapshot: { platform, config },
          action: "create",
          version: await versionOf(tx, request, base),
          message: request.message ?? null,
          parents: base === null ? [] : [{ env: base.env, revision: base.revision }],
          lineage: newLine(base === null ? [] : [(await findRevision(tx, base, base.revision)).lineage], { env, revision: 1 }),
          changes: summary({ platform: [], config: changes }),
          audit: { base_from: request.base },
        });
        return {
          env,
          linked_version: head.version,
          url: head.url,
          revision: head.revision,
          type: head.type,
          stored: {
            vars: [...plan.vars.keys()].sort(),
            secrets: [...staged.references.keys()].map((key) => key.slice("secrets/".length)).sort(),
          },
          secrets_unbound: await this.#secretsUnbound(maps, platform, config, left),
        };
      });
    } catch (error) {
      await staged.discard().catch(() => {}); // The sweeper does it later; the caller must hear what failed first.
      throw error;
    }
  }

  /** All projects, by name. */
  async projects({ limit, cursor }: PageRequest): Promise<Page<{ project_id: string; created_at: string; created_by: string }>> {
    const prefix = systemKeys.projectPrefix;
    const range = { prefix, limit: limit + 1, ...(cursor !== null && { after: prefix + cursor }) };
    const hints = await this.#store.list(SYSTEM_PARTITION, range);
    const names = hints.slice(0, limit).map(({ key }) => key.slice(prefix.length));
    // A hint is written before its project: one whose project never came is no project.
    const found = await Promise.all(
      names.map(async (name) => (await this.#store.get(name, [keys.project]))[0]?.value as unknown as Project | undefined),
    );
    const items = found
      .filter((project) => project !== undefined)
      .map(({ project_id, created_at, created_by }) => ({ project_id, created_at, created_by }));
    return { items, next_cursor: hints.length > limit ? (names.at(-1) ?? null) : null };
  }

  /** A project's environments, by name. */
  async list(project: string, { limit, cursor }: PageRequest) {
    checkProject(project);
    const [entry] = await this.#store.get(project, [keys.project]);
    if (!entry) throw projectNotFound(project);
    const { created_at, created_by } = entry.value as unknown as Project;
    const prefix = keys.environmentPrefix;
    const range = { prefix, limit: limit + 1, ...(cursor !== null && { after: prefix + cursor }) };
    const entries = await this.#store.list(project, range);
    const heads = entries.slice(0, limit).map(({ value }) => value as unknown as Environment);
    const items = await Promise.all(heads.map((head) => this.#view(project, head)));
    return { project_id: project, created_at, created_by, items, next_cursor: entries.length > limit ? (heads.at(-1)?.env ?? null) : null };
  }

  async view(project: string, env: string): Promise<EnvironmentView> {
    return this.#view(project, await findHead(documentsOf(this.#store, project), env));
  }

  archive(caller: Caller, request: StatusRequest) {
    return this.#turn(caller, request, "archived", async (tx) => {
      const head = await writableHead(tx, request.env, tx.now);
      return this.#appendStatus(tx, head, "archived", "archive", request.reason);
    });
  }

  restore(caller: Caller, request: StatusRequest) {
    return this.#turn(caller, request, "restored", async (tx) => {
      const head = await findHead(tx, request.env);
      if (head.status === "active" && !isExpired(head, tx.now)) {
        throw new AppError("invalid_transition", {
          reason: `The environment ${quoted(head.env)} is active: there is nothing to restore.`,
          fix: "To go back to an earlier version, use POST /env/rollback.",
        });
      }
      return this.#appendStatus(tx, head, "active", "restore", request.reason);
    });
  }

  /** Stops automatic promotions into an environment until `resume` or a manual promotion. */
  hold(caller: Caller, request: StatusRequest) {
    return this.#turn(caller, request, "held", async (tx) => {
      const head = await writableHead(tx, request.env, tx.now);
      return putHead(
        tx,
        { ...head, hold: { by: caller.actor, at: tx.now, reason: request.reason ?? "held by hand" } },
        "hold",
        request.reason,
      );
    });
  }

  resume(caller: Caller, request: StatusRequest) {
    return this.#turn(caller, request, "resumed", async (tx) => {
      const head = await writableHead(tx, request.env, tx.now);
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
    const head = await this.#ledger.write(request.project, caller, change);
    return { status, env: head.env, version: head.version, revision: head.revision };
  }

  async #appendStatus(
    tx: Transaction,
    head: Environment,
    status: Environment["status"],
    action: RevisionAction,
    reason: string | undefined,
  ): Promise<Environment> {
    const self = { env: head.env, revision: head.revision + 1 };
    const previous = await findRevision(tx, head, head.revision);
    const appended = await appendRevision(tx, {
      head: { ...head, status },
      snapshot: { platform: head.platform, config: head.config },
      action,
      version: { link: head.version },
      message: reason ?? null,
      parents: [{ env: head.env, revision: head.revision }],
      lineage: nextOnLine(previous.lineage, self),
      changes: summary({ platform: [], config: [] }),
    });
    return appended.head;
  }

  /** Sorts the variables and decides which of the base's secrets are copied, before anything is written. */
  async #planCreation(caller: Caller, request: CreateRequest): Promise<CreationPlan> {
    const { project, base } = request;
    const documents = documentsOf(this.#store, project);
    await checkFree(documents, request.env);
    const maps = this.#snapshots.read(project);
    const head = base === null ? null : await readableBase(documents, base, async () => (await this.#store.now()).toISOString());
    const { known, vars, secrets } = await this.#sort(maps, head, request);
    const values = new Map<string, SecretValue>([...secrets].map(([name, value]) => [name, { value }]));
    if (head === null || !(await this.#copiesSecrets(caller, documents, head, request))) return { vars, secrets: values };
    for (const [name, reference] of known) {
      if (values.has(name)) continue;
      values.set(name, { value: await this.#secrets.reveal(project, head.env, name, reference), copiedFrom: vaultPath(reference) });
    }
    return { vars, secrets: values };
  }

  /** What is a secret in the base (`known`: its references), or is declared as one by its platform, stays one. */
  async #sort(maps: Maps, base: Environment | null, request: CreateRequest) {
    const references = base === null ? [] : await maps.entries(base.config, { prefix: "secrets/", limit: LIMITS.configEntries });
    const known = new Map(references.map(({ key, value }) => [key.slice("secrets/".length), value]));
    const required = base === null ? [] : await requirementsOf(maps, base.platform);
    const declared = new Set(required.filter(({ kind }) => kind === "secret").map(({ name }) => name));
    return { known, ...sortVariables(request.env_variables ?? {}, (name) => known.has(name) || declared.has(name)) };
  }

  /** The base may have changed while the secrets were on their way to the vault. @throws write_conflict */
  async #checkStillTrue(maps: Maps, base: Environment | null, request: CreateRequest, plan: CreationPlan): Promise<void> {
    const { known, vars } = await this.#sort(maps, base, request);
    checkStillVars(plan.vars, vars);
    for (const [name, { copiedFrom }] of plan.secrets) {
      const reference = known.get(name);
      if (copiedFrom === undefined || (reference !== undefined && vaultPath(reference) === copiedFrom)) continue;
      throw new AppError("write_conflict", {
        reason: `The secret ${quoted(name)} of the base changed while it was being copied.`,
        fix: "Send the request again.",
      });
    }
  }

  async #copiesSecrets(caller: Caller, documents: Documents, base: Environment, request: CreateRequest): Promise<boolean> {
    if (request.secrets === "empty") return false;
    const mayReveal = caller.mayReveal(request.project, base.env);
    if (request.secrets === "copy") {
      if (mayReveal) return true;
      throw new AppError("forbidden", {
        reason: `This token may not reveal the secrets of ${quoted(base.env)}, so it cannot copy them.`,
        fix: 'Leave out "secrets":"copy" and set the new environment\'s own secrets, or use a token with the right secrets:reveal.',
      });
    }
    const { policy } = await policyOf(documents);
    return mayReveal && !policyFor(policy, base.env, base.type).protected;
  }

  /** The base's vars and flags with `edits` on top; `left`: the base's secrets that were not taken along. */
  async #configFrom(maps: EditableMaps, base: Environment | null, edits: ReadonlyMap<string, Json | undefined>) {
    const inherited = base?.config ?? EMPTY_ROOT;
    const references = await maps.names(inherited, { prefix: "secrets/", limit: LIMITS.configEntries });
    const dropped = references.filter((key) => !edits.has(key));
    // What becomes a secret is no var any more.
    const replaced = [...edits.keys()].filter((key) => key.startsWith("secrets/")).map((key) => `vars/${key.slice("secrets/".length)}`);
    const all = new Map<string, Json | undefined>([...dropped, ...replaced].map((key) => [key, undefined] as const));
    const { root } = await maps.edit(inherited, new Map([...all, ...edits]));
    return { config: root, changes: await maps.diff(inherited, root), left: dropped.map((key) => key.slice("secrets/".length)) };
  }

  /** Secrets that the base had or the platform requires, and that the new environment lacks. */
  async #secretsUnbound(
    maps: Maps,
    platform: Snapshot["platform"],
    config: Snapshot["config"],
    left: readonly string[],
  ): Promise<string[]> {
    const missing = await unbound(maps, await requirementsOf(maps, platform), config);
    return [...new Set([...left, ...missing.filter(({ kind }) => kind === "secret").map(({ name }) => name)])].sort();
  }

  #newHead(request: CreateRequest, tx: Transaction, base: Environment | null) {
    const { env } = request;
    return {
      env,
      type: request.type ?? guessType(env),
      status: "active" as const,
      created_at: tx.now,
      created_by: tx.caller.actor,
      base_from: base?.env ?? null,
      revision: 0,
      version: null,
      url: this.#previewUrl.replaceAll("{project_id}", encodeURIComponent(request.project)).replaceAll("{env}", encodeURIComponent(env)),
      hold: null,
      deployment: null,
      deployed: null,
      expires_at: null,
      platform: EMPTY_ROOT,
      config: EMPTY_ROOT,
    };
  }

  /** Lists the project before it exists, so that no crash leaves one that the registry does not know. */
  async #hint(project: string, caller: Caller): Promise<void> {
    const [known] = await this.#store.get(SYSTEM_PARTITION, [systemKeys.project(project)]);
    if (known) return;
    const hint = { key: systemKeys.project(project), value: { by: caller.actor } };
    await this.#store.commit(SYSTEM_PARTITION, { checks: [], puts: [hint], deletes: [], objects: [], objectDeletes: [] });
  }

  async #view(project: string, head: Environment): Promise<EnvironmentView> {
    const maps = this.#snapshots.read(project);
    const { policy } = await policyOf(documentsOf(this.#store, project));
    const missing = await unbound(maps, await requirementsOf(maps, head.platform), head.config);
    const { platform, config, labelled_at: _, ...shown } = head;
    return {
      project_id: project,
      ...shown,
      snapshot: maps.snapshot({ platform, config }),
      sync_status: syncStatus(head),
      protected: policyFor(policy, head.env, head.type).protected,
      config_complete: missing.length === 0,
      unbound: missing.map(boundAt),
    };
  }
}

/** A change of the head that makes no revision. */
async function putHead(tx: Transaction, head: Environment, action: string, reason: string | undefined): Promise<Environment> {
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

/** The first word of an environment's name that says what it is for. */
export function guessType(env: string): EnvironmentType {
  const words: Readonly<Record<string, EnvironmentType>> = {
    development: "development",
    dev: "development",
    staging: "staging",
    stage: "staging",
    production: "production",
    prod: "production",
    live: "production",
    preview: "preview",
    pr: "preview",
  };
  const word = env.split(/[-_]/).find((part) => Object.hasOwn(words, part));
  return (word === undefined ? undefined : words[word]) ?? "custom";
}

async function checkFree(documents: Documents, env: string): Promise<void> {
  const [existing] = await documents.getAll<Environment>([keys.environment(env)]);
  if (!existing) return;
  const archived = existing.status !== "active";
  throw new AppError("environment_exists", {
    reason: `Project ${quoted(documents.project)} has ${archived ? `an ${existing.status}` : "an"} environment ${quoted(env)} already.`,
    fix: archived ? "Bring it back with POST /env/restore, or choose another name." : "Choose another name, or change the one that exists.",
  });
}

async function readableBase(documents: Documents, base: string, now: () => Promise<string>): Promise<Environment> {
  try {
    return await readableHead(documents, base, now);
  } catch (error) {
    if (!(error instanceof AppError) || (error.code !== "environment_not_found" && error.code !== "project_not_found")) throw error;
    throw new AppError("base_not_found", {
      reason: `Project ${quoted(documents.project)} has no environment ${quoted(base)} to start from.`,
      fix: "Name an existing environment as base_from, or leave it out to start empty.",
    });
  }
}

/** The base's version, or the one that the request gives for the same platform. */
async function versionOf(tx: Transaction, request: CreateRequest, base: Environment | null): Promise<VersionChoice> {
  const inherited = base?.version ?? FIRST_LABEL;
  const wanted = request.version === undefined ? inherited : exactLabel(request.version);
  const platform = base?.platform ?? EMPTY_ROOT;
  const label = await tx.get<Label>(keys.label(wanted));
  if (label === null) return { create: wanted };
  if (label.platform === platform) return { link: wanted };
  throw new AppError("version_taken", {
    reason: `The version ${quoted(wanted)} names another state of project ${quoted(tx.project)}.`,
    fix: "Choose another version, or leave it out to link the base's.",
  });
}
