import { ProjectParams } from "../../schemas/common.ts";
import { SinkList } from "../../schemas/sinks.ts";
import { type Route, route } from "../route.ts";

const listSinks = route({
  method: "get",
  path: "/env/:project/sinks",
  operationId: "listSinks",
  tag: "Audit",
  summary: "See where audit records are sent",
  description:
    "For the Monitoring engine and for each webhook: how far it has come, what it has not had yet, what it refused, and what went wrong last.",
  params: ProjectParams,
  conditional: "read",
  responses: { 200: { description: "Every sink of the project.", schema: SinkList } },
  errors: ["invalid_name", "project_not_found"],
  handler: async ({ params, domain }) => ({ body: { items: await domain.sinks.overview(params.project) } }),
});

export const sinkRoutes: readonly Route[] = [listSinks];
