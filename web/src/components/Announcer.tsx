import { createContext, type ReactNode, useCallback, useContext, useMemo, useState } from "react";
import styles from "./Announcer.module.css";

type Announce = (text: string) => void;

const AnnounceContext = createContext<Announce>(() => {});

/** Says what came of an action: to those who look, and in `role=status` to those who listen. */
export function useAnnounce(): Announce {
  return useContext(AnnounceContext);
}

export function Announcer({ children }: { readonly children: ReactNode }) {
  const [news, setNews] = useState<{ readonly text: string; readonly count: number } | null>(null);
  const announce = useCallback<Announce>((text) => setNews((last) => ({ text, count: (last?.count ?? 0) + 1 })), []);
  const close = useMemo(() => () => setNews(null), []);
  return (
    <AnnounceContext value={announce}>
      {children}
      <div role="status" className={`${styles.place} ${news === null ? "visually-hidden" : styles.status}`}>
        {news !== null && (
          <p key={news.count} className={styles.text}>
            {news.text}
          </p>
        )}
        {news !== null && (
          <button type="button" className={styles.close} onClick={close} aria-label="Dismiss message">
            ✕
          </button>
        )}
      </div>
    </AnnounceContext>
  );
}
