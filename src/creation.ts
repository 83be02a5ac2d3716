import { forbidden, may } from "./callers.ts";
import { summary } from "./changes.ts";
import { AppError } from "./errors.ts";
import { defaultExpiry, type Expiry, expiryOf, hasExpiry } from "./expiry.ts";
import { type Documents, documentsOf, findRevision, isExpired, readableHead, revisionOfVersion } from "./heads.ts";
import { keys, SYSTEM_PARTITION, systemKeys } from "./keys.ts";
import { exactLabel, FIRST_LABEL, labelPrefix } from "./labels.ts";
import { type Ledger, stepAfter } from "./ledger.ts";
import { LIMITS } from "./limits.ts";
import { newLine, nextOnLine } from "./lineage.ts";
import { EMPTY_ROOT } from "./merkle/index.ts";
import type { Caller, Environment, EnvironmentType, Label, Revision, Snapshot, VariableInput } from "./model.ts";
import { checkEnvironmentName, checkProject, quoted } from "./names.ts";
import { checkMayEdit, checkUnprotected, policyFor, policyOf } from "./policy.ts";
import type { Json, Store } from "./ports.ts";
import type { PreviewUrls } from "./preview-urls.ts";
import { requirementsOf, unbound } from "./requirements.ts";
import { appendRevision, newLabel, type VersionChoice } from "./revisions.ts";
import { type Secrets, type SecretValue, vaultPath } from "./secrets.ts";
import type { EditableMaps, Maps, Snapshots } from "./snapshots.ts";
import type { Timers } from "./timers.ts";
import type { Transaction } from "./transaction.ts";
import { checkStillVars, sortVariables } from "./variables.ts";

export interface CreateRequest extends Expiry {
  readonly project: string;
  readonly env: string;
  readonly base: string | null;
  readonly env_variables?: Readonly<Record<string, VariableInput>> | undefined;
  readonly type?: EnvironmentType | undefined;
  /** A version of the base to start from, or an unused one to give to what it starts with. */
  readonly version?: string | undefined;
  readonly message?: string | undefined;
  /** Whether the base's secrets are copied into entries of the new environment's own. */
  readonly secrets?: "copy" | "empty" | undefined;
  /** The pull request or ticket that a preview is for. */
  readonly source_ref?: string | undefined;
}

/** What a creation starts from. */
interface Origin {
  readonly base: Environment | null;
  /** A preview of that name, which is brought up to date instead. */
  readonly existing: Environment | null;
  /** Whose vars, flags and secrets it begins with. */
  readonly inherited: Environment | null;
}

interface CreationPlan {
  readonly vars: ReadonlyMap<string, string>;
  readonly secrets: ReadonlyMap<string, SecretValue>;
}

/** How environments begin. */
export class Creation {
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #snapshots: Snapshots;
  readonly #secrets: Secrets;
  readonly #timers: Timers;
  readonly #previewUrls: PreviewUrls;
  readonly #urlTemplate: string;

  constructor(
    store: Store,
    ledger: Ledger,
    snapshots: Snapshots,
    secrets: Secrets,
    timers: Timers,
    previewUrls: PreviewUrls,
    urlTemplate: string,
  ) {
    this.#store = store;
    this.#ledger = ledger;
    this.#snapshots = snapshots;
    this.#secrets = secrets;
    this.#timers = timers;
    this.#previewUrls = previewUrls;
    this.#urlTemplate = urlTemplate;
  }

