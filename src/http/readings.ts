import type { Domain } from "../domain.ts";
import type { Readings, Sample } from "./metrics.ts";
import type { Streams } from "./streams.ts";

const gauge = (name: string, help: string, value: number, labels: Readonly<Record<string, string>> = {}): Sample => ({
  name: `environment_manager_${name}`,
  help,
  type: "gauge",
  labels,
  value,
});

/** What the engine knows of itself, besides requests: what the process counted, and what the store says now, as far as it can be asked. */
export async function readingsOf(domain: Domain, streams: Streams, more: readonly Sample[]): Promise<Readings> {
  const { counts, watches } = domain;
  return {
    samples: [
      gauge("watchers", "Who watches an environment, through this instance.", watches.size),
      gauge("streams", "Replies that are being streamed, and requests that wait.", streams.size),
      ...(await storedReadings(domain)),
      ...more,
    ],
    distributions: [
      {
        name: "environment_manager_commit_duration_seconds",
        help: "Time that a commit of the store takes, until it is durable.",
        histogram: counts.commitSeconds,
      },
      { name: "environment_manager_commit_writers", help: "Writers that share one commit.", histogram: counts.commitWriters },
    ],
  };
}

async function storedReadings({ sinks, timers }: Domain): Promise<readonly Sample[]> {
  const up = (value: number) => gauge("store_up", "Whether the store could be asked.", value);
  try {
    const [backlog, due] = await Promise.all([sinks.backlog(), timers.dueEnvironments()]);
    const records = Object.entries(backlog).flatMap(([sink, { records: value, ageMs }]) => [
      gauge("sink_backlog_records", "Audit records that were not sent yet, of the first 1,000 projects.", value, { sink }),
      gauge("sink_backlog_age_seconds", "How long the oldest of them has been there.", ageMs / 1_000, { sink }),
    ]);
    return [up(1), ...records, gauge("previews_due", "Previews whose end, or end of grace, has come and was not acted on yet.", due)];
  } catch {
    return [up(0)];
  }
}
