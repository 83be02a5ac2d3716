import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { Link, Navigate, Outlet, useNavigation } from "react-router";
import type { Session } from "../api.ts";
import { Failure, Loading, loginAddress } from "../components/States.tsx";
import { isSignedOut } from "../faults.ts";
import { sessionQuery } from "../queries.ts";
import { AccountMenu } from "./AccountMenu.tsx";
import { Palette } from "./Palette.tsx";
import styles from "./Shell.module.css";
import { hearOtherTabs } from "./session-news.ts";

/** What stands around every page of somebody who is logged in. */
export function Shell() {
  const session = useQuery(sessionQuery);
  const isLeaving = useNavigation().state !== "idle";
  useOwnReads(session.data);
  if (session.isPending) return <Loading what="the dashboard" />;
  if (isSignedOut(session.error)) return <Navigate to={loginAddress()} replace />;
  return (
    <>
      <a href="#main" className={styles.skip}>
        Skip to content
      </a>
      <header className={styles.bar}>
        <Link to="/" className={styles.brand}>
          <img src="/favicon.svg" alt="" width="28" height="28" />
          <span>Environments</span>
        </Link>
        <Palette />
        {session.data !== undefined && <AccountMenu session={session.data} />}
      </header>
      <main id="main" tabIndex={-1} className={styles.main} aria-busy={isLeaving}>
        {/* Who is known already goes on being so while the engine cannot be asked. */}
        {session.data === undefined ? (
          <Failure error={session.error} what="ask the engine who you are" onRetry={() => void session.refetch()} />
        ) : (
          <Outlet />
        )}
      </main>
    </>
  );
}

/** Another tab may have logged in as somebody else: what was read before that is not theirs to see, and is read again. */
function useOwnReads(session: Session | undefined): void {
  const queries = useQueryClient();
  const before = useRef<string>(undefined);
  const who = session?.token_id;
  useEffect(() => hearOtherTabs(() => void queries.invalidateQueries(sessionQuery)), [queries]);
  useEffect(() => {
    if (who === undefined) return;
    const isAnother = before.current !== undefined && before.current !== who;
    before.current = who;
    if (isAnother) void queries.resetQueries({ predicate: ({ queryKey }) => queryKey[0] !== sessionQuery.queryKey[0] });
  }, [who, queries]);
}
