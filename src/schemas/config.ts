import * as z from "zod";
import { LIMITS } from "../limits.ts";
import {
  AnyJson,
  AtQuery,
  ChangeSummarySchema,
  EnvironmentName,
  editMembers,
  exampleOf,
  mapOf,
  ProjectId,
  RevisionNumber,
  VariableValue,
  VersionLabel,
} from "./common.ts";

const head = { project_id: ProjectId, env: EnvironmentName, version: VersionLabel, revision: RevisionNumber };
const headExample = { project_id: "pf-777", env: "staging", version: "v2.3.1", revision: 12 };
const flagExample = { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "off" };

const Vars = z.record(z.string(), z.string()).meta({ description: "Vars by name." });
const Evaluators = z
  .record(z.string(), AnyJson)
  .meta({ description: 'Rules that flags refer to by `{"$ref": name}` (flagd\'s `$evaluators`). Left out where there are none.' });
const FlagMetadata = z
  .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
  .meta({ description: "What every evaluation shows as metadata (that of flagd's flag set). Left out where there is none." });
const Flags = z.record(z.string(), AnyJson).meta({ description: "Flag definitions (flagd) by name." });
const Defaults = z.object({ vars: Vars, flags: Flags }).meta({
  description:
    "What the platform has for vars and flags that it requires and the environment does not bind: it runs with these. Left out where there are none.",
});

export const ConfigReply = z
  .object({
    ...head,
    vars: Vars,
    secrets: z.record(z.string(), z.object({ set: z.literal(true) })).meta({ description: "Which secrets are bound; never their values." }),
    flags: Flags,
    defaults: Defaults.exactOptional(),
    evaluators: Evaluators.exactOptional(),
    flag_metadata: FlagMetadata.exactOptional(),
  })
  .meta({
    id: "Config",
    description: "What is bound to one environment.",
    examples: [
      {
        ...headExample,
        vars: { API_URL: "https://staging.example.com" },
        secrets: { API_KEY: { set: true } },
        flags: { "new-checkout": flagExample },
      },
    ],
  });

export const PatchConfigBody = z
  .strictObject({
    vars: mapOf(z.string()).exactOptional().meta({ description: "Vars to set." }),
    secrets: mapOf(z.string()).exactOptional().meta({ description: "Secrets to set. Their values go to the vault alone." }),
    flags: mapOf(AnyJson).exactOptional().meta({ description: "Flags to set: a flagd definition, or `true` / `false` for a boolean one." }),
    env_variables: mapOf(VariableValue)
      .exactOptional()
      .meta({ description: "Vars and secrets to set, sorted as for a new environment: the reply says what was kept as what." }),
    evaluators: mapOf(AnyJson)
      .exactOptional()
      .meta({ description: 'Rules to set, which flags refer to by `{"$ref": name}`: flagd\'s `$evaluators`.' }),
    flag_metadata: mapOf(z.union([z.string(), z.number(), z.boolean()], { error: "must be a string, a number or a boolean" }))
      .exactOptional()
      .meta({ description: "Metadata to set, which every evaluation shows: that of flagd's flag set." }),
    unset: z
      .array(z.string())
      .exactOptional()
      .meta({
        description: "What to remove, as `vars/NAME`, `secrets/NAME`, `flags/NAME`, `evaluators/NAME` or `flag_metadata/NAME`.",
        examples: [["vars/OLD_URL"]],
      }),
    dry_run: z.boolean().exactOptional().meta({ description: "Answers what would change, and changes nothing." }),
    ...editMembers,
  })
  .meta({
    id: "PatchConfig",
    description: "The vars, secrets and flags that change.",
    examples: [
      {
        vars: { API_URL: "https://staging.example.com" },
        secrets: { API_KEY: "sk-test-2" },
        flags: { "new-checkout": true },
        unset: ["vars/OLD_URL"],
      },
      { env_variables: { API_URL: "https://staging.example.com", API_KEY: "sk-test-2" }, dry_run: true },
    ],
  });

export const ConfigWritten = z
  .object({
    status: z.enum(["updated", "no_changes", "planned"]),
    ...head,
    changes: ChangeSummarySchema,
    stored: z
      .object({ vars: z.array(z.string()), secrets: z.array(z.string()) })
      .exactOptional()
      .meta({ description: "Where `env_variables` were sent: what was, or would be, kept as what." }),
  })
  .meta({
    id: "ConfigWritten",
    description: "The environment's head after the edit.",
    examples: [{ status: "updated", ...headExample, version: "v2.3.2", revision: 13, changes: exampleOf(ChangeSummarySchema) }],
  });

export const RuntimeReply = z
  .object({
    ...head,
    vars: Vars,
    secrets: z.record(z.string(), z.string()).meta({ description: "Secret values." }),
    flags: Flags,
    flag_values: z.record(z.string(), AnyJson).meta({
      description: "What each flag is for the context given. A flag that has no value is left out: the application's own default holds.",
    }),
    evaluators: Evaluators.exactOptional(),
    flag_metadata: FlagMetadata.exactOptional(),
  })
  .meta({
    id: "Runtime",
    description: "Everything that a running platform needs, secret values included.",
    examples: [
      {
        ...headExample,
        vars: { API_URL: "https://staging.example.com" },
        secrets: { API_KEY: "sk-test-2" },
        flags: { "new-checkout": flagExample },
        flag_values: { "new-checkout": false },
      },
    ],
  });

export const RuntimeQuery = AtQuery.extend({
  context: z
    .string()
    .optional()
    .meta({
      description: "What flags are evaluated for, as JSON; the empty context where not given.",
      examples: ['{"targetingKey":"user-1"}'],
    }),
});

export const RevealBody = z
  .strictObject({
    names: z
      .array(z.string())
      .max(LIMITS.revealedNames)
      .exactOptional()
      .meta({ description: "The secrets to reveal; all where not given." }),
  })
  .meta({ id: "RevealSecrets", description: "Which secrets.", examples: [{ names: ["API_KEY"] }] });

export const RevealReply = z.object({ ...head, secrets: z.record(z.string(), z.string()) }).meta({
  id: "RevealedSecrets",
  description: "Secret values.",
  examples: [{ ...headExample, secrets: { API_KEY: "sk-test-2" } }],
});
