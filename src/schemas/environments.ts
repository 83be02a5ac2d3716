import * as z from "zod";
import { LIMITS } from "../limits.ts";
import {
  Digest,
  EnvironmentName,
  EnvironmentTypeName,
  exampleHash,
  Message,
  mapOf,
  ProjectId,
  pageMembers,
  pageOf,
  RevisionNumber,
  switchText,
  Timestamp,
  VariableValue,
  VersionLabel,
} from "./common.ts";

const expiryMembers = {
  expires_in: z
    .string()
    .exactOptional()
    .meta({ description: "How long a preview lives, from now on: `1h`, `24h`, `72h`, `7d`.", examples: ["72h"] }),
  expires_at: z
    .string()
    .exactOptional()
    .meta({ description: "Or until when, ISO 8601.", examples: ["2030-01-31T12:00:00Z"] }),
};

export const CreateEnvironmentBody = z
  .strictObject({
    project_id: ProjectId.meta({ description: "The project. Its first environment creates it." }),
    new_environment: EnvironmentName.meta({ description: "The environment to create." }),
    base_from: EnvironmentName.nullable()
      .exactOptional()
      .meta({ description: "The environment whose version and config it starts from; without one it starts empty." }),
    env_variables: mapOf(VariableValue).exactOptional().meta({ description: "Vars and secrets of its own, on top of the base's." }),
    type: EnvironmentTypeName.exactOptional(),
    secrets: z
      .enum(["copy", "empty"])
      .exactOptional()
      .meta({ description: "Whether the base's secrets are copied into the new environment's own vault entries." }),
    version: VersionLabel.exactOptional().meta({
      description: "Starts from this version of the base instead of its newest; or gives an unused one to what it starts with.",
    }),
    ...expiryMembers,
    source_ref: z
      .string()
      .max(LIMITS.sourceRefLength)
      .exactOptional()
      .meta({ description: "The pull request or ticket that a preview is for.", examples: ["https://git.example.com/pulls/142"] }),
    dry_run: z.boolean().exactOptional().meta({ description: "Answers what would be made, and makes nothing." }),
    plan_id: z
      .string()
      .max(64)
      .exactOptional()
      .meta({ description: "Makes what a dry run answered under this id, or is refused where anything changed since." }),
    message: Message.exactOptional(),
  })
  .meta({
    id: "CreateEnvironment",
    description: "What to create, and from what.",
    examples: [
      {
        project_id: "pf-777",
        new_environment: "staging",
        base_from: "development",
        env_variables: { API_URL: "https://staging.example.com", API_KEY: "sk-test-1" },
      },
    ],
  });

export const EnvironmentCreated = z
  .object({
    status: z.enum(["env_created", "env_updated", "planned"]),
    env: EnvironmentName,
    linked_version: VersionLabel,
    url: z.string(),
    revision: RevisionNumber,
    type: EnvironmentTypeName,
    expires_at: Timestamp.nullable().meta({ description: "When a preview ends." }),
    plan_id: z.string().meta({ description: "Covers the base, a preview of that name, the policy and the request." }),
    stored: z.object({ vars: z.array(z.string()), secrets: z.array(z.string()) }).meta({ description: "What was kept as what." }),
    warning: z.string().exactOptional().meta({ description: "What went less than well: the environment exists all the same." }),
    secrets_unbound: z.array(z.string()).meta({ description: "Secrets of the base that the new environment does not have." }),
  })
  .meta({
    id: "EnvironmentCreated",
    description: "The new environment.",
    examples: [
      {
        status: "env_created",
        env: "staging",
        linked_version: "v1.4.3",
        url: "https://preview.puraify.app/pf-777/staging",
        revision: 1,
        type: "staging",
        expires_at: null,
        plan_id: "5c0e9a7d3b2f4861a9d0c7e5b3f182640a6d9e7c",
        stored: { vars: ["API_URL"], secrets: ["API_KEY"] },
        secrets_unbound: [],
      },
    ],
  });

const HoldSchema = z.object({ by: z.string(), at: Timestamp, reason: z.string() }).meta({
  id: "Hold",
  description: "Keeps automatic promotions out.",
  examples: [{ by: "ada", at: "2025-01-31T12:00:00.000Z", reason: "rolled back" }],
});

const DeploymentSchema = z
  .object({
    status: z.enum(["deploying", "deployed", "failed"]),
    version: VersionLabel,
    revision: RevisionNumber,
    snapshot: Digest,
    at: Timestamp,
    by: z.string(),
    url: z.string().exactOptional(),
    version_id: z.string().exactOptional(),
    reason: z.string().exactOptional(),
    rollback_error: z.string().exactOptional().meta({ description: "Why `rollback_on_failure` could not take it back." }),
  })
  .meta({
    id: "Deployment",
    description: "What the deployment planner reported.",
    examples: [
      { status: "deployed", version: "v2.3.1", revision: 12, snapshot: exampleHash, at: "2025-01-31T12:00:00.000Z", by: "planner" },
    ],
  });

