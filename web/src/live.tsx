import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useState } from "react";

/** One stream for all that a page shows: what it tells of is fetched again, whoever changed it. */

export type Liveness = { readonly state: "connecting" | "live" } | { readonly state: "away"; readonly since: number };

/** Milliseconds after which a stream that the engine refused is tried again. The browser reconnects a broken one by itself. */
const RETRY_MS = 3_000;

const LiveContext = createContext<Liveness>({ state: "connecting" });

export function useLiveness(): Liveness {
  return useContext(LiveContext);
}

/** Follows a project while a page of it is open. */
export function Live({ project, children }: { readonly project: string; readonly children: ReactNode }) {
  const queries = useQueryClient();
  const [liveness, setLiveness] = useState<Liveness>({ state: "connecting" });
  useEffect(() => follow(project, () => refresh(queries, project), setLiveness), [project, queries]);
  return <LiveContext value={liveness}>{children}</LiveContext>;
}

function follow(project: string, changed: () => void, tell: (set: (before: Liveness) => Liveness) => void): () => void {
  let source: EventSource;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let wasAway = false;
  const open = () => {
    source = new EventSource(`/env/${encodeURIComponent(project)}/watch`);
    source.onmessage = changed;
    source.onopen = () => {
      tell(() => ({ state: "live" }));
      // The stream goes on where it was; what it was not there for at all is looked at once.
      if (wasAway) changed();
      wasAway = false;
    };
    source.onerror = () => {
      wasAway = true;
      tell((before) => (before.state === "away" ? before : { state: "away", since: Date.now() }));
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, RETRY_MS);
    };
  };
  open();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}

function refresh(queries: QueryClient, project: string): void {
  void queries.invalidateQueries({ queryKey: ["project", project] });
}
