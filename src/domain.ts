import { Alerts } from "./alerts.ts";
import { ApprovalRequests } from "./approval-requests.ts";
import { Audit } from "./audit.ts";
import { AuditSigning } from "./audit-signing.ts";
import { AutoDeploy } from "./auto-deploy.ts";
import { Comparisons } from "./comparison.ts";
import { ConfigStore } from "./config-store.ts";
import { Creation } from "./creation.ts";
import { Deployments } from "./deployments.ts";
import { Environments } from "./environments.ts";
import { Evaluations } from "./evaluation.ts";
import { FailedDeployments } from "./failed-deployments.ts";
import { FlagFiles } from "./flag-files.ts";
import { Garbage } from "./garbage.ts";
import { GitSources } from "./git-sources.ts";
import { HeadCache } from "./head-cache.ts";
import { instanceName, Leases } from "./leases.ts";
import { Ledger, type LedgerCounts } from "./ledger.ts";
import { Mirrors } from "./mirrors.ts";
import { News } from "./news.ts";
import { PendingPromotions } from "./pending.ts";
import { Policies } from "./policy.ts";
import type {
  Clock,
  Deployer,
  FeedbackLoop,
  MirrorPusher,
  PreviewBuilder,
  Repositories,
  Sink,
  Store,
  Validator,
  Vault,
  WebhookDeliverer,
} from "./ports.ts";
import { PreviewUrls } from "./preview-urls.ts";
import { Previews } from "./previews.ts";
import { ProjectWatches } from "./project-watches.ts";
import { Promotion } from "./promotion.ts";
import { Pulls } from "./pulls.ts";
import { ReadIndex } from "./read-index.ts";
import { Refusals } from "./refusals.ts";
import { Secrets } from "./secrets.ts";
import { Sessions } from "./sessions.ts";
import { Sinks } from "./sinks.ts";
import { Snapshots } from "./snapshots.ts";
import { State } from "./state.ts";
import { Sweeper } from "./sweeper.ts";
import { Timers } from "./timers.ts";
import { Tokens } from "./tokens.ts";
import { Validation } from "./validation.ts";
import { Versions } from "./versions.ts";
import { Watches } from "./watches.ts";
import { WebhookOutlets } from "./webhook-outlets.ts";
import { WebhookSecrets } from "./webhook-secrets.ts";
import { Webhooks } from "./webhooks.ts";

/** What HTTP routes, workers and commands call: the same functions, with the same checks, for all of them. */
export interface Domain {
  readonly creation: Creation;
  readonly environments: Environments;
  readonly previews: Previews;
  readonly state: State;
  readonly config: ConfigStore;
  readonly evaluations: Evaluations;
  readonly flagFiles: FlagFiles;
  readonly promotions: Promotion;
  readonly pending: PendingPromotions;
  readonly pulls: Pulls;
  readonly gitSources: GitSources;
  readonly versions: Versions;
  readonly comparison: Comparisons;
  readonly deployments: Deployments;
  readonly policies: Policies;
  readonly audit: Audit;
  readonly auditSigning: AuditSigning;
  readonly sinks: Sinks;
  readonly webhooks: Webhooks;
  readonly mirrors: Mirrors;
  readonly tokens: Tokens;
  readonly sessions: Sessions;
  readonly refusals: Refusals;
  readonly news: News;
  readonly watches: Watches;
  readonly projectWatches: ProjectWatches;
  readonly timers: Timers;
  readonly counts: LedgerCounts;
  readonly readIndex: ReadIndex;
  readonly heads: HeadCache;
  readonly garbage: Garbage;
  readonly sweeper: Sweeper;
}

export interface DomainParts {
  readonly store: Store;
  readonly vault: Vault;
  readonly previewUrlTemplate: string;
  /** `null` where there is no Validation engine. */
  readonly validator: Validator | null;
  /** `null` where there is no Platform Builder. */
  readonly builder: PreviewBuilder | null;
  /** `null` where there is no Deployment Planner that takes orders. */
  readonly deployer?: Deployer | null;
  /** `null` where there is no Feedback Loop. */
  readonly feedback?: FeedbackLoop | null;
  /** `null` where there is no way to repositories elsewhere. */
  readonly repositories?: Repositories | null;
  /** Where the audit log of every project is sent. */
  readonly sinks?: readonly Sink[];
  /** How mirrors are pushed to; without it there are none. */
  readonly pusher?: MirrorPusher | null;
  /** How webhooks are delivered; without it there are none. */
  readonly deliverer?: WebhookDeliverer | null;
  /** Whether this engine has its store to itself, as `ReadIndexOptions` says. Left out, other engines may write it too. */
  readonly exclusive?: boolean;
  /** How old config and flags may be, in milliseconds, while the store cannot be reached. Left out, they are not shown then. */
  readonly staleMs?: number;
  /** Where somebody else reads the Merkle maps too, so that both share one cache. */
  readonly snapshots?: Snapshots;
  /** Judges when tokens and sessions end. */
  readonly clock: Clock;
  /** Told of a failure in work that no caller waits for. */
  readonly failed: (error: unknown) => void;
}

