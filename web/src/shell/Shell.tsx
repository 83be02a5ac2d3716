import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { Link, Navigate, Outlet, useNavigation } from "react-router";
import type { Session } from "../api.ts";
import { Dialog } from "../components/Dialog.tsx";
import { Failure, Loading, loginAddress } from "../components/States.tsx";
import { isSignedOut } from "../faults.ts";
import { sessionQuery } from "../queries.ts";
import { AccountMenu } from "./AccountMenu.tsx";
import { LoginForm } from "./LoginForm.tsx";
import { Palette } from "./Palette.tsx";
import styles from "./Shell.module.css";
import { hearOtherTabs } from "./session-news.ts";

/** What stands around every page of somebody who is logged in. */
export function Shell() {
  const session = useQuery(sessionQuery);
  const isLeaving = useNavigation().state !== "idle";
  const isOut = isSignedOut(session.error);
  useOwnReads(session.data, isOut);
  if (session.isPending) return <Loading what="the dashboard" />;
  if (isOut && session.data === undefined) return <Navigate to={loginAddress()} replace />;
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
      {isOut && <LoggedOut />}
      {/* What somebody was about to write is still there when they are back, and seen by nobody meanwhile. */}
      <main id="main" key={session.data?.actor} hidden={isOut} tabIndex={-1} className={styles.main} aria-busy={isLeaving}>
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

/** The session ended by itself: who logs in again goes on where they were. */
function LoggedOut() {
  const queries = useQueryClient();
  return (
    <Dialog title="You are not logged in any more">
      <LoginForm onDone={() => queries.invalidateQueries(sessionQuery)}>
        <p>What you wrote is still there once you are logged in again, and was not saved yet.</p>
      </LoginForm>
    </Dialog>
  );
}

/**
 * Another tab may have logged in as somebody else: what was read before that is not theirs to see, and is read again. Who is back, be it with
 * another token, keeps what is shown until it is read again, and with it what they were writing.
 */
function useOwnReads(session: Session | undefined, isOut: boolean): void {
  const queries = useQueryClient();
  const before = useRef<Pick<Session, "actor" | "token_id">>(undefined);
  const { actor, token_id } = session ?? {};
  useEffect(
    () =>
      // Who leaves leaves nothing behind, in no tab.
      hearOtherTabs((news) => void (news === "out" ? queries.resetQueries(sessionQuery) : queries.invalidateQueries(sessionQuery))),
    [queries],
  );
  useEffect(() => {
    if (actor === undefined || token_id === undefined || isOut) return;
    const predicate = ({ queryKey }: { readonly queryKey: readonly unknown[] }) => queryKey[0] !== sessionQuery.queryKey[0];
    if (before.current !== undefined && before.current.actor !== actor) void queries.resetQueries({ predicate });
    else if (before.current !== undefined) void queries.invalidateQueries({ predicate });
    before.current = { actor, token_id };
  }, [actor, token_id, isOut, queries]);
}
