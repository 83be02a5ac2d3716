import { EVERY, hasRight } from "../../access.ts";
import { AppError } from "../../errors.ts";
import { evaluateAll, evaluateOne } from "../../evaluation.ts";
import type { Caller } from "../../model.ts";
import { OfrepAnswer, OfrepBody, OfrepBulk, OfrepKeyParams, OfrepQuery } from "../../schemas/ofrep.ts";
import { eventStreams } from "../ofrep.ts";
import { type Route, route } from "../route.ts";

const errors = ["invalid_name", "invalid_context", "project_not_found", "environment_not_found", "environment_expired"] as const;

const evaluateFlag = route({
  method: "post",
  path: "/ofrep/v1/evaluate/flags/:key",
  operationId: "evaluateFlag",
  tag: "Flags",
  summary: "Evaluate one flag",
  description:
    "OpenFeature Remote Evaluation (OFREP 0.3), as OpenFeature's own providers speak it. The environment is the token's, where that reaches one " +
    "alone, or `project_id` and `env`. The token may also come as `X-API-Key`.",
  params: OfrepKeyParams,
  query: OfrepQuery,
  body: OfrepBody,
  emptyBody: true,
  errorShape: "ofrep",
  mayBeStale: true,
  responses: {
    200: { description: "What the flag is.", schema: OfrepAnswer },
    400: { description: "The context or the flag cannot be used.", schema: OfrepAnswer },
    404: { description: "There is no such flag.", schema: OfrepAnswer },
  },
  errors,
  async handler({ params: { key }, query, body, caller, domain }) {
    const { project, env } = environmentOf(caller, query);
    const head = await domain.evaluations.head(project, env);
    const evaluation = evaluateOne(head, key, body.context ?? {});
    const status = !("errorCode" in evaluation) ? 200 : evaluation.errorCode === "FLAG_NOT_FOUND" ? 404 : 400;
    return { status, body: evaluation, ageMs: head.ageMs, volatile: true };
  },
});

const evaluateFlags = route({
  method: "post",
  path: "/ofrep/v1/evaluate/flags",
  operationId: "evaluateFlags",
  tag: "Flags",
  summary: "Evaluate all flags",
  description:
    "OpenFeature Remote Evaluation (OFREP 0.3): all flags for one context, as providers for browsers ask for them. The `ETag` names the flags " +
    "and the context: sent as `If-None-Match` with the same context, it is answered 304 until a flag changes. One flag that fails does not keep " +
    "the others from being evaluated.",
  query: OfrepQuery,
  body: OfrepBody,
  emptyBody: true,
  errorShape: "ofrep",
  conditional: "read",
  mayBeStale: true,
  responses: { 200: { description: "What each flag is.", schema: OfrepBulk } },
  errors,
  async handler({ query, body, caller, connection, domain }) {
    const { project, env } = environmentOf(caller, query);
    const head = await domain.evaluations.head(project, env);
    const streams = eventStreams(project, env, await connection.streamQuery(caller.token, project, env));
    const { tag, load } = evaluateAll(head, body.context ?? {}, JSON.stringify(streams));
    const { metadata } = head.set;
    const shown = Object.keys(metadata).length === 0 ? {} : { metadata };
    return { tag, ageMs: head.ageMs, load: async () => ({ flags: load(), ...shown, ...streams }) };
  },
});

/** The environment that a request is about: the one that it names, or the only one that its token reaches. */
function environmentOf(caller: Caller, query: { readonly project_id?: string | undefined; readonly env?: string | undefined }) {
  if (query.project_id !== undefined && query.env !== undefined) return { project: query.project_id, env: query.env };
  const reached = caller.grants.filter((grant) => hasRight(grant, "evaluate"));
  const pairs = reached.flatMap(({ projects, envs }) => projects.flatMap((project) => envs.map((env) => ({ project, env }))));
  const [first, ...others] = pairs;
  const isOne = first !== undefined && others.every(({ project, env }) => project === first.project && env === first.env);
  if (isOne && !first.project.includes(EVERY) && !first.env.includes(EVERY)) return first;
  throw new AppError("invalid_request", {
    reason: "The token reaches more than one environment, and the request names none.",
    fix: "Add ?project_id=…&env=… to the address, or use a token for one project and one environment alone.",
  });
}

export const ofrepRoutes: readonly Route[] = [evaluateFlag, evaluateFlags];
