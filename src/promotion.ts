import { createHash } from "node:crypto";
import { diffFromPrevious, type SnapshotChanges, summary } from "./changes.ts";
import { type Facts, type Relation, runChecks } from "./checks.ts";
import { AppError } from "./errors.ts";
import { disabled } from "./flags.ts";
import { type Documents, documentsOf, findRevision, readableHead, revisionOfVersion, writableHead } from "./heads.ts";
import type { Ledger } from "./ledger.ts";
import { LIMITS } from "./limits.ts";
import { nextOnLine } from "./lineage.ts";
import { canonicalJson, EMPTY_ROOT } from "./merkle/index.ts";
import type { Caller, CheckResult, DiffFromPrevious, Environment, Revision, VariableInput } from "./model.ts";
import { checkEnvironmentName, checkProject, quoted } from "./names.ts";
import { policyFor, policyOf } from "./policy.ts";
import type { Hash, Json, Store } from "./ports.ts";
import { mergeBase, relate } from "./relation.ts";
import { newlyRequired, REQUIRES, requirementsOf, unbound } from "./requirements.ts";
import { appendRevision } from "./revisions.ts";
import { factsKey, type SecretFacts, type Secrets, type StagedSecrets } from "./secrets.ts";
import type { EditableMaps, Maps, Snapshots } from "./snapshots.ts";
import { checkStillVars, type SortedVariables, sortVariables } from "./variables.ts";

export interface PromoteRequest {
  readonly project: string;
  readonly source: string;
  readonly target: string;
  /** An older version of the source, or a prefix of one; its head where left out. */
  readonly version?: string | undefined;
  readonly dry_run?: boolean | undefined;
  /** Applies only what was planned: refused where anything has changed since. */
  readonly plan_id?: string | undefined;
  readonly strategy?: "replace" | undefined;
  /** Bound in the target along with the promotion. */
  readonly env_variables?: Readonly<Record<string, VariableInput>> | undefined;
  readonly message?: string | undefined;
}

/** What a promotion would do, and what stands in its way. */
export interface Plan {
  readonly plan_id: string;
  readonly version: string;
  readonly source: { readonly env: string; readonly revision: number };
  readonly target: { readonly env: string; readonly revision: number };
  readonly relation: Relation;
  readonly checks: readonly CheckResult[];
  /** Whether it would be applied: no check failed. */
  readonly applicable: boolean;
  readonly diff_from_previous: DiffFromPrevious;
}

export interface PromotionResult extends Omit<Plan, "source" | "target" | "applicable"> {
  readonly status: "ready_for_deploy" | "no_changes" | "planned";
  readonly environment: string;
  readonly source_env: string;
  readonly source_revision: number;
  readonly revision: number;
  readonly applicable?: boolean;
}

interface Prepared {
  readonly plan: Plan;
  readonly source: Revision;
  readonly target: Environment;
  readonly targetRevision: Revision;
  readonly config: Hash;
  readonly changes: SnapshotChanges;
}

/** Moves versions between environments: plan purely, then apply as one commit. */
export class Promotion {
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #snapshots: Snapshots;
  readonly #secrets: Secrets;

  constructor(store: Store, ledger: Ledger, snapshots: Snapshots, secrets: Secrets) {
    this.#store = store;
    this.#ledger = ledger;
    this.#snapshots = snapshots;
    this.#secrets = secrets;
  }

