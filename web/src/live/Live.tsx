import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useState } from "react";
import { sessionQuery } from "../queries.ts";
import { join } from "./join.ts";
import { oneAtATime } from "./repeat.ts";

/** One stream for all that a page shows: what it tells of is fetched again, whoever changed it. */

export type Liveness = { readonly state: "connecting" | "live" } | { readonly state: "away"; readonly since: number };

const LiveContext = createContext<Liveness>({ state: "connecting" });

export function useLiveness(): Liveness {
  return useContext(LiveContext);
}

/** Follows a project while a page of it is open. */
export function Live({ project, children }: { readonly project: string; readonly children: ReactNode }) {
  const queries = useQueryClient();
  const session = useQuery(sessionQuery).data;
  const as = session === undefined ? "" : `${session.actor} ${session.token_id}`;
  const [liveness, setLiveness] = useState<Liveness>({ state: "connecting" });
  useEffect(() => {
    const refresh = oneAtATime(() => queries.invalidateQueries({ queryKey: ["project", project] }));
    return join({ project, as }, (news) => {
      if (news.type === "changed") refresh();
      else setLiveness(news.type === "live" ? { state: "live" } : { state: "away", since: news.since });
    });
  }, [project, as, queries]);
  return <LiveContext value={liveness}>{children}</LiveContext>;
}
