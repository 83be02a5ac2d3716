import { AtQuery, EnvironmentParams } from "../../schemas/common.ts";
import {
  CollectionParams,
  CollectionReply,
  ComponentParams,
  ComponentReply,
  PatchStateBody,
  ReplaceStateBody,
  StateReply,
  StateWritten,
} from "../../schemas/state.ts";
import { STATE_BODY } from "../json.ts";
import { type Route, route } from "../route.ts";

const readErrors = ["invalid_name", "project_not_found", "environment_not_found", "environment_expired", "revision_not_found"] as const;
const writeErrors = [
  "invalid_name",
  "invalid_flag",
  "invalid_version",
  "project_not_found",
  "environment_not_found",
  "environment_archived",
  "environment_expired",
  "environment_protected",
  "precondition_failed",
  "version_taken",
] as const;

const getState = route({
  method: "get",
  path: "/env/:project/:env/state",
  operationId: "getState",
  tag: "State",
  summary: "Read the platform state",
  description: "All components by collection and name, of the newest revision or of the one that `at` names.",
  params: EnvironmentParams,
  query: AtQuery,
  conditional: "read",
  responses: { 200: { description: "The whole platform state.", schema: StateReply } },
  errors: readErrors,
  handler: ({ params, query, domain }) => domain.state.read(params.project, params.env, at(query)),
});

const getCollection = route({
  method: "get",
  path: "/env/:project/:env/state/:collection",
  operationId: "getCollection",
  tag: "State",
  summary: "Read one collection",
  description: "The components of one collection, by name.",
  params: CollectionParams,
  query: AtQuery,
  conditional: "read",
  responses: { 200: { description: "The collection.", schema: CollectionReply } },
  errors: [...readErrors, "collection_not_found"],
  handler: ({ params, query, domain }) => domain.state.read(params.project, params.env, { ...at(query), collection: params.collection }),
});

const getComponent = route({
  method: "get",
  path: "/env/:project/:env/state/:collection/:name",
  operationId: "getComponent",
  tag: "State",
  summary: "Read one component",
  description: "One component. A name that holds `/` is percent-encoded: `flows/orders%2Fsubmit`.",
  params: ComponentParams,
  query: AtQuery,
  conditional: "read",
  responses: { 200: { description: "The component.", schema: ComponentReply } },
  errors: [...readErrors, "component_not_found"],
  handler: ({ params, query, domain }) => {
    const { project, env, collection, name } = params;
    return domain.state.component(project, env, { ...at(query), collection, name });
  },
});

const replaceState = route({
  method: "put",
  path: "/env/:project/:env/state",
  operationId: "replaceState",
  idempotent: true,
  tag: "State",
  summary: "Replace the platform state",
  description:
    "What the body does not name is removed. Makes one revision and one version; nothing changes where the state is the same already, or with `dry_run`.",
  params: EnvironmentParams,
  body: ReplaceStateBody,
  bodyBounds: STATE_BODY,
  conditional: "write",
  responses: { 200: { description: "The environment's head after the edit.", schema: StateWritten } },
  errors: writeErrors,
  async handler({ params, body, caller, domain, ifMatch }) {
    const { tag, ...written } = await domain.state.replace(caller, { ifMatch, ...params, ...body });
    return { body: written, tag };
  },
});

const patchState = route({
  method: "patch",
  path: "/env/:project/:env/state",
  operationId: "patchState",
  idempotent: true,
  tag: "State",
  summary: "Change components",
  description: "Adds, replaces and removes the components named, all or none. Makes one revision and one version, or with `dry_run` none.",
  params: EnvironmentParams,
  body: PatchStateBody,
  bodyBounds: STATE_BODY,
  conditional: "write",
  responses: { 200: { description: "The environment's head after the edit.", schema: StateWritten } },
  errors: [...writeErrors, "component_not_found"],
  async handler({ params, body, caller, domain, ifMatch }) {
    const { tag, ...written } = await domain.state.patch(caller, { ifMatch, ...params, ...body });
    return { body: written, tag };
  },
});

/** `{}` where nothing is asked, as the domain has it. */
function at(query: { readonly at?: number | undefined }): { readonly at?: number } {
  return query.at === undefined ? {} : { at: query.at };
}

export const stateRoutes: readonly Route[] = [getState, getCollection, getComponent, replaceState, patchState];
