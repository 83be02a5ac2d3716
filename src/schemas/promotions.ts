import { z } from "zod";
import { DiffFromPreviousSchema, EnvironmentName, exampleOf, Message, mapOf, ProjectId, RevisionNumber, VariableValue, VersionLabel } from "./common.ts";

export const PromoteBody = z
  .strictObject({
    project_id: ProjectId,
    source_env: EnvironmentName.meta({ description: "The environment whose version travels." }),
    target_env: EnvironmentName.meta({ description: "The environment that receives it." }),
    version: VersionLabel.exactOptional().meta({ description: "A version that the source had, or a prefix of one; its newest where not given." }),
    dry_run: z.boolean().exactOptional().meta({ description: "Answers the plan and changes nothing." }),
    plan_id: z.string().exactOptional().meta({ description: "Applies this plan, or is refused where anything changed since." }),
    strategy: z
      .enum(["replace"])
      .exactOptional()
      .meta({ description: "`replace` takes the source's state although the target has changes that the source lacks." }),
    env_variables: mapOf(VariableValue).exactOptional().meta({ description: "Vars and secrets to set in the target with the promotion." }),
    message: Message.exactOptional(),
  })
  .meta({
    id: "Promote",
    description: "What goes from where to where.",
    examples: [
      { project_id: "pf-777", source_env: "staging", target_env: "production" },
      { project_id: "pf-777", source_env: "staging", target_env: "production", version: "v2.3", dry_run: true },
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

const planId = z.string().meta({ description: "Covers both sides, the policy and the request.", examples: ["pl_3f0a6f2c9d"] });
const checksExample = [exampleOf(CheckResultSchema)];
const diffExample = exampleOf(DiffFromPreviousSchema);

const Promoted = z.object({
  status: z.literal("ready_for_deploy"),
  version: VersionLabel,
  environment: EnvironmentName,
  revision: RevisionNumber,
  plan_id: planId,
  checks: z.array(CheckResultSchema),
  diff_from_previous: DiffFromPreviousSchema,
});

const Planned = z.object({
  status: z.literal("planned"),
  version: VersionLabel,
  plan_id: planId,
  checks: z.array(CheckResultSchema),
  diff_from_previous: DiffFromPreviousSchema,
  relation: z.string().meta({ description: "How the histories of source and target stand to one another." }),
  applicable: z.boolean().meta({ description: "Whether it would be applied now." }),
});

const NothingToPromote = z.looseObject({ status: z.literal("no_changes"), version: VersionLabel, environment: EnvironmentName });

export const PromoteReply = z.discriminatedUnion("status", [Promoted, Planned, NothingToPromote]).meta({
  id: "PromoteReply",
  description: "Applied, planned (`dry_run`), or nothing to do.",
  examples: [
    {
      status: "ready_for_deploy",
      version: "v2.3.1",
      environment: "production",
      revision: 8,
      plan_id: "pl_3f0a6f2c9d",
      checks: checksExample,
      diff_from_previous: diffExample,
    },
    {
      status: "planned",
      version: "v2.3.1",
      plan_id: "pl_3f0a6f2c9d",
      checks: checksExample,
      diff_from_previous: diffExample,
      relation: "ahead",
      applicable: true,
    },
    { status: "no_changes", version: "v2.3.1", environment: "production" },
  ],
});
