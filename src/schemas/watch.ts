import * as z from "zod";
import { Digest, EnvironmentName, exampleHash, numberText, ProjectId, RevisionNumber, Timestamp, VersionLabel } from "./common.ts";

export const WatchQuery = z.strictObject({
  ticket: z
    .string()
    .optional()
    .meta({ description: "In place of a token, for those who cannot send a header: from `eventStreams` of an evaluation of all flags." }),
  last_event_id: numberText(0, Number.MAX_SAFE_INTEGER)
    .optional()
    .meta({
      description: "As the header Last-Event-ID, for those who cannot send it; the header counts where both are there.",
      examples: [12],
    }),
});

export const HeadEventSchema = z
  .object({
    type: z.literal("refetchEvaluation").meta({ description: "As OpenFeature's remote evaluation has it." }),
    etag: z.string().meta({ description: "That of state and config reads of this head, without its quotes." }),
    lastModified: Timestamp,
    project_id: ProjectId.optional(),
    env: EnvironmentName.optional(),
    version: VersionLabel.optional(),
    revision: RevisionNumber.optional(),
    snapshot: Digest.optional(),
    action: z.enum(["create", "update", "config", "promote", "rollback", "expire", "restore", "archive"]).optional(),
    timestamp: Timestamp.optional(),
    skipped: z
      .int()
      .optional()
      .meta({ description: "How many revisions before this one are not told of: the reader was away for too long. Read everything anew." }),
    final: z.enum(["archived", "expired"]).optional().meta({ description: "What became of the environment. Nothing comes after it." }),
  })
  .meta({
    id: "HeadEvent",
    description:
      "The `data` of one event; its `id` is the revision. To whoever may evaluate and not read, `type`, `etag` and `lastModified` alone are told.",
    examples: [
      {
        type: "refetchEvaluation",
        etag: "9f2c1e7ab3d04f5c8e6d7a1b0c9f8e7d",
        lastModified: "2025-01-31T12:00:00.000Z",
        project_id: "pf-777",
        env: "staging",
        version: "v2.3.1",
        revision: 12,
        snapshot: exampleHash,
        action: "config",
        timestamp: "2025-01-31T12:00:00.000Z",
      },
    ],
  });