export const SyncStatusSchema = z
  .enum(["in_sync", "ready_for_deploy", "deploying", "failed", "never_deployed"])
  .meta({ description: "Whether what runs is what should run." });

const environmentExample = {
  project_id: "pf-777",
  env: "staging",
  type: "staging",
  status: "active",
  version: "v2.3.1",
  revision: 12,
  snapshot: exampleHash,
  sync_status: "in_sync",
  hold: null,
  url: "https://preview.puraify.app/pf-777/staging",
  created_at: "2025-01-01T12:00:00.000Z",
  created_by: "ada",
  updated_at: "2025-01-31T12:00:00.000Z",
  updated_by: "ada",
  base_from: "development",
  expires_at: null,
  source_ref: null,
  cleared_at: null,
  protected: false,
  deployment: null,
  deployed: null,
  config_complete: true,
  unbound: [],
};

export const EnvironmentViewSchema = z
  .object({
    project_id: ProjectId,
    env: EnvironmentName,
    type: EnvironmentTypeName,
    status: z.enum(["active", "expired", "archived"]),
    version: VersionLabel,
    revision: RevisionNumber,
    snapshot: Digest.meta({ description: "Digest of platform state and config together." }),
    sync_status: SyncStatusSchema,
    hold: HoldSchema.nullable(),
    url: z.string(),
    created_at: Timestamp,
    created_by: z.string(),
    updated_at: Timestamp,
    updated_by: z.string(),
    base_from: EnvironmentName.nullable(),
    expires_at: Timestamp.nullable(),
    source_ref: z.string().nullable().meta({ description: "The pull request or ticket that a preview is for." }),
    cleared_at: Timestamp.nullable().meta({
      description: "When an expired preview's secrets left the vault: it cannot be restored since.",
    }),
    protected: z.boolean().meta({ description: "Whether its platform state changes by promotion alone." }),
    deployment: DeploymentSchema.nullable().meta({ description: "The newest report." }),
    deployed: DeploymentSchema.nullable().meta({ description: "The newest report that said `deployed`." }),
    config_complete: z.boolean().meta({ description: "Whether everything that the platform requires is bound." }),
    unbound: z
      .array(z.string())
      .meta({ description: "What is required, has no default and is not bound, as `vars/NAME`, `secrets/NAME` or `flags/NAME`." }),
  })
  .meta({ id: "Environment", description: "One environment: its head and where it stands.", examples: [environmentExample] });

const projectExample = { project_id: "pf-777", created_at: "2025-01-01T12:00:00.000Z", created_by: "ada" };
const ProjectListed = z
  .object({ project_id: ProjectId, created_at: Timestamp, created_by: z.string() })
  .meta({ id: "Project", description: "One project.", examples: [projectExample] });

export const ProjectPage = pageOf(ProjectListed).meta({
  id: "ProjectPage",
  description: "A page of projects.",
  examples: [{ items: [projectExample], next_cursor: null }],
});

export const EnvironmentsQuery = z.strictObject({
  ...pageMembers,
  previews: z
    .enum(["only", "none"])
    .optional()
    .meta({ description: "`only` previews, or everything but them.", examples: ["only"] }),
  status: z
    .enum(["active", "expired", "archived"])
    .optional()
    .meta({ description: "Only those of this status.", examples: ["active"] }),
  search: z
    .string()
    .max(63)
    .optional()
    .meta({ description: "Only those whose name has this in it.", examples: ["pr-1"] }),
  count: switchText.optional().meta({ description: "`1` tells how many there are on all pages, in `total`." }),
});

export const EnvironmentPage = pageOf(EnvironmentViewSchema)
  .extend({
    project_id: ProjectId,
    created_at: Timestamp,
    created_by: z.string(),
    total: z.int().min(0).exactOptional().meta({ description: "How many there are on all pages, where `count` asks for it." }),
  })
  .meta({
    id: "EnvironmentPage",
    description: "A project and a page of its environments.",
    examples: [{ ...projectExample, items: [environmentExample], next_cursor: null }],
  });

const transitionMembers = {
  project_id: ProjectId,
  env: EnvironmentName,
  reason: Message.exactOptional().meta({ description: "Why; kept in history and audit." }),
};

export const ExpiringTransitionBody = z.strictObject({ ...transitionMembers, ...expiryMembers }).meta({
  id: "ExpiringTransition",
  description: "Which preview, and until when.",
  examples: [{ project_id: "pf-777", env: "pr-142", expires_in: "24h" }],
});

export const TransitionBody = z.strictObject(transitionMembers).meta({
  id: "Transition",
  description: "Which environment, and why.",
  examples: [{ project_id: "pf-777", env: "staging", reason: "Freeze until the incident is understood." }],
});

export const TransitionReply = z
  .object({
    status: z.enum(["archived", "restored", "held", "resumed", "extended"]),
    env: EnvironmentName,
    version: VersionLabel,
    revision: RevisionNumber,
    expires_at: Timestamp.nullable(),
  })
  .meta({
    id: "TransitionReply",
    description: "What the environment became.",
    examples: [{ status: "held", env: "staging", version: "v2.3.1", revision: 12, expires_at: null }],
  });
