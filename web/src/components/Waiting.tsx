import { Link } from "react-router";
import type { Promotion } from "../api.ts";
import { waitingQuery } from "../queries.ts";
import { useRead } from "../useRead.ts";
import { plural } from "../words.ts";
import { Ago } from "./Time.tsx";

/** What waits for somebody's word, from one environment into another; nothing where it is not known. */
export function useWaiting(project: string, from: string, to: string): readonly Promotion[] {
  const waiting = useRead(waitingQuery(project)).data?.items ?? [];
  return waiting.filter(({ source_env, target_env }) => source_env === from && target_env === to);
}

/** One that waits: what it is, whose, and what it waits for. */
export function Waits({
  promotion: { project_id: project, id, version, requested_by, requested_at, missing },
}: {
  readonly promotion: Promotion;
}) {
  return (
    <>
      <Link to={`/projects/${project}/promotions/${id}`}>{version}</Link>, which {requested_by} asked for <Ago at={requested_at} />, waits
      for {missing > 0 ? plural(missing, "approval") : "what is in its way"}.
    </>
  );
}
