import { mayDoAll } from "./callers.ts";
import { AppError, isPassing } from "./errors.ts";
import { documentsOf, isExpired } from "./heads.ts";
import { keys } from "./keys.ts";
import type { Ledger } from "./ledger.ts";
import type { Deployment, Environment } from "./model.ts";
import { policyFor, policyOf } from "./policy.ts";
import type { Store } from "./ports.ts";
import type { Versions } from "./versions.ts";

/** The engine itself, at what the policy tells it to do. */
const ENGINE = mayDoAll("engine", "rollback-on-failure");

interface Failure {
  readonly head: Environment;
  readonly deployment: Deployment;
  readonly deployed: Deployment;
}

/**
 * Takes back what failed to deploy, where the policy says `rollback_on_failure`, whoever reported it. A timer that the report sets
 * comes here; what is to be done is told by the environment itself, so that coming twice, late or in vain does no harm.
 */
export class FailedDeployments {
  readonly #store: Store;
  readonly #ledger: Ledger;
  readonly #versions: Versions;

  constructor(store: Store, ledger: Ledger, versions: Versions) {
    this.#store = store;
    this.#ledger = ledger;
    this.#versions = versions;
  }

  /** @throws what may go well another time; what would fail again is kept with the deployment, and in the audit log */
  async takeBack(project: string, env: string): Promise<void> {
    const failure = await this.#failure(project, env);
    if (failure === null) return;
    const { head, deployment, deployed } = failure;
    const message = `Deploying ${head.version} failed: ${deployment.reason ?? "no reason was given"}`;
    try {
      await this.#versions.rollback(ENGINE, { project, env, to: deployed.revision, from: head.revision, message, confirm: env });
    } catch (error) {
      if (!(error instanceof AppError) || isPassing(error)) throw error;
      await this.#keep(project, failure, error.message);
    }
  }

  /** `null` where there is nothing to take back, or nothing to go back to. */
  async #failure(project: string, env: string): Promise<Failure | null> {
    const documents = documentsOf(this.#store, project);
    const [head] = await documents.getAll<Environment>([keys.environment(env)]);
    if (!head || head.status !== "active" || isExpired(head, (await this.#store.now()).toISOString())) return null;
    const { deployment, deployed } = head;
    if (deployment?.status !== "failed" || deployment.revision !== head.revision || deployment.rollback_error !== undefined) return null;
    // Going back to what is there already would help nobody.
    if (deployed === null || deployed.revision === head.revision || deployed.snapshot === deployment.snapshot) return null;
    const { policy } = await policyOf(documents);
    return policyFor(policy, head.env, head.type).rollback_on_failure ? { head, deployment, deployed } : null;
  }

  async #keep(project: string, { head, deployment, deployed }: Failure, reason: string): Promise<void> {
    await this.#ledger.write(project, ENGINE, async (tx) => {
      const found = await tx.get<Environment>(keys.environment(head.env));
      // Somebody did something meanwhile, or another engine was here.
      if (found?.revision !== head.revision || found.deployment?.at !== deployment.at || found.deployment.rollback_error !== undefined)
        return;
      tx.put(keys.environment(head.env), { ...found, deployment: { ...found.deployment, rollback_error: reason } } satisfies Environment);
      await tx.audit({
        action: "rollback_failed",
        environment: head.env,
        version: head.version,
        revision: head.revision,
        details: { to: deployed.revision, reason },
      });
    });
  }
}
