import type { ReactNode } from "react";
import type { Tone } from "./Badge.tsx";
import styles from "./Notice.module.css";

interface NoticeProps {
  readonly tone: Tone;
  readonly title: string;
  readonly children?: ReactNode;
  readonly actions?: ReactNode;
  /** Read out at once, because it answers what somebody just did. */
  readonly alert?: boolean;
}

/** Something to know here: what it is, and what to do about it. */
export function Notice({ tone, title, children, actions, alert = false }: NoticeProps) {
  return (
    <div className={`${styles.notice} ${styles[tone]}`} role={alert ? "alert" : undefined}>
      <p className={styles.title}>{title}</p>
      {children !== undefined && <div className={styles.body}>{children}</div>}
      {actions !== undefined && actions !== false && <div className={styles.actions}>{actions}</div>}
    </div>
  );
}
