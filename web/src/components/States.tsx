import { type QueryFilters, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useEffect, useLayoutEffect, useRef, useState } from "react";
import { type Fault, faultOf } from "../faults.ts";
import { useAnnounce } from "./Announcer.tsx";
import { Button, LinkButton } from "./Button.tsx";
import { focusTitle } from "./focus.ts";
import { Notice } from "./Notice.tsx";
import styles from "./States.module.css";

/** Milliseconds after which whoever waits is told that there is no answer yet. The client itself waits far longer, for what takes long. */
const PATIENCE_MS = 5_000;

/** Of several that wait on a page, one says so. */
let speaking: object | null = null;

interface LoadingProps {
  readonly what: string;
  /** Where nothing of what is waited for is a read: how it is asked for again. */
  readonly onRetry?: (() => void) | undefined;
}

/** Before the first answer: the shape of what comes, and words for those who do not see it; where it does not come, that, and a way on. */
export function Loading({ what, onRetry }: LoadingProps) {
  const [isLate, setLate] = useState(false);
  useEffect(() => {
    const self = {};
    const timer = setInterval(() => {
      speaking ??= self;
      setLate(speaking === self);
    }, PATIENCE_MS);
    return () => {
      clearInterval(timer);
      if (speaking === self) speaking = null;
    };
  }, []);
  return (
    <div className={styles.loading}>
      <div className={styles.shape} aria-busy="true">
        <p>Loading {what} …</p>
        <div className={styles.bar} aria-hidden="true" />
        <div className={styles.bar} aria-hidden="true" />
      </div>
      {isLate && <Late onRetry={onRetry} />}
    </div>
  );
}

function Late({ onRetry }: Pick<LoadingProps, "onRetry">) {
  const queries = useQueryClient();
  const announce = useAnnounce();
  const place = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const element = place.current;
    return () => {
      // What is shown now took the button away from whoever was on it.
      if (element?.contains(document.activeElement)) setTimeout(focusTitle);
    };
  }, []);
  const again = async () => {
    announce("The engine was asked again.");
    const unanswered: QueryFilters = {
      type: "active",
      predicate: ({ state }) => state.data === undefined && state.fetchStatus === "fetching",
    };
    const found = queries.getQueryCache().findAll(unanswered);
    // A read that has no answer is not begun anew while it is under way.
    await queries.cancelQueries(unanswered);
    await queries.refetchQueries({ predicate: (query) => found.includes(query) });
  };
  return (
    <div ref={place} role="status" className={styles.late}>
      <p>The engine has not answered yet. The page goes on waiting; if this lasts, tell whoever runs the engine.</p>
      <Button onClick={() => (onRetry === undefined ? void again() : onRetry())}>Try again</Button>
    </div>
  );
}

interface EmptyProps {
  readonly title: string;
  readonly children: ReactNode;
  readonly action?: ReactNode;
}

/** There is nothing: why that is so, and how to begin. */
export function Empty({ title, children, action }: EmptyProps) {
  return (
    <div className={styles.empty}>
      <p className={styles.title}>{title}</p>
      <p>{children}</p>
      {action}
    </div>
  );
}

interface FailureProps {
  readonly error: unknown;
  /** What could not be done: `load the environments`. */
  readonly what: string;
  readonly onRetry?: (() => void) | undefined;
}

/** What happened, what is not affected by it, and what to do. */
export function Failure({ error, what, onRetry }: FailureProps) {
  const fault = faultOf(error, onRetry !== undefined);
  return (
    <Notice
      tone={fault.kind === "missing" ? "info" : "bad"}
      title={`Could not ${what}`}
      alert
      actions={<NextSteps fault={fault} onRetry={onRetry} />}
    >
      <p>{fault.happened}</p>
      {fault.unaffected !== null && <p>{fault.unaffected}</p>}
      {fault.todo !== null && <p>{fault.todo}</p>}
      {fault.byApi !== null && (
        <details className={styles.request}>
          <summary>How by the API</summary>
          <p>{fault.byApi}</p>
        </details>
      )}
      {fault.requestId !== null && (
        <p className={styles.request}>
          Request <code>{fault.requestId}</code>
        </p>
      )}
    </Notice>
  );
}

function NextSteps({ fault, onRetry }: { readonly fault: Fault; readonly onRetry: (() => void) | undefined }) {
  if (fault.kind === "signed-out") return <LinkButton to={loginAddress()}>Log in again</LinkButton>;
  return (
    <>
      {onRetry !== undefined && fault.kind !== "forbidden" && <Button onClick={onRetry}>Try again</Button>}
      {fault.kind === "missing" && <LinkButton to="/">All projects</LinkButton>}
    </>
  );
}

/** The log-in page, that leads back to where somebody is. */
export function loginAddress(): string {
  return `/login?${new URLSearchParams({ next: window.location.pathname + window.location.search })}`;
}