  /**
   * Creates an environment: from a base, with its platform, vars and flags but with secrets of its own; or empty. The
   * first environment of a project creates the project. A request for a preview that exists brings that one up to the
   * base's platform instead, keeps its config and takes the variables and the expiry of the request.
   */
  async create(caller: Caller, request: CreateRequest) {
    checkProject(request.project);
    checkEnvironmentName(request.env);
    const reply = await this.#ledger.once(request.project, caller, async () => this.#create(caller, await this.#withExpiry(request)));
    if (reply.type !== "preview") return reply;
    return { ...reply, ...(await this.#previewUrls.build(stepAfter(caller, "url"), request.project, request.env, reply.url)) };
  }

  /** A preview that nobody gave an end has one all the same. */
  async #withExpiry(request: CreateRequest): Promise<CreateRequest> {
    if ((request.type ?? guessType(request.env)) !== "preview" || hasExpiry(request)) return request;
    const { policy } = await policyOf(documentsOf(this.#store, request.project));
    return { ...request, ...defaultExpiry(policy, request.env, LIMITS.previewDefaultTtlMs) };
  }

  async #create(caller: Caller, request: CreateRequest) {
    const { project, env } = request;
    const plan = await this.#plan(caller, request);
    await this.#hint(project, caller);
    const timer = await this.#timers.prepare(project, env, request);
    const staged = await this.#secrets.stage(caller, project, env, plan.secrets);
    try {
      const reply = await this.#ledger.write(project, caller, async (tx) => {
        const maps = this.#snapshots.edit(tx);
        const origin = await findOrigin(tx, request, caller, async () => tx.now);
        await this.#checkStillTrue(maps, origin, request, plan);
        const start = await startOf(tx, request, origin);
        const edits = new Map<string, Json | undefined>([...plan.vars].map(([name, value]) => [`vars/${name}`, value]));
        const { config, left } = await configFrom(maps, origin, new Map([...edits, ...staged.references]));
        await staged.bind(tx);
        const head = await this.#append(tx, maps, request, origin, start, config);
        return {
          status: origin.existing === null ? ("env_created" as const) : ("env_updated" as const),
          env,
          linked_version: head.version,
          url: head.url,
          revision: head.revision,
          type: head.type,
          expires_at: head.expires_at,
          stored: {
            vars: [...plan.vars.keys()].sort(),
            secrets: [...staged.references.keys()].map((key) => key.slice("secrets/".length)).sort(),
          },
          secrets_unbound: await secretsUnbound(maps, head.platform, config, left),
        };
      });
      if (reply.expires_at !== null) await this.#timers.confirm(project, env, timer, reply.expires_at);
      return reply;
    } catch (error) {
      await staged.discard().catch(() => {}); // The sweeper does it later; the caller must hear what failed first.
      throw error;
    }
  }

