import { applyPlan, checkApplicable, type PromotionResult, resultOf } from "./apply.ts";
import { forbidden, may, mayDoLittle } from "./callers.ts";
import { durationMs } from "./durations.ts";
import { AppError, isPassing } from "./errors.ts";
import { type Documents, documentsOf } from "./heads.ts";
import { keys } from "./keys.ts";
import { aside, type Ledger } from "./ledger.ts";
import { canonicalJson } from "./merkle/index.ts";
import type { Caller, CheckName, CheckResult, Environment } from "./model.ts";
import { checkEnvironmentName, checkProject, quoted } from "./names.ts";
import { automaticPromotionId, newPromotionId, putUp } from "./pending.ts";
import { type Force, findSides, type Plan, type PlanContext, type PreparedPlan, type PromotionOrder, preparePlan } from "./plan.ts";
import { checkPlan } from "./plan-id.ts";
import { approvalsOf, autoPromoteSource, checkWord, policyFor, policyOf } from "./policy.ts";
import type { Json, Store } from "./ports.ts";
import { secretNames } from "./requirements.ts";
import { documentPages } from "./scan.ts";
import type { Secrets } from "./secrets.ts";
import { isSelective } from "./selection.ts";
import type { Maps, Snapshots } from "./snapshots.ts";
import { syncStatus } from "./sync.ts";
import type { Timers } from "./timers.ts";
import type { Validation } from "./validation.ts";
import { checkStillVars, type SortedVariables, sortVariables } from "./variables.ts";

export interface PromoteRequest extends PromotionOrder {
  readonly dry_run?: boolean | undefined;
  /** Applies only what was planned: refused where anything has changed since. */
  readonly plan_id?: string | undefined;
  /** Skips failed checks that the policy calls forceable; the reason is audited. `true` takes `message` for it. */
  readonly force?: true | { readonly checks?: readonly CheckName[] | undefined; readonly reason: string } | undefined;
  readonly message?: string | undefined;
  /** The target's name once more, where the policy asks for it. */
  readonly confirm?: string | undefined;
  /** Nobody asked for it by hand: what of the source is deployed, and since when. Nothing else is promoted. */
  readonly automatic?: { readonly revision: number; readonly at: string } | undefined;
}

/** Moves versions between environments: plan purely, then apply as one commit, at once or when all have agreed. */
export class Promotion {
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #snapshots: Snapshots;
  readonly #secrets: Secrets;
  readonly #timers: Timers;
  readonly #validation: Validation;

  constructor(store: Store, ledger: Ledger, snapshots: Snapshots, secrets: Secrets, timers: Timers, validation: Validation) {
    this.#store = store;
    this.#ledger = ledger;
    this.#snapshots = snapshots;
    this.#secrets = secrets;
    this.#timers = timers;
    this.#validation = validation;
  }

  /** Plans, and applies what the checks let through; or puts it up for approval; or, with `dry_run`, only plans. */
  async promote(caller: Caller, request: PromoteRequest): Promise<PromotionResult> {
    checkRequest(request);
    return this.#ledger.once(request.project, caller, () => this.#promote(caller, request));
  }

