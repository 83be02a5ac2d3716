import { EnvmError } from "../../../src/sdk/errors.ts";
import { Button } from "./Button.tsx";
import { Notice } from "./Notice.tsx";
import { Failure } from "./States.tsx";

interface PlanFailureProps {
  readonly error: unknown;
  /** What could not be done: `promote`. */
  readonly what: string;
  /** Plans anew. */
  readonly again: () => void;
}

/** Why a plan was not carried out: where something changed since it was shown, it is to be looked at again. */
export function PlanFailure({ error, what, again }: PlanFailureProps) {
  if (!isStale(error)) return <Failure error={error} what={what} />;
  return (
    <Notice
      tone="warn"
      alert
      title="Something changed while you were looking"
      actions={
        <Button look="primary" onClick={again}>
          Review again
        </Button>
      }
    >
      <p>Nothing was done. Look at what it would do now, and decide again.</p>
    </Notice>
  );
}

export function isStale(error: unknown): boolean {
  return error instanceof EnvmError && error.code === "plan_stale";
}
