import type { ReactNode } from "react";
import styles from "./Badge.module.css";

export type Tone = "good" | "warn" | "bad" | "info" | "plain";

/** A shape for each tone: nobody has to tell colours apart. */
const MARKS: Readonly<Record<Tone, string>> = { good: "●", warn: "▲", bad: "■", info: "◆", plain: "○" };

export function Badge({ tone, children }: { readonly tone: Tone; readonly children: ReactNode }) {
  return (
    <span className={`${styles.badge} ${styles[tone]}`}>
      <span aria-hidden="true" className={styles.mark}>
        {MARKS[tone]}
      </span>
      {children}
    </span>
  );
}
