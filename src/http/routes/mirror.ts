import { ProjectParams } from "../../schemas/common.ts";
import { MirrorRemoved, MirrorSchema, SetMirrorBody } from "../../schemas/mirror.ts";
import { type Route, route } from "../route.ts";

const setMirror = route({
  method: "put",
  path: "/env/:project/git/mirror",
  operationId: "setMirror",
  idempotent: true,
  tag: "Git",
  summary: "Push a project to a repository elsewhere",
  description:
    "From now on every revision is pushed there, branches and tags, soon after it is made. Takes the place of the mirror that there was, its " +
    "credential too. Nothing of others is overwritten: a branch or tag that holds commits of somebody else's stays as it is, and is named in the sink `git`.",
  params: ProjectParams,
  body: SetMirrorBody,
  responses: { 200: { description: "The mirror.", schema: MirrorSchema } },
  errors: ["invalid_name", "project_not_found", "target_not_allowed", "vault_unavailable"],
  handler: async ({ params, body, caller, domain }) => ({ body: await domain.mirrors.set(caller, params.project, body) }),
});

const getMirror = route({
  method: "get",
  path: "/env/:project/git/mirror",
  operationId: "getMirror",
  tag: "Git",
  summary: "Read where a project is pushed",
  description: "Without its credential. GET /env/:project/sinks tells how far it has come, as the sink `git`.",
  params: ProjectParams,
  conditional: "read",
  responses: { 200: { description: "The mirror.", schema: MirrorSchema } },
  errors: ["invalid_name", "project_not_found", "mirror_not_found"],
  handler: async ({ params, domain }) => ({ body: await domain.mirrors.view(params.project) }),
});

const removeMirror = route({
  method: "delete",
  path: "/env/:project/git/mirror",
  operationId: "removeMirror",
  idempotent: true,
  tag: "Git",
  summary: "Push a project nowhere any more",
  description: "Its credential leaves the vault. What was pushed stays where it is.",
  params: ProjectParams,
  responses: { 200: { description: "It is gone.", schema: MirrorRemoved } },
  errors: ["invalid_name", "project_not_found", "mirror_not_found"],
  handler: async ({ params, caller, domain }) => ({ body: await domain.mirrors.remove(caller, params.project) }),
});

export const mirrorRoutes: readonly Route[] = [setMirror, getMirror, removeMirror];