  async #promote(caller: Caller, request: PromoteRequest): Promise<PromotionResult> {
    const force = parseForce(caller, request);
    const documents = documentsOf(this.#store, request.project);
    const inquiry = this.#validation.begin(caller.requestId);
    const context: PlanContext = {
      now: await this.#now(),
      automatic: request.automatic !== undefined,
      approvedBy: [],
      requestedBy: caller.actor,
      force,
      verdicts: inquiry ?? "no_engine",
    };
    const order = orderOf(request);
    const sorted = await sortedFor(documents, this.#snapshots.read(request.project), order, context.now);
    const fingerprint = await this.#fingerprint(order);
    const pending = { vars: sorted.vars, references: pendingReferences(sorted), fingerprint };
    // Everything that can be refused is refused before a secret is written to the vault.
    const preview = await preparePlan(documents, this.#snapshots.draft(request.project), order, pending, context);
    if (request.dry_run) return resultOf("planned", preview, preview.target.revision);
    checkCurrent(request, preview.plan);
    await this.#checkApplicable(caller, preview);
    const { policy } = await policyOf(documents);
    const targetPolicy = policyFor(policy, preview.target.env, preview.target.type);
    checkWord(policy, preview.target, request);
    const staged = await this.#secrets.stage(
      caller,
      request.project,
      request.target,
      new Map([...sorted.secrets].map(([name, value]) => [name, { value }])),
    );
    const variables = { vars: sorted.vars, references: staged.references, fingerprint };
    const id = request.automatic ? automaticPromotionId(request.automatic.at, preview.plan.plan_id) : newPromotionId(context.now);
    try {
      if (!preview.plan.applicable) await this.#setExpiry(request.project, id, context.now, approvalsOf(targetPolicy).expiresIn);
      return await this.#ledger.write(request.project, caller, async (tx) => {
        const maps = this.#snapshots.edit(tx);
        checkStillVars(sorted.vars, (await sortedFor(tx, maps, order, tx.clock)).vars);
        const prepared = await preparePlan(tx, maps, order, variables, {
          ...context,
          now: tx.clock,
          verdicts: inquiry?.recalled() ?? "no_engine",
        });
        checkCurrent(request, prepared.plan);
        checkApplicable(prepared.plan);
        checkWord((await policyOf(tx)).policy, prepared.target, request);
        if (prepared.plan.changes_nothing) return unchanged(prepared);
        if (!prepared.plan.applicable) {
          checkPrepared(preview.plan, prepared.plan);
          return putUp(tx, prepared, {
            id,
            order,
            variables,
            staged,
            message: request.message ?? null,
            force,
            automatic: context.automatic,
          });
        }
        await staged.bind(tx);
        return applyPlan(tx, maps, prepared, request.message ?? null);
      });
    } catch (error) {
      await staged.discard().catch(() => {}); // The sweeper does it later; the caller must hear what failed first.
      throw error;
    }
  }

  /** That the Validation engine refuses a promotion is kept, and told to whoever watches the log. */
  async #checkApplicable(caller: Caller, { plan, source, target }: PreparedPlan): Promise<void> {
    try {
      checkApplicable(plan);
    } catch (error) {
      const refused = plan.checks.find(
        ({ name, status, details }) => name === "validation" && status === "failed" && !details?.["unavailable"],
      );
      if (refused !== undefined) {
        await this.#ledger.write(source.project_id, aside(caller), (tx) =>
          tx.audit({
            action: "validation_failed",
            environment: target.env,
            version: source.version,
            details: { source: `${source.env}@${source.revision}`, type: target.type, errors: refused.details?.["errors"] ?? [] },
          }),
        );
      }
      throw error;
    }
  }

  /**
   * Promotes what was deployed in `source` to every environment that the policy lets it into by itself. What time alone
   * is in the way of is tried again then; anything else waits for a person or for the next deployment.
   */
  async promoteAutomatically(project: string, source: string): Promise<void> {
    const documents = documentsOf(this.#store, project);
    // A timer is set before the report is looked at, which may have named what does not exist.
    const [head] = await documents.getAll<Environment>([keys.environment(source)]);
    if (!head || syncStatus(head) !== "in_sync" || head.deployed === null) return;
    const caller = mayDoLittle("auto-promotion", `auto-${source}-${head.revision}`);
    const automatic = { revision: head.revision, at: head.deployed.at };
    const failures: unknown[] = [];
    for (const target of await this.#followers(documents, source)) {
      try {
        await this.promote(caller, {
          project,
          source,
          target,
          automatic,
          message: `${head.version} was deployed in ${source}`,
          confirm: target,
        });
      } catch (error) {
        if (!(error instanceof AppError) || isPassing(error)) {
          failures.push(error);
          continue;
        }
        const again = retryTime(error, await this.#now());
        if (again !== null) await this.#timers.setFor({ project, what: `auto:${source}` }, again);
      }
    }
    // The timer stays, and all of them are looked at again.
    if (failures.length > 0) throw failures[0];
  }

  /** The environments that the policy lets what is deployed in `source` into by itself. */
  async #followers(documents: Documents, source: string): Promise<string[]> {
    const { policy } = await policyOf(documents);
    const followers: string[] = [];
    for await (const page of documentPages(this.#store, documents.project, keys.environmentPrefix)) {
      for (const { value } of page) {
        const { env, type, status } = value as unknown as Environment;
        if (status === "active" && autoPromoteSource(policy, env, type) === source) followers.push(env);
      }
    }
    return followers;
  }

  async #setExpiry(project: string, id: string, now: string, expiresIn: string): Promise<void> {
    await this.#timers.setFor({ project, what: `promotion:${id}` }, new Date(Date.parse(now) + (durationMs(expiresIn) ?? 0)).toISOString());
  }

  /** The plan, without asking to promote. */
  readiness(caller: Caller, order: PromotionOrder): Promise<PromotionResult> {
    return this.promote(caller, { ...order, dry_run: true });
  }

  async #fingerprint({ project, env_variables }: PromotionOrder): Promise<string | null> {
    return env_variables === undefined ? null : this.#secrets.fingerprintOf(project, canonicalJson(env_variables));
  }

  async #now(): Promise<string> {
    return (await this.#store.now()).toISOString();
  }
}

