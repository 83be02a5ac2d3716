import * as z from "zod";
import {
  ChangeSummarySchema,
  Confirmation,
  DiffFromPreviousSchema,
  Digest,
  EnvironmentName,
  exampleHash,
  exampleOf,
  Message,
  numberText,
  ProjectId,
  pageOf,
  RevisionNumber,
  Timestamp,
  VersionLabel,
} from "./common.ts";

/** Rollback, the revisions of an environment, the versions of a project. */

export const RollbackBody = z
  .strictObject({
    project_id: ProjectId,
    env: EnvironmentName,
    to: z.union([z.string().min(1).max(64), z.int().min(1)], { error: "must be a version, a revision number or a timestamp" }).meta({
      description: "A version or a prefix of one, a revision number, or a moment (ISO 8601).",
      examples: ["v2.9", 12, "2025-01-31T12:00:00Z"],
    }),
    secrets: z
      .enum(["keep_current"])
      .exactOptional()
      .meta({ description: "Keeps today's secret where the old value is gone from the vault; otherwise that refuses the rollback." }),
    dry_run: z.boolean().exactOptional().meta({ description: "Answers what would change and changes nothing." }),
    plan_id: z
      .string()
      .max(64)
      .exactOptional()
      .meta({ description: "Does what a dry run answered under this id, or is refused where anything changed since." }),
    message: Message.exactOptional(),
    confirm: Confirmation,
  })
  .meta({
    id: "Rollback",
    description: "Which environment goes back, and to where.",
    examples: [{ project_id: "pf-777", env: "production", to: "v2.9", message: "Checkout fails." }],
  });

export const RollbackReply = z
  .object({
    status: z.enum(["rolled_back", "planned", "no_changes"]),
    env: EnvironmentName,
    version: VersionLabel,
    revision: RevisionNumber,
    restored_revision: RevisionNumber.meta({ description: "The revision whose state and config returned." }),
    plan_id: z.string().meta({ description: "Covers the environment's head, the revision restored and the request." }),
    diff_from_previous: DiffFromPreviousSchema,
  })
  .meta({
    id: "RollbackReply",
    description: "The environment's head after the rollback.",
    examples: [
      {
        status: "rolled_back",
        env: "production",
        version: "v2.9.0",
        revision: 14,
        restored_revision: 7,
        plan_id: "8d2b71c40f3e95a6b1d7c2e8409f6a35d17bc2e4",
        diff_from_previous: exampleOf(DiffFromPreviousSchema),
      },
    ],
  });

const RevisionReference = z.object({ env: EnvironmentName, revision: RevisionNumber });

const entryExample = {
  project_id: "pf-777",
  env: "production",
  revision: 13,
  version: "v2.3.1",
  action: "promote",
  snapshot: exampleHash,
  created_by: "ada",
  timestamp: "2025-01-31T12:00:00.000Z",
  message: "Weekly release",
  parents: [
    { env: "production", revision: 12 },
    { env: "staging", revision: 12 },
  ],
  changes: exampleOf(ChangeSummarySchema),
};

export const RevisionEntry = z
  .object({
    project_id: ProjectId,
    env: EnvironmentName,
    revision: RevisionNumber,
    version: VersionLabel,
    action: z.enum(["create", "update", "config", "promote", "rollback", "expire", "restore", "archive"]),
    snapshot: Digest,
    created_by: z.string(),
    timestamp: Timestamp,
    message: z.string().nullable(),
    parents: z.array(RevisionReference).meta({ description: "The revisions that it came from." }),
    changes: ChangeSummarySchema,
    source_version: VersionLabel.exactOptional().meta({
      description: "The source's version, where a merge or a selection made one of its own.",
    }),
    git: z
      .object({
        commit: z.string(),
        author: z.string(),
        email: z.string(),
        authored_at: Timestamp,
        rewritten: z
          .literal(true)
          .exactOptional()
          .meta({ description: "The repository's history was rewritten before, and that was accepted." }),
      })
      .exactOptional()
      .meta({ description: "Of a revision that was pulled: the commit and its author. `created_by` is who pulled it." }),
    source: RevisionReference.extend({ version: VersionLabel }).exactOptional().meta({ description: "A promotion's source." }),
  })
  .meta({ id: "Revision", description: "One entry of the version log.", examples: [entryExample] });

export const RevisionPage = pageOf(RevisionEntry).meta({
  id: "RevisionPage",
  description: "The version log of one environment, newest first.",
  examples: [{ items: [entryExample], next_cursor: null }],
});

export const VersionPage = pageOf(RevisionEntry).meta({
  id: "VersionPage",
  description: "The revisions that made the versions of a project, newest first.",
  examples: [{ items: [entryExample], next_cursor: null }],
});

export const RevisionParams = z.strictObject({
  project: ProjectId,
  env: EnvironmentName,
  n: numberText(1, Number.MAX_SAFE_INTEGER).meta({ description: "The revision's number.", examples: [12] }),
});

export const VersionParams = z.strictObject({
  project: ProjectId,
  version: z
    .string()
    .max(64)
    .meta({ description: "The version.", examples: ["v2.3.1"] }),
});
