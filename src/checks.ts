import { canAgree, people, personOf } from "./actors.ts";
import { durationMs, durationText } from "./durations.ts";
import type { Freeze } from "./freeze.ts";
import type { ComponentConflict } from "./merge.ts";
import type { CheckName, CheckResult, Environment, Revision, RevisionRef } from "./model.ts";
import { quoted } from "./names.ts";
import { approvalsOf, type EffectivePolicy, type Policy } from "./policy.ts";
import type { Json } from "./ports.ts";
import { boundAt, type Requirement } from "./requirements.ts";
import type { FlowFault, Unasked, ValidationFacts } from "./validation.ts";

/** How the platforms of source and target descend from one another. */
export type Relation = "identical" | "source_ahead" | "target_ahead" | "diverged";

/** All that the checks of a promotion look at. Frozen: a check asks nobody and changes nothing. */
export interface Facts {
  readonly project: string;
  readonly source: Revision;
  readonly target: Environment;
  readonly policy: Policy;
  readonly targetPolicy: EffectivePolicy;
  /** Nobody asked for it by hand. */
  readonly automatic: boolean;
  /** The target has all of it already, under that label. */
  readonly changesNothing: boolean;
  readonly relation: Relation;
  /** The newest common ancestor, where there is one. */
  readonly base: RevisionRef | null;
  /** Components that the target changed since the newest common ancestor and that the promotion would undo. */
  readonly lost: readonly string[];
  readonly strategy: "replace" | "merge" | null;
  readonly conflicts: readonly ComponentConflict[];
  readonly requirements: readonly Requirement[];
  readonly unbound: readonly Requirement[];
  /** Names of secrets whose value is still a copy of another environment's. */
  readonly copiedSecrets: readonly string[];
  readonly freeze: Freeze;
  /** Milliseconds of the longest stay of the promoted platform in its source. */
  readonly soakedMs: number;
  readonly validation: ValidationFacts | Unasked;
  /** Who has agreed so far. */
  readonly approvedBy: readonly string[];
  /** Who asks for it, and so cannot agree. */
  readonly requestedBy: string;
}

export type Answer = Omit<CheckResult, "name">;

const passed = (reason: string): Answer => ({ status: "passed", reason });
const skipped = (reason: string): Answer => ({ status: "skipped", reason });

/** Every check of a promotion, in the order in which a plan shows them. */
const CHECKS: Readonly<Record<CheckName, (facts: Facts) => Answer>> = {
  pipeline_order: pipelineOrder,
  environment_protected: environmentProtected,
  freeze_window: freezeWindow,
  hold,
  soak_time: soakTime,
  diverged,
  config_complete: configComplete,
  secrets_isolated: secretsIsolated,
  validation,
  approvals,
};

export function runChecks(facts: Facts): CheckResult[] {
  return Object.entries(CHECKS).map(([name, check]) => ({ name: name as CheckName, ...check(facts) }));
}

function pipelineOrder({ policy, targetPolicy, source, target }: Facts): Answer {
  const from = targetPolicy.require_from;
  if (from !== undefined) return orderAnswer(source.env, target.env, typeof from === "string" ? [from] : from, "the policy");
  const order = policy.pipeline ?? [];
  const position = order.indexOf(target.env);
  if (order.length === 0) return skipped("The policy names no pipeline.");
  if (position < 0) return skipped(`${target.env} is not part of the pipeline.`);
  const before = order[position - 1];
  if (before !== undefined) return orderAnswer(source.env, target.env, [before], "the pipeline");
  return {
    status: "failed",
    reason: `${target.env} is the first of the pipeline: nothing is promoted into it.`,
    fix: "Promote along the pipeline.",
  };
}

function orderAnswer(source: string, target: string, allowed: readonly string[], by: string): Answer {
  const names = allowed.join(" or ");
  if (allowed.includes(source)) return passed(`${target} takes promotions from ${names}.`);
  return {
    status: "failed",
    reason: `By ${by}, ${target} takes promotions from ${names} alone, and this one comes from ${source}.`,
    fix: `Promote to ${names} first, and from there to ${target}.`,
  };
}

function environmentProtected({ target, targetPolicy }: Facts): Answer {
  if (!targetPolicy.protected) return skipped(`${target.env} is not protected.`);
  return passed(`${target.env} is protected: a promotion is the way in which its state changes.`);
}

function freezeWindow({ target, targetPolicy, freeze }: Facts): Answer {
  if (targetPolicy.freeze.length === 0) return skipped(`The policy sets no freeze windows for ${target.env}.`);
  if (!freeze.closed) return passed(freeze.reason);
  const details = freeze.next_open === undefined ? {} : { details: { next_open: freeze.next_open } };
  return {
    status: "failed",
    reason: `${target.env} is frozen: ${freeze.reason}`,
    fix: freeze.next_open === undefined ? "Change the freeze windows in the policy." : `Promote after ${freeze.next_open}.`,
    ...details,
  };
}

