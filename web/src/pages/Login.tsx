import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { useNavigate, useSearchParams } from "react-router";
import { LoginForm } from "../shell/LoginForm.tsx";
import styles from "./Login.module.css";

/** Where somebody comes who is not logged in. Whoever was, until just now, stays where they are: see `Shell`. */
export default function Login() {
  const [query] = useSearchParams();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const goOn = async () => {
    queries.clear();
    await navigate(safeNext(query.get("next")), { replace: true });
  };
  useEffect(() => {
    document.title = "Log in · Environments";
  }, []);
  return (
    <main className={styles.login}>
      <LoginForm className={styles.form} onDone={goOn}>
        <img src="/favicon.svg" alt="" width="44" height="44" />
        <h1>Environments</h1>
      </LoginForm>
    </main>
  );
}

/** Back to where somebody was, if that is a page of ours. */
function safeNext(next: string | null): string {
  // A browser reads a backslash as a slash.
  return next !== null && /^\/(?![/\\]|login)/.test(next) ? next : "/";
}
