import { existsSync, readdirSync } from "node:fs";
import { latencyOf } from "../measure.ts";
import type { ServerProcess } from "../processes.ts";
import type { SoakClient } from "./actors.ts";
import type { SoakWindow } from "./windows.ts";

interface Sample {
  readonly rss: number;
  readonly heap: number;
  readonly external: number;
  readonly loop: number;
  readonly handles: number;
  readonly files: number;
}

const MB = 1e6;

/** What the process says of itself, asked once a second, until a window is full. */
export class Samples {
  readonly #engine: ServerProcess;
  readonly #client: SoakClient;
  readonly #token: string;
  readonly #begin = performance.now();
  #samples: Sample[] = [];

  constructor(engine: ServerProcess, client: SoakClient, token: string) {
    this.#engine = engine;
    this.#client = client;
    this.#token = token;
  }

  async take(): Promise<void> {
    const reply = await fetch(`${this.#engine.url}/metrics`, { headers: { authorization: `Bearer ${this.#token}` } });
    const text = await reply.text();
    const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1] ?? 0);
    const descriptors = `/proc/${this.#engine.pid}/fd`;
    this.#samples.push({
      rss: value("process_resident_memory_bytes"),
      heap: value("nodejs_heap_size_used_bytes"),
      external: value("nodejs_external_memory_bytes"),
      loop: value("nodejs_eventloop_lag_p99_seconds"),
      handles: value("nodejs_active_resources_total"),
      files: existsSync(descriptors) ? readdirSync(descriptors).length : 0,
    });
  }

  /** What was seen since the last window. */
  window(): SoakWindow {
    const samples = this.#samples;
    const { times, failures } = this.#client;
    this.#samples = [];
    this.#client.times = [];
    this.#client.failures = [];
    const all = (of: keyof Sample) => samples.map((sample) => sample[of]);
    const { percentiles } = latencyOf("", times);
    return {
      minute: Math.round((performance.now() - this.#begin) / 600) / 100,
      requests: times.length,
      failures: failures.length,
      p50: percentiles["50"] ?? 0,
      p99: percentiles["99"] ?? 0,
      loopDelayP99: Math.max(0, ...all("loop")) * 1_000,
      rssMb: Math.max(0, ...all("rss")) / MB,
      heapMb: Math.min(...all("heap")) / MB,
      externalMb: Math.min(...all("external")) / MB,
      files: Math.max(0, ...all("files")),
      handles: Math.max(0, ...all("handles")),
    };
  }
}
