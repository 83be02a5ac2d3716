import { useQuery } from "@tanstack/react-query";
import { NavLink, Outlet, useParams } from "react-router";
import { Notice } from "../components/Notice.tsx";
import { useNow } from "../components/Time.tsx";
import { Live, useLiveness } from "../live.tsx";
import { waitingQuery } from "../queries.ts";
import { lengthOf } from "../time.ts";
import styles from "./ProjectShell.module.css";
import { PROJECT_PAGES } from "./pages.ts";

/** A project's pages, and what they have in common: where one is, what waits, and whether what one sees is current. */
export function ProjectShell() {
  const { project = "" } = useParams();
  return (
    <Live key={project} project={project}>
      <div className={styles.project}>
        <ProjectPages project={project} />
        <Staleness />
        <Outlet />
      </div>
    </Live>
  );
}

function ProjectPages({ project }: { readonly project: string }) {
  const waiting = useQuery(waitingQuery(project)).data?.items.length ?? 0;
  return (
    <nav aria-label={`Project ${project}`} className={styles.nav}>
      <ul className={styles.list}>
        <li className={styles.name}>{project}</li>
        {PROJECT_PAGES.map(({ path, name }) => (
          <li key={path}>
            <NavLink to={`/projects/${project}${path === "" ? "" : `/${path}`}`} end={path === ""} className={styles.link ?? ""}>
              {name}
              {path === "promotions" && waiting > 0 && (
                <span className={styles.count}>
                  {waiting}
                  <span className="visually-hidden"> waiting</span>
                </span>
              )}
            </NavLink>
          </li>
        ))}
      </ul>
    </nav>
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
