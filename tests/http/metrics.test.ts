import { describe, expect, test } from "vitest";
import { Histogram } from "../../src/histogram.ts";
import { Metrics } from "../../src/http/metrics.ts";
import { LIMITS } from "../../src/limits.ts";
import { openWorld } from "../domain/support.ts";
import { metricsText } from "./exposed.ts";
import { serveApp } from "./support.ts";

describe("a histogram", () => {
  test("counts each value at the first bound that it fits in, and all of them", () => {
    const histogram = new Histogram([1, 2, 5]);
    for (const value of [0, 1, 1.5, 2, 5, 6, 1_000]) histogram.observe(value);
    expect(histogram.cumulative()).toEqual([
      [1, 2],
      [2, 4],
      [5, 5],
      [Number.POSITIVE_INFINITY, 7],
    ]);
    expect([histogram.count, histogram.sum]).toEqual([7, 1_015.5]);
  });
});

describe("what is counted", () => {
  test("is written as Prometheus reads it: each name once, with what it is", async () => {
    const lines = (await metricsText()).split("\n").filter((line) => line !== "");
    const types = lines.filter((line) => line.startsWith("# TYPE")).map((line) => line.split(" ")[2]);
    expect(new Set(types).size).toBe(types.length);
    for (const line of lines)
      expect(line).toMatch(
        /^(?:# (?:HELP|TYPE) [a-z]\w+ \S.*|[a-z]\w+(?:\{\w+="[^"]*"(?:,\w+="[^"]*")*\})? -?[0-9.e+-]+|.* \+?Inf|.* NaN)$/i,
      );
    const buckets = lines.flatMap((line) => /_bucket\{(.*),le="[^"]+"\} (\d+)$/.exec(line)?.[2] ?? []);
    expect(buckets.length).toBeGreaterThan(10);
  });

  test("names no project, environment or person", async () => {
    const text = await metricsText();
    for (const word of ["pf-777", "staging", "ann"]) expect(text).not.toMatch(new RegExp(`"[^"]*\\b${word}\\b`));
  });

  test("a commit with how long it took and how many shared it, who watches, and what waits", async () => {
    const world = await openWorld();
    await world.project.create("staging");
    await Promise.all(Array.from({ length: 8 }, (_, n) => world.project.configure("staging", { vars: { N: String(n) } })));
    const leave = world.domain.watches.watch(world.project.id, "staging", null, { tell: () => {}, end: () => {} });
    const ask = await serveApp(world.domain);
    const { text } = await ask("/metrics");
    leave();
    const value = (name: string) => Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(text)?.[1]);
    expect(value("environment_manager_commit_writers_sum")).toBeGreaterThanOrEqual(9);
    expect(value("environment_manager_commit_writers_count")).toBeLessThan(9);
    expect(value("environment_manager_commit_duration_seconds_count")).toBeGreaterThan(0);
    expect(value("environment_manager_watchers")).toBe(1);
    expect(value("environment_manager_sink_backlog_records")).toBe(0);
    expect(value("environment_manager_previews_due")).toBe(0);
    expect(value("environment_manager_store_up")).toBe(1);
  });

  test("is told while the store is away, and that it is", async () => {
    const world = await openWorld();
    const ask = await serveApp(world.domain);
    await world.store.close();
    const { status, text } = await ask("/metrics");
    expect(status).toBe(200);
    expect(text).toMatch(/^environment_manager_store_up 0$/m);
  });

  test("has as many series as there may be, and not one more", async () => {
    const metrics = new Metrics();
    for (let n = 0; n <= LIMITS.metricSeries; n++) metrics.observe(`operation-${n}`, 200, 0.001);
    metrics.observe("operation-0", 200, 0.001);
    const text = await metrics.text();
    const counts = [...text.matchAll(/_count\{operation="operation-(\d+)",status="200"\} (\d+)/g)].map(([, n, count]) => [
      Number(n),
      Number(count),
    ]);
    expect(counts).toHaveLength(LIMITS.metricSeries);
    expect(counts[0]).toEqual([0, 2]);
  });
});
