import * as z from "zod";
import { AnyJson, EnvironmentName, ProjectId } from "./common.ts";

/** OpenFeature Remote Evaluation Protocol 0.3: https://github.com/open-feature/protocol */

const Metadata = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));

export const OfrepQuery = z
  .strictObject({
    project_id: ProjectId.optional().meta({ description: "Whose flags; from the token where not given, if that reaches one environment." }),
    env: EnvironmentName.optional().meta({ description: "Which environment's flags; given together with `project_id`." }),
    flagConfigEtag: z.string().optional().meta({ description: "What an event told: sent by providers, and of no effect here." }),
    flagConfigLastModified: z.string().optional().meta({ description: "What an event told: sent by providers, and of no effect here." }),
  })
  .refine(({ project_id, env }) => (project_id === undefined) === (env === undefined), {
    path: ["env"],
    message: "`project_id` and `env` go together",
  });

export const OfrepKeyParams = z.strictObject({ key: z.string().meta({ description: "The flag.", examples: ["new-checkout"] }) });

/** Providers of later versions may send more: what is not known here is passed over. */
export const OfrepBody = z
  .looseObject({
    context: AnyJson.optional().meta({ description: "Who asks (`targetingKey`), and what the flags' rules look at." }),
  })
  .meta({
    id: "OfrepRequest",
    description: "The evaluation context. An empty body is an empty context.",
    examples: [{ context: { targetingKey: "user-1", plan: "pro" } }],
  });

const reason = z.enum(["STATIC", "TARGETING_MATCH", "SPLIT", "DISABLED", "DEFAULT", "UNKNOWN"]);
const errorCode = z.enum(["PARSE_ERROR", "TARGETING_KEY_MISSING", "INVALID_CONTEXT", "GENERAL", "FLAG_NOT_FOUND"]);

const OfrepEvaluation = z
  .object({
    key: z.string(),
    reason,
    value: AnyJson.optional().meta({ description: "Absent where the application's own default holds." }),
    variant: z.string().optional(),
    metadata: Metadata.optional(),
  })
  .meta({
    id: "OfrepEvaluation",
    description: "What one flag is for the context.",
    examples: [{ key: "new-checkout", reason: "TARGETING_MATCH", value: true, variant: "on" }],
  });

const OfrepFailure = z.object({ key: z.string(), errorCode, errorDetails: z.string().optional() }).meta({
  id: "OfrepFailure",
  description: "Why one flag could not be evaluated.",
  examples: [
    {
      key: "new-checkout",
      errorCode: "PARSE_ERROR",
      errorDetails: 'The flag cannot be evaluated: state: it must be "ENABLED" or "DISABLED".',
    },
  ],
});

/** Of one flag: what it is, or why that is not known. */
export const OfrepAnswer = z.union([OfrepEvaluation, OfrepFailure]).meta({
  id: "OfrepAnswer",
  description: "What one flag is for the context, or why it could not be evaluated.",
  examples: [
    { key: "new-checkout", reason: "TARGETING_MATCH", value: true, variant: "on" },
    { key: "new-checkot", errorCode: "FLAG_NOT_FOUND", errorDetails: 'There is no flag "new-checkot".' },
  ],
});

const EventStream = z.object({
  type: z.literal("sse"),
  endpoint: z.object({ requestUri: z.string() }),
  inactivityDelaySec: z.int().min(1),
});

export const OfrepBulk = z
  .object({
    flags: z.array(OfrepAnswer),
    metadata: Metadata.optional(),
    eventStreams: z.array(EventStream).optional().meta({ description: "Where to be told of changes, without a header of one's own." }),
  })
  .meta({
    id: "OfrepBulk",
    description: "What every flag is for the context. One that fails does not keep the others from being evaluated.",
    examples: [
      {
        flags: [
          { key: "new-checkout", reason: "TARGETING_MATCH", value: true, variant: "on" },
          { key: "old-banner", reason: "DISABLED" },
        ],
        metadata: { flagSetId: "shop" },
      },
    ],
  });

/** Errors of these routes have the protocol's shape, not that of all others. */
export const OfrepError = z
  .object({
    key: z.string().optional().meta({ description: "The flag, where one was asked for." }),
    errorCode: errorCode.optional(),
    errorDetails: z.string(),
  })
  .meta({
    id: "OfrepError",
    description: "Why nothing was evaluated.",
    examples: [{ key: "new-checkot", errorCode: "FLAG_NOT_FOUND", errorDetails: 'There is no flag "new-checkot".' }],
  });
export type OfrepErrorReply = z.output<typeof OfrepError>;
