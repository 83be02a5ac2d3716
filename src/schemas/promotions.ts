import * as z from "zod";
import { LIMITS } from "../limits.ts";
import {
  AnyJson,
  AnyObject,
  Confirmation,
  DiffFromPreviousSchema,
  EnvironmentName,
  EnvironmentParams,
  exampleOf,
  Message,
  mapOf,
  ProjectId,
  ProjectParams,
  pageMembers,
  pageOf,
  Timestamp,
  VariableValue,
  VersionLabel,
} from "./common.ts";

export const CheckNameSchema = z.enum([
  "pipeline_order",
  "environment_protected",
  "freeze_window",
  "hold",
  "soak_time",
  "diverged",
  "config_complete",
  "secrets_isolated",
  "validation",
  "approvals",
]);

const names = (description: string) =>
  z.array(z.string().max(LIMITS.componentNameBytes)).max(LIMITS.compareNames).exactOptional().meta({ description });

const choiceMembers = {
  strategy: z.enum(["replace", "merge"]).exactOptional().meta({
    description:
      "For a target that has changes which the source lacks: `replace` gives them up, `merge` keeps both sides' changes, by component and by JSON member.",
  }),
  resolve: AnyObject.exactOptional().meta({
    description:
      "Settles the conflicts of a merge, by component: `ours` keeps the target's, `theirs` takes the source's, anything else is the new body.",
    examples: [{ "flows/onboarding": "theirs" }],
  }),
  only: names("Carries these components alone: `collection/name`, or `collection/*`."),
  except: names("Carries all components but these."),
  flags: names("Flags whose definition travels as the source has it."),
  vars: names("Vars whose value travels as the source has it. Secrets never travel."),
};

export const PromoteBody = z
  .strictObject({
    project_id: ProjectId,
    source_env: EnvironmentName.meta({ description: "The environment whose version travels." }),
    target_env: EnvironmentName.meta({ description: "The environment that receives it." }),
    version: VersionLabel.exactOptional().meta({
      description: "A version that the source had, or a prefix of one; its newest where not given.",
    }),
    dry_run: z.boolean().exactOptional().meta({ description: "Answers the plan and changes nothing." }),
    plan_id: z.string().exactOptional().meta({ description: "Applies this plan, or is refused where anything changed since." }),
    ...choiceMembers,
    env_variables: mapOf(VariableValue).exactOptional().meta({ description: "Vars and secrets to set in the target with the promotion." }),
    force: z
      .union([z.literal(true), z.strictObject({ checks: z.array(CheckNameSchema).exactOptional(), reason: Message })], {
        error: "must be true (with a message), or an object with `reason` and, where not all are meant, `checks`",
      })
      .exactOptional()
      .meta({ description: "Skips failed checks that the policy calls forceable; the reason is kept in the audit log." }),
    message: Message.exactOptional(),
    confirm: Confirmation,
  })
  .meta({
    id: "Promote",
    description: "What goes from where to where.",
    examples: [
      { project_id: "pf-777", source_env: "staging", target_env: "production" },
      { project_id: "pf-777", source_env: "staging", target_env: "production", version: "v2.3", dry_run: true },
      {
        project_id: "pf-777",
        source_env: "staging",
        target_env: "production",
        strategy: "merge",
        resolve: { "flows/onboarding": "theirs" },
      },
    ],
  });

export const CheckResultSchema = z
  .object({
    name: z.string(),
    status: z.enum(["passed", "failed", "warning", "skipped"]),
    reason: z.string(),
    fix: z.string().exactOptional(),
    details: z.record(z.string(), z.unknown()).exactOptional(),
  })
  .meta({
    id: "CheckResult",
    description: "One question that the plan asks, with its answer.",
    examples: [{ name: "config_complete", status: "passed", reason: "Everything required is bound." }],
  });

export const ConflictSchema = z
  .looseObject({
    component: z.string(),
    our_change: z.enum(["added", "changed", "removed"]),
    their_change: z.enum(["added", "changed", "removed"]),
    base: AnyJson.optional(),
    ours: AnyJson.optional(),
    theirs: AnyJson.optional(),
    paths: z.array(z.looseObject({ path: z.string(), kind: z.string() })),
    path_count: z.int(),
    omitted: z.literal(true).exactOptional(),
  })
  .meta({
    id: "ComponentConflict",
    description: "A component that both sides changed in ways that do not go together. `ours` is the target's, `theirs` the source's.",
    examples: [
      {
        component: "flows/onboarding",
        our_change: "changed",
        their_change: "changed",
        base: { steps: 2 },
        ours: { steps: 3 },
        theirs: { steps: 4 },
        paths: [{ path: "/steps", kind: "both_changed", base: 2, ours: 3, theirs: 4 }],
        path_count: 1,
      },
    ],
  });

