import type { DomainParts } from "./domain.ts";
import { PlatformBuilder } from "./engines/builder.ts";
import { DeploymentPlanner } from "./engines/deployment.ts";
import { FeedbackEngine } from "./engines/feedback.ts";
import { Monitoring } from "./engines/monitoring.ts";
import { AllowList } from "./engines/request.ts";
import { type Counts, Sibling, type SiblingStatus } from "./engines/sibling.ts";
import { ValidationEngine } from "./engines/validation.ts";
import { HttpWebhooks } from "./engines/webhooks.ts";
import type { Sample } from "./http/metrics.ts";
import type { Settings, SiblingName } from "./settings.ts";

/** The other half of the composition root: the sibling engines that are set, and what the domain asks of each. */

const NAMES: Readonly<Record<SiblingName, string>> = {
  validation: "Validation",
  monitoring: "Monitoring",
  deployment: "Deployment Planner",
  builder: "Platform Builder",
  feedback: "Feedback Loop",
};

const STATES = ["ok", "degraded", "down"] as const;

export class Family {
  readonly #siblings: Readonly<Partial<Record<SiblingName, Sibling>>>;
  readonly #webhooks: HttpWebhooks;

  /** @throws AppError where a URL is no base of an engine, or something allowed is no host and no network */
  constructor({ siblings, webhookAllow }: Pick<Settings, "siblings" | "webhookAllow">) {
    const set = Object.entries(siblings).filter((entry): entry is [SiblingName, string] => entry[1] !== null);
    this.#siblings = Object.fromEntries(set.map(([name, url]) => [name, new Sibling(NAMES[name], url)]));
    this.#webhooks = new HttpWebhooks({ allow: new AllowList(webhookAllow) });
  }

  /** What the domain asks of them; an engine that is not set is not asked. */
  ports(): Pick<Required<DomainParts>, "validator" | "builder" | "deployer" | "feedback" | "sinks" | "deliverer"> {
    const { validation, monitoring, deployment, builder, feedback } = this.#siblings;
    return {
      validator: validation === undefined ? null : new ValidationEngine(validation),
      builder: builder === undefined ? null : new PlatformBuilder(builder),
      deployer: deployment === undefined ? null : new DeploymentPlanner(deployment),
      feedback: feedback === undefined ? null : new FeedbackEngine(feedback),
      sinks: monitoring === undefined ? [] : [new Monitoring(monitoring)],
      deliverer: this.#webhooks,
    };
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
