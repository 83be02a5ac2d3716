import type { Grant } from "./access.ts";
import type { GitOrigin } from "./git-origins.ts";
import type { Hash, Json, JsonObject } from "./ports.ts";

export type { AuditRecord } from "./ports.ts";

/** The words of the domain as frozen plain data. Field names are those of the documents in the store and of the HTTP API. */

export type EnvironmentType = "development" | "staging" | "production" | "preview" | "custom";
export type EnvironmentStatus = "active" | "expired" | "archived";
export type SyncStatus = "in_sync" | "ready_for_deploy" | "deploying" | "failed" | "never_deployed";

const REVISION_ACTIONS = ["create", "update", "config", "promote", "rollback", "expire", "restore", "archive"] as const;
export type RevisionAction = (typeof REVISION_ACTIONS)[number];

/** What the audit chain of a project tells of. */
export const PROJECT_ACTIONS = [
  ...REVISION_ACTIONS,
  ...(["hold", "resume", "extend", "deployment", "policy", "rollback_failed", "preview_url"] as const),
  ...(["request_promotion", "approve", "reject", "void_promotion", "expire_promotion", "validation_failed"] as const),
  ...(["reveal", "clear", "collect"] as const),
  ...(["webhook_created", "webhook_updated", "webhook_deleted", "webhook_rotated", "webhook_disabled"] as const),
  ...(["git_source", "pull", "pull_refused", "mirror_set", "mirror_removed"] as const),
] as const;

/** What the chain of `_system` tells of. */
export const ACCESS_ACTIONS = [
  "token_created",
  "token_rotated",
  "token_revoked",
  "token_refused",
  "access_refused",
  "audit_key_made",
] as const;

export type AuditAction = (typeof PROJECT_ACTIONS)[number] | (typeof ACCESS_ACTIONS)[number];

/** What a Deployment Planner says of a deployment. */
export const DEPLOYMENT_STATUSES = ["deploying", "deployed", "failed"] as const;

/** Two Merkle roots: everything that one revision of an environment consists of. */
export interface Snapshot {
  readonly platform: Hash;
  readonly config: Hash;
}

/** A request that must take effect once, however often it is sent. */
export interface Once {
  /** Names the token, the route and the key; a document's key is made of it. */
  readonly id: string;
  /** Keyed hash of what the request asks for. */
  readonly content: Hash;
}

/** Who asks, and what they may. */
export interface Caller {
  /** The acting user: what revisions and audit records name first. */
  readonly actor: string;
  /** Whose token it is: the actor too, unless a sibling engine acts for somebody. */
  readonly subject: string;
  /** The token's id: what idempotency keys belong to. */
  readonly token: string;
  readonly requestId: string;
  /** Where the request carries an idempotency key. */
  readonly once?: Once;
  readonly grants: readonly Grant[];
}

interface Hold {
  readonly by: string;
  readonly at: string;
  readonly reason: string;
}

/** What the Deployment Planner last reported. */
export interface Deployment {
  readonly status: (typeof DEPLOYMENT_STATUSES)[number];
  readonly version: string;
  readonly revision: number;
  /** The id of the snapshot that was deployed. */
  readonly snapshot: Hash;
  readonly at: string;
  readonly by: string;
  readonly url?: string;
  readonly version_id?: string;
  readonly reason?: string;
  /** Why it failed to be taken back, where the policy asked for that. */
  readonly rollback_error?: string;
}