  async #append(
    tx: Transaction,
    maps: EditableMaps,
    request: CreateRequest,
    origin: Origin,
    start: Start,
    config: string,
  ): Promise<Environment> {
    const { base, existing, inherited } = origin;
    const previous = existing === null ? null : await findRevision(tx, existing, existing.revision);
    const self = { env: request.env, revision: (existing?.revision ?? 0) + 1 };
    const from = start.from === null ? [] : [start.from];
    const before = inherited === null ? { platform: EMPTY_ROOT, config: EMPTY_ROOT } : inherited;
    const { head } = await appendRevision(tx, {
      head: await this.#head(tx, request, base, existing),
      snapshot: { platform: start.platform, config },
      action: existing === null ? "create" : "update",
      version: start.version,
      message: request.message ?? null,
      parents: [
        ...(existing === null ? [] : [{ env: existing.env, revision: existing.revision }]),
        ...from.map(({ env, revision }) => ({ env, revision })),
      ],
      lineage:
        previous === null
          ? newLine(
              from.map(({ lineage }) => lineage),
              self,
            )
          : nextOnLine(
              previous.lineage,
              self,
              from.map(({ lineage }) => lineage),
            ),
      changes: summary({
        platform: existing === null ? [] : await maps.diff(existing.platform, start.platform),
        config: await maps.diff(before.config, config),
      }),
      audit: { base_from: request.base, ...(request.source_ref !== undefined && { source_ref: request.source_ref }) },
    });
    return head;
  }

  /** Sorts the variables and decides which of the base's secrets are copied, before anything is written. */
  async #plan(caller: Caller, request: CreateRequest): Promise<CreationPlan> {
    const { project } = request;
    const documents = documentsOf(this.#store, project);
    const now = (await this.#store.now()).toISOString();
    const maps = this.#snapshots.read(project);
    const origin = await findOrigin(documents, request, caller, async () => now);
    const { base, existing, inherited } = origin;
    const type = existing?.type ?? request.type ?? guessType(request.env);
    expiryOf(request, { env: request.env, type, policy: (await policyOf(documents)).policy, now });
    const { known, vars, secrets } = await this.#sort(maps, origin, request);
    const values = new Map<string, SecretValue>([...secrets].map(([name, value]) => [name, { value }]));
    const copies = base !== null && inherited === base && (await this.#copiesSecrets(caller, documents, base, request));
    for (const [name, reference] of copies ? known : []) {
      if (values.has(name)) continue;
      values.set(name, { value: await this.#secrets.reveal(project, base?.env ?? "", name, reference), copiedFrom: vaultPath(reference) });
    }
    return { vars, secrets: values };
  }

  /** What is a secret already (`known`: its references), or is declared as one by the base's platform, stays one. */
  async #sort(maps: Maps, { base, inherited }: Origin, request: CreateRequest) {
    const references = inherited === null ? [] : await maps.entries(inherited.config, { prefix: "secrets/", limit: LIMITS.configEntries });
    const known = new Map(references.map(({ key, value }) => [key.slice("secrets/".length), value]));
    const required = base === null ? [] : await requirementsOf(maps, base.platform);
    const declared = new Set(required.filter(({ kind }) => kind === "secret").map(({ name }) => name));
    return { known, ...sortVariables(request.env_variables ?? {}, (name) => known.has(name) || declared.has(name)) };
  }

  /** The base may have changed while the secrets were on their way to the vault. @throws write_conflict */
  async #checkStillTrue(maps: Maps, origin: Origin, request: CreateRequest, plan: CreationPlan): Promise<void> {
    const { known, vars } = await this.#sort(maps, origin, request);
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
    const mayReveal = may(caller, "reveal", request.project, base.env);
    if (request.secrets === "copy") {
      if (mayReveal) return true;
      throw forbidden(
        caller,
        `reveal the secrets of ${quoted(base.env)}, and so cannot copy them`,
        'Leave out "secrets":"copy" and set the new environment\'s own secrets, or use a token with the right secrets:reveal.',
      );
    }
    const { policy } = await policyOf(documents);
    return mayReveal && !policyFor(policy, base.env, base.type).protected;
  }

  async #head(tx: Transaction, request: CreateRequest, base: Environment | null, existing: Environment | null) {
    const { env } = request;
    const type = existing?.type ?? request.type ?? guessType(env);
    const { policy } = await policyOf(tx);
    const expires_at = expiryOf(request, { env, type, policy, now: tx.now });
    const renewed = {
      status: "active" as const,
      base_from: base?.env ?? existing?.base_from ?? null,
      expires_at,
      source_ref: request.source_ref ?? existing?.source_ref ?? null,
      cleared_at: null,
    };
    if (existing !== null) return { ...existing, ...renewed };
    return {
      env,
      type,
      created_at: tx.now,
      created_by: tx.caller.actor,
      revision: 0,
      version: null,
      url: this.#urlTemplate.replaceAll("{project_id}", encodeURIComponent(request.project)).replaceAll("{env}", encodeURIComponent(env)),
      hold: null,
      deployment: null,
      deployed: null,
      platform: EMPTY_ROOT,
      config: EMPTY_ROOT,
      ...renewed,
    };
  }

  /** Lists the project before it exists, so that no crash leaves one that the registry does not know. */
  async #hint(project: string, caller: Caller): Promise<void> {
    const [known] = await this.#store.get(SYSTEM_PARTITION, [systemKeys.project(project)]);
    if (known) return;
    const hint = { key: systemKeys.project(project), value: { by: caller.actor } };
    await this.#store.commit(SYSTEM_PARTITION, { checks: [], puts: [hint], deletes: [], objects: [], objectDeletes: [] });
  }
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

async function findOrigin(documents: Documents, request: CreateRequest, caller: Caller, now: () => Promise<string>): Promise<Origin> {
  const [found] = await documents.getAll<Environment>([keys.environment(request.env)]);
  const existing = found ?? null;
  const isUpdate = existing !== null && request.type === "preview" && existing.type === "preview" && existing.status !== "archived";
  if (existing !== null && !isUpdate) throw environmentExists(documents.project, existing, await now());
  if (existing !== null) await checkMayEdit(documents, caller, existing);
  const base = request.base === null ? null : await readableBase(documents, request.base, now);
  // Bringing a preview up to its base changes its state, as a direct edit does.
  if (existing !== null && base !== null) await checkUnprotected(documents, existing);
  // What an expired preview's secrets were is gone with its grace time: it starts over with the base's config.
  const keepsConfig = existing !== null && existing.cleared_at === null;
  return { base, existing, inherited: keepsConfig ? existing : base };
}

