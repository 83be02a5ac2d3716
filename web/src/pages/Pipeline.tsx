import { useRef, useState } from "react";
import { Link, useParams } from "react-router";
import type { Environment, PromoteReply } from "../api.ts";
import { Badge } from "../components/Badge.tsx";
import { Button, LinkButton } from "../components/Button.tsx";
import { Page } from "../components/Page.tsx";
import { Panel } from "../components/Panel.tsx";
import { ShowMore, useFirst } from "../components/ShowMore.tsx";
import { Empty, Failure, Loading } from "../components/States.tsx";
import { Ago } from "../components/Time.tsx";
import { VersionsChart } from "../components/VersionsChart.tsx";
import { useWaiting, Waits } from "../components/Waiting.tsx";
import { CreateEnvironment } from "../environments/CreateEnvironment.tsx";
import { hasChanges, reasonOf, sentencesOf } from "../plan.ts";
import { inOrder } from "../policy.ts";
import { environmentsQuery, policyQuery, previewCountQuery, readinessQuery } from "../queries.ts";
import { SOME, useMay } from "../rights.ts";
import { useRead } from "../useRead.ts";
import { listed, plural, statusOf } from "../words.ts";
import styles from "./Pipeline.module.css";

/** Environments shown at a time: of each it is asked what is ahead of it, and which versions it had. */
const SHOWN = 24;

/** Where each version is, what comes next, and what stands in its way. */
export default function Pipeline() {
  const { project = "" } = useParams();
  const environments = useRead(environmentsQuery(project));
  const policy = useRead(policyQuery(project));
  const all = environments.data?.items ?? [];
  const stages = inOrder(all, policy.data?.policy).filter(({ status }) => status === "active");
  const archived = all.filter(({ status }) => status === "archived");
  const first = useFirst(SHOWN);
  const shown = stages.slice(0, first.count);
  const list = useRef<HTMLOListElement>(null);
  const [isCreating, setCreating] = useState(false);
  const mayCreate = useMay(project)("edit", SOME);
  const create = mayCreate && <Button onClick={() => setCreating(true)}>New environment …</Button>;
  const previews = useRead(previewCountQuery(project)).data;
  return (
    <Page
      title={project}
      lead="How versions travel to production."
      actions={
        <>
          {environments.isSuccess && create}
          <LinkButton to={`/projects/${project}/compare`}>Compare</LinkButton>
        </>
      }
    >
      {environments.isPending && <Loading what="the pipeline" />}
      {environments.isError && <Failure error={environments.error} what="load the pipeline" onRetry={() => void environments.refetch()} />}
      {environments.isSuccess && stages.length === 0 && (
        <Empty title="There is no environment here that you may see">
          {mayCreate ? "Create the first one, or ask an administrator for access." : "Ask an administrator for access."}
        </Empty>
      )}
      {stages.length > 0 && (
        <ol ref={list} className={styles.stages} aria-label="Pipeline">
          {shown.map((environment, index) => (
            <li key={environment.env} className={styles.stage}>
              <Stage environment={environment} />
              {stages[index + 1] !== undefined && <Step from={environment} to={stages[index + 1] as Environment} />}
            </li>
          ))}
        </ol>
      )}
      <ShowMore first={first} total={stages.length} what="environments" within={list} each=":scope > li" />
      {previews !== undefined && previews.items.length > 0 && (
        <Panel title="Temporary copies" actions={<LinkButton to={`/projects/${project}/previews`}>All previews</LinkButton>}>
          <p>
            {previewsInWords(
              previews.items.map(({ env }) => env),
              previews.total ?? previews.items.length,
            )}
          </p>
        </Panel>
      )}
      {stages.length > 0 && <VersionsChart project={project} environments={shown.map(({ env }) => env)} />}
      {archived.length > 0 && <Archived project={project} environments={archived} />}
      {isCreating && <CreateEnvironment project={project} environments={stages} onClose={() => setCreating(false)} />}
    </Page>
  );
}

