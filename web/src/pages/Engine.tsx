import { useQuery } from "@tanstack/react-query";
import type { Readiness } from "../api.ts";
import { Badge, type Tone } from "../components/Badge.tsx";
import { Page } from "../components/Page.tsx";
import { Panel } from "../components/Panel.tsx";
import { Failure, Loading } from "../components/States.tsx";
import { Table } from "../components/Table.tsx";
import { Ago } from "../components/Time.tsx";
import { healthQuery } from "../queries.ts";
import { Tokens } from "../settings/Tokens.tsx";

const STATUS: Readonly<Record<string, { readonly tone: Tone; readonly text: string }>> = {
  ok: { tone: "good", text: "Works" },
  degraded: { tone: "warn", text: "Works in part" },
  down: { tone: "bad", text: "Away" },
};

const NAMES: Readonly<Record<string, string>> = {
  store: "The store, where everything is kept",
  vault: "The vault, where passwords are kept",
  validation: "Validation: judges flows before a promotion",
  monitoring: "Monitoring: gets every record of the log",
  deployment: "The Deployment Planner",
  builder: "The Platform Builder: makes previews that can be opened",
  feedback: "The Feedback Loop: tells people that they are waited for",
  identity_provider: "The identity provider",
};

/** The engine itself: what it depends on, and who may get in. */
export default function Engine() {
  const health = useQuery(healthQuery);
  return (
    <Page title="Engine and access" lead="What the engine depends on, and who may use it.">
      <Panel title="Health">
        {health.isPending && <Loading what="how the engine does" />}
        {health.isError && <Failure error={health.error} what="ask how the engine does" onRetry={() => void health.refetch()} />}
        {health.isSuccess && <Health readiness={health.data} />}
      </Panel>
      <Tokens />
    </Page>
  );
}

function Health({ readiness }: { readonly readiness: Readiness }) {
  return (
    <Table
      caption="What the engine depends on"
      rows={Object.entries(readiness.checks).map(([name, check]) => ({ name, ...check }))}
      keyOf={({ name }) => name}
      columns={[
        { title: "What", cell: ({ name }) => NAMES[name] ?? name },
        {
          title: "How it does",
          cell: ({ status }) => <Badge tone={STATUS[status]?.tone ?? "plain"}>{STATUS[status]?.text ?? status}</Badge>,
        },
        {
          title: "Why",
          cell: ({ reason, last_error, since }) => (
            <>
              {reason ?? last_error ?? ""}
              {since !== undefined && (
                <>
                  {" "}
                  since <Ago at={since} />
                </>
              )}
            </>
          ),
        },
      ]}
    />
  );
}
