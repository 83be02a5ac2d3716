import * as z from "zod";
import { DiffFromPreviousSchema, EnvironmentName, exampleOf, Message, mapOf, ProjectId, VariableValue, VersionLabel } from "./common.ts";

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

export const PromoteReply = z
  .object({
    status: z.enum(["ready_for_deploy", "planned", "no_changes"]),
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
  })
  .meta({
    id: "PromoteReply",
    description: "Applied (`ready_for_deploy`), planned (`dry_run`), or nothing to do (`no_changes`).",
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
