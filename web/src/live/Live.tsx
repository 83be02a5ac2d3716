import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useState } from "react";
import { sessionQuery } from "../queries.ts";
import { join } from "./join.ts";
import { oneAtATime } from "./repeat.ts";

/** One stream for all that a page shows: what it tells of is fetched again, whoever changed it. */

type Liveness = { readonly state: "connecting" | "live" } | { readonly state: "away"; readonly since: number; readonly refused: boolean };

const LiveContext = createContext<Liveness | null>(null);

/** How a project is followed; `null` where none is. */
export function useLiveness(): Liveness | null {
  return useContext(LiveContext);
}

/** Follows a project while a page of it is open. */
export function Live({ project, children }: { readonly project: string; readonly children: ReactNode }) {
  const queries = useQueryClient();
  const session = useQuery(sessionQuery).data;
  const as = session === undefined ? "" : `${session.actor} ${session.token_id}`;
  const [liveness, setLiveness] = useState<Liveness>({ state: "connecting" });
  useEffect(() => {
    const refreshing = () => oneAtATime(() => queries.invalidateQueries({ queryKey: ["project", project] }));
    let refresh = refreshing();
    return join({ project, as }, (news) => {
      switch (news.type) {
        case "changed":
          return refresh();
        case "session":
          return void queries.invalidateQueries({ queryKey: sessionQuery.queryKey });
        case "live":
          return setLiveness({ state: "live" });
        case "away":
          // What is being read may never be answered: when the engine is back, nobody waits for that.
          refresh = refreshing();
          return setLiveness({ state: "away", since: news.since, refused: news.refused });
      }
    });
  }, [project, as, queries]);
  return <LiveContext value={liveness}>{children}</LiveContext>;
}