  async promote(caller: Caller, request: PromoteRequest): Promise<PromotionResult> {
    const { project, source, target } = request;
    checkProject(project);
    checkEnvironmentName(source);
    checkEnvironmentName(target);
    if (source === target) {
      throw new AppError("same_environment", {
        reason: `${quoted(source)} cannot be promoted onto itself.`,
        fix: "Name two different environments as source_env and target_env.",
      });
    }
    const documents = documentsOf(this.#store, project);
    const now = (await this.#store.now()).toISOString();
    const sorted = await this.#sort(documents, request, now);
    const variables = request.env_variables;
    const fingerprint = variables && (await this.#secrets.fingerprintOf(project, canonicalJson(variables)));
    // Everything that can be refused is refused before a secret is written to the vault.
    const preview = await this.#prepare(
      documents,
      this.#snapshots.draft(project),
      request,
      now,
      fingerprint,
      sorted,
      pendingReferences(sorted),
    );
    if (request.dry_run) return resultOf("planned", preview, preview.target.revision);
    checkApplicable(request, preview.plan);
    const staged = await this.#secrets.stage(
      caller,
      project,
      target,
      new Map([...sorted.secrets].map(([name, value]) => [name, { value }])),
    );
    try {
      return await this.#apply(caller, request, fingerprint, sorted, staged);
    } catch (error) {
      await staged.discard().catch(() => {}); // The sweeper does it later; the caller must hear what failed first.
      throw error;
    }
  }

  #apply(
    caller: Caller,
    request: PromoteRequest,
    fingerprint: string | undefined,
    sorted: SortedVariables,
    staged: StagedSecrets,
  ): Promise<PromotionResult> {
    return this.#ledger.write(request.project, caller, async (tx) => {
      const prepared = await this.#prepare(tx, this.#snapshots.edit(tx), request, tx.now, fingerprint, sorted, staged.references);
      const { plan, source, target, targetRevision, changes } = prepared;
      checkApplicable(request, plan);
      checkStillVars(sorted.vars, (await this.#sort(tx, request, tx.now)).vars);
      if (isNoChange(prepared)) return resultOf("no_changes", prepared, target.revision);
      await staged.bind(tx);
      const self = { env: target.env, revision: target.revision + 1 };
      const { head } = await appendRevision(tx, {
        head: { ...target, hold: null },
        snapshot: { platform: source.platform, config: prepared.config },
        action: "promote",
        version: { link: source.version },
        message: request.message ?? null,
        parents: [
          { env: target.env, revision: target.revision },
          { env: source.env, revision: source.revision },
        ],
        lineage: nextOnLine(targetRevision.lineage, self, [source.lineage]),
        changes: summary(changes),
        source: { env: source.env, revision: source.revision, version: source.version },
        audit: {
          plan_id: plan.plan_id,
          source: `${source.env}@${source.revision}`,
          checks: Object.fromEntries(plan.checks.map(({ name, status }) => [name, status])),
          ...(target.hold !== null && { lifted_hold: true }),
        },
      });
      return resultOf("ready_for_deploy", prepared, head.revision);
    });
  }

  /** What the request's variables are in the target: what is a secret there, or is declared as one, stays one. */
  async #sort(documents: Documents, request: PromoteRequest, now: string): Promise<SortedVariables> {
    const names = Object.keys(request.env_variables ?? {});
    const { source, target } = await findSides(documents, request, now);
    const maps = this.#snapshots.read(request.project);
    const [secret, declared] = await Promise.all([
      maps.has(
        target.config,
        names.map((name) => `secrets/${name}`),
      ),
      maps.lookup(
        source.platform,
        names.map((name) => REQUIRES + name),
      ),
    ]);
    const known = new Set(
      names.filter((_, index) => secret[index] || (declared[index] as { kind?: string } | undefined)?.kind === "secret"),
    );
    return sortVariables(request.env_variables ?? {}, (name) => known.has(name));
  }

  /** Gathers the facts and makes the plan. Reads only; `maps` keeps what it computes to itself or in the transaction. */
  async #prepare(
    documents: Documents,
    maps: EditableMaps,
    request: PromoteRequest,
    now: string,
    fingerprint: string | undefined,
    sorted: SortedVariables,
    references: ReadonlyMap<string, Json>,
  ): Promise<Prepared> {
    const { source, target } = await findSides(documents, request, now);
    const targetRevision = await findRevision(documents, target, target.revision);
    const { policy, revision: policyRevision } = await policyOf(documents);
    const base = source.platform === target.platform ? null : await mergeBase(documents, source, targetRevision);
    const relation = relate(source, targetRevision, base);
    const { root: config, changes: configChanges } = await maps.edit(
      target.config,
      await configEdits(maps, source, target, sorted, references),
    );
    const changes = { platform: await maps.diff(target.platform, source.platform), config: configChanges };
    const requirements = await requirementsOf(maps, source.platform);
    const facts: Facts = {
      project: request.project,
      source,
      target,
      policy,
      targetPolicy: policyFor(policy, target.env, target.type),
      relation,
      base: base && { env: base.env, revision: base.revision },
      lost: await lostBy(maps, relation, base, target),
      strategy: request.strategy ?? null,
      requirements,
      unbound: await unbound(maps, requirements, config),
      copiedSecrets: await copiedSecrets(documents, maps, config),
    };
    const checks = runChecks(facts);
    const required = await newlyRequired(maps, changes.platform);
    const plan: Plan = {
      plan_id: planId(request, source, target, policyRevision, fingerprint),
      version: source.version,
      source: { env: source.env, revision: source.revision },
      target: { env: target.env, revision: target.revision },
      relation,
      checks,
      applicable: !checks.some(({ status }) => status === "failed"),
      diff_from_previous: diffFromPrevious(
        changes,
        required.filter(({ kind }) => kind !== "flag").map(({ name }) => name),
      ),
    };
    return { plan, source, target, targetRevision, config, changes };
  }
}

