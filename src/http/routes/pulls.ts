import { AppError } from "../../errors.ts";
import { EnvironmentParams } from "../../schemas/common.ts";
import {
  GitSourceBody,
  GitSourceRemoved,
  GitSourceReply,
  GitSourceWritten,
  PullBody,
  PullReply,
  PushBody,
  PushReply,
} from "../../schemas/pulls.ts";
import { objectIn, PUSH_BODY, STATE_BODY } from "../json.ts";
import { type Route, route } from "../route.ts";

const NOT_FOUND = ["invalid_name", "project_not_found", "environment_not_found"] as const;
const NOT_WRITABLE = ["environment_archived", "environment_expired"] as const;

const getSource = route({
  method: "get",
  path: "/env/:project/:env/git",
  operationId: "getGitSource",
  tag: "Git",
  summary: "Read which branch an environment follows",
  description: "The repository, its branch and folder, what became of the newest push, and the commit that was pulled last.",
  params: EnvironmentParams,
  conditional: "read",
  responses: { 200: { description: "The source.", schema: GitSourceReply } },
  errors: NOT_FOUND,
  handler: async ({ params, domain }) => ({ body: await domain.gitSources.read(params.project, params.env) }),
});

const putSource = route({
  method: "put",
  path: "/env/:project/:env/git",
  operationId: "putGitSource",
  tag: "Git",
  summary: "Have an environment follow a branch",
  description:
    "Pulled by POST …/git/pull, and by each push that a forge's webhook tells of at POST …/git/hook. The secret that pushes are signed with " +
    "is shown in this reply and never again, so that the request takes no Idempotency-Key.",
  params: EnvironmentParams,
  body: GitSourceBody,
  responses: { 200: { description: "The source.", schema: GitSourceWritten } },
  errors: [...NOT_FOUND, ...NOT_WRITABLE, "target_not_allowed", "vault_unavailable", "repository_unavailable"],
  handler: async ({ params, body, caller, domain }) => ({
    body: await domain.gitSources.set(caller, params.project, params.env, body),
    volatile: true,
  }),
});

const deleteSource = route({
  method: "delete",
  path: "/env/:project/:env/git",
  operationId: "deleteGitSource",
  idempotent: true,
  tag: "Git",
  summary: "Follow a branch no more",
  description: "Its secrets leave the vault. What was pulled stays.",
  params: EnvironmentParams,
  responses: { 200: { description: "It is gone.", schema: GitSourceRemoved } },
  errors: [...NOT_FOUND, "git_source_not_found"],
  handler: async ({ params, caller, domain }) => ({ body: await domain.gitSources.remove(caller, params.project, params.env) }),
});

const pull = route({
  method: "post",
  path: "/env/:project/:env/git/pull",
  operationId: "pull",
  idempotent: true,
  tag: "Git",
  summary: "Bring a commit into an environment",
  description:
    "Merges what the commit changed with what the environment changed since the last one, asks every check, and makes one revision that names " +
    "the commit and its author. `dry_run` answers the plan; sending its `plan_id` applies exactly that plan or nothing. Without `commit` the " +
    "engine fetches the branch that the environment follows.",
  params: EnvironmentParams,
  body: PullBody,
  bodyBounds: STATE_BODY,
  emptyBody: true,
  responses: { 200: { description: "Applied, planned (`dry_run`), or nothing to do.", schema: PullReply } },
  errors: [
    ...NOT_FOUND,
    ...NOT_WRITABLE,
    "invalid_version",
    "invalid_flag",
    "invalid_repository",
    "target_not_allowed",
    "forbidden",
    "git_source_not_found",
    "branch_not_found",
    "revision_not_found",
    "environment_protected",
    "checks_failed",
    "merge_conflict",
    "history_rewritten",
    "plan_stale",
    "version_taken",
    "secret_stays_secret",
    "secret_unavailable",
    "vault_unavailable",
    "validation_unavailable",
    "repository_unavailable",
  ],
  async handler({ params, body, caller, domain, connection }) {
    const { commit, ...rest } = body;
    if (commit !== undefined) return { body: await domain.pulls.pull(caller, { ...params, ...rest, commit }) };
    const { rewritten, resolve, dry_run, plan_id, bump, version, message, ...content } = rest;
    checkNothing(content);
    const choices = { rewritten, resolve, dry_run, plan_id, bump, version, message };
    return { body: await domain.gitSources.pull(caller, { ...params, ...choices }, connection.signal) };
  },
});

/** Content of no commit would be passed over without a word. @throws invalid_request */
function checkNothing(content: object): void {
  const [member] = Object.keys(content);
  if (member === undefined) return;
  throw new AppError("invalid_request", {
    reason: `\`${member}\` is given without the \`commit\` that it is of.`,
    fix: "Send the commit too, or nothing of its content, to have the engine fetch the branch that the environment follows.",
  });
}

const hook = route({
  method: "post",
  path: "/env/:project/:env/git/hook",
  operationId: "takePush",
  tag: "Git",
  summary: "Tell of a push",
  description:
    "For a forge's webhook, with the secret that PUT …/git showed: the body is signed as GitHub signs it, in `X-Hub-Signature-256`. A push to the " +
    "branch that the environment follows is pulled at once; what became of it is shown by GET …/git.",
  params: EnvironmentParams,
  signedBody: PushBody,
  responses: { 202: { description: "It was taken.", schema: PushReply } },
  errors: ["unauthorized"],
  async handler({ params, caller, domain, connection }) {
    const raw = await connection.readBytes(PUSH_BODY);
    const delivery = {
      id: connection.header("x-github-delivery"),
      event: connection.header("x-github-event"),
      signature: connection.header("x-hub-signature-256"),
      raw,
      read: () => objectIn(raw, PUSH_BODY),
    };
    return { status: 202, body: await domain.gitSources.hook(caller.requestId, params.project, params.env, delivery), volatile: true };
  },
});

export const pullRoutes: readonly Route[] = [getSource, putSource, deleteSource, pull, hook];
