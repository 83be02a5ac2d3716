import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import { EnvmError } from "../../../src/sdk/errors.ts";
import { api, type Environment } from "../api.ts";
import { useAnnounce } from "../components/Announcer.tsx";
import { Badge } from "../components/Badge.tsx";
import { Button, LinkButton } from "../components/Button.tsx";
import { focusTitle } from "../components/focus.ts";
import { Notice } from "../components/Notice.tsx";
import { Page } from "../components/Page.tsx";
import { Panel } from "../components/Panel.tsx";
import { isStale, PlanFailure } from "../components/PlanFailure.tsx";
import { Resume } from "../components/Resume.tsx";
import { useSayingSo } from "../components/SayingSo.tsx";
import { Empty, Failure, Loading } from "../components/States.tsx";
import { Table } from "../components/Table.tsx";
import { Moment } from "../components/Time.tsx";
import { Changes } from "../promote/Changes.tsx";
import { auditQuery, environmentQuery, revisionsQuery, rollbackQuery } from "../queries.ts";
import { lastHealthy, type Stay, staysOf } from "../stays.ts";
import { lengthOf } from "../time.ts";
import { useAction } from "../useAction.ts";
import { useRead } from "../useRead.ts";

/** The way back: to where, what that means, what it does not take back, and that automatic promotions wait from then on. */
export default function Rollback() {
  const { project = "", env = "" } = useParams();
  const environment = useRead(environmentQuery(project, env));
  const revisions = useRead(revisionsQuery(project, env, 100));
  const reports = useRead(auditQuery(project, { env, action: "deployment" }));
  const [done, setDone] = useState<RolledBack | null>(null);
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
      {error === null && (environment.isPending || revisions.isPending || reports.isPending) && <Loading what="what ran here before" />}
      {environment.isSuccess && done !== null && <Done environment={environment.data} done={done} />}
      {environment.isSuccess && revisions.isSuccess && !reports.isPending && done === null && (
        <Choice
          environment={environment.data}
          stays={staysOf(revisions.data.items, environment.data, reports.data?.items)}
          onDone={setDone}
        />
      )}
    </Page>
  );
}

type RolledBack = Awaited<ReturnType<typeof api.rollback>>;

interface ChoiceProps {
  readonly environment: Environment;
  readonly stays: readonly Stay[];
  readonly onDone: (reply: RolledBack) => void;
}

function Choice({ environment, stays, onDone }: ChoiceProps) {
  const [query, setQuery] = useSearchParams();
  const [now, ...before] = stays;
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
  const to = Number(query.get("to")) || (lastHealthy(stays)?.revision ?? 0);
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
      <Plan key={to} environment={environment} to={to} now={now} target={before.find(({ revision }) => revision === to)} onDone={onDone} />
    </>
  );
}

const OUTCOMES = { deployed: { tone: "good", text: "Worked" }, failed: { tone: "bad", text: "Deployment failed" } } as const;

function Lived({ stay: { from, until, outcome } }: { readonly stay: Stay }) {
  return (
    <>
      {until === null ? "since " : `for ${lengthOf(Date.parse(until) - Date.parse(from))}, from `}
      <Moment at={from} /> {outcome !== null && <Badge tone={OUTCOMES[outcome].tone}>{OUTCOMES[outcome].text}</Badge>}
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
  readonly onDone: (reply: RolledBack) => void;
}

function Plan({ environment, to, now, target, onDone }: PlanProps) {
  const { project_id: project, env } = environment;
  const [keepsSecrets, setKeepsSecrets] = useState(false);
  const request = { project_id: project, env, to, ...(keepsSecrets && { secrets: "keep_current" as const }) };
  const plan = useRead(rollbackQuery(request));
  const { fields, isSaid, word } = useSayingSo(environment);
  const announce = useAnnounce();
  const queries = useQueryClient();
  const rollback = useAction({
    mutationFn: (plan_id: string) => api.rollback({ ...request, plan_id, ...word }),
    onSuccess: async (reply) => {
      announce(`${env} is back at ${reply.version}.`);
      onDone(reply);
      focusTitle();
      await queries.invalidateQueries({ queryKey: ["project", project] });
    },
  });
  if (plan.isPending) return <Loading what="what would change" />;
  if (plan.isError) {
    return (
      <>
        <Failure error={plan.error} what="plan the way back" onRetry={() => void plan.refetch()} />
        {isOfSecrets(plan.error) && <KeepSecrets env={env} onChosen={() => setKeepsSecrets(true)} />}
      </>
    );
  }
  const again = () => {
    rollback.reset();
    void queries.invalidateQueries({ queryKey: ["project", project] });
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (isSaid) rollback.act(plan.data.plan_id);
  };
  return (
    <>
      <Panel title="2. What that means">
        <p>
          Now <strong>{now.version}</strong>, since <Moment at={now.from} />. Then <strong>{plan.data.version}</strong>
          {target?.until != null && (
            <>
              , which was live from <Moment at={target.from} /> until <Moment at={target.until} />
            </>
          )}
          .
        </p>
        <Changes diff={plan.data.diff_from_previous} before={{ project, env, at: now.revision }} after={{ project, env, at: to }} />
        <p>
          The configuration goes back too: values and switches
          {keepsSecrets ? ". The passwords stay those of today." : ", and which passwords are used."}
        </p>
        <Notice tone="info" title="What does not go back">
          <p>What people entered into the product since then, and what was sent out meanwhile. Other environments stay as they are.</p>
        </Notice>
        <Notice tone="info" title="A hold follows">
          <p>Nothing is promoted to {env} by itself afterwards, so that nothing undoes this, until somebody presses “Resume”.</p>
        </Notice>
      </Panel>
      <Panel title="3. Roll back">
        <form onSubmit={submit} className="form">
          {fields}
          {plan.data.status === "no_changes" && <p>{env} is so already: there is nothing to roll back. Choose another version above.</p>}
          {rollback.isError && <PlanFailure error={rollback.error} what="roll back" again={again} />}
          <div>
            <Button
              type="submit"
              look="danger"
              busy={rollback.isPending}
              disabled={!isSaid || isStale(rollback.error) || plan.data.status === "no_changes"}
            >
              Roll {env} back to {plan.data.version}
            </Button>
          </div>
        </form>
      </Panel>
    </>
  );
}

function isOfSecrets(error: Error): boolean {
  return error instanceof EnvmError && error.code === "secret_unavailable";
}

/** The vault has forgotten a password of then: there is a way back all the same. */
function KeepSecrets({ env, onChosen }: { readonly env: string; readonly onChosen: () => void }) {
  return (
    <Notice tone="info" title="Go back without the passwords of then?" actions={<Button onClick={onChosen}>Keep today’s passwords</Button>}>
      <p>Everything else of {env} goes back. Whatever uses its passwords has those of today. Nothing changes before you confirm it.</p>
    </Notice>
  );
}

/** The record of it, and what ends the hold that it left. */
function Done({ environment, done: { version, revision } }: { readonly environment: Environment; readonly done: RolledBack }) {
  const { project_id: project, env, hold } = environment;
  return (
    <Notice
      tone="good"
      title={`${env} is back at ${version}`}
      actions={
        <>
          {hold !== null && <Resume environment={environment} />}
          <LinkButton to={`/projects/${project}/env/${env}`}>Look at {env}</LinkButton>
          <LinkButton to={`/projects/${project}/history?env=${env}`}>See it in the history</LinkButton>
        </>
      }
    >
      <p>
        The history has it as “rolled back to {version}”, revision {revision}. Nothing is promoted there by itself until somebody presses
        “Resume”.
      </p>
    </Notice>
  );
}
