import type { CheckName, CheckResult, Environment, Revision, RevisionRef } from "./model.ts";
import type { EffectivePolicy, Policy } from "./policy.ts";
import { boundAt, type Requirement } from "./requirements.ts";

/** How the platforms of source and target descend from one another. */
export type Relation = "identical" | "source_ahead" | "target_ahead" | "diverged";

/** All that the checks of a promotion look at. Frozen: a check asks nobody and changes nothing. */
export interface Facts {
  readonly project: string;
  readonly source: Revision;
  readonly target: Environment;
  readonly policy: Policy;
  readonly targetPolicy: EffectivePolicy;
  readonly relation: Relation;
  /** The newest common ancestor, where there is one. */
  readonly base: RevisionRef | null;
  /** Components that the target changed since the newest common ancestor and that the promotion would undo. */
  readonly lost: readonly string[];
  readonly strategy: "replace" | null;
  readonly requirements: readonly Requirement[];
  readonly unbound: readonly Requirement[];
  /** Names of secrets whose value is still a copy of another environment's. */
  readonly copiedSecrets: readonly string[];
}

type Answer = Omit<CheckResult, "name">;

const passed = (reason: string): Answer => ({ status: "passed", reason });
const skipped = (reason: string): Answer => ({ status: "skipped", reason });

/** Every check of a promotion, in the order in which a plan shows them. */
const CHECKS: Readonly<Partial<Record<CheckName, (facts: Facts) => Answer>>> = {
  pipeline_order: pipelineOrder,
  environment_protected: environmentProtected,
  hold,
  diverged,
  config_complete: configComplete,
  secrets_isolated: secretsIsolated,
};

export function runChecks(facts: Facts): CheckResult[] {
  return Object.entries(CHECKS).map(([name, check]) => ({ name: name as CheckName, ...check(facts) }));
}

function pipelineOrder({ policy, source, target }: Facts): Answer {
  const order = policy.pipeline ?? [];
  const to = order.indexOf(target.env);
  if (order.length === 0) return skipped("The policy names no pipeline.");
  if (to < 0) return skipped(`${target.env} is not part of the pipeline.`);
  const before = order[to - 1];
  if (before === source.env) return passed(`${source.env} comes right before ${target.env} in the pipeline.`);
  return {
    status: "failed",
    reason:
      before === undefined
        ? `${target.env} is the first of the pipeline: nothing is promoted into it.`
        : `${target.env} takes promotions from ${before} alone, and this one comes from ${source.env}.`,
    fix: before === undefined ? "Promote along the pipeline." : `Promote to ${before} first, and from there to ${target.env}.`,
  };
}

function environmentProtected({ target, targetPolicy }: Facts): Answer {
  if (!targetPolicy.protected) return skipped(`${target.env} is not protected.`);
  return passed(`${target.env} is protected: a promotion is the way in which its state changes.`);
}

function hold({ target }: Facts): Answer {
  if (target.hold === null) return passed(`${target.env} is not held.`);
  return {
    status: "warning",
    reason: `${target.env} is held since ${target.hold.at} by ${target.hold.by}: ${target.hold.reason}. This promotion lifts the hold.`,
    fix: "Make sure that the reason for the hold is gone.",
  };
}

function diverged({ relation, base, lost, source, target, strategy }: Facts): Answer {
  if (relation === "identical") return passed(`${source.env} and ${target.env} have the same platform.`);
  if (relation === "source_ahead") return passed(`${target.env} has no change that ${source.env} lacks.`);
  const since =
    base === null
      ? `They have no common ancestor, and ${target.env} has components of its own`
      : `Since ${base.env}@${base.revision}, ${target.env} changed on its own`;
  const what = lost.length === 0 ? "" : `: ${lost.slice(0, 10).join(", ")}${lost.length > 10 ? ` and ${lost.length - 10} more` : ""}`;
  const details = { relation, lost: lost.slice(0, 200), lost_count: lost.length };
  if (strategy === "replace") return { status: "warning", reason: `${since}${what}. The promotion replaces that, as asked.`, details };
  return {
    status: "failed",
    reason: `${since}${what}. Promoting would undo that.`,
    fix: `Bring the changes of ${target.env} into ${source.env} first, or ask for "strategy":"replace" to give them up.`,
    details,
  };
}

function configComplete({ project, target, targetPolicy, requirements, unbound }: Facts): Answer {
  if (targetPolicy.config_complete === "off") return skipped("The policy does not ask for complete config.");
  if (unbound.length === 0)
    return passed(requirements.length === 0 ? "The platform requires no keys." : `All ${requirements.length} required keys are bound.`);
  const named = unbound.slice(0, 10).map((requirement) => `${requirement.name} (${requirement.kind})`);
  const more = unbound.length > named.length ? ` and ${unbound.length - named.length} more` : "";
  const example = Object.fromEntries(
    (["var", "secret", "flag"] as const).flatMap((kind) => {
      const of = unbound.filter((requirement) => requirement.kind === kind).slice(0, 3);
      return of.length === 0 ? [] : [[`${kind}s`, Object.fromEntries(of.map(({ name }) => [name, kind === "flag" ? false : "…"]))]];
    }),
  );
  return {
    status: targetPolicy.config_complete === "warn" ? "warning" : "failed",
    reason: `${target.env} does not bind ${named.join(", ")}${more}, which the platform requires.`,
    fix: `Bind it: PATCH /env/${project}/${target.env}/config ${JSON.stringify(example)}, or send it as env_variables of the promotion.`,
    details: { unbound: unbound.slice(0, 200).map(boundAt) },
  };
}

function secretsIsolated({ target, targetPolicy, copiedSecrets }: Facts): Answer {
  if (targetPolicy.secrets_isolated === "off") return skipped("The policy does not ask for isolated secrets.");
  if (copiedSecrets.length === 0) return passed(`No secret of ${target.env} is a copy of another environment's.`);
  return {
    status: targetPolicy.secrets_isolated === "fail" ? "failed" : "warning",
    reason: `${target.env} still uses values copied from another environment: ${copiedSecrets.slice(0, 10).join(", ")}${copiedSecrets.length > 10 ? ", …" : ""}.`,
    fix: `Give ${target.env} secrets of its own with PATCH …/config {"secrets":{…}}.`,
    details: { secrets: copiedSecrets.slice(0, 200) },
  };
}
