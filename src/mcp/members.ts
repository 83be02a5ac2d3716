import * as z from "zod";
import { LIMITS } from "../limits.ts";
import { EnvironmentName, ProjectId } from "../schemas/common.ts";

/** What many tools take. */

export const project_id = ProjectId.exactOptional().meta({
  description: "The project. May be left out where one is set, or where there is only one.",
});

export const env = EnvironmentName.meta({ description: "The environment. `dev`, `stage` and `prod` stand for the usual names." });

export const limit = z
  .int()
  .min(1)
  .max(LIMITS.pageItems)
  .exactOptional()
  .meta({ description: `How many at most; ${LIMITS.mcpNames} where not given.` });

export const cursor = z.string().max(128).exactOptional().meta({ description: "`next_cursor` of the page before." });

/** What every tool that changes something takes besides. */
export const confirming = {
  plan_id: z
    .string()
    .max(128)
    .exactOptional()
    .meta({ description: "The plan to apply, as the call before told it. Without one the call shows a plan and changes nothing." }),
  confirm: z
    .union([z.literal(true), z.string().min(1).max(64)], { error: "must be true, or the environment's name" })
    .exactOptional()
    .meta({
      description:
        "With plan_id: applies that plan. Only after whoever you act for has seen the plan and agreed. " +
        "Where the policy asks for the environment's name once more, that name as they gave it; otherwise true.",
    }),
};

interface Confirming {
  readonly plan_id?: string | undefined;
  readonly confirm?: true | string | undefined;
}

/** What is to be applied; `null` where a plan is asked for. */
export interface Agreed {
  readonly plan_id: string;
  /** The environment's name, where it was given. */
  readonly name: string | null;
}

export function agreed({ plan_id, confirm }: Confirming): Agreed | null {
  if (plan_id === undefined || confirm === undefined) return null;
  return { plan_id, name: confirm === true ? null : confirm };
}

/** How a plan ends, in words. */
export function howToApply(name: string, plan_id: string): string {
  return (
    `Nothing was changed. To apply exactly this plan, show it to whoever you act for; once they agree, call ${name} again with the ` +
    `same arguments and plan_id "${plan_id}", confirm true.`
  );
}
