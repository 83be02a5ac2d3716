import { CompareQuery, ComparisonReply } from "../../schemas/comparison.ts";
import { type Route, route } from "../route.ts";

const compare = route({
  method: "get",
  path: "/env/compare",
  operationId: "compare",
  tag: "Comparison",
  summary: "Compare two environments, or two moments",
  description:
    "Components, vars, flags and secrets side by side. Of a component the name alone, unless `bodies=1`; of a secret never the value, and whether two " +
    "are equal only to who may reveal both.",
  query: CompareQuery,
  conditional: "read",
  responses: { 200: { description: "What differs.", schema: ComparisonReply } },
  errors: [
    "invalid_name",
    "invalid_version",
    "project_not_found",
    "environment_not_found",
    "environment_expired",
    "version_not_found",
    "revision_not_found",
  ],
  handler: ({ query, caller, domain }) =>
    domain.comparison.compare(caller, query.project_id, query.left, query.right, { bodies: query.bodies ?? false }),
});

export const comparisonRoutes: readonly Route[] = [compare];
