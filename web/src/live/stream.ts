/** What a page is told of a project: that something changed, and whether it is told of anything at all. */
export type News =
  | { readonly type: "changed" }
  | { readonly type: "live" }
  /** Nothing is heard since then, in milliseconds since 1970. */
  | { readonly type: "away"; readonly since: number };

/** Milliseconds after which a stream that the engine refused is tried again. The browser reconnects a broken one by itself. */
const RETRY_MS = 3_000;

/** Follows a project by a stream of its own. @returns what ends it */
export function follow(project: string, tell: (news: News) => void): () => void {
  let source: EventSource;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let since: number | null = null;
  const open = () => {
    source = new EventSource(`/env/${encodeURIComponent(project)}/watch`);
    // The first event of a stream says from where on it tells: what came before it is looked at once.
    source.onmessage = () => tell({ type: "changed" });
    source.onopen = () => {
      tell({ type: "live" });
      // The stream goes on where it was; what it was not there for at all is looked at once.
      if (since !== null) tell({ type: "changed" });
      since = null;
    };
    source.onerror = () => {
      since ??= Date.now();
      tell({ type: "away", since });
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, RETRY_MS);
    };
  };
  open();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}
