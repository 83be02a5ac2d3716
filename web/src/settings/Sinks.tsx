import type { Tone } from "../components/Badge.tsx";
import { Badge } from "../components/Badge.tsx";
import { Panel } from "../components/Panel.tsx";
import { Failure, Loading } from "../components/States.tsx";
import { Table } from "../components/Table.tsx";
import { Ago } from "../components/Time.tsx";
import { sinksQuery } from "../queries.ts";
import { useRead } from "../useRead.ts";

const STATES: Readonly<Record<string, { readonly tone: Tone; readonly text: string }>> = {
  ok: { tone: "good", text: "Has everything" },
  waiting: { tone: "info", text: "Catching up" },
  failing: { tone: "bad", text: "Cannot be reached" },
  inactive: { tone: "plain", text: "Switched off" },
};

/** Where the project's log is sent, and how far that has come. */
export function Sinks({ project }: { readonly project: string }) {
  const sinks = useRead(sinksQuery(project));
  return (
    <Panel title="Who is told">
      {sinks.isPending && <Loading what="who is told" />}
      {sinks.isError && <Failure error={sinks.error} what="load who is told" onRetry={() => void sinks.refetch()} />}
      {sinks.data?.items.length === 0 && <p>Nobody: no other engine is set up, and there is no webhook.</p>}
      {sinks.data !== undefined && sinks.data.items.length > 0 && (
        <Table
          caption="Who is told of what happens"
          rows={sinks.data.items}
          keyOf={({ name }) => name}
          columns={[
            { title: "Who", cell: ({ name, kind }) => (name === kind ? name : `${kind} ${name}`) },
            { title: "State", cell: ({ state }) => <Badge tone={STATES[state]?.tone ?? "plain"}>{STATES[state]?.text ?? state}</Badge> },
            { title: "Still to be told", numeric: true, cell: ({ backlog }) => backlog },
            { title: "Waiting since", cell: ({ backlog_since }) => (backlog_since === null ? "–" : <Ago at={backlog_since} />) },
            {
              title: "Last trouble",
              cell: ({ last_error }) =>
                last_error === null ? (
                  "None"
                ) : (
                  <>
                    {last_error.reason} <Ago at={last_error.at} />
                  </>
                ),
            },
          ]}
        />
      )}
    </Panel>
  );
}
