import type { DomainParts } from "./domain.ts";
import type { Counts, Sibling, SiblingStatus } from "./engines/sibling.ts";
import type { Sample } from "./http/metrics.ts";
import type { Repositories, WebhookConnection, WebhookDeliverer } from "./ports.ts";
import type { Settings, SiblingName } from "./settings.ts";

/**
 * The other half of the composition root: the sibling engines that are set, and what the domain asks of each. What goes out is
 * loaded where something is set, or with the first webhook: a start alone does not wait for it.
 */

type Asked = Pick<Required<DomainParts>, "validator" | "builder" | "deployer" | "feedback" | "sinks">;
type Siblings = Readonly<Partial<Record<SiblingName, Sibling>>>;

const NAMES: Readonly<Record<SiblingName, string>> = {
  validation: "Validation",
  monitoring: "Monitoring",
  deployment: "Deployment Planner",
  builder: "Platform Builder",
  feedback: "Feedback Loop",
};

const STATES = ["ok", "degraded", "down"] as const;

/** @throws AppError where a URL is no base of an engine, or something allowed is no host and no network */
export async function openFamily(settings: Pick<Settings, "siblings" | "webhookAllow" | "gitAllow">): Promise<Family> {
  const siblings = await openSiblings(settings.siblings);
  const load = () => openWebhooks(settings.webhookAllow);
  // What is allowed is checked now, and not when somebody makes a webhook.
  if (settings.webhookAllow.length > 0) await load();
  const loadRepositories = () => openRepositories(settings.gitAllow);
  if (settings.gitAllow.length > 0) await loadRepositories();
  return new Family(siblings, await asked(siblings), lazily(load), repositoriesFrom(loadRepositories));
}

async function openSiblings(urls: Settings["siblings"]): Promise<Siblings> {
  const set = Object.entries(urls).filter((entry): entry is [SiblingName, string] => entry[1] !== null);
  if (set.length === 0) return {};
  const { Sibling } = await import("./engines/sibling.ts");
  return Object.fromEntries(set.map(([name, url]) => [name, new Sibling(NAMES[name], url)]));
}

async function asked({ validation, monitoring, deployment, builder, feedback }: Siblings): Promise<Asked> {
  return {
    validator: validation === undefined ? null : new (await import("./engines/validation.ts")).ValidationEngine(validation),
    builder: builder === undefined ? null : new (await import("./engines/builder.ts")).PlatformBuilder(builder),
    deployer: deployment === undefined ? null : new (await import("./engines/deployment.ts")).DeploymentPlanner(deployment),
    feedback: feedback === undefined ? null : new (await import("./engines/feedback.ts")).FeedbackEngine(feedback),
    sinks: monitoring === undefined ? [] : [new (await import("./engines/monitoring.ts")).Monitoring(monitoring)],
  };
}

async function openWebhooks(allow: readonly string[]): Promise<WebhookDeliverer> {
  const [{ AllowList }, { HttpWebhooks }] = await Promise.all([import("./engines/address.ts"), import("./engines/webhooks.ts")]);
  return new HttpWebhooks({ allow: new AllowList(allow, "WEBHOOK_ALLOW") });
}

async function openRepositories(allow: readonly string[]): Promise<Repositories> {
  const [{ AllowList }, { checkRepository }, { RemoteRepositories }] = await Promise.all([
    import("./engines/address.ts"),
    import("./engines/repository-address.ts"),
    import("./git/remote.ts"),
  ]);
  const allowed = new AllowList(allow, "GIT_ALLOW");
  return new RemoteRepositories((url) => checkRepository(url, { allow: allowed }));
}

function lazily(load: () => Promise<WebhookDeliverer>): WebhookDeliverer {
  let loaded: Promise<WebhookDeliverer> | undefined;
  const deliverer = () => (loaded ??= load());
  return {
    check: async (url) => (await deliverer()).check(url),
    open: (url) => {
      let opened: Promise<WebhookConnection> | undefined;
      const connection = () => (opened ??= deliverer().then((real) => real.open(url)));
      return {
        send: async (event, secrets, at, signal) => (await connection()).send(event, secrets, at, signal),
        close: async () => void (await opened?.then((real) => real.close()).catch(() => {})),
      };
    },
  };
}

/** Loaded with the first repository that somebody names. */
function repositoriesFrom(load: () => Promise<Repositories>): Repositories {
  let loaded: Promise<Repositories> | undefined;
  const repositories = () => (loaded ??= load());
  return {
    check: async (url) => (await repositories()).check(url),
    changeSince: async (branch, before, signal) => (await repositories()).changeSince(branch, before, signal),
  };
}

export class Family {
  readonly #siblings: Siblings;
  readonly #asked: Asked;
  readonly #deliverer: WebhookDeliverer;
  readonly #repositories: Repositories;

  constructor(siblings: Siblings, asked: Asked, deliverer: WebhookDeliverer, repositories: Repositories) {
    this.#siblings = siblings;
    this.#asked = asked;
    this.#deliverer = deliverer;
    this.#repositories = repositories;
  }

  /** What the domain asks of them; an engine that is not set is not asked. */
  ports(): Asked & { readonly deliverer: WebhookDeliverer; readonly repositories: Repositories } {
    return { ...this.#asked, deliverer: this.#deliverer, repositories: this.#repositories };
  }

  /** By the names that `/readyz` and `/metrics` use. */
  statuses(): Readonly<Record<string, SiblingStatus>> {
    return Object.fromEntries(Object.entries(this.#siblings).map(([name, sibling]) => [name, sibling.status()]));
  }

  samples(): readonly Sample[] {
    return Object.entries(this.#siblings).flatMap(([name, sibling]) => [
      ...stateSamples(name, sibling.status()),
      ...countSamples(name, sibling.counts()),
    ]);
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#siblings).map((sibling) => sibling.close()));
  }
}

function stateSamples(sibling: string, { status }: SiblingStatus): Sample[] {
  return STATES.map((state) => ({
    name: "environment_manager_sibling_state",
    help: "1 for the state that a sibling engine is in.",
    type: "gauge",
    labels: { sibling, state },
    value: Number(status === state),
  }));
}

function countSamples(sibling: string, { requests, failures, retries, notSent }: Counts): Sample[] {
  const counter = (what: string, help: string, value: number): Sample => ({
    name: `environment_manager_sibling_${what}_total`,
    help,
    type: "counter",
    labels: { sibling },
    value,
  });
  return [
    counter("requests", "Requests sent to a sibling engine.", requests),
    counter("failures", "Requests to a sibling engine that failed.", failures),
    counter("retries", "Requests to a sibling engine that were sent again.", retries),
    counter("not_sent", "Requests that were not sent, since those before them failed.", notSent),
  ];
}
