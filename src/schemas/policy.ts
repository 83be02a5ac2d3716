import * as z from "zod";
import type { JsonObject } from "../ports.ts";
import { AnyJson, ProjectId } from "./common.ts";

const policyExample = { pipeline: ["development", "staging", "production"], environments: { production: { protected: true } } };

/** A policy's own faults are the domain's to name, all at once and with their paths; the shape here documents it. */
const policySchema = z
  .looseObject({
    pipeline: AnyJson.optional().meta({
      description: "Environments in the order in which versions travel.",
      examples: [policyExample.pipeline],
    }),
    preset: AnyJson.optional().meta({
      description: "`solo`, `team` or `regulated`, alone: stands for a whole policy, which is what is stored.",
      examples: ["team"],
    }),
    environments: AnyJson.optional().meta({
      description: "What is demanded, by environment name or by type as `type:production`.",
      examples: [policyExample.environments],
    }),
  })
  .meta({
    id: "Policy",
    description: "What a project demands of its promotions. `{}` demands nothing but complete config.",
    examples: [policyExample],
  });
export const PolicyBody = policySchema as unknown as z.ZodType<JsonObject, JsonObject>;

const members = { project_id: ProjectId, revision: z.int().min(0), policy: PolicyBody };

export const PolicyReply = z.object(members).meta({
  id: "PolicyReply",
  description: "The policy in force.",
  examples: [{ project_id: "pf-777", revision: 3, policy: policyExample }],
});

export const PolicyWritten = z.object({ status: z.enum(["updated", "no_changes"]), ...members }).meta({
  id: "PolicyWritten",
  description: "The policy from now on.",
  examples: [{ status: "updated", project_id: "pf-777", revision: 4, policy: policyExample }],
});
