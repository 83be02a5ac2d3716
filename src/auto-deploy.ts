import { mayDoAll } from "./callers.ts";
import type { Deployments } from "./deployments.ts";
import { AppError, isPassing } from "./errors.ts";
import { documentsOf, isExpired } from "./heads.ts";
import { keys } from "./keys.ts";
import type { AuditRecord, Environment } from "./model.ts";
import { sentence } from "./names.ts";
import { type EffectivePolicy, policyFor, policyOf } from "./policy.ts";
import type { Deployer, DeployOutcome, Sent, Sink, Store } from "./ports.ts";

/** What makes a head that should run. */
const MAKES_HEADS: ReadonlySet<string> = new Set(["create", "update", "config", "promote", "rollback", "restore"]);

/** Failures of an order that arrived. */
const UNKNOWN: ReadonlySet<string> = new Set(["timeout", "malformed", "too_large"]);

/** The engine itself, at what the policy tells it to do. */
const ENGINE = mayDoAll("engine", "auto-deploy");

/**
 * Has every new head deployed where the policy says `auto_deploy`. It follows the audit log like any sink: so nothing is
 * forgotten, and heads that are no longer the newest are passed over.
 */
export class AutoDeploy implements Sink {
  readonly name = "deployment";
  readonly #store: Store;
  readonly #deployments: Deployments;
  readonly #deployer: Deployer;

  constructor(store: Store, deployments: Deployments, deployer: Deployer) {
    this.#store = store;
    this.#deployments = deployments;
    this.#deployer = deployer;
  }

  async send(record: AuditRecord, signal: AbortSignal): Promise<Sent> {
    if (!MAKES_HEADS.has(record.action)) return "taken";
    const found = await this.#newest(record);
    if (found === null) return "taken";
    try {
      await this.#deploy(record, found.head, found.rules, signal);
      return "taken";
    } catch (error) {
      // What another engine's absence has nothing to do with would fail again.
      if (error instanceof AppError && !isPassing(error)) return { refused: error.message };
      throw error;
    }
  }

  /** The environment, where what the record tells of is still its head. */
  async #newest({ project, environment, revision }: AuditRecord): Promise<{ head: Environment; rules: EffectivePolicy } | null> {
    if (environment === null) return null;
    const documents = documentsOf(this.#store, project);
    const [head] = await documents.getAll<Environment>([keys.environment(environment)]);
    if (!head || head.revision !== revision || head.status !== "active") return null;
    if (head.expires_at !== null && isExpired(head, (await this.#store.now()).toISOString())) return null;
    const { policy } = await policyOf(documents);
    return { head, rules: policyFor(policy, head.env, head.type) };
  }

  async #deploy(
    { project, seq, actor, request_id }: AuditRecord,
    head: Environment,
    { auto_deploy }: EffectivePolicy,
    signal: AbortSignal,
  ): Promise<void> {
    const reported = head.deployment?.revision === head.revision ? head.deployment.status : null;
    // Somebody has said by now what became of it.
    if (!auto_deploy || reported === "deployed" || reported === "failed") return;
    // It began by itself.
    if (reported === "deploying" && head.deployment?.by !== ENGINE.actor) return;
    const about = { project, env: head.env, version: head.version, revision: head.revision };
    if (reported === null) await this.#deployments.report(ENGINE, { ...about, status: "deploying" });
    const order = { id: `${project}:${seq}`, project, env: head.env, version: head.version, deployer: actor };
    const outcome = await this.#outcome(order, request_id, signal);
    // Where no answer came, the planner reports it when it knows.
    if (outcome === null) return;
    if (!outcome.ok) await this.#deployments.report(ENGINE, { ...about, status: "failed", reason: reasonOf(outcome) });
    else {
      const { url, versionId: version_id } = outcome;
      await this.#deployments.report(ENGINE, { ...about, status: "deployed", url, version_id });
    }
  }

  /** `null` where the planner has the order and nothing can be said of it yet. */
  async #outcome(order: Parameters<Deployer["deploy"]>[0], requestId: string, signal: AbortSignal): Promise<DeployOutcome | null> {
    try {
      return await this.#deployer.deploy(order, requestId, signal);
    } catch (error) {
      // A planner that took the order and did not say what became of it may be deploying: nothing is taken back for that.
      if (error instanceof AppError && UNKNOWN.has(String(error.details?.["failure"]))) return null;
      throw error;
    }
  }
}

function reasonOf({ reason, stage, fix }: Extract<DeployOutcome, { ok: false }>): string {
  return `${stage === null ? "" : `${stage}: `}${fix === null ? reason : `${sentence(reason)} ${fix}`}`;
}
