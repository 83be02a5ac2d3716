import * as z from "zod";
import { Digest, EnvironmentName, exampleHash, numberText, ProjectId, RevisionNumber, Timestamp, VersionLabel } from "./common.ts";

export const ProjectWatchQuery = z.strictObject({
  last_event_id: numberText(0, Number.MAX_SAFE_INTEGER)
    .optional()
    .meta({
      description: "As the header Last-Event-ID, for those who cannot send it; the header counts where both are there.",
      examples: [12],
    }),
});

export const WatchQuery = ProjectWatchQuery.extend({
  ticket: z
    .string()
    .optional()
    .meta({ description: "In place of a token, for those who cannot send a header: from `eventStreams` of an evaluation of all flags." }),
});

export const ProjectEventSchema = z
  .object({
    type: z
      .enum(["projectWatched", "projectChanged"])
      .meta({ description: "`projectWatched` comes first, to a reader that names no event, and has `seq` alone." }),
    project_id: ProjectId,
    seq: z.int().min(1).meta({ description: "The audit record's number, which is also the event's `id`." }),
    action: z.string().optional().meta({ description: "What was done, as the audit log has it." }),
    environment: z.string().nullable().optional().meta({ description: "`null` for what concerns the project as a whole." }),
    version: z.string().nullable().optional(),
    revision: z.int().nullable().optional(),
    timestamp: Timestamp.optional(),
    skipped: z.int().optional().meta({ description: "How many records before this one are not told of. Read everything anew." }),
  })
  .meta({
    id: "ProjectEvent",
    description: "The `data` of one event: what happened, and where. What it is now is read from the other routes.",
    examples: [
      {
        type: "projectChanged",
        project_id: "pf-777",
        seq: 42,
        action: "promote",
        environment: "production",
        version: "v2.3.1",
        revision: 13,
        timestamp: "2025-01-31T12:00:00.000Z",
      },
    ],
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
