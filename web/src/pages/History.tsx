import { Link, useParams, useSearchParams } from "react-router";
import { type AuditRecord, api } from "../api.ts";
import { Button } from "../components/Button.tsx";
import { Field } from "../components/Field.tsx";
import { HistoryList } from "../components/HistoryList.tsx";
import { More } from "../components/More.tsx";
import { Notice } from "../components/Notice.tsx";
import { Page } from "../components/Page.tsx";
import { Panel } from "../components/Panel.tsx";
import { currentQuery, SearchField } from "../components/SearchField.tsx";
import { Empty, Failure, Loading } from "../components/States.tsx";
import { Table } from "../components/Table.tsx";
import { Ago } from "../components/Time.tsx";
import { ActivityCharts } from "../history/ActivityCharts.tsx";
import { changeOf, detailsOf, reasonOf, recordInWords } from "../history/records.ts";
import { auditQuery, environmentsQuery, historyQuery } from "../queries.ts";
import { useMay } from "../rights.ts";
import { useAction } from "../useAction.ts";
import { useRead } from "../useRead.ts";
import styles from "./History.module.css";
import { save } from "./State.tsx";

/** What happened, by whom, and that nobody changed the record of it. */
export default function History() {
  const { project = "" } = useParams();
  const [query, setQuery] = useSearchParams();
  const environments = useRead(environmentsQuery(project)).data?.items ?? [];
  const env = query.get("env") ?? "";
  const view = query.get("view") === "audit" || env === "" ? "audit" : "revisions";
  const change = (part: Readonly<Record<string, string>>) => {
    const next = currentQuery();
    next.delete("cursor");
    for (const [name, value] of Object.entries(part)) value === "" ? next.delete(name) : next.set(name, value);
    setQuery(next, { replace: true });
  };
  return (
    <Page title="History" lead="Everything that was done, by whom and why. Entries are only ever added.">
      <ActivityCharts project={project} environments={environments.map((each) => each.env)} />
      <div className={styles.filters}>
        <Field label="Environment">
          {(control) => (
            <select {...control} value={env} onChange={({ target }) => change({ env: target.value })}>
              <option value="">All of them</option>
              {env !== "" && environments.every((each) => each.env !== env) && <option value={env}>{env}</option>}
              {environments.map((each) => (
                <option key={each.env} value={each.env}>
                  {each.env}
                </option>
              ))}
            </select>
          )}
        </Field>
        {env !== "" && (
          <Field label="Show">
            {(control) => (
              <select {...control} value={view} onChange={({ target }) => change({ view: target.value === "audit" ? "audit" : "" })}>
                <option value="revisions">Its versions</option>
                <option value="audit">Everything that was done</option>
              </select>
            )}
          </Field>
        )}
        {view === "audit" && (
          <>
            <SearchField label="By whom" hint="The whole name." value={query.get("actor") ?? ""} onChange={(actor) => change({ actor })} />
            <SearchField
              label="What"
              hint="promote, rollback, config, update, policy, deployment …"
              value={query.get("action") ?? ""}
              onChange={(action) => change({ action })}
            />
          </>
        )}
      </div>
      {view === "revisions" ? (
        <Revisions project={project} env={env} cursor={query.get("cursor")} />
      ) : (
        <Log project={project} query={query} />
      )}
      <Proof project={project} />
    </Page>
  );
}

function Revisions({ project, env, cursor }: { readonly project: string; readonly env: string; readonly cursor: string | null }) {
  const history = useRead(historyQuery(project, env, cursor));
  if (history.isPending) return <Loading what="the history" />;
  if (history.isError) return <Failure error={history.error} what="load the history" onRetry={() => void history.refetch()} />;
  return (
    <Panel title={`Versions of ${env}`}>
      <HistoryList revisions={history.data.items} />
      <More cursor={history.data.next_cursor} />
    </Panel>
  );
}