export const PromoteReply = z
  .object({
    status: z.enum(["ready_for_deploy", "pending_approval", "planned", "no_changes"]),
    version: VersionLabel,
    environment: EnvironmentName.meta({ description: "The target." }),
    diff_from_previous: DiffFromPreviousSchema,
    revision: z.int().min(1).meta({ description: "The target's revision: the new one where it was applied." }),
    source_env: EnvironmentName,
    source_revision: z.int().min(1).meta({ description: "The revision that travels." }),
    plan_id: z.string().meta({ description: "Covers both sides, the policy and the request, never time or outcomes." }),
    relation: z
      .enum(["identical", "source_ahead", "target_ahead", "diverged"])
      .meta({ description: "How the histories of source and target stand to one another." }),
    checks: z.array(CheckResultSchema),
    applicable: z.boolean().exactOptional().meta({ description: "Of a plan: whether it would be applied now." }),
    changes_nothing: z
      .boolean()
      .exactOptional()
      .meta({ description: "Of a plan: whether the target has all of it already, under that version." }),
    promotion_id: z.string().exactOptional().meta({ description: "Of a promotion that waits, or waited, for approval." }),
    source_version: VersionLabel.exactOptional().meta({
      description: "The source's version, where a merge or a selection made a version of its own.",
    }),
    conflicts: z.array(ConflictSchema).exactOptional().meta({ description: "Of a merge: all components that both sides changed." }),
    warnings: z
      .array(z.string())
      .exactOptional()
      .meta({ description: "Of a selection: what the chosen components name and the target lacks." }),
  })
  .meta({
    id: "PromoteReply",
    description:
      "Applied (`ready_for_deploy`), put up for approval (`pending_approval`), planned (`dry_run`), or nothing to do (`no_changes`).",
    examples: [
      {
        status: "ready_for_deploy",
        version: "v2.3.1",
        environment: "production",
        diff_from_previous: exampleOf(DiffFromPreviousSchema),
        revision: 8,
        source_env: "staging",
        source_revision: 12,
        plan_id: "3f0a6f2c9d41b7e85a60c2d9f1e4b378",
        relation: "source_ahead",
        checks: [exampleOf(CheckResultSchema)],
      },
    ],
  });

export const ReadinessQuery = z.strictObject({
  source: EnvironmentName.meta({ description: "The environment that would be promoted.", examples: ["staging"] }),
  version: VersionLabel.optional(),
  strategy: z
    .enum(["replace", "merge"])
    .optional()
    .meta({ description: "How the target's own changes would be treated.", examples: ["merge"] }),
});
export const ReadinessParams = EnvironmentParams;

export const DecisionParams = z.strictObject({
  id: z.string().meta({ description: "The promotion's id.", examples: ["0mi5k2v1x9f2c1e7ab3"] }),
});

export const PromotionParams = z.strictObject({ ...ProjectParams.shape, ...DecisionParams.shape });

export const DecisionBody = z
  .strictObject({ project_id: ProjectId, comment: Message.exactOptional().meta({ description: "Why; kept with the decision." }) })
  .meta({ id: "Decision", description: "Whose promotion it is, and why.", examples: [{ project_id: "pf-777", comment: "Looks good." }] });

export const RejectionReply = z
  .object({ status: z.literal("rejected"), promotion_id: z.string(), environment: EnvironmentName, version: VersionLabel })
  .meta({
    id: "Rejection",
    description: "The promotion was turned down.",
    examples: [{ status: "rejected", promotion_id: "0mi5k2v1x9f2c1e7ab3", environment: "production", version: "v2.3.1" }],
  });

const DecisionSchema = z.object({ by: z.string(), at: Timestamp, comment: z.string().nullable() });

const waitingExample = {
  id: "0mi5k2v1x9f2c1e7ab3",
  project_id: "pf-777",
  source_env: "staging",
  target_env: "production",
  version: "v2.3.1",
  status: "pending",
  plan_id: "3f0a6f2c9d41b7e85a60c2d9f1e4b378",
  source_revision: 12,
  target_revision: 7,
  requested_by: "ada",
  requested_at: "2025-01-31T12:00:00.000Z",
  expires_at: "2025-02-07T12:00:00.000Z",
  message: "Release 2.3",
  needed: 2,
  missing: 1,
  by: null,
  waiting_for: null,
  approvals: [{ by: "grace", at: "2025-01-31T13:00:00.000Z", comment: null }],
  rejection: null,
  closed_at: null,
  closed_reason: null,
  revision: null,
  checks: [exampleOf(CheckResultSchema)],
  diff_from_previous: exampleOf(DiffFromPreviousSchema),
};

export const Promotion = z
  .object({
    id: z.string(),
    project_id: ProjectId,
    source_env: EnvironmentName,
    target_env: EnvironmentName,
    version: VersionLabel,
    status: z.enum(["pending", "applied", "rejected", "voided", "expired"]),
    plan_id: z.string(),
    source_revision: z.int(),
    target_revision: z.int(),
    requested_by: z.string(),
    requested_at: Timestamp,
    expires_at: Timestamp,
    message: z.string().nullable(),
    needed: z.int().meta({ description: "How many must approve." }),
    missing: z.int().meta({ description: "How many approvals are still missing." }),
    by: z.array(z.string()).nullable().meta({ description: "Who may approve; `null` for anybody but the requester." }),
    waiting_for: z.array(z.string()).nullable().meta({ description: "Who can bring it on now; `null` for anybody who has not yet." }),
    approvals: z.array(DecisionSchema),
    rejection: DecisionSchema.nullable(),
    closed_at: Timestamp.nullable(),
    closed_reason: z.string().nullable().meta({ description: "Why it does not wait any more." }),
    revision: z.int().nullable().meta({ description: "The revision of the target that it became." }),
    checks: z.array(CheckResultSchema),
    diff_from_previous: DiffFromPreviousSchema,
  })
  .meta({ id: "Promotion", description: "A promotion that was put up for approval.", examples: [waitingExample] });

export const PromotionQuery = z.strictObject({
  ...pageMembers,
  status: z
    .enum(["pending", "applied", "rejected", "voided", "expired"])
    .optional()
    .meta({ description: "Those alone.", examples: ["pending"] }),
});

export const PromotionPage = pageOf(Promotion).meta({
  id: "PromotionPage",
  description: "A page of promotions that were put up for approval.",
  examples: [{ items: [waitingExample], next_cursor: null }],
});