async function findSides(documents: Documents, request: PromoteRequest, now: string): Promise<{ source: Revision; target: Environment }> {
  const sourceHead = await readableHead(documents, request.source, async () => now);
  const target = await writableHead(documents, request.target, now);
  const number = request.version === undefined ? sourceHead.revision : await revisionOfVersion(documents, sourceHead, request.version);
  return { source: await findRevision(documents, sourceHead, number), target };
}

/** What the target has changed since the newest common ancestor, or has at all where there is none. */
async function lostBy(maps: Maps, relation: Relation, base: Revision | null, target: Environment): Promise<string[]> {
  if (relation === "identical" || relation === "source_ahead") return [];
  return (await maps.diff(base?.platform ?? EMPTY_ROOT, target.platform)).map(({ key }) => key);
}

/** The target keeps its config; flags that it lacks come switched off, and the request's variables are bound. */
async function configEdits(
  maps: Maps,
  source: Revision,
  target: Environment,
  { vars }: SortedVariables,
  references: ReadonlyMap<string, Json>,
): Promise<ReadonlyMap<string, Json | undefined>> {
  const lacking = (await maps.diff(target.config, source.config, { prefix: "flags/" })).filter(({ left }) => left === null);
  const definitions = await maps.values(lacking.map(({ right }) => right));
  return new Map<string, Json | undefined>([
    ...lacking.map(({ key }, index) => [key, disabled(definitions[index] ?? null)] as const),
    ...[...vars].map(([name, value]) => [`vars/${name}`, value] as const),
    // What becomes a secret is no var any more.
    ...[...references.keys()].map((key) => [`vars/${key.slice("secrets/".length)}`, undefined] as const),
    ...references,
  ]);
}

/** Stands in for references that do not exist yet, where a plan is made before the vault is written. */
function pendingReferences({ secrets }: SortedVariables): ReadonlyMap<string, Json> {
  return new Map([...secrets.keys()].map((name) => [`secrets/${name}`, null]));
}

async function copiedSecrets(documents: Documents, maps: Maps, config: Hash): Promise<string[]> {
  const entries = await maps.entries(config, { prefix: "secrets/", limit: LIMITS.configEntries });
  const bound = entries.filter(({ value }) => value !== null);
  const facts = await documents.getAll<SecretFacts>(bound.map(({ value }) => factsKey(value)));
  return bound.filter((_, index) => (facts[index]?.copied_from ?? null) !== null).map(({ key }) => key.slice("secrets/".length));
}

/**
 * Names what was planned: both sides, the policy and the request, its values by keyed hash. Neither time nor outcomes
 * are part of it: applying evaluates the checks again.
 */
function planId(
  request: PromoteRequest,
  source: Revision,
  target: Environment,
  policyRevision: number,
  fingerprint: string | undefined,
): string {
  const covered = {
    project: request.project,
    source: [source.env, source.revision, source.snapshot],
    target: [target.env, target.revision],
    policy: policyRevision,
    strategy: request.strategy ?? null,
    env_variables: fingerprint ?? null,
  };
  return createHash("sha256").update("env-plan\0").update(canonicalJson(covered)).digest("hex").slice(0, 40);
}

function checkApplicable(request: PromoteRequest, plan: Plan): void {
  if (request.plan_id !== undefined && request.plan_id !== plan.plan_id) {
    throw new AppError("plan_stale", {
      reason: "Source, target, policy or request changed since this plan was made.",
      fix: "Plan again with dry_run:true, look at what changed, and apply the new plan_id.",
      details: { plan_id: plan.plan_id },
    });
  }
  if (plan.applicable) return;
  const failed = plan.checks.filter(({ status }) => status === "failed");
  throw new AppError("checks_failed", {
    reason: `Promoting ${plan.version} from ${plan.source.env} to ${plan.target.env} is refused: ${failed.map(({ reason }) => reason).join(" ")}`,
    fix: failed.map(({ fix }) => fix).join(" "),
    details: { checks: plan.checks, plan_id: plan.plan_id, diff_from_previous: plan.diff_from_previous },
  });
}

/** The same content under another label is a change: the target runs that version from now on. */
function isNoChange({ changes, source, target }: Prepared): boolean {
  return changes.platform.length + changes.config.length === 0 && source.version === target.version;
}

function resultOf(status: PromotionResult["status"], prepared: Prepared, revision: number): PromotionResult {
  const { source, target, applicable, ...plan } = prepared.plan;
  return {
    status,
    environment: target.env,
    source_env: source.env,
    source_revision: source.revision,
    revision,
    ...plan,
    ...(status === "planned" && { applicable }),
  };
}