function Log({ project, query }: { readonly project: string; readonly query: URLSearchParams }) {
  const filter = Object.fromEntries(
    ["env", "action", "actor", "cursor"].flatMap((name) => (query.get(name) ? [[name, query.get(name) ?? ""]] : [])),
  );
  const audit = useRead(auditQuery(project, filter));
  if (audit.isPending) return <Loading what="the log" />;
  if (audit.isError) return <Failure error={audit.error} what="load the log" onRetry={() => void audit.refetch()} />;
  if (audit.data.items.length === 0) return <Empty title="Nothing is like that">Show everything by clearing the filters.</Empty>;
  return (
    <Panel title="Everything that was done">
      <Table
        caption="Audit log, newest first"
        rows={audit.data.items}
        keyOf={({ seq }) => String(seq)}
        columns={[
          { title: "When", cell: ({ at }) => <Ago at={at} /> },
          { title: "Who", cell: ({ actor, subject }) => (actor === subject ? actor : `${actor}, through ${subject}`) },
          { title: "What", cell: (record) => <What record={record} /> },
          { title: "Where", cell: ({ environment }) => environment ?? "the whole project" },
        ]}
      />
      <More cursor={audit.data.next_cursor} />
    </Panel>
  );
}

function What({ record }: { readonly record: AuditRecord }) {
  const { project, environment, revision } = record;
  const details = detailsOf(record);
  const [reason, change] = [reasonOf(record), changeOf(record)];
  const may = useMay(project);
  return (
    <>
      <p>{recordInWords(record)}</p>
      {change !== null && <p className={styles.soft}>{change}</p>}
      {reason !== null && <p className={styles.reason}>“{reason}”</p>}
      {environment !== null && revision !== null && revision > 1 && (
        <p>
          <Link
            to={`/projects/${project}/compare?${new URLSearchParams({ left: `${environment}@${revision}`, right: `${environment}@${revision - 1}` })}`}
            aria-label={`Before and after, record ${record.seq}`}
          >
            before and after
          </Link>
          {may("edit", environment) && (
            <>
              {" · "}
              <Link
                to={`/projects/${project}/env/${environment}/rollback?to=${revision}`}
                aria-label={`restore this: ${environment}, revision ${revision}`}
              >
                restore this
              </Link>
            </>
          )}
        </p>
      )}
      <details className={styles.soft}>
        <summary>Record {record.seq}</summary>
        {details.map(({ name, value }) => (
          <p key={name}>
            {name}: {value}
          </p>
        ))}
        <p>
          Request <code>{record.request_id}</code>, token <code>{record.token}</code>, hash <code>{record.hash}</code>
        </p>
      </details>
    </>
  );
}

/** That the log is whole, and the log as a file. */
function Proof({ project }: { readonly project: string }) {
  const verify = useAction({ mutationFn: () => api.verifyAudit({ project }) });
  const download = useAction({
    mutationFn: async () => {
      const lines: string[] = [];
      let signature: string | null = null;
      const onHeaders = (headers: Headers) => {
        signature = headers.get("audit-signature");
      };
      for await (const record of api.exportAudit({ project }, { onHeaders })) lines.push(JSON.stringify(record));
      save(`${project}-audit.ndjson`, `${lines.join("\n")}\n`);
      // By which whoever gets the log can tell that it is whole, and from here.
      if (signature !== null) save(`${project}-audit.jws`, signature);
    },
  });
  return (
    <Panel title="Proof">
      <p>Each record holds the hash of the one before it, so that nobody can change the past unnoticed.</p>
      <div className="row">
        <Button busy={verify.isPending} onClick={() => verify.act()}>
          Verify the log
        </Button>
        <Button busy={download.isPending} onClick={() => download.act()}>
          Export the log
        </Button>
      </div>
      {verify.isError && <Failure error={verify.error} what="verify the log" />}
      {download.isError && <Failure error={download.error} what="export the log" />}
      {verify.isSuccess &&
        (verify.data.valid ? (
          <Notice tone="good" alert title={`All ${verify.data.records} records are as they were written`}>
            <p>
              Note this, to find a log whose end was cut off later: <code>{verify.data.head}</code>
            </p>
          </Notice>
        ) : (
          <Notice tone="bad" alert title={`The log was changed, at record ${verify.data.broken_at}`}>
            <p>{verify.data.reason}</p>
          </Notice>
        ))}
    </Panel>
  );
}
