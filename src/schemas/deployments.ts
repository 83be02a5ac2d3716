import * as z from "zod";
import { AtQuery, Digest, EnvironmentName, exampleHash, Message, numberText, ProjectId, RevisionNumber, VersionLabel } from "./common.ts";
import { SyncStatusSchema } from "./environments.ts";

export const ActiveQuery = z.strictObject({
  ...AtQuery.shape,
  wait: z
    .string()
    .max(32)
    .optional()
    .meta({ description: "How long to wait for something newer than `after`, a minute at most.", examples: ["30s"] }),
  after: numberText(0, Number.MAX_SAFE_INTEGER)
    .optional()
    .meta({
      description:
        "The revision that the reader has: with `wait`, the answer comes when there is a newer one; at once where there is none of that number yet.",
      examples: [12],
    }),
});
export type ActiveWish = z.output<typeof ActiveQuery>;

export const ActiveReply = z
  .object({
    project_id: ProjectId,
    env: EnvironmentName,
    version: VersionLabel,
    revision: RevisionNumber,
    snapshot: Digest,
    checksum: z.string().meta({ description: "Digest of what should run; the same content has the same checksum everywhere." }),
    status: SyncStatusSchema,
    url: z.string(),
    state_url: z.string().meta({ description: "Where this revision's platform state is read." }),
    config_url: z.string().meta({ description: "Where this revision's config is read." }),
  })
  .meta({
    id: "ActiveState",
    description: "What should run in one environment.",
    examples: [
      {
        project_id: "pf-777",
        env: "production",
        version: "v2.3.1",
        revision: 13,
        snapshot: exampleHash,
        checksum: `sha256:${exampleHash}`,
        status: "ready_for_deploy",
        url: "https://preview.puraify.app/pf-777/production",
        state_url: "/env/pf-777/production/state?at=13",
        config_url: "/env/pf-777/production/config?at=13",
      },
    ],
  });

export const DeploymentReportBody = z
  .strictObject({
    project_id: ProjectId,
    env: EnvironmentName,
    version: VersionLabel,
    revision: RevisionNumber.exactOptional().meta({
      description: "The revision that was deployed; the newest with that version where not given.",
    }),
    status: z.enum(["deploying", "deployed", "failed"]),
    url: z.string().max(2048).exactOptional().meta({ description: "Where it runs. Kept as given, never called." }),
    version_id: z.string().max(256).exactOptional().meta({ description: "The planner's own name for the deployment." }),
    reason: Message.exactOptional().meta({ description: "Why it failed." }),
  })
  .meta({
    id: "DeploymentReport",
    description: "What became of a deployment.",
    examples: [
      { project_id: "pf-777", env: "production", version: "v2.3.1", revision: 13, status: "deployed", url: "https://pf-777.example.com" },
    ],
  });

export const DeploymentReply = z
  .object({
    status: z.enum(["recorded", "stale"]).meta({ description: "`stale`: a newer report is known, this one changed nothing." }),
    env: EnvironmentName,
    version: VersionLabel,
    revision: RevisionNumber,
    sync_status: SyncStatusSchema,
  })
  .meta({
    id: "DeploymentReply",
    description: "Where the environment stands now.",
    examples: [{ status: "recorded", env: "production", version: "v2.3.1", revision: 13, sync_status: "in_sync" }],
  });
