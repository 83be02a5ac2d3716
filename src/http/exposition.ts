import { collectDefaultMetrics, Gauge, type Metric, Registry } from "prom-client";
import type { Distribution, Readings, Sample } from "./metrics.ts";

interface Value {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** Begins to look at the process: memory, processor time, garbage collection, delays of the event loop. @returns what writes it all down */
export function openExposition(): (readings: Readings) => Promise<string> {
  const ofProcess = new Registry();
  collectDefaultMetrics({ register: ofProcess });
  new Gauge({
    name: "process_uptime_seconds",
    help: "Time since the start.",
    registers: [ofProcess],
    collect() {
      this.set(process.uptime());
    },
  });
  return async ({ samples, distributions }) => {
    const counted = new Registry();
    for (const [name, own] of grouped(distributions))
      counted.registerMetric(metricOf(name, own[0]?.help ?? "", "histogram", own.flatMap(bucketsOf)));
    for (const [name, own] of grouped(samples)) {
      const { help = "", type = "gauge" } = own[0] ?? {};
      counted.registerMetric(metricOf(name, help, type, own.map(sampled)));
    }
    return `${await counted.metrics()}\n${await ofProcess.metrics()}`;
  };
}

/** What prom-client asks of a metric: its values, which are ours already. */
function metricOf(name: string, help: string, type: string, values: readonly Value[]): Metric {
  return { name, get: async () => ({ name, help, type, values, aggregator: "sum" }) } as unknown as Metric;
}

function sampled({ labels = {}, value }: Sample): Value {
  return { labels, value };
}

function bucketsOf({ name, labels = {}, histogram }: Distribution): readonly Value[] {
  const buckets = histogram.cumulative().map(([bound, value]) => ({
    metricName: `${name}_bucket`,
    labels: { ...labels, le: Number.isFinite(bound) ? bound : "+Inf" },
    value,
  }));
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: histogram.sum },
    { metricName: `${name}_count`, labels, value: histogram.count },
  ];
}

function grouped<Item extends { readonly name: string }>(items: readonly Item[]): ReadonlyMap<string, readonly Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const group = groups.get(item.name);
    if (group === undefined) groups.set(item.name, [item]);
    else group.push(item);
  }
  return groups;
}
