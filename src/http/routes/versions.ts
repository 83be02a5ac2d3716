import { EnvironmentParams, PageQuery, ProjectParams } from "../../schemas/common.ts";
import {
  RevisionEntry,
  RevisionPage,
  RevisionParams,
  RollbackBody,
  RollbackReply,
  VersionPage,
  VersionParams,
} from "../../schemas/versions.ts";
import { pageRequest } from "../page.ts";
import { type Route, route } from "../route.ts";

const rollback = route({
  method: "post",
  path: "/env/rollback",
  operationId: "rollback",
  idempotent: true,
  tag: "Versions",
  summary: "Roll an environment back",
  description:
    "Platform state and config return, secret references included, as a new revision: history is only ever added to. Places a hold, " +
    "so that nothing automatic undoes it.",
  body: RollbackBody,
  responses: { 200: { description: "The environment's head after the rollback.", schema: RollbackReply } },
  errors: [
    "invalid_name",
    "invalid_version",
    "project_not_found",
    "environment_not_found",
    "environment_archived",
    "environment_expired",
    "version_not_found",
    "revision_not_found",
    "secret_unavailable",
    "plan_stale",
    "vault_unavailable",
  ],
  async handler({ body, caller, domain }) {
    const { project_id: project, ...rest } = body;
    return { body: await domain.versions.rollback(caller, { project, ...rest }) };
  },
});

const listRevisions = route({
  method: "get",
  path: "/env/:project/:env/revisions",
  operationId: "listRevisions",
  tag: "Versions",
  summary: "Read the version log of an environment",
  description: "Every revision with who, when, why and what changed; newest first.",
  params: EnvironmentParams,
  query: PageQuery,
  conditional: "read",
  responses: { 200: { description: "A page of revisions.", schema: RevisionPage } },
  errors: ["invalid_name", "project_not_found", "environment_not_found"],
  handler: async ({ params, query, domain }) => ({ body: await domain.versions.revisions(params.project, params.env, pageRequest(query)) }),
});

const getRevision = route({
  method: "get",
  path: "/env/:project/:env/revisions/:n",
  operationId: "getRevision",
  tag: "Versions",
  summary: "Read one revision",
  description: "One entry of the version log.",
  params: RevisionParams,
  conditional: "read",
  responses: { 200: { description: "The revision.", schema: RevisionEntry } },
  errors: ["invalid_name", "project_not_found", "environment_not_found", "revision_not_found"],
  handler: async ({ params, domain }) => ({ body: await domain.versions.revision(params.project, params.env, params.n) }),
});

const listVersions = route({
  method: "get",
  path: "/env/:project/versions",
  operationId: "listVersions",
  tag: "Versions",
  summary: "List a project's versions",
  description: "Every version that was ever made in the project, with the revision that made it; newest first.",
  params: ProjectParams,
  query: PageQuery,
  conditional: "read",
  responses: { 200: { description: "A page of versions.", schema: VersionPage } },
  errors: ["invalid_name", "project_not_found"],
  handler: async ({ params, query, caller, domain }) => ({
    body: await domain.versions.versions(caller, params.project, pageRequest(query)),
  }),
});

const getVersion = route({
  method: "get",
  path: "/env/:project/versions/:version",
  operationId: "getVersion",
  tag: "Versions",
  summary: "Read one version",
  description: "The revision that made a version.",
  params: VersionParams,
  conditional: "read",
  responses: { 200: { description: "The version.", schema: RevisionEntry } },
  errors: ["invalid_name", "invalid_version", "project_not_found", "version_not_found"],
  handler: async ({ params, caller, domain }) => ({ body: await domain.versions.version(caller, params.project, params.version) }),
});

export const versionRoutes: readonly Route[] = [rollback, listRevisions, getRevision, listVersions, getVersion];
