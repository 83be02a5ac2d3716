import { useState } from "react";
import { Link, useParams } from "react-router";
import { api, type Environment } from "../api.ts";
import { Badge } from "../components/Badge.tsx";
import { Button, LinkButton } from "../components/Button.tsx";
import { HistoryList } from "../components/HistoryList.tsx";
import { Notice } from "../components/Notice.tsx";
import { Page } from "../components/Page.tsx";
import { type Fact, Facts, Panel, Technical } from "../components/Panel.tsx";
import { ReasonDialog } from "../components/ReasonDialog.tsx";
import { Resume } from "../components/Resume.tsx";
import { Failure, Loading } from "../components/States.tsx";
import { Ago, Moment } from "../components/Time.tsx";
import { pipelineOf, rulesOf, useEnvironments } from "../policy.ts";
import { environmentQuery, policyQuery, readinessQuery, revisionsQuery } from "../queries.ts";
import { useRead } from "../useRead.ts";
import { keyInWords, statusOf } from "../words.ts";
import styles from "./EnvironmentPage.module.css";

/** One environment: what runs, what should run, what is missing, and what happened lately. */
export default function EnvironmentPage() {
  const { project = "", env = "" } = useParams();
  const environment = useRead(environmentQuery(project, env));
  return (
    <Page
      title={env}
      eyebrow={<Link to={`/projects/${project}`}>{project}</Link>}
      actions={environment.data !== undefined && <Actions environment={environment.data} />}
    >
      {environment.isPending && <Loading what="the environment" />}
      {environment.isError && <Failure error={environment.error} what={`load ${env}`} onRetry={() => void environment.refetch()} />}
      {environment.isSuccess && <Contents environment={environment.data} />}
    </Page>
  );
}

function Actions({ environment: { project_id: project, env, status } }: { readonly environment: Environment }) {
  const policy = useRead(policyQuery(project));
  if (status !== "active") return null;
  const pipeline = pipelineOf(policy.data?.policy);
  const position = pipeline.indexOf(env);
  const [before, next] = position < 0 ? [] : [pipeline[position - 1], pipeline[position + 1]];
  const isLast = position >= 0 && next === undefined && before !== undefined;
  const promote = `/projects/${project}/promote`;
  return (
    <>
      {isLast ? (
        <LinkButton look="primary" to={`${promote}?from=${before}&to=${env}`}>
          Promote {before} to here …
        </LinkButton>
      ) : (
        <LinkButton look="primary" to={`${promote}?from=${env}${next === undefined ? "" : `&to=${next}`}`}>
          Promote {next === undefined ? "…" : `to ${next} …`}
        </LinkButton>
      )}
      <LinkButton to={`/projects/${project}/env/${env}/rollback`}>Roll back …</LinkButton>
    </>
  );
}

function Contents({ environment }: { readonly environment: Environment }) {
  const { project_id: project, env, unbound, hold, status, expires_at } = environment;
  return (
    <>
      {status === "active" && expires_at !== null && (
        <Notice tone="info" title="A temporary copy" actions={<LinkButton to={`/projects/${project}/previews`}>Extend it</LinkButton>}>
          <p>
            It is deleted <Ago at={expires_at} /> (<Moment at={expires_at} />
            ).
          </p>
        </Notice>
      )}
      {status !== "active" && <Ended environment={environment} />}
      {hold !== null && <Held environment={environment} hold={hold} />}
      {status === "active" && <Frozen environment={environment} />}
      {unbound.length > 0 && <Unbound project={project} env={env} unbound={unbound} />}
      {environment.sync_status === "failed" && (
        <Notice tone="bad" title="The last deployment failed">
          <p>{environment.deployment?.reason ?? "The Deployment Planner gave no reason."}</p>
          <p>
            {environment.deployed === null ? "Nothing was deployed here before." : `${environment.deployed.version} goes on running.`}{" "}
            Deploy again, or roll back.
          </p>
        </Notice>
      )}
      <Panel
        title="Now"
        actions={
          status === "active" ? (
            <>
              <LinkButton small to={`/projects/${project}/config?env=${env}`}>
                Configuration
              </LinkButton>
              <LinkButton small to={`/projects/${project}/state?env=${env}`}>
                Platform
              </LinkButton>
            </>
          ) : undefined
        }
      >
        <Facts facts={factsOf(environment)} />
        <Technical>
          <Facts
            facts={[
              { name: "Snapshot", value: <code>{environment.snapshot}</code> },
              { name: "Sync status", value: <code>{environment.sync_status}</code> },
              { name: "Type", value: <code>{environment.type}</code> },
            ]}
          />
        </Technical>
      </Panel>
      <RecentHistory project={project} env={env} />
    </>
  );
}

