import { useQueries } from "@tanstack/react-query";
import type { Revision } from "../api.ts";
import { Lanes } from "../charts/Lanes.tsx";
import { revisionsQuery } from "../queries.ts";
import { Panel } from "./Panel.tsx";

/** Which version ran where and for how long, side by side. */
export function VersionsChart({ project, environments }: { readonly project: string; readonly environments: readonly string[] }) {
  const results = useQueries({ queries: environments.map((env) => revisionsQuery(project, env, 50)) });
  const lanes = environments.map((env, index) => ({ name: env, stays: staysIn(results[index]?.data?.items ?? []) }));
  if (lanes.every(({ stays }) => stays.length === 0)) return null;
  return (
    <Panel title="Versions over time">
      <Lanes lanes={lanes} caption="Which version each environment had, and since when" />
    </Panel>
  );
}

/** Runs of the same version, oldest first. */
function staysIn(revisions: readonly Revision[]): readonly { readonly label: string; readonly from: number }[] {
  const oldestFirst = [...revisions].reverse();
  return oldestFirst
    .filter(({ version }, index) => version !== oldestFirst[index - 1]?.version)
    .map(({ version, timestamp }) => ({ label: version, from: Date.parse(timestamp) }));
}
