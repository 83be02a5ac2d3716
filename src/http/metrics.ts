import type { ServerResponse } from "node:http";
import { Histogram, SECONDS } from "../histogram.ts";
import { LIMITS } from "../limits.ts";
import { SharedWork } from "./shared-work.ts";

/** Numbers of one name, as others count them. */
export interface Sample {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A histogram that others keep. */
export interface Distribution {
  readonly name: string;
  readonly help: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly histogram: Histogram;
}

export interface Readings {
  readonly samples: readonly Sample[];
  readonly distributions: readonly Distribution[];
}

const DURATION = {
  name: "environment_manager_request_duration_seconds",
  help: "Time from a request's headers to the end of its reply; of a stream, to its beginning.",
};

/** As nginx counts who left before there was a reply. */
const CLIENT_LEFT = 499;

/** What a request whose reply is done with is counted as. */
export function statusOf({ headersSent, statusCode }: ServerResponse): number {
  return headersSent ? statusCode : CLIENT_LEFT;
}

/**
 * What the process counts, as Prometheus reads it. Labels are operations, statuses and the like, of which there is a fixed number: never
 * a project or anything else that a request says. Counting is a few additions; `prom-client`, which writes the text and looks at the
 * process, is loaded when somebody reads.
 */
export class Metrics {
  readonly #requests = new Map<string, Map<number, Histogram>>();
  #series = 0;
  readonly #read: () => Promise<Readings>;
  readonly #text = new SharedWork(() => this.#write());
  #exposition: Promise<(readings: Readings) => Promise<string>> | null = null;

  /** `read` is asked for what others count, each time that somebody reads. */
  constructor(read: () => Promise<Readings> = async () => ({ samples: [], distributions: [] })) {
    this.#read = read;
  }

  observe(operation: string, status: number, seconds: number): void {
    (this.#requests.get(operation)?.get(status) ?? this.#begin(operation, status))?.observe(seconds);
  }

  /** Counts a request when its reply is done with, or before, where whoever called says so. */
  follow(operation: string, response: ServerResponse): () => void {
    const start = performance.now();
    let isObserved = false;
    const observe = () => {
      if (!isObserved) this.observe(operation, statusOf(response), (performance.now() - start) / 1_000);
      isObserved = true;
    };
    // Whoever sent it may be gone before it comes to its route.
    if (response.closed) observe();
    else response.on("close", observe);
    return observe;
  }

  /** Everything as of now. Those who ask together, or very often, wait for one another: anybody may, and it takes time. */
  text(): Promise<string> {
    return this.#text.ask();
  }

  async #write(): Promise<string> {
    this.#exposition ??= import("./exposition.ts").then(({ openExposition }) => openExposition());
    const write = await this.#exposition;
    const { samples, distributions } = await this.#read();
    return write({ samples, distributions: [...this.#durations(), ...distributions] });
  }

  #begin(operation: string, status: number): Histogram | null {
    if (this.#series >= LIMITS.metricSeries) return null;
    this.#series++;
    const histogram = new Histogram(SECONDS);
    const statuses = this.#requests.get(operation) ?? new Map<number, Histogram>();
    this.#requests.set(operation, statuses.set(status, histogram));
    return histogram;
  }

  #durations(): readonly Distribution[] {
    return [...this.#requests].flatMap(([operation, statuses]) =>
      [...statuses].map(([status, histogram]) => ({ ...DURATION, labels: { operation, status: String(status) }, histogram })),
    );
  }
}
