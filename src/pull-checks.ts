import { type Answer, configComplete, listed, validation } from "./checks.ts";
import type { Freeze } from "./freeze.ts";
import type { ComponentConflict } from "./merge.ts";
import type { CheckName, CheckResult, Environment } from "./model.ts";
import { approvalsOf, type EffectivePolicy } from "./policy.ts";
import type { Requirement } from "./requirements.ts";
import type { Unasked, ValidationFacts } from "./validation.ts";

/** All that the checks of a pull look at. */
interface PullFacts {
  readonly project: string;
  readonly target: Environment;
  readonly targetPolicy: EffectivePolicy;
  /** A push brought it about, and nobody asked for it by hand. */
  readonly automatic: boolean;
  /** Components that change. */
  readonly components: number;
  readonly conflicts: readonly ComponentConflict[];
  readonly requirements: readonly Requirement[];
  readonly unbound: readonly Requirement[];
  readonly freeze: Freeze;
  readonly validation: ValidationFacts | Unasked;
}

/**
 * What is asked of a change that comes out of a repository. It is a direct edit, and held to what direct edits are held to; and to what the
 * policy demands of promotions, so that a branch that many may push to is no way around it.
 */
const CHECKS = {
  environment_protected: environmentProtected,
  freeze_window: freezeWindow,
  hold,
  diverged,
  config_complete: complete,
  validation: validated,
  approvals,
} as const satisfies Partial<Record<CheckName, (facts: PullFacts) => Answer>>;

export function runPullChecks(facts: PullFacts): CheckResult[] {
  return Object.entries(CHECKS).map(([name, check]) => ({ name: name as CheckName, ...check(facts) }));
}

function environmentProtected({ target, targetPolicy, components }: PullFacts): Answer {
  if (!targetPolicy.protected) return { status: "skipped", reason: `${target.env} is not protected.` };
  if (components === 0) return { status: "passed", reason: `${target.env} is protected, and no component changes.` };
  return {
    status: "failed",
    reason: `${target.env} is protected: its state changes by promotion alone.`,
    fix: `Pull into an earlier environment, and promote from there to ${target.env}.`,
  };
}

function freezeWindow({ target, targetPolicy, freeze }: PullFacts): Answer {
  if (targetPolicy.freeze.length === 0) return { status: "skipped", reason: `The policy sets no freeze windows for ${target.env}.` };
  if (!freeze.closed) return { status: "passed", reason: freeze.reason };
  return {
    status: "failed",
    reason: `${target.env} is frozen: ${freeze.reason}`,
    fix: freeze.next_open === undefined ? "Change the freeze windows in the policy." : `Pull after ${freeze.next_open}.`,
    ...(freeze.next_open !== undefined && { details: { next_open: freeze.next_open } }),
  };
}

function hold({ target, automatic }: PullFacts): Answer {
  if (target.hold === null) return { status: "passed", reason: `${target.env} is not held.` };
  const { at, by, reason } = target.hold;
  return {
    status: automatic ? "failed" : "warning",
    reason: `${target.env} is held since ${at} by ${by}: ${reason}.`,
    fix: automatic ? "POST /env/resume, or pull by hand." : "Make sure that the reason for the hold is gone.",
  };
}

function diverged({ target, conflicts }: PullFacts): Answer {
  if (conflicts.length === 0) return { status: "passed", reason: `The commit's changes and those of ${target.env} go together.` };
  return {
    status: "failed",
    reason: `The repository and ${target.env} both changed ${listed(conflicts.map(({ component }) => component))}.`,
    fix: 'Settle each: "resolve":{"<component>":"ours"} keeps what the environment has, "theirs" takes the repository\'s, and a body takes the place of both.',
    details: { components: conflicts.slice(0, 200).map(({ component }) => component), count: conflicts.length },
  };
}

/** An edit may require a key before it is bound, as any other edit may: a promotion of it may not. */
function complete(facts: PullFacts): Answer {
  const answer = configComplete(facts);
  if (answer.status !== "failed") return answer;
  const { project, target } = facts;
  return { ...answer, status: "warning", fix: `Bind it before it is promoted or run: PATCH /env/${project}/${target.env}/config.` };
}

function validated(facts: PullFacts): Answer {
  const answer = validation(facts);
  return answer.fix === undefined ? answer : { ...answer, fix: "Mend the faults in the repository, and pull again." };
}

function approvals({ target, targetPolicy }: PullFacts): Answer {
  if (approvalsOf(targetPolicy).count === 0) return { status: "skipped", reason: `The policy asks for no approvals for ${target.env}.` };
  return {
    status: "failed",
    reason: `What changes in ${target.env} needs approval, and a pull waits for none.`,
    fix: `Pull into an earlier environment, and promote from there to ${target.env}: that is put up for approval.`,
  };
}
