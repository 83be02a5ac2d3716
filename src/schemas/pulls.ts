import * as z from "zod";
import { LIMITS } from "../limits.ts";
import {
  AnyJson,
  AnyObject,
  DiffFromPreviousSchema,
  EnvironmentName,
  editMembers,
  exampleOf,
  mapOf,
  ProjectId,
  RevisionNumber,
  Timestamp,
  VersionLabel,
} from "./common.ts";
import { CheckResultSchema, ConflictSchema } from "./promotions.ts";

/** What comes in from repositories: pulls, and the branch that an environment follows. */

const commitId = "6f1ed002ab5595859014ebf0951522d9f1e4b378";

const CommitId = z
  .string()
  .regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/, "must be a commit's whole id: 40 or 64 hexadecimal digits")
  .meta({ description: "A commit's id.", examples: [commitId] });

const Person = z
  .string()
  .max(LIMITS.commitAuthorLength)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is refused
  .regex(/^[^\x00-\x1f\x7f]*$/, "must not hold control characters");

const CommitSchema = z
  .strictObject({
    id: CommitId,
    author: Person.meta({ description: "Who wrote it, as the commit says." }),
    email: Person,
    at: z.iso.datetime().meta({ description: "When it was authored, in UTC." }),
    message: z.string().max(LIMITS.commitMessageLength),
  })
  .meta({
    id: "Commit",
    description: "The commit that is pulled. Its author is the repository's word, and kept beside who pulled it.",
    examples: [{ id: commitId, author: "Grace", email: "grace@example.com", at: "2026-01-31T12:00:00.000Z", message: "Two steps more" }],
  });

const names = (description: string) => z.array(z.string().max(LIMITS.componentNameBytes)).exactOptional().meta({ description });

export const PullBody = z
  .strictObject({
    commit: CommitSchema.exactOptional().meta({
      description:
        "The commit, with what it brings in the other members. Left out, the engine fetches the branch that the environment follows.",
    }),
    path: z
      .string()
      .max(LIMITS.folderBytes)
      .exactOptional()
      .meta({ description: "The folder of the repository that it is of; the root where not given." }),
    from: CommitId.exactOptional().meta({
      description: "The commit that was pulled last: what is sent is the difference to it. Left out, it is all that the commit holds.",
    }),
    base_revision: RevisionNumber.exactOptional().meta({
      description: "The environment's revision that the commit was made on, where the repository is a clone of the engine's own.",
    }),
    rewritten: z.boolean().exactOptional().meta({ description: "Takes a commit that does not descend from the one that was pulled last." }),
    set: mapOf(AnyJson).exactOptional().meta({ description: "Components, by `collection/name`." }),
    remove: names("Components that are gone, as `collection/name`."),
    vars: mapOf(z.string()).exactOptional(),
    flags: mapOf(AnyJson).exactOptional(),
    evaluators: mapOf(AnyJson).exactOptional(),
    flag_metadata: mapOf(AnyJson).exactOptional(),
    unset: names("Config that is gone: `vars/NAME`, `flags/name`, `evaluators/name`, `flag_metadata/name`."),
    secrets: names("Secrets that the commit refers to. Their values never come from a repository."),
    resolve: AnyObject.exactOptional().meta({
      description:
        "Settles conflicts, by component (of config `config:vars/NAME`): `ours` keeps what the environment has, `theirs` takes the commit's, anything else is the new body.",
      examples: [{ "flows/onboarding": "theirs" }],
    }),
    dry_run: z.boolean().exactOptional().meta({ description: "Answers the plan and changes nothing." }),
    plan_id: z.string().max(64).exactOptional().meta({ description: "Applies this plan, or is refused where anything changed since." }),
    ...editMembers,
  })
  .meta({
    id: "Pull",
    description: "What a commit brings; or nothing, to have the engine fetch it.",
    examples: [
      { dry_run: true },
      {
        commit: exampleOf(CommitSchema),
        from: "0".repeat(40),
        set: { "flows/onboarding": { steps: 3 } },
        remove: [],
        vars: { REGION: "eu" },
      },
    ],
  });

const head = { project_id: ProjectId, env: EnvironmentName };

export const PullReply = z
  .object({
    status: z.enum(["updated", "planned", "no_changes"]),
    ...head,
    version: VersionLabel,
    revision: RevisionNumber,
    commit: CommitId,
    pulled_before: CommitId.nullable().meta({ description: "The commit that was pulled before." }),
    plan_id: z
      .string()
      .meta({ description: "Covers the commit's content, the environment, the policy and the request, never time or outcomes." }),
    checks: z.array(CheckResultSchema),
    diff_from_previous: DiffFromPreviousSchema,
    applicable: z.boolean().exactOptional().meta({ description: "Of a plan: whether it would be applied now." }),
    changes_nothing: z.boolean().exactOptional().meta({ description: "Of a plan: whether the environment has all of it already." }),
    conflicts: z
      .array(ConflictSchema)
      .exactOptional()
      .meta({ description: "What the environment and the repository both changed, as a merge shows it: `ours` is the environment's." }),
    secrets_unbound: z.array(z.string()).meta({ description: "Secrets that the commit refers to and the environment lacks." }),
  })
  .meta({
    id: "PullReply",
    description: "Applied as one revision (`updated`), planned (`dry_run`), or nothing to do (`no_changes`).",
    examples: [
      {
        status: "updated",
        project_id: "pf-777",
        env: "staging",
        version: "v2.4.0",
        revision: 13,
        commit: commitId,
        pulled_before: "0".repeat(40),
        plan_id: "3f0a6f2c9d41b7e85a60c2d9f1e4b378",
        checks: [exampleOf(CheckResultSchema)],
        diff_from_previous: exampleOf(DiffFromPreviousSchema),
        secrets_unbound: [],
      },
    ],
  });

