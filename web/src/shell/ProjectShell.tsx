import { Outlet, useParams } from "react-router";
import { Notice } from "../components/Notice.tsx";
import { useNow } from "../components/Time.tsx";
import { Live, useLiveness } from "../live/Live.tsx";
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

/** What is shown may be old: how old, and that nobody has to do anything about it. */
function Staleness() {
  const liveness = useLiveness();
  const now = useNow();
  if (liveness.state !== "away") return null;
  return (
    <Notice tone="warn" title="The engine cannot be reached">
      <p>
        What you see is {lengthOf(Math.max(1_000, now - liveness.since))} old. Applications keep the configuration that they have. The page
        connects again by itself.
      </p>
    </Notice>
  );
}
