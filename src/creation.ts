import { forbidden, may } from "./callers.ts";
import { summary } from "./changes.ts";
import { checkConfigSize } from "./config-store.ts";
import { AppError } from "./errors.ts";
import { defaultExpiry, type Expiry, expiryOf, hasExpiry } from "./expiry.ts";
import { type Documents, documentsOf, findRevision } from "./heads.ts";
import { SYSTEM_PARTITION, systemKeys } from "./keys.ts";
import { type Ledger, stepAfter } from "./ledger.ts";
import { LIMITS } from "./limits.ts";
import { newLine, nextOnLine } from "./lineage.ts";
import { canonicalJson, EMPTY_ROOT } from "./merkle/index.ts";
import type { Caller, Environment, EnvironmentType, Snapshot, VariableInput } from "./model.ts";
import { checkEnvironmentName, checkProject, quoted } from "./names.ts";
import { findOrigin, type Origin, platformOf, type Start, startOf } from "./origin.ts";
import { checkPlan, planIdOf } from "./plan-id.ts";
import { policyFor, policyOf } from "./policy.ts";
import type { Hash, Json, Store } from "./ports.ts";
import type { PreviewUrls } from "./preview-urls.ts";
import { requirementsOf, secretNames, unbound } from "./requirements.ts";
import { appendRevision } from "./revisions.ts";
import { type Secrets, type SecretValue, type StagedSecrets, vaultPath } from "./secrets.ts";
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
  /** Answers what would be made, and makes nothing. */
  readonly dry_run?: boolean | undefined;
  /** Makes what this plan says, or is refused. */
  readonly plan_id?: string | undefined;
}

interface CreationPlan {
  readonly vars: ReadonlyMap<string, string>;
  readonly secrets: ReadonlyMap<string, SecretValue>;
  /** A keyed fingerprint of the variables that the request gave. */
  readonly fingerprint: string | null;
}

/** Ends a transaction that was run to see what it would do. */
class NotCommitted extends Error {}

