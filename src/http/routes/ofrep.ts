import { evaluateOne } from "../../evaluation.ts";
import { OfrepAnswer, OfrepBody, OfrepBulk, OfrepKeyParams, OfrepQuery } from "../../schemas/ofrep.ts";
import { bulkOf, environmentOf } from "../ofrep.ts";
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
    const { tag, load } = bulkOf(head, body, await connection.streamQuery(caller.token, project, env), { project, env });
    return { tag, ageMs: head.ageMs, load: async () => load() };
  },
});

export const ofrepRoutes: readonly Route[] = [evaluateFlag, evaluateFlags];
