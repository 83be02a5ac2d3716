import { useQuery } from "@tanstack/react-query";
import { Suspense } from "react";
import { Link, Navigate, Outlet, useLocation } from "react-router";
import { Failure, Loading, loginAddress } from "../components/States.tsx";
import { isSignedOut } from "../faults.ts";
import { sessionQuery } from "../queries.ts";
import { AccountMenu } from "./AccountMenu.tsx";
import { Palette } from "./Palette.tsx";
import styles from "./Shell.module.css";

/** What stands around every page of somebody who is logged in. */
export function Shell() {
  const session = useQuery(sessionQuery);
  const { pathname } = useLocation();
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
      <main id="main" tabIndex={-1} className={styles.main}>
        {session.isError ? (
          <Failure error={session.error} what="ask the engine who you are" onRetry={() => void session.refetch()} />
        ) : (
          <Suspense key={pathname.split("/")[3] ?? ""} fallback={<Loading what="the page" />}>
            <Outlet />
          </Suspense>
        )}
      </main>
    </>
  );
}
