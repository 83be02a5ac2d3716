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
    domain.comparison.compare(caller, query.project_id, withZone(query.left), withZone(query.right), { bodies: query.bodies ?? false }),
});

/** A `+` that nobody encoded is a blank in a query: `…T12:00:00+02:00` comes as `…T12:00:00 02:00`, which can mean nothing else. */
function withZone(side: string): string {
  return side.replace(/(T[\d:.]+) (?=\d{2}:?\d{2}$)/, "$1+");
}

export const comparisonRoutes: readonly Route[] = [compare];
