import type { Domain } from "../../domain.ts";
import type { ErrorCode } from "../../errors.ts";
import type { Caller } from "../../model.ts";
import type { ExtendRequest } from "../../previews.ts";
import { EnvironmentParams, PageQuery, ProjectParams } from "../../schemas/common.ts";
import {
  CreateEnvironmentBody,
  EnvironmentCreated,
  EnvironmentPage,
  EnvironmentsQuery,
  EnvironmentViewSchema,
  ExpiringTransitionBody,
  ProjectPage,
  TransitionBody,
  TransitionReply,
} from "../../schemas/environments.ts";
import { pageRequest } from "../page.ts";
import { type Route, route } from "../route.ts";

const createEnvironment = route({
  method: "post",
  path: "/env/create",
  operationId: "createEnvironment",
  idempotent: true,
  tag: "Environments",
  summary: "Create an environment",
  description:
    "Starts at the base's version and with copies of its vars and flags, then takes `env_variables` on top. Secrets are copied into vault entries " +
    "of the new environment's own, where the token may reveal them; what it does not have is listed in `secrets_unbound`. " +
    "Without a base it starts empty. A project's first environment creates the project. Asked again for a preview (`type` is `preview`), it is brought " +
    "up to the base's platform and keeps its config: a CI job may send the same request for every push.",
  body: CreateEnvironmentBody,
  responses: {
    201: { description: "The environment was created.", schema: EnvironmentCreated, headers: ["Location"] },
    200: { description: "The preview existed and was brought up to date; or what a dry run found.", schema: EnvironmentCreated },
  },
  errors: [
    "invalid_name",
    "invalid_version",
    "base_not_found",
    "version_not_found",
    "environment_protected",
    "environment_exists",
    "environment_archived",
    "environment_expired",
    "forbidden",
    "plan_stale",
    "version_taken",
    "secret_stays_secret",
    "secret_unavailable",
    "vault_unavailable",
  ],
  async handler({ body, caller, domain }) {
    const { project_id: project, new_environment: env, base_from: base = null, ...rest } = body;
    const reply = await domain.creation.create(caller, { project, env, base, ...rest });
    return {
      status: reply.status === "env_created" ? 201 : 200,
      ...(reply.status !== "planned" && { headers: { location: `/env/${encodeURIComponent(project)}/${encodeURIComponent(env)}` } }),
      body: reply,
    };
  },
});

const listProjects = route({
  method: "get",
  path: "/env",
  operationId: "listProjects",
  tag: "Environments",
  summary: "List projects",
  description: "All projects, a page at a time.",
  query: PageQuery,
  conditional: "read",
  responses: { 200: { description: "A page of projects.", schema: ProjectPage } },
  errors: ["invalid_request"],
  handler: async ({ query, caller, domain }) => ({ body: await domain.environments.projects(caller, pageRequest(query)) }),
});

const listEnvironments = route({
  method: "get",
  path: "/env/:project",
  operationId: "listEnvironments",
  tag: "Environments",
  summary: "List a project's environments",
  description:
    "The project, and a page of its environments with the version and status of each; previews, a status or a part of a name where asked.",
  params: ProjectParams,
  query: EnvironmentsQuery,
  conditional: "read",
  responses: { 200: { description: "The project and a page of its environments.", schema: EnvironmentPage } },
  errors: ["invalid_name", "project_not_found"],
  async handler({ params, query, caller, domain }) {
    const { limit, cursor, ...filter } = query;
    return { body: await domain.environments.list(caller, params.project, pageRequest({ limit, cursor }), filter) };
  },
});

const getEnvironment = route({
  method: "get",
  path: "/env/:project/:env",
  operationId: "getEnvironment",
  tag: "Environments",
  summary: "Read one environment",
  description: "Its head, what was deployed, whether it is held, and what it requires that is not bound.",
  params: EnvironmentParams,
  conditional: "read",
  responses: { 200: { description: "The environment.", schema: EnvironmentViewSchema } },
  errors: ["invalid_name", "project_not_found", "environment_not_found"],
  handler: async ({ params, domain }) => ({ body: await domain.environments.view(params.project, params.env) }),
});

type TransitionName = "archive" | "restore" | "hold" | "resume" | "extend";

interface Transition {
  readonly summary: string;
  readonly description: string;
  readonly errors?: readonly ErrorCode[];
  apply(domain: Domain, caller: Caller, request: ExtendRequest): Promise<unknown>;
}

const TRANSITIONS: Readonly<Record<TransitionName, Transition>> = {
  archive: {
    summary: "Archive an environment",
    description: "It takes no writes and no promotions from then on. Its history stays, and it can be restored.",
    apply: (domain, caller, request) => domain.environments.archive(caller, request),
  },
  restore: {
    summary: "Restore an archived or expired environment",
    description:
      "It comes back with the state and config that it had. An expired preview can be restored within its grace time, and needs a new end: " +
      "24 hours where none is given.",
    errors: ["environment_expired"],
    apply: (domain, caller, request) => domain.previews.restore(caller, request),
  },
  hold: {
    summary: "Hold an environment",
    description: "Keeps automatic promotions out until it is resumed; a manual one is warned, and lifts the hold.",
    apply: (domain, caller, request) => domain.environments.hold(caller, request),
  },
  resume: {
    summary: "Resume an environment",
    description: "Lifts a hold, whether a person or a rollback placed it.",
    apply: (domain, caller, request) => domain.environments.resume(caller, request),
  },
  extend: {
    summary: "Move a preview's end",
    description: "From now on by `expires_in`, or to `expires_at`, within what the policy's `max_ttl` allows.",
    errors: ["environment_expired"],
    apply: (domain, caller, request) => domain.previews.extend(caller, request),
  },
};

function transition(name: TransitionName): Route {
  const { summary, description, errors = [], apply } = TRANSITIONS[name];
  return route({
    method: "post",
    path: `/env/${name}`,
    operationId: `${name}Environment`,
    idempotent: true,
    tag: "Environments",
    summary,
    description,
    body: name === "extend" || name === "restore" ? ExpiringTransitionBody : TransitionBody,
    responses: { 200: { description: "What the environment became.", schema: TransitionReply } },
    errors: ["invalid_name", "project_not_found", "environment_not_found", "environment_archived", "invalid_transition", ...errors],
    async handler({ body, caller, domain }) {
      const { project_id: project, ...rest } = body;
      return { body: await apply(domain, caller, { project, ...rest }) };
    },
  });
}

export const environmentRoutes: readonly Route[] = [
  createEnvironment,
  listProjects,
  listEnvironments,
  getEnvironment,
  transition("archive"),
  transition("restore"),
  transition("hold"),
  transition("resume"),
  transition("extend"),
];
