import { useEffect, useRef } from "react";
import { Link, useLocation } from "react-router";
import { waitingQuery } from "../queries.ts";
import { useRead } from "../useRead.ts";
import styles from "./ProjectShell.module.css";
import { PROJECT_PAGES } from "./pages.ts";

/** Pages that have no place of their own among these, by the one from which people go there. */
const BELOW: Readonly<Record<string, string>> = { env: "", promote: "" };

/** The pages of a project. Where one is stands out, and is in sight, however narrow the screen. */
export function ProjectNav({ project }: { readonly project: string }) {
  const waiting = useRead(waitingQuery(project)).data?.items.length ?? 0;
  const { pathname } = useLocation();
  const nav = useRef<HTMLElement>(null);
  const section = pathname.split("/")[3] ?? "";
  const current = BELOW[section] ?? section;
  // The number beside a page moves those after it.
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above
  useEffect(() => {
    const link = nav.current?.querySelector<HTMLElement>(`a[data-page="${current}"]`);
    if (!nav.current || !link) return;
    const { clientWidth } = nav.current;
    // What is in sight from the start leaves the project's name whole.
    const isNear = link.offsetLeft + link.offsetWidth <= clientWidth;
    nav.current.scrollLeft = isNear ? 0 : link.offsetLeft - (clientWidth - link.offsetWidth) / 2;
  }, [current, waiting]);
  return (
    <nav ref={nav} aria-label={`Project ${project}`} className={styles.nav}>
      <ul className={styles.list}>
        <li className={styles.name}>{project}</li>
        {PROJECT_PAGES.map(({ path, name }) => {
          const to = `/projects/${project}${path === "" ? "" : `/${path}`}`;
          return (
            <li key={path}>
              <Link
                to={to}
                data-page={path}
                className={styles.link}
                aria-current={pathname === to ? "page" : path === current ? "true" : undefined}
              >
                {name}
                {path === "promotions" && waiting > 0 && (
                  <span className={styles.count}>
                    {waiting}
                    <span className="visually-hidden"> waiting</span>
                  </span>
                )}
              </Link>
            </li>
          );
        })}
      </ul>
    </nav>
  );
}