function hold({ target, automatic, changesNothing }: Facts): Answer {
  if (target.hold === null) return passed(`${target.env} is not held.`);
  const { at, by, reason } = target.hold;
  if (automatic) {
    return {
      status: "failed",
      reason: `${target.env} is held since ${at} by ${by}: ${reason}.`,
      fix: "POST /env/resume, or promote by hand, which lifts the hold.",
    };
  }
  if (changesNothing) {
    return {
      status: "warning",
      reason: `${target.env} is held since ${at} by ${by}: ${reason}. This promotion changes nothing, and leaves the hold in place.`,
      fix: "POST /env/resume lifts it.",
    };
  }
  return {
    status: "warning",
    reason: `${target.env} is held since ${at} by ${by}: ${reason}. This promotion lifts the hold.`,
    fix: "Make sure that the reason for the hold is gone.",
  };
}

function soakTime({ source, target, targetPolicy, soakedMs }: Facts): Answer {
  const needed = durationMs(targetPolicy.soak ?? "");
  if (needed === null) return skipped(`The policy asks for no soak time before ${target.env}.`);
  if (soakedMs >= needed)
    return passed(`${source.version} has stayed in ${source.env} for ${durationText(soakedMs)}, of ${targetPolicy.soak} needed.`);
  return {
    status: "failed",
    reason: `${source.version} has stayed in ${source.env} for ${durationText(soakedMs)}, and ${targetPolicy.soak} is needed.`,
    fix: `Leave it in ${source.env} for another ${durationText(needed - soakedMs, Math.ceil)}.`,
    details: { soaked_ms: soakedMs, needed_ms: needed },
  };
}

function diverged({ relation, base, lost, source, target, strategy, conflicts }: Facts): Answer {
  if (relation === "identical") return passed(`${source.env} and ${target.env} have the same platform.`);
  if (conflicts.length > 0) {
    return {
      status: "failed",
      reason: `${source.env} and ${target.env} both changed ${listed(conflicts.map(({ component }) => component))}.`,
      fix: 'Settle each: "resolve":{"<component>":"ours"} keeps the target\'s, "theirs" takes the source\'s, and a body takes the place of both.',
      details: { components: conflicts.slice(0, 200).map(({ component }) => component), count: conflicts.length },
    };
  }
  if (strategy === "merge") return passed(`The changes of ${source.env} and ${target.env} go together.`);
  if (relation === "source_ahead" || lost.length === 0) return passed(`The promotion undoes no change of ${target.env}.`);
  const since =
    base === null
      ? `They have no common ancestor, and ${target.env} has components of its own`
      : `Since ${base.env}@${base.revision}, ${target.env} changed on its own`;
  const details = { relation, lost: lost.slice(0, 200), lost_count: lost.length };
  if (strategy === "replace")
    return { status: "warning", reason: `${since}: ${listed(lost)}. The promotion replaces that, as asked.`, details };
  return {
    status: "failed",
    reason: `${since}: ${listed(lost)}. Promoting would undo that.`,
    fix:
      base === null
        ? 'Ask for "strategy":"replace" to give up the target\'s; there is nothing to merge against.'
        : 'Ask for "strategy":"merge" to keep both sides\' changes, or for "strategy":"replace" to give up the target\'s.',
    details,
  };
}

export function configComplete({
  project,
  target,
  targetPolicy,
  requirements,
  unbound,
}: Pick<Facts, "project" | "target" | "targetPolicy" | "requirements" | "unbound">): Answer {
  if (targetPolicy.config_complete === "off") return skipped("The policy does not ask for complete config.");
  if (unbound.length === 0)
    return passed(requirements.length === 0 ? "The platform requires no keys." : `All ${requirements.length} required keys are bound.`);
  const example = Object.fromEntries(
    (["var", "secret", "flag"] as const).flatMap((kind) => {
      const of = unbound.filter((requirement) => requirement.kind === kind).slice(0, 3);
      return of.length === 0 ? [] : [[`${kind}s`, Object.fromEntries(of.map(({ name }) => [name, kind === "flag" ? false : "…"]))]];
    }),
  );
  return {
    status: targetPolicy.config_complete === "warn" ? "warning" : "failed",
    reason: `${target.env} does not bind ${listed(unbound.map(({ name, kind }) => `${name} (${kind})`))}, which the platform requires.`,
    fix: `Bind it: PATCH /env/${project}/${target.env}/config ${JSON.stringify(example)}${orSend(unbound)}.`,
    details: { unbound: unbound.slice(0, 200).map(boundAt) },
  };
}