function factsOf(environment: Environment): readonly Fact[] {
  const { version, revision, updated_at, updated_by, deployed, url, base_from, created_at, created_by, source_ref } = environment;
  const status = statusOf(environment);
  return [
    {
      name: "Version",
      value: (
        <>
          <strong className={styles.version}>{version}</strong> <span className={styles.soft}>revision {revision}</span>
        </>
      ),
    },
    { name: "Status", value: <Badge tone={status.tone}>{status.text}</Badge> },
    {
      name: "Last change",
      value: (
        <>
          <Ago at={updated_at} /> by {updated_by}
        </>
      ),
    },
    {
      name: "Deployed",
      value:
        deployed === null ? (
          "Nothing yet"
        ) : (
          <>
            {deployed.version}, <Ago at={deployed.at} />
          </>
        ),
    },
    {
      name: "Address",
      value: (
        <a href={url} rel="noreferrer" target="_blank">
          {url}
        </a>
      ),
    },
    {
      name: "Made",
      value: (
        <>
          <Ago at={created_at} /> by {created_by}
          {base_from !== null && `, from ${base_from}`}
        </>
      ),
    },
    ...(source_ref === null ? [] : [{ name: "For", value: source_ref }]),
  ];
}

function Held({ environment, hold }: { readonly environment: Environment; readonly hold: NonNullable<Environment["hold"]> }) {
  return (
    <Notice tone="warn" title="On hold" actions={<Resume environment={environment} />}>
      <p>
        {hold.by} placed a hold <Ago at={hold.at} />: “{hold.reason}”. Nothing is promoted here by itself until it is resumed; by hand it
        can be.
      </p>
    </Notice>
  );
}

/** Times in which the policy lets no promotion in: that it is such a time, and until when. */
function Frozen({ environment: { project_id: project, env, type } }: { readonly environment: Environment }) {
  const policy = useRead(policyQuery(project)).data?.policy;
  const { active } = useEnvironments(project);
  const pipeline = pipelineOf(policy);
  const source = pipeline[pipeline.indexOf(env) - 1] ?? active.find((each) => each.env !== env)?.env;
  const windows = rulesOf(policy, { env, type }).freeze;
  const isAsked = Array.isArray(windows) && windows.length > 0 && source !== undefined;
  // What stands in the way of a promotion says so; whichever promotion it would be.
  const plan = useRead({ ...readinessQuery(project, source ?? "", env), enabled: isAsked });
  const check = plan.data?.checks.find(({ name, status }) => name === "freeze_window" && status === "failed");
  if (check === undefined) return null;
  const opening = check.details?.next_open;
  return (
    <Notice tone="warn" title="Closed for promotions">
      <p>{check.reason}</p>
      {typeof opening === "string" && (
        <p>
          Open again <Ago at={opening} /> (<Moment at={opening} />
          ). A rollback is possible at any time.
        </p>
      )}
    </Notice>
  );
}

function Ended({ environment }: { readonly environment: Environment }) {
  const { project_id: project, env, status, updated_at, updated_by, expires_at, cleared_at } = environment;
  const [isAsked, setAsked] = useState(false);
  return (
    <Notice
      tone="info"
      title={status === "archived" ? "Archived" : "Expired"}
      actions={cleared_at === null && <Button onClick={() => setAsked(true)}>Bring it back …</Button>}
    >
      <p>
        {status === "archived" ? (
          <>
            Put away <Ago at={updated_at} /> by {updated_by}.{" "}
          </>
        ) : (
          expires_at !== null && (
            <>
              It ended <Ago at={expires_at} />.{" "}
            </>
          )
        )}
        {cleared_at === null
          ? "Everything in it is still there, and it can be brought back."
          : "Its passwords have left the vault: create it anew."}
      </p>
      {isAsked && (
        <ReasonDialog
          title={`Bring ${env} back`}
          project={project}
          act={(reason) => api.restoreEnvironment({ project_id: project, env, reason })}
          done={`${env} is back.`}
          onClose={() => setAsked(false)}
        />
      )}
    </Notice>
  );
}

function Unbound({ project, env, unbound }: { readonly project: string; readonly env: string; readonly unbound: readonly string[] }) {
  return (
    <Notice
      tone="warn"
      title="Something that it needs is not set"
      actions={<LinkButton to={`/projects/${project}/config?env=${env}`}>Set the values</LinkButton>}
    >
      <ul className={styles.list}>
        {unbound.map((key) => (
          <li key={key}>
            <strong>{keyInWords(key).name}</strong>, {keyInWords(key).text}
          </li>
        ))}
      </ul>
    </Notice>
  );
}

function RecentHistory({ project, env }: { readonly project: string; readonly env: string }) {
  const revisions = useRead(revisionsQuery(project, env, 10));
  return (
    <Panel
      title="Lately"
      actions={
        <LinkButton small to={`/projects/${project}/history?env=${env}`}>
          All of its history
        </LinkButton>
      }
    >
      {revisions.isPending && <Loading what="the history" />}
      {revisions.isError && <Failure error={revisions.error} what="load the history" onRetry={() => void revisions.refetch()} />}
      {revisions.isSuccess && <HistoryList revisions={revisions.data.items} />}
    </Panel>
  );
}
