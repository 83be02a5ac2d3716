import { Link, useParams, useSearchParams } from "react-router";
import type { Promotion } from "../api.ts";
import { Badge, type Tone } from "../components/Badge.tsx";
import { Field } from "../components/Field.tsx";
import { More } from "../components/More.tsx";
import { Page } from "../components/Page.tsx";
import { Empty, Failure, Loading } from "../components/States.tsx";
import { Table } from "../components/Table.tsx";
import { Ago } from "../components/Time.tsx";
import { promotionsQuery } from "../queries.ts";
import { useRead } from "../useRead.ts";
import { listed } from "../words.ts";
import styles from "./Projects.module.css";

export const PROMOTION_STATUS: Readonly<Record<Promotion["status"], { readonly tone: Tone; readonly text: string }>> = {
  pending: { tone: "info", text: "Waiting" },
  applied: { tone: "good", text: "Promoted" },
  rejected: { tone: "bad", text: "Turned down" },
  voided: { tone: "plain", text: "Overtaken by a change" },
  expired: { tone: "plain", text: "Nobody answered in time" },
};

/** What waits for somebody's word, and what became of what waited. */
export default function Promotions() {
  const { project = "" } = useParams();
  const [query, setQuery] = useSearchParams();
  const status = (query.get("status") ?? "") as Promotion["status"] | "";
  const promotions = useRead(promotionsQuery(project, status === "" ? undefined : status, query.get("cursor")));
  return (
    <Page title="Approvals" lead="Promotions that were put up for somebody else’s word.">
      <div className={styles.filters}>
        <Field label="Show">
          {(control) => (
            <select {...control} value={status} onChange={({ target }) => setQuery(target.value === "" ? {} : { status: target.value })}>
              <option value="">All</option>
              {Object.entries(PROMOTION_STATUS).map(([value, { text }]) => (
                <option key={value} value={value}>
                  {text}
                </option>
              ))}
            </select>
          )}
        </Field>
      </div>
      {promotions.isPending && <Loading what="the promotions" />}
      {promotions.isError && <Failure error={promotions.error} what="load the promotions" onRetry={() => void promotions.refetch()} />}
      {promotions.data?.items.length === 0 && (
        <Empty title={status === "" ? "Nothing was put up for approval yet" : "There is none of these"}>
          Where the policy asks for approvals, a promotion waits here until enough people agreed.
        </Empty>
      )}
      {promotions.data !== undefined && promotions.data.items.length > 0 && (
        <div className={styles.card}>
          <Table
            caption="Promotions"
            rows={promotions.data.items}
            keyOf={({ id }) => id}
            columns={[
              { title: "What", cell: (promotion) => <What promotion={promotion} /> },
              {
                title: "Status",
                cell: ({ status: each }) => <Badge tone={PROMOTION_STATUS[each].tone}>{PROMOTION_STATUS[each].text}</Badge>,
              },
              {
                title: "Asked for",
                cell: ({ requested_by, requested_at }) => (
                  <>
                    by {requested_by}, <Ago at={requested_at} />
                  </>
                ),
              },
              { title: "Approvals", cell: (promotion) => <Approvals promotion={promotion} /> },
            ]}
          />
        </div>
      )}
      <More cursor={promotions.data?.next_cursor} />
    </Page>
  );
}

function What({ promotion: { project_id: project, id, version, source_env, target_env } }: { readonly promotion: Promotion }) {
  return (
    <Link to={`/projects/${project}/promotions/${id}`}>
      {version} from {source_env} to {target_env}
    </Link>
  );
}

function Approvals({ promotion: { needed, approvals, status, waiting_for, missing } }: { readonly promotion: Promotion }) {
  return (
    <>
      {approvals.length} of {needed}
      {status === "pending" && (
        <span className={styles.soft}>
          {" "}
          · waits for {missing === 0 ? "what is in the way" : waiting_for === null ? "anybody else" : listed(waiting_for)}
        </span>
      )}
    </>
  );
}
