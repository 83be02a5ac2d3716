import { AtQuery, EnvironmentParams } from "../../schemas/common.ts";
import { ConfigWritten } from "../../schemas/config.ts";
import { FlagFileBody, FlagFileReply, ReplaceFlagsQuery } from "../../schemas/flags.ts";
import { STATE_BODY } from "../json.ts";
import { type Route, route } from "../route.ts";

const getFlags = route({
  method: "get",
  path: "/env/:project/:env/flags",
  operationId: "getFlags",
  tag: "Flags",
  summary: "Export flags for flagd",
  description: "The environment's flags, with what their rules refer to and their metadata, as the definition file that flagd reads.",
  params: EnvironmentParams,
  query: AtQuery,
  conditional: "read",
  responses: { 200: { description: "The definition file.", schema: FlagFileReply } },
  errors: ["invalid_name", "project_not_found", "environment_not_found", "environment_expired", "revision_not_found"],
  handler: ({ params, query, domain }) => domain.flagFiles.read(params.project, params.env, query),
});

const replaceFlags = route({
  method: "put",
  path: "/env/:project/:env/flags",
  operationId: "replaceFlags",
  idempotent: true,
  tag: "Flags",
  summary: "Import flags from flagd",
  description:
    "Makes the environment's flags, evaluators and metadata those of a flagd definition file, in one revision; with `keep` those that the file " +
    "does not name stay. Vars and secrets are untouched.",
  params: EnvironmentParams,
  query: ReplaceFlagsQuery,
  body: FlagFileBody,
  bodyBounds: STATE_BODY,
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
    "precondition_failed",
    "version_taken",
  ],
  async handler({ params, query: { keep = false, ...labelling }, body, caller, domain, ifMatch }) {
    const { tag, ...written } = await domain.flagFiles.replace(caller, { file: body, keep, ifMatch, ...params, ...labelling });
    return { body: written, tag };
  },
});

export const flagRoutes: readonly Route[] = [getFlags, replaceFlags];
