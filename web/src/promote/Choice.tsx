import { useQueries } from "@tanstack/react-query";
import { useState } from "react";
import type { Environment, PromoteReply, Revision } from "../api.ts";
import { Badge } from "../components/Badge.tsx";
import { Button } from "../components/Button.tsx";
import { Field } from "../components/Field.tsx";
import { Notice } from "../components/Notice.tsx";
import { Panel } from "../components/Panel.tsx";
import { Failure, Loading } from "../components/States.tsx";
import { Table } from "../components/Table.tsx";
import { Ago } from "../components/Time.tsx";
import { reasonOf } from "../plan.ts";
import { readinessQuery, revisionsQuery } from "../queries.ts";
import { useRead } from "../useRead.ts";
import { listed, plural } from "../words.ts";
import styles from "./Choice.module.css";

interface ChoiceProps {
  readonly environments: readonly Environment[];
  readonly from: string;
  readonly to: string;
  readonly version: string | null;
  readonly only: readonly string[];
  readonly onChoose: (change: Readonly<Record<string, string>>) => void;
}

export function Choice({ environments, from, to, version, only, onChoose }: ChoiceProps) {
  return (
    <Panel title="1. From where to where">
      <div className={styles.sides}>
        <Field label="From">
          {(control) => (
            <Environments
              {...control}
              value={from}
              without={to}
              of={environments}
              onChange={(env) => onChoose({ from: env, version: "" })}
            />
          )}
        </Field>
        <Field label="To">
          {(control) => <Environments {...control} value={to} without={from} of={environments} onChange={(env) => onChoose({ to: env })} />}
        </Field>
      </div>
      {from !== "" && to !== "" && (
        <Versions key={from} environments={environments} from={from} to={to} version={version} onChoose={onChoose} />
      )}
      {only.length > 0 && (
        <Notice tone="info" title={`Only ${plural(only.length, "component")} ${only.length === 1 ? "travels" : "travel"}`}>
          <p>{listed(only, 8)}. Everything else in the target stays as it is.</p>
        </Notice>
      )}
    </Panel>
  );
}

interface EnvironmentsProps {
  readonly id: string;
  readonly className: string;
  readonly value: string;
  readonly without: string;
  readonly of: readonly Environment[];
  readonly onChange: (env: string) => void;
}

function Environments({ value, without, of, onChange, ...control }: EnvironmentsProps) {
  return (
    <select {...control} value={of.some(({ env }) => env === value) ? value : ""} onChange={({ target }) => onChange(target.value)}>
      <option value="" disabled>
        Choose
      </option>
      {of
        .filter(({ env }) => env !== without)
        .map(({ env, version }) => (
          <option key={env} value={env}>
            {env} ({version})
          </option>
        ))}
    </select>
  );
}

/** Versions that are offered; older ones have an address, too: `?version=`. */
const OFFERED = 8;

type VersionsProps = Omit<ChoiceProps, "only">;

function Versions({ environments, from, to, version, onChoose }: VersionsProps) {
  const [isOpen, setOpen] = useState(false);
  const source = environments.find(({ env }) => env === from);
  if (source === undefined) return null;
  return (
    <div className={styles.version}>
      <p>
        {version === null ? (
          <>
            The newest: <strong>{source.version}</strong>
          </>
        ) : (
          <>
            <strong>{version}</strong>, not the newest (that is {source.version})
          </>
        )}
      </p>
      <Button small onClick={() => setOpen(!isOpen)} aria-expanded={isOpen}>
        {isOpen ? "Close the list" : "Another version …"}
      </Button>
      {version !== null && (
        <Button small look="quiet" onClick={() => onChoose({ version: "" })}>
          Take the newest
        </Button>
      )}
      {isOpen && <Offered source={source} to={to} chosen={version ?? source.version} onChoose={onChoose} />}
    </div>
  );
}

interface OfferedProps {
  readonly source: Environment;
  readonly to: string;
  readonly chosen: string;
  readonly onChoose: (change: Readonly<Record<string, string>>) => void;
}

/** The versions that the source had, newest first. One that cannot go there says why. */
function Offered({ source: { project_id: project, env }, to, chosen, onChoose }: OfferedProps) {
  const revisions = useRead(revisionsQuery(project, env, 50));
  const versions = newestOfEach(revisions.data?.items ?? []).slice(0, OFFERED);
  const plans = useQueries({ queries: versions.map(({ version }) => readinessQuery(project, env, to, version)) });
  const rows = versions.map((revision, index) => ({ revision, plan: plans[index]?.data, error: plans[index]?.error ?? null }));
  if (revisions.isPending) return <Loading what="the versions" />;
  if (revisions.isError) return <Failure error={revisions.error} what="load the versions" onRetry={() => void revisions.refetch()} />;
  return (
    <div className={styles.offered}>
      <Table
        caption={`Versions of ${env}`}
        rows={rows}
        keyOf={({ revision }) => revision.version}
        columns={[
          { title: "Version", cell: ({ revision }) => <strong>{revision.version}</strong> },
          {
            title: "Made",
            cell: ({ revision }) => (
              <>
                <Ago at={revision.timestamp} /> by {revision.created_by}
              </>
            ),
          },
          { title: "Can go now", cell: ({ plan, error }) => <Eligible plan={plan} error={error} to={to} /> },
          {
            title: "Choose",
            cell: ({ revision: { version } }) =>
              version === chosen ? (
                <Badge tone="info">Chosen</Badge>
              ) : (
                <Button small onClick={() => onChoose({ version })} aria-label={`Choose ${version}`}>
                  Choose
                </Button>
              ),
          },
        ]}
      />
    </div>
  );
}

interface EligibleProps {
  readonly plan: PromoteReply | undefined;
  readonly error: Error | null;
  readonly to: string;
}

function Eligible({ plan, error, to }: EligibleProps) {
  if (plan === undefined) return error === null ? "…" : `Not known: ${error.message}`;
  if (plan.status === "no_changes") return `No: ${to} has it already.`;
  const failed = plan.checks.filter(({ status }) => status === "failed");
  return failed.length === 0 ? <Badge tone="good">Yes</Badge> : `Not yet: ${failed.map(reasonOf).join(" ")}`;
}

function newestOfEach(revisions: readonly Revision[]): readonly Revision[] {
  return revisions.filter(({ version }, index) => revisions.findIndex((other) => other.version === version) === index);
}