const Url = z
  .string()
  .min(1)
  .max(LIMITS.urlLength)
  .meta({
    description: "The repository: https, a public address, without credentials.",
    examples: ["https://git.example.com/platform.git"],
  });

export const GitSourceBody = z
  .strictObject({
    url: Url,
    branch: z
      .string()
      .min(1)
      .max(LIMITS.branchBytes)
      .meta({ description: "The branch that the environment follows.", examples: ["main"] }),
    path: z
      .string()
      .max(LIMITS.folderBytes)
      .exactOptional()
      .meta({
        description: "The folder in it that holds the environment's files; the root where not given.",
        examples: ["deploy/staging"],
      }),
    username: z
      .string()
      .min(1)
      .max(256)
      .regex(/^[\x20-\x39\x3b-\x7e]+$/, "must be printable ASCII without `:`")
      .exactOptional()
      .meta({
        description: "Who the credential belongs to; most forges take any.",
      }),
    credential: z
      .string()
      .min(1)
      .max(4_096)
      .regex(/^[\x21-\x7e]+$/, "must be visible ASCII characters")
      .nullable()
      .exactOptional()
      .meta({
        description:
          "A token that may read the repository, kept in the vault; `null` takes it away. Left out, it stays, for the same host.",
      }),
    rotate_hook: z.boolean().exactOptional().meta({ description: "Makes a new secret for pushes to be signed with." }),
  })
  .meta({
    id: "GitSourceBody",
    description: "The branch of a repository that the environment follows.",
    examples: [{ url: "https://git.example.com/platform.git", branch: "main", path: "deploy/staging" }],
  });

const sourceExample = {
  url: "https://git.example.com/platform.git",
  branch: "main",
  path: "deploy/staging",
  username: null,
  has_credential: false,
  updated_at: "2026-01-31T12:00:00.000Z",
  updated_by: "ada",
  waiting: false,
  outcome: null,
};

const GitSourceSchema = z.object({
  url: z.string(),
  branch: z.string(),
  path: z.string(),
  username: z.string().nullable(),
  has_credential: z.boolean(),
  updated_at: Timestamp,
  updated_by: z.string(),
  waiting: z.boolean().meta({ description: "Whether a push was taken that has not been pulled yet." }),
  outcome: z
    .object({
      at: Timestamp,
      status: z.enum(["updated", "no_changes", "refused", "failed"]).meta({ description: "What `failed` is tried again by itself." }),
      commit: CommitId.nullable(),
      revision: RevisionNumber.nullable(),
      code: z.string().nullable(),
      reason: z.string().nullable(),
      fix: z.string().nullable(),
      checks: z.array(CheckResultSchema),
      conflicts: z.array(z.string()),
    })
    .nullable()
    .meta({ description: "What became of the newest push." }),
});

export const GitSourceReply = z
  .object({
    ...head,
    source: GitSourceSchema.nullable(),
    pulled: z
      .object({ commit: CommitId, path: z.string(), revision: RevisionNumber, at: Timestamp, by: z.string() })
      .nullable()
      .meta({ description: "The commit that was pulled last, whichever way it came." }),
  })
  .meta({
    id: "GitSource",
    description: "The branch that the environment follows, and the commit that it was last brought up to.",
    examples: [
      {
        project_id: "pf-777",
        env: "staging",
        source: sourceExample,
        pulled: { commit: commitId, path: "deploy/staging", revision: 13, at: "2026-01-31T12:00:00.000Z", by: "ada" },
      },
    ],
  });

export const GitSourceWritten = z
  .object({
    ...head,
    source: GitSourceSchema,
    hook_secret: z.string().exactOptional().meta({ description: "What pushes are signed with: shown where it was made, and never again." }),
  })
  .meta({
    id: "GitSourceWritten",
    description: "The branch that the environment follows from now on.",
    examples: [{ project_id: "pf-777", env: "staging", source: sourceExample, hook_secret: `whsec_${"x".repeat(43)}=` }],
  });

export const GitSourceRemoved = z.object({ status: z.literal("removed"), ...head }).meta({
  id: "GitSourceRemoved",
  description: "It follows nothing any more.",
  examples: [{ status: "removed", project_id: "pf-777", env: "staging" }],
});

export const PushBody = AnyObject.meta({
  id: "Push",
  description: "A push, as GitHub, Gitea and Forgejo tell of it.",
  examples: [{ ref: "refs/heads/main", after: commitId, deleted: false }],
});

export const PushReply = z
  .object({
    status: z.enum(["accepted", "duplicate", "ignored", "pong"]).meta({
      description:
        "`accepted`: it will be pulled. `duplicate`: it was taken before. `ignored`: it is no push to the branch that is followed.",
    }),
  })
  .meta({ id: "PushReply", description: "What is done about it.", examples: [{ status: "accepted" }] });