function environmentExists(project: string, existing: Environment, now: string): AppError {
  const state = existing.status === "active" && isExpired(existing, now) ? "expired" : existing.status;
  const is = state === "active" ? "an" : `an ${state}`;
  const fix =
    state === "active"
      ? "Choose another name, or change the one that exists."
      : "Bring it back with POST /env/restore, or choose another name.";
  return new AppError("environment_exists", {
    reason: `Project ${quoted(project)} has ${is} environment ${quoted(existing.env)} already.`,
    fix,
  });
}

/** The inherited vars and flags with `edits` on top; `left`: secrets of the base that were not taken along. */
async function configFrom(maps: EditableMaps, { existing, inherited }: Origin, edits: ReadonlyMap<string, Json | undefined>) {
  const config = inherited?.config ?? EMPTY_ROOT;
  const foreign =
    existing !== null && inherited === existing ? [] : await maps.names(config, { prefix: "secrets/", limit: LIMITS.configEntries });
  const dropped = foreign.filter((key) => !edits.has(key));
  // What becomes a secret is no var any more.
  const replaced = [...edits.keys()].filter((key) => key.startsWith("secrets/")).map((key) => `vars/${key.slice("secrets/".length)}`);
  const all = new Map<string, Json | undefined>([...dropped, ...replaced].map((key) => [key, undefined] as const));
  const { root } = await maps.edit(config, new Map([...all, ...edits]));
  return { config: root, left: dropped.map((key) => key.slice("secrets/".length)) };
}

/** Secrets that the base had or the platform requires, and that the new environment lacks. */
async function secretsUnbound(
  maps: Maps,
  platform: Snapshot["platform"],
  config: Snapshot["config"],
  left: readonly string[],
): Promise<string[]> {
  const missing = await unbound(maps, await requirementsOf(maps, platform), config);
  return [...new Set([...left, ...missing.filter(({ kind }) => kind === "secret").map(({ name }) => name)])].sort();
}

async function readableBase(documents: Documents, base: string, now: () => Promise<string>): Promise<Environment> {
  try {
    return await readableHead(documents, base, now);
  } catch (error) {
    if (!(error instanceof AppError) || (error.code !== "environment_not_found" && error.code !== "project_not_found")) throw error;
    throw baseNotFound(documents.project, base);
  }
}

/** What there is not, and what the caller may not see: both look the same. */
export function baseNotFound(project: string, base: string): AppError {
  return new AppError("base_not_found", {
    reason: `Project ${quoted(project)} has no environment ${quoted(base)} to start from.`,
    fix: "Name an existing environment as base_from, or leave it out to start empty.",
  });
}

/** The platform to start with, its version, and the revision that it is taken from. */
interface Start {
  readonly platform: Snapshot["platform"];
  readonly version: VersionChoice;
  readonly from: Revision | null;
}

async function startOf(tx: Transaction, request: CreateRequest, { base, existing }: Origin): Promise<Start> {
  const asked = request.version;
  const newest = base === null ? null : await findRevision(tx, base, base.revision);
  const older = base === null || asked === undefined ? null : await revisionWith(tx, base, asked);
  const from = older ?? newest;
  const platform = from?.platform ?? existing?.platform ?? EMPTY_ROOT;
  const version = older !== null || asked === undefined ? (from?.version ?? existing?.version ?? FIRST_LABEL) : exactLabel(asked);
  const label = await tx.get<Label>(keys.label(version));
  // Nobody chose the label of the empty platform: where it names something else by now, the next free one does.
  if (label !== null && label.platform !== platform && asked === undefined)
    return { platform, version: { create: await newLabel(tx, version, "patch", {}) }, from };
  if (label === null) return { platform, version: { create: version }, from };
  if (label.platform === platform) return { platform, version: { link: version }, from };
  throw new AppError("version_taken", {
    reason: `The version ${quoted(version)} names another state of project ${quoted(tx.project)}.`,
    fix: "Choose a version that the base had, one that is free, or leave it out to link the base's.",
  });
}

/** The base's newest revision that had the version; `null` where it never had it. */
async function revisionWith(tx: Transaction, base: Environment, version: string): Promise<Revision | null> {
  if (labelPrefix(version) === null) return null;
  try {
    return await findRevision(tx, base, await revisionOfVersion(tx, base, version));
  } catch (error) {
    if (error instanceof AppError && error.code === "version_not_found") return null;
    throw error;
  }
}