export function createDomain(parts: DomainParts): Domain {
  const {
    store,
    vault,
    previewUrlTemplate,
    validator,
    builder,
    clock,
    failed,
    sinks: given = [],
    deliverer = null,
    pusher = null,
    exclusive = false,
    staleMs = 0,
    deployer = null,
    feedback = null,
    repositories = null,
  } = parts;
  const readIndex = new ReadIndex(store, { exclusive, failed });
  const ledger = new Ledger(store, readIndex);
  const { snapshots = new Snapshots(store) } = parts;
  const secrets = new Secrets(ledger, vault);
  const timers = new Timers(store);
  const news = new News(store);
  const heads = new HeadCache(store, readIndex, clock, staleMs);
  const evaluations = new Evaluations(snapshots, heads);
  const validation = new Validation(validator);
  const promotions = new Promotion(store, ledger, snapshots, secrets, timers, validation);
  const pending = new PendingPromotions(store, ledger, snapshots, secrets, timers, validation);
  const pulls = new Pulls(store, ledger, snapshots, secrets, validation);
  const gitSources = new GitSources({ store, ledger, secrets, timers, pulls, repositories, failed });
  const garbage = new Garbage(store, ledger, secrets);
  const previews = new Previews(ledger, snapshots, secrets, timers);
  const refusals = new Refusals(ledger, clock, failed);
  const tokens = new Tokens({ store, ledger, readIndex, refusals, clock, staleMs });
  const sessions = new Sessions(store, readIndex, clock);
  const alerts = new Alerts(store, given, clock, failed);
  const webhookSecrets = new WebhookSecrets(store, ledger, secrets, timers);
  const outlets = new WebhookOutlets(store, ledger, webhookSecrets, deliverer);
  const mirrors = new Mirrors(store, ledger, secrets, pusher);
  const versions = new Versions(store, ledger, snapshots, secrets);
  const deployments = new Deployments(store, ledger, timers, news, heads);
  const followers: readonly Sink[] = [
    ...given,
    ...(deployer === null ? [] : [new AutoDeploy(store, deployments, deployer)]),
    ...(feedback === null ? [] : [new ApprovalRequests(store, feedback)]),
  ];
  // One engine to a store: the leases of one that crashed are nobody's. Of several, each has a name of its own.
  const instance = exclusive ? "single" : instanceName();
  const sinks = new Sinks({ store, timers, sinks: followers, webhooks: outlets, mirrors, alerts, instance, failed });
  return {
    creation: new Creation(store, ledger, snapshots, secrets, timers, new PreviewUrls(store, ledger, builder), previewUrlTemplate),
    environments: new Environments(store, ledger, snapshots),
    previews,
    state: new State(store, ledger, snapshots),
    config: new ConfigStore(store, ledger, snapshots, secrets, heads, evaluations),
    evaluations,
    flagFiles: new FlagFiles(store, ledger, snapshots),
    promotions,
    pending,
    pulls,
    gitSources,
    versions,
    comparison: new Comparisons(store, snapshots),
    deployments,
    news,
    watches: new Watches(store, news),
    projectWatches: new ProjectWatches(store, news),
    timers,
    counts: ledger.counts,
    readIndex,
    heads,
    policies: new Policies(store, ledger),
    audit: new Audit(store, alerts),
    auditSigning: new AuditSigning(store, ledger, vault),
    sinks,
    webhooks: new Webhooks(store, ledger, webhookSecrets, outlets),
    mirrors,
    tokens,
    sessions,
    refusals,
    garbage,
    sweeper: new Sweeper({
      store,
      leases: new Leases(store, exclusive ? null : instance),
      secrets,
      timers,
      previews,
      promotions,
      pending,
      failedDeployments: new FailedDeployments(store, ledger, versions),
      garbage,
      tokens,
      sessions,
      sinks,
      webhookSecrets,
      gitSources,
      failed,
    }),
  };
}
