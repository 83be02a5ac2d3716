import type { Readiness } from "../api.ts";
import { Badge, type Tone } from "../components/Badge.tsx";
import { Page } from "../components/Page.tsx";
import { Panel } from "../components/Panel.tsx";
import { Failure, Loading } from "../components/States.tsx";
import { Table } from "../components/Table.tsx";
import { Moment } from "../components/Time.tsx";
import { healthQuery } from "../queries.ts";
import { SOME, useMay } from "../rights.ts";
import { Tokens } from "../settings/Tokens.tsx";
import { useRead } from "../useRead.ts";

const STATUS: Readonly<Record<string, { readonly tone: Tone; readonly text: string }>> = {
  ok: { tone: "good", text: "Works" },
  degraded: { tone: "warn", text: "Works in part" },
  down: { tone: "bad", text: "Away" },
  absent: { tone: "plain", text: "Not set up" },
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

interface Row {
  readonly name: string;
  readonly status: string;
  readonly reason?: string;
  readonly last_error?: string;
  readonly since?: string;
}

/** The engine itself: what it depends on, and who may get in. */
export default function Engine() {
  const health = useRead(healthQuery);
  const mayAdminister = useMay(SOME)("administer", SOME);
  return (
    <Page title="Engine and access" lead="What the engine depends on, and who may use it.">
      <Panel title="Health">
        {health.isPending && <Loading what="how the engine does" />}
        {health.isError && <Failure error={health.error} what="ask how the engine does" onRetry={() => void health.refetch()} />}
        {health.isSuccess && <Health readiness={health.data} />}
      </Panel>
      {mayAdminister && <Tokens />}
    </Page>
  );
}

/** Everything that the engine can depend on: what is not set up is not asked, and stands in nobody's way. */
function Health({ readiness: { status: now, checks } }: { readonly readiness: Readiness }) {
  if (now === "draining") return <p>The engine is about to stop: it ends what was begun, and takes nothing new.</p>;
  const names = [...Object.keys(NAMES), ...Object.keys(checks).filter((name) => NAMES[name] === undefined)];
  return (
    <Table
      caption="What the engine depends on"
      rows={names.map((name): Row => ({ name, status: "absent", ...checks[name] }))}
      keyOf={({ name }) => name}
      columns={[
        { title: "What", cell: ({ name }) => NAMES[name] ?? name },
        {
          title: "How it does",
          cell: ({ status }) => <Badge tone={STATUS[status]?.tone ?? "plain"}>{STATUS[status]?.text ?? status}</Badge>,
        },
        {
          title: "More",
          cell: ({ reason = "", last_error = reason, since }) =>
            since === undefined ? (
              last_error
            ) : (
              <>
                {last_error} since <Moment at={since} />
              </>
            ),
        },
      ]}
    />
  );
}
