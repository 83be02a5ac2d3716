import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import { api, type Environment, type Revision } from "../api.ts";
import { useAnnounce } from "../components/Announcer.tsx";
import { Badge } from "../components/Badge.tsx";
import { Button, LinkButton } from "../components/Button.tsx";
import { Notice } from "../components/Notice.tsx";
import { Page } from "../components/Page.tsx";
import { Panel } from "../components/Panel.tsx";
import { SayingSo } from "../components/SayingSo.tsx";
import { Empty, Failure, Loading } from "../components/States.tsx";
import { Table } from "../components/Table.tsx";
import { Ago } from "../components/Time.tsx";
import { sentencesOf } from "../plan.ts";
import { useAsked } from "../policy.ts";
import { environmentQuery, revisionsQuery, rollbackQuery } from "../queries.ts";
import { type Stay, staysOf } from "../stays.ts";
import { lengthOf } from "../time.ts";
import { useAction } from "../useAction.ts";
import styles from "./Rollback.module.css";

/** The way back: to where, what that means, what it does not take back, and that automatic promotions wait from then on. */
export default function Rollback() {
  const { project = "", env = "" } = useParams();
  const environment = useQuery(environmentQuery(project, env));
  const revisions = useQuery(revisionsQuery(project, env, 100));
  const error = environment.error ?? revisions.error;
  return (
    <Page
      title={`Roll back ${env}`}
      eyebrow={
        <>
          <Link to={`/projects/${project}`}>{project}</Link> / <Link to={`/projects/${project}/env/${env}`}>{env}</Link>
        </>
      }
      lead="Version and configuration go back together, as a new entry of the history. Nothing is lost."
    >
      {error !== null && (
        <Failure error={error} what={`load ${env}`} onRetry={() => void Promise.all([environment.refetch(), revisions.refetch()])} />
      )}
      {error === null && (environment.isPending || revisions.isPending) && <Loading what="what ran here before" />}
      {environment.isSuccess && revisions.isSuccess && <Choice environment={environment.data} revisions={revisions.data.items} />}
    </Page>
  );
}

function Choice({ environment, revisions }: { readonly environment: Environment; readonly revisions: readonly Revision[] }) {
  const [query, setQuery] = useSearchParams();
  const [now, ...before] = staysOf(revisions, environment);
  if (now === undefined || before.length === 0) {
    return (
      <Empty
        title="There is nothing to go back to"
        action={<LinkButton to={`/projects/${environment.project_id}/env/${environment.env}`}>Back to {environment.env}</LinkButton>}
      >
        {environment.env} has had one state only.
      </Empty>
    );
  }
  const proposed = before.find(({ wasDeployed }) => wasDeployed) ?? before.find(({ version }) => version !== now.version) ?? before[0];
  const to = Number(query.get("to")) || (proposed?.revision ?? 0);
  return (
    <>
      <Panel title="1. Back to">
        <Table
          caption={`What ran in ${environment.env}`}
          rows={[now, ...before.slice(0, 30)]}
          keyOf={({ revision }) => String(revision)}
          columns={[
            { title: "Version", cell: ({ version }) => <strong>{version}</strong> },
            { title: "Live", cell: (stay) => <Lived stay={stay} /> },
            { title: "By", cell: ({ by }) => by },
            {
              title: "Choose",
              cell: (stay) => <Chooser stay={stay} now={now} to={to} onChoose={(n) => setQuery({ to: String(n) }, { replace: true })} />,
            },
          ]}
        />
      </Panel>
      <Plan key={to} environment={environment} to={to} now={now} target={before.find(({ revision }) => revision === to)} />
    </>
  );
}

function Lived({ stay: { from, until, wasDeployed } }: { readonly stay: Stay }) {
  return (
    <>
      {until === null ? "since " : `${lengthOf(Date.parse(until) - Date.parse(from))}, from `}
      <Ago at={from} />
      {wasDeployed && <span className={styles.soft}> · deployed</span>}
    </>
  );
}

