import { useQueries } from "@tanstack/react-query";
import { Bars } from "../charts/Bars.tsx";
import { Panel } from "../components/Panel.tsx";
import { useNow } from "../components/Time.tsx";
import { auditQuery, revisionsQuery } from "../queries.ts";
import { useRead } from "../useRead.ts";
import styles from "./ActivityCharts.module.css";

const DAY = 24 * 3_600_000;
const DAYS = 14;

/** How much changed lately, and how deployments went. */
export function ActivityCharts({ project, environments }: { readonly project: string; readonly environments: readonly string[] }) {
  const now = useNow();
  const revisions = useQueries({ queries: environments.slice(0, 8).map((env) => revisionsQuery(project, env, 100)) });
  const deployments = useRead(auditQuery(project, { action: "deployment" }));
  const changes = revisions.flatMap(({ data }) => data?.items ?? []).map(({ timestamp }) => timestamp);
  const outcomes = (deployments.data?.items ?? []).map(({ at, details }) => ({ at, status: String(details.status) }));
  if (changes.length === 0) return null;
  const days = Array.from({ length: DAYS }, (_, index) => startOfDay(now - (DAYS - 1 - index) * DAY));
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
    </Panel>
  );
}

function startOfDay(time: number): number {
  return new Date(time).setHours(0, 0, 0, 0);
}

function dayName(time: number): string {
  return new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" }).format(new Date(time));
}