function checkRequest(request: PromoteRequest): void {
  checkProject(request.project);
  checkEnvironmentName(request.source);
  checkEnvironmentName(request.target);
  if (request.source === request.target) {
    throw new AppError("same_environment", {
      reason: `${quoted(request.source)} cannot be promoted onto itself.`,
      fix: "Name two different environments as source_env and target_env.",
    });
  }
  if (isSelective(request) && request.strategy === "merge") {
    throw new AppError("invalid_request", {
      reason: "A merge takes all changes, so `only` and `except` do not go with it.",
      fix: "Ask for one or the other.",
    });
  }
  if (request.resolve !== undefined && request.strategy !== "merge") {
    throw new AppError("invalid_request", {
      reason: "`resolve` settles the conflicts of a merge.",
      fix: 'Send "strategy":"merge" along with it.',
    });
  }
}

/** @throws invalid_request without a reason, forbidden without the right */
function parseForce(caller: Caller, { project, target, force, message }: PromoteRequest): Force | null {
  if (force === undefined) return null;
  const reason = (force === true ? message : force.reason)?.trim();
  if (!reason) {
    throw new AppError("invalid_request", {
      reason: "Skipping checks needs a reason.",
      fix: 'Send "force":{"reason":"…"}: the audit log keeps it.',
    });
  }
  if (!may(caller, "force", project, target)) {
    throw forbidden(caller, `skip checks in ${quoted(target)}`, "Mend what the checks ask for, or ask an admin.");
  }
  return { checks: force === true ? null : (force.checks ?? null), by: caller.actor, reason };
}

/** What the plan depends on, without how it is asked for. */
function orderOf(request: PromoteRequest): PromotionOrder {
  const { dry_run: _, plan_id: __, force: ___, message: ____, confirm: _____, automatic: ______, env_variables, ...rest } = request;
  // A promotion that waits keeps its order in a document, which holds no `undefined`.
  const order = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)) as unknown as PromotionOrder;
  return env_variables === undefined || Object.keys(env_variables).length === 0 ? order : { ...order, env_variables };
}

/** What the request's variables are in the target: what is a secret there, or is declared as one, stays one. */
async function sortedFor(documents: Documents, maps: Maps, order: PromotionOrder, now: string): Promise<SortedVariables> {
  const names = Object.keys(order.env_variables ?? {});
  const { source, target } = await findSides(documents, order, now);
  // What does not carry all of the source leaves components of the target's where they are, and with them what these declare.
  const platforms = isSelective(order) || order.strategy === "merge" ? [source.platform, target.platform] : [source.platform];
  const known = await Promise.all(platforms.map((platform) => secretNames(maps, { config: target.config, platform }, names)));
  return sortVariables(order.env_variables ?? {}, (name) => known.some((secrets) => secrets.has(name)));
}

/** Stands in for references that do not exist yet, where a plan is made before the vault is written. */
function pendingReferences({ secrets }: SortedVariables): ReadonlyMap<string, Json> {
  return new Map([...secrets.keys()].map((name) => [`secrets/${name}`, null]));
}

/** When a refused automatic promotion may go through, if it is only early: the end of its soak time or of a freeze. */
function retryTime({ code, details }: AppError, now: string): string | null {
  const checks = (code === "checks_failed" ? details?.["checks"] : []) as readonly CheckResult[];
  const times = checks
    .filter(({ name, status }) => status === "failed" && name !== "approvals")
    .map(({ name, details: facts }) => {
      if (name === "freeze_window") return String(facts?.["next_open"] ?? "");
      if (name !== "soak_time") return "";
      return new Date(Date.parse(now) + Number(facts?.["needed_ms"]) - Number(facts?.["soaked_ms"])).toISOString();
    });
  return times.length === 0 || times.includes("") ? null : (times.sort().at(-1) ?? null);
}

function checkCurrent({ plan_id, automatic }: PromoteRequest, plan: Plan): void {
  const deployed = automatic === undefined || automatic.revision === plan.source.revision;
  checkPlan(deployed ? plan_id : "", plan.plan_id, "Source, target, policy or request");
}

/** A promotion is put up as what its timer was set for. @throws write_conflict */
function checkPrepared(preview: Plan, plan: Plan): void {
  if (preview.plan_id === plan.plan_id) return;
  throw new AppError("write_conflict", {
    reason: "Source, target or policy changed while the promotion was being put up for approval.",
    fix: "Send the request again.",
  });
}

/** The target stays what it is, and so does its version. */
function unchanged(prepared: PreparedPlan): PromotionResult {
  const { revision, version } = prepared.target;
  return { ...resultOf("no_changes", prepared, revision), version };
}