function Chooser({
  stay,
  now,
  to,
  onChoose,
}: {
  readonly stay: Stay;
  readonly now: Stay;
  readonly to: number;
  readonly onChoose: (revision: number) => void;
}) {
  if (stay.revision === now.revision) return <Badge tone="plain">Now</Badge>;
  if (stay.revision === to) return <Badge tone="info">Chosen</Badge>;
  return (
    <Button small onClick={() => onChoose(stay.revision)} aria-label={`Choose ${stay.version}, revision ${stay.revision}`}>
      Choose
    </Button>
  );
}

interface PlanProps {
  readonly environment: Environment;
  readonly to: number;
  readonly now: Stay;
  readonly target: Stay | undefined;
}

function Plan({ environment, to, now, target }: PlanProps) {
  const { project_id: project, env } = environment;
  const plan = useQuery(rollbackQuery(project, env, to));
  const [{ reason, name }, setWord] = useState({ reason: "", name: "" });
  const asked = useAsked(environment);
  const announce = useAnnounce();
  const queries = useQueryClient();
  const rollback = useAction({
    mutationFn: () =>
      api.rollback({
        project_id: project,
        env,
        to,
        ...(reason.trim() !== "" && { message: reason.trim() }),
        ...(asked.name && { confirm: name.trim() }),
      }),
    onSuccess: async (reply) => {
      announce(`${env} is back at ${reply.version}.`);
      await queries.invalidateQueries({ queryKey: ["project", project] });
    },
  });
  if (rollback.isSuccess) return <Done environment={environment} version={rollback.data.version} />;
  if (plan.isPending) return <Loading what="what would change" />;
  if (plan.isError) return <Failure error={plan.error} what="plan the way back" onRetry={() => void plan.refetch()} />;
  const isSaid = (!asked.reason || reason.trim() !== "") && (!asked.name || name.trim() === env);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (isSaid) rollback.act();
  };
  return (
    <>
      <Panel title="2. What that means">
        <p>
          From <strong>{now.version}</strong> to <strong>{plan.data.version}</strong>
          {target !== undefined && (
            <>
              , as it was <Ago at={target.from} />
            </>
          )}
          .
        </p>
        <ul className="bullets">
          {sentencesOf(plan.data.diff_from_previous).map(({ text }) => (
            <li key={text}>{text}</li>
          ))}
          <li>The configuration goes back too: values, switches, and which passwords are used.</li>
        </ul>
        <Notice tone="info" title="What does not go back">
          <p>What people entered into the product since then, and what was sent out meanwhile. Other environments stay as they are.</p>
        </Notice>
        <Notice tone="info" title="A hold follows">
          <p>Nothing is promoted to {env} by itself afterwards, so that nothing undoes this, until somebody presses “Resume”.</p>
        </Notice>
      </Panel>
      <Panel title="3. Roll back">
        <form onSubmit={submit} className="form">
          <SayingSo
            env={env}
            typed={asked.name}
            reasonNeeded={asked.reason}
            reason={reason}
            name={name}
            onChange={(change) => setWord({ reason, name, ...change })}
          />
          {rollback.isError && <Failure error={rollback.error} what="roll back" />}
          <div>
            <Button type="submit" look="danger" busy={rollback.isPending} disabled={!isSaid || plan.data.status === "no_changes"}>
              Roll {env} back to {plan.data.version}
            </Button>
          </div>
        </form>
      </Panel>
    </>
  );
}

function Done({ environment: { project_id: project, env }, version }: { readonly environment: Environment; readonly version: string }) {
  return (
    <Notice
      tone="good"
      title={`${env} is back at ${version}`}
      actions={<LinkButton to={`/projects/${project}/env/${env}`}>Look at {env}</LinkButton>}
    >
      <p>It is on hold: nothing is promoted there by itself. “Resume” on its page lifts that.</p>
    </Notice>
  );
}
