import { useIsFetching, useQuery, useQueryClient } from "@tanstack/react-query";
import { Outlet, useParams } from "react-router";
import { Notice } from "../components/Notice.tsx";
import { useNow } from "../components/Time.tsx";
import { faultOf } from "../faults.ts";
import { Live, useLiveness } from "../live/Live.tsx";
import { sessionQuery } from "../queries.ts";
import { lengthOf } from "../time.ts";
import { ProjectNav } from "./ProjectNav.tsx";
import styles from "./ProjectShell.module.css";

/** A project's pages, and what they have in common: where one is, what waits, and whether what one sees is current. */
export function ProjectShell() {
  const { project = "" } = useParams();
  return (
    <Live key={project} project={project}>
      <div className={styles.project}>
        <ProjectNav project={project} />
        <Staleness />
        <Outlet />
      </div>
    </Live>
  );
}

/** What is shown may be old: how old, why, and that nobody has to do anything about it. */
function Staleness() {
  const { project = "" } = useParams();
  const liveness = useLiveness();
  const session = useQuery(sessionQuery);
  const { isShown, failed } = useShown(project);
  const now = useNow();
  const since = liveness?.state === "away" ? liveness.since : (failed?.dataUpdatedAt ?? null);
  // Where nothing is shown nothing is old, and the page says itself what is the matter.
  if (!isShown || since === null) return null;
  const age = lengthOf(Math.max(1_000, now - since));
  const isHeard = liveness?.state !== "away";
  if (!isHeard && liveness.refused && session.error === null && failed === undefined) {
    return (
      <Notice tone="warn" title="The engine does not tell this page what changes">
        <p>What you see may be {age} old: load the page again to see what is new. It asks to be told again by itself.</p>
      </Notice>
    );
  }
  return (
    <Notice tone="warn" title={isHeard ? "The engine cannot answer now" : "The engine cannot be reached"}>
      <p>
        {isHeard && `${faultOf(failed?.error).happened} `}What you see is {age} old. Applications keep the configuration that they have. The
        page connects again by itself.
      </p>
    </Notice>
  );
}

/** Whether anything of a project is shown, and what of that could not be read again. */
function useShown(project: string) {
  const queryKey = ["project", project];
  const queries = useQueryClient();
  // Whenever a read ends, it may be another.
  useIsFetching({ queryKey });
  const states = queries
    .getQueryCache()
    .findAll({ queryKey, type: "active" })
    .map(({ state }) => state);
  const shown = states.filter(({ data }) => data !== undefined);
  return { isShown: shown.length > 0, failed: shown.find(({ error }) => error !== null && faultOf(error).kind === "away") };
}
