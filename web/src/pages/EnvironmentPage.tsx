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
import { ArchiveEnvironment } from "../environments/ArchiveEnvironment.tsx";
import { pipelineOf, rulesOf, useEnvironments } from "../policy.ts";
import { ExtendPreview } from "../previews/ExtendPreview.tsx";
import { environmentQuery, policyQuery, readinessQuery, revisionsQuery } from "../queries.ts";
import { mayChange, SOME, useMay } from "../rights.ts";
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

/** What somebody does here, as far as they may. */
function Actions({ environment }: { readonly environment: Environment }) {
  const { project_id: project, env, status, hold } = environment;
  const [isHolding, setHolding] = useState(false);
  const may = useMay(project);
  if (status !== "active") return null;
  const isOurs = mayChange(may, environment);
  return (
    <>
      <PromoteLink environment={environment} />
      {isOurs && <LinkButton to={`/projects/${project}/env/${env}/rollback`}>Roll back …</LinkButton>}
      {isOurs && hold === null && <Button onClick={() => setHolding(true)}>Hold …</Button>}
      {isHolding && (
        <ReasonDialog
          title={`Put ${env} on hold`}
          project={project}
          act={(reason) => api.holdEnvironment({ project_id: project, env, reason })}
          done={`${env} is on hold.`}
          onClose={() => setHolding(false)}
        >
          Nothing is promoted here by itself until somebody presses “Resume”. By hand it can be, which ends the hold.
        </ReasonDialog>
      )}
    </>
  );
}

/** The next step of the pipeline from here; into its last environment, the one that leads there. */
function PromoteLink({ environment: { project_id: project, env } }: { readonly environment: Environment }) {
  const policy = useRead(policyQuery(project));
  const may = useMay(project);
  const pipeline = pipelineOf(policy.data?.policy);
  const position = pipeline.indexOf(env);
  const [before, next] = position < 0 ? [] : [pipeline[position - 1], pipeline[position + 1]];
  const isLast = position >= 0 && next === undefined && before !== undefined;
  if (!may("promote", isLast ? env : (next ?? SOME))) return null;
  const promote = `/projects/${project}/promote`;
  return isLast ? (
    <LinkButton look="primary" to={`${promote}?from=${before}&to=${env}`}>
      Promote {before} to here …
    </LinkButton>
  ) : (
    <LinkButton look="primary" to={`${promote}?from=${env}${next === undefined ? "" : `&to=${next}`}`}>
      Promote {next === undefined ? "…" : `to ${next} …`}
    </LinkButton>
  );
}

function Contents({ environment }: { readonly environment: Environment }) {
  const { project_id: project, env, unbound, hold, status, expires_at } = environment;
  const isOurs = mayChange(useMay(project), environment);
  return (
    <>
      {status === "active" && expires_at !== null && <Temporary environment={environment} expiresAt={expires_at} isOurs={isOurs} />}
      {status !== "active" && <Ended environment={environment} isOurs={isOurs} />}
      {hold !== null && <Held environment={environment} hold={hold} isOurs={isOurs} />}
      {status === "active" && <Frozen environment={environment} />}
      {unbound.length > 0 && <Unbound project={project} env={env} unbound={unbound} />}
      {environment.sync_status === "failed" && (
        <Notice tone="bad" title="The last deployment failed">
          <p>{environment.deployment?.reason ?? "The Deployment Planner gave no reason."}</p>
          <p>
            {environment.deployed === null ? "Nothing was deployed here before." : `${environment.deployed.version} goes on running.`}{" "}
            Deploy again, or roll back.
          </p>
          {environment.deployment?.rollback_error !== undefined && (
            <p>It was to be rolled back by itself, which failed: {environment.deployment.rollback_error}</p>
          )}
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
      {status === "active" && isOurs && <Archive environment={environment} />}
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

interface TemporaryProps {
  readonly environment: Environment;
  readonly expiresAt: string;
  readonly isOurs: boolean;
}

function Temporary({ environment: { project_id: project, env }, expiresAt, isOurs }: TemporaryProps) {
  const [isExtending, setExtending] = useState(false);
  return (
    <Notice tone="info" title="A temporary copy" actions={isOurs && <Button onClick={() => setExtending(true)}>Extend {env} …</Button>}>
      <p>
        It ends <Ago at={expiresAt} /> (<Moment at={expiresAt} />
        ).
      </p>
      {isExtending && <ExtendPreview project={project} env={env} expiresAt={expiresAt} onClose={() => setExtending(false)} />}
    </Notice>
  );
}

interface HeldProps {
  readonly environment: Environment;
  readonly hold: NonNullable<Environment["hold"]>;
  readonly isOurs: boolean;
}

function Held({ environment, hold, isOurs }: HeldProps) {
  return (
    <Notice tone="warn" title="On hold" actions={isOurs && <Resume environment={environment} />}>
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

function Ended({ environment, isOurs }: { readonly environment: Environment; readonly isOurs: boolean }) {
  const { project_id: project, env, type, status, updated_at, updated_by, expires_at, cleared_at } = environment;
  const [isAsked, setAsked] = useState(false);
  return (
    <Notice
      tone="info"
      title={status === "archived" ? "Archived" : "Expired"}
      actions={cleared_at === null && isOurs && <Button onClick={() => setAsked(true)}>Bring it back …</Button>}
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
          : `Its passwords have left the vault: create ${status === "expired" && type === "preview" ? "it anew" : "another, by another name"}.`}
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

/** At the end of the page: it is done seldom, and not by mistake. */
function Archive({ environment }: { readonly environment: Environment }) {
  const [isAsked, setAsked] = useState(false);
  return (
    <Panel
      title="Not needed any more?"
      actions={
        <Button small onClick={() => setAsked(true)}>
          Archive {environment.env} …
        </Button>
      }
    >
      <p>What is archived takes no changes any more. Its history stays, and for 90 days it can be brought back.</p>
      {isAsked && <ArchiveEnvironment environment={environment} onClose={() => setAsked(false)} />}
    </Panel>
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
