/** What a page is told of a project: that something changed, and whether it is told of anything at all. */
export type News =
  | { readonly type: "changed" }
  | { readonly type: "live" }
  /** Nothing is heard since then, in milliseconds since 1970. What was refused was answered, though not with a stream. */
  | { readonly type: "away"; readonly since: number; readonly refused: boolean }
  /** Who is logged in may be another than before, or nobody. */
  | { readonly type: "session" };

/** Milliseconds after which a stream that was refused is tried again; twice as long each time. The browser reconnects a broken one by itself. */
const RETRY_MS = 3_000;
const RETRY_MAX_MS = 60_000;

/** Follows a project by a stream of its own. @returns what ends it */
export function follow(project: string, tell: (news: News) => void): () => void {
  let source: EventSource;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let since: number | null = null;
  let pauseMs = RETRY_MS;
  const opened = () => {
    pauseMs = RETRY_MS;
    tell({ type: "live" });
    if (since === null) return;
    since = null;
    // The browser sent the cookie that it has now, whoever that is by.
    tell({ type: "session" });
    // The stream goes on where it was; what it was not there for at all is looked at once.
    tell({ type: "changed" });
  };
  const broken = () => {
    since ??= Date.now();
    const refused = source.readyState === EventSource.CLOSED;
    tell({ type: "away", since, refused });
    if (!refused) return;
    // The browser does not say what the answer was: that the session is over, perhaps.
    tell({ type: "session" });
    timer = setTimeout(open, pauseMs);
    pauseMs = Math.min(2 * pauseMs, RETRY_MAX_MS);
  };
  const open = () => {
    source = new EventSource(`/env/${encodeURIComponent(project)}/watch`);
    // The first event of a stream says from where on it tells: what came before it is looked at once.
    source.onmessage = () => tell({ type: "changed" });
    source.onopen = opened;
    source.onerror = broken;
  };
  open();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}