interface CreatedEnvironment {
  readonly status: "env_created" | "env_updated" | "planned";
  readonly env: string;
  readonly linked_version: string;
  readonly url: string;
  readonly revision: number;
  readonly type: EnvironmentType;
  readonly expires_at: string | null;
  /** Covers the base, a preview of that name, the policy and the request. */
  readonly plan_id: string;
  readonly stored: { readonly vars: readonly string[]; readonly secrets: readonly string[] };
  readonly secrets_unbound: readonly string[];
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
    if (request.dry_run) return this.#planned(caller, await this.#withExpiry(request));
    const reply = await this.#ledger.once(request.project, caller, async () => this.#create(caller, await this.#withExpiry(request)));
    if (reply.type !== "preview") return reply;
    return { ...reply, ...(await this.#previewUrls.build(stepAfter(caller, "url"), request.project, request.env, reply.url)) };
  }

  /** A preview that nobody gave an end has one all the same. */
  async #withExpiry(request: CreateRequest): Promise<CreateRequest> {
    if (typeOf(request) !== "preview" || hasExpiry(request)) return request;
    const { policy } = await policyOf(documentsOf(this.#store, request.project));
    return { ...request, ...defaultExpiry(policy, request.env, LIMITS.previewDefaultTtlMs) };
  }

  /** What was prepared, and does not hold in the commit, is prepared anew: somebody may have created the preview meanwhile. */
  async #create(caller: Caller, request: CreateRequest): Promise<CreatedEnvironment> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#attempt(caller, request);
      } catch (error) {
        if (!(error instanceof AppError && error.code === "write_conflict") || attempt === LIMITS.creationAttempts) throw error;
      }
    }
  }

  async #attempt(caller: Caller, request: CreateRequest): Promise<CreatedEnvironment> {
    const { project, env } = request;
    const plan = await this.#plan(caller, request);
    await this.#hint(project, caller);
    const timer = await this.#timers.prepare(project, env, request);
    const staged = await this.#secrets.stage(caller, project, env, plan.secrets);
    try {
      const reply = await this.#ledger.write(project, caller, (tx) => this.#begin(tx, request, plan, staged));
      if (reply.expires_at !== null) await this.#timers.confirm(project, env, timer, reply.expires_at);
      return reply;
    } catch (error) {
      await staged.discard().catch(() => {}); // The sweeper does it later; the caller must hear what failed first.
      throw error;
    }
  }

  /** What would be made: the very same transaction, which is not committed, with no secret read or written. */
  async #planned(caller: Caller, request: CreateRequest): Promise<CreatedEnvironment> {
    const plan = await this.#plan(caller, request);
    const references = new Map([...plan.secrets.keys()].map((name) => [`secrets/${name}`, { vault: `${request.env}/${name}` }]));
    let found: CreatedEnvironment | undefined;
    const looked = this.#ledger.write(request.project, caller, async (tx) => {
      found = { ...(await this.#begin(tx, request, plan, { references, bind: async () => {} })), status: "planned" };
      throw new NotCommitted();
    });
    return looked.catch((error: unknown) => {
      if (error instanceof NotCommitted && found !== undefined) return found;
      throw error;
    });
  }

  async #begin(
    tx: Transaction,
    request: CreateRequest,
    plan: CreationPlan,
    { references, bind }: Pick<StagedSecrets, "references" | "bind">,
  ): Promise<CreatedEnvironment> {
    const maps = this.#snapshots.edit(tx);
    const origin = await findOrigin(tx, request, tx.caller, async () => tx.clock);
    const plan_id = creationPlanId(request, origin, (await policyOf(tx)).revision, plan.fingerprint);
    checkPlan(request.plan_id, plan_id, "The base, the environment, the policy or the request");
    const start = await startOf(tx, request, origin);
    await this.#checkStillTrue(maps, origin, start.platform, request, plan);
    const edits = new Map<string, Json | undefined>([...plan.vars].map(([name, value]) => [`vars/${name}`, value]));
    const { config, left } = await configFrom(maps, origin, new Map([...edits, ...references]));
    await checkConfigSize(maps, config, origin.inherited?.config ?? EMPTY_ROOT);
    await bind(tx);
    const head = await this.#append(tx, maps, request, origin, start, config);
    return {
      status: origin.existing === null ? "env_created" : "env_updated",
      env: head.env,
      linked_version: head.version,
      url: head.url,
      revision: head.revision,
      type: head.type,
      expires_at: head.expires_at,
      plan_id,
      stored: {
        vars: [...plan.vars.keys()].sort(),
        secrets: [...references.keys()].map((key) => key.slice("secrets/".length)).sort(),
      },
      secrets_unbound: await secretsUnbound(maps, head.platform, config, left),
    };
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
    const type = existing?.type ?? typeOf(request);
    expiryOf(request, { env: request.env, type, policy: (await policyOf(documents)).policy, now });
    const { platform } = await platformOf(documents, request, origin);
    const { known, vars, secrets } = await this.#sort(maps, origin, platform, request);
    const values = new Map<string, SecretValue>([...secrets].map(([name, value]) => [name, { value }]));
    const given = request.env_variables;
    const fingerprint = given === undefined ? null : await this.#secrets.fingerprintOf(project, canonicalJson(given));
    const copies = base !== null && inherited === base && (await this.#copiesSecrets(caller, documents, base, request));
    for (const [name, reference] of copies ? known : []) {
      if (values.has(name)) continue;
      // Who only looks needs no value.
      const value = request.dry_run ? "" : await this.#secrets.reveal(project, base?.env ?? "", name, reference);
      values.set(name, { value, copiedFrom: vaultPath(reference) });
    }
    return { vars, secrets: values, fingerprint };
  }

  /** What is a secret already (`known`: its references), or is declared as one by the platform that it starts with, stays one. */
  async #sort(maps: Maps, { inherited }: Origin, platform: Hash, { env_variables = {} }: CreateRequest) {
    const config = inherited?.config ?? EMPTY_ROOT;
    const references = await maps.entries(config, { prefix: "secrets/", limit: LIMITS.configEntries });
    const known = new Map(references.map(({ key, value }) => [key.slice("secrets/".length), value]));
    const secret = await secretNames(maps, { config, platform }, Object.keys(env_variables));
    return { known, ...sortVariables(env_variables, (name) => secret.has(name)) };
  }

  /** The base may have changed while the secrets were on their way to the vault. @throws write_conflict */
  async #checkStillTrue(maps: Maps, origin: Origin, platform: Hash, request: CreateRequest, plan: CreationPlan): Promise<void> {
    const { known, vars } = await this.#sort(maps, origin, platform, request);
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
    const type = existing?.type ?? typeOf(request);
    const { policy } = await policyOf(tx);
    const expires_at = expiryOf(request, { env, type, policy, now: tx.clock });
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

/** Previews alone expire: an environment that is to, and whose name says nothing else, is one. */
function typeOf({ type, env, ...expiry }: CreateRequest): EnvironmentType {
  const guessed = type ?? guessType(env);
  return type === undefined && guessed === "custom" && hasExpiry(expiry) ? "preview" : guessed;
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

/** Names what a creation rests on; the variables by keyed fingerprint, since they may be secrets. */
function creationPlanId(request: CreateRequest, { base, existing }: Origin, policy: number, fingerprint: string | null): string {
  const { type, version, secrets, source_ref, expires_in, expires_at } = request;
  return planIdOf("env-create", {
    project: request.project,
    env: request.env,
    base: base === null ? null : [base.env, base.revision],
    existing: existing === null ? null : [existing.revision, existing.status],
    policy,
    env_variables: fingerprint,
    choices: [type, version, secrets, source_ref, expires_in, expires_at].map((choice) => choice ?? null),
  });
}
