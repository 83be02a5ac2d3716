import { useQueries } from "@tanstack/react-query";
import { Bars } from "../charts/Bars.tsx";
import { Panel } from "../components/Panel.tsx";
import { useNow } from "../components/Time.tsx";
import { auditQuery, revisionsQuery } from "../queries.ts";
import { useRead } from "../useRead.ts";
import styles from "./ActivityCharts.module.css";

const DAYS = 14;

/** Environments whose changes are counted. */
const COUNTED = 8;
/** The newest changes of each that are. */
const CHANGES = 100;

/** How much changed lately, and how deployments went. */
export function ActivityCharts({ project, environments }: { readonly project: string; readonly environments: readonly string[] }) {
  const now = useNow();
  const revisions = useQueries({ queries: environments.slice(0, COUNTED).map((env) => revisionsQuery(project, env, CHANGES)) });
  const deployments = useRead(auditQuery(project, { action: "deployment" }));
  const changes = revisions.flatMap(({ data }) => data?.items ?? []).map(({ timestamp }) => timestamp);
  const outcomes = (deployments.data?.items ?? []).map(({ at, details }) => ({ at, status: String(details.status) }));
  if (changes.length === 0) return null;
  const days = lastDays(now);
  const isShort = (page: { readonly next_cursor: string | null } | undefined, oldest: string | undefined) =>
    page != null && page.next_cursor !== null && Date.parse(oldest ?? "") > (days[0] ?? 0);
  const isPartial =
    environments.length > COUNTED ||
    revisions.some(({ data }) => isShort(data, data?.items.at(-1)?.timestamp)) ||
    isShort(deployments.data, outcomes.at(-1)?.at);
  const on = (day: number, moment: string) => startOfDay(Date.parse(moment)) === day;
  return (
    <Panel title="The last two weeks">
      <div className={styles.charts}>
        <Bars
          caption="Changes on each day"
          series={[{ name: "Changes", look: "main" }]}
          bars={days.map((day) => ({ label: dayName(day), values: [changes.filter((moment) => on(day, moment)).length] }))}
        />
        {outcomes.length > 0 && (
          <Bars
            caption="Deployments on each day"
            series={[
              { name: "Deployed", look: "good" },
              { name: "Failed", look: "bad" },
            ]}
            bars={days.map((day) => ({
              label: dayName(day),
              values: ["deployed", "failed"].map((wanted) => outcomes.filter(({ at, status }) => status === wanted && on(day, at)).length),
            }))}
          />
        )}
      </div>
      {isPartial && (
        <p className={styles.soft}>
          Counted are the newest {CHANGES} changes of {environments.length > COUNTED ? `${COUNTED} environments` : "each environment"} and
          the newest {outcomes.length} reports of deployments: there were more.
        </p>
      )}
    </Panel>
  );
}

/** When each of the days begins here, today's last. A day may have 23 hours, or 25. */
export function lastDays(now: number): readonly number[] {
  return Array.from({ length: DAYS }, (_, index) => {
    const day = new Date(startOfDay(now));
    return day.setDate(day.getDate() - (DAYS - 1 - index));
  });
}

function startOfDay(time: number): number {
  return new Date(time).setHours(0, 0, 0, 0);
}

function dayName(time: number): string {
  return new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" }).format(new Date(time));
}
