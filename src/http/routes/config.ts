import { AppError } from "../../errors.ts";
import { LIMITS } from "../../limits.ts";
import type { JsonObject } from "../../ports.ts";
import { AtQuery, EnvironmentParams } from "../../schemas/common.ts";
import { ConfigReply, ConfigWritten, PatchConfigBody, RevealBody, RevealReply, RuntimeQuery, RuntimeReply } from "../../schemas/config.ts";
import { parseJson } from "../json.ts";
import { type Route, route } from "../route.ts";

const readErrors = ["invalid_name", "project_not_found", "environment_not_found", "environment_expired", "revision_not_found"] as const;

const getConfig = route({
  method: "get",
  path: "/env/:project/:env/config",
  operationId: "getConfig",
  tag: "Config",
  summary: "Read vars, flags, and which secrets are set",
  description:
    "What is bound to the environment, of the newest revision or of the one that `at` names. Secret values are never part of it. " +
    "While the store cannot be reached and STALE_READS allows it, the newest config that is known, with its age in the headers.",
  params: EnvironmentParams,
  query: AtQuery,
  conditional: "read",
  mayBeStale: true,
  responses: { 200: { description: "The environment's config.", schema: ConfigReply } },
  errors: readErrors,
  handler: ({ params, query, domain }) => domain.config.read(params.project, params.env, query),
});

const patchConfig = route({
  method: "patch",
  path: "/env/:project/:env/config",
  operationId: "patchConfig",
  idempotent: true,
  tag: "Config",
  summary: "Set and remove vars, secrets and flags",
  description:
    "All or nothing, in one revision. Secret values go to the vault; a secret never turns back into a var. With `dry_run` it answers what would change and changes nothing.",
  params: EnvironmentParams,
  body: PatchConfigBody,
  conditional: "write",
  responses: { 200: { description: "The environment's head after the edit.", schema: ConfigWritten } },
  errors: [
    "invalid_name",
    "invalid_flag",
    "invalid_version",
    "project_not_found",
    "environment_not_found",
    "environment_archived",
    "environment_expired",
    "key_not_found",
    "precondition_failed",
    "secret_stays_secret",
    "vault_unavailable",
    "version_taken",
  ],
  async handler({ params, body, caller, domain, ifMatch }) {
    const { tag, ...written } = await domain.config.patch(caller, { ifMatch, ...params, ...body });
    return { body: written, tag };
  },
});

const getRuntime = route({
  method: "get",
  path: "/env/:project/:env/runtime",
  operationId: "getRuntime",
  tag: "Config",
  summary: "Read everything that a running platform needs",
  description:
    "Vars, flags, what the flags are for `context`, and secret **values**. For the engine that executes the platform. Audited; may not be stored.",
  params: EnvironmentParams,
  query: RuntimeQuery,
  responses: { 200: { description: "The environment's config with secret values.", schema: RuntimeReply } },
  // Its record is a write, though it is a GET.
  errors: [
    ...readErrors,
    "forbidden",
    "invalid_context",
    "secret_unavailable",
    "vault_unavailable",
    "write_conflict",
    "overloaded",
    "storage_full",
  ],
  handler: async ({ params, query: { at, context }, caller, domain }) => ({
    body: await domain.config.runtime(caller, params.project, params.env, { at, context: contextFrom(context) }),
    volatile: true,
  }),
});

const revealSecrets = route({
  method: "post",
  path: "/env/:project/:env/secrets/reveal",
  operationId: "revealSecrets",
  tag: "Config",
  summary: "Reveal secret values",
  description: "The values of the secrets named, or of all. For people who have to look. Audited; may not be stored.",
  params: EnvironmentParams,
  query: AtQuery,
  body: RevealBody,
  emptyBody: true,
  responses: { 200: { description: "The secret values.", schema: RevealReply } },
  errors: [...readErrors, "forbidden", "key_not_found", "secret_unavailable", "vault_unavailable"],
  handler: async ({ params, query, body, caller, domain }) => ({
    body: await domain.config.reveal(caller, { ...params, ...query, ...body }),
    volatile: true,
  }),
});

/** @throws invalid_context */
function contextFrom(text: string | undefined): JsonObject | undefined {
  if (text === undefined) return undefined;
  try {
    return parseJson(Buffer.from(text), LIMITS.jsonMembers) as JsonObject;
  } catch (error) {
    const reason = `\`context\` is no JSON that can be taken${error instanceof AppError ? `: ${error.message}` : "."}`;
    throw new AppError("invalid_context", {
      reason,
      fix: "Send it percent-encoded, for example context=%7B%22targetingKey%22%3A%22user-1%22%7D.",
    });
  }
}

export const configRoutes: readonly Route[] = [getConfig, patchConfig, getRuntime, revealSecrets];