/** Flags are no variables: who sent one as such would bind a var. */
function orSend(unbound: readonly Requirement[]): string {
  const flags = unbound.filter(({ kind }) => kind === "flag").length;
  if (flags === unbound.length) return "";
  return `, or send ${flags === 0 ? "it" : "vars and secrets"} as env_variables of the promotion`;
}

function secretsIsolated({ target, targetPolicy, copiedSecrets }: Facts): Answer {
  if (targetPolicy.secrets_isolated === "off") return skipped("The policy does not ask for isolated secrets.");
  if (copiedSecrets.length === 0) return passed(`No secret of ${target.env} is a copy of another environment's.`);
  return {
    status: targetPolicy.secrets_isolated === "fail" ? "failed" : "warning",
    reason: `${target.env} still uses values copied from another environment: ${listed(copiedSecrets)}.`,
    fix: `Give ${target.env} secrets of its own with PATCH …/config {"secrets":{…}}.`,
    details: { secrets: copiedSecrets.slice(0, 200) },
  };
}

export function validation({ targetPolicy, validation: facts }: Pick<Facts, "targetPolicy" | "validation">): Answer {
  if (targetPolicy.validation === "off") return skipped("The policy does not ask for validation.");
  if (facts === "no_engine") return skipped("No Validation engine is configured.");
  const status = targetPolicy.validation === "required" ? "failed" : "warning";
  if (facts === "not_now") {
    return {
      status,
      reason: "The Validation engine is asked when nothing else has to be settled first.",
      fix: "Settle what other checks ask for.",
    };
  }
  const { flows, errors, warnings, unavailable } = facts;
  if (errors.length > 0) {
    return {
      status,
      reason: `The Validation engine refuses ${listed([...new Set(errors.map(({ component }) => component))])}: ${faultText(errors[0])}.`,
      fix: "Mend each fault in details.errors in the source, then promote again.",
      details: { errors: faultList(errors), error_count: errors.length, warnings: faultList(warnings) },
    };
  }
  if (unavailable !== null) {
    return {
      status,
      reason: `What changed could not be validated. ${unavailable}`,
      fix: "Try again when the Validation engine is back.",
      details: { unavailable: true },
    };
  }
  if (warnings.length > 0) {
    return {
      status: "warning",
      reason: `The Validation engine warns of ${listed([...new Set(warnings.map(({ component }) => component))])}: ${faultText(warnings[0])}.`,
      fix: "Look at each in details.warnings.",
      details: { warnings: faultList(warnings) },
    };
  }
  return passed(
    flows === 0
      ? "No flow changed since the last validation."
      : `The Validation engine finds ${flows === 1 ? "one changed flow" : `${flows} changed flows`} valid.`,
  );
}

function faultText(fault: FlowFault | undefined): string {
  if (fault === undefined) return "";
  return `${fault.component}${fault.field === "" ? "" : `, ${fault.field}`}: ${fault.reason}`;
}

function faultList(faults: readonly FlowFault[]): Json[] {
  return faults.slice(0, 200).map(({ component, field, reason }) => ({ component, field, reason }));
}

function approvals({ target, targetPolicy, approvedBy, requestedBy }: Facts): Answer {
  const { count, by } = approvalsOf(targetPolicy);
  if (count === 0) return skipped(`The policy asks for no approvals for ${target.env}.`);
  if (approvedBy.length >= count) return passed(`Approved by ${approvedBy.join(", ")}.`);
  const able = by === null ? null : people(by).filter((actor) => personOf(actor) !== personOf(requestedBy) && canAgree(actor));
  const details = { needed: count, approved_by: [...approvedBy], by: by === null ? null : [...by] };
  if (by !== null && able !== null && able.length < count) {
    return {
      status: "failed",
      reason: `${approvedBy.length} of ${count} approvals are there, and all of them can never be: ${quoted(requestedBy)} asks for it, and of ${by.join(", ")} only ${able.length} can agree.`,
      fix: "Have it asked for by somebody whom the policy does not name, or name one more in the rule's `by`.",
      details: { ...details, possible: able.length },
    };
  }
  const who =
    able === null
      ? "anybody but the requester"
      : able.filter((actor) => !approvedBy.some((other) => personOf(other) === personOf(actor))).join(", ");
  return {
    status: "failed",
    reason: `${approvedBy.length} of ${count} approvals are there.`,
    fix: `${count - approvedBy.length} more must approve it: ${who}. Promoting puts it up for approval.`,
    details,
  };
}

export function listed(names: readonly string[]): string {
  const shown = names.slice(0, 10).join(", ");
  return names.length > 10 ? `${shown} and ${names.length - 10} more` : shown;
}
