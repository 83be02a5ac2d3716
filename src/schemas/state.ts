import * as z from "zod";
import {
  AnyJson,
  ChangeSummarySchema,
  EnvironmentName,
  editMembers,
  exampleOf,
  mapOf,
  ProjectId,
  RevisionNumber,
  VersionLabel,
} from "./common.ts";

export const CollectionParams = z.strictObject({
  project: ProjectId,
  env: EnvironmentName,
  collection: z.string().meta({ description: "The collection.", examples: ["flows"] }),
});
export const ComponentParams = CollectionParams.extend({
  name: z.string().meta({ description: "The component's name, percent-encoded: it may hold `/` as `%2F`.", examples: ["onboarding"] }),
});

const Components = z.record(z.string(), AnyJson).meta({ description: "Components by name." });
const head = { project_id: ProjectId, env: EnvironmentName, version: VersionLabel, revision: RevisionNumber };
const headExample = { project_id: "pf-777", env: "staging", version: "v2.3.1", revision: 12 };
const onboarding = { trigger: "user.created", actions: [{ type: "email", template: "welcome" }] };

export const StateReply = z
  .object({ ...head, state: z.record(z.string(), Components).meta({ description: "All components: collection → name → value." }) })
  .meta({
    id: "State",
    description: "The whole platform state.",
    examples: [{ ...headExample, state: { entities: { User: { fields: ["email"] } }, flows: { onboarding } } }],
  });

export const CollectionReply = z.object({ ...head, collection: z.string(), components: Components }).meta({
  id: "Collection",
  description: "One collection of the platform state.",
  examples: [{ ...headExample, collection: "flows", components: { onboarding } }],
});

export const ComponentReply = z.object({ ...head, collection: z.string(), name: z.string(), component: AnyJson }).meta({
  id: "Component",
  description: "One component.",
  examples: [{ ...headExample, collection: "flows", name: "onboarding", component: onboarding }],
});

const dry_run = z.boolean().exactOptional().meta({ description: "Answers what would change, and changes nothing." });

export const ReplaceStateBody = z
  .strictObject({
    state: mapOf(mapOf(AnyJson)).meta({ description: "All components: collection → name → value. What is not here is removed." }),
    dry_run,
    ...editMembers,
  })
  .meta({
    id: "ReplaceState",
    description: "The platform state from now on.",
    examples: [{ state: { entities: { User: { fields: ["email"] } }, flows: { onboarding } }, message: "First import." }],
  });

export const PatchStateBody = z
  .strictObject({
    set: mapOf(AnyJson).exactOptional().meta({ description: "Components to add or replace, by `collection/name`." }),
    remove: z.array(z.string()).exactOptional().meta({ description: "Components to remove, as `collection/name`." }),
    dry_run,
    ...editMembers,
  })
  .meta({
    id: "PatchState",
    description: "The components that change.",
    examples: [{ set: { "flows/onboarding": onboarding }, remove: ["flows/signup"], message: "Onboarding replaces signup." }],
  });

export const StateWritten = z.object({ status: z.enum(["updated", "no_changes", "planned"]), ...head, changes: ChangeSummarySchema }).meta({
  id: "StateWritten",
  description: "The environment's head after the edit.",
  examples: [{ status: "updated", ...headExample, changes: exampleOf(ChangeSummarySchema) }],
});
