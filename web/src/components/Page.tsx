import { type ReactNode, useEffect, useRef } from "react";
import { useLocation } from "react-router";
import styles from "./Page.module.css";

interface PageProps {
  readonly title: string;
  /** Who or what the page is about, above its title. */
  readonly eyebrow?: ReactNode;
  readonly lead?: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

/** One page: its title is the document's, and gets the focus when somebody comes here by a link within the dashboard. */
export function Page({ title, eyebrow, lead, actions, children }: PageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  const { key, pathname } = useLocation();
  // The first page of a visit leaves the focus where the browser put it.
  const shown = useRef(key === "default" ? pathname : null);
  useEffect(() => {
    document.title = `${title} · Environments`;
  }, [title]);
  useEffect(() => {
    // Whoever filters what a page shows stays in the filter.
    if (shown.current === pathname) return;
    shown.current = pathname;
    heading.current?.focus({ preventScroll: true });
  }, [pathname]);
  return (
    <div className={styles.page}>
      <header className={styles.header}>
        <div className={styles.titles}>
          {eyebrow !== undefined && <p className={styles.eyebrow}>{eyebrow}</p>}
          <h1 ref={heading} tabIndex={-1} className={styles.title}>
            {title}
          </h1>
          {lead !== undefined && <p className={styles.lead}>{lead}</p>}
        </div>
        {actions !== undefined && <div className={styles.actions}>{actions}</div>}
      </header>
      {children}
    </div>
  );
}