/** The document `env/<name>`: the head of one environment. */
export interface Environment extends Snapshot {
  readonly env: string;
  readonly type: EnvironmentType;
  readonly status: EnvironmentStatus;
  readonly created_at: string;
  readonly created_by: string;
  readonly base_from: string | null;
  readonly revision: number;
  readonly version: string;
  /** Since when the head has had its platform: what soaking counts. */
  readonly platform_since: string;
  /** The revision at which the head's label was made, where that was here. */
  readonly labelled_at: number | null;
  readonly updated_at: string;
  readonly updated_by: string;
  readonly url: string;
  readonly hold: Hold | null;
  /** The newest report, whatever it said. */
  readonly deployment: Deployment | null;
  /** The newest report that said `deployed`. */
  readonly deployed: Deployment | null;
  readonly expires_at: string | null;
  /** The pull request or ticket that a preview is for. */
  readonly source_ref: string | null;
  /** When an expired preview's secrets left the vault: it cannot be brought back since. */
  readonly cleared_at: string | null;
}

export interface RevisionRef {
  readonly env: string;
  readonly revision: number;
}

/** A list of names cut at a bound, with the exact number beside it. */
export interface Names {
  readonly count: number;
  readonly names: readonly string[];
}

/** What one revision changed, in words and counts: of bounded size, whatever the size of the change. */
export interface ChangeSummary {
  readonly components_added: number;
  readonly components_changed: number;
  readonly components_removed: number;
  readonly entities_added: readonly string[];
  readonly flows_updated: number;
  readonly logic_changed: number;
  readonly feature_flags: readonly string[];
  readonly env_vars_changed: readonly string[];
}

/** The document `rev/<env>/<n>`: the nth state of one environment. */
export interface Revision extends Snapshot {
  readonly project_id: string;
  readonly env: string;
  readonly revision: number;
  readonly version: string;
  readonly action: RevisionAction;
  readonly snapshot: Hash;
  readonly created_by: string;
  readonly timestamp: string;
  readonly message: string | null;
  readonly parents: readonly RevisionRef[];
  readonly changes: ChangeSummary;
  /** A promotion's source. */
  readonly source?: RevisionRef & { readonly version: string };
  /** The label that a selective or merged promotion took its content from. */
  readonly source_version?: string;
  /** The commit of a repository that it was pulled from. */
  readonly git?: GitOrigin;
  /** Newest revision of each line of descent among the ancestors, itself included: `src/lineage.ts`. */
  readonly lineage: readonly (readonly [line: string, revision: number])[];
}

/** The document `label/<version>`: names exactly one platform root of the project. */
export interface Label {
  readonly version: string;
  readonly platform: Hash;
  /** Where the label was first given. */
  readonly env: string;
  readonly revision: number;
  readonly created_at: string;
}

export type Bump = "major" | "minor" | "patch";

/** How a write's version is chosen where it makes a new one. */
export interface Labelling {
  readonly bump?: Bump | undefined;
  readonly version?: string | undefined;
}

/** A value in `env_variables`: a bare string is a secret where its name or content says so. */
export type VariableInput = string | { readonly value: string; readonly secret: boolean };

/** A flagd flag definition; `true` and `false` on input are shorthand for a boolean flag. */
export interface FlagDefinition extends JsonObject {
  readonly state: "ENABLED" | "DISABLED";
  readonly variants: JsonObject;
}

export type CheckName =
  | "pipeline_order"
  | "environment_protected"
  | "freeze_window"
  | "hold"
  | "soak_time"
  | "diverged"
  | "config_complete"
  | "secrets_isolated"
  | "validation"
  | "approvals";

/** One question that a plan asks, with its answer. */
export interface CheckResult {
  readonly name: CheckName;
  readonly status: "passed" | "failed" | "warning" | "skipped";
  readonly reason: string;
  readonly fix?: string;
  readonly details?: Readonly<Record<string, Json>>;
}

/** What a promotion or rollback changes in its target, as the API shows it. */
export interface DiffFromPrevious {
  readonly entities_added: readonly string[];
  readonly logic_changed: number;
  readonly env_updated: readonly string[];
  readonly components: { readonly added: Names; readonly changed: Names; readonly removed: Names };
  readonly flags_changed: readonly string[];
}

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly next_cursor: string | null;
}

export interface PageRequest {
  readonly limit: number;
  readonly cursor: string | null;
}
