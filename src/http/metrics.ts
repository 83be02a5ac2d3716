import { LIMITS } from "../limits.ts";

/** One number of an exposition, with its labels. */
export interface Sample {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Upper bounds of the histogram of durations, in seconds. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

interface Series {
  readonly operation: string;
  readonly status: number;
  /** Requests by the first bucket that they fit in; the last is for those that fit in none. */
  readonly counts: number[];
  seconds: number;
}

/**
 * What the process counts, as Prometheus reads it (text exposition format 0.0.4). Labels are operations and statuses, of which
 * there is a fixed number: never a project or anything else that a request says.
 */
export class Metrics {
  readonly #series = new Map<string, Series>();
  readonly #more: () => readonly Sample[];

  /** `more` is asked for what others count, each time that somebody reads. */
  constructor(more: () => readonly Sample[] = () => []) {
    this.#more = more;
  }

  observe(operation: string, status: number, seconds: number): void {
    const key = `${operation} ${status}`;
    let series = this.#series.get(key);
    if (series === undefined) {
      if (this.#series.size >= LIMITS.metricSeries) return;
      series = { operation, status, counts: new Array<number>(BUCKETS.length + 1).fill(0), seconds: 0 };
      this.#series.set(key, series);
    }
    const found = BUCKETS.findIndex((bound) => seconds <= bound);
    const bucket = found < 0 ? BUCKETS.length : found;
    series.counts[bucket] = (series.counts[bucket] ?? 0) + 1;
    series.seconds += seconds;
  }

  text(): string {
    return `${[...histogram([...this.#series.values()]), ...grouped([...processSamples(), ...this.#more()])].join("\n")}\n`;
  }
}

const DURATION = "environment_manager_request_duration_seconds";

function histogram(all: readonly Series[]): string[] {
  const lines = [`# HELP ${DURATION} Time from a request's headers to the end of its reply.`, `# TYPE ${DURATION} histogram`];
  for (const { operation, status, counts, seconds } of all) {
    const labels = { operation, status: String(status) };
    let count = 0;
    for (const [index, bound] of [...BUCKETS, "+Inf"].entries()) {
      count += counts[index] ?? 0;
      lines.push(line(`${DURATION}_bucket`, { ...labels, le: String(bound) }, count));
    }
    lines.push(line(`${DURATION}_sum`, labels, seconds), line(`${DURATION}_count`, labels, count));
  }
  return lines;
}

function processSamples(): Sample[] {
  const { rss, heapUsed } = process.memoryUsage();
  const cpu = process.cpuUsage();
  const gauge = (name: string, help: string, value: number): Sample => ({ name, help, type: "gauge", value });
  return [
    gauge("process_resident_memory_bytes", "Resident memory.", rss),
    gauge("nodejs_heap_size_used_bytes", "Memory in use on the heap.", heapUsed),
    { name: "process_cpu_seconds_total", help: "Processor time.", type: "counter", value: (cpu.user + cpu.system) / 1e6 },
    gauge("process_uptime_seconds", "Time since the start.", process.uptime()),
  ];
}

/** Samples of one name stand together, below what is said of the name. */
function grouped(samples: readonly Sample[]): string[] {
  const names = [...new Set(samples.map(({ name }) => name))];
  return names.flatMap((name) => {
    const own = samples.filter((sample) => sample.name === name);
    const [first] = own;
    const about = first === undefined ? [] : [`# HELP ${name} ${first.help}`, `# TYPE ${name} ${first.type}`];
    return [...about, ...own.map(({ labels = {}, value }) => line(name, labels, value))];
  });
}

function line(name: string, labels: Readonly<Record<string, string>>, value: number): string {
  const text = Object.entries(labels).map(
    ([label, text]) => `${label}="${text.replace(/["\\\n]/g, (found) => (found === "\n" ? "\\n" : `\\${found}`))}"`,
  );
  return `${name}${text.length === 0 ? "" : `{${text.join(",")}}`} ${value}`;
}
