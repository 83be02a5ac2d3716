import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { useNavigate, useSearchParams } from "react-router";
import { api } from "../api.ts";
import { Button } from "../components/Button.tsx";
import { Field } from "../components/Field.tsx";
import { Failure } from "../components/States.tsx";
import { isSignedOut } from "../faults.ts";
import { tellOtherTabs } from "../shell/session-news.ts";
import { useAction } from "../useAction.ts";
import styles from "./Login.module.css";

/** A token goes in once; from then on the browser holds a cookie that no script can read. */
export default function Login() {
  const [token, setToken] = useState("");
  const field = useRef<HTMLInputElement>(null);
  const [query] = useSearchParams();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const logIn = useAction({
    mutationFn: () => api.openSession({ token: token.trim() }),
    onSuccess: async () => {
      setToken("");
      queries.clear();
      tellOtherTabs();
      await navigate(safeNext(query.get("next")), { replace: true });
    },
    // What is wrong with it is read out there, and another takes its place.
    onError: (error) => {
      if (!isSignedOut(error)) return;
      field.current?.focus();
      field.current?.select();
    },
  });
  useEffect(() => {
    document.title = "Log in · Environments";
    // There is nothing else to do here.
    field.current?.focus();
  }, []);
  const wrong = isSignedOut(logIn.error) ? "That is no valid token. It may have expired, or been revoked." : null;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (token.trim() !== "") logIn.act();
  };
  return (
    <main className={styles.login}>
      <form className={styles.form} onSubmit={submit}>
        <img src="/favicon.svg" alt="" width="44" height="44" />
        <h1>Environments</h1>
        <Field
          label="Access token"
          hint="Begins with envm_. Whoever runs the engine gives you one; the first, of the root, is shown at the engine's first start."
          error={wrong}
        >
          {(control) => (
            <input
              {...control}
              ref={field}
              type="password"
              autoComplete="current-password"
              required
              value={token}
              onChange={(event) => setToken(event.target.value)}
            />
          )}
        </Field>
        {logIn.isError && wrong === null && <Failure error={logIn.error} what="log in" />}
        {/* It is at work until the page is left. */}
        <Button type="submit" look="primary" busy={logIn.isPending || logIn.isSuccess}>
          Log in
        </Button>
      </form>
    </main>
  );
}

/** Back to where somebody was, if that is a page of ours. */
function safeNext(next: string | null): string {
  // A browser reads a backslash as a slash.
  return next !== null && /^\/(?![/\\]|login)/.test(next) ? next : "/";
}
