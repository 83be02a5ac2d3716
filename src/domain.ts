import { Audit } from "./audit.ts";
import { Comparisons } from "./comparison.ts";
import { ConfigStore } from "./config-store.ts";
import { Deployments } from "./deployments.ts";
import { Environments } from "./environments.ts";
import { Ledger } from "./ledger.ts";
import { Policies } from "./policy.ts";
import type { Store, Vault } from "./ports.ts";
import { Promotion } from "./promotion.ts";
import { Secrets } from "./secrets.ts";
import { Snapshots } from "./snapshots.ts";
import { State } from "./state.ts";
import { Sweeper } from "./sweeper.ts";
import { Versions } from "./versions.ts";

/** What HTTP routes, workers and commands call: the same functions, with the same checks, for all of them. */
export interface Domain {
  readonly environments: Environments;
  readonly state: State;
  readonly config: ConfigStore;
  readonly promotions: Promotion;
  readonly versions: Versions;
  readonly comparison: Comparisons;
  readonly deployments: Deployments;
  readonly policies: Policies;
  readonly audit: Audit;
  readonly sweeper: Sweeper;
}

export interface DomainParts {
  readonly store: Store;
  readonly vault: Vault;
  readonly previewUrlTemplate: string;
  /** Told of a failure in work that no caller waits for. */
  readonly failed: (error: unknown) => void;
}

export function createDomain({ store, vault, previewUrlTemplate, failed }: DomainParts): Domain {
  const ledger = new Ledger(store);
  const snapshots = new Snapshots(store);
  const secrets = new Secrets(ledger, vault);
  return {
    environments: new Environments(store, ledger, snapshots, secrets, previewUrlTemplate),
    state: new State(store, ledger, snapshots),
    config: new ConfigStore(store, ledger, snapshots, secrets),
    promotions: new Promotion(store, ledger, snapshots, secrets),
    versions: new Versions(store, ledger, snapshots, secrets),
    comparison: new Comparisons(store, snapshots),
    deployments: new Deployments(store, ledger),
    policies: new Policies(store, ledger),
    audit: new Audit(store),
    sweeper: new Sweeper(store, secrets, failed),
  };
}
