import { type FormEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { api } from "../api.ts";
import { Button } from "../components/Button.tsx";
import { Field } from "../components/Field.tsx";
import { Failure } from "../components/States.tsx";
import { isSignedOut } from "../faults.ts";
import { useAction } from "../useAction.ts";
import { tellOtherTabs } from "./session-news.ts";

interface LoginFormProps {
  readonly className?: string | undefined;
  /** What comes after that. */
  readonly onDone: () => Promise<unknown>;
  readonly children: ReactNode;
}

/** A token goes in once; from then on the browser holds a cookie that no script can read. */
export function LoginForm({ className = "form", onDone, children }: LoginFormProps) {
  const [token, setToken] = useState("");
  const field = useRef<HTMLInputElement>(null);
  const logIn = useAction({
    mutationFn: () => api.openSession({ token: token.trim() }),
    onSuccess: async () => {
      setToken("");
      tellOtherTabs("in");
      await onDone();
    },
    // What is wrong with it is read out there, and another takes its place.
    onError: (error) => {
      if (!isSignedOut(error)) return;
      field.current?.focus();
      field.current?.select();
    },
  });
  // There is nothing else to do here.
  useEffect(() => field.current?.focus(), []);
  const wrong = isSignedOut(logIn.error) ? "That is no valid token. It may have expired, or been revoked." : null;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (token.trim() !== "") logIn.act();
  };
  return (
    <form className={className} onSubmit={submit}>
      {children}
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
  );
}
