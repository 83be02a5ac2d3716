import type { ReactNode } from "react";
import { type Fault, faultOf } from "../faults.ts";
import { Button, LinkButton } from "./Button.tsx";
import { Notice } from "./Notice.tsx";
import styles from "./States.module.css";

/** Before the first answer: the shape of what comes, and words for those who do not see it. */
export function Loading({ what }: { readonly what: string }) {
  return (
    <div className={styles.loading} aria-busy="true">
      <p>Loading {what} …</p>
      <div className={styles.bar} aria-hidden="true" />
      <div className={styles.bar} aria-hidden="true" />
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