function previewsInWords(names: readonly string[], total: number): string {
  const all = plural(total, "preview");
  return names.length < total ? `${all}, ${listed(names)} among them.` : `${all}: ${listed(names, names.length)}.`;
}

/** What was put away stands beside the others no more: here it is found again. */
function Archived({ project, environments }: { readonly project: string; readonly environments: readonly Environment[] }) {
  return (
    <Panel title="Archived">
      <ul className="bullets">
        {environments.map(({ env, version, updated_at, updated_by }) => (
          <li key={env}>
            <Link to={`/projects/${project}/env/${env}`}>{env}</Link> at {version}, put away <Ago at={updated_at} /> by {updated_by}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Stage({ environment }: { readonly environment: Environment }) {
  const { project_id: project, env, version, updated_at, updated_by, hold, unbound } = environment;
  const status = statusOf(environment);
  return (
    <article className={styles.card} aria-label={env}>
      <h2 className={styles.name}>
        <Link to={`/projects/${project}/env/${env}`}>{env}</Link>
      </h2>
      <p className={styles.version}>{version}</p>
      <p>
        <Badge tone={status.tone}>{status.text}</Badge>
      </p>
      <p className={styles.soft}>
        <Ago at={updated_at} /> by {updated_by}
      </p>
      {hold !== null && (
        <p>
          Held by {hold.by}: “{hold.reason}”.
        </p>
      )}
      {unbound.length > 0 && (
        <p>
          <Link to={`/projects/${project}/config?env=${env}`}>Set {listed(unbound.map((key) => key.slice(key.indexOf("/") + 1)))}</Link>
        </p>
      )}
    </article>
  );
}

function Step({ from, to }: { readonly from: Environment; readonly to: Environment }) {
  const readiness = useRead(readinessQuery(from.project_id, from.env, to.env));
  return (
    <div className={styles.step}>
      <span className={styles.arrow} aria-hidden="true" />
      {readiness.isPending && <Loading what={`what is ahead of ${to.env}`} />}
      {readiness.isError && <p className={styles.soft}>What would change is not known: {readiness.error.message}</p>}
      {readiness.isSuccess && <Ahead plan={readiness.data} from={from} to={to} />}
    </div>
  );
}

function Ahead({ plan, from, to }: { readonly plan: PromoteReply; readonly from: Environment; readonly to: Environment }) {
  const may = useMay(from.project_id);
  const waiting = useWaiting(from.project_id, from.env, to.env);
  const [one, ...more] = waiting;
  if (!hasChanges(plan)) return <p className={styles.soft}>Nothing to promote: {to.env} has all of it.</p>;
  const [first, ...others] = plan.checks.filter(({ status }) => status === "failed");
  return (
    <>
      <p>
        <strong>Ahead of {to.env}:</strong>{" "}
        {sentencesOf(plan.diff_from_previous)
          .map(({ text }) => text)
          .join(". ")}
        .
      </p>
      {one !== undefined && (
        <p>
          <Badge tone="info">Waiting</Badge> <Waits promotion={one} />
          {more.length > 0 && ` And ${more.length} more.`}
        </p>
      )}
      {first !== undefined && (
        <p>
          <Badge tone="warn">In the way</Badge> {reasonOf(first)}
          {others.length > 0 && ` And ${others.length} more.`}
        </p>
      )}
      {one !== undefined && (
        <LinkButton look="primary" to={`/projects/${from.project_id}/promotions${more.length > 0 ? "?status=pending" : `/${one.id}`}`}>
          See what waits
        </LinkButton>
      )}
      {may("promote", to.env) && (
        <LinkButton
          look={first === undefined && one === undefined ? "primary" : "secondary"}
          to={`/projects/${from.project_id}/promote?from=${from.env}&to=${to.env}`}
        >
          Promote to {to.env}
        </LinkButton>
      )}
    </>
  );
}
